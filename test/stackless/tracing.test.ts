/** What a trace function and a profile function are told of, on every tasklet and of every kind of body. */
import { Effect } from "effect"
import {
  call,
  channel,
  enableSoftswitch,
  getmain,
  run,
  RuntimeError,
  schedule,
  type Tasklet,
  tasklet,
  withThread
} from "effect-stackless/stackless"
import { afterEach, describe, expect, test } from "vitest"
import { inBothGears, main, type Steps } from "./program.ts"

/** Has everything told of `t` noted, in a list that comes back. */
const profiled = (t: Tasklet): Array<unknown> => {
  const told: Array<unknown> = []
  t.profileFunction = (of, event, arg) => {
    expect(of).toBe(t)
    told.push(event === "call" ? event : [event, arg])
  }
  return told
}

const traced = (t: Tasklet): Array<unknown> => {
  const told: Array<unknown> = []
  t.traceFunction = (of, event, arg) => {
    expect(of).toBe(t)
    told.push(event === "resume" || event === "yield" ? event : [event, arg])
  }
  return told
}

const oops = new Error("oops")

/** The same body as a generator, as an Effect and, where it does not switch, as a plain function. */
const returning: ReadonlyArray<readonly [string, () => any]> = [
  ["a generator function", function*(): Steps<number> {
    yield* schedule()
    return 5
  }],
  ["a function that returns an Effect", () => Effect.as(schedule(), 5)],
  ["a function that returns Effect.gen", () =>
    Effect.gen(function*() {
      yield* schedule()
      return 5
    })],
  ["a plain function", () => 5]
]

const throwing: ReadonlyArray<readonly [string, () => any]> = [
  ["a generator function", function*(): Steps<number> {
    yield* schedule()
    throw oops
  }],
  ["a function that returns an Effect", () => Effect.andThen(schedule(), Effect.die(oops))],
  ["a function that throws in place of an Effect", (): Effect.Effect<number> => {
    throw oops
  }],
  ["an Effect that fails", () => Effect.andThen(schedule(), Effect.fail(oops))],
  ["a plain function", (): number => {
    throw oops
  }]
]

