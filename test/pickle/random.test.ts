/** Random programs that are dumped and loaded again and again do what they would have done. PROGRAMS says how many. */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { bundle, makeDirectory } from "../bundle.ts"

const directory = makeDirectory()
afterAll(() => directory.remove())

let program: string

beforeAll(async () => {
  program = join(directory.path, "realms.mjs")
  await bundle("pickle/realms.ts", program)
})

test("dumped and loaded after every round, every second, third and seventh, they say the same", () => {
  const count = process.env["PROGRAMS"] ?? "40"
  let said: string
  try {
    said = execFileSync(process.execPath, [program, count, "1"], { encoding: "utf8" })
  } catch (error) {
    said = (error as { stdout: string }).stdout
  }
  expect(said).toContain(`the same: ${count} programs`)
}, 3_600_000)
