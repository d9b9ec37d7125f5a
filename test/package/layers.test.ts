/** Each layer uses only the public interface of the one below, and the linter holds it to that. */

import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join, resolve, sep } from "node:path"
import ts from "typescript-5.9"
import { afterAll, beforeAll, expect, test } from "vitest"
import { buildPackage } from "../project.ts"

const oxlint = join(dirname(createRequire(import.meta.url).resolve("oxlint/package.json")), "bin/oxlint")

/** An empty project under the linter's rules of this one. */
let project: string

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "layers-"))
  copyFileSync(".oxlintrc.json", join(project, ".oxlintrc.json"))
})
afterAll(() => rmSync(project, { recursive: true, force: true }))

/** Which of the imports the linter refuses in a file. */
function refused(file: string, imports: Array<string>): Array<string> {
  const path = join(project, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, imports.map((specifier, n) => `export { default as _${n} } from "${specifier}"\n`).join(""))
  const { stdout } = spawnSync(process.execPath, [oxlint, "--format=unix", file], { cwd: project, encoding: "utf8" })
  const lines = [...stdout.matchAll(/:(\d+):\d+: .*eslint\(no-restricted-imports\)/g)].map(([, line]) => Number(line))
  return imports.filter((_, n) => lines.includes(n + 1))
}

const everyone = ["effect", "effect/Effect", "effect/testing/TestClock", "./sibling.ts"]
const nobody = [
  "effect/internal/core",
  "effect/http/internal/body",
  "effect-stackless/greenlet",
  "@effect/vitest",
  "vitest",
  "./../index.ts"
]

test("greenlet imports effect and its own files", () => {
  const others = ["../stackless/index.ts", "../index.ts", "node:fs"]
  const allowed = [...everyone, "./kernel/operation.ts", "./effect/fiber.ts"]
  expect(refused("src/greenlet/file.ts", [...allowed, ...nobody, ...others])).toEqual([...nobody, ...others])
})

test("the kernel imports effect and its own files alone", () => {
  const others = ["../effect/fiber.ts", "../greenlet.ts", "../../stackless/index.ts", "node:fs"]
  expect(refused("src/greenlet/kernel/file.ts", [...everyone, ...nobody, ...others])).toEqual([...nobody, ...others])
})

test("the fibers import effect, the kernel and their own files", () => {
  const allowed = [...everyone, "../kernel/operation.ts"]
  const others = ["../greenlet.ts", "../../stackless/index.ts", "node:fs"]
  expect(refused("src/greenlet/effect/file.ts", [...allowed, ...nobody, ...others])).toEqual([...nobody, ...others])
})

test("stackless imports effect, the index of greenlet and its own files", () => {
  const allowed = [...everyone, "../greenlet/index.ts"]
  const others = ["../greenlet/greenlet.ts", "../compat/gevent/index.ts", "../index.ts", "node:fs"]
  expect(refused("src/stackless/file.ts", [...allowed, ...nobody, ...others])).toEqual([...nobody, ...others])
})

test("compat imports effect, Node's modules, the index of greenlet and its own files", () => {
  const allowed = [...everyone, "../../../greenlet/index.ts", "../core/hub.ts", "node:net", "node:timers/promises"]
  const others = ["../../../greenlet/greenlet.ts", "../../../stackless/index.ts", "../../../index.ts"]
  expect(refused("src/compat/gevent/net/file.ts", [...allowed, ...nobody, ...others])).toEqual([...nobody, ...others])
})

test("plugin imports unplugin, the index of compiler and its own files", () => {
  const allowed = ["./sibling.ts", "unplugin", "../compiler/index.ts"]
  const others = [
    "../compiler/parse.ts",
    "../frames/index.ts",
    "../index.ts",
    "effect",
    "oxc-parser",
    "vite",
    "node:fs"
  ]
  expect(refused("src/plugin/file.ts", [...allowed, ...nobody, ...others])).toEqual([...nobody, ...others])
})

test("register imports Node's modules, the index of compiler and its own files", () => {
  const allowed = ["./sibling.ts", "node:module", "node:fs", "../compiler/index.ts"]
  const others = ["../compiler/parse.ts", "../frames/index.ts", "../index.ts", "effect", "oxc-parser", "unplugin"]
  expect(refused("src/register/file.ts", [...allowed, ...nobody, ...others])).toEqual([...nobody, ...others])
})

test("explore imports effect, the indexes of greenlet and stackless, and its own files", () => {
  const allowed = [...everyone, "../greenlet/index.ts", "../stackless/index.ts"]
  const others = ["../stackless/tasklet.ts", "../frames/index.ts", "../pickle/index.ts", "../index.ts", "node:fs"]
  expect(refused("src/explore/file.ts", [...allowed, ...nobody, ...others])).toEqual([...nobody, ...others])
})

