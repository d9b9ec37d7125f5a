/** Two greenlets that hand over to each other, and what may come between: order, errors, traces, fibers and threads. */
import { Effect, type Fiber } from "effect"
import {
  call,
  getcurrent,
  type Greenlet,
  greenlet,
  GreenletExit,
  settrace,
  withThread
} from "effect-stackless/greenlet"
import { describe, expect, test } from "vitest"
import type { Steps } from "../conformance/gear.ts"
import { as, kinds, main, run } from "./bodies.ts"

/** More than the loop performs before the event loop has its turn. */
const MANY = 40_000

const echo = (): Greenlet => {
  const g: Greenlet = greenlet(function*(value: unknown): Steps<unknown> {
    for (;;) value = yield* g.parent!.switch(value)
  })
  return g
}

/** Steps a generator by itself, and passes on what it yields. */
function* passingOn<A>(steps: Steps<A>): Steps<A> {
  let step = steps.next()
  while (step.done !== true) step = steps.next((yield* step.value) as never)
  return step.value
}

describe("a generator that a body steps by itself", () => {
  test("does what it does when yield* steps it, however long it is", () =>
    main(function*() {
      const g = echo()
      function* asking() {
        let sum = 0
        for (let i = 1; i <= MANY; i++) sum += (yield* g.switch(i)) as number
        return sum
      }
      const sum = MANY * (MANY + 1) / 2
      expect(yield* asking()).toBe(sum)
      expect(yield* passingOn(asking())).toBe(sum)
      function* twice() {
        return yield* passingOn(asking())
      }
      expect(yield* passingOn(twice())).toBe(sum)
    }))

  test("can have what it yields passed on without the star", () =>
    main(function*() {
      const g = echo()
      function* asking() {
        return [
          yield* g.switch(1),
          yield* call((n: number) => n, 2),
          yield* call(function*() {
            return yield* g.switch(3)
          })
        ]
      }
      const steps = asking() as Steps<unknown>
      let step = steps.next()
      while (step.done !== true) step = steps.next((yield step.value) as never)
      expect(step.value).toEqual([1, 2, 3])
    }))

  test("sees the errors of its operations", () =>
    main(function*() {
      function* asking(): Steps<unknown> {
        const bad = greenlet(() => {
          throw new RangeError("thrown by the other one")
        })
        try {
          yield* bad.switch()
        } catch (error) {
          return error
        }
      }
      const steps = asking()
      let step = steps.next()
      while (step.done !== true) {
        try {
          step = steps.next((yield* step.value) as never)
        } catch (error) {
          step = steps.throw(error)
        }
      }
      expect(step.value).toBeInstanceOf(RangeError)
    }))
})

// ---- two that hand over to each other -------------------------------------------------------------------------------

test.each(kinds)(
  "of %s bodies, an error of one that is switched to goes to its parent, not through the frame that switched",
  (kind) =>
    main(function*() {
      const log: Array<unknown> = []
      const parent = getcurrent()
      const thrower: Greenlet = greenlet(as(kind, function*(): Steps<unknown> {
        yield* back.switch()
        throw new RangeError("for the parent")
      }))
      const back: Greenlet = greenlet(as(kind, function*(): Steps<void> {
        try {
          yield* thrower.switch()
          yield* thrower.switch()
          log.push("never")
        } finally {
          log.push("finally")
        }
      }))
      thrower.parent = parent
      back.parent = parent
      try {
        yield* back.switch()
      } catch (error) {
        log.push(error)
      }
      expect(log).toEqual([expect.any(RangeError)])
      expect(back.dead).toBe(false)
      expect(thrower.dead).toBe(true)
    })
)

test.each(kinds)("of %s bodies, what one returns that is switched to goes to its parent", (kind) =>
  main(function*() {
    const a: Greenlet = greenlet(as(kind, function*(): Steps<unknown> {
      yield* b.switch()
      return "a"
    }))
    const b: Greenlet = greenlet(as(kind, function*(): Steps<unknown> {
      const got = [yield* a.switch(), yield* a.switch()]
      return got
    }))
    a.parent = b
    expect(yield* b.switch()).toEqual([undefined, "a"])
  }))

test.each(kinds)(
  "a greenlet with a %s body that is thrown into by the one it switched to sees the error at its switch",
  (kind) =>
    main(function*() {
      const log: Array<unknown> = []
      const a: Greenlet = greenlet(as(kind, function*(): Steps<void> {
        for (let i = 0; i < 4; i++) {
          try {
            log.push(yield* b.switch(i))
          } catch (error) {
            log.push((error as Error).message)
          }
        }
      }))
      const b: Greenlet = greenlet(as(kind, function*(i: number): Steps<unknown> {
        for (;;) {
          i = (yield* i % 2 === 0 ? a.throw(new Error(`thrown for ${i}`)) : a.switch(i)) as number
        }
      }))
      yield* a.switch()
      expect(log).toEqual(["thrown for 0", 1, "thrown for 2", 3])
    })
)

