/** Source that is edited between dump and load. */
import { compile } from "effect-stackless/compiler"
import * as frames from "effect-stackless/frames"
import { dumps, loads, UnpicklingError } from "effect-stackless/pickle"
import { expect, test } from "vitest"
import { bodyOf, envelope } from "./mutation.ts"

/** Compiles a module under one name, evaluates it, and gives back what it returns. */
const load = (source: string): any => {
  const { code } = compile(`"use stackless"\n${source}`, { filename: "/edited/game.mjs", format: "commonjs" })
  return new Function("require", code)((name: string) => {
    expect(name).toBe("effect-stackless/frames")
    return frames
  })
}

const first = `
  function* count(to) {
    let sum = 0
    for (let i = 0; i < to; i++) {
      sum += yield i
    }
    return sum
  }
  return count`

const begun = (): Uint8Array => {
  const generator = load(first)(3)
  generator.next()
  generator.next(10)
  return dumps(generator)
}

const finish = (
  generator: Generator<number, number, number>
): ReadonlyArray<unknown> => [generator.next(20), generator.next(30)]

test("a change outside of the function loads, also of white space and comments in it", () => {
  const pickle = begun()
  load(`
    const other = () => 1
    function* before() { yield other }
    ${first.replace("let sum = 0", "let sum = 0 // from the start")}`)
  expect(finish(loads(pickle))).toEqual([{ value: 2, done: false }, { value: 60, done: true }])
})

test("a change of the function is refused by name, with both hashes", () => {
  const pickle = begun()
  const before = frames.lookup("/game.mjs#count")!.hash
  load(first.replace("sum += yield i", "sum += 2 * (yield i)"))
  const now = frames.lookup("/game.mjs#count")!.hash
  expect(now).not.toBe(before)
  expect(() => loads(pickle)).toThrow(UnpicklingError)
  expect(() => loads(pickle)).toThrow(
    `the function /game.mjs#count has changed since the pickle was made: its hash was ${before}, and is ${now} now`
  )
})

test("migrate says what becomes of a frame of a function that has changed", () => {
  const pickle = begun()
  load(
    first.replace("let sum = 0", "let total = 0, bonus = 1").replaceAll("sum", "total").replace(
      "return total",
      "return total + bonus"
    )
  )
  const seen: Array<unknown> = []
  const generator = loads<Generator<number, number, number>>(pickle, {
    migrate: {
      "/game.mjs#count": ({ locals, pc, points }) => {
        seen.push({ ...locals }, pc)
        expect(points.length).toBe(1)
        return { pc: points[0]!.pc, locals: { ...locals, total: locals["sum"], bonus: 1000 } }
      }
    }
  })
  expect(seen).toEqual([expect.objectContaining({ to: 3, i: 1, sum: 10 }), expect.any(Number)])
  expect(finish(generator)).toEqual([{ value: 2, done: false }, { value: 1060, done: true }])
})

test("a migration that says a place where no frame can stand is refused", () => {
  const pickle = begun()
  load(first.replace("sum += yield i", "sum += 3 * (yield i)"))
  const migrate = {
    "/game.mjs#count": ({ locals }: { locals: Readonly<Record<string, unknown>> }) => ({ pc: 999, locals })
  }
  expect(() => loads(pickle, { migrate })).toThrow("gave 999, where no frame of it can stand")
})

test("a function that the program has not is named", () => {
  const body = bodyOf(begun()).slice()
  body.set(Buffer.from("game.mjs#cant!"), Buffer.from(body).indexOf("game.mjs#count"))
  expect(() => loads(envelope(body))).toThrow(
    "the pickle has the function /game.mjs#cant!, which this program has not: import its module before loads"
  )
})
