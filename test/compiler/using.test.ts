/** `using` in generator functions. Not every Node that is supported has it; compiled, it works on all of them. */
import { expect, test } from "vitest"
import { runCompiled } from "./program.ts"

const head = `
  const log = []
  const resource = (name, fails) => ({ name, [Symbol.dispose]() { log.push("disposed " + this.name); if (fails) throw name } });
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
