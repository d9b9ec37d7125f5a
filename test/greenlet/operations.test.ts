/** Operations are Effects: piped, raced, timed out, run from outside; and how they are interrupted. */
import { Cause, Deferred, Effect, Exit, Fiber, Option } from "effect"
import {
  call,
  getcurrent,
  type Greenlet,
  greenlet,
  GreenletError,
  GreenletExit,
  Operation,
  settrace,
  withThread
} from "effect-stackless/greenlet"
import { describe, expect, test } from "vitest"
import type { Steps } from "../conformance/gear.ts"
import { as, decidedMeanwhile, kinds, main, run } from "./bodies.ts"

const echo = () =>
  greenlet(function*(value: unknown) {
    for (;;) value = yield* getcurrent().parent!.switch(value)
  })

test("an operation is an Effect", () => {
  expect(Effect.isEffect(echo().switch(1))).toBe(true)
})

test("an operation can be run from outside", async () => {
  expect(await Effect.runPromise(greenlet((x: number) => x + 1).switch(1))).toBe(2)
})

test("one operation object can be performed any number of times", () =>
  main(function*() {
    const g = echo()
    const op = g.switch("again")
    expect([yield* op, yield* op, yield* op]).toEqual(["again", "again", "again"])
  }))

test("yield without the star performs an operation, too", () =>
  main(function*() {
    const g = greenlet(function*(): Generator<any, unknown, unknown> {
      return yield echo().switch("value")
    })
    expect(yield* g.switch()).toBe("value")
  }))

test("Effect.runSync runs a program that does not wait", () => {
  const g = greenlet(function*(a: number) {
    const b: number = yield* getcurrent().parent!.switch(a + 1)
    return (yield* Effect.sync(() => b)) * 2
  })
  expect(Effect.runSync(g.switch(1))).toBe(2)
  expect(Effect.runSync(g.switch(5))).toBe(10)
})

test("Effect.runSync runs a program that only yields to the scheduler", () => {
  const g = greenlet(function*() {
    yield* Effect.yieldNow
    yield* Effect.yieldNow
    return "done"
  })
  expect(Effect.runSync(g.switch())).toBe("done")
})

test("Effect.runSync refuses a program that waits, and the thread can still be used", () =>
  run(Effect.gen(function*() {
    const g = greenlet(function*() {
      yield* Effect.sleep(5)
      return "slept"
    })
    const context = yield* Effect.context<never>()
    expect(Exit.isFailure(Effect.runSyncExitWith(context)(g.switch()))).toBe(true)
    expect(yield* g.switch()).toBe("slept")
  })))

describe("outside of bodies", () => {
  test("an operation can be piped and mapped", async () => {
    expect(await Effect.runPromise(echo().switch(1).pipe(Effect.map((n) => n as number + 1)))).toBe(2)
  })

  test("Effect.exit of an operation has what it dies of", () =>
    run(Effect.gen(function*() {
      const error = new Error("thrown")
      const g = greenlet(function*() {
        throw error
      })
      expect(yield* Effect.exit(g.switch())).toEqual(Exit.die(error))
    })))

  test("a timeout gives up a switch that waits, and main is current again", () =>
    run(Effect.gen(function*() {
      const me = getcurrent()
      const g = greenlet(function*() {
        yield* Effect.never
      })
      const exit = yield* Effect.exit(Effect.timeout(g.switch(), 5))
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBeInstanceOf(Cause.TimeoutError)
      expect(getcurrent()).toBe(me)
      expect(g.active).toBe(true)
      expect(yield* echo().switch("still works")).toBe("still works")
    })))

  test("a timeout gives up a switch to greenlets that never stop", () =>
    run(Effect.gen(function*() {
      const other = greenlet(function*() {
        for (;;) yield* g.switch()
      })
      const g: Greenlet = greenlet(function*() {
        for (;;) yield* other.switch()
      })
      expect(Exit.isFailure(yield* Effect.exit(Effect.timeout(g.switch(), 5)))).toBe(true)
      expect(yield* echo().switch("still works")).toBe("still works")
    })))

  test("what a race interrupts before it began does nothing", () =>
    run(Effect.gen(function*() {
      const g = echo()
      expect(yield* Effect.race(Effect.succeed("first"), g.switch(1))).toBe("first")
      expect(yield* g.switch("still works")).toBe("still works")
    })))
})

