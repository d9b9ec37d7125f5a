/** Effects that are no operations, in bodies. */
import { Cause, Context, Deferred, Effect, Exit, Fiber } from "effect"
import {
  call,
  getcurrent,
  Greenlet,
  greenlet,
  GreenletExit,
  type Microthread,
  Operation,
  withThread
} from "effect-stackless/greenlet"
import { describe, expect, test } from "vitest"
import { as, generators, kinds, main, run } from "./bodies.ts"

const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 5))

describe.each(kinds)("in a %s body", (kind) => {
  test("an Effect that completes at once gives its value without a switch", () =>
    main(function*() {
      const log: Array<unknown> = []
      const g = greenlet(as(kind, function*() {
        log.push(yield* Effect.sync(() => 1))
        log.push(yield* Effect.succeed(2))
        log.push(yield* Effect.map(Effect.succeed(2), (n) => n + 1))
      }))
      yield* g.switch()
      log.push("back")
      expect(log).toEqual([1, 2, 3, "back"])
    }))

  test("a Deferred that another greenlet completes resumes it when it is switched to", () =>
    main(function*() {
      const deferred = Deferred.makeUnsafe<string>()
      const log: Array<string> = []
      const completer = greenlet(as(kind, function*() {
        yield* Deferred.succeed(deferred, "done")
        log.push("completed")
      }))
      class Waiter extends Greenlet {
        override waits(): Microthread {
          return completer
        }
      }
      const waiter: Greenlet = new Waiter(as(kind, function*() {
        log.push(`got ${yield* Deferred.await(deferred)}`)
      }))
      yield* waiter.switch()
      // with "gone hard" it waited twice
      while (!waiter.dead) yield* waiter.switch()
      expect(log).toEqual(["completed", "got done"])
    }))

  test("a sleep stops the thread until it is over", () =>
    main(function*() {
      const g = greenlet(as(kind, function*() {
        const start = performance.now()
        yield* Effect.sleep("20 millis")
        return performance.now() - start
      }))
      expect(yield* g.switch()).toBeGreaterThan(15)
    }))

  test("a promise gives its value", () =>
    main(function*() {
      const g = greenlet(as(kind, function*() {
        return yield* Effect.promise(async () => {
          await pause()
          return "value"
        })
      }))
      expect(yield* g.switch()).toBe("value")
    }))

  test("a rejected promise throws its error", () =>
    main(function*() {
      const error = new Error("rejected")
      const g = greenlet(as(kind, function*() {
        try {
          yield* Effect.promise(() => Promise.reject(error))
        } catch (e) {
          return e
        }
      }))
      expect(yield* g.switch()).toBe(error)
    }))

  test("a callback gives its value, at once or later", () =>
    main(function*() {
      const g = greenlet(as(kind, function*() {
        const now: number = yield* Effect.callback<number>((resume) => resume(Effect.succeed(1)))
        const later: number = yield* Effect.callback<number>((resume) => {
          setTimeout(() => resume(Effect.succeed(2)), 5)
        })
        return [now, later]
      }))
      expect(yield* g.switch()).toEqual([1, 2])
    }))

  test("services come from the context of the greenlet's creator", async () => {
    class Name extends Context.Service<Name, string>()("test/Name") {}
    const program = call(function*() {
      const g = greenlet(as(kind, function*() {
        return yield* Name as unknown as Effect.Effect<string>
      }))
      return yield* g.switch()
    })
    expect(await run(Effect.provideService(Effect.orDie(program), Name, "creator's"))).toBe("creator's")
  })

  test("a child that it forks lives until the greenlet ends, and is interrupted then", () =>
    main(function*() {
      const log: Array<string> = []
      const g: Greenlet = greenlet(as(kind, function*() {
        yield* Effect.forkChild(
          Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted"))),
          { startImmediately: true }
        )
        yield* Effect.sync(() => log.push("another Effect"))
        yield* g.parent!.switch()
        log.push("ends")
      }))
      yield* g.switch()
      yield* Effect.sleep(5)
      log.push("switch back")
      yield* g.switch()
      yield* Effect.sleep(5)
      expect(log).toEqual(["another Effect", "switch back", "ends", "interrupted"])
    }))

  test("a scope around a switch releases what it acquired when it is left", () =>
    main(function*() {
      const log: Array<string> = []
      const g: Greenlet = greenlet(as(kind, function*() {
        yield* Effect.scoped(Effect.gen(function*() {
          const resource = yield* Effect.acquireRelease(
            Effect.sync(() => (log.push("acquire"), "resource")),
            () => Effect.sync(() => log.push("release"))
          )
          log.push(`use ${resource}, got ${yield* g.parent!.switch("inside")}`)
        }))
        log.push("outside")
      }))
      expect(yield* g.switch()).toBe("inside")
      log.push("main")
      yield* g.switch("value")
      expect(log).toEqual(["acquire", "main", "use resource, got value", "release", "outside"])
    }))

  test("Effect.fail is caught by try and catch, the very object", () =>
    main(function*() {
      const error = { _tag: "Mine" }
      const g = greenlet(as(kind, function*() {
        try {
          yield* Effect.fail(error)
        } catch (e) {
          return e
        }
      }))
      expect(yield* g.switch()).toBe(error)
    }))

  test("a defect is caught by try and catch, the very object", () =>
    main(function*() {
      const error = new Error("defect")
      const g = greenlet(as(kind, function*() {
        try {
          yield* Effect.flatMap(Effect.yieldNow, () => Effect.die(error))
        } catch (e) {
          return e
        }
      }))
      expect(yield* g.switch()).toBe(error)
    }))

  test.each([{ _tag: "Mine" }, "a string", 7])(
    "a typed failure that no body catches is a failure outside: %o",
    async (error) => {
      const body = function*() {
        yield* Effect.fail(error)
      }
      const g = greenlet(kind === "hard" ? () => Effect.fail(error) : as(kind, body))
      const exit = await Effect.runPromiseExit(g.switch() as Effect.Effect<unknown, unknown>)
      expect(exit).toEqual(Exit.fail(error))
    }
  )

  test("what a body throws is a defect outside, the very object", async () => {
    const error = new Error("thrown")
    const g = greenlet(as(kind, function*() {
      throw error
    }))
    const exit = await Effect.runPromiseExit(g.switch())
    expect(Exit.isFailure(exit) && exit.cause.reasons.filter(Cause.isDieReason).map((r) => r.defect)).toEqual([error])
  })

  test("an error crosses greenlets as the same object, whether it failed or was thrown", () =>
    main(function*() {
      for (const error of [new Error("thrown"), { _tag: "Failed" }]) {
        const inner = greenlet(as(kind, function*() {
          if (error instanceof Error) throw error
          yield* Effect.fail(error)
        }))
        const outer = greenlet(as(kind, function*() {
          inner.parent = getcurrent()
          yield* inner.switch()
        }))
        let caught: unknown
        try {
          yield* outer.switch()
        } catch (e) {
          caught = e
        }
        expect(caught).toBe(error)
      }
    }))

  test("an Effect that was interrupted by itself is GreenletExit in the body", () =>
    main(function*() {
      const g = greenlet(as(kind, function*() {
        try {
          yield* Effect.exit(Effect.interrupt)
          return "survived"
        } catch (e) {
          return e
        }
      }))
      const result = yield* g.switch()
      expect(result === "survived" || result instanceof GreenletExit).toBe(true)
    }))

  test("a loop of many foreign Effects takes neither stack nor memory", () =>
    main(function*() {
      const g = greenlet(as(kind, function*() {
        let sum = 0
        for (let i = 0; i < 50_000; i++) sum += yield* Effect.sync(() => 1)
        return sum
      }))
      expect(yield* g.switch()).toBe(50_000)
    }))

  test("a foreign Effect in a called function runs on the same greenlet", () =>
    main(function*() {
      function* helper(n: number): Generator<Effect.Effect<any, any>, number, any> {
        yield* Effect.sleep(1)
        const at = getcurrent()
        yield* Effect.sync(() => expect(getcurrent()).toBe(at))
        return n === 0 ? 0 : 1 + (yield* call(helper, n - 1))
      }
      const g = greenlet(as(kind, function*() {
        return yield* call(helper, 3)
      }))
      expect(yield* g.switch()).toBe(3)
    }))
})

