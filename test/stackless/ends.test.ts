/** The ends of tasklets and threads: an exit ends the whole tasklet, and a thread's end ends. */
import { Clock, Effect, Exit, Fiber, Option, Scope } from "effect"
import { makeThread, Thread } from "effect-stackless/greenlet"
import {
  call,
  type Channel,
  channel,
  DeadlockError,
  run,
  schedule,
  sleep,
  type Tasklet,
  tasklet,
  TaskletExit,
  withThread
} from "effect-stackless/stackless"
import { TestClock } from "effect/testing"
import { expect, test } from "vitest"
import { inBothGears, main, mainOnVirtualClock, onThread, type Steps } from "./program.ts"

/** What it says is "works", and after its exit "ends". */
function* working(log: Array<unknown>, c: Channel): Steps<string> {
  try {
    log.push("works")
    yield* c.receive()
  } finally {
    log.push("ends")
  }
  return "worked"
}

/** What a body may have around a call. */
const around: ReadonlyArray<[string, (work: Effect.Effect<unknown, unknown>) => Effect.Effect<unknown, unknown>]> = [
  ["a race", (work) => Effect.race(work, Effect.sleep("5 seconds"))],
  ["a race that it comes second in", (work) => Effect.race(Effect.sleep("5 seconds"), work)],
  ["a race with what never ends", (work) => Effect.race(work, Effect.never)],
  ["a timeout", (work) => Effect.timeoutOption(work, "5 seconds")],
  ["Effect.exit", (work) => Effect.exit(work)],
  ["Effect.exit in a race", (work) => Effect.race(Effect.exit(work), Effect.sleep("5 seconds"))],
  ["Effect.exit around a race", (work) => Effect.exit(Effect.race(work, Effect.sleep("5 seconds")))],
  ["a handler of defects", (work) => Effect.catchDefect(work, () => Effect.void)],
  ["a repetition", (work) => Effect.forever(Effect.exit(work))],
  ["Effect.all", (work) => Effect.all([Effect.exit(work), Effect.never], { concurrency: 2 })]
]

inBothGears("an exit", () => {
  const kill = (t: Tasklet, how: string): Effect.Effect<void> => t.kill({ pending: how === "pending" })

  test.each(around.flatMap(([name, wrap]) => ["at once", "pending"].map((how) => [name, how, wrap] as const)))(
    "of a tasklet in a call under %s ends the whole tasklet (%s)",
    (_, how, wrap) =>
      main(function*() {
        const log: Array<unknown> = []
        const c = channel()
        const t = tasklet(function*(): Steps<void> {
          try {
            yield* wrap(call(working, log, c))
            log.push("lives on")
          } finally {
            log.push("ends as well")
          }
        })()
        yield* schedule()
        yield* kill(t, how)
        yield* run()
        expect(log).toEqual(["works", "ends", "ends as well"])
        expect(t.alive).toBe(false)
        expect(c.balance).toBe(0)
      })
  )

  test.each(around)("of a tasklet in an operation under %s ends the whole tasklet", (_, wrap) =>
    main(function*() {
      const log: Array<unknown> = []
      const c = channel()
      const t = tasklet(function*(): Steps<void> {
        try {
          yield* wrap(c.receive())
          log.push("lives on")
        } finally {
          log.push("ends")
        }
      })()
      yield* schedule()
      yield* t.kill()
      yield* run()
      expect(log).toEqual(["ends"])
      expect([t.alive, c.balance]).toEqual([false, 0])
    }))

  test.each(around)(
    "under %s is caught by its own body, which goes on and can wait again",
    (_, wrap) =>
      mainOnVirtualClock(function*() {
        const log: Array<unknown> = []
        const c = channel()
        const t = tasklet(function*(): Steps<void> {
          try {
            yield* wrap(call(working, log, c))
          } catch (error) {
            log.push(error instanceof TaskletExit)
          }
          yield* sleep(10)
          log.push(yield* c.receive())
          yield* Effect.promise(() => Promise.resolve())
          log.push("end")
        })()
        yield* schedule()
        yield* t.kill()
        const sender = tasklet(() => c.send("a value"))()
        yield* run()
        expect(log).toEqual(["works", "ends", true, "a value", "end"])
        expect([t.alive, sender.alive]).toEqual([false, false])
      })
  )

  test.each(around)("that the called body catches under %s is no end", (_, wrap) =>
    main(function*() {
      const log: Array<unknown> = []
      const t = tasklet(function*(): Steps<void> {
        yield* wrap(call(function*() {
          for (let i = 0; i < 2; i++) {
            try {
              yield* channel().receive()
            } catch (error) {
              log.push(error instanceof TaskletExit)
            }
          }
        }))
        log.push("never, if it is repeated")
      })()
      yield* schedule()
      yield* t.kill()
      expect([t.alive, t.blocked, log]).toEqual([true, true, [true]])
      yield* t.kill()
      yield* t.kill()
      yield* t.kill()
      yield* t.kill()
      expect(log[1]).toBe(true)
    }))

  test("of a tasklet whose body is an Effect ends that, if it goes on waiting for something else", () =>
    main(function*() {
      const log: Array<unknown> = []
      const c = channel()
      const t = tasklet(() =>
        Effect.ensuring(
          Effect.andThen(
            Effect.race(call(working, log, c), Effect.sleep("5 seconds")),
            Effect.sync(() => log.push("lives on"))
          ),
          Effect.sync(() => log.push("ensured"))
        )
      )()
      yield* schedule()
      yield* t.kill()
      yield* run()
      expect(log).toEqual(["works", "ends", "ensured"])
      expect(t.alive).toBe(false)
    }))

  test("runs each finalizer on its way once, also one that exchanges a value", () =>
    main(function*() {
      const log: Array<unknown> = []
      const c = channel<string>()
      const released = channel<string>()
      const t = tasklet(function*(): Steps<void> {
        yield* Effect.acquireUseRelease(
          Effect.sync(() => log.push("acquired")),
          () => Effect.race(call(working, log, c), Effect.sleep("5 seconds")),
          () => Effect.andThen(released.send("released"), Effect.sync(() => log.push("sent")))
        )
        log.push("lives on")
      })()
      yield* schedule()
      yield* t.kill()
      expect([t.alive, t.blocked, released.balance]).toEqual([true, true, 1])
      log.push(yield* released.receive())
      yield* run()
      expect(log).toEqual(["acquired", "works", "ends", "released", "sent"])
      expect(t.alive).toBe(false)
    }))
})

