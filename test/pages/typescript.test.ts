/**
 * The package, as it is packed, with each TypeScript that is supported: its own types, and the programs of the README and of the
 * docs, under the strictest settings that a project may have.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import ts59 from "typescript-5.9"
import ts60 from "typescript-6.0"
import { afterAll, beforeAll, expect, test } from "vitest"
import { buildPackage } from "../project.ts"
import { pages, sessionsOf } from "../sessions.ts"

const manifest = JSON.parse(readFileSync("package.json", "utf8"))

/** A project that has installed the package. It stands below this one, so that `effect` and the build tools are found. */
let project: string
/** The files of the project. */
const files: Array<string> = []

beforeAll(() => {
  buildPackage()
  mkdirSync(".build", { recursive: true })
  project = resolve(mkdtempSync(join(".build", "typescript-")))
  const installed = join(project, "node_modules/effect-stackless")
  mkdirSync(installed, { recursive: true })
  const [packed] = JSON.parse(
    execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", project], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    })
  )
  execFileSync("tar", ["xzf", join(project, packed.filename), "-C", installed, "--strip-components", "1"])
  const write = (name: string, text: string) => {
    writeFileSync(join(project, name), text)
    files.push(join(project, name))
  }
  writeFileSync(join(project, "package.json"), `{ "type": "module" }`)
  const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith(".json"))
  write(
    "entries.ts",
    entries.map((entry, i) => `export * as entry${i} from "${join("effect-stackless", entry)}"\n`).join("")
  )
  for (const page of pages) {
    for (const [i, { code }] of sessionsOf(readFileSync(page, "utf8")).entries()) {
      write(`${page.replace(/\W+/g, "-")}-${i}.ts`, `${code}\nexport {}\n`)
    }
  }
}, 120_000)
afterAll(() => rmSync(project, { recursive: true, force: true }))

const settings = (resolution: string) => ({
  target: "ES2023",
  lib: ["ES2023", "DOM", "DOM.AsyncIterable"],
  module: resolution === "nodenext" ? "nodenext" : "esnext",
  moduleResolution: resolution,
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  noEmit: true
})

/** Is the file part of the project or of the package? What effect's and the tools' own types hold is not ours to check. */
const isOurs = (file: string) => {
  const [, ...packages] = file.split("/node_modules/")
  return packages.length === 0 || packages.at(-1)!.startsWith("effect-stackless/")
}

// The compilers with an interface for programs check our files alone, which takes a third of the time.
test.each([["5.9", ts59], ["6.0", ts60 as unknown as typeof ts59]])("TypeScript %s", (version, ts) => {
  expect(ts.version.startsWith(`${version}.`)).toBe(true)
  const parsed = new Map<string, ReturnType<typeof ts.createSourceFile> | undefined>()
  for (const resolution of ["nodenext", "bundler"]) {
    const { errors, options } = ts.convertCompilerOptionsFromJson(settings(resolution), project)
    const host = ts.createCompilerHost(options)
    const read = host.getSourceFile.bind(host)
    host.getSourceFile = (name, how, ...rest) => {
      const key = `${name} ${JSON.stringify(how)}`
      if (!parsed.has(key)) parsed.set(key, read(name, how, ...rest))
      return parsed.get(key)
    }
    const program = ts.createProgram(files, options, host)
    const ours = program.getSourceFiles().filter(({ fileName }) => isOurs(fileName))
    const found = [
      ...errors,
      ...program.getOptionsDiagnostics(),
      ...program.getGlobalDiagnostics(),
      ...ours.flatMap((file) => program.getSyntacticDiagnostics(file)),
      ...ours.flatMap((file) => program.getSemanticDiagnostics(file))
    ]
    expect([resolution, ts.formatDiagnostics(found, host)]).toEqual([resolution, ""])
  }
}, 120_000)

test("TypeScript 7.0", () => {
  const compiler = "node_modules/typescript/bin/tsc"
  const version = execFileSync(process.execPath, [compiler, "--version"], { encoding: "utf8" })
  expect(version).toContain("Version 7.0.")
  for (const resolution of ["nodenext", "bundler"]) {
    const config = join(project, `tsconfig.${resolution}.json`)
    writeFileSync(config, JSON.stringify({ compilerOptions: settings(resolution), files }))
    const { stdout } = spawnSync(process.execPath, [compiler, "-p", config, "--pretty", "false"], { encoding: "utf8" })
    const found = stdout.split("\n").filter((line) => line !== "" && isOurs(resolve(line.replace(/\(\d+,.*/, ""))))
    expect([resolution, found]).toEqual([resolution, []])
  }
}, 120_000)

test("a wrong program is found to be wrong", () => {
  const config = join(project, "tsconfig.wrong.json")
  const wrong = join(project, "wrong.ts")
  writeFileSync(
    wrong,
    `import { channel } from "effect-stackless/stackless"\nexport const sent = channel<number>().send("a")\n`
  )
  writeFileSync(config, JSON.stringify({ compilerOptions: settings("nodenext"), files: [wrong] }))
  const { stdout } = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", config], {
    encoding: "utf8"
  })
  expect(stdout).toContain("wrong.ts(2,")
})
