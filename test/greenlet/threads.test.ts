/** Threads: what their end does, and who may use them. */
import { Cause, Effect, Exit, Scope } from "effect"
import {
  call,
  getcurrent,
  type Greenlet,
  greenlet,
  GreenletError,
  GreenletExit,
  makeThread,
  Thread,
  withThread
} from "effect-stackless/greenlet"
import { describe, expect, test } from "vitest"
import { as, generators, kinds, run } from "./bodies.ts"

const parent = () => getcurrent().parent!

describe.each(generators)("the end of a thread, with %s bodies", (kind) => {
  test("ends its suspended greenlets with GreenletExit, in the order they started in, and runs their finally", async () => {
    const log: Array<unknown> = []
    const make = (name: string) =>
      greenlet(as(kind, function*() {
        try {
          yield* parent().switch()
        } catch (error) {
          log.push(`${name} ${(error as Error).name}`)
          throw error
        } finally {
          log.push(`${name} finally`)
        }
      }))
    const made = await run(Effect.gen(function*() {
      const [a, b, c, unstarted] = [make("a"), make("b"), make("c"), make("unstarted")]
      for (const g of [b, a, c]) yield* g!.switch()
      yield* c!.switch()
      log.length = 0
      return [a, b, c, unstarted]
    }))
    expect(log).toEqual(["b GreenletExit", "b finally", "a GreenletExit", "a finally"])
    expect(made.map((g) => g!.dead)).toEqual([true, true, true, false])
  })

  test("lets a finally wait for a foreign Effect, and call", async () => {
    const log: Array<unknown> = []
    await run(Effect.suspend(() =>
      greenlet(as(kind, function*() {
        try {
          yield* parent().switch()
        } finally {
          yield* Effect.sleep(5)
          log.push(
            yield* call(function*() {
              yield* Effect.sleep(1)
              return "called"
            })
          )
        }
      })).switch()
    ))
    expect(log).toEqual(["called"])
  })

  test("refuses a finally that switches with GreenletError", async () => {
    const log: Array<unknown> = []
    await run(Effect.gen(function*() {
      const other = greenlet(as(kind, function*() {
        yield* parent().switch()
        log.push("other runs")
      }))
      yield* other.switch()
      yield* greenlet(as(kind, function*() {
        try {
          yield* parent().switch()
        } finally {
          for (const target of [other, parent(), greenlet(() => {})]) {
            try {
              yield* target.switch()
            } catch (error) {
              log.push(error instanceof GreenletError)
            }
          }
        }
      })).switch()
    }))
    expect(log).toEqual([true, true, true])
  })

  test("interrupts the Effect that a greenlet waits for", async () => {
    const log: Array<unknown> = []
    await run(Effect.suspend(() =>
      greenlet(as(kind, function*() {
        try {
          yield* Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted")))
        } catch (error) {
          log.push(error instanceof GreenletExit)
        }
      })).switch().pipe(Effect.timeout(10), Effect.exit)
    ))
    expect(log).toEqual(["interrupted", true])
  })

  test("drops a greenlet that does not give in, and says so", async () => {
    const exit = await Effect.runPromiseExit(withThread(Effect.suspend(() =>
      greenlet(as(kind, function*() {
        for (;;) {
          try {
            yield* parent().switch()
          } catch {
            continue
          }
        }
      })).switch()
    )))
    expect(String(Exit.isFailure(exit) && Cause.squash(exit.cause))).toContain("did not end with its thread")
  })

  test("drops one, too, that goes on trying what is refused at once", async () => {
    const elsewhere = greenlet(() => {})
    const exit = await Effect.runPromiseExit(withThread(Effect.suspend(() =>
      greenlet(as(kind, function*() {
        for (;;) {
          try {
            yield* parent().switch()
            yield* elsewhere.switch()
          } catch {
            for (;;) {
              try {
                yield* elsewhere.switch()
              } catch {
                continue
              }
            }
          }
        }
      })).switch()
    )))
    expect(String(Exit.isFailure(exit) && Cause.squash(exit.cause))).toContain("did not end with its thread")
  })

  test("ends with the first error that a finally throws, and the others end all the same", async () => {
    const error = new Error("in finally")
    const log: Array<string> = []
    const exit = await Effect.runPromiseExit(withThread(Effect.gen(function*() {
      for (const name of ["a", "b"]) {
        yield* greenlet(as(kind, function*() {
          try {
            yield* parent().switch()
          } finally {
            log.push(name)
            // oxlint-disable-next-line no-unsafe-finally -- what is tested
            if (name === "a") throw error
          }
        })).switch()
      }
    })))
    expect(log).toEqual(["a", "b"])
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBe(error)
  })
})

