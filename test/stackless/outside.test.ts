/** Waiting for foreign Effects, and fibers that are no tasklets. */
import { Deferred, Effect, Fiber, Option } from "effect"
import {
  call,
  type Channel,
  channel,
  getcurrent,
  getmain,
  getruncount,
  run,
  schedule,
  select,
  sleep,
  StopIteration,
  type Tasklet,
  tasklet,
  TaskletExit
} from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { check } from "./invariants.ts"
import { errorOf, inBothGears, main, mainOnVirtualClock, onThread, type Steps } from "./program.ts"

inBothGears("a tasklet that waits for a foreign Effect", () => {
  test("leaves the ring, and the others go on", () =>
    main(function*() {
      const said: Array<string> = []
      const t = tasklet(function*() {
        said.push("sleeps")
        yield* sleep(5)
        said.push("slept")
      })()
      tasklet(function*() {
        said.push(`${t.blocked} ${t.scheduled} ${t.alive} ${getruncount()}`)
      })()
      yield* run()
      expect(said).toEqual(["sleeps", "true false true 1", "slept"])
    }))

  // every so often the thread lets the event loop have a turn: a wait may be over just then, before it idles
  test("goes on whenever its wait is over", () =>
    main(function*() {
      const tick = Effect.callback<void>((resume) => {
        setImmediate(() => resume(Effect.void))
      })
      let ticks = 0
      tasklet(function*() {
        for (; ticks < 20_000; ticks++) {
          for (let turns = (ticks * ticks) % 11; turns > 0; turns--) yield* schedule()
          yield* tick
        }
      })()
      yield* run()
      expect(ticks).toBe(20_000)
    }))

  test("run comes back when nothing is runnable and nothing waits outside", () =>
    mainOnVirtualClock(function*() {
      const ended: Array<number> = []
      for (const ms of [9, 3, 6]) {
        tasklet(function*() {
          yield* sleep(ms)
          ended.push(ms)
        })()
      }
      yield* run()
      expect(ended).toEqual([3, 6, 9])
    }))

  test("a busy ring and a sleeping tasklet both make progress", () =>
    main(function*() {
      let turns = 0
      const sleeper = tasklet(function*() {
        yield* sleep(10)
      })()
      tasklet(function*() {
        while (sleeper.alive) {
          turns++
          yield* schedule()
        }
      })()
      yield* run()
      expect(turns).toBeGreaterThan(100)
    }))

  test("a Deferred that another tasklet completes wakes it, in its turn", () =>
    main(function*() {
      const said: Array<string> = []
      const deferred = yield* Deferred.make<string>()
      tasklet(function*() {
        said.push(yield* Deferred.await(deferred))
      })()
      tasklet(function*() {
        yield* Deferred.succeed(deferred, "done")
        said.push("goes on")
      })()
      yield* run()
      expect(said).toEqual(["goes on", "done"])
    }))

  test("what the Effect fails with is thrown in the body", () =>
    main(function*() {
      let caught: unknown
      tasklet(function*() {
        try {
          yield* Effect.delay(Effect.fail("typed"), 1)
        } catch (error) {
          caught = error
        }
      })()
      yield* run()
      expect(caught).toBe("typed")
    }))

  test("kill interrupts the Effect, its finalizers run, then the finally blocks", () =>
    main(function*() {
      const said: Array<string> = []
      const t = tasklet(function*() {
        try {
          yield* Effect.onInterrupt(Effect.never, () => Effect.sync(() => void said.push("interrupted")))
        } catch (error) {
          said.push((error as Error).name)
          throw error
        } finally {
          said.push("finally")
        }
      })()
      yield* t.run()
      expect(t.blocked).toBe(true)
      yield* t.kill()
      yield* run()
      expect(said).toEqual(["interrupted", "TaskletExit", "finally"])
      check([], [t])
      expect(t.alive).toBe(false)
    }))

  test("a pending kill does so when its turn comes", () =>
    main(function*() {
      const t = tasklet(function*() {
        yield* Effect.never
      })()
      yield* t.run()
      yield* t.kill({ pending: true })
      expect([t.blocked, t.scheduled, t.alive]).toEqual([false, true, true])
      check([], [t])
      yield* run()
      expect(t.alive).toBe(false)
    }))

  test("a kill that the switch trap refuses leaves it waiting", () =>
    main(function*() {
      const said: Array<string> = []
      const { switchTrap } = yield* Effect.promise(() => import("effect-stackless/stackless"))
      const t = tasklet(function*() {
        yield* sleep(5)
        said.push("slept")
      })()
      yield* t.run()
      switchTrap(1)
      yield* errorOf(t.kill())
      switchTrap(-1)
      expect(t.blocked).toBe(true)
      check([], [t])
      yield* run()
      expect(said).toEqual(["slept"])
    }))

  test("a tasklet that must not block may not wait for an Effect either", () =>
    main(function*() {
      let error: any
      const t = tasklet(function*() {
        error = yield* errorOf(sleep(1))
      })()
      t.blockTrap = true
      yield* run()
      expect(error.message).toContain("does not like to be blocked")
      check([], [t])
    }))

  test("many of them wait at once", () =>
    main(function*() {
      let ended = 0
      for (let i = 0; i < 500; i++) {
        tasklet(function*() {
          yield* sleep(1 + i % 5)
          ended++
        })()
      }
      yield* run()
      expect(ended).toBe(500)
    }))
})

