/** What is wrong is told, at once and in words that help; and the thread can be used afterwards. */
import { Cause, Effect, Exit, Fiber } from "effect"
import {
  call,
  getcurrent,
  gettrace,
  Greenlet,
  greenlet,
  GreenletError,
  makeThread,
  settrace,
  Thread,
  UnswitchableGreenlet,
  ValueError,
  withThread
} from "effect-stackless/greenlet"
import { describe, expect, test } from "vitest"
import { as, kinds, main, run } from "./bodies.ts"

const works = Effect.suspend(() =>
  Effect.map(greenlet((n: number) => n + 1).switch(1), (two) => {
    if (two !== 2) throw new Error("the thread does not work")
  })
)

/** What an Effect dies of; the thread works afterwards. */
const deathOf = (effect: Effect.Effect<unknown, unknown>): Promise<any> =>
  run(Effect.gen(function*() {
    const exit = yield* Effect.exit(effect)
    yield* works
    if (Exit.isSuccess(exit)) throw new Error("it did not die")
    return Cause.squash(exit.cause)
  }))

describe("making", () => {
  test.each([
    [3, "number 3"],
    ["x", "string x"],
    [{}, "an object"],
    [true, "boolean true"],
    [Effect.void, "an Effect"],
    [Promise.resolve(), "a promise"],
    [(function*() {})(), "a generator"]
  ])("a greenlet of %o names what it got", (bad, named) => {
    expect(() => greenlet(bad as any)).toThrow(TypeError)
    expect(() => greenlet(bad as any)).toThrow(named)
  })

  test("call of what is no function names what it got", () => {
    expect(() => call(3 as any)).toThrow("got number")
  })

  test("run set to what is no function", () => {
    expect(() => {
      ;(greenlet() as any).run = 3
    }).toThrow(TypeError)
  })

  test("settrace with what is no function", () => {
    expect(() => settrace(3 as any)).toThrow(TypeError)
  })

  test.each([
    ["a generator function", function*() {}, "GeneratorFunction"],
    ["an async function", async () => {}, "AsyncFunction"],
    ["an async generator function", async function*() {}, "AsyncGeneratorFunction"]
  ])("settrace with %s says that a trace function cannot switch", (_, bad, named) => {
    expect(() => settrace(bad as any)).toThrow(TypeError)
    expect(() => settrace(bad as any)).toThrow(`cannot switch or wait; got ${named}`)
    expect(gettrace()).toBeUndefined()
  })
})

describe("a class whose run is", () => {
  test.each([[5, "number 5"], [null, "null"], [undefined, "undefined"], [{}, "an object"]])(
    "%o names it when the greenlet is to be started, and leaves that as it was",
    (bad, named) =>
      main(function*() {
        class Getter extends Greenlet {
          // @ts-expect-error -- an accessor in the place of a method
          override get run() {
            return bad
          }
        }
        class Constant extends Greenlet {}
        Object.defineProperty(Constant.prototype, "run", { value: bad })
        for (const Class of [Getter, Constant] as ReadonlyArray<new() => Greenlet>) {
          const g = new Class()
          for (const op of [g.switch(), g.throw(), greenlet(() => {}, g).switch()]) {
            const exit = yield* Effect.exit(op)
            const error: any = Exit.isFailure(exit) && Cause.squash(exit.cause)
            expect(error).toBeInstanceOf(TypeError)
            expect(error.message).toContain(`a body is a function`)
            expect(error.message).toContain(`got ${named}`)
          }
          expect([g.active, g.dead]).toEqual([false, false])
        }
      })
  )
})

describe("a method that is called on something else than a greenlet", () => {
  test.each([[{}, "an object"], [new Error("no greenlet"), "an object"]])("says so of %o", async (bad, named) => {
    const g: Greenlet = greenlet(() => {})
    for (const op of [() => g.switch.call(bad), () => g.switch.call(bad, 1), () => g.throw.call(bad)]) {
      const error = await deathOf(Effect.suspend(op))
      expect(error).toBeInstanceOf(TypeError)
      expect(error.message).toBe(`this method must be called on a greenlet; got ${named}`)
    }
  })

  test("says so of throw without any", () => {
    const { throw: detached } = greenlet(() => {})
    expect(() => detached()).toThrow(/must be called on a greenlet; got undefined$/)
  })
})

