/** What can be seen of tasklets and threads, and hooks to look closer: names, frames, traces, contexts, metrics. */
import { Cause, Context, Effect, Exit, Fiber, Metric, Queue, Stream } from "effect"
import {
  Bomb,
  bomb,
  call,
  type Channel,
  channel,
  currentThread,
  enableSoftswitch,
  fromQueue,
  fromStream,
  getcurrent,
  getmain,
  getThreadInfo,
  getthreads,
  makeThread,
  metrics,
  run,
  RuntimeError,
  schedule,
  scheduleRemove,
  select,
  sleep,
  stackless,
  StopIteration,
  Tasklet,
  tasklet,
  TaskletExit,
  Thread,
  toQueue,
  toStream,
  ValueError,
  withThread
} from "effect-stackless/stackless"
import { inspect } from "node:util"
import { describe, expect, test } from "vitest"
import { compiled } from "../gear.ts"
import { errorOf, inBothGears, main, onThread, type Steps } from "./program.ts"

test("the attributes of the module are an object's", () =>
  main(function*() {
    expect(stackless.current).toBe(getcurrent())
    expect(stackless.main).toBe(getmain())
    expect(stackless.runcount).toBe(1)
    expect(stackless.threads).toContain(getcurrent().threadId)
  }))

describe("tempval", () => {
  test("cannot be set of one that waits for an Effect, before and after something was thrown into it", () =>
    main(function*() {
      let got: unknown
      const t = tasklet(function*() {
        try {
          got = yield* Effect.as(Effect.sleep(1), "slept")
        } catch (error) {
          got = error
        }
      })()
      yield* schedule()
      for (const value of [4, bomb(new Error("no"))]) {
        expect(() => {
          t.tempval = value
        }).toThrow(RuntimeError)
      }
      yield* t.throw(new Error("thrown"), { pending: true })
      expect(() => {
        t.tempval = 4
      }).toThrow(RuntimeError)
      yield* run()
      expect(got).toMatchObject({ message: "thrown" })
    }))

  test("cannot be an error of the tasklet that runs", () =>
    main(function*() {
      const me = getcurrent()
      expect(() => {
        me.tempval = bomb(new Error("no"))
      }).toThrow(RuntimeError)
      expect(yield* schedule()).toBe(me)
    }))

  test("is the function of a tasklet that has no arguments, and what a suspended one resumes with", () =>
    main(function*() {
      const f = function*(): Steps<unknown> {
        return yield* scheduleRemove("back")
      }
      const t = new Tasklet(f)
      expect(t.tempval).toBe(f)
      t.setup()
      expect(t.tempval).toBe(undefined)
      yield* run()
      expect(t.tempval).toBe("back")
      t.tempval = bomb(new Error("boom"))
      expect(t.tempval).toBeInstanceOf(Bomb)
      expect((t.tempval as Bomb).type).toBe(Error)
      t.insert()
      expect((yield* errorOf(run())).message).toBe("boom")
      expect(t.tempval).toBe(undefined)
    }))
})

describe("frames", () => {
  test("a suspended tasklet has frames to read, how many recursionDepth says", () =>
    main(function*() {
      function* deep(n: number): Steps<void> {
        if (n === 0) yield* scheduleRemove()
        else yield* call(deep, n - 1)
      }
      const t = tasklet(deep)(3)
      t.name = "digger"
      expect([t.frame, t.recursionDepth, t.restorable]).toEqual([undefined, 0, true])
      yield* run()
      expect(t.recursionDepth).toBe(4)
      const printed = String(t.frame).split("\n")
      // Below each compiled frame stands its line.
      expect(printed.filter((line) => !line.startsWith(" ")).length).toBe(4)
      expect(printed.length).toBe(compiled ? 8 : 4)
      expect(String(t.frame)).toContain("digger")
      yield* t.kill()
      expect([t.frame, t.recursionDepth]).toEqual([undefined, 0])
      expect(getcurrent().frame).toBe(undefined)
    }))

  test("one that waits for an Effect is nested and not restorable", () =>
    main(function*() {
      const t = tasklet(function*() {
        yield* sleep(1)
      })()
      yield* t.run()
      expect([t.nestingLevel, t.restorable]).toEqual([1, false])
      yield* run()
    }))
})