describe.each(kinds)("in a %s body", (kind) => {
  test("an operation can be piped and mapped", () =>
    main(function*() {
      const g = greenlet(as(kind, function*() {
        return yield* echo().switch(1).pipe(Effect.map((n) => n as number + 1))
      }))
      expect(yield* g.switch()).toBe(2)
    }))

  test("Effect.exit of an operation has what it dies of", () =>
    main(function*() {
      const error = new Error("thrown")
      const g = greenlet(as(kind, function*() {
        return yield* Effect.exit(
          greenlet(() => {
            throw error
          }).switch()
        )
      }))
      expect(yield* g.switch()).toEqual(Exit.die(error))
    }))

  test("an operation in a race or under a timeout gives its value", () =>
    main(function*() {
      const g = greenlet(as(kind, function*() {
        return [
          yield* Effect.timeout(echo().switch("in time"), "1 second"),
          yield* Effect.race(echo().switch("first"), Effect.never)
        ]
      }))
      expect(yield* g.switch()).toEqual(["in time", "first"])
    }))

  test("a switch under a timeout is taken back when the thread has stopped elsewhere", () =>
    main(function*() {
      const other = greenlet(function*() {
        yield* Effect.never
      })
      const g: Greenlet = greenlet(as(kind, function*() {
        const exit = yield* Effect.exit(Effect.timeout(other.switch(), 5))
        return [getcurrent() === g, Exit.isFailure(exit), yield* echo().switch("still works")]
      }))
      expect(yield* g.switch()).toEqual([true, true, "still works"])
      expect(other.active).toBe(true)
    }))

  test("a switch under a timeout is taken back from greenlets that never stop", () =>
    main(function*() {
      const other: Greenlet = greenlet(function*() {
        for (;;) yield* echo().switch()
      })
      const g = greenlet(as(kind, function*() {
        return Exit.isFailure((yield* Effect.exit(Effect.timeout(other.switch(), 5))) as Exit.Exit<unknown>)
      }))
      expect(yield* g.switch()).toBe(true)
    }))

  test.each(["an Effect", "a switch"])(
    "a call under a timeout ends with GreenletExit where it waits, in %s",
    (where) =>
      main(function*() {
        const log: Array<unknown> = []
        const other = greenlet(function*() {
          yield* Effect.never
        })
        const g = greenlet(as(kind, function*() {
          const called = function*(): Steps<void> {
            try {
              yield* where === "a switch" ? other.switch() : Effect.never
            } catch (error) {
              log.push(error instanceof GreenletExit)
              throw error
            } finally {
              yield* Effect.sleep(1)
              log.push("finally")
            }
          }
          const result = yield* Effect.timeoutOption(call(called), 5)
          log.push(Option.isNone(result), yield* echo().switch("still works"))
          yield* Effect.sleep(1)
          return "end"
        }))
        expect(yield* g.switch()).toBe("end")
        expect(log).toEqual([true, "finally", true, "still works"])
      })
  )

  test.each(["waits", "ends"])(
    "a call that decides the race against itself goes on to where it %s",
    (what) =>
      main(function*() {
        const log: Array<unknown> = []
        const g = greenlet(as(kind, function*() {
          const deferred = Deferred.makeUnsafe<string>()
          const called = function*(): Steps<string> {
            yield* Deferred.succeed(deferred, "decided")
            log.push("runs on")
            try {
              if (what === "waits") yield* Effect.never
            } catch (error) {
              log.push(error instanceof GreenletExit)
            }
            return "called"
          }
          return yield* Effect.raceFirst(Deferred.await(deferred), call(called))
        }))
        expect(yield* g.switch()).toBe("decided")
        expect(log).toEqual(what === "waits" ? ["runs on", true] : ["runs on"])
      })
  )

  test("what is thrown into a call under a timeout comes out of it, before the time is over and after", () =>
    main(function*() {
      const log: Array<unknown> = []
      const error = new Error("thrown")
      const g: Greenlet = greenlet(as(kind, function*() {
        const called = function*(): Steps<void> {
          try {
            yield* g.parent!.switch()
          } finally {
            log.push("finally")
          }
        }
        yield* Effect.timeoutOption(call(called), "1 hour")
      }))
      yield* g.switch()
      let caught: unknown
      try {
        yield* g.throw(error)
      } catch (e) {
        caught = e
      }
      expect([caught, ...log]).toEqual([error, "finally"])
      expect(g.dead).toBe(true)
    }))

  test("a race that is decided while others run is over when they stop", () =>
    main(function*() {
      expect(yield* decidedMeanwhile(kind)).toBe("decided")
    }))

  test("a race that is decided while others run is over when the greenlet is switched to: what that brings is dropped", () =>
    main(function*() {
      const deferred = Deferred.makeUnsafe<string>()
      const other: Greenlet = greenlet(function*() {
        yield* Deferred.succeed(deferred, "decided")
        yield* g.switch("dropped")
      })
      const g: Greenlet = greenlet(as(kind, function*() {
        return yield* Effect.race(Deferred.await(deferred), other.switch())
      }))
      expect(yield* g.switch()).toBe("decided")
    }))
})