inBothGears("traces", () => {
  describe.each(returning)("%s that returns", (_, body) => {
    test("is told of where it is the body of a tasklet, set before the start", () =>
      main(function*() {
        const t = tasklet(body)()
        const told = profiled(t)
        const steps = traced(t)
        yield* run()
        expect(told).toEqual(["call", ["return", 5]])
        expect([steps[0], steps.at(-1)]).toEqual(["resume", ["return", 5]])
      }))

    test("is told of where main calls it", () =>
      main(function*() {
        const told = profiled(getmain())
        const steps = traced(getmain())
        expect(yield* call(body)).toBe(5)
        getmain().traceFunction = getmain().profileFunction = null
        expect(told).toEqual(["call", ["return", 5]])
        expect(steps).toContainEqual(["return", 5])
        expect(yield* call(body)).toBe(5)
        expect(told.length).toBe(2)
      }))

    test("is told of where a tasklet calls it", () =>
      main(function*() {
        const t = tasklet(function*(): Steps<number> {
          return (yield* call(body)) + 1
        })()
        const told = profiled(t)
        yield* run()
        expect(told).toEqual(["call", "call", ["return", 5], ["return", 6]])
      }))
  })

  describe.each(throwing)("%s that throws", (_, body) => {
    test("is told of where it is the body of a tasklet, and where main calls it", () =>
      main(function*() {
        const t = tasklet(body)()
        const told = [profiled(t), profiled(getmain())]
        const steps = traced(t)
        yield* expectingOops(call(body))
        getmain().profileFunction = null
        yield* expectingOops(run())
        const called = ["call", ["exception", oops]]
        // a compiled `yield*` is a call as well: the one of what expects the error
        const compiled = "pc" in (function*() {})()
        expect(told).toEqual([called, compiled ? ["call", ...called, ["return", undefined]] : called])
        expect([steps[0], steps.at(-1)]).toEqual(["resume", ["exception", oops]])
      }))
  })

  test("what is told is told at the time", () =>
    main(function*() {
      const log: Array<unknown> = []
      for (const body of [() => log.push("body"), () => Effect.sync(() => log.push("body"))]) {
        const t = tasklet(body as () => number)()
        t.profileFunction = (_, event) => log.push(event)
        yield* run()
      }
      expect(log).toEqual(["call", "body", "return", "call", "body", "return"])
    }))

  test("one that is set in the middle is told of the end, and not of a call that was before", () =>
    main(function*() {
      const c = channel<number>()
      for (
        const body of [
          function*(): Steps<number> {
            return yield* c.receive()
          },
          () => c.receive()
        ]
      ) {
        const t = tasklet(body as () => Steps<number>)()
        yield* t.run()
        const told = profiled(t)
        yield* c.send(3)
        yield* run()
        expect(told).toEqual([["return", 3]])
      }
    }))

  test("each tasklet has its own, and keeps it over switches", () =>
    main(function*() {
      const trace = (): void => {}
      const seen: Array<unknown> = []
      getmain().traceFunction = trace
      const t = tasklet(function*(): Steps<void> {
        seen.push(t.traceFunction, getmain().traceFunction)
        yield* schedule()
        seen.push(t.traceFunction, getmain().traceFunction)
      })()
      yield* run()
      expect(seen).toEqual([undefined, trace, undefined, trace])
      expect(getmain().traceFunction).toBe(trace)
      getmain().traceFunction = null
      expect(getmain().traceFunction).toBe(undefined)
    }))

  test("one that runs frames itself changes nothing of what is traced", () =>
    main(function*() {
      function* others(): Generator<number, number> {
        yield 1
        return 2
      }
      const values: Array<unknown> = []
      function* called(): Steps<number> {
        yield* schedule()
        return 3
      }
      const t = tasklet(function*(): Steps<void> {
        values.push(yield* called())
        values.push(yield* call(called))
        values.push(yield* call(() => Effect.as(schedule(), 3)))
      })()
      let events = 0
      t.traceFunction = t.profileFunction = () => {
        events++
        expect([...others()]).toEqual([1])
      }
      yield* run()
      expect(values).toEqual([3, 3, 3])
      expect(events).toBeGreaterThan(10)
    }))

  test("an error for want of `this` says what was meant, of a body that is traced, too", () =>
    main(function*() {
      class Actor {
        *live(): Steps<void> {
          yield* schedule()
          this.name = "y"
        }
        name = "x"
      }
      const ends: Array<unknown> = []
      for (const traces of [false, true]) {
        const t = tasklet(new Actor().live)()
        if (traces) t.traceFunction = () => {}
        try {
          yield* run()
        } catch (error) {
          ends.push((error as Error).message)
        }
      }
      expect(ends[0]).toMatch("Pass it bound")
      expect(ends[1]).toBe(ends[0])
    }))

  test("an error of main's trace function takes the place of what is traced", () =>
    main(function*() {
      getmain().traceFunction = (_, event) => {
        if (event === "return") throw oops
      }
      let caught: unknown
      try {
        yield* call(() => 5)
      } catch (error) {
        caught = error
      }
      expect(caught).toBe(oops)
      getmain().traceFunction = null
      expect(yield* call(() => 5)).toBe(5)
    }))

  test("set on the current tasklet of another thread it throws", () =>
    main(function*() {
      const other = getmain()
      yield* withThread(call(() => {
        expect(() => other.traceFunction = () => {}).toThrow(RuntimeError)
        expect(() => other.profileFunction = null).toThrow("the current tasklet of another thread")
      }))
      expect(other.traceFunction).toBe(undefined)
    }))
})

describe("what is performed from outside, as main", () => {
  afterEach(() => {
    enableSoftswitch(true)
  })

  test.each([true, false])("is told of (soft: %s)", async (soft) => {
    enableSoftswitch(soft)
    const told = await Effect.runPromise(withThread(Effect.gen(function*() {
      const told = profiled(getmain())
      expect(yield* call(() => Effect.as(schedule(), 1))).toBe(1)
      expect(yield* call(() => 2)).toBe(2)
      yield* schedule()
      getmain().profileFunction = null
      yield* call(() => 3)
      return told
    })))
    expect(told).toEqual(["call", ["return", 1], "call", ["return", 2]])
  })
})

function* expectingOops(operation: Effect.Effect<unknown, unknown>): Steps<void> {
  let caught: unknown
  try {
    yield* operation
  } catch (error) {
    caught = error
  }
  expect(caught).toBe(oops)
}
