/** `run`, nested and not; main that blocks; deadlocks. */
import { Deferred, Effect, Fiber } from "effect"
import {
  type Channel,
  channel,
  DeadlockError,
  getcurrent,
  getmain,
  getruncount,
  run,
  RuntimeError,
  schedule,
  setErrorHandler,
  tasklet,
  TaskletExit
} from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { check } from "./invariants.ts"
import { errorOf, inBothGears, main, onThread } from "./program.ts"

inBothGears("run", () => {
  test("run comes back at once when nothing is runnable", () =>
    main(function*() {
      expect(yield* run()).toBe(undefined)
      expect(getruncount()).toBe(1)
    }))

  test("run comes back although tasklets are blocked", () =>
    main(function*() {
      const c = channel()
      const t = tasklet(function*() {
        yield* c.receive()
      })()
      yield* run()
      expect([t.alive, t.blocked]).toEqual([true, true])
      yield* t.kill()
    }))

  test("main is paused while it runs the scheduler", () =>
    main(function*() {
      let seen: unknown
      tasklet(function*() {
        seen = [getmain().paused, getmain().scheduled, getruncount(), getcurrent().isMain]
      })()
      yield* run()
      expect(seen).toEqual([true, false, 1, false])
    }))

  test("a nested run comes back first, to whoever called it", () =>
    main(function*() {
      const said: Array<string> = []
      tasklet(function*() {
        tasklet(function*() {
          said.push("inner tasklet")
        })()
        yield* run()
        said.push("inner run")
      })()
      yield* run()
      said.push("outer run")
      expect(said).toEqual(["inner tasklet", "inner run", "outer run"])
    }))

  test("an uncaught error goes to the innermost run", () =>
    main(function*() {
      let caught: any
      tasklet(function*() {
        tasklet(function*() {
          throw new Error("inner")
        })()
        caught = yield* errorOf(run())
      })()
      yield* run()
      expect(caught.message).toBe("inner")
    }))

  test("when main is woken by hand, who is in a nested run is made runnable", () =>
    main(function*() {
      const said: Array<string> = []
      tasklet(function*() {
        tasklet(function*() {
          yield* getmain().run()
          said.push("woke main")
        })()
        yield* run()
        said.push("nested run")
      })()
      yield* run()
      expect(said).toEqual([])
      yield* run()
      expect(new Set(said)).toEqual(new Set(["nested run", "woke main"]))
    }))

  test("a tasklet that ends wakes a main that blocks on a channel, with an error", () =>
    main(function*() {
      const c = channel<number>()
      tasklet(function*() {})()
      expect((yield* errorOf(c.receive())).message).toContain("receiving without a sender")
      tasklet(function*() {})()
      expect((yield* errorOf(c.send(1))).message).toContain("sending without a receiver")
      expect(c.balance).toBe(0)
      tasklet(function*() {
        throw new Error("mumbai")
      })()
      expect((yield* errorOf(c.receive())).message).toBe("mumbai")
    }))

  test("main may take part in the exchange", () =>
    main(function*() {
      const c = channel<number>()
      tasklet(function*() {
        yield* c.send((yield* c.receive()) + 1)
      })()
      yield* c.send(1)
      expect(yield* c.receive()).toBe(2)
      yield* run()
    }))

  test("TaskletExit ends a tasklet silently, whoever throws it", () =>
    main(function*() {
      tasklet(function*() {
        throw new TaskletExit()
      })()
      expect(yield* run()).toBe(undefined)
    }))

  test("an error handler gets what tasklets do not catch; its own error goes to main instead", () =>
    main(function*() {
      const handled: Array<unknown> = []
      const failing = () =>
        tasklet(function*() {
          throw new Error("mine")
        })()
      try {
        const handler = (error: unknown, t: unknown) =>
          void handled.push([(error as Error).message, t === getcurrent()])
        expect(setErrorHandler(handler)).toBe(undefined)
        failing()
        yield* run()
        expect(handled).toEqual([["mine", true]])
        expect(setErrorHandler(() => {
          throw new Error("broken")
        })).toBe(handler)
        failing()
        expect((yield* errorOf(run())).message).toBe("broken")
        const early = tasklet(function*() {})()
        expect((yield* errorOf(early.throw(new Error("early")))).message).toBe("broken")
      } finally {
        setErrorHandler(null)
      }
    }))
})