describe("interruption from outside", () => {
  test.each(generators)("is GreenletExit in a %s body that waits for an Effect, and runs its finally", async (kind) => {
    const log: Array<unknown> = []
    let fiber: Fiber.Fiber<any, any> | undefined
    const g = greenlet(as(kind, function*() {
      try {
        yield* Effect.onInterrupt(
          Effect.callback(() => {
            fiber = Fiber.getCurrent()
          }),
          () => Effect.sync(() => log.push("finalizer"))
        )
      } catch (error) {
        log.push(error instanceof GreenletExit)
        throw error
      } finally {
        log.push("finally")
      }
    }))
    setTimeout(() => fiber!.interruptUnsafe(), 10)
    expect(await Effect.runPromise(g.switch<unknown>())).toBeInstanceOf(GreenletExit)
    expect(log).toEqual(["finalizer", true, "finally"])
    expect(g.dead).toBe(true)
  })

  test("ends a greenlet whose body is an Effect with GreenletExit, its finalizers run", async () => {
    const log: Array<string> = []
    let fiber: Fiber.Fiber<any, any> | undefined
    const g = greenlet(() =>
      Effect.callback<string>(() => {
        fiber = Fiber.getCurrent()
      }).pipe(Effect.ensuring(Effect.sleep(5)), Effect.ensuring(Effect.sync(() => log.push("finalizer"))))
    )
    setTimeout(() => fiber!.interruptUnsafe(), 10)
    expect(await Effect.runPromise(g.switch<unknown>())).toBeInstanceOf(GreenletExit)
    expect(log).toEqual(["finalizer"])
    expect(g.dead).toBe(true)
  })

  test("reaches a greenlet that is suspended in a switch when it is next switched to", () =>
    main(function*() {
      const log: Array<unknown> = []
      let fiber: Fiber.Fiber<any, any> | undefined
      const g: Greenlet = greenlet(function*() {
        yield* Effect.sync(() => fiber = Fiber.getCurrent())
        try {
          yield* g.parent!.switch("away")
        } catch (error) {
          log.push(error instanceof GreenletExit)
          return yield* Effect.succeed("went on")
        }
      })
      expect(yield* g.switch()).toBe("away")
      fiber!.interruptUnsafe()
      expect(log).toEqual([])
      expect(yield* g.switch()).toBe("went on")
      expect(log).toEqual([true])
    }))

  test("reaches a body that is an Effect while it lets the event loop have a turn, and its thread is elsewhere", () =>
    run(Effect.gen(function*() {
      let fiber: Fiber.Fiber<unknown, unknown> | undefined
      const g = greenlet(() =>
        Effect.gen(function*() {
          fiber = Fiber.getCurrent()
          for (;;) yield* call(() => {})
        })
      )
      yield* Effect.exit(Effect.timeout(g.switch(), 1))
      const result = yield* greenlet(function*() {
        fiber!.interruptUnsafe()
        yield* Effect.sleep(5)
        return yield* g.switch()
      }).switch()
      expect(result).toBeInstanceOf(GreenletExit)
      expect(g.dead).toBe(true)
    })))

  test("in the middle of its operation reaches a body that is an Effect when it is switched to again", () =>
    main(function*() {
      class InterruptingSwitch extends Operation<unknown> {
        readonly fiber: Fiber.Fiber<unknown, unknown>
        constructor(fiber: Fiber.Fiber<unknown, unknown>) {
          super()
          this.fiber = fiber
        }
        perform(current: Microthread): Microthread {
          this.fiber.interruptUnsafe()
          return (current as Greenlet).parent!.give("switched")
        }
      }
      const g = greenlet(() => Effect.withFiber((fiber) => new InterruptingSwitch(fiber)))
      expect(yield* g.switch()).toBe("switched")
      expect(g.active).toBe(true)
      expect(yield* g.switch()).toBeInstanceOf(GreenletExit)
      expect(g.dead).toBe(true)
    }))

  test("that a body inflicts on its own fiber reaches its next Effect, and no other", () =>
    main(function*() {
      const log: Array<unknown> = []
      const g: Greenlet = greenlet(function*() {
        const fiber: any = yield* Effect.sync(() => Fiber.getCurrent())
        fiber.interruptUnsafe()
        try {
          yield* Effect.sync(() => log.push("not reached"))
        } catch (error) {
          log.push(error instanceof GreenletExit)
        }
        yield* Effect.sync(() => log.push("reached"))
      })
      yield* g.switch()
      expect(log).toEqual([true, "reached"])
    }))
})