describe("traces", () => {
  test("a trace function is told what the frames of its tasklet do, a profile function of calls", () =>
    main(function*() {
      const told: Array<unknown> = []
      const profiled: Array<unknown> = []
      const c = channel<number>()
      const t = tasklet(function*(): Steps<string> {
        yield* c.receive()
        try {
          yield* c.receive()
        } catch {
          // as planned
        }
        return "end"
      })()
      t.traceFunction = (of, event, arg) => {
        expect(of).toBe(t)
        told.push(event === "yield" ? event : [event, arg])
      }
      t.profileFunction = (_, event) => profiled.push(event)
      yield* run()
      yield* c.send(1)
      const oops = new Error("oops")
      yield* c.sendThrow(oops)
      expect(told).toEqual([["resume", undefined], "yield", ["resume", 1], "yield", ["throw", oops], ["return", "end"]])
      expect(profiled).toEqual(["call", "return"])
    }))

  test("an error of a trace function ends a tasklet that is an Effect, too, in good order", () =>
    main(function*() {
      const c = channel<number>()
      const t = tasklet(() =>
        Effect.gen(function*() {
          yield* schedule()
          yield* c.receive()
        })
      )()
      yield* t.run()
      const current: Array<unknown> = []
      t.traceFunction = (_, event) => {
        current.push(getcurrent() === t)
        if (current.length === 2) throw new Error(event)
      }
      yield* run()
      expect([t.blocked, c.balance]).toEqual([true, -1])
      expect(yield* errorOf(c.send(1))).toMatchObject({ message: "resume" })
      expect(current).toEqual([true, true])
      expect([t.alive, c.balance]).toEqual([false, 0])
    }))

  test("one can be set in the middle, and taken off", () =>
    main(function*() {
      const told: Array<string> = []
      const t = tasklet(function*() {
        for (;;) yield* schedule()
      })()
      yield* t.run()
      const trace = (_: unknown, event: string) => void told.push(event)
      t.traceFunction = trace
      expect(t.traceFunction).toBe(trace)
      yield* schedule()
      t.traceFunction = null
      expect(t.traceFunction).toBe(undefined)
      yield* schedule()
      expect(told).toEqual(["resume", "yield"])
      yield* t.kill()
      expect(t.traceFunction).toBe(undefined)
      expect(() => t.traceFunction = trace).toThrow(RuntimeError)
      expect(() => t.traceFunction = 3 as never).toThrow(TypeError)
    }))
})

class Level extends Context.Reference<number>("test/Level", { defaultValue: () => 0 }) {}

describe("contexts", () => {
  test("a tasklet has its creator's, and another one can be set", () =>
    onThread(
      Effect.gen(function*() {
        const seen: Array<number> = []
        const look = function*(): Steps<void> {
          seen.push(yield* Level)
        }
        tasklet(look)()
        const t = tasklet(look)()
        expect(t.setContext(Context.make(Level, 2))).toBe(t)
        yield* run()
        expect(seen).toEqual([1, 2])
        expect(() => t.setContext(3 as never)).toThrow(TypeError)
      }).pipe(Effect.provideService(Level, 1))
    ))

  test("contextRun runs an Effect or a body in it", () =>
    main(function*() {
      const t = new Tasklet(function*() {}).setContext(Context.make(Level, 5))
      expect(
        yield* t.contextRun(Effect.gen(function*() {
          return yield* Level
        }))
      ).toBe(5)
      expect(
        yield* t.contextRun(function*(n: number) {
          return n + (yield* Level)
        }, 2)
      ).toBe(7)
      expect(yield* t.contextRun((n: number) => n, 3)).toBe(3)
      expect(yield* Level).toBe(0)
    }))

  test("that of a tasklet is the one of the innermost Effect that it is in, also when it is set", () =>
    main(function*() {
      const c = channel<void>()
      const seen: Array<number> = []
      const inner = function*() {
        yield* Effect.provideService(
          Effect.gen(function*() {
            yield* c.receive()
            seen.push(yield* Level)
          }),
          Level,
          2
        )
        seen.push(yield* Level)
      }
      const t = tasklet(function*() {
        yield* Effect.provideService(Effect.map(call(inner), () => undefined), Level, 1)
        seen.push(yield* Level)
      })()
      yield* run()
      expect(
        yield* t.contextRun(Effect.gen(function*() {
          return yield* Level
        }))
      ).toBe(2)
      t.setContext(Context.make(Level, 3))
      yield* c.send(undefined)
      yield* run()
      // as what a greenlet sets, it ends with the service that the outermost Effect provides
      expect(seen).toEqual([3, 3, 0])
    }))

  test("main's is that of the fiber that stands for it", () =>
    onThread(
      Effect.gen(function*() {
        const look = Effect.gen(function*() {
          return yield* Level
        })
        expect(yield* getmain().contextRun(look)).toBe(4)
        yield* call(function*() {
          expect(yield* getmain().contextRun(look)).toBe(4)
          getmain().setContext(Context.make(Level, 5))
          expect(yield* Level).toBe(5)
        })
      }).pipe(Effect.provideService(Level, 4))
    ))
})

