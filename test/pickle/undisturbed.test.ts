/** A dump leaves everything as it was, also for code of the program that runs in the middle of it. */
import { compile } from "effect-stackless/compiler"
import * as frames from "effect-stackless/frames"
import { dumps, loads, persistent, PicklingError, reduce, restore } from "effect-stackless/pickle"
import { expect, test } from "vitest"

const { code } = compile(
  `"use stackless"
  function* count(to, inner) {
    for (let i = 0; i < to; i++) yield i
    if (inner !== undefined) yield* inner
  }
  return { count }`,
  { filename: "/undisturbed/count.mjs", format: "commonjs" }
)
const { count }: { count: (to: number, inner?: unknown) => Generator<number> } = new Function("require", code)(
  () => frames
)

const begun = (to: number, inner?: unknown): Generator<number> => {
  const generator = count(to, inner)
  generator.next()
  return generator
}

class Watching {
  generators: ReadonlyArray<Generator<number>> = []
  readonly seen: Array<unknown> = []
  static [reduce](watching: Watching): unknown {
    for (const generator of watching.generators) watching.seen.push(generator.next().value)
    watching.seen.push(loads<Generator<number>>(dumps(watching.generators[0])).next().value)
    return watching.generators
  }
  static [restore](generators: ReadonlyArray<Generator<number>>): Watching {
    return Object.assign(new Watching(), { generators })
  }
}
persistent("Watching", Watching)

test("what reduce sees of frames that have been met already are frames as ever, and it may step them", () => {
  const watching = new Watching()
  const first = begun(9)
  const second = begun(9)
  watching.generators = [first, second]
  const [one, loaded, two] = loads<[Generator<number>, Watching, Generator<number>]>(dumps([first, watching, second]))
  expect(watching.seen).toEqual([1, 1, 2])
  expect(loaded.generators[0]).toBe(one)
  expect(loaded.generators[1]).toBe(two)
  // the first one had been written already
  expect([one.next().value, two.next().value, first.next().value, second.next().value]).toEqual([1, 2, 2, 2])
})

test("what the program makes of the stack of an error sees frames as ever", () => {
  const generator = begun(9)
  const seen: Array<unknown> = []
  const hook = Error as { prepareStackTrace?: unknown }
  const before = hook.prepareStackTrace
  try {
    hook.prepareStackTrace = () => {
      seen.push(generator.next().value)
      return "its stack"
    }
    dumps([generator, new Error("why"), generator])
  } finally {
    hook.prepareStackTrace = before
  }
  expect([...seen, generator.next().value].slice(-1)[0]).toBe(1 + seen.length)
})

test("frames go on where they were after a dump, and after one that failed", () => {
  const inner = count(3)
  const outer = begun(1, inner)
  outer.next()
  const loaded = loads<Generator<number>>(dumps([outer, inner]))
  expect(() => dumps([outer, inner, outer, new WeakMap()])).toThrow(PicklingError)
  expect([...outer]).toEqual([1, 2])
  expect([...(loaded as unknown as ReadonlyArray<Generator<number>>)[0]!]).toEqual([1, 2])
})

test("a frame that is met many times is one", () => {
  const generator = begun(5)
  const [a, b, { c }] = loads<any>(dumps([generator, generator, { c: generator }]))
  expect(a).toBe(b)
  expect(a).toBe(c)
  expect(a.next().value).toBe(1)
  expect(b.next().value).toBe(2)
})
