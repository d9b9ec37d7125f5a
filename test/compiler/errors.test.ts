/** What cannot be compiled is an error that says where, and shows the source. */
import { compile, CompileError } from "effect-stackless/compiler"
import { describe, expect, test } from "vitest"

const errorOf = (source: string, options: Record<string, unknown> = {}): CompileError => {
  try {
    compile(source, { filename: "talk.mjs", ...options } as never)
  } catch (error) {
    expect(error).toBeInstanceOf(CompileError)
    return error as CompileError
  }
  throw new Error("it compiled")
}

describe("an error of the compiler", () => {
  test("has file, line, column and the line of the source", () => {
    const error = errorOf(`"use stackless"\n\nfunction* f() {\n\tyield eval("1")\n}`)
    expect(error).toMatchObject({ file: "talk.mjs", line: 4, column: 8 })
    expect(error.message).toContain("talk.mjs:4:8: direct eval")
    expect(error.excerpt).toBe(`  \tyield eval("1")\n  \t      ^`)
  })

  test("is in the place of a source that has types", () => {
    const error = errorOf(
      `"use stackless"\ninterface A {\n  x: number\n}\nfunction* f(a: A): Generator<A> {\n  yield eval("1")\n}`,
      { filename: "talk.ts" }
    )
    expect(error).toMatchObject({ line: 6, column: 9 })
  })

  test.each([
    ["a directive after a statement", `let x = 1; "use stackless"; function* f() {}`, 1, 12],
    ["a directive after a statement of a function", `function* f() { let x; "use stackless" }`, 1, 24],
    ["a directive in a block", `function* f() { { "use stackless" } }`, 1, 19],
    ["a directive in an async function", `async function f() { "use stackless" }`, 1, 22],
    ["a directive in an async generator function", `async function* f() { "use stackless" }`, 1, 23],
    ["a directive in a function without a generator", `function f() { "use stackless" }`, 1, 16],
    ["a directive in an arrow function without a generator", `const f = () => { "use stackless" }`, 1, 19],
    ["direct eval on top of a module", `"use stackless"; eval("1"); function* f() {}`, 1, 18],
    ["direct eval in a plain function", `"use stackless"; function f() { eval("1") } function* g() {}`, 1, 33],
    ["direct eval in what stands around", `function f() { eval("1"); function* g() { "use stackless" } }`, 1, 16],
    ["a suspension in a decorator", `"use stackless"; function* f() { class A { @(yield) m() {} } }`, 1, 44],
    ["a syntax error", `"use stackless"; function* f() { yield* }`, 1, 41],
    ["a name that is declared twice", `"use stackless"; function* f() { let a; let a }`, 1, 38]
  ])("%s", (_, source, line, column) => {
    expect(errorOf(source)).toMatchObject({ line, column })
  })

  test("`with`, of sloppy code", () => {
    expect(errorOf(`"use stackless"; function* f(o) { with (o) { yield x } }`, { filename: "talk.cjs" }))
      .toMatchObject({ line: 1, column: 35 })
  })

  test("says of a module that is loaded as CommonJS what to write into package.json", () => {
    for (const source of [`import "effect"`, `await 1`]) {
      for (const filename of ["talk.ts", "talk.js"]) {
        const error = errorOf(source, { filename, format: "commonjs" })
        expect(error).toMatchObject({ line: 1, column: 1 })
        expect(error.message).toContain(`write "type": "module" there`)
      }
    }
    expect(errorOf("await = =", { filename: "talk.ts", format: "commonjs" }).message).not.toContain("package.json")
  })

  test("an option that there is not, or of another type", () => {
    expect(errorOf("", { everything: true }).message).toContain(`no option "everything"`)
    expect(errorOf("", { all: 1 }).message).toContain(`"all" is true or false`)
    expect(errorOf("", { filename: undefined }).message).toContain("filename")
    expect(() => compile(1 as never, { filename: "talk.mjs" })).toThrow("the source as a string; got number")
  })
})

test("a module without the directive is not compiled", () => {
  expect(compile(`export function* f() { yield 1 }`, { filename: "talk.mjs" }).code).toContain("function*")
})

test("a directive in a function compiles that one and what is nested in it", () => {
  const { code } = compile(
    `function* a() {} function* b() { "use stackless"; function* c() { yield 1 } } function d() { "use stackless"; return function*() {} }`,
    { filename: "talk.mjs" }
  )
  expect(code.match(/function\s*\*/g)).toHaveLength(1)
})

test("with `all`, a module without a generator function may use direct eval as it likes", () => {
  const source = `export const f = (code) => [1].map((n) => () => eval(code + n))`
  expect(compile(source, { filename: "talk.mjs", all: true }).code).toBe(source)
  expect(() => compile(`"use stackless"; ${source}`, { filename: "talk.mjs" })).toThrow("direct eval")
})