describe("a fiber that stands for main", () => {
  test("and is interrupted leaves main current, and the thread usable", () =>
    run(Effect.gen(function*() {
      const g = greenlet(function*() {
        yield* Effect.never
      })
      const fiber = yield* Effect.forkChild(g.switch(), { startImmediately: true })
      expect(getcurrent()).toBe(g)
      yield* Fiber.interrupt(fiber)
      expect(getcurrent().parent).toBeUndefined()
      expect(yield* echo().switch(1)).toBe(1)
    })))

  test.each(kinds)(
    "and is interrupted by a %s greenlet is so when that does not run any more",
    (kind) =>
      run(Effect.gen(function*() {
        const log: Array<unknown> = []
        const g: Greenlet = greenlet(as(kind, function*() {
          fiber.interruptUnsafe()
          log.push(yield* echo().switch("goes on"))
          yield* Effect.never
        }))
        const fiber: Fiber.Fiber<unknown, unknown> = yield* Effect.forkChild(g.switch())
        const exit = yield* Fiber.await(fiber)
        expect(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)).toBe(true)
        expect(log).toEqual(["goes on"])
        expect(getcurrent().parent).toBeUndefined()
        expect(g.active).toBe(true)
        expect(yield* echo().switch("works")).toBe("works")
      }))
  )

  test.each(kinds)(
    "and is interrupted by a %s greenlet that comes back to main lets main go on to where it stops",
    (kind) =>
      run(Effect.gen(function*() {
        const log: Array<unknown> = []
        const g: Greenlet = greenlet(as(kind, function*() {
          fiber.interruptUnsafe()
          yield* getcurrent().parent!.switch("back")
          yield* Effect.never
        }))
        const program = call(function*() {
          try {
            log.push(yield* g.switch())
            log.push(yield* g.switch())
          } catch (error) {
            log.push(error instanceof GreenletExit)
          }
        })
        const fiber: Fiber.Fiber<unknown, unknown> = yield* Effect.forkChild(program)
        yield* Fiber.await(fiber)
        expect(log).toEqual(["back", true])
        expect(yield* echo().switch("works")).toBe("works")
      }))
  )

  test("and is interrupted is a trace event", () =>
    run(Effect.gen(function*() {
      const g = greenlet(function*() {
        yield* Effect.never
      })
      const log: Array<string> = []
      settrace((event, origin, target) => log.push(`${event} ${origin === g} ${target === g}`))
      yield* Effect.exit(Effect.timeout(
        call(function*() {
          yield* g.switch()
        }),
        5
      ))
      settrace(undefined)
      expect(log).toEqual(["switch false true", "throw true false"])
    })))

  test.each(["a switch", "an Effect"])(
    "lets the body that runs as main see GreenletExit and run its finally, in %s",
    (where) =>
      run(Effect.gen(function*() {
        const log: Array<unknown> = []
        const g = greenlet(function*() {
          yield* Effect.never
        })
        const fiber = yield* Effect.forkChild(
          call(function*() {
            try {
              if (where === "a switch") yield* g.switch()
              else yield* Effect.never
            } catch (error) {
              log.push(error instanceof GreenletExit)
              throw error
            } finally {
              log.push(yield* echo().switch("switched"))
              yield* Effect.sleep(5)
              log.push("slept")
            }
          }),
          { startImmediately: true }
        )
        const exit = yield* Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
        expect(log).toEqual([true, "switched", "slept"])
        expect(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)).toBe(true)
        expect(yield* echo().switch(1)).toBe(1)
      }))
  )

  test("reports an error that the body throws instead of GreenletExit", () =>
    run(Effect.gen(function*() {
      const error = new Error("in finally")
      const fiber = yield* Effect.forkChild(
        call(function*() {
          try {
            yield* Effect.never
          } finally {
            // oxlint-disable-next-line no-unsafe-finally -- what is tested
            throw error
          }
        }),
        { startImmediately: true }
      )
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      expect(Exit.isFailure(exit) && exit.cause.reasons.filter(Cause.isDieReason).map((r) => r.defect)).toEqual([error])
    })))
})