inBothGears("recursionDepth", () => {
  test("is 1 in a body of each kind, and on main", () =>
    main(function*() {
      const seen: Array<number> = []
      const look = () => void seen.push(getcurrent().recursionDepth)
      tasklet(look)()
      tasklet(() => Effect.sync(look))()
      tasklet(function*(): Steps<void> {
        look()
      })()
      look()
      yield* run()
      // this program was called by a `yield*`, which is a frame more only where it is compiled
      const own = "pc" in (function*() {})() ? 2 : 1
      expect(seen).toEqual([own, 1, 1, 1])
      expect(
        yield* call(function*(): Steps<number> {
          return getcurrent().recursionDepth
        })
      ).toBe(own + 1)
    }))
})

describe("the soft gear", () => {
  test("can be switched off, and says what it was", () =>
    main(function*() {
      expect(enableSoftswitch()).toBe(true)
      expect(enableSoftswitch(false)).toBe(true)
      try {
        const t = tasklet(function*() {
          yield* scheduleRemove()
        })()
        yield* run()
        expect([enableSoftswitch(null), t.restorable]).toEqual([false, false])
        yield* t.kill()
      } finally {
        enableSoftswitch(true)
      }
    }))
})

describe("names", () => {
  test("are seen when a tasklet or a channel is printed", () =>
    main(function*() {
      const c = channel({ name: "orders" })
      const t = tasklet(function*() {
        yield* c.receive()
      })()
      expect(String(t)).toBe("<tasklet, scheduled>")
      t.name = "clerk"
      yield* run()
      expect([String(t), String(c)]).toEqual([`<tasklet "clerk", blocked>`, `<channel "orders", balance -1>`])
      t.name = undefined
      expect(t.name).toBe(undefined)
      expect(String(getmain())).toBe("<tasklet main, current>")
      yield* t.kill()
    }))
})

describe("what people see", () => {
  test("of a tasklet, printed by Node and as JSON: name, state, and what it waits for", () =>
    main(function*() {
      const orders = channel<number>({ name: "orders" })
      const clerk = tasklet(function*() {
        yield* orders.receive()
      })()
      clerk.name = "clerk"
      const picky = tasklet(function*() {
        yield* select({ order: orders.receive(), other: channel<number>().send(1) })
      })()
      const sleeper = tasklet(function*() {
        yield* Effect.sleep("1 hour")
      })()
      expect(inspect({ clerk })).toBe(`{ clerk: <tasklet "clerk", scheduled> }`)
      yield* schedule()
      const at = compiled ? / at \S* \(test\/stackless\/inspection\.test\.ts:\d+:\d+\)/ : ""
      expect(inspect(clerk).replace(at, "")).toBe(`<tasklet "clerk", blocked: receive on "orders">`)
      expect(inspect(picky).replace(at, "")).toBe(`<tasklet, blocked: receive on "orders", send on a channel>`)
      expect(inspect(sleeper).replace(at, "")).toBe("<tasklet, blocked: an Effect>")
      expect(JSON.parse(JSON.stringify([clerk, picky, getmain(), orders]))).toEqual([
        {
          type: "tasklet",
          name: "clerk",
          state: "blocked",
          waitsFor: [`receive on "orders"`],
          ...(compiled && { at: expect.stringMatching(/^at \S* \(test\/stackless\/inspection\.test\.ts:\d+:\d+\)$/) })
        },
        { type: "tasklet", state: "blocked", waitsFor: [`receive on "orders"`, "send on a channel"] },
        { type: "tasklet", name: "main", state: "current" },
        { type: "channel", name: "orders", balance: -2, preference: -1, closing: false, closed: false }
      ])
      for (const t of [clerk, picky, sleeper]) yield* t.kill()
      expect(JSON.parse(JSON.stringify(clerk))).toEqual({ type: "tasklet", name: "clerk", state: "dead" })
    }))
})

