/** Frames that are preempted at the heads of their loops: they are as plain there as anywhere, and go on where they were. */
import { compile } from "effect-stackless/compiler"
import { frameInfo, fuel, PREEMPTED, RESUME } from "effect-stackless/frames"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { load } from "../compiler/module.ts"

const NEXT = 0
const THROW = 1
const RETURN = 2

let left = 0
beforeEach(() => void (left = fuel.left))
afterEach(() => void (fuel.left = left))

interface Frame extends Generator<unknown, any> {
  pc: number
  [RESUME](mode: number, value?: unknown): unknown
}

/** Resumes a frame with so much fuel. */
const resume = (frame: Frame, amount: number, mode = NEXT, value?: unknown): unknown => {
  fuel.left = amount
  return frame[RESUME](mode, value)
}

const make = (body: string): (...args: ReadonlyArray<unknown>) => Frame =>
  load(`"use stackless"\nexports.f = ${body}`).f

describe("a loop", () => {
  const counting = `function* (n) {
  let sum = 0
  for (let i = 0; i < n; i++) {
    sum += i
  }
  return sum
}`

  test("gives control back when its fuel is used up, and goes on from there", () => {
    const frame = make(counting)(10)
    expect(resume(frame, 3)).toBe(PREEMPTED)
    expect(frameInfo(frame)).toMatchObject({ line: 4, locals: { n: 10, i: 3, sum: 3 } })
    expect(frame.pc % 2).toBe(1)
    expect(resume(frame, 4)).toBe(PREEMPTED)
    expect(frameInfo(frame)!.locals).toMatchObject({ i: 7, sum: 21 })
    expect(frame.next()).toEqual({ value: 45, done: true })
  })

  test("takes one for each turn, and no more when it goes on", () => {
    const frame = make(counting)(10)
    resume(frame, 100)
    expect([frame.pc, fuel.left]).toEqual([-1, 100 - 11])
  })

  test("goes on in a copy of its frame", () => {
    const frame = make(counting)(10)
    resume(frame, 3)
    const copy = Object.assign(Object.create(Object.getPrototypeOf(frame)), JSON.parse(JSON.stringify(frame)))
    expect(copy.next()).toEqual({ value: 45, done: true })
    expect(frame.next()).toEqual({ value: 45, done: true })
  })

  test("throws an error there, which its own try statements see", () => {
    const f = make(`function* (log) {
  try {
    for (;;) {
      try {
        while (true) log.push("turn")
      } catch (error) {
        log.push(error)
      }
    }
  } finally {
    log.push("finally")
  }
}`)
    const log: Array<string> = []
    const frame = f(log)
    expect(resume(frame, 3)).toBe(PREEMPTED)
    expect(resume(frame, 3, THROW, "first")).toBe(PREEMPTED)
    expect(resume(frame, 3, RETURN, "the end")).not.toBe(PREEMPTED)
    expect(frame.pc).toBe(-1)
    expect(log).toEqual(["turn", "turn", "first", "turn", "turn", "finally"])
  })

  test("over what is iterated closes that when it is left there", () => {
    const log: Array<string> = []
    const endless = {
      [Symbol.iterator]: () => ({
        next: () => ({ value: log.push("next"), done: false }),
        return: () => (log.push("closed"), { value: undefined, done: true })
      })
    }
    const f = make(`function* (xs) { let sum = 0; for (const x of xs) sum += x }`)
    const frame = f(endless)
    expect(resume(frame, 2)).toBe(PREEMPTED)
    expect(resume(frame, 1)).toBe(PREEMPTED)
    fuel.left = 9
    expect(() => frame.throw(new Error("enough"))).toThrow("enough")
    expect(log).toEqual(["next", "next", "next", "closed"])
  })

  test("within loops goes on in the one that it was in", () => {
    const f = make(`function* (n, seen) {
  outer: for (let i = 0; i < n; i++) {
    let j = 0
    while (j < n) {
      if (j === 2) continue outer
      if (i === 3) break outer
      let k = 0
      do seen.push(i * 100 + j * 10 + k); while (++k < 2)
      j++
    }
  }
}`)
    const expected = [0, 1, 10, 11, 100, 101, 110, 111, 200, 201, 210, 211]
    for (const amount of [1, 2, 3, 5, 8]) {
      const seen: Array<number> = []
      const frame = f(5, seen)
      let times = 0
      while (resume(frame, amount) === PREEMPTED) times++
      expect(times).toBeGreaterThan(2)
      expect(seen).toEqual(expected)
    }
  })

  test("of a frame that is stepped by hand is not left", () => {
    const frame = make(counting)(100_000)
    fuel.left = 2
    expect(frame.next()).toEqual({ value: 4_999_950_000, done: true })
  })

  test("is what it was where the compiler is told so", () => {
    const source = `function* f(n) { for (;;) n++; for (const x of n) for (const y of x) n(y) }`
    const without = compile(source, { filename: "f.cjs", all: true, preempt: false }).code
    expect(without).not.toContain("fuel")
    expect(compile(source, { filename: "f.cjs", all: true }).code).toContain("fuel")
    expect(() => compile(source, { filename: "f.cjs", preempt: 1 as never })).toThrow(`"preempt" is true or false`)
  })
})

