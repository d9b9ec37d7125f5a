/** `node --import effect-stackless/register`: what a program loads is compiled as it is loaded. */
import { afterAll, beforeAll, expect, test } from "vitest"
import { buildPackage, Project } from "../project.ts"

let project: Project

/** A generator function, and the expression that tells whether it was compiled. */
const body = "function* body() { yield 1 }"
const compiled = `"pc" in body()`

beforeAll(() => {
  buildPackage()
  project = new Project({
    "module.js": `"use stackless"
${body}
export const value = ${compiled}
`,
    "plain.js": `${body}
export const value = ${compiled}
`,
    "typed.ts": `"use stackless"
interface Value { readonly is: boolean }
function* body(): Generator<number> { yield 1 }
const value: Value = { is: ${compiled} }
export const { is } = value
`,
    "plain.ts": `export const value: string = "without a type"
`,
    "required.cjs": `"use stackless"
${body}
exports.value = ${compiled}
`,
    "requires.cjs": `exports.value = require("./required.cjs").value
`,
    "typed.cts": `"use stackless"
function* body(): Generator<number> { yield 1 }
exports.value = ${compiled} && require("./requires.cjs").value
`,
    "commonjs/package.json": `{ "type": "commonjs" }`,
    "commonjs/file.js": `"use stackless"
${body}
exports.value = ${compiled}
`,
    "commonjs/typed.ts": `"use stackless"
function* body(): Generator<number> { yield 1 }
exports.value = ${compiled} as boolean
`,
    "neither/package.json": "{}",
    "neither/module.ts": `"use stackless"
function* body(): Generator<number> { yield 1 }
export const value = ${compiled}
`,
    "neither/commonjs.ts": `"use stackless"
function* body(): Generator<number> { yield 1 }
exports.value = ${compiled} as boolean
`,
    "requires-modules.cjs": `"use stackless"
const { tasklet } = require("effect-stackless/stackless")
console.log(typeof tasklet, require("./module.js").value)
`,
    "worker.ts": `"use stackless"
import { parentPort } from "node:worker_threads"
function* body(): Generator<number> { yield 1 }
parentPort!.postMessage(${compiled})
`,
    "starts-worker.js": `import { Worker } from "node:worker_threads"
new Worker(new URL("./worker.ts", import.meta.url)).on("message", (value) => console.log(value))
`,
    "circle/first.js": `"use stackless"
import { early, started } from "./second.js"
export function* numbers(n = 2) { for (let i = 0; i < n; i++) yield ((strings) => strings[1] + i)\`a\${yield i}b\` }
export function makes(n) { return function*() { yield n } }
export default function*() { yield* makes(4)() }
console.log(JSON.stringify({ early, late: [[...numbers()], "pc" in numbers(), [...started]] }))
`,
    "circle/second.js": `"use stackless"
import four, { makes, numbers } from "./first.js"
export const started = numbers(1)
export const early = [[...numbers()], [...makes(3)()], [...four()], "pc" in started, started instanceof numbers, started.next()]
`,
    "throws.ts": `"use stackless"

interface Reason { readonly why: string }

function* fails({ why }: Reason): Generator<number> {
  yield 1

  throw new Error(why)
}

for (const n of fails({ why: "lost" })) console.log(n)
`,
    "throws.cjs": `"use stackless"


function* fails() {
  throw new Error("lost")
}
for (const n of fails()) console.log(n)
`,
    "wrong.ts": `"use stackless"

export function* body(code: string): Generator<number> {
  yield eval(code)
}
`,
    "wrong.cjs": `"use stackless"
exports.body = function*(code) {
  yield eval(code)
}
`,
    "tasklets.ts": `"use stackless"
import { Effect } from "effect"
import * as stackless from "effect-stackless/stackless"

const channel = stackless.channel<string>()

stackless.tasklet(function*(text: string) {
  yield* channel.send(text)
})("hello")
stackless.tasklet(function*() {
  console.log(yield* channel.receive())
})()
await Effect.runPromise(stackless.run())
`
  })
}, 120_000)
afterAll(() => project.remove())

const run = (...args: Array<string>) => {
  const { status, stderr, stdout } = project.node("--import", "effect-stackless/register", ...args)
  return { status, stderr, stdout }
}

/** What expressions are, in a module. */
const evaluated = (expressions: Readonly<Record<string, string>>): unknown => {
  const entries = Object.entries(expressions).map(([name, code]) => `${JSON.stringify(name)}: ${code}`)
  project.write({
    "evaluates.js": `import { createRequire } from "node:module"
const require = createRequire(import.meta.url)
console.log(JSON.stringify({ ${entries.join(",\n")} }))
`
  })
  const { stderr, stdout } = run("evaluates.js")
  expect(stderr).toBe("")
  return JSON.parse(stdout)
}

