/** Every file that is published can be the first one to be loaded, and be loaded alone. */

import { spawnSync } from "node:child_process"
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll, expect, test } from "vitest"

const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc")

/** Holds what is built of the sources, and what that needs. */
let project: string

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "import-order-"))
  symlinkSync(resolve("node_modules"), join(project, "node_modules"))
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }))
  const flags = ["--noCheck", "--composite", "false", "--declaration", "false", "--declarationMap", "false"]
  const built = spawnSync(process.execPath, [
    tsc,
    "-p",
    "tsconfig.build.json",
    "--outDir",
    join(project, "dist"),
    ...flags,
    "--sourceMap",
    "false",
    "--tsBuildInfoFile",
    "null"
  ], { encoding: "utf8" })
  expect(built.stdout + built.stderr).toBe("")
})
afterAll(() => rmSync(project, { recursive: true, force: true }))

test("each file of dist can be loaded alone and first", () => {
  const files = readdirSync(join(project, "dist"), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".js")
  )
  expect(files.length).toBeGreaterThan(50)
  // A file that was loaded once is not loaded again. So each is the first one of a copy of its own.
  // These are programs: they do what their arguments say.
  const programs = ["command/main.js", "command/development.js", "command/exploring.js", "command/recording.js"]
  const program = files.filter((file) => !programs.includes(file)).map((file, n) => {
    const copy = join(project, "copies", String(n))
    for (const other of files) {
      mkdirSync(dirname(join(copy, other)), { recursive: true })
      linkSync(join(project, "dist", other), join(copy, other))
    }
    return `await import(${JSON.stringify(pathToFileURL(join(copy, file)).href)})
      .catch((error) => console.log(${JSON.stringify(file)}, error.message))`
  })
  writeFileSync(join(project, "program.mjs"), program.join("\n"))
  const { stderr, stdout } = spawnSync(process.execPath, [join(project, "program.mjs")], { encoding: "utf8" })
  expect(stdout + stderr).toBe("")
  // each copy of a file of the cluster loads all of that
}, 300_000)
