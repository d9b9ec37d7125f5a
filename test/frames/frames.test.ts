/** Compiled frames: plain data that can be looked at, and generators to whoever steps them. */
import { frameInfo, functionInfo, idOf, lookup, register, scopeInfo } from "effect-stackless/frames"
import { describe, expect, test } from "vitest"
import { load } from "../compiler/module.ts"

const talk = () =>
  load(`"use stackless"
function* talk(name, n = 2) {
  const said = []
  for (let i = 0; i < n; i++) {
    try {
      said.push(yield \`\${name} \${i}\`)
    } finally {
      said.push("done")
    }
  }
  return said
}
function counter(start) {
  let count = start
  return () => ++count
}
exports.talk = talk
exports.counter = counter
exports.each = function*(xs) {
  let sum = 0
  for (const x of xs) sum += x * (yield x)
  return sum
}
`)

describe("a frame", () => {
  test("is an object with pc and the variables, and nothing else", () => {
    const frame = talk().talk("a")
    expect(frame.pc).toBe(0)
    frame.next()
    expect(frame.pc % 2).toBe(1)
    expect(JSON.parse(JSON.stringify(frame))).toMatchObject({ pc: 1, $name: "a", $n: 2, $said: [], $i: 0 })
    frame.next("x")
    expect(JSON.parse(JSON.stringify(frame))).toMatchObject({ $said: ["x", "done"], $i: 1 })
    frame.next("y")
    expect(frame.pc).toBe(-1)
  })

  test("goes on in a copy of it, with copies of what it holds", () => {
    const { each } = talk()
    const frame = each([1, 2, 3])
    frame.next()
    frame.next(10)
    const copy = Object.assign(Object.create(Object.getPrototypeOf(frame)), frame)
    for (const [key, value] of Object.entries(copy)) {
      if (typeof value === "object" && value !== null) {
        copy[key] = Object.assign(Object.create(Object.getPrototypeOf(value)), value)
      }
    }
    expect([frame.next(100), frame.next(1000)].at(-1)).toEqual({ value: 3210, done: true })
    expect([copy.next(5), copy.next(6)].at(-1)).toEqual({ value: 38, done: true })
  })

  test("says where it is, and what its variables are", () => {
    const frame = talk().talk("a")
    expect(frameInfo(frame)).toMatchObject({ file: "talk.cjs", line: 2, locals: { name: "a", n: 2 } })
    frame.next()
    frame.next("x")
    expect(frameInfo(frame)).toMatchObject({
      file: "talk.cjs",
      line: 6,
      column: 17,
      locals: { name: "a", n: 2, i: 1, said: ["x", "done"] },
      function: { name: "talk", kind: "generator" }
    })
    frame.return()
    expect(frameInfo(frame)).toMatchObject({ pc: -1, line: 0, locals: {} })
    expect(frameInfo((function*() {})())).toBeUndefined()
    expect(frameInfo(1)).toBeUndefined()
  })

  test("says what variables mean in the scope that it is in", () => {
    const { f } = load(
      `"use stackless"; exports.f = function*() { let x = 1; { let x = 2; const g = () => x; yield g } yield x }`
    )
    const frame = f()
    frame.next()
    expect(frameInfo(frame)!.locals["x"]).toBe(2)
    frame.next()
    expect(frameInfo(frame)!.locals["x"]).toBe(1)
  })
})

describe("a closure", () => {
  test("knows its function and its scope object, from which it can be made anew", () => {
    const count = talk().counter(5)
    count()
    const info = functionInfo(count)!
    expect(info.function).toMatchObject({ name: "counter.<anonymous>", kind: "arrow" })
    expect(lookup(idOf(info.function))).toBe(info.function)
    expect(scopeInfo(info.scope)!.fields).toEqual(["$count"])
    const again = info.function.make!(info.scope) as () => number
    expect([again(), count(), again()]).toEqual([7, 8, 9])
  })

  test("shows nothing of that to the program", () => {
    const count = talk().counter(5)
    expect(Reflect.ownKeys(count)).toEqual(["length", "name"])
  })

  test("is the function itself, where it stands on top of its module", () => {
    const { counter } = talk()
    expect(functionInfo(counter)).toMatchObject({ function: { name: "counter", value: counter }, scope: undefined })
    expect(functionInfo(() => 1)).toBeUndefined()
  })

  test("is known where it is declared in a block on top of its module", () => {
    const { made } = load(`"use stackless"; "use strict"
      function* g() {}
      exports.made = []
      for (const n of [1, 2]) { function f() { return 3 } exports.made.push(f) }`)
    expect(made.map((f: () => number) => f())).toEqual([3, 3])
    for (const f of made) expect(functionInfo(f)).toMatchObject({ function: { name: "f" }, scope: undefined })
  })

  test("has a hash that changes with its code, not with white space and comments", () => {
    const hash = (source: string) => functionInfo(load(`"use stackless"; ${source}`).f)!.function.hash
    const one = hash(`exports.f = function*(a) { yield a + 1 }`)
    expect(hash(`exports.f = function*(a) { /* more */ yield a +\n 1 }`)).toBe(one)
    expect(hash(`exports.f = function*(a) { yield a + 2 }`)).not.toBe(one)
    expect(hash(`exports.f = function*(a) { yield " " }`)).not.toBe(hash(`exports.f = function*(a) { yield "  " }`))
  })
})

describe("stepped by hand, a frame is a generator", () => {
  test("its function looks like a generator function", () => {
    const { talk: f } = talk()
    function* native() {}
    expect(Object.getPrototypeOf(f)).toBe(Object.getPrototypeOf(native))
    expect([f.name, f.length]).toEqual(["talk", 1])
    expect(Object.prototype.toString.call(f())).toBe("[object Generator]")
    expect(f() instanceof f).toBe(true)
    expect(() => Reflect.construct(f, [])).toThrow("talk is not a constructor")
  })

  test("it cannot be stepped while it runs", () => {
    const { f } = load(`"use stackless"; let it; exports.f = function*() { it = yield; it.next() }`)
    const frame = f()
    frame.next()
    expect(() => frame.next(frame)).toThrow("Generator is already running")
  })

  test("frames that delegate to frames are stepped flat: 20,000 deep", () => {
    const { f } = load(
      `"use stackless"; exports.f = function* f(n) { try { return n === 0 ? yield "deep" : 1 + (yield* f(n - 1)) } finally { exports.left++ } }; exports.left = 0`
    )
    const frame = f(20_000)
    expect(frame.next()).toEqual({ value: "deep", done: false })
    expect(frame.next(5)).toEqual({ value: 20_005, done: true })
    const another = f(20_000)
    another.next()
    expect(() => another.throw(new Error("up"))).toThrow("up")
    const last = f(20_000)
    last.next()
    expect(last.return(3)).toEqual({ value: 3, done: true })
  })
})

test("compiled code of another version says so when it is loaded", () => {
  expect(() => register({ format: 99, package: "p", module: "m.js", functions: [], scopes: [] })).toThrow(
    "p/m.js was compiled for format 99"
  )
})