test("of modules in a circle, functions can be called before their module has begun to run", () => {
  const { stderr, stdout } = run("circle/first.js")
  expect(stderr).toBe("")
  expect(JSON.parse(stdout)).toEqual({
    early: [[0, "b0", 1, "b1"], [3], [4], true, true, { value: 0, done: false }],
    late: [[0, "b0", 1, "b1"], true, ["b0"]]
  })
})

test("modules and CommonJS are compiled when they are imported", () => {
  const imported = (file: string, name: string) => `(await import("./${file}")).${name}`
  expect(evaluated({
    "a module": imported("module.js", "value"),
    "a module of TypeScript": imported("typed.ts", "is"),
    "CommonJS": imported("required.cjs", "default.value"),
    "CommonJS by its package.json": imported("commonjs/file.js", "default.value"),
    "CommonJS of TypeScript": imported("typed.cts", "default.value"),
    "CommonJS of TypeScript by its package.json": imported("commonjs/typed.ts", "default.value"),
    "TypeScript that is a module by what stands in it": imported("neither/module.ts", "value"),
    "TypeScript that is CommonJS by what stands in it": imported("neither/commonjs.ts", "default.value")
  })).toEqual({
    "a module": true,
    "a module of TypeScript": true,
    "CommonJS": true,
    "CommonJS by its package.json": true,
    "CommonJS of TypeScript": true,
    "CommonJS of TypeScript by its package.json": true,
    "TypeScript that is a module by what stands in it": true,
    "TypeScript that is CommonJS by what stands in it": true
  })
})

test("modules and CommonJS are compiled when they are required", () => {
  const required = (file: string, name: string) => `require("./${file}").${name}`
  expect(evaluated({
    "CommonJS": required("required.cjs", "value"),
    "CommonJS, by CommonJS that is not compiled itself": required("requires.cjs", "value"),
    "CommonJS by its package.json": required("commonjs/file.js", "value"),
    "CommonJS of TypeScript": required("typed.cts", "value"),
    "CommonJS of TypeScript by its package.json": required("commonjs/typed.ts", "value"),
    "a module": required("module.js", "value"),
    "a module of TypeScript": required("typed.ts", "is"),
    "TypeScript that is a module by what stands in it": required("neither/module.ts", "value"),
    "TypeScript that is CommonJS by what stands in it": required("neither/commonjs.ts", "value")
  })).toEqual({
    "CommonJS": true,
    "CommonJS, by CommonJS that is not compiled itself": true,
    "CommonJS by its package.json": true,
    "CommonJS of TypeScript": true,
    "CommonJS of TypeScript by its package.json": true,
    "a module": true,
    "a module of TypeScript": true,
    "TypeScript that is a module by what stands in it": true,
    "TypeScript that is CommonJS by what stands in it": true
  })
})

test("a file that does not say so is left alone, but for its types", () => {
  expect(evaluated({
    js: `(await import("./plain.js")).value`,
    ts: `(await import("./plain.ts")).value`
  })).toEqual({ js: false, ts: "without a type" })
})

test("the program itself is compiled, whatever it is", () => {
  for (const file of ["required.cjs", "typed.cts", "module.js", "typed.ts", "tasklets.ts"]) {
    const { status, stderr } = run(file)
    expect([file, status, stderr]).toEqual([file, 0, ""])
  }
  expect(run("tasklets.ts").stdout).toBe("hello\n")
  expect(run("requires-modules.cjs")).toEqual({ status: 0, stderr: "", stdout: "function true\n" })
})

test("a worker thread compiles what it loads", () => {
  expect(run("starts-worker.js")).toEqual({ status: 0, stderr: "", stdout: "true\n" })
})

test("a stack trace leads to the source", () => {
  expect(run("throws.ts").stderr).toMatch(/throws\.ts:8:\d+[^]*throws\.ts:11:\d+/)
  expect(run("throws.cjs").stderr).toMatch(/throws\.cjs:5:\d+[^]*throws\.cjs:7:\d+/)
})

test("what cannot be compiled is an error that says where it stands", () => {
  expect(run("wrong.ts")).toMatchObject({ status: 1, stderr: expect.stringMatching(/wrong\.ts:4:9: /) })
  expect(run("wrong.cjs")).toMatchObject({ status: 1, stderr: expect.stringMatching(/wrong\.cjs:3:9: /) })
})