describe("throw into a greenlet that is suspended on a foreign Effect", () => {
  /** Leaves a greenlet suspended on an Effect: main is timed out of it. */
  const leave = (g: Greenlet) =>
    Effect.gen(function*() {
      expect(Exit.isFailure(yield* Effect.exit(g.switch().pipe(Effect.timeout(10))))).toBe(true)
      expect(g.active).toBe(true)
    })

  test.each(generators)(
    "interrupts the Effect, runs its finalizers, and throws in a %s body",
    (kind) =>
      run(Effect.gen(function*() {
        const log: Array<unknown> = []
        const error = new Error("thrown")
        const g = greenlet(as(kind, function*() {
          try {
            yield* Effect.never.pipe(
              Effect.ensuring(Effect.sync(() => log.push("finalizer"))),
              Effect.ensuring(Effect.andThen(Effect.sleep(5), Effect.sync(() => log.push("slow finalizer"))))
            )
          } catch (e) {
            log.push(e)
            yield* Effect.sleep(1)
            return "caught"
          }
        }))
        yield* leave(g)
        expect(yield* g.throw(error)).toBe("caught")
        expect(log).toEqual(["finalizer", "slow finalizer", error])
      }))
  )

  test("ends a greenlet whose body is an Effect", () =>
    run(Effect.gen(function*() {
      const log: Array<unknown> = []
      const error = new Error("thrown")
      const g = greenlet(() => Effect.ensuring(Effect.never, Effect.sync(() => log.push("finalizer"))))
      yield* leave(g)
      expect(yield* Effect.exit(g.throw(error))).toEqual(Exit.die(error))
      expect(log).toEqual(["finalizer"])
      expect(g.dead).toBe(true)
    })))

  test("waits for an Effect that cannot be interrupted", () =>
    run(Effect.gen(function*() {
      const log: Array<unknown> = []
      const g = greenlet(function*() {
        try {
          yield* Effect.uninterruptible(Effect.andThen(Effect.sleep(30), Effect.sync(() => log.push("done"))))
        } catch (e) {
          log.push(e)
        }
      })
      yield* leave(g)
      yield* g.throw({ name: "error" })
      expect(log).toEqual(["done", { name: "error" }])
    })))

  test("finds one that cannot be interrupted and is over, but has not been resumed", () =>
    run(Effect.gen(function*() {
      const log: Array<unknown> = []
      const over = Deferred.makeUnsafe<void>()
      const g = greenlet(function*() {
        try {
          yield* Effect.uninterruptible(Effect.andThen(Deferred.await(over), Effect.sync(() => log.push("done"))))
        } catch (e) {
          log.push(e)
        }
      })
      yield* leave(g)
      yield* Deferred.succeed(over, undefined)
      expect(log).toEqual([])
      yield* g.throw({ name: "error" })
      expect(log).toEqual(["done", { name: "error" }])
    })))

  test("finds one that is over, but has not been resumed", () =>
    run(Effect.gen(function*() {
      const over = Deferred.makeUnsafe<void>()
      const g = greenlet(function*() {
        try {
          yield* Deferred.await(over)
        } catch (e) {
          return e
        }
      })
      yield* leave(g)
      yield* Deferred.succeed(over, undefined)
      const error = new Error("thrown")
      expect(yield* g.throw(error)).toBe(error)
    })))

  test("lets the body use Effects afterwards, and its forked children live on", () =>
    run(Effect.gen(function*() {
      const log: Array<string> = []
      const g: Greenlet = greenlet(function*() {
        yield* Effect.forkChild(
          Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("child ends"))),
          { startImmediately: true }
        )
        try {
          yield* Effect.never
        } catch {
          yield* Effect.sleep(1)
          log.push("went on")
        }
        yield* Effect.sleep(5)
        log.push("ends")
      })
      yield* leave(g)
      yield* g.throw(new Error("thrown"))
      yield* Effect.sleep(1)
      expect(log).toEqual(["went on", "ends", "child ends"])
    })))
})

