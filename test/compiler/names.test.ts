/** What compiled functions and classes are called, so that pickles find them. */
import { compile } from "effect-stackless/compiler"
import { functionInfo } from "effect-stackless/frames"
import { expect, test } from "vitest"
import { load } from "./module.ts"

test("a module without a generator function is compiled where the directive asks for it: its closures and classes are known", () => {
  const { A, Named, count } = load(
    `"use stackless"
    class A { static all = [] }
    const Named = class {}
    const count = () => { let n = 0; return () => ++n }
    Object.assign(exports, { A, Named, count })`,
    "classes.cjs"
  )
  expect(functionInfo(A)?.function).toMatchObject({ name: "A", kind: "class", line: 2, value: A })
  expect(functionInfo(Named)?.function).toMatchObject({ name: "Named", kind: "class" })
  expect([A.name, Named.name, Object.keys(A)]).toEqual(["A", "Named", ["all"]])
  expect(functionInfo(count())?.function).toMatchObject({ name: "count.<anonymous>", kind: "arrow" })
})

test("what a function or a loop makes many of has no name, nor has a class without one", () => {
  const { made } = load(
    `"use stackless"; const made = []; const f = () => class A {}; for (const _ of [1, 2]) made.push(class B {}); made.push(f(), class {}); exports.made = made; function* g() {}`,
    "many.cjs"
  )
  expect(made.map((Class: unknown) => functionInfo(Class))).toEqual([undefined, undefined, undefined, undefined])
})

test("methods have the names of their classes", () => {
  const { code } = compile(`"use stackless"; class A { *m() {} } class B { *m() {} static *n() {} }`, {
    filename: "talk.mjs"
  })
  expect([...code.matchAll(/name: "(.*?)"/g)].map(([, name]) => name)).toEqual(["A.m", "B.m", "B.n", "A", "B"])
})

test("private methods have their names, and a default class without one ends where it ended", () => {
  const { code } = compile(`"use stackless"; export default class { #m() {} *#g() {} } if (true) {}`, {
    filename: "talk.mjs"
  })
  expect([...code.matchAll(/name: "(.*?)"/g)].map(([, name]) => name)).toEqual(["default.#m", "default.#g", "default"])
  expect(code).toMatch(/\["default"\]; if \(true\)/)
})
