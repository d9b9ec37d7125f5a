/** The language in generator functions: each program gives compiled what it gives natively. */
import { describe, expect, test } from "vitest"
import { both } from "./program.ts"

/** Steps a generator with given values until it ends, and collects what it says. */
const steps = `
  const steps = (it, ...values) => {
    const said = []
    for (let i = 0; i < 50; i++) {
      let step = values[i]
      if (typeof step !== "object" || step === null || !("return" in step || "throw" in step)) step = { next: step }
      const [method, value] = Object.entries(step)[0]
      try {
        const result = it[method](value)
        said.push([result.value, result.done])
        if (result.done) break
      } catch (error) {
        said.push(String(error))
        break
      }
    }
    return said
  };
`

const programs: Record<string, string> = {
  "a loop with a binding for each iteration": `
    function* f() { const fs = []; for (let i = 0; i < 3; i++) { fs.push(() => i++); yield i } return fs.map((f) => f() + f()) }
    steps(f())`,
  "closures in the head of a loop": `
    function* f() { const fs = []; for (let i = 0, g = () => i; i < 2; i++) { fs.push(g, () => i); yield } return fs.map((f) => f()) }
    steps(f())`,
  "loops whose turns begin in the middle": `
    function* f(n) { let i = 0; do { if (i === 2) { i++; continue } yield i; if (i === 5) break } while (i++ < n); while (i-- > 0) { if (i % 2) continue; yield i } while (yield "t") yield "b"; for (;;) { if ((yield "inf") === "stop") break } for (let q = yield "init"; q < (yield "test"); q += yield "update") yield ["body", q]; l: do { for (;;) { yield 1; continue l } } while (yield "x"); return i }
    function* g() { for (let i = 0; i < 4; i++) { try { const x = yield i; if (x === "c") continue; if (x === "b") break } catch (e) { yield ["caught", e] } finally { yield ["f", i] } } }
    [steps(f(6)), steps(f(3), 0, 0, 0, 0, 0, 0, 0, true, 0, 0, 0, 0, "stop", 0, 2, 0, 1, 5), steps(g(), 0, { throw: 1 }, 0, 0, "c", 0, "b"), steps(g(), 0, { return: 2 })]`,
  "arrow functions of constructors and of fields": `
    function* f(n) {
      const A = class { a = 1; up = () => this.a += n; deep = () => () => [this.a, n]; ["k" + (yield "key")] = () => this.a; static s = () => this; static { this.t = () => [this === A2(), n] } constructor(p) { this.q = () => (n++, [this.a, p, n, new.target === A, arguments.length]); this.d = (x = () => this.a) => x() } }
      const A2 = () => A
      class B extends A { z = () => [super.w, this.a]; get w() { return "own" } constructor(...r) { const before = () => this; try { before() } catch (e) { n += e.constructor.name.length } const go = () => super(...r); if (r[0] === "none") return { none: () => r }; go(); this.r = () => [before() === this, r.length, super.up]; try { go() } catch (e) { this.twice = e.message } } }
      class C extends B { constructor(f = () => this.a, g = () => super(3)) { g(); this.h = [f(), (() => this)() === this] } }
      class D extends A { #p = 5; read = () => this.#p; constructor(x) { super(x); this.has = (o) => #p in o; this.set = (v) => this.#p = v + this.a } }
      const a = new A(2), b = new B(3, 4), c = new C(), d = new D(6)
      const calls = [a.up(), a.deep()(), a.kx(), A.s() === A, A.t(), a.q(), a.d(), b.z(), b.r().slice(0, 2), b.twice, b.q(), new B("none").none(), c.h, d.read(), d.has(d), d.has({}), d.set(1), d.read(), d.up()]
      yield calls
      try { new (class extends A { constructor() { const g = () => this.a; g() } }) } catch (e) { yield String(e) }
      class E extends A { constructor() { const later = () => this.a; super(); later.ok = later(); this.later = later; return { later } } }
      return [new E().later(), a.up.name, a.deep.name, a.kx.name, A.s.name]
    }
    steps(f(10), 0, "x")`,
  "generator functions among the parameters of one another": `
    function* f(b = function*(c = function*(d = () => [typeof d, typeof e]) { yield d(); yield* e() }) { yield* c() }, e = function*() { yield typeof b }) { yield* b(); yield typeof e }
    class A { *m(a = function*() { yield* a2() }, a2 = function*() { yield typeof this }) { yield* a() } static *s(q = super.toString, w = () => this === A, f = function*() { yield w() }) { yield typeof q; yield* f() } }
    [steps(f()), steps(new A().m()), steps(A.s())]`,
  "functions in a class, in sloppy code": `
    class A { static f(x = function*() { yield typeof this }) { let n = 0; const h = function(a = 1) { n++; return typeof this }; return [...x(), ...(function*(z) { yield typeof this })(), h(), n] } static g = function*() { yield typeof this } }
    const { g } = A
    function* f() { class B { static f() { return [...(function*() { yield typeof this })()] } [yield 1]() {} } return B.f() }
    [A.f(), [...g()], steps(f())]`,
  "new of what becomes a call": `
    function* f() { const before = () => { const a = new K(1); const b = new o.K(2); return [a.x, b.x] }; const n = yield 1; class K { constructor(x) { this.x = x } } const o = { K }; const g = () => new function(x) { this.x = () => [x, n] }(6).x(); const c = new class { p() { return n } }; const d = new class extends K { p() { return n } }(7); return [before(), g(), c.p(), d.p(), d.x, new o.K(yield 2).x, new (0, o.K)(3).x] }
    steps(f(), 0, 5, 8)`,
  "a getter and a setter of a literal that suspends": `
    function* f() { const o = { set x(v) { this.y = v }, z: yield 1, get x() { return this.y }, get ["a" + (yield 2)]() { return 5 }, set a1(v) { this.y++ }, b: 1, get b() { return 3 } }; o.x = 3; o.a1 = 1; return [o.x, o.a1, o.b, Object.keys(o)] }
    steps(f(), 0, 2, 1)`,
  "frames with another prototype": `
    function* f() { yield 1; yield* g() }
    function* g() { yield 2 }
    function* h() { yield 3 }
    f.prototype = { q: 1, __proto__: Object.getPrototypeOf(f.prototype) }
    const it = f()
    const said = [it.q, Object.getPrototypeOf(it) === f.prototype, [...it]]
    g.prototype = h.prototype
    const other = [[...g()], [...h()], g() instanceof h]
    h.prototype = { next: () => 7 }
    ;[said, other, h().next(), h()[Symbol.iterator] === undefined]`,
  "finally that yields, and overrides a return": `
    function* f() { try { return yield 1 } finally { if (yield "finally") return "over" } }
    [steps(f(), 0, { return: 5 }, 0), steps(f(), 0, { return: 5 }, 1), steps(f(), 0, { throw: 6 }, 0), steps(f(), 0, 3, 0)]`,
  "finally that is left by a break to a label": `
    function* f() { out: for (let i = 0; i < 3; i++) { try { if (i === 1) throw 1; yield i } finally { if (yield "f") break out; continue } } return "end" }
    [steps(f(), 0, 0, 1), steps(f(), 0, 0, 0, 0, 0, 0), steps(f(), 0, { return: 1 }, 0, 0, { throw: 2 }, 0)]`,
  "finally whose own return is given up again": `
    function* f() { do { try { return 42 } finally { do { try { return 43 } finally { break } } while (false) } } while (false) }
    function* g() { for (const x of [1, 2]) { try { return x } finally { if (x === 1) continue } } }
    function* h() { yield 0; out: { try { throw 1 } finally { break out } } return "end" }
    [steps(f()), steps(g()), steps(h())]`,
  "jumps through several finally blocks and iterations": `
    const log = []
    const it = (name) => ({ i: 0, [Symbol.iterator]() { return this }, next() { return { value: this.i++, done: this.i > 3 } }, return() { log.push("closed " + name); return {} } })
    function* f() { a: for (const x of it("x")) { try { for (const y of it("y")) { try { if (y === 1) continue a; if (x === 2) break a; yield [x, y] } finally { log.push(yield "f") } } } finally { log.push("g") } } return log }
    steps(f(), 0, 1, 2, 3, 4, 5, 6)`,
  "jumps out of what does not suspend: finally first, then the iterations are closed": `
    const log = []
    function* it(n) { try { yield 1; yield 2 } finally { log.push("close " + n) } }
    function* a() { for (const x of it("a")) { try { if (x) break } finally { log.push("finally a") } } log.push("after a") }
    function* b() { for (const x of it("b")) { try { return 5 } finally { log.push("finally b") } } }
    function* c() { o: for (const x of it("c1")) { yield x; for (const y of it("c2")) { if (y) break o } } }
    function* d() { for (const x of it("d")) { yield x; try { continue } finally { log.push("finally d") } } }
    function* e() { try { yield 0; for (const y of it("e")) { try { return 7 } finally { log.push("e1") } } } finally { log.push("e2"); yield "e3" } }
    function* f() { l: for (const x of it("f")) { yield 1; try { break l } finally { continue l } } }
    const said = [a, b, c, d, e, f].map((g) => steps(g(), 0, 0, 0, 0))
    ;[log, said]`,
  "an error of a finally that a jump goes through is caught where it stands": `
    const log = []
    function* it(n) { try { yield 1; yield 2 } finally { log.push("close " + n) } }
    function* a() { try { yield 0; try { return 1 } finally { throw new Error("A") } } catch (e) { log.push("caught " + e.message) } return "a" }
    function* b() { for (const x of it("b")) { yield 1; try { break } finally { throw new Error("B") } } }
    function* c() { try { for (const x of it("c")) { yield 1; try { return 8 } finally { if (x) throw new Error("C") } } } catch (e) { log.push("caught " + e.message) } }
    const said = [a, b, c].map((g) => steps(g(), 0, 0, 0))
    ;[log, said]`,
  "for…of over parts of collections": `
    function* f(c, part) { try { return yield* all(c, part) } catch (error) { return error.name } }
    function* all(c, part) { const said = []; if (part === "e") for (const x of c.entries()) said.push(x, yield); else if (part === "k") for (const x of c.keys()) said.push(x, yield); else for (const x of c.values()) said.push(x, yield); return said }
    function* g(c) { const said = []; for (const [i, x] of c.entries()) { if (i === 1) { c.push(9); said.push(yield x) } if (i > 5) break } return [said, c] }
    const own = { entries: () => [1, 2], *keys() { try { yield 1; yield 2 } finally { log.push("closed") } }, values: 5 }
    const log = []
    const array = [4, , 6]
    const patched = Object.assign([1], { entries() { return [["own", this.length]] } })
    ;[..."ekv"].map((part) => [[4, , 6], new Map([["a", 1], ["b", 2]]), new Set([7, 8]), new Uint8Array([1, 2]), own, patched, undefined, 5].map((c) => steps(f(c, part)))).concat([steps(g(array)), steps(f(own, "k"), 0, { return: 1 }), log, array])`,
  "bound functions": `
    const o = { n: 1, f(...xs) { return [this?.n, ...xs] } }
    function* f(g) { const h = o.f.bind(o, 1); const own = { bind: (...xs) => xs.join() }; return [h(2), h.bind(5, 3)(4), h.name, h.length, (() => { "use strict"; return this }).bind(3)() === undefined, own.bind(1, 2), o.f.bind(...[o, yield 1])(9), g?.bind(1)(), new (function() { this.x = 5 }.bind(null))().x, "prototype" in h] }
    steps(f(), 0, 7)`,
  "async functions whose variables are captured, of each kind": `
    function* g() {}
    const ends = []
    class A { async m(x) { return () => x } static async n(x) { return () => x } async #p(x) { return () => x } async *q(x) { yield () => x } p(x) { return this.#p(x) } }
    const o = { async m(x) { return () => x }, async *q(x) { yield () => x }, async [1 + 1](x) { return () => x }, a: async (x) => () => x, f: async function(x) { return () => x } }
    const all = [new A().m, A.n, A.prototype.p, A.prototype.q, o.m, o.q, o[2], o.a, o.f]
    all.map((f) => [f.name, f.constructor.name, f.length, typeof new A().p(1).then, typeof new A().m(1).then, typeof o.m(2).then, typeof o[2](3).then, typeof o.q(1).next])`,
  "operands around suspensions": `
    let n = 0
    const o = { get a() { n++; return { b: (...xs) => xs.join() } } }
    function* f(x) { return [x + (yield 1) * x++, o.a.b(x, yield 2, n), \`\${n}-\${yield 3}-\${n++}\`, [x, ...(yield 4), x], { x, [yield 5]: n, ...(yield 6) }, n] }
    steps(f(3), 0, 7, "b", "c", [8, 9], "k", { z: 1 })`,
  "optional chains": `
    function* f(o) { return [o?.a?.[yield 1]?.(yield 2), o.f?.(yield 3), o?.a.k(yield 4), delete o?.a[yield 5], o.q?.[yield 6].x] }
    steps(f({ a: { k: (x) => "k" + x } }), 0, "k", "z", "y", "w")`,
  "short circuits and conditions": `
    function* f() { let a = null; a ??= yield 1; a &&= yield 2; a ||= yield 3; return [(yield 4) && (yield 5), (yield 6) || (yield 7), (yield 8) ?? (yield 9), (yield 10) ? yield 11 : yield 12, a] }
    [steps(f(), 0, 1, 0, 2, 1, 2, 0, 3, null, 4, 1, 5), steps(f(), 0, 0, 0, 2, 0, 1, 1, 0, 6)]`,
  "assignments to members": `
    const log = []
    const o = new Proxy({}, { get: (_, k) => (log.push("get " + String(k)), 1), set: (_, k, v) => (log.push("set " + String(k) + " " + v), true) })
    function* f() { o.a = yield 1; o[yield 2] = yield 3; o.b += yield 4; o[yield 5] ??= yield 6; o[yield 7]++; [o.c, o[yield 8]] = yield 9; return log }
    steps(f(), 0, 1, "k", 3, 4, "l", "m", "n", [1, 2])`,
  "patterns": `
    function* f() { const { a = yield 1, [yield 2]: c, ...r } = yield 0; const [x, , y = yield 3, ...z] = [1, 2, undefined, 4, 5]; let q; ({ q = yield 4 } = {}); for (const { k = yield 5 } of [{}, { k: 2 }]) r[k] = 1; return { a, c, r, x, y, z, q } }
    steps(f(), 0, { k: 7, q: 8, w: 9 }, "A", "k", "Y", "Q", "K")`,
  "patterns close their iterators": `
    const log = []
    const it = () => ({ [Symbol.iterator]() { return this }, next() { log.push("next"); return { done: false } }, return() { log.push("return"); return {} } })
    function* f() { const [a = yield 1, b] = it(); return a }
    [steps(f(), 0, 5), steps(f(), 0, { return: 3 }), steps(f(), 0, { throw: 4 }), log]`,
  "switch": `
    function* f() { switch (yield "d") { case yield 1: yield "one"; case 2: let q = yield "two"; return q; default: yield "default" } }
    [steps(f(), 0, 7, 7, 0, 8), steps(f(), 0, 2, 0, 9), steps(f(), 0, 5)]`,
  "accessors of literals that suspend, with what they capture": `
    function* f(a) { { const b = [a]; const o = { get x() { return [a, b, super.toString === Object.prototype.toString] }, y: yield 1 }; b.push(2); return [o.x, o.y] } }
    steps(f(5), 0, 7)`,
  "classes": `
    function* f() { class A extends (yield 1) { [yield 2]() { return [super.m(), A.s, this.#p] } static s = 5; #p = 3; *g(x) { this.#p += yield x; this.#p++; return [this.#p, super.m()] } } return [new A().k(), [...new A().g(4)], steps(new A().g(0), 0, 10)] }
    steps(f(), 0, class { m() { return "m" } }, "k")`,
  "super, this and arguments": `
    class A { m(...xs) { return [this.n, ...xs] } }
    class B extends A { n = 1; *g(a) { const f = () => super.m(a, arguments.length, this.n); yield f(); return super.m(yield 2) } static *s() { return typeof super.m } }
    const o = { __proto__: { h() { return "h" + this.z } }, z: 9, *g() { return super.h() + (yield this.z) } };
    [steps(new B().g(5, 6), 0, 0, 7), steps(B.s()), steps(o.g(), 0, 1)]`,
  "uninitialized variables": `
    function* f() { const seen = []; for (let i = 0; i < 2; i++) { try { x } catch (e) { seen.push(e.message) } let x = yield i; seen.push((() => x)()) } try { y = 1 } catch (e) { seen.push(e.message) } const y = yield; try { y = 2 } catch (e) { seen.push(e.message) } return seen }
    steps(f(), 0, 5, 6, 7)`,
  "delegation": `
    function* g() { try { return yield* [1, yield 2] } catch (e) { return "caught " + e } finally { yield "f" } }
    function* f() { return [yield* g(), yield* "ab", yield* { [Symbol.iterator]: () => ({ next: (v) => ({ value: v, done: v === 3 }) }) }] }
    [steps(f(), 0, 1, 2, 3, 4, 5, 6, 3), steps(f(), 0, 1, { throw: 7 }, 0), steps(f(), { return: 1 }), steps(f(), 0, { return: 1 }, 0)]`,
  "recursion through itself": `
    const f = function* fact(n) { return n <= 1 ? 1 : n * (yield* fact(n - 1)) };
    [f.name, f.length, steps(f(10))]`,
  "default parameters that capture": `
    function* f(a, b = () => a++, { c = a } = {}, ...d) { a += 10; yield b(); return [a, c, d, f.length] }
    [steps(f(1)), steps(f(1, undefined, {}, 4, 5)), f.length]`,
  "functions in blocks, of sloppy code": `
    function* f() { const a = typeof g; { function g() { return 1 } yield g() } return [a, g(), delete a, typeof h] }
    steps(f())`,
  "for...in": `
    function* f(o) { const seen = []; for (const k in o) { seen.push(k, yield k); delete o.c } for (var v in { z: 1 }) yield v; return [seen, v] }
    steps(f({ a: 1, b: 2, c: 3 }), 0, 1, 2)`,
  "tagged templates": `
    const tag = (s, ...v) => [s.raw.join(), s.length, Object.isFrozen(s), ...v], seen = new Set()
    function* f() { for (let i = 0; i < 2; i++) seen.add(((s) => s)\`a\${yield tag\`x\${yield i}y\\n\`}b\`); return seen.size }
    steps(f(), 0, 1, 2, 3, 4)`,
  "optional chains to private names": `
    class A {
      #x = { y: 1, z: { w: 2 }, m() { return this.y } }
      #n = null
      get #self() { return this }
      #m(...args) { return [this instanceof A, ...args] }
      *read(o) {
        const t = (s, ...v) => v, key = "y"
        yield [o?.#x.y, o?.#x?.[key], o?.#x.m(), o?.#x["m"]?.(), o?.#n?.y.z, o?.#m(1, ...[2, 3]), o?.#m?.(4), (o?.#m)?.(5), o?.#self.#x.z?.w]
        yield [o?.#self.#self?.#x.y, o.a?.#x.y, o.a?.b.c.#m(), (() => o?.#x.y)(), delete o?.#x.z, delete o?.#x.m(), o?.#x.z, typeof o?.#n]
        yield [(o?.#m)(6), [o?.#self.#n] + "", #x in (o?.#self ?? {}), o?.#x.y + (o?.#x.y ?? 9) * 2]
      }
      *nothing(o) {
        const log = []
        yield [o?.#x, o?.#x.y.z(log.push(1)), o?.#m(log.push(2)), o?.a.b.#x, delete o?.#x.y, o?.a[log.push(3)].#m(), log.length]
        for (const f of [() => (o?.#m)(log.push(4)), () => ({ a: null })?.a.#x, () => ({})?.#x, () => o?.#x.y.z, () => this?.#n.y, () => this?.#n(log.push(5))])
          try { yield f() } catch (e) { yield [e instanceof TypeError, log.length] }
      }
      *suspends(o) {
        yield [(yield 1)?.#x.y, o?.#x[yield 2], o?.#m(yield 3, o?.#x.y), o?.#x?.m?.(yield 4), (o?.#m)(yield 5), (yield 6)?.#n, delete o?.#x[yield 7], delete o?.#m(yield 8)]
        const template = (s, ...v) => v
        return [(o?.#x.m)\`\${yield 9}\`, (o?.#m)\`\${1}\`.slice(0, 1), (o?.#m)\`\${yield 10}\`.slice(2)]
      }
    }
    const a = new A()
    ;[steps(a.read(a)), steps(a.nothing()), steps(a.nothing(null)), steps(a.suspends(a), 0, a, "y", 3, 4, 5, a, "z", 8, 9, 10)]`,
  "calls of what an optional chain in parentheses gives": `
    function* f(o) { return [(o?.m)(yield 1), (o?.["m"])(2), (o?.n.m)(yield 3), delete o?.m(yield 4), delete o?.n[yield 5], (o?.m)\`\${yield 6}\`] }
    function m(...args) { return [this.name, ...args.slice(-1)] }
    steps(f({ name: "o", m, n: { name: "n", m } }), 0, 1, 2, 3, "m", 5)`
}

describe("a generator function does compiled what it does natively", () => {
  test.each(Object.entries(programs))("%s", (_, source) => {
    const { compiled, native } = both(steps + source)
    expect(native).not.toMatch(/^threw/)
    expect(compiled).toBe(native)
  })
})