test("a body that is an Effect has its finalizers run at the end of the thread, and may not switch in them", async () => {
  const log: Array<unknown> = []
  await run(Effect.suspend(() =>
    greenlet(() =>
      parent().switch().pipe(
        Effect.ensuring(Effect.exit(parent().switch()).pipe(Effect.map((exit) => log.push(Exit.isFailure(exit))))),
        Effect.ensuring(Effect.andThen(Effect.sleep(1), Effect.sync(() => log.push("slept"))))
      )
    ).switch()
  ))
  expect(log).toEqual([true, "slept"])
})

test("after its end, a thread's main greenlet is dead", async () => {
  const main = await run(Effect.sync(() => getcurrent()))
  expect(main.dead).toBe(true)
})

test("a thread cannot end while a fiber stands for its main", () =>
  Effect.runPromise(Effect.gen(function*() {
    const scope = yield* Scope.make()
    const thread = yield* Scope.provide(makeThread, scope)
    const on = Effect.provideService(Thread, thread)
    const g = yield* on(Effect.sync(() => greenlet(() => Effect.never)))
    const fiber = yield* Effect.forkChild(on(g.switch()), { startImmediately: true })
    const exit = yield* Effect.exit(thread.end)
    expect(String(Exit.isFailure(exit) && Cause.squash(exit.cause))).toContain("stands for its main")
    fiber.interruptUnsafe()
    yield* Effect.sleep(1)
    yield* Scope.close(scope, Exit.void)
    expect(thread.ended).toBe(true)
  })))

test("a thread that ends with its scope interrupts the fiber that stands for its main", async () => {
  const log: Array<string> = []
  const result = await Effect.runPromise(withThread(Effect.gen(function*() {
    const g = greenlet(() => Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("interrupted"))))
    yield* Effect.forkChild(g.switch(), { startImmediately: true })
    return 5
  })))
  expect(result).toBe(5)
  expect(log).toEqual(["interrupted"])
})

test("greenlets that were made have their thread, whoever performs", () =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const thread = yield* makeThread
    const g = yield* Effect.provideService(Effect.sync(() => greenlet(() => getcurrent())), Thread, thread)
    expect(g.thread).toBe(thread)
    expect(g.parent).toBe(thread.main)
    expect(yield* Effect.provideService(g.switch(), Thread, thread)).toBe(g)
  }))))

describe.each(kinds)("a program of two threads with %s bodies", (kind) => {
  test("has each thread's greenlets run on their own", () =>
    run(Effect.gen(function*() {
      const log: Array<string> = []
      const program = (name: string) =>
        withThread(call(function*() {
          const g: Greenlet = greenlet(as(kind, function*() {
            for (let i = 0; i < 3; i++) {
              log.push(`${name}${i}`)
              yield* Effect.sleep(2)
              yield* parent().switch()
            }
          }))
          while (!g.dead) yield* g.switch()
        }))
      yield* Effect.all([program("a"), program("b")], { concurrency: 2 }) as Effect.Effect<unknown>
      expect(new Set(log)).toEqual(new Set(["a0", "a1", "a2", "b0", "b1", "b2"]))
      expect(log.filter((line) => line.startsWith("a"))).toEqual(["a0", "a1", "a2"])
    })))
})
