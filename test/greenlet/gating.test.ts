/** A timer, a Deferred or a callback never runs a greenlet behind the loop's back: it makes it ready, no more. */
import { Deferred, Effect, Fiber } from "effect"
import { call, getcurrent, Greenlet, greenlet, type Microthread } from "effect-stackless/greenlet"
import { TestClock } from "effect/testing"
import { describe, expect, test } from "vitest"
import { turnAfter, turnEvery } from "../turn.ts"
import { as, decidedMeanwhile, kinds, main, run } from "./bodies.ts"

const parent = () => getcurrent().parent!

/** A greenlet that hands over to another one while it waits. */
const handsOver = (body: any, to: () => Microthread): Greenlet =>
  new (class extends Greenlet {
    override waits(): Microthread {
      return to()
    }
  })(body)

describe.each(kinds)("with %s bodies", (kind) => {
  test("a Deferred that is completed does not run who waits for it", () =>
    main(function*() {
      const log: Array<string> = []
      const deferred = Deferred.makeUnsafe<void>()
      const other: Greenlet = greenlet(as(kind, function*() {
        log.push("complete")
        yield* Deferred.succeed(deferred, undefined)
        log.push("completed")
        yield* greenlet(() => log.push("another")).switch()
        log.push("hand over")
        yield* waiter.switch()
      }))
      const waiter: Greenlet = handsOver(
        as(kind, function*() {
          yield* Deferred.await(deferred)
          log.push("resumed")
        }),
        () => other
      )
      yield* waiter.switch()
      while (!waiter.dead) yield* waiter.switch()
      expect(log).toEqual(["complete", "completed", "another", "hand over", "resumed"])
    }))

  test("a timer that fires in the middle of another greenlet's wait does not run its greenlet", () =>
    main(function*() {
      const log: Array<string> = []
      const other: Greenlet = greenlet(as(kind, function*() {
        yield* Effect.sleep(30)
        log.push("other")
        yield* sleeper.switch()
      }))
      const sleeper: Greenlet = handsOver(
        as(kind, function*() {
          yield* Effect.sleep(5)
          log.push("sleeper")
        }),
        () => other
      )
      yield* sleeper.switch()
      while (!sleeper.dead) yield* sleeper.switch()
      expect(log).toEqual(["other", "sleeper"])
    }))

  test("a callback that is called in the middle of another greenlet's turn does not run its greenlet", () =>
    main(function*() {
      const log: Array<string> = []
      const wake: { up?: () => void } = {}
      const other: Greenlet = greenlet(as(kind, function*() {
        while (wake.up === undefined) yield* waiter.switch()
        wake.up()
        log.push("other goes on")
        yield* waiter.switch()
      }))
      const waiter: Greenlet = handsOver(
        as(kind, function*() {
          yield* Effect.callback<void>((done) => {
            wake.up = () => done(Effect.void)
          })
          log.push("waiter")
        }),
        () => other
      )
      yield* waiter.switch()
      while (!waiter.dead) yield* waiter.switch()
      expect(log).toEqual(["other goes on", "waiter"])
    }))
})

test("a long program lets timers fire if its fiber can wait", async () => {
  let fired = 0
  const timer = setInterval(() => fired++, 1)
  await run(call(function*() {
    const g: Greenlet = greenlet(function*() {
      for (;;) yield* parent().switch()
    })
    const start = performance.now()
    const over = () => fired > 1 || performance.now() - start > 30_000
    while (!over()) yield* g.switch()
  }))
  clearInterval(timer)
  expect(fired).toBeGreaterThan(1)
})

test("a long program of Effect.runSync is not sliced", () => {
  let fired = 0
  const timer = setInterval(() => fired++, 1)
  const n = Effect.runSync(call(function*() {
    const g: Greenlet = greenlet(function*() {
      for (let i = 0;; i++) yield* parent().switch(i)
    })
    let n = 0
    while (n < 200_000) n = yield* g.switch<number>()
    return n
  }))
  clearInterval(timer)
  expect([n, fired]).toEqual([200_000, 0])
})

// Every 16,384 operations, or operators of one Effect, the event loop has a turn. Wherever that falls, nothing is lost.
describe.each(kinds)("a turn of the event loop in the middle of %s bodies", (kind) => {
  test("does not forget a race that was decided", async () => {
    for (let operations = 0; operations < 40; operations++) {
      await main(function*() {
        yield* turnAfter(operations)
        expect(yield* decidedMeanwhile(kind)).toBe("decided")
      })
    }
  })

  test("finds an Effect at its end, or switching", async () => {
    // a step is two operators
    const step = Effect.suspend(() => Effect.void)
    for (let steps = turnEvery / 2 - 20; steps < turnEvery / 2 + 5; steps++) {
      const long = Effect.gen(function*() {
        for (let n = steps; n > 0; n--) yield* step
        return steps
      })
      const switching = Effect.gen(function*() {
        yield* long
        return yield* parent().switch(steps)
      })
      await main(function*() {
        const g = greenlet(as(kind, function*() {
          yield* parent().switch(yield* long)
          return yield* switching
        }))
        expect([yield* g.switch(), yield* g.switch(), yield* g.switch("end")]).toEqual([steps, steps, "end"])
      })
    }
  })
})

describe("with TestClock", () => {
  test("a body sleeps as long as the clock is told", () =>
    Effect.runPromise(
      Effect.gen(function*() {
        const log: Array<string> = []
        const fiber = yield* Effect.forkChild(call(function*() {
          const g = greenlet(function*() {
            for (const hour of [1, 2]) {
              yield* Effect.sleep("1 hour")
              log.push(`hour ${hour}`)
            }
          })
          yield* g.switch()
        }))
        yield* TestClock.adjust("59 minutes")
        expect(log).toEqual([])
        yield* TestClock.adjust("1 minute")
        expect(log).toEqual(["hour 1"])
        yield* TestClock.adjust("1 hour")
        yield* Fiber.join(fiber)
        expect(log).toEqual(["hour 1", "hour 2"])
      }).pipe(Effect.provide(TestClock.layer())) as Effect.Effect<void>
    ))

  test("a greenlet that was made outside of any Effect has the clock of the program that runs it", () => {
    const g = greenlet(function*() {
      yield* Effect.sleep("1 hour")
      return "slept"
    })
    return Effect.runPromise(
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(g.switch())
        yield* TestClock.adjust("1 hour")
        expect(yield* Fiber.join(fiber)).toBe("slept")
      }).pipe(Effect.provide(TestClock.layer())) as Effect.Effect<void>
    )
  })
})