test("timeline imports effect, the indexes of greenlet and stackless, and its own files", () => {
  const allowed = [...everyone, "../greenlet/index.ts", "../stackless/index.ts"]
  const others = [
    "../stackless/tasklet.ts",
    "../greenlet/kernel/loop.ts",
    "../pickle/index.ts",
    "../index.ts",
    "node:fs"
  ]
  expect(refused("src/timeline/file.ts", [...allowed, ...nobody, ...others])).toEqual([...nobody, ...others])
})

test("async-context imports effect, Node's async_hooks, the index of greenlet and its own files", () => {
  const allowed = [...everyone, "node:async_hooks", "../greenlet/index.ts"]
  const others = ["../greenlet/kernel/loop.ts", "../stackless/index.ts", "../index.ts", "node:fs"]
  expect(refused("src/async-context/file.ts", [...allowed, ...nobody, ...others])).toEqual([...nobody, ...others])
})

test("vitest imports Vitest, effect, the index of stackless and its own files", () => {
  const allowed = [...everyone, "vitest", "../stackless/index.ts"]
  const others = ["../stackless/tasklet.ts", "../greenlet/index.ts", "../index.ts", "node:fs"]
  expect(refused("src/vitest/file.ts", [...allowed, ...others])).toEqual(others)
})

test("pickle imports effect, the indexes of greenlet, frames and stackless, and its own files", () => {
  const allowed = [...everyone, "../greenlet/index.ts", "../frames/index.ts", "../stackless/index.ts"]
  const others = ["../greenlet/greenlet.ts", "../stackless/tasklet.ts", "../compat/gevent/index.ts", "node:fs"]
  expect(refused("src/pickle/file.ts", [...allowed, ...nobody, ...others])).toEqual([...nobody, ...others])
})

test("cluster imports effect, Node's modules, the indexes of greenlet, stackless and pickle, and its own files", () => {
  const allowed = [
    ...everyone,
    "../errors.ts",
    "../exchange/home.ts",
    "../../stackless/index.ts",
    "../../pickle/index.ts",
    "node:net",
    "@effect/platform-node/NodeSocket"
  ]
  const others = ["../../stackless/tasklet.ts", "../../compat/gevent/index.ts", "ws"]
  expect(refused("src/cluster/machines/file.ts", [...allowed, ...nobody, ...others])).toEqual([...nobody, ...others])
})

test("nobody imports effect's internals, not even a test", () => {
  const internals = ["effect/internal/core", "effect/http/internal/body"]
  expect(refused("test/file.ts", ["effect", "vitest", ...internals])).toEqual(internals)
})

test("a circle of files is refused, of types alone as well", () => {
  for (const layer of ["greenlet/kernel", "stackless", "compat/gevent/core"]) {
    const folder = join(project, "src", layer)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, "one.ts"), `import type { Two } from "./two.ts"\nexport interface One { two: Two }\n`)
    writeFileSync(join(folder, "two.ts"), `import type { One } from "./one.ts"\nexport interface Two { one: One }\n`)
    const { stdout } = spawnSync(process.execPath, [oxlint, "--format=unix", join("src", layer)], {
      cwd: project,
      encoding: "utf8"
    })
    expect(stdout).toContain("import(no-cycle)")
  }
})

test("one file changes the state of a greenlet", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))
  const changing = files.filter((file) =>
    /\._become\(|\b_state (=|\|=|&=) /.test(readFileSync(join("src", file), "utf8"))
  )
  expect(changing).toEqual([join("greenlet", "kernel", "state.ts")])
})

/** Names that begin with `_` and are not ours: of Effect, of the streams of Node, and of the gevent of Python. */
const OTHERS = new Set(["_tag", "_observers", "_read", "_write", "_final", "_destroy", "_run"])

