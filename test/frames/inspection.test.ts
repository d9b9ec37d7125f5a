/** What a suspended greenlet or tasklet says of its compiled frames: file, line and variables, as a debugger of Python does. */
import { frameInfo } from "effect-stackless/frames"
import { call, getcurrent, greenlet, withThread as withGreenlets } from "effect-stackless/greenlet"
import { call as callTasklets, channel, schedule, tasklet, withThread } from "effect-stackless/stackless"
import * as Effect from "effect/Effect"
import { expect, test } from "vitest"
import { load } from "../compiler/module.ts"

const { dig, level } = load(
  `"use stackless"
function* level(depth, wait) {
  const below = depth - 1
  return depth === 0
    ? yield* wait()
    : yield* level(below, wait)
}
function* dig(wait) {
  let found = []
  found.push(yield* level(1, wait))
  return found
}
exports.level = level
exports.dig = dig
`,
  "dig.cjs"
)

const linesOf = (frame: { back: any; toString(): string } | undefined): Array<string> => String(frame).split("\n")

test("a tasklet says where its compiled frames stand, the innermost first", () =>
  Effect.runPromise(withThread(callTasklets(function*() {
    const c = channel<string>()
    const t = tasklet(dig)(() => c.receive())
    expect(t.frame).toBeUndefined()
    yield* schedule()
    const frame = t.frame!
    expect([frame.name, frame.line, frame.column, frame.locals]).toMatchObject(["level", 5, 7, { depth: 0, below: -1 }])
    expect(frame.file).toMatch(/dig\.cjs$/)
    expect(frame.back).toMatchObject({ name: "level", line: 6, locals: { depth: 1, below: 0 } })
    expect(frame.back!.back).toMatchObject({ line: 10, locals: { found: [] } })
    expect(frame.back!.back!.back).toBeUndefined()
    expect(linesOf(frame)).toEqual([
      "level",
      expect.stringMatching(/^ {4}at level \(.*dig\.cjs:5:7\)$/),
      "level",
      expect.stringMatching(/dig\.cjs:6:7\)$/),
      expect.anything(),
      expect.stringMatching(/dig\.cjs:10:14\)$/)
    ])
    yield* c.send("gold")
    yield* schedule()
    expect(t.frame).toBeUndefined()
  }))))

test("an error out of a wait leads to the lines of the compiled frames that it comes through", () =>
  Effect.runPromise(withThread(callTasklets(function*() {
    const c = channel<string>()
    let stack = ""
    tasklet(function*() {
      try {
        yield* callTasklets(dig, () => c.receive())
      } catch (error) {
        stack = String((error as Error).stack)
      }
    })()
    yield* schedule()
    yield* c.sendThrow(new RangeError("no gold"))
    yield* schedule()
    expect(stack.split("\n").filter((line) => line.includes("dig.cjs"))).toEqual([
      expect.stringMatching(/^ {4}at level \(.*dig\.cjs:5:7\)$/),
      expect.stringMatching(/^ {4}at level \(.*dig\.cjs:6:7\)$/),
      expect.stringMatching(/^ {4}at dig \(.*dig\.cjs:10:14\)$/)
    ])
  }))))

test("so does a greenlet, and a generator between them has no line", () =>
  Effect.runPromise(withGreenlets(call(function*() {
    const main = getcurrent()
    const g = greenlet(function*(_: string) {
      return yield* call(() => level(0, () => main.switch("up")))
    })
    expect(yield* g.switch("down")).toBe("up")
    expect(g.grFrame).toMatchObject({ name: "level", line: 5, locals: { depth: 0 } })
    expect(g.grFrame!.back).toMatchObject({ line: undefined, file: undefined, locals: undefined })
    expect(yield* g.switch("done")).toBe("done")
  }))))

test("a frame tells of the variables that a closure has captured, too, and of those around its function", () => {
  const { outer } = load(
    `"use stackless"
exports.outer = function(prefix) {
  return function* inner(name) {
    const later = () => prefix + name + own
    let own = 1
    yield later
    { let block = 2; yield () => block }
  }
}
`,
    "captured.cjs"
  )
  const frame = outer("p")("n")
  frame.next()
  expect(frameInfo(frame)!.locals).toMatchObject({ name: "n", own: 1, prefix: "p", later: expect.any(Function) })
  frame.next()
  expect(frameInfo(frame)!.locals).toMatchObject({ block: 2, name: "n", own: 1, prefix: "p" })
})
