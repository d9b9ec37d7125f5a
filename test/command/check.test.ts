/** `effect-stackless check`: each forgotten `yield*` is found, and what is no mistake is not. */
import { readFileSync, symlinkSync } from "node:fs"
import { resolve } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { buildPackage, Project } from "../project.ts"
import { command } from "./command.ts"

/** Each line that ends with a comment has a mistake in it. */
const PROGRAM = readFileSync("test/package/fixtures/check/forgotten.ts", "utf8")

const versions = { "7": "typescript", "6.0": "typescript-6.0", "5.9": "typescript-5.9" }

const projects = new Map<string, Project>()

beforeAll(() => {
  buildPackage()
  for (const [version, name] of Object.entries(versions)) {
    const project = new Project({
      "forgotten.ts": PROGRAM,
      "tsconfig.json": JSON.stringify({
        compilerOptions: {
          module: "nodenext",
          target: "es2022",
          strict: true,
          noEmit: true,
          skipLibCheck: true,
          types: []
        },
        include: ["*.ts"]
      })
    })
    symlinkSync(resolve("node_modules", name), project.path("node_modules/typescript"))
    projects.set(version, project)
  }
}, 120_000)
afterAll(() => {
  for (const project of projects.values()) project.remove()
})

const marked = PROGRAM.split("\n").flatMap((line, i) => / \/\/ (\w+)$/.test(line) ? [i + 1] : [])

test.each(Object.keys(versions))(
  "by the types of TypeScript %s, and ends with 1",
  { timeout: 240_000 },
  async (version) => {
    const { status, stderr, stdout } = await command(projects.get(version)!.folder, ["check", "--json"])
    expect([status, stderr]).toEqual([1, ""])
    const { files, found } = JSON.parse(stdout)
    expect(files).toBe(1)
    expect(found.map(({ line }: { line: number }) => line)).toEqual(marked)
    expect(found[0]).toMatchObject({
      column: 3,
      message: "the operation is dropped, and does not happen: write yield* in front of it",
      source: "c.send(1) // dropped"
    })
  }
)

test(
  "each is written with its file, line and source, and a project without any ends with 0",
  { timeout: 240_000 },
  async () => {
    const project = projects.get("7")!
    const { stdout } = await command(project.folder, ["check", "."])
    expect(stdout).toContain(
      "forgotten.ts:13:7: the operation is always true, as it is an object: write yield* in front of it\n    if (lock.acquire(false))"
    )
    expect(stdout).toMatch(/\n13 yield\* are missing in 1 file\n$/)
    project.write({ "forgotten.ts": "export const none = 1\n" })
    expect(await command(project.folder, ["check"])).toMatchObject({
      status: 0,
      stdout: "no yield* is missing in 1 file\n"
    })
  }
)
