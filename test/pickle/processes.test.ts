/** What is dumped in one process is there again in another one. */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { bundle, makeDirectory } from "../bundle.ts"
import { samples as programs } from "./samples/programs.ts"
import { samples as values } from "./samples/values.ts"

const directory = makeDirectory()
afterAll(() => directory.remove())

let wrong: Record<string, string>

beforeAll(async () => {
  const program = join(directory.path, "samples.mjs")
  const pickles = join(directory.path, "samples.json")
  await bundle("pickle/samples/main.ts", program)
  const run = (what: string): string =>
    execFileSync(process.execPath, [program, what, pickles], { encoding: "utf8", maxBuffer: 2 ** 28 })
  run("dump")
  wrong = JSON.parse(run("load"))
})

for (const [what, samples] of Object.entries({ values, programs })) {
  describe(what, () => {
    for (const name of Object.keys(samples)) {
      test(name, () => {
        expect(wrong[name]).toBe("")
      })
    }
  })
}