inBothGears("a body that swallows its exit", () => {
  test.each<[string, () => Effect.Effect<unknown, unknown>]>([
    ["on a channel", () => channel().receive()],
    ["in an Effect", () => Effect.never],
    ["in a race around a call", () => Effect.race(call(working, [], channel()), Effect.never)]
  ])("%s lets its thread end as it would", async (_, wait) => {
    const log: Array<unknown> = []
    const swallowing = function*(): Steps<string> {
      try {
        try {
          yield* wait()
        } finally {
          // oxlint-disable-next-line no-unsafe-finally -- what is tested
          throw new RangeError("in finally")
        }
      } catch (error) {
        log.push((error as Error).message)
      }
      return "result"
    }
    const t = await onThread(call(function*(): Steps<Tasklet> {
      const t = tasklet(swallowing)()
      yield* schedule()
      return t
    }))
    expect(log).toEqual(["in finally"])
    expect(t.alive).toBe(false)
    // the same where it is killed
    expect(
      await main(function*() {
        const t = tasklet(swallowing)()
        yield* schedule()
        yield* t.kill()
        return yield* t.join()
      })
    ).toBe("result")
  })
})

/** Runs an Effect on a clock of its own, which goes on by a fifth of a second in each turn of the event loop. */
const hastily = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.scoped(Effect.gen(function*() {
    const clock = yield* TestClock.make()
    const fiber = yield* Effect.forkChild(Effect.provideService(effect, Clock.Clock, clock))
    while (fiber.pollUnsafe() === undefined) {
      yield* clock.adjust("200 millis")
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    }
    return yield* Fiber.join(fiber)
  }))