describe("throwing", () => {
  test.each(["abc", 3, null, () => {}, Symbol("s")])("%o is no error", (bad) => {
    expect(() => getcurrent().throw(bad)).toThrow(TypeError)
  })

  test("an instance takes no arguments", () => {
    expect(() => getcurrent().throw(new Error("a"), new Error("b"))).toThrow("no arguments")
  })
})

/** Their generators are stepped by the loop; what a hard body yields is Effect's to judge. */
describe.each(kinds.filter((kind) => kind !== "hard"))("a %s body", (kind) => {
  const yielding = (bad: () => unknown) =>
    greenlet(as(kind, function*(): Generator<any, any, any> {
      yield bad()
    }))

  test.each<[string, () => unknown, string]>([
    ["a promise", () => Promise.resolve(1), "yield* Effect.promise"],
    ["a number", () => 3, "got number"],
    ["null", () => null, "got null"],
    ["undefined", () => undefined, "got undefined"],
    ["a generator", () => (function*() {})(), "yield* in front of its call"],
    ["a function", () => function named() {}, "yield* named("],
    ["a greenlet", () => greenlet(() => {}), "got object"]
  ])("that yields %s is told what was meant", async (_, bad, hint) => {
    const error = await deathOf(Effect.suspend(() => yielding(bad).switch()))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(hint)
  })

  test("gets the error where it yielded, and can go on", () =>
    main(function*() {
      const g = greenlet(as(kind, function*(): Generator<any, any, any> {
        try {
          yield 3
        } catch (error) {
          return [error instanceof TypeError, yield* greenlet(() => "on").switch()]
        }
      }))
      expect(yield* g.switch()).toEqual([true, "on"])
    }))

  // to a body that is one Effect the sleep and the fork are one: it does wait on the spot
  test("that forks a switch, starts it at once and goes on gets an error there", async () => {
    const error = await deathOf(Effect.suspend(() =>
      greenlet(as(kind, function*() {
        const fiber: Fiber.Fiber<unknown, unknown> = yield* Effect.forkChild(
          Effect.suspend(() => greenlet(() => {}).switch()),
          { startImmediately: true }
        )
        yield* Effect.sleep(1)
        return yield* Fiber.join(fiber)
      })).switch()
    ))
    expect(error).toBeInstanceOf(GreenletError)
  })
})

describe.each(kinds)("a %s body", (kind) => {
  test("that switches from a forked fiber gets an error there", async () => {
    const error = await deathOf(Effect.suspend(() =>
      greenlet(as(kind, function*() {
        const fiber: Fiber.Fiber<unknown, unknown> = yield* Effect.forkChild(
          Effect.suspend(() => greenlet(() => {}).switch())
        )
        return yield* Fiber.join(fiber)
      })).switch()
    ))
    expect(error).toBeInstanceOf(GreenletError)
    expect(error.message).toContain("forked")
  })

  test("that runs an operation of its own thread by Effect.runSync gets an error", async () => {
    const error = await deathOf(Effect.suspend(() =>
      greenlet(as(kind, function*() {
        const context: any = yield* Effect.context<never>()
        Effect.runSyncWith(context)(greenlet(() => {}).switch())
      })).switch()
    ))
    expect(error).toBeInstanceOf(GreenletError)
  })
})

describe("a body that is", () => {
  test("an async function is told what to write", async () => {
    const error = await deathOf(Effect.suspend(() => greenlet((async () => 1) as () => unknown).switch()))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain("async function")
  })

  test("an async generator function is told what to write", async () => {
    const error = await deathOf(Effect.suspend(() =>
      greenlet(
        async function*() {
          yield 1
        } as () => unknown
      ).switch()
    ))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain("async generator")
  })

  test("an async function, called, is told what to write", async () => {
    const error = await deathOf(Effect.suspend(() => call((async () => 1) as () => unknown)))
    expect(error).toBeInstanceOf(TypeError)
  })
})