inBothGears("a timeout in a body", () => {
  test("gives the place in the queue up when time is over", () =>
    main(function*() {
      const c = channel<number>()
      let result: unknown
      tasklet(function*() {
        result = yield* Effect.timeoutOption(c.receive(), 3)
      })()
      yield* run()
      expect(result).toEqual(Option.none())
      expect(c.balance).toBe(0)
      check([c])
    }))

  test("gives back what comes in time, and nothing is lost", () =>
    main(function*() {
      const c = channel<number>()
      const results: Array<unknown> = []
      tasklet(function*() {
        results.push(yield* Effect.timeoutOption(c.receive(), 1000))
        results.push(yield* c.receive())
      })()
      tasklet(function*() {
        yield* sleep(2)
        yield* c.send(1)
        yield* c.send(2)
      })()
      yield* run()
      expect(results).toEqual([Option.some(1), 2])
    }))

  test("a sender under a timeout takes its value back", () =>
    main(function*() {
      const c = channel<number>()
      tasklet(function*() {
        yield* Effect.timeoutOption(c.send(1), 2)
      })()
      yield* run()
      expect(c.balance).toBe(0)
    }))

  /** How a tasklet may wait that is decided otherwise, and has not heard of it: what is around, and whether it is killed for that. */
  const waits: ReadonlyArray<
    [string, boolean, (operation: Effect.Effect<unknown, any>) => Effect.Effect<unknown, any>]
  > = [
    ["under a timeout", false, (operation) => Effect.timeoutOption(operation, 1)],
    ["in a race with a call", false, (operation) => Effect.raceAll([call(() => Effect.never), operation, sleep(1)])],
    [
      "in a call under a timeout",
      false,
      (operation) =>
        Effect.timeoutOption(
          call(function*(): Steps<unknown> {
            return yield* Effect.race(operation, Effect.never)
          }),
          1
        )
    ],
    ["under a timeout, and is killed", true, (operation) => Effect.timeoutOption(operation, "1 hour")],
    ["in a race in a call, and is killed", true, (operation) =>
      call(function*(): Steps<unknown> {
        return yield* Effect.race(operation, Effect.never)
      })]
  ]
  const meetings: ReadonlyArray<
    [string, (c: Channel<number>) => Effect.Effect<unknown, any>, (c: Channel<number>) => Effect.Effect<unknown>]
  > = [
    ["receives", (c) => c.receive(), (c) => c.send(1)],
    ["sends", (c) => c.send(1), (c) => c.receive()],
    ["selects", (c) => select({ c: c.receive() }), (c) => c.send(1)]
  ]

  test.each(
    meetings.flatMap(([what, operation, other]) =>
      waits.map(([how, killed, around]) => [what, how, killed, around, operation, other] as const)
    )
  )(
    "that %s %s meets nobody in vain",
    (_, __, killed, around, operation, other) =>
      main(function*() {
        const c = channel<number>()
        let met: unknown
        const t = tasklet(function*(): Steps<void> {
          yield* around(operation(c))
        })()
        tasklet(function*(): Steps<void> {
          if (killed) yield* t.kill({ pending: true })
          else while (t.blocked) yield* schedule()
          met = yield* Effect.timeoutOption(other(c), 5)
        })()
        yield* run()
        expect([met, c.balance, t.alive]).toEqual([Option.none(), 0, false])
      })
  )

  test.each(meetings)(
    "of main, that %s and gets an error, meets nobody in vain",
    (_, operation, other) =>
      main(function*() {
        const c = channel<number>()
        let met: unknown
        const me = getcurrent()
        const oops = new Error("oops")
        tasklet(function*(): Steps<void> {
          yield* me.throw(oops, { pending: true })
          met = yield* Effect.timeoutOption(other(c), 5)
        })()
        expect(yield* errorOf(Effect.timeoutOption(operation(c), "1 hour"))).toBe(oops)
        yield* run()
        expect([met, c.balance]).toEqual([Option.none(), 0])
      })
  )

  test.each(["a channel", "an Effect"])(
    "ends a call with TaskletExit where it waits, for %s",
    (what) =>
      main(function*() {
        const said: Array<unknown> = []
        const c = channel<number>()
        const t = tasklet(function*() {
          const called = function*(): Steps<void> {
            try {
              yield* what === "a channel" ? c.receive() : Effect.never
            } catch (error) {
              said.push(error instanceof TaskletExit)
              throw error
            } finally {
              yield* schedule()
              said.push("finally")
            }
          }
          said.push(yield* Effect.timeoutOption(call(called), 3))
          yield* sleep(1)
          said.push("end")
        })()
        yield* run()
        expect(said).toEqual([true, "finally", Option.none(), "end"])
        expect(c.balance).toBe(0)
        check([c], [t])
      })
  )

  test("ends a call that decides its race against itself with TaskletExit at its next Effect", () =>
    main(function*() {
      const said: Array<unknown> = []
      const t = tasklet(function*() {
        const quit = yield* Deferred.make<string>()
        const called = function*(): Steps<void> {
          yield* sleep(1)
          yield* Deferred.succeed(quit, "quit")
          try {
            yield* Effect.never
          } catch (error) {
            said.push(error instanceof TaskletExit)
            throw error
          }
        }
        said.push(yield* Effect.raceFirst(call(called), Deferred.await(quit)))
      })()
      yield* run()
      expect(said).toEqual([true, "quit"])
      check([], [t])
    }))

  test("a timeout around schedule puts the tasklet back where it can run", () =>
    main(function*() {
      let ended = false
      const t = tasklet(function*() {
        yield* Effect.timeoutOption(schedule(), 1000)
        ended = true
      })()
      yield* run()
      check([], [t])
      expect(ended).toBe(true)
    }))
})