inBothGears("a thread's end", () => {
  const stubborn: ReadonlyArray<[string, boolean, () => Steps<void>]> = [
    ["waits for ever in finally", false, function*() {
      try {
        yield* channel().receive()
      } finally {
        yield* Effect.never
      }
    }],
    ["catches each exit and waits on", true, function*() {
      for (;;) {
        try {
          yield* sleep(1000)
        } catch {
          // on purpose
        }
      }
    }],
    ["catches each exit and blocks on", true, function*() {
      for (;;) {
        try {
          yield* channel().receive()
        } catch {
          // on purpose
        }
      }
    }],
    ["catches its exit and is busy", false, function*() {
      try {
        yield* channel().receive()
      } catch {
        for (;;) yield* Effect.void
      }
    }],
    ["catches its exit and is busy in an Effect", false, function*() {
      try {
        yield* channel().receive()
      } catch {
        yield* Effect.forever(Effect.void)
      }
    }],
    ["is in a scope whose finalizer never ends", true, function*() {
      yield* Effect.acquireUseRelease(Effect.void, () => channel().receive(), () => Effect.never)
    }],
    ["catches its exit in a call in a race", true, function*() {
      yield* Effect.race(
        call(function*() {
          for (;;) {
            try {
              yield* channel().receive()
            } catch {
              yield* sleep(10)
            }
          }
        }),
        Effect.never
      )
    }]
  ]

  test.each(stubborn)("comes though a tasklet %s", async (_, dropped, body) => {
    const ended: Array<string> = []
    const exit = await Effect.runPromiseExit(hastily(withThread(call(function*() {
      tasklet(body)()
      tasklet(body)()
      tasklet(function*() {
        try {
          yield* channel().receive()
        } finally {
          yield* sleep(100)
          ended.push("took its time")
        }
      })()
      yield* schedule()
    }) as Effect.Effect<void>)))
    // one that ends of its second exit has ended well
    expect(String(exit)).toContain(dropped ? "a greenlet did not end with its thread" : "Success")
    expect(ended).toEqual(["took its time"])
  })

  test("comes when its time is over, and lets an outer timeout decide", async () => {
    const exit = await Effect.runPromiseExit(hastily(Effect.timeoutOption(
      withThread(call(function*() {
        tasklet(function*() {
          for (;;) {
            try {
              yield* sleep(1000)
            } catch {
              // on purpose
            }
          }
        })()
        yield* run()
      }) as Effect.Effect<void>),
      "1 second"
    )))
    expect(exit).toEqual(Exit.succeed(Option.none()))
  })

  const swallowing = (wait: () => Effect.Effect<unknown, any>): Array<() => Effect.Effect<unknown, any>> => {
    function* steps(): Steps<void> {
      try {
        yield* sleep("1 hour")
      } catch {
        yield* wait()
      }
    }
    return [() => call(steps), () => call(() => Effect.exit(call(steps)))]
  }

  test.each(swallowing(() => channel().receive()))(
    "comes though its main catches its exit and blocks, beside a thread that never rests",
    async (body) => {
      const restless = Effect.runFork(withThread(Effect.andThen(call(schedule), Effect.never)))
      try {
        expect(await Effect.runPromise(Effect.timeoutOption(withThread(body()), 5))).toEqual(Option.none())
        await main(function*() {
          try {
            yield* Effect.timeoutOption(body(), 5)
          } catch (error) {
            expect(error).toBeInstanceOf(DeadlockError)
          }
          // and main can wait for other threads as before
          const c = channel<string>()
          Effect.runFork(Effect.delay(c.send("a value"), 5))
          expect(yield* c.receive()).toBe("a value")
        })
      } finally {
        await Effect.runPromise(Fiber.interrupt(restless))
      }
    }
  )

  test.each([
    ...swallowing(() => Effect.never),
    ...swallowing(() => Effect.forever(Effect.exit(sleep(1000)))),
    ...swallowing(() =>
      call(function*(): Steps<void> {
        tasklet(function*(): Steps<void> {
          for (;;) yield* schedule()
        })()
        yield* channel().receive()
      })
    )
  ])("comes when its time is over though its main goes on, and an outer timeout decides", async (body) => {
    let took = 0
    const exit = await Effect.runPromise(hastily(Effect.gen(function*() {
      const before = yield* Clock.currentTimeMillis
      const none = yield* Effect.timeoutOption(withThread(body()), "1 second")
      took = (yield* Clock.currentTimeMillis) - before
      return none
    })))
    expect(exit).toEqual(Option.none())
    // its time, and two turns of the clock
    expect(took).toBeLessThan(3500)
  })

  test("comes though the body that runs as its main greenlet goes on", async () => {
    const scope = Scope.makeUnsafe()
    const virtual = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(hastily(effect))
    await virtual(Effect.gen(function*() {
      const thread = yield* Scope.provide(makeThread, scope)
      const host = yield* Effect.forkDetach(Effect.provideService(
        call(function*() {
          for (;;) {
            try {
              yield* sleep(1000)
            } catch {
              // on purpose
            }
          }
        }) as Effect.Effect<never>,
        Thread,
        thread
      ))
      yield* Effect.yieldNow
      yield* Scope.close(scope, Exit.void)
      expect(thread.ended).toBe(true)
      expect(host.pollUnsafe()).toBeDefined()
    }))
  })
})