describe("threads", () => {
  test("a second fiber cannot stand for main", async () => {
    const error = await deathOf(Effect.gen(function*() {
      const g = greenlet(function*() {
        yield* Effect.sleep(10)
        return "first"
      })
      const first = yield* Effect.forkChild(g.switch(), { startImmediately: true })
      const second = yield* Effect.exit(greenlet(() => {}).switch())
      expect(yield* Fiber.join(first)).toBe("first")
      return yield* second
    }))
    expect(error).toBeInstanceOf(GreenletError)
    expect(error.message).toContain("withThread")
  })

  test("a greenlet of another thread cannot be switched to or thrown into, from outside or from a body", async () => {
    const foreign = greenlet(() => {})
    for (const op of [() => foreign.switch(), () => foreign.throw()]) {
      expect(await deathOf(Effect.suspend(op))).toBeInstanceOf(GreenletError)
      expect(
        await deathOf(Effect.suspend(() =>
          call(function*() {
            yield* op()
          })
        ))
      ).toBeInstanceOf(GreenletError)
    }
    expect(foreign.dead).toBe(false)
  })

  test("a greenlet of a thread that has ended says so, and cannot be made either", async () => {
    let g!: Greenlet
    let thread!: Thread
    await run(Effect.sync(() => {
      g = greenlet(() => {})
      thread = g.thread
    }))
    expect((await deathOf(Effect.suspend(() => g.switch()))).message).toContain("ended")
    const there = await deathOf(Effect.suspend(() => g.switch()).pipe(Effect.provideService(Thread, thread)))
    expect(there).toBeInstanceOf(GreenletError)
    expect(there.message).toContain("ended")
    const made = await deathOf(
      Effect.sync(() => greenlet(() => {})).pipe(Effect.provideService(Thread, thread))
    )
    expect(made).toBeInstanceOf(GreenletError)
  })

  test("the parent of a started greenlet cannot be on another thread, that of an unstarted one can", () =>
    Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const thread = yield* makeThread
      const there = yield* Effect.provideService(Effect.sync(() => greenlet(() => "there")), Thread, thread)
      const g = greenlet(function*() {
        yield* getcurrent().parent!.switch()
      })
      const unstarted = greenlet(() => "here")
      unstarted.parent = there
      expect(yield* Effect.provideService(unstarted.switch(), Thread, thread)).toBe("there")
      yield* g.switch()
      expect(() => {
        g.parent = there
      }).toThrow(ValueError)
      yield* g.switch()
    }))))

  test("a parent on a thread that has ended is refused", async () => {
    const there = await run(Effect.sync(() => greenlet(() => {})))
    expect(() => {
      greenlet(() => {}).parent = there
    }).toThrow(ValueError)
  })
})

describe("an unswitchable greenlet", () => {
  test("cannot be switched to for the first time, and is still unstarted", () =>
    main(function*() {
      const g = new UnswitchableGreenlet(function*() {
        return "ran"
      })
      g.forceSwitchError = true
      for (const op of [g.switch(), g.throw(new Error("thrown"))]) {
        const exit = yield* Effect.exit(op)
        expect(String(Exit.isFailure(exit) && Cause.squash(exit.cause))).toContain("SystemError")
      }
      g.forceSwitchError = false
      expect(yield* g.switch()).toBe("ran")
    }))

  test("cannot be switched back to, and goes on when it can", () =>
    main(function*() {
      const log: Array<number> = []
      const g = new UnswitchableGreenlet(function*() {
        log.push(1)
        yield* getcurrent().parent!.switch()
        log.push(2)
      })
      yield* g.switch()
      g.forceSwitchError = true
      expect(Exit.isFailure(yield* Effect.exit(g.switch()))).toBe(true)
      expect(log).toEqual([1])
      g.forceSwitchError = false
      yield* g.switch()
      expect(log).toEqual([1, 2])
    }))

  test("as a parent hands the error on to its own", () =>
    main(function*() {
      const g = new UnswitchableGreenlet(function*() {
        yield* getcurrent().parent!.switch()
      })
      yield* g.switch()
      g.forceSwitchError = true
      const child = greenlet(() => 5, g)
      const exit = yield* Effect.exit(child.switch())
      expect(String(Exit.isFailure(exit) && Cause.squash(exit.cause))).toContain("SystemError")
      expect([child.dead, g.dead]).toEqual([true, false])
    }))
})

test("withThread is for one Effect: what comes later is on the thread outside", () =>
  Effect.runPromise(Effect.gen(function*() {
    const inner = yield* withThread(Effect.sync(() => getcurrent()))
    expect(inner.dead).toBe(true)
    expect(getcurrent()).not.toBe(inner)
    yield* works
  })))