inBothGears("a fiber that is no tasklet", () => {
  test("receives what a tasklet sent before run came back", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      const t = tasklet(function*() {
        yield* c.send(1)
      })()
      yield* run()
      expect(c.balance).toBe(1)
      expect(yield* c.receive()).toBe(1)
      expect([t.alive, t.scheduled]).toEqual([true, true])
      yield* run()
      expect(t.alive).toBe(false)
    })))

  test("waits before run, and is served during it", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      const fiber = yield* Effect.forkChild(c.receive(), { startImmediately: true })
      expect([c.balance, c.queue]).toEqual([-1, undefined])
      check([c])
      tasklet(function*() {
        yield* c.send(7)
      })()
      yield* run()
      expect(yield* Fiber.join(fiber)).toBe(7)
    })))

  test("sends to a tasklet while the scheduler idles", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      let got: unknown
      const served = Deferred.makeUnsafe<void>()
      tasklet(function*() {
        got = yield* c.receive()
        yield* Deferred.succeed(served, undefined)
      })()
      tasklet(function*() {
        yield* Deferred.await(served)
      })()
      yield* Effect.forkChild(Effect.delay(c.send(3), 2))
      yield* run()
      expect(got).toBe(3)
    })))

  test("gives its place up when it is interrupted, and times out", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      expect(yield* Effect.timeoutOption(c.receive(), 2)).toEqual(Option.none())
      expect(yield* Effect.timeoutOption(c.send(1), 2)).toEqual(Option.none())
      const fiber = yield* Effect.forkChild(c.send(2), { startImmediately: true })
      expect(c.balance).toBe(1)
      yield* Fiber.interrupt(fiber)
      expect(c.balance).toBe(0)
      check([c])
    })))

  test("stands in the queue between tasklets, which see each other", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      const got: Array<unknown> = []
      const receive = (name: string): Tasklet =>
        tasklet(function*() {
          got.push([name, yield* c.receive()])
        })()
      const a = receive("a")
      yield* run()
      const fiber = yield* Effect.forkChild(Effect.map(c.receive(), (n) => void got.push(["fiber", n])), {
        startImmediately: true
      })
      const b = receive("b")
      yield* run()
      check([c], [a, b])
      expect([c.queue, a.next, b.prev]).toEqual([a, b, a])
      for (const n of [1, 2, 3]) yield* c.send(n)
      yield* Fiber.join(fiber)
      yield* run()
      expect(got).toEqual([["fiber", 2], ["a", 1], ["b", 3]])
    })))

  test("two of them meet without any tasklet, and errors go across", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      const fiber = yield* Effect.forkChild(Effect.exit(c.receive()), { startImmediately: true })
      yield* c.sendThrow(new Error("across"))
      expect(String((yield* Fiber.join(fiber) as any).cause)).toContain("across")
    })))

  test("iterates, as an Effect and as an AsyncIterable", async () => {
    const c = channel<number>()
    const values = [1, 2, 3]
    const fiber = Effect.runFork(Effect.andThen(c.sendSequence(values), c.sendException(StopIteration)))
    const got: Array<number> = []
    for await (const value of c) got.push(value)
    expect(got).toEqual(values)
    await Effect.runPromise(Fiber.join(fiber))
    const again = Effect.runFork(c.each((value) => void got.push(value)))
    await Effect.runPromise(c.send(4))
    await Effect.runPromise(c.sendException(StopIteration))
    expect(await Effect.runPromise(Fiber.join(again))).toBe(1)
    expect(got).toEqual([1, 2, 3, 4])
  })

  test("iterates while another fiber stands for main, whatever the body is", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      const next = channel<void>()
      const got: Array<string> = []
      tasklet(function*() {
        for (let n = 1; n <= 3; n++) {
          yield* sleep(1)
          yield* c.sendSequence([n, n])
          yield* c.sendException(StopIteration)
          yield* next.receive()
        }
      })()
      const running = yield* Effect.forkChild(run({ threadblock: true }), { startImmediately: true })
      yield* c.each((value) => got.push(`plain ${value}`))
      yield* next.send()
      yield* c.each((value) => Effect.sync(() => got.push(`Effect ${value}`)))
      yield* next.send()
      yield* c.each(function*(value) {
        yield* sleep(1)
        got.push(`generator ${value}`)
      })
      yield* next.send()
      yield* Fiber.join(running)
      expect(got).toEqual(["plain 1", "plain 1", "Effect 2", "Effect 2", "generator 3", "generator 3"])
    })))

  test("an AsyncIterable that is left in the middle leaves nothing behind", async () => {
    const c = channel<number>()
    const fiber = Effect.runFork(c.sendSequence([1, 2]))
    for await (const value of c) {
      expect(value).toBe(1)
      break
    }
    expect(c.balance).toBe(1)
    await Effect.runPromise(Fiber.interrupt(fiber))
    expect(c.balance).toBe(0)
  })

  test("may make tasklets runnable and kill them, pending", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      const t = tasklet(function*() {
        yield* c.receive()
      })()
      yield* run()
      yield* t.kill({ pending: true })
      expect([t.scheduled, c.balance]).toEqual([true, 0])
      yield* run()
      expect(t.alive).toBe(false)
    })))

  test.each(["receives", "schedules", "sleeps", "ends"])(
    "may kill, pending, a tasklet that has just woken it and still runs: it %s first",
    (what) =>
      onThread(Effect.gen(function*() {
        const said: Array<unknown> = []
        const c = channel<number>()
        const woken = Deferred.makeUnsafe<void>()
        const t: Tasklet = tasklet(function*() {
          try {
            yield* Deferred.succeed(woken, undefined)
            said.push("still runs")
            if (what === "receives") yield* c.receive()
            if (what === "schedules") { for (;;) yield* schedule() }
            if (what === "sleeps") yield* sleep("1 hour")
          } catch (error) {
            said.push(error instanceof TaskletExit)
            throw error
          }
        })()
        const killer = yield* Effect.forkChild(
          Effect.andThen(Deferred.await(woken), t.kill({ pending: true })),
          { startImmediately: true }
        )
        yield* run()
        yield* Fiber.join(killer)
        yield* run()
        expect(said).toEqual(what === "ends" ? ["still runs"] : ["still runs", true])
        expect(t.alive).toBe(false)
        check([c], [t])
      }))
  )

  test("may kill, pending, a tasklet that never waits, while the event loop has its turn", () =>
    onThread(Effect.gen(function*() {
      const t: Tasklet = tasklet(function*() {
        for (;;) yield* schedule()
      })()
      yield* Effect.forkChild(Effect.andThen(Effect.sleep(1), t.kill({ pending: true })))
      yield* run()
      expect(t.alive).toBe(false)
    })))

  test("nothing is lost between many senders and receivers of which some give up", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      const got: Array<number> = []
      const sent: Array<number> = []
      for (let i = 0; i < 30; i++) {
        tasklet(function*() {
          const received = yield* Effect.timeoutOption(c.receive(), i % 7)
          if (Option.isSome(received)) got.push(received.value)
        })()
        yield* Effect.forkChild(
          Effect.flatMap(
            Effect.timeoutOption(Effect.delay(c.send(i), i % 5), 4),
            (result) => Effect.sync(() => Option.isSome(result) && sent.push(i))
          )
        )
      }
      yield* run()
      yield* Effect.sleep(20)
      yield* run()
      expect(got.length).toBe(sent.length)
      expect(new Set(got)).toEqual(new Set(sent))
      expect(c.balance).toBe(0)
      check([c])
    })))
})

