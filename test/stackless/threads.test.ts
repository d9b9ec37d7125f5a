/** Threads: started in tasklets and in fibers, talking over channels, waiting for each other, ended. */
import { Cause, Context, Effect, Exit, Fiber } from "effect"
import {
  call,
  type Channel,
  channel,
  currentThread,
  DeadlockError,
  getcurrent,
  getmain,
  makeThread,
  run,
  schedule,
  sleep,
  stackless,
  Tasklet,
  tasklet,
  TaskletExit,
  Thread,
  withThread
} from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { inBothGears, main, onThread, type Steps } from "./program.ts"

class Name extends Context.Reference<string>("test/Name", { defaultValue: () => "nobody" }) {}

inBothGears("a thread in a tasklet", () => {
  test("is one of its own: it has a main, a ring and a current tasklet", () =>
    main(function*() {
      const outer = [currentThread(), getmain(), getcurrent().threadId]
      const said: Array<string> = []
      const t = tasklet(function*(): Steps<void> {
        const me = getcurrent()
        const inner = yield* withThread(Effect.sync(() => [currentThread(), getmain(), getcurrent().threadId]))
        for (let i = 0; i < 3; i++) expect(inner[i]).not.toBe(outer[i])
        yield* withThread(call(function*(): Steps<void> {
          expect([stackless.runcount, getcurrent().isMain]).toEqual([1, true])
          tasklet(function*(): Steps<void> {
            said.push("a")
            yield* schedule()
            said.push("c")
          })()
          tasklet(() => said.push("b"))()
          yield* run()
        }))
        expect(getcurrent()).toBe(me)
      })()
      yield* run()
      expect([t.alive, said]).toEqual([false, ["a", "b", "c"]])
    }))

  test("does not hold the tasklets outside up, and gives back what its program returns", () =>
    main(function*() {
      const said: Array<unknown> = []
      tasklet(function*(): Steps<void> {
        said.push(
          yield* withThread(call(function*(): Steps<string> {
            yield* Effect.sleep(2)
            return "inner"
          }))
        )
      })()
      tasklet(() => said.push("beside"))()
      yield* run()
      expect(said).toEqual(["beside", "inner"])
    }))

  test("fails as its program does, and is ended where the tasklet is killed", () =>
    main(function*() {
      const said: Array<unknown> = []
      const c = channel()
      const oops = new Error("oops")
      tasklet(function*(): Steps<void> {
        try {
          yield* withThread(call(() => {
            throw oops
          }))
        } catch (error) {
          said.push(error)
        }
      })()
      const t = tasklet(function*(): Steps<void> {
        try {
          yield* withThread(call(function*(): Steps<void> {
            tasklet(function*(): Steps<void> {
              try {
                yield* c.receive()
              } finally {
                said.push("inner ended")
              }
            })()
            yield* schedule()
            yield* Effect.never
          }))
        } catch (error) {
          said.push(error)
          throw error
        }
      })()
      yield* schedule()
      yield* t.kill()
      yield* run()
      expect(said).toEqual([oops, "inner ended", expect.any(TaskletExit)])
      expect(c.balance).toBe(0)
    }))

  test("is started in a forked fiber, with the services of the tasklet", () =>
    onThread(
      call(function*(): Steps<void> {
        const answers = channel<string>()
        const t = tasklet(function*(): Steps<void> {
          const fiber = yield* Effect.forkChild(withThread(call(function*(): Steps<string> {
            expect(getcurrent().isMain).toBe(true)
            tasklet(function*(): Steps<void> {
              yield* answers.send(yield* Name)
            })()
            yield* run({ threadblock: true })
            return "done"
          })))
          yield* answers.send("forked")
          yield* answers.send(yield* Fiber.join(fiber))
        })()
        const got = [yield* answers.receive(), yield* answers.receive(), yield* answers.receive()]
        expect(got).toEqual(["forked", "somebody", "done"])
        yield* run()
        expect(t.alive).toBe(false)
      }).pipe(Effect.provideService(Name, "somebody"))
    ))

  test("nests, and one that is made for a scope ends there with its tasklets", () =>
    main(function*() {
      const said: Array<string> = []
      let left: Tasklet | undefined
      yield* withThread(withThread(call(function*(): Steps<void> {
        const ids = [getcurrent().threadId]
        yield* withThread(call(function*(): Steps<void> {
          ids.push(getcurrent().threadId)
          expect(new Set(ids).size).toBe(2)
        }))
        said.push("nested")
      })))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* makeThread
        left = yield* withThread(Effect.sync(() => new Tasklet(() => {}, [])))
        expect(getcurrent().isMain).toBe(true)
      }))
      expect([left!.alive, said]).toEqual([false, ["nested"]])
      expect(getcurrent().isMain).toBe(true)
    }))

  test.each([
    ["kill", (t: Tasklet) => t.kill()],
    ["kill, pending", (t: Tasklet) => t.kill({ pending: true })],
    ["throw", (t: Tasklet) => t.throw(new TaskletExit())],
    ["throw, pending", (t: Tasklet) => t.throw(new TaskletExit(), { pending: true })]
  ])("ends the tasklet that has begun it: %s", (_, kill) =>
    main(function*() {
      const said: Array<unknown> = []
      const c = channel<string>()
      const t: Tasklet = tasklet(function*(): Steps<void> {
        try {
          yield* Effect.timeoutOption(
            withThread(call(function*(): Steps<void> {
              yield* kill(t)
              said.push("inner")
            })),
            "5 seconds"
          )
          yield* c.send("a value")
          said.push("sent")
        } finally {
          said.push("ends")
        }
      })()
      tasklet(function*(): Steps<void> {
        said.push(yield* Effect.race(c.receive(), Effect.as(Effect.sleep(1), "nothing")))
      })()
      yield* run()
      expect(said).toEqual(["inner", "ends", "nothing"])
      expect([t.alive, c.balance]).toEqual([false, 0])
    }))

  test("throws into the main of the thread around it: at its next operation, and nothing that it sends is lost", () =>
    main(function*() {
      const me = getmain()
      const c = channel<string>()
      const got: Array<string> = []
      tasklet(function*(): Steps<void> {
        got.push(yield* c.receive())
      })()
      const oops = new Error("oops")
      const thrown: Array<unknown> = []
      for (const pending of [false, true]) {
        yield* schedule()
        try {
          yield* withThread(call(function*(): Steps<void> {
            yield* me.throw(oops, { pending })
          }))
          yield* c.send("not sent")
        } catch (error) {
          thrown.push(error)
        }
      }
      yield* c.send("a value")
      yield* run()
      expect([thrown, got]).toEqual([[oops, oops], ["a value"]])
    }))

  test("can be provided to what a tasklet does, which is done there then", () =>
    main(function*() {
      const outer = currentThread()
      const got: Array<unknown> = []
      const t = tasklet(function*(): Steps<void> {
        yield* Effect.scoped(Effect.gen(function*() {
          const other = yield* makeThread
          const there = (): ReadonlyArray<
            unknown
          > => [currentThread() === other, getcurrent() === getmain(), stackless.runcount]
          const on = <A>(effect: Effect.Effect<A, any>) => Effect.provideService(effect, Thread, other)
          got.push(yield* on(call(there)))
          got.push(
            yield* on(Effect.gen(function*() {
              tasklet(() => got.push(currentThread() === other))()
              yield* run()
              return yield* call(there)
            }))
          )
          const fiber = yield* Effect.forkChild(on(call(function*(): Steps<unknown> {
            yield* sleep(1)
            return there()
          })))
          got.push(yield* Fiber.join(fiber))
          expect(currentThread()).toBe(outer)
        }))
        expect(currentThread()).toBe(outer)
        yield* schedule()
        got.push("end")
      })()
      yield* run()
      const there = [true, true, 1]
      expect([got, t.alive]).toEqual([[there, true, there, there, "end"], false])
    }))

  test("can be had synchronously", () => {
    const exit = Effect.runSyncExit(withThread(call(function*(): Steps<unknown> {
      const me = getcurrent()
      const inner = yield* withThread(call(() => getcurrent()))
      return [inner !== me, getcurrent() === me]
    })))
    expect(exit).toEqual(Exit.succeed([true, true]))
  })
})