test("a greenlet that ends while its parent waits for a foreign Effect lets it wait: its value is dropped", () =>
  run(Effect.gen(function*() {
    const log: Array<unknown> = []
    const parent: Greenlet = greenlet(function*() {
      log.push(yield* Effect.as(Effect.sleep(30), "slept"))
      return "parent"
    })
    const child = greenlet(function*() {
      return "child"
    }, parent)
    yield* Effect.exit(Effect.timeout(parent.switch(), 5))
    expect(yield* child.switch()).toBe("parent")
    expect(log).toEqual(["slept"])
  })))

test("a greenlet that dies of an error while its parent waits for a foreign Effect interrupts that", () =>
  run(Effect.gen(function*() {
    const error = new Error("child's")
    const parent: Greenlet = greenlet(function*() {
      try {
        yield* Effect.never
      } catch (e) {
        return e
      }
    })
    const child = greenlet(function*() {
      throw error
    }, parent)
    yield* Effect.exit(Effect.timeout(parent.switch(), 5))
    expect(yield* child.switch()).toBe(error)
  })))

test("a yielded Exit needs no fiber", () =>
  main(function*() {
    const g: Greenlet = greenlet(function*() {
      const value: number = yield* Exit.succeed(1)
      let caught: unknown
      try {
        yield* Exit.fail("no")
      } catch (e) {
        caught = e
      }
      expect(g._fiber).toBeUndefined()
      return [value, caught]
    })
    expect(yield* g.switch()).toEqual([1, "no"])
  }))

