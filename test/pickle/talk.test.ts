/** The talk's program: a tasklet is dumped in the middle of nine nested calls, and a second process goes on with it. */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, expect, test } from "vitest"
import { bundle, makeDirectory } from "../bundle.ts"

const directory = makeDirectory()
afterAll(() => directory.remove())

test("a second process prints the nine levels that are left", async () => {
  const program = join(directory.path, "pickling.mjs")
  await bundle("../examples/pickling.ts", program)
  const run = (...args: ReadonlyArray<string>): ReadonlyArray<string> =>
    execFileSync(process.execPath, [program, ...args], { encoding: "utf8", cwd: directory.path }).trimEnd().split("\n")
  const levels = [1, 2, 3, 4, 5, 6, 7, 8, 9]
  const line = (what: string) => (level: number): string => `${what} level ${" ".repeat(level)}${level}`
  const leaving = levels.map(line("leave")).reverse()
  expect(run()).toEqual([...levels.map(line("enter")), "hi", ...leaving])
  expect(run("tasklet.pickle")).toEqual(leaving)
})