/** What an Effect dies of. */
const deathOf = <A>(effect: Effect.Effect<A, any, any>): Effect.Effect<unknown> =>
  Effect.map(
    Effect.exit(effect as Effect.Effect<A>),
    (exit) => Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit.value
  )

/** A program that receives: outside of one, a fiber waits as none of a thread. */
const receiving = <T>(c: Channel<T>) =>
  call(function*(): Steps<T> {
    return yield* c.receive()
  })

const all = (...effects: ReadonlyArray<Effect.Effect<any, any, any>>): Promise<Array<any>> =>
  Effect.runPromise(Effect.all(effects as ReadonlyArray<Effect.Effect<any>>, { concurrency: "unbounded" }))

inBothGears("a main that is blocked", () => {
  test("waits for another thread that sends, or receives, at once or later", async () => {
    for (const before of [Effect.void, Effect.yieldNow, Effect.sleep(3)]) {
      const c = channel<number>()
      const sends = withThread(Effect.andThen(before, c.send(1)))
      expect(await all(withThread(receiving(c)), sends)).toEqual([1, undefined])
      expect(await all(sends, withThread(receiving(c)))).toEqual([undefined, 1])
      const program = call(function*(): Steps<void> {
        yield* before
        yield* c.send(2)
      })
      expect(await all(withThread(receiving(c)), withThread(program))).toEqual([2, undefined])
    }
  })

  test("has a conversation with a main of another thread", async () => {
    const [there, back] = [channel<number>(), channel<number>()]
    const asks = call(function*(): Steps<Array<number>> {
      const got: Array<number> = []
      for (let i = 0; i < 100; i++) {
        yield* there.send(i)
        got.push(yield* back.receive())
      }
      return got
    })
    const answers = call(function*(): Steps<void> {
      for (let i = 0; i < 100; i++) yield* back.send(2 * (yield* there.receive()))
    })
    const [got] = await all(withThread(asks), withThread(answers))
    expect(got).toEqual(Array.from({ length: 100 }, (_, i) => 2 * i))
  })

  test("waits for one that is started in a forked fiber, and that one for who has started it", () =>
    main(function*() {
      const c = channel<string>()
      yield* Effect.forkChild(withThread(call(function*(): Steps<void> {
        yield* c.send("from the thread")
        expect(yield* c.receive()).toBe("to the thread")
        yield* c.send("bye")
      })))
      expect(yield* c.receive()).toBe("from the thread")
      yield* Effect.sleep(3)
      yield* c.send("to the thread")
      expect(yield* c.receive()).toBe("bye")
    }))

  test("is served by a tasklet of another thread after its own have ended", async () => {
    const c = channel<number>()
    const receives = call(function*(): Steps<number> {
      tasklet(() => {})()
      return yield* c.receive()
    })
    const sends = call(function*(): Steps<void> {
      tasklet(function*(): Steps<void> {
        yield* Effect.sleep(2)
        yield* c.send(1)
      })()
      yield* run()
    })
    expect(await all(withThread(receives), withThread(sends))).toEqual([1, undefined])
  })

  test("gets DeadlockError when no other thread can run: the last that blocks, and the others as they end", async () => {
    const [a, b] = [channel({ name: "a" }), channel({ name: "b" })]
    const errors = await all(
      deathOf(withThread(receiving(a))),
      deathOf(withThread(Effect.andThen(Effect.sleep(2), receiving(b))))
    )
    expect(errors).toEqual([expect.any(DeadlockError), expect.any(DeadlockError)])
    expect(errors.map((e: DeadlockError) => e.waiting.map(({ channel }) => channel.name))).toEqual([["a"], ["b"]])
    expect([a.balance, b.balance]).toEqual([0, 0])
  })

  test("gets it when the other thread has ended, or its program has, without having served it", async () => {
    const c = channel()
    const [died] = await all(deathOf(withThread(receiving(c))), withThread(Effect.sleep(3)))
    expect(died).toBeInstanceOf(DeadlockError)
    const helped = call(function*(): Steps<unknown> {
      tasklet(() => {})()
      return yield* c.receive()
    })
    const [died2] = await all(deathOf(withThread(helped)), withThread(Effect.sleep(3)))
    expect(String(died2)).toContain("the main tasklet is receiving without a sender available")
  })

  test.each([
    ["waits for the thread", (thread: Effect.Effect<unknown>) => thread],
    [
      "waits for it among others",
      (thread: Effect.Effect<unknown>) =>
        Effect.map(Effect.all([thread, Effect.sleep(2)], { concurrency: 2 }), ([died]) => died)
    ],
    [
      "has forked it, and joins it",
      (thread: Effect.Effect<unknown>) => Effect.flatMap(Effect.forkChild(thread), (fiber) => Fiber.join(fiber))
    ]
  ])("gets it when the only other one %s", async (_, awaits) => {
    const c = channel()
    const inner = deathOf(withThread(receiving(c)))
    expect(await Effect.runPromise(withThread(awaits(inner)))).toBeInstanceOf(DeadlockError)
    const inTasklet = call(function*(): Steps<unknown> {
      let died: unknown
      tasklet(function*(): Steps<void> {
        died = yield* awaits(inner)
      })()
      yield* run()
      return died
    })
    expect(await onThread(inTasklet)).toBeInstanceOf(DeadlockError)
  })

  test("goes on after it has caught one", async () => {
    const c = channel<number>()
    const receives = call(function*(): Steps<unknown> {
      try {
        yield* c.receive()
      } catch (error) {
        expect(error).toBeInstanceOf(DeadlockError)
      }
      tasklet(function*(): Steps<void> {
        yield* c.send(2)
      })()
      return yield* c.receive()
    })
    expect(await all(withThread(receives), withThread(Effect.sleep(1)))).toEqual([2, undefined])
  })

  test("gives its place up when it is interrupted while it waits, and its thread is usable", async () => {
    const c = channel<number>()
    const receives = Effect.gen(function*() {
      const first = yield* Effect.timeoutOption(receiving(c), 2)
      expect([first._tag, c.balance]).toEqual(["None", 0])
      return yield* receiving(c)
    })
    const sends = withThread(Effect.andThen(Effect.sleep(6), c.send(1)))
    expect(await all(withThread(receives), sends)).toEqual([1, undefined])
  })

  test("is told at once where nothing can be waited for", () => {
    const exit = Effect.runSyncExit(withThread(receiving(channel())))
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBeInstanceOf(DeadlockError)
  })
})