test("the trace function is told of all switches after it was set, by whomever", () =>
  main(function*() {
    const names = new Map<unknown, string>([[getcurrent(), "main"]])
    const log: Array<string> = []
    const a: Greenlet = greenlet(function*(): Steps<void> {
      for (let i = 0; i < 3; i++) yield* b.switch(i)
    })
    const b: Greenlet = greenlet(function*(i: number): Steps<unknown> {
      for (;;) {
        if (i === 1) settrace((event, from, to) => log.push(`${event} ${names.get(from)} ${names.get(to)}`))
        i = (yield* a.switch()) as number
      }
    })
    names.set(a, "a").set(b, "b")
    yield* a.switch()
    settrace(null)
    expect(log).toEqual(["switch b a", "switch a b", "switch b a", "switch a main"])
  }))

test("a fiber that a soft body runs by itself is no greenlet, and performs nothing as one", () =>
  main(function*() {
    const inside = greenlet(function*(): Steps<unknown> {
      const g = echo()
      const before = yield* g.switch("before")
      const exit = Effect.runSyncExit(Effect.gen(function*() {
        return yield* g.switch("from a fiber")
      }))
      return [before, exit._tag, yield* g.switch("after")]
    })
    expect(yield* inside.switch()).toEqual(["before", "Failure", "after"])
  }))

test("a thread that a soft body runs on the way does not disturb its own", () =>
  main(function*() {
    const inside = greenlet(function*(): Steps<unknown> {
      const g = echo()
      const got: Array<unknown> = [yield* g.switch(1)]
      got.push(Effect.runSync(withThread(call(function*() {
        const other = echo()
        return [yield* other.switch(2), yield* other.switch(3)]
      }))))
      got.push(yield* g.switch(4))
      return got
    })
    expect(yield* inside.switch()).toEqual([1, [2, 3], 4])
  }))

test.each(kinds)("an endless ping-pong of %s bodies leaves the event loop its turns", async (kind) => {
  const clock = { over: false }
  setTimeout(() => {
    clock.over = true
  }, 20)
  await run(call(as(kind, function*() {
    const g = echo()
    while (!clock.over) yield* g.switch()
  })))
  expect(clock.over).toBe(true)
})

test("so do endless operations of an Effect that have their value at once", async () => {
  const clock = { over: false }
  setTimeout(() => {
    clock.over = true
  }, 20)
  await run(call(() =>
    Effect.gen(function*() {
      while (!clock.over) yield* call(() => 1)
    })
  ))
  expect(clock.over).toBe(true)
})

test("an Effect whose fiber is interrupted while others have control is interrupted where it has handed over", () =>
  main(function*() {
    const log: Array<unknown> = []
    let fiber: Fiber.Fiber<unknown, unknown> | undefined
    const a: Greenlet = greenlet(() =>
      Effect.gen(function*() {
        fiber = yield* Effect.withFiber(Effect.succeed)
        for (;;) log.push(yield* b.switch())
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => log.push("interrupted"))))
    )
    const b: Greenlet = greenlet(() =>
      Effect.gen(function*() {
        yield* a.switch(1)
        fiber!.interruptUnsafe()
        log.push("goes on")
        yield* a.switch(2)
        log.push("never")
      })
    )
    expect(yield* a.switch()).toBeInstanceOf(GreenletExit)
    expect(log).toEqual([1, "goes on", "interrupted"])
  }))

test("an Effect that cannot be interrupted there goes on", () =>
  main(function*() {
    const log: Array<unknown> = []
    let fiber: Fiber.Fiber<unknown, unknown> | undefined
    const a: Greenlet = greenlet(() =>
      Effect.gen(function*() {
        fiber = yield* Effect.withFiber(Effect.succeed)
        log.push(yield* b.switch(), yield* b.switch(), yield* b.switch())
      }).pipe(Effect.uninterruptible, Effect.andThen(Effect.sync(() => log.push("never"))))
    )
    const b: Greenlet = greenlet(() =>
      Effect.gen(function*() {
        yield* a.switch(1)
        fiber!.interruptUnsafe()
        yield* a.switch(2)
        yield* a.switch(3)
      })
    )
    expect(yield* a.switch()).toBeInstanceOf(GreenletExit)
    expect(log).toEqual([1, 2, 3])
  }))
