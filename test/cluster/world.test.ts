/** The world of the examples: two machines, and ships that jump between them. */
import { spawn } from "node:child_process"
import { afterAll, expect, test } from "vitest"
import { bundle, makeDirectory } from "../bundle.ts"

const directory = makeDirectory()
afterAll(directory.remove)

test("ships that jump between systems on two machines are neither lost nor doubled", async () => {
  const program = `${directory.path}/world.mjs`
  await bundle("../examples/world.ts", program)
  const world = spawn(process.execPath, [program, "300"])
  let said = ""
  for (const stream of [world.stdout, world.stderr]) stream.on("data", (data) => said += data)
  const code = await new Promise((resolve) => world.on("exit", resolve))
  expect(said).toContain("300 ships have made 3000 jumps, and the systems have seen 3000")
  expect(said).toMatch(/the ships have (\d+) tons of ore, and the systems have lost \1$/m)
  expect(said).toMatch(/^\d+ jumps a second$/m)
  expect(code).toBe(0)
}, 120_000)
