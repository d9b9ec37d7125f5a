/** `effect-stackless new`: the project that it makes runs on the package as it is published. */
import { spawnSync } from "node:child_process"
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { buildPackage } from "../project.ts"
import { command, type Ended } from "./command.ts"

vi.setConfig({ testTimeout: 240_000 })

/** Outside this repository: what the project does not name it does not find. */
const outside = realpathSync(mkdtempSync(join(tmpdir(), "new-")))
const folder = join(outside, "My Kitchen")

const npm = (cwd: string, ...args: Array<string>) => {
  const { FORCE_COLOR: _, NODE_OPTIONS: __, VITEST: ___, ...env } = process.env
  const { error, status, stderr, stdout } = spawnSync("npm", args, {
    cwd,
    encoding: "utf8",
    env: { ...env, NO_COLOR: "1", npm_config_update_notifier: "false" }
  })
  if (error !== undefined) throw error
  return { status, output: stdout + stderr }
}

/** Puts there what `npm install` would: this package, packed, and what the project names beside it. */
const install = (): void => {
  const modules = join(folder, "node_modules")
  mkdirSync(join(modules, ".bin"), { recursive: true })
  const packed = npm(resolve("."), "pack", "--ignore-scripts", "--pack-destination", outside)
  if (packed.status !== 0) throw new Error(packed.output)
  const archive = readdirSync(outside).find((name) => name.endsWith(".tgz"))!
  const { status, stderr } = spawnSync("tar", ["-xzf", archive], { cwd: outside, encoding: "utf8" })
  if (status !== 0) throw new Error(stderr)
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    if (name.includes("/")) mkdirSync(join(modules, name, ".."), { recursive: true })
    if (name === "effect-stackless") renameSync(join(outside, "package"), join(modules, name))
    else symlinkSync(resolve("node_modules", name), join(modules, name))
  }
  chmodSync(join(modules, "effect-stackless/dist/command/main.js"), 0o755)
  for (
    const [name, file] of [
      ["effect-stackless", "effect-stackless/dist/command/main.js"],
      ["effect-tsgo", "@effect/tsgo/dist/effect-tsgo.cjs"],
      ["tsc", "typescript/bin/tsc"],
      ["vitest", "vitest/vitest.mjs"]
    ] as const
  ) symlinkSync(join("..", file), join(modules, ".bin", name))
}

let made: Ended

beforeAll(async () => {
  buildPackage()
  made = await command(outside, ["new", "My Kitchen"])
  if (made.status === 0) install()
}, 240_000)
afterAll(() => rmSync(outside, { recursive: true, force: true }))

test("says what to do next, and names the project as npm takes it", () => {
  expect(made).toEqual({
    status: 0,
    signal: null,
    stdout: `My Kitchen has 8 files. Next:\n    cd "My Kitchen"\n    npm install\n    npm start\n`,
    stderr: ""
  })
  expect(JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))).toMatchObject({
    name: "my-kitchen",
    dependencies: { "effect-stackless": `^${JSON.parse(readFileSync("package.json", "utf8")).version}` }
  })
})

test("every version is one that this package is tested with", () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  const { "effect-stackless": _, ...others } = { ...dependencies, ...devDependencies }
  expect(JSON.parse(readFileSync("package.json", "utf8")).devDependencies).toMatchObject(others)
  expect(Object.values(others)).not.toContain(undefined)
})

test("its program runs: a cook counts on where it stood when it became bytes", () => {
  expect(npm(folder, "start", "--silent")).toEqual({ status: 0, output: "1. soup\n2. bread\n" })
})

test("its test passes, and fails for a cook that miscounts", () => {
  const { output, status } = npm(folder, "test")
  expect([status, output]).toEqual([0, expect.stringContaining("1 passed")])
  const cook = join(folder, "src/cook.ts")
  const source = readFileSync(cook, "utf8")
  writeFileSync(cook, source.replace("number = 1", "number = 0"))
  try {
    expect(npm(folder, "test").status).toBe(1)
  } finally {
    writeFileSync(cook, source)
  }
})

test("its check passes, and finds a forgotten yield*", () => {
  const { output, status } = npm(folder, "run", "check")
  expect([status, output]).toEqual([0, expect.stringContaining("no yield* is missing in 4 files")])
  const main = join(folder, "src/main.ts")
  const source = readFileSync(main, "utf8")
  writeFileSync(main, source.replace("yield* chef.kill()", "chef.kill()"))
  try {
    const { output, status } = npm(folder, "run", "check")
    expect([status, output]).toEqual([1, expect.stringContaining("floatingEffect")])
  } finally {
    writeFileSync(main, source)
  }
})

test("writes nothing where something is, and fails with 2", async () => {
  const before = readdirSync(folder)
  expect(await command(outside, ["new", "My Kitchen"])).toMatchObject({
    status: 2,
    stdout: "",
    stderr: expect.stringContaining("My Kitchen is not empty: name a folder that is empty or not there yet")
  })
  expect(readdirSync(folder)).toEqual(before)
  writeFileSync(join(outside, "file"), "")
  expect(await command(outside, ["new", "file"])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("file is no folder: name one that is empty or not there yet")
  })
  expect(await command(outside, ["new", "file/inside"])).toMatchObject({ status: 2 })
  expect(await command(outside, ["new"])).toMatchObject({ status: 2 })
})

test("--json prints the folder and its files, also of an empty folder that is there", async () => {
  const empty = join(outside, "empty")
  mkdirSync(empty)
  const { status, stdout } = await command(empty, ["new", "--json", "."])
  const { files, folder } = JSON.parse(stdout)
  expect([status, folder]).toEqual([0, empty])
  expect(readdirSync(empty, { recursive: true })).toEqual(expect.arrayContaining(files))
  expect(readdirSync(empty)).toHaveLength(7)
})

test("tells of no cd into the folder that it is called in, and names another as it was named", async () => {
  const inside = join(outside, "inside")
  mkdirSync(inside)
  expect((await command(inside, ["new", "."])).stdout).not.toContain("cd ")
  expect((await command(inside, ["new", "../beside"])).stdout).toContain("    cd ../beside\n")
})