// an Effect of more than 16,384 operators lets the event loop have a turn in the middle
test("what a tasklet is about to give up is not served while it pauses", () =>
  main(function*() {
    const c = channel<number>()
    const decided = Deferred.makeUnsafe<void>()
    const long = Effect.forEach(Array.from({ length: 20_000 }), () => Effect.void, { discard: true })
    tasklet(function*() {
      const child = yield* Effect.forkChild(c.receive(), { startImmediately: true })
      yield* Deferred.await(decided).pipe(Effect.andThen(long), Effect.andThen(Fiber.interrupt(child)))
    })()
    tasklet(function*() {
      yield* Deferred.succeed(decided, undefined)
      yield* c.send(1)
    })()
    let got: unknown
    tasklet(function*() {
      yield* Effect.sleep(20)
      got = yield* c.receive()
    })()
    yield* run()
    expect(got).toBe(1)
    check([c])
  }))

test("a fiber forked by a tasklet uses channels as any other, and lives as long as its tasklet", () =>
  main(function*() {
    const c = channel<number>()
    const got: Array<number> = []
    tasklet(function*() {
      yield* Effect.forkChild(c.sendSequence([1, 2]), { startImmediately: true })
      got.push(yield* c.receive(), yield* c.receive())
    })()
    yield* run()
    expect(got).toEqual([1, 2])
  }))

test("an interrupted fiber of a tasklet is a TaskletExit", () =>
  main(function*() {
    let caught: unknown
    const t = tasklet(function*() {
      try {
        yield* Effect.withFiber((fiber) => Effect.andThen(Effect.sync(() => fiber.interruptUnsafe()), Effect.never))
      } catch (error) {
        caught = error
      }
    })()
    yield* run()
    expect(caught).toBeInstanceOf(TaskletExit)
    expect(t.alive).toBe(false)
    expect(getmain().isCurrent).toBe(true)
  }))