test("main's own body may use foreign Effects", () =>
  main(function*() {
    yield* Effect.sleep(1)
    expect(yield* Effect.promise(() => Promise.resolve(3))).toBe(3)
    expect(getcurrent().parent).toBeUndefined()
  }))

test("a thread of its own leaves the default one alone", async () => {
  const outer = getcurrent()
  await Effect.runPromise(withThread(Effect.sync(() => expect(getcurrent()).not.toBe(outer))))
  expect(getcurrent()).toBe(outer)
})

describe("an Effect above another one that is in progress", () => {
  /** A body that is an Effect, in it a call, in that an Effect that never ends; `log` tells who hears of the end. */
  const nested = (log: Array<string>, inner: Effect.Effect<unknown>) =>
    greenlet(() =>
      Effect.onExit(
        call(function*() {
          try {
            yield* inner
          } finally {
            yield* Effect.sleep(1)
            log.push("the frame in between")
          }
        }),
        (exit) => Effect.sync(() => log.push(`the Effect below: ${exit._tag}`))
      )
    )

  test("is interrupted alone when something is thrown into it: frames and Effects below end of the error", async () => {
    const log: Array<string> = []
    const g = nested(log, Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("the Effect above"))))
    const error = new Error("thrown")
    await Effect.runPromiseExit(Effect.timeout(g.switch(), 5))
    expect(await Effect.runPromiseExit(g.throw(error))).toEqual(Exit.die(error))
    expect(log).toEqual(["the Effect above", "the frame in between", "the Effect below: Failure"])
    expect(g.dead).toBe(true)
  })

  test("finds the services that the one below was given", () =>
    main(function*() {
      class Name extends Context.Service<Name, string>()("test/Name") {}
      const g = greenlet(() =>
        Effect.provideService(
          call(function*(): Generator<any, unknown, any> {
            return yield* Name
          }),
          Name,
          "below"
        )
      )
      expect(yield* g.switch()).toBe("below")
    }))
})

describe.each(generators)("an exit in a %s body", (kind) => {
  test.each([
    ["in a race", (work: Effect.Effect<unknown>) => Effect.race(work, Effect.never)],
    ["in Effect.exit", (work: Effect.Effect<unknown>) => Effect.exit(work)]
  ])("ends the whole greenlet, also out of a call %s", (_, wrap) =>
    main(function*() {
      const log: Array<unknown> = []
      const outside = getcurrent()
      const g = greenlet(as(kind, function*() {
        try {
          yield* wrap(Effect.orDie(call(function*() {
            try {
              yield* outside.switch()
            } finally {
              log.push("the call ends")
            }
          })))
          log.push("lives on")
        } finally {
          log.push("ends")
        }
      }))
      yield* g.switch()
      expect(yield* g.throw()).toBeInstanceOf(GreenletExit)
      expect([g.dead, log]).toEqual([true, ["the call ends", "ends"]])
    }))
})