test("an operation of one's own names the greenlet to run next", () =>
  main(function*() {
    class HandOver extends Operation<unknown> {
      readonly target: Greenlet
      constructor(target: Greenlet) {
        super()
        this.target = target
      }
      perform() {
        return this.target.give("handed over")
      }
    }
    const log: Array<unknown> = []
    const a: Greenlet = greenlet(function*() {
      log.push(yield* getcurrent().parent!.switch())
    })
    yield* a.switch()
    const b = greenlet(function*() {
      yield* new HandOver(a)
    })
    yield* b.switch()
    expect(log).toEqual(["handed over"])
  }))

test("an error that an operation throws is thrown where it was yielded", () =>
  main(function*() {
    const error = new Error("no")
    class Refuses extends Operation<never> {
      perform(): never {
        throw error
      }
    }
    let caught: unknown
    try {
      yield* new Refuses()
    } catch (e) {
      caught = e
    }
    expect(caught).toBe(error)
  }))

test("programs on threads of their own do not disturb each other", async () => {
  const program = (n: number) =>
    withThread(call(function*() {
      const g = greenlet(function*() {
        let i = n
        for (;;) {
          yield* Effect.sleep(1)
          yield* getcurrent().parent!.switch(i++)
        }
      })
      return [yield* g.switch(), yield* g.switch(), yield* g.switch()]
    }))
  const results = await Effect.runPromise(
    Effect.all([program(0), program(10), program(20)], { concurrency: "unbounded" }) as Effect.Effect<unknown>
  )
  expect(results).toEqual([[0, 1, 2], [10, 11, 12], [20, 21, 22]])
})

test("an iterator of an operation that is asked for and dropped disturbs nobody", () =>
  main(function*() {
    const other = echo().switch(1)
    let calls = 0
    const result = yield* call(() => {
      if (++calls === 1) other[Symbol.iterator]()
      return calls
    })
    expect(result).toBe(1)
    expect(calls).toBe(1)
  }))

/** Are these tests compiled? A body that steps a frame by itself has to perform what that yields. */
const compiled = "pc" in (function*() {})()

/** Hands over to the program outside, which never runs on top of a frame. */
function* leaving(): Steps<void> {
  yield* getcurrent().parent!.switch("left")
}

describe("a generator that a body steps by itself", () => {
  test("performs its operations, and yields what the body has to yield when one hands over", () =>
    main(function*() {
      const g = echo()
      function* asking() {
        return [yield* g.switch(1), yield* g.switch(2)]
      }
      const steps = asking()
      let step = steps.next()
      while (step.done !== true) step = steps.next((yield* step.value) as never)
      expect(step.value).toEqual([1, 2])
    }))

  test("leaves an error for the body that goes on as if nothing had happened", () =>
    run(Effect.gen(function*() {
      const log: Array<unknown> = []
      const careless: Greenlet = greenlet(function*() {
        const parent = getcurrent().parent!
        leaving().next()
        log.push("goes on")
        try {
          return (yield* parent.switch("never performed")) as string
        } catch (error) {
          log.push(error)
          return "caught"
        }
      })
      if (compiled) {
        expect(yield* careless.switch()).toBe("never performed")
        expect(yield* careless.switch("went on")).toBe("went on")
        expect(log).toEqual(["goes on"])
        return
      }
      expect(yield* careless.switch()).toBe("left")
      expect(careless.dead).toBe(false)
      expect(yield* careless.switch()).toBe("caught")
      expect(log).toEqual(["goes on", expect.any(GreenletError)])
      expect(String(log[1])).toContain("delegate to it with yield*")
    })))

  test.each(["returns", "throws"])(
    "leaves an error for the body that %s as if nothing had happened",
    (how) =>
      run(Effect.gen(function*() {
        const careless = greenlet(function*() {
          leaving().next()
          if (how === "throws") throw new Error("lost")
          return "lost"
        })
        if (compiled) {
          const exit = yield* Effect.exit(careless.switch())
          expect(Exit.isSuccess(exit) ? exit.value : String(Cause.squash(exit.cause)))
            .toBe(how === "throws" ? "Error: lost" : "lost")
          expect(careless.dead).toBe(true)
          return
        }
        expect(yield* careless.switch()).toBe("left")
        expect(careless.dead).toBe(false)
        const exit = yield* Effect.exit(careless.switch())
        expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBeInstanceOf(GreenletError)
        expect(careless.dead).toBe(true)
      }))
  )
})