inBothGears("deadlocks", () => {
  test("the last runnable tasklet cannot be blocked: the error says who waits on what", () =>
    main(function*() {
      const c = channel<number>({ name: "orders" })
      const error = yield* errorOf(c.receive())
      expect(error).toBeInstanceOf(DeadlockError)
      expect(error).toBeInstanceOf(RuntimeError)
      expect(error.message).toContain("Deadlock")
      expect(error.message).toContain(`the main tasklet waits to receive on channel "orders"`)
      expect(error.waiting).toEqual([{ tasklet: getmain(), channel: c, direction: "receive" }])
      expect(c.balance).toBe(0)
      check([c])
    }))

  test("a tasklet that would be the last one gets the error, and can go on", () =>
    main(function*() {
      const done = channel<unknown>()
      tasklet(function*() {
        const c = channel()
        yield* done.send(yield* errorOf(c.receive()))
      })()
      expect(yield* done.receive()).toBeInstanceOf(DeadlockError)
      yield* run()
    }))

  test("a deadlock that nobody catches goes to a main that is blocked itself, and tells of both", () =>
    main(function*() {
      const mine = channel({ name: "mine" })
      const its = channel({ name: "its" })
      const t = tasklet(function*() {
        yield* its.receive()
      })()
      t.name = "worker"
      const error = yield* errorOf(mine.receive())
      expect(error).toBeInstanceOf(DeadlockError)
      expect(error.waiting.map((w: any) => [w.tasklet, w.channel, w.direction])).toEqual([
        [t, its, "receive"],
        [getmain(), mine, "receive"]
      ])
      expect(error.message).toContain(`tasklet "worker" waits to receive on channel "its"`)
      check([mine, its], [t])
    }))

  test.each([
    ["a value", (c: Channel<string>) => c.send("from main"), ["received", "from main"]],
    ["an error", (c: Channel<string>) => c.sendThrow(new RangeError("from main")), ["threw", "from main"]]
  ])(
    "%s that main is blocked sending gets through, though a tasklet caught its deadlock",
    (_, send, expected) =>
      main(function*() {
        const c = channel<string>()
        const got: Array<unknown> = []
        tasklet(function*() {
          got.push(yield* errorOf(channel().receive()))
          try {
            got.push("received", yield* c.receive())
          } catch (error) {
            got.push("threw", (error as Error).message)
          }
        })()
        yield* send(c)
        yield* run()
        expect(got).toEqual([expect.any(DeadlockError), ...expected])
      })
  )
})

inBothGears("main's fiber", () => {
  test("interrupting the fiber that is in run makes main current again, and the scheduler works on", () =>
    onThread(Effect.gen(function*() {
      const said: Array<string> = []
      tasklet(function*() {
        for (;;) yield* schedule()
      })().name = "busy"
      const busy = getmain().next!
      const fiber = yield* Effect.forkChild(run())
      yield* Effect.sleep(5)
      yield* Fiber.interrupt(fiber)
      expect(getcurrent()).toBe(getmain())
      check([], [busy])
      yield* busy.kill()
      tasklet(function*() {
        said.push("works")
      })()
      yield* run()
      expect(said).toEqual(["works"])
      check()
    })))

  test("interrupting it while everybody waits outside leaves the waits alone", () =>
    onThread(Effect.gen(function*() {
      const said: Array<string> = []
      const outside = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const t = tasklet(function*() {
        yield* Deferred.succeed(outside, undefined)
        yield* Deferred.await(gate)
        said.push("waited")
      })()
      const fiber = yield* Effect.forkChild(run())
      yield* Deferred.await(outside)
      yield* Fiber.interrupt(fiber)
      check([], [t])
      yield* Deferred.succeed(gate, undefined)
      yield* run()
      expect(said).toEqual(["waited"])
    })))

  test.each(["goes on", "waits", "is over"])(
    "a race that a tasklet decides against run is over when nobody runs: it %s",
    (what) =>
      onThread(Effect.gen(function*() {
        const said: Array<string> = []
        const quit = yield* Deferred.make<string>()
        const t = tasklet(function*() {
          // from here on it is a timer that drives the loop, not the fiber
          yield* Effect.sleep(1)
          yield* Deferred.succeed(quit, "quit")
          said.push("still runs")
          if (what === "goes on") { for (;;) yield* schedule() }
          if (what === "waits") yield* Effect.never
        })()
        expect(yield* Effect.raceFirst(run(), Deferred.await(quit))).toBe("quit")
        expect(said).toEqual(["still runs"])
        expect(getcurrent()).toBe(getmain())
        expect(t.alive).toBe(what !== "is over")
        yield* t.kill()
        tasklet(function*() {
          said.push("works")
        })()
        yield* run()
        expect(said).toEqual(["still runs", "works"])
        check([], [t])
      }))
  )

  test("a second fiber cannot run the same scheduler, and is told so", () =>
    onThread(Effect.gen(function*() {
      const outside = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      tasklet(function*() {
        yield* Deferred.succeed(outside, undefined)
        yield* Deferred.await(gate)
      })()
      const first = yield* Effect.forkChild(run())
      yield* Deferred.await(outside)
      const exit = yield* Effect.exit(run())
      expect(String((exit as any).cause)).toContain("another fiber stands for the main")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
    })))
})