describe("a loop whose variables count", () => {
  // it is written twice: for integers, and for whatever they are when the frame goes on
  const bodies: Record<string, string> = {
    "leaves the integers": "let x = n; for (let i = 0; i < 9; i++) x = x * 3 + i; done(x)",
    "comes back to them": "let x = n; for (let i = 0; i < 9; i++) x = i === 4 ? 0.5 : x * 2 + i; done(x)",
    "gives a zero its sign": "let x = n; for (let i = 0; i < 9; i++) x = x * -1; done(1 / x)",
    "has a fraction": "let x = n + 0.5; for (let i = 0; i < 9; i++) x += i; done(x)",
    "makes a text": "let x = n; for (let i = 0; i < 9; i++) x = x + (i > 3 ? 'a' : 1); done(x)",
    "counts in a bigint":
      "let x = BigInt(Math.round(n)); for (let i = 0; i < 9; i++) x = x * x + 3n & 0xffffn; done(x)",
    "has no number at first": "let x; for (let i = 0; i < 9; i++) x = x + i; done(x)",
    "asks an object":
      "let x = { valueOf() { n++; return 7 } }, y = 0; for (let i = 0; i < 5; i++) y = y + x * 1; done([y, n])",
    "declares one in it":
      "let s = 0; for (let i = 0; i < 4; i++) { let j = i * n; for (; j < 9; j += 2) s = s + j }; done(s)",
    "declares one for all": "for (let i = 0; i < 4; i++) { if (i > n) { var j = i * 2 } }; done(j)",
    "declares one that is left out":
      "let s = 0; for (let i = 0; i < 9; i++) { if (i < 8) continue; const j = s - i; s = j }; done(s)",
    "goes beyond 32 bits": "let x = 2 ** 31 - 3; for (let i = 0; i < 9; i++) x++; done(x)",
    "goes below them": "let x = -(2 ** 31) + 3; for (let i = 0; i < 9; i++) x--; done(x)",
    "goes to its last number": "let x = 2 ** 53 - 2; for (let i = 0; i < 9; i++) x++; done(x)"
  }

  test.for(Object.entries(bodies))("%s", ([, body]) => {
    const text = `function* (n, done) { ${body} }`
    const native: (n: number, done: (value: unknown) => void) => Generator = new Function(`return ${text}`)()
    const compiled = make(text)
    for (const n of [0, 1, -3, 7, 2 ** 30, 0.3]) {
      let expected: unknown
      native(n, (value) => expected = value).next()
      for (const amount of [1, 2, 3, 5, 100]) {
        let got: unknown
        const frame = compiled(n, (value: unknown) => got = value)
        while (resume(frame, amount) === PREEMPTED);
        expect(got, `from ${n}, with fuel for ${amount}`).toEqual(expected)
      }
    }
  })
})
