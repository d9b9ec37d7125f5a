/** Decorators and `accessor` fields: no engine has them yet, so what compiles them comes behind the compiler. */
import { compile } from "effect-stackless/compiler"
import { transformSync } from "esbuild"
import { runInContext } from "node:vm"
import { expect, test } from "vitest"
import { realm } from "./program.ts"

const head = `"use stackless"
  const log = []
  const decorate = (tag) => (value, { kind, name }) => {
    log.push([tag, kind, name])
    if (kind === "field") return (x) => typeof x === "number" ? x + 1 : x
    if (kind === "accessor") return { get() { return value.get.call(this) * 10 } }
    if (kind === "method") return function(...args) { return value.apply(this, args) }
    if (kind === "class") value.tag = tag
  }
`

const lowered = (code: string): any => JSON.parse(runInContext(transformSync(code, { target: "es2022" }).code, realm()))

const both = (body: string): { readonly native: unknown; readonly compiled: unknown } => {
  const source = `${head}${body}; JSON.stringify(log)`
  return { native: lowered(source), compiled: lowered(compile(source, { filename: "program.cjs" }).code) }
}

test("classes, fields and methods are decorated as they are without the compiler", () => {
  const { compiled, native } = both(`
    @decorate("class") class A { @decorate("field") x = 1; @decorate("method") m() { return () => this.x } @decorate("generator") *g() { yield this.x; yield* this.h() } *h() { yield "h" } @decorate("accessor") accessor a = 3; @decorate("static") static s = 4; up = () => this.x++; @decorate("getter") get y() { return this.x } }
    function* main() {
      const n = 2
      @decorate("in" + n) class B { @decorate("field" + n) x = n; @decorate("walk") *walk() { yield n; yield () => [this.x, n, B === this.constructor] } accessor z = () => n; static accessor w = n }
      const a = new A(), b = new B(), key = yield A.tag
      log.push(a.m()(), [...a.g()], a.a, A.s, a.up(), a.y, B.tag)
      const [first, second] = b.walk()
      log.push(first, second(), b.z(), B.w)
      class C extends A { @decorate("super") [key]() { return super.m() } accessor [yield "accessor"] = n }
      const c = new C()
      log.push(c[key]()(), c.q, Reflect.ownKeys(C.prototype).length)
    }
    const it = main(); log.push(it.next().value, it.next("key").value, it.next("q").done)`)
  expect(compiled).toEqual(native)
})

test("one decorator may give the same function for several methods, and another class", () => {
  const { compiled, native } = both(`
    function* other() { yield "other" }
    class Other { static is = "other" }
    const same = () => other
    @(() => Other) class A { @same *one() { yield 1 } @same *two() { yield 2 } three() { return "three" } }
    log.push(A.is, [...other()])
    class B { @same *one() {} @same *two() {} }
    log.push([...new B().one(), ...new B().two()])`)
  expect(compiled).toEqual(native)
})