describe("a generator that an Effect steps by itself", () => {
  const asking = (g: Greenlet) =>
    (function*() {
      return [yield* g.switch<number>(1), yield* g.switch<number>(2)]
    })()

  const drive = <A>(
    steps: Steps<A>,
    each: (effect: Effect.Effect<unknown, unknown>) => Effect.Effect<unknown, unknown>
  ): Effect.Effect<A> =>
    Effect.orDie(Effect.gen(function*() {
      let step = steps.next()
      while (step.done !== true) step = steps.next(yield* each(step.value))
      return step.value
    }))

  const echoHard = (): Greenlet =>
    greenlet((value: unknown) =>
      Effect.gen(function*() {
        for (;;) value = yield* getcurrent().parent!.switch(value)
      })
    )

  test.each([["soft", echo], ["hard", echoHard]])(
    "can have what it yields waited for by a child fiber (%s)",
    (_, echo) =>
      main(function*() {
        const g = greenlet(() => drive(asking(echo()), Effect.timeout("1 second")))
        expect(yield* g.switch()).toEqual([1, 2])
      })
  )

  test("gives up what it waits for when that fiber does", () =>
    run(Effect.gen(function*() {
      const log: Array<unknown> = []
      const g = greenlet(() =>
        drive(leaving(), Effect.timeout("1 millis")).pipe(
          Effect.catchDefect((error) => Effect.sync(() => log.push(error))),
          Effect.as("given up")
        )
      )
      expect(yield* g.switch<string>()).toBe("left")
      yield* Effect.sleep("5 millis")
      expect(yield* g.switch<string>()).toBe("given up")
      expect(log).toEqual([expect.any(Cause.TimeoutError)])
    })))

  const instead = {
    "returns": Effect.succeed("lost"),
    "waits for something else": Effect.sleep("1 millis"),
    "waits for something else, and is not interrupted": Effect.uninterruptible(Effect.sleep("1 millis")),
    "performs another operation": Effect.suspend(() => getcurrent().parent?.switch("never") ?? Effect.sleep("1 millis"))
  }

  test.each(Object.entries(instead))(
    "leaves an error for the Effect that %s as if nothing had happened",
    (_, instead) =>
      run(Effect.gen(function*() {
        for (const late of [false, true]) {
          const careless = greenlet(() =>
            Effect.gen(function*() {
              leaving().next()
              yield* instead
            })
          )
          expect(yield* careless.switch()).toBe("left")
          if (late) yield* Effect.sleep("5 millis")
          const exit = yield* Effect.exit(careless.switch())
          expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBeInstanceOf(GreenletError)
          expect(careless.dead).toBe(true)
        }
      }))
  )
})

test("a body that walks like a generator is asked by its own methods", () =>
  main(function*() {
    const asked: Array<unknown> = []
    const steps = (function*() {
      return yield* getcurrent().parent!.switch("first")
    })()
    const counted = Object.assign(steps, {
      next(value: never) {
        asked.push(value)
        return Object.getPrototypeOf(steps).next.call(steps, value)
      }
    })
    const g = greenlet((_?: unknown) => counted)
    expect(yield* g.switch()).toBe("first")
    expect(yield* g.switch("second")).toBe("second")
    // a compiled frame is resumed without its methods
    expect(asked).toEqual(compiled ? [] : [undefined, "second"])
  }))
