/** `using` in generator functions. Not every Node that is supported has it; compiled, it works on all of them. */
import { compile } from "effect-stackless/compiler"
import { transformSync } from "esbuild"
import { runInContext } from "node:vm"
import { describe, expect, test } from "vitest"
import { realm, runCompiled } from "./program.ts"

const head = `
  const log = []
  const resource = (name, fails) => ({ name, [Symbol.dispose ?? Symbol.for("Symbol.dispose")]() { log.push("disposed " + this.name); if (fails) throw name } });
`

const run = (body: string): any => JSON.parse(JSON.stringify(runCompiled(head + body)))

test("what a block uses is disposed of when it is left, the last first", () => {
  expect(run(`
    function* f() { { using a = resource("a"), none = null, b = resource(yield "first"); log.push(yield a.name + b.name) } log.push("after") }
    const it = f(); it.next(); it.next("b"); it.next("in"); log
  `)).toEqual(["in", "disposed b", "disposed a", "after"])
})

test("also by a return, an error and a jump", () => {
  expect(run(`
    function* f() { for (let i = 0; i < 9; i++) { using a = resource("a" + i); if (i === 0) continue; if (i === 1) { yield; break } } using b = resource("b"); yield; return "end" }
    const one = f(); one.next(); one.next(); log.push(one.return("early").value)
    const two = f(); two.next(); two.next(); try { two.throw("error") } catch (e) { log.push(e) }
    log
  `)).toEqual([
    "disposed a0",
    "disposed a1",
    "disposed b",
    "early",
    "disposed a0",
    "disposed a1",
    "disposed b",
    "error"
  ])
})

test("an error of it comes on top of the one that there was", () => {
  expect(run(`
    function* f() { using a = resource("a", true); using b = resource("b", true); yield; throw "first" }
    const it = f(); it.next(); try { it.next() } catch (e) { log.push([e.name, e.error, e.suppressed.error, e.suppressed.suppressed]) }
    log
  `)).toEqual(["disposed b", "disposed a", ["SuppressedError", "a", "b", "first"]])
})

test("in the head of a loop", () => {
  expect(run(`
    function* f() { for (using a of [resource("a"), resource("b")]) log.push(yield a.name); for (using c = resource("c"); log.length < 7;) log.push(yield c.name) }
    const it = f(); for (let i = 0; i < 6; i++) it.next(i); log
  `)).toEqual([1, "disposed a", 2, "disposed b", 3, 4, 5, "disposed c"])
})

test("what cannot be disposed of is an error", () => {
  expect(run(`
    function* f() { try { using a = yield } catch (e) { log.push(e.constructor.name) } }
    for (const value of [1, {}]) { const it = f(); it.next(); it.next(value) } log
  `)).toEqual(["TypeError", "TypeError"])
})

describe("where nothing suspends, the language disposes of what a closure captures", () => {
  /** What it leaves to the language, esbuild writes for a Node that has no `using`. */
  const lowered = async (body: string): Promise<any> => {
    const source = `"use stackless"
      const log = []
      const { dispose, asyncDispose } = Symbol
      const resource = (name) => ({ name, [dispose]() { log.push("disposed " + name) }, async [asyncDispose]() { log.push("awaited " + name) } })
      ;(async () => { ${body}; return JSON.stringify(log) })()`
    const { code } = compile(source, { filename: "program.cjs" })
    const context = realm()
    runInContext(`Symbol.dispose ??= Symbol("dispose"); Symbol.asyncDispose ??= Symbol("asyncDispose")`, context)
    return JSON.parse(await runInContext(transformSync(code, { supported: { using: false } }).code, context))
  }

  test("in functions, arrow functions, methods and static blocks", async () => {
    expect(
      await lowered(`
        function f() { using a = resource("f"); { using b = resource("b"), c = resource(b.name + "c"); log.push((() => b.name + c.name)()) } return () => a }
        const g = () => { using a = resource("g"); return () => a.name }
        class A { static { using s = resource("s"); log.push((() => s.name)()) } m() { using m = resource("m"); return () => [m, this] } }
        f(); log.push(g()()); new A().m()`)
    ).toEqual(["s", "disposed s", "bbc", "disposed bc", "disposed b", "disposed f", "disposed g", "g", "disposed m"])
  })

  test("in the heads of loops, with labels", async () => {
    expect(
      await lowered(`
        let n = 0
        one: for (using a = resource("a"), b = resource((() => a.name)() + "b"); n < 3; n++) { const g = () => a.name + b.name; log.push(g()); if (n === 0) continue one; try { break one } finally { log.push("finally") } }
        two: for (using c of [resource("c"), resource("d"), resource("e")]) { const g = () => c.name; if (g() === "c") continue two; log.push(g()); break two }`)
    ).toEqual([
      "aab",
      "aab",
      "finally",
      "disposed ab",
      "disposed a",
      "disposed c",
      "d",
      "disposed d"
    ])
  })

  test("in asynchronous functions, which wait for it", async () => {
    expect(
      await lowered(`
        async function f() { await using a = resource("a"); using b = resource("b"); await null; for (await using c of [resource("c")]) log.push((() => c.name)()); for (await using d = resource("d"); ;) { log.push((() => d.name)()); break } return () => [a, b] }
        async function* g() { using a = resource("g"); for await (const x of [1]) { await using y = resource("y"); yield () => [a, x, y.name] } }
        await f(); for await (const h of g()) log.push(h()[2])`)
    ).toEqual(["c", "awaited c", "d", "awaited d", "disposed b", "awaited a", "y", "awaited y", "disposed g"])
  })

  test("in a generator, between its suspensions", async () => {
    expect(
      await lowered(`
        function* f() { { using a = resource("a"); log.push((() => a.name)()) } for (using b of [resource("b")]) { log.push((() => b.name)()) } yield; for (using c = resource("c"); ;) { log.push((() => c.name)()); break } }
        const it = f(); it.next(); log.push("between"); it.next()`)
    ).toEqual(["a", "disposed a", "b", "disposed b", "between", "c", "disposed c"])
  })
})
