/** Threads: what their end does, and who may use them. */
import { Cause, Effect, Exit, Scope } from "effect"
import {
  call,
  getcurrent,
  Greenlet,
  greenlet,
  GreenletError,
  GreenletExit,
  makeThread,
  Thread,
  ValueError,
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

  test("leaves one that a finally could not start as it was: it can start on another thread", () =>
    besideAnother(function*(there, other) {
      const [switched, thrown] = [greenlet(() => "switched"), greenlet(() => "thrown")]
      yield* Effect.promise(() =>
        run(Effect.suspend(() => {
          switched.parent = thrown.parent = getcurrent()
          return greenlet(as(kind, function*() {
            try {
              yield* parent().switch()
            } finally {
              for (const op of [switched.switch(), thrown.throw()]) {
                try {
                  yield* op
                } catch {}
              }
            }
          })).switch()
        }))
      )
      for (const g of [switched, thrown]) {
        expect([g.active, g.dead]).toEqual([false, false])
        g.parent = there
        yield* on(other, g.switch())
        expect(g.dead).toBe(true)
      }
    }))

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

  test("tells of all that went wrong, and names each greenlet that it drops", async () => {
    class Stubborn extends Greenlet {
      readonly label: string
      constructor(label: string) {
        super(as(kind, function*() {
          for (;;) {
            try {
              yield* parent().switch()
            } catch {
              continue
            }
          }
        }))
        this.label = label
      }
      override toString(): string {
        if (this.label === "") throw new Error("it has no name")
        return this.label
      }
    }
    const error = new Error("in finally")
    const exit = await Effect.runPromiseExit(withThread(Effect.gen(function*() {
      yield* new Stubborn("the first").switch()
      yield* greenlet(as(kind, function*() {
        try {
          yield* parent().switch()
        } finally {
          // oxlint-disable-next-line no-unsafe-finally -- what is tested
          throw error
        }
      })).switch()
      yield* new Stubborn("").switch()
    })))
    const defects = (Exit.isFailure(exit) ? exit.cause.reasons : []).map((reason) =>
      reason._tag === "Die" ? reason.defect : undefined
    )
    const message = "a greenlet did not end with its thread: it catches GreenletExit and switches on"
    expect(defects.map((defect) => defect === error ? "finally" : (defect as Error).message)).toEqual([
      `${message}: the first`,
      "finally",
      `${message}: Stubborn`
    ])
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

/** Runs a body as main, with a greenlet of another thread, and that thread. */
const besideAnother = <A>(body: (there: Greenlet, other: Thread) => Generator<any, A, any>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const other = yield* makeThread
    const there = yield* Effect.provideService(Effect.sync(() => greenlet(() => "there")), Thread, other)
    return yield* withThread(Effect.orDie(call(body, there, other)))
  })))

/** Performs an operation on another thread, from outside of it. */
const on = (thread: Thread, operation: Effect.Effect<unknown, unknown>): Effect.Effect<unknown> =>
  Effect.promise(() => Effect.runPromise(Effect.provideService(operation, Thread, thread)))

function* errorOf(operation: Effect.Effect<unknown, unknown>): Generator<Effect.Effect<any, any>, any, any> {
  const exit = yield* Effect.exit(operation)
  return Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
}

describe.each(kinds)("an unstarted greenlet whose parent is moved to another thread, with a %s body,", (kind) => {
  test("goes there with it, and cannot be switched to or thrown into from here", () =>
    besideAnother(function*(there, other) {
      const log: Array<unknown> = []
      const make = (name: string, parent?: Greenlet) =>
        greenlet(
          as(kind, function*(value: unknown) {
            log.push(`${name} got ${String(value)}`)
            return name
          }),
          parent
        )
      const top = make("top")
      const middle = make("middle", top)
      const bottom = make("bottom", middle)
      top.parent = there
      for (const op of [bottom.switch("x"), bottom.throw(new Error("thrown")), middle.switch(), middle.throw()]) {
        const error = yield* errorOf(op)
        expect(error).toBeInstanceOf(GreenletError)
        expect(error.message).toContain("another thread")
      }
      expect([top, middle, bottom].map((g) => g.active || g.dead)).toEqual([false, false, false])
      expect(greenlet(() => {}, bottom).thread).toBe(other)
      expect(log).toEqual([])
      expect(yield* on(other, bottom.switch("x"))).toBe("there")
      expect(log).toEqual(["bottom got x", "middle got bottom", "top got middle"])
    }))

  test("does not stand for its dead child", () =>
    besideAnother(function*(there, other) {
      const parent = greenlet(as(kind, function*() {
        yield* there.switch("suspended")
      }))
      const child = greenlet(as(kind, function*() {}))
      yield* child.switch()
      child.parent = parent
      parent.parent = there
      for (const state of ["unstarted", "suspended", "dead"]) {
        for (const op of [child.switch("x"), child.throw(new Error("thrown")), child.throw()]) {
          expect(yield* errorOf(op)).toBeInstanceOf(GreenletError)
        }
        expect([parent.active, parent.dead]).toEqual([state === "suspended", state === "dead"])
        if (state !== "dead") yield* Effect.exit(on(other, parent.switch()))
      }
    }))

  test("has the end of a child that runs here go to main, as an error", () =>
    besideAnother(function*(there) {
      const parent = greenlet(as(kind, function*() {}))
      for (const fails of [false, true]) {
        const child = greenlet(
          as(kind, function*() {
            parent.parent = there
            if (fails) throw new Error("thrown")
          }),
          parent
        )
        parent.parent = getcurrent()
        expect(yield* errorOf(child.switch())).toBeInstanceOf(GreenletError)
        expect([child.dead, parent.active, parent.dead]).toEqual([true, false, false])
      }
    }))

  test("cannot be started by a run getter that moves it", () =>
    besideAnother(function*(there) {
      let ran = false
      class Moves extends Greenlet {
        // @ts-expect-error -- an accessor in the place of a method
        override get run() {
          this.parent = there
          return as(kind, function*() {
            ran = true
          })
        }
      }
      const [switched, thrown, parent] = [new Moves(), new Moves(), new Moves()]
      const child = greenlet(as(kind, function*() {}), parent)
      for (const op of [switched.switch(), thrown.throw(), child.switch()]) {
        expect(yield* errorOf(op)).toBeInstanceOf(GreenletError)
      }
      expect([switched, thrown, parent].map((g) => g.active || g.dead)).toEqual([false, false, false])
      expect(ran).toBe(false)
    }))

  test("can be moved back, and started", () =>
    besideAnother(function*(there) {
      const parent = greenlet(as(kind, function*(value: unknown) {
        return ["parent", value]
      }))
      const child = greenlet(
        as(kind, function*() {
          return "child"
        }),
        parent
      )
      parent.parent = there
      parent.parent = getcurrent()
      expect(yield* child.switch()).toEqual(["parent", "child"])
    }))
})

test("a parent that went to another thread with its own is refused to a started greenlet", () =>
  besideAnother(function*(there) {
    const above = greenlet(() => {})
    const parent = greenlet(() => {}, above)
    const started = greenlet(function*() {
      yield* getcurrent().parent!.switch()
    })
    yield* started.switch()
    above.parent = there
    expect(() => {
      started.parent = parent
    }).toThrow(ValueError)
  }))

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
