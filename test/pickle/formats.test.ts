/**
 * Pickles that were kept, one of each version of the format: they load for as long as the first number stands.
 *
 * A new one is made with the bundled program: `node program.mjs dump 1.1.pickle`.
 */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, test } from "vitest"
import { bundle, makeDirectory } from "../bundle.ts"

const folder = fileURLToPath(new URL("formats", import.meta.url))
const kept = readdirSync(folder).filter((name) => name.endsWith(".pickle"))
const directory = makeDirectory()
afterAll(() => directory.remove())

let program: string
const run = (...args: ReadonlyArray<string>): string =>
  execFileSync(process.execPath, [program, ...args], { encoding: "utf8" })

beforeAll(async () => {
  program = join(directory.path, "program.mjs")
  await bundle("pickle/formats/program.ts", program)
})

test.each(kept)("%s goes on where it was", (name) => {
  expect(run("load", join(folder, name))).toBe(readFileSync(join(folder, "said.txt"), "utf8"))
})

test("what is dumped now says the same", () => {
  const fresh = join(directory.path, "fresh.pickle")
  run("dump", fresh)
  expect(run("load", fresh)).toBe(readFileSync(join(folder, "said.txt"), "utf8"))
})