inBothGears("threads", () => {
  test("have ids, and each a scheduler of its own", () =>
    onThread(Effect.gen(function*() {
      const mine = getcurrent().threadId
      let other: ReadonlyArray<unknown> = []
      yield* withThread(call(function*() {
        other = [getcurrent().threadId, stackless.runcount, getmain().isCurrent, getthreads().includes(mine)]
      }))
      expect(other[0]).not.toBe(mine)
      expect(other.slice(1)).toEqual([1, true, true])
      expect(getthreads()).not.toContain(other[0])
      expect(getThreadInfo(mine)).toEqual([getmain(), getcurrent(), 1])
      expect(getThreadInfo(currentThread())).toEqual(getThreadInfo())
      expect(() => getThreadInfo(other[0] as number)).toThrow("Thread id not found")
    })))

  test("exchange values over a channel, each with a run that waits for the other", () =>
    Effect.runPromise(Effect.gen(function*() {
      const commands = channel<string>()
      const said: Array<string> = []
      const slave = withThread(Effect.suspend(() => {
        tasklet(function*() {
          for (;;) {
            const command = yield* commands.receive()
            said.push(command)
            if (command === "QUIT") return
          }
        })()
        return run({ threadblock: true })
      }))
      const master = withThread(Effect.suspend(() => {
        tasklet(function*() {
          yield* commands.sendSequence(["ECHO 1", "ECHO 2", "QUIT"])
        })()
        return run({ threadblock: true })
      }))
      yield* Effect.all([slave, master], { concurrency: 2 })
      expect(said).toEqual(["ECHO 1", "ECHO 2", "QUIT"])
      expect(commands.balance).toBe(0)
    })))

  test("a run that waits for others is woken by a fiber that is no tasklet", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      let got: unknown
      tasklet(function*() {
        got = yield* c.receive()
      })()
      yield* Effect.forkChild(Effect.delay(c.send(1), 2))
      yield* run({ threadblock: true })
      expect(got).toBe(1)
    })))

  test("a tasklet can be bound to another one while it is paused", () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const [first, second] = [yield* makeThread, yield* makeThread]
      const on = <A>(thread: Thread, f: () => Steps<A>) => Effect.provideService(call(f), Thread, thread)
      const said: Array<unknown> = []
      const t = yield* on(first, function*() {
        const t = tasklet(function*() {
          said.push(getcurrent().threadId)
          yield* scheduleRemove()
          said.push(getcurrent().threadId)
        })()
        yield* run()
        return t
      })
      const ids = yield* on(second, function*() {
        expect(yield* errorOf(t.switch())).toBeInstanceOf(RuntimeError)
        if (enableSoftswitch()) {
          t.bindThread()
          expect(t.threadId).toBe(getcurrent().threadId)
          t.insert()
          expect(() => t.bindThread(first)).toThrow("runnable")
          yield* run()
        } else {
          expect(() => t.bindThread()).toThrow("fiber")
        }
        expect(() => t.bindThread(123_456)).toThrow(ValueError)
        return getcurrent().threadId
      })
      if (said.length === 2) expect(said[1]).toBe(ids)
    }))))

  test("a thread that ends ends its tasklets: their finally blocks run, and they leave their channels", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      const said: Array<string> = []
      let t: Tasklet | undefined
      let unstarted: Tasklet | undefined
      yield* withThread(call(function*() {
        t = tasklet(function*() {
          try {
            yield* c.receive()
          } catch (error) {
            said.push((error as Error).name)
            throw error
          } finally {
            said.push("finally")
          }
        })()
        yield* run()
        unstarted = new Tasklet(function*() {}, [])
      }))
      expect(said).toEqual(["TaskletExit", "finally"])
      expect([t!.alive, t!.threadId, c.balance]).toEqual([false, -1, 0])
      for (const error of [new Error("no"), new TaskletExit()]) {
        const refused = yield* Effect.exit(unstarted!.throw(error))
        expect(String(refused)).toContain("tasklet has no thread")
      }
      expect(() => unstarted!.bind(() => {}, [])).toThrow("tasklet has no thread")
      expect(() => unstarted!.bind(undefined, [])).toThrow("tasklet has no thread")
      yield* unstarted!.kill()
      expect(unstarted!.alive).toBe(false)
    })))

  test("those that have not begun do not live on in a thread that has ended, and can be moved to another one", async () => {
    const said: Array<string> = []
    const orphans = await Effect.runPromise(withThread(
      Effect.sync(() => [
        tasklet(() => said.push("scheduled"))(),
        tasklet(() => said.push("paused"))().remove()
      ])
    ))
    await main(function*() {
      for (const t of orphans) {
        expect([t.alive, t.scheduled, t.paused, t.threadId]).toEqual([false, false, false, -1])
        expect(() => t.insert()).toThrow("has ended")
        expect(yield* errorOf(t.run())).toBeInstanceOf(RuntimeError)
        t.bindThread()
        expect([t.alive, t.paused]).toEqual([true, true])
        t.insert()
      }
      yield* run()
    })
    expect(said).toEqual(["scheduled", "paused"])
  })

  test.each([
    ["receives", (c: Channel<number>) => c.receive()],
    ["schedules", () => schedule()],
    ["leaves the ring", () => scheduleRemove()]
  ])("a thread that ends drops a tasklet that catches everything and %s again", async (_, again) => {
    const seen: Array<unknown> = []
    let t: Tasklet | undefined
    const exit = await Effect.runPromiseExit(withThread(call(function*() {
      const c = channel<number>()
      t = tasklet(function*() {
        for (;;) {
          try {
            yield* again(c)
          } catch (error) {
            if (seen.length < 2) seen.push(error, getcurrent() === t)
            else seen[2] = String(error)
          }
        }
      })()
      yield* t.run()
    })))
    expect(seen).toEqual([expect.any(TaskletExit), true, expect.stringContaining("ending: it cannot switch any more")])
    expect(String(Exit.isFailure(exit) && Cause.squash(exit.cause))).toContain("did not end with its thread")
    // it did not run to its end, so an exit is an error, and only kill lets go of it
    await onThread(Effect.gen(function*() {
      for (const error of [new TaskletExit(), new Error("no")]) {
        for (const pending of [false, true]) {
          const refused = yield* Effect.exit(t!.throw(error, { pending }))
          expect(String(refused)).toContain("tasklet has no thread")
        }
      }
      expect([t!.alive, t!.paused, t!.scheduled, t!.threadId]).toEqual([false, false, false, -1])
      expect(() => t!.bindThread()).toThrow("it was dropped with its thread")
      yield* t!.kill()
      yield* t!.throw(new TaskletExit())
      t!.bindThread()
      expect(t!.alive).toBe(false)
      t!.bind(() => "again", []).insert()
      yield* run()
      expect(yield* t!.join()).toBe("again")
    }))
  })

  test("a tasklet of another thread that is run goes right behind the one that runs there", () =>
    onThread(
      Effect.gen(function*() {
        const thread = yield* makeThread
        const there = Effect.provideService(Thread, thread)
        const said: Array<number> = []
        const [a, b, c] = yield* there(Effect.sync(() => [1, 2, 3].map((n) => new Tasklet(() => said.push(n), []))))
        b!.insert()
        c!.insert()
        yield* a!.run()
        yield* there(run())
        expect(said).toEqual([1, 2, 3])
      }).pipe(Effect.scoped)
    ))

  test("one that is run where everybody waits for an Effect is the next to run there", () =>
    main(function*() {
      const said: Array<number> = []
      let made: ReadonlyArray<Tasklet> = []
      const waits = withThread(call(function*() {
        made = [1, 2, 3].map((n) => new Tasklet(() => said.push(n), []))
        yield* Effect.sleep(2)
        yield* run()
      }))
      const thread = yield* Effect.forkChild(waits, { startImmediately: true })
      made[1]!.insert()
      made[2]!.insert()
      yield* made[0]!.run()
      yield* Fiber.join(thread)
      expect(said).toEqual([1, 2, 3])
    }))
})

