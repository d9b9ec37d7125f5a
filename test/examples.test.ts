/** The program of the talk, as it is and compiled. Those of gevent are tested where its sockets are. */
import stackless from "effect-stackless/rolldown"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { rolldown } from "rolldown"
import { afterAll, beforeAll, expect, test } from "vitest"
import { buildPackage } from "./project.ts"

let folder: string

beforeAll(() => {
  buildPackage()
  mkdirSync(".build", { recursive: true })
  folder = mkdtempSync(join(".build", "examples-"))
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.each([false, true])("the program of the talk prints what the original printed (compiled: %s)", async (all) => {
  const bundle = await rolldown({
    input: "examples/talk.ts",
    external: /^effect/,
    plugins: all ? [stackless({ all })] : []
  })
  const file = join(folder, `talk-${all}.mjs`)
  await bundle.write({ file })
  const { stderr, stdout } = spawnSync(process.execPath, ["--expose-gc", file], { encoding: "utf8" })
  expect(stderr).toBe("")
  expect(stdout.split("\n").slice(0, 6)).toEqual([
    "Receiving tasklet started",
    "Sending tasklet started",
    "send from sending_tasklet",
    "Receiving tasklet finished",
    "Just another tasklet in the scheduler",
    "sending tasklet finished"
  ])
})