/** The names that begin with `_` in a file: what it declares, and what it reads, sets or overrides. */
function underscored(file: string, text: string): { declared: Set<string>; used: Map<string, number> } {
  const declared = new Set<string>()
  const used = new Map<string, number>()
  if (!/\b_[a-z]/i.test(text)) return { declared, used }
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const visit = (node: ts.Node): void => {
    const named = ts.isPropertyAccessExpression(node)
      ? node.name
      : ts.isElementAccessExpression(node)
      ? node.argumentExpression
      : ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)
      ? node.propertyName ?? node.name
      : ts.isIndexedAccessTypeNode(node) && ts.isLiteralTypeNode(node.indexType)
      ? node.indexType.literal
      : ts.isClassElement(node) || ts.isTypeElement(node) || ts.isPropertyAssignment(node)
      ? node.name
      : undefined
    if (named !== undefined && (ts.isIdentifier(named) || ts.isStringLiteral(named)) && /^_[a-z]/i.test(named.text)) {
      const overrides = ts.canHaveModifiers(node) &&
        ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.OverrideKeyword)
      if ((ts.isClassElement(node) || ts.isTypeElement(node)) && overrides !== true) declared.add(named.text)
      else if (!OTHERS.has(named.text)) {
        used.set(named.text, source.getLineAndCharacterOfPosition(node.getStart()).line + 1)
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return { declared, used }
}

/** Where a room uses a name that begins with `_` and is none of its own. */
function trespasses(files: ReadonlyArray<readonly [file: string, text: string]>): Array<string> {
  const rooms = new Map<string, Array<readonly [string, ReturnType<typeof underscored>]>>()
  for (const [file, text] of files) {
    const [room] = file.split(sep) as [string]
    rooms.set(room, [...rooms.get(room) ?? [], [file, underscored(file, text)]])
  }
  const found: Array<string> = []
  for (const room of rooms.values()) {
    const own = new Set(room.flatMap(([, { declared }]) => [...declared]))
    for (const [file, { used }] of room) {
      for (const [name, line] of used) if (!own.has(name)) found.push(`${file}:${line} ${name}`)
    }
  }
  return found
}

test("no name that begins with _ crosses an index", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))
  expect(trespasses(files.map((file) => [file, readFileSync(join("src", file), "utf8")]))).toEqual([])

  const below = [
    join("greenlet", "a.ts"),
    "export class A { _inbox = 1; get _state() { return this._inbox } }"
  ] as const
  const above = [
    "a._inbox",
    "const { _inbox: inbox } = a",
    "const { _inbox } = a",
    `a["_state"]`,
    `type State = A["_state"]`,
    "class B extends A { override get _state() { return 2 } }"
  ]
  for (const text of above) expect(trespasses([below, [join("stackless", "b.ts"), text]])).toHaveLength(1)
}, 60_000)

/** The members that an editor offers behind the dot, of an instance of each class that some modules export. */
function offered(modules: ReadonlyArray<string>): Map<string, Array<string>> {
  const program = ts.createProgram(modules, {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    strict: true,
    types: [],
    noLib: true,
    skipLibCheck: true
  })
  const checker = program.getTypeChecker()
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected
  const members = new Map<string, Array<string>>()
  for (const module of modules) {
    for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(module)!)!)) {
      const [signature] = checker.getTypeOfSymbol(symbol).getConstructSignatures()
      const properties = signature?.getReturnType().getProperties() ?? []
      members.set(
        symbol.name,
        properties
          .filter(({ valueDeclaration: at }) => at === undefined || (ts.getCombinedModifierFlags(at) & hidden) === 0)
          .map(({ name }) => name)
      )
    }
  }
  return members
}

/** What the loop asks a microthread. */
const HOOKS = new Set(["begins", "ends", "dies", "waits", "waited", "preempted", "orphaned"])

test("who uses a greenlet, a tasklet or a channel is offered nothing that is internal", () => {
  buildPackage()
  const members = offered(["greenlet", "stackless"].map((entry) => join("dist", entry, "index.d.ts")))
  for (const [name, member] of [["Greenlet", "switch"], ["Tasklet", "kill"], ["Channel", "send"]] as const) {
    expect(members.get(name)).toContain(member)
    // TypeScript writes a name that is a symbol with __@
    const internal = members.get(name)!.filter((member) => /^_(?!_@)/.test(member) || HOOKS.has(member))
    expect([name, internal]).toEqual([name, []])
  }
}, 120_000)

test("stackless and compat are written with what is published of greenlet", () => {
  buildPackage()
  const src = resolve("src")
  const { config } = ts.readConfigFile("tsconfig.base.json", ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson({
    ...config.compilerOptions,
    rewriteRelativeImportExtensions: false,
    allowImportingTsExtensions: true,
    noEmit: true
  }, ".")
  const files = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((file) => /^(stackless|compat)\b.*\.ts$/.test(file))
    .map((file) => join(src, file))
  const host = ts.createCompilerHost(options)
  const greenlet = join(src, "greenlet")
  host.resolveModuleNameLiterals = (names, from, redirect) =>
    names.map(({ text }) => {
      const to = resolve(dirname(from), text)
      return from.startsWith(src) && text.startsWith(".") && dirname(to) === greenlet
        ? { resolvedModule: { resolvedFileName: resolve("dist/greenlet/index.d.ts"), extension: ts.Extension.Dts } }
        : ts.resolveModuleName(text, from, options, host, undefined, redirect, ts.ModuleKind.ESNext)
    })
  const program = ts.createProgram(files, options, host)
  const found = program.getSourceFiles()
    .filter(({ fileName }) => files.includes(resolve(fileName)))
    .flatMap((file) => program.getSemanticDiagnostics(file))
  expect(ts.formatDiagnostics(found, host)).toBe("")
}, 120_000)