describe("metrics", () => {
  test("count switches, runnable and blocked tasklets while they are on", () =>
    onThread(
      Effect.gen(function*() {
        const read = Effect.map(
          Metric.snapshot,
          (all) =>
            Object.fromEntries(all.map(({ id, state }) => [id.replace("stackless_", ""), Object.values(state)[0]]))
        )
        const c = channel<number>()
        yield* Effect.scoped(Effect.gen(function*() {
          yield* metrics
          tasklet(function*() {
            yield* c.receive()
          })()
          tasklet(function*() {
            yield* schedule()
          })()
          expect(yield* read).toEqual({ runcount: 3, blocked: 0, switches: 0 })
          yield* run()
          expect(yield* read).toEqual({ runcount: 1, blocked: 1, switches: 3 })
          yield* c.send(1)
          yield* run()
          expect(yield* read).toEqual({ runcount: 1, blocked: 0, switches: 5 })
        }))
        expect(yield* read).toEqual({})
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
    ))
})

describe("streams and queues", () => {
  test("a stream of a channel ends with the iteration", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      tasklet(function*() {
        yield* c.sendSequence([1, 2, 3])
        yield* c.sendException(StopIteration)
      })()
      const fiber = yield* Effect.forkChild(Stream.runCollect(toStream(c)), { startImmediately: true })
      yield* run()
      expect(yield* Fiber.join(fiber)).toEqual([1, 2, 3])
    })))

  test("a tasklet may run the stream itself", () =>
    main(function*() {
      const c = channel<number>()
      const got: Array<number> = []
      tasklet(function*() {
        yield* Stream.runForEach(toStream(c), (n) => Effect.sync(() => void got.push(n)))
      })()
      tasklet(function*() {
        yield* c.sendSequence([1, 2])
        c.close()
        yield* c.sendException(StopIteration)
      })()
      yield* run()
      expect(got).toEqual([1, 2])
    }))

  test("a channel of a stream closes at its end, and throws what the stream fails with", () =>
    onThread(Effect.scoped(Effect.gen(function*() {
      const c = yield* fromStream(Stream.concat(Stream.make(1, 2), Stream.fail("bad")))
      const got: Array<unknown> = []
      tasklet(function*() {
        for (;;) {
          try {
            const { done, value } = yield* c.next()
            if (done) return
            got.push(value)
          } catch (error) {
            got.push(error)
          }
        }
      })()
      yield* run({ threadblock: true })
      expect(got).toEqual([1, 2, "bad"])
      expect(c.closed).toBe(true)
    }))))

  test("queues, too, both ways", () =>
    onThread(Effect.scoped(Effect.gen(function*() {
      const from = yield* Queue.unbounded<number, Cause.Done>()
      yield* Queue.offerAll(from, [1, 2, 3])
      yield* Queue.end(from)
      const c = yield* fromQueue(from)
      const to = yield* toQueue(c)
      expect(yield* Queue.collect(to)).toEqual([1, 2, 3])
      expect(c.closed).toBe(true)
    }))))

  test("a queue whose scope ends takes its place in the channel back", () =>
    onThread(Effect.gen(function*() {
      const c = channel<number>()
      yield* Effect.scoped(Effect.gen(function*() {
        yield* toQueue(c)
        while (c.balance === 0) yield* Effect.sleep(1)
        expect(c.balance).toBe(-1)
      }))
      expect(c.balance).toBe(0)
    })))
})
