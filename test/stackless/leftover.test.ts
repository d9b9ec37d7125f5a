/** Who is left over when `run` comes back, or a program has ended. */
import { Effect, Logger } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import * as greenlets from "effect-stackless/greenlet"
import {
  call,
  channel,
  developmentMode,
  isolated,
  LeftBehind,
  type Leftover,
  run,
  type RunOptions,
  schedule,
  scheduleRemove,
  select,
  sleep,
  type Tasklet,
  tasklet,
  withThread
} from "effect-stackless/stackless"
import { afterEach, expect, test } from "vitest"
import { inBothGears, main, onThread, type Steps } from "./program.ts"

let off: (() => void) | undefined
afterEach(() => {
  off?.()
  off = undefined
})

/** What a program logs. */
const logged = async (program: () => Steps<any>): Promise<ReadonlyArray<string>> => {
  const messages: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    messages.push(`${logLevel} ${String(message)}`)
  })
  await onThread(call(program).pipe(Effect.provide(Logger.layer([logger]))))
  return messages
}

/** A cook who waits for an order that never comes, and whoever sends a bill that nobody takes. */
const kitchen = (): ReadonlyArray<Tasklet> => {
  const orders = channel<string>({ name: "orders" })
  const bills = channel<number>({ name: "bills" })
  const cook = tasklet(function*() {
    yield* orders.receive()
  })()
  cook.name = "cook"
  const waiter = tasklet(function*() {
    yield* bills.send(1)
  })()
  waiter.name = "waiter"
  return [cook, waiter]
}

inBothGears("what is left over", () => {
  test("a report names who is blocked, on what, and for how long", () =>
    main(function*() {
      const tasklets = kitchen()
      let left: ReadonlyArray<Leftover> = []
      yield* run({ report: (found) => left = found })
      expect(left.map(({ tasklet, waitsFor }) => [tasklet, waitsFor])).toEqual([
        [tasklets[0], [`receive on "orders"`]],
        [tasklets[1], [`send on "bills"`]]
      ])
      for (const { millis } of left) expect(millis).toBeGreaterThanOrEqual(0)
    }))

  test("the report goes to the program's log", async () => {
    const messages = await logged(function*() {
      kitchen()
      yield* run({ report: true })
    })
    expect(messages).toHaveLength(1)
    expect(messages[0]).toMatch(
      /^Warn 2 tasklets are blocked when run came back\n {4}tasklet "cook" waits for receive on "orders" since \d+ ms.*\n {4}tasklet "waiter" waits for send on "bills"/
    )
  })

  test("nothing is said where nobody is left, nor without being asked", async () => {
    const messages = await logged(function*() {
      const c = channel<number>()
      tasklet(function*() {
        yield* c.receive()
      })()
      tasklet(function*() {
        yield* c.send(1)
      })()
      yield* run({ report: true })
      kitchen()
      yield* run()
      yield* run({ report: false })
    })
    expect(messages).toEqual([])
  })

  test("who goes on before run comes back is not left over", () =>
    main(function*() {
      const c = channel<number>({ name: "numbers" })
      let left: ReadonlyArray<Leftover> = []
      const stays = tasklet(function*() {
        for (;;) yield* c.receive()
      })()
      tasklet(function*() {
        for (let i = 0; i < 3; i++) {
          yield* c.send(i)
          yield* sleep("1 millis")
        }
      })()
      yield* run({ report: (found) => left = found })
      expect(left.map(({ tasklet }) => tasklet)).toEqual([stays])
    }))

  test("a selection is left over with all of its cases", () =>
    main(function*() {
      const a = channel<number>({ name: "a" })
      const b = channel<number>({ name: "b" })
      let left: ReadonlyArray<Leftover> = []
      tasklet(function*() {
        yield* select({ a: a.receive(), b: b.send(1) })
      })()
      yield* run({ report: (found) => left = found })
      expect(left[0]!.waitsFor).toEqual([`receive on "a"`, `send on "b"`])
    }))

  test("nobody is told of who is paused, or killed", () =>
    main(function*() {
      const told: Array<unknown> = []
      tasklet(function*() {
        yield* scheduleRemove()
      })()
      const [cook, waiter] = kitchen()
      tasklet(function*() {
        yield* schedule()
        yield* cook!.kill()
        yield* waiter!.kill()
      })()
      yield* run({ report: (left) => told.push(left) })
      expect(told).toEqual([])
    }))

  test("a run that is stopped by its watchdog, or by an error, does not report", () =>
    main(function*() {
      const told: Array<unknown> = []
      const report = (left: ReadonlyArray<Leftover>) => told.push(left)
      kitchen()
      const busy = tasklet(function*() {
        for (;;) yield* call(() => {})
      })()
      expect(yield* run({ timeout: 500, report, ignoreNesting: true })).toBe(busy)
      yield* busy.kill()
      tasklet(function*() {
        throw new Error("of its own")
      })()
      const error = yield* Effect.flip(Effect.sandbox(run({ report })))
      expect(String(error)).toContain("of its own")
      expect(told).toEqual([])
    }))

  test("development mode reports each wait once, wherever it was turned on", async () => {
    for (const enter of [greenlets.developmentMode, gevent.developmentMode, developmentMode]) {
      off = enter()
      const messages = await logged(function*() {
        kitchen()
        yield* run()
        yield* run()
        const c = channel<number>({ name: "more" })
        tasklet(function*() {
          yield* c.receive()
        })()
        yield* run()
      })
      off()
      expect(messages).toHaveLength(2)
      expect(messages[0]).toContain("2 tasklets are blocked")
      expect(messages[0]).toMatch(/since \d+ ms, at .*leftover\.test\.ts/)
      expect(messages[1]).toContain("1 tasklet is blocked")
    }
  })

  test("development mode reports on threads that were there before it", () =>
    main(function*() {
      yield* schedule()
      off = developmentMode()
      kitchen()
      let left: ReadonlyArray<Leftover> = []
      yield* run({ report: (found) => left = found })
      expect(left).toHaveLength(2)
      off()
    }))

  test("a program that leaves nothing behind gives what it gives", async () => {
    const program = function*() {
      const c = channel<number>()
      tasklet(function*() {
        yield* c.send(42)
      })()
      return yield* c.receive()
    }
    expect(await Effect.runPromise(isolated(program))).toBe(42)
    expect(await Effect.runPromise(isolated(call(program)))).toBe(42)
    expect(await Effect.runPromise(isolated(() => Effect.succeed(1)))).toBe(1)
  })

  test("a program that leaves tasklets behind fails, whether they are blocked, wait for an Effect, or never end", async () => {
    const ended: Array<string> = []
    const error = await Effect.runPromise(Effect.flip(isolated(function*() {
      kitchen()
      tasklet(function*() {
        try {
          yield* Effect.never
        } finally {
          ended.push("waiting")
        }
      })().name = "waiting"
      yield* schedule()
      tasklet(function*() {
        yield* schedule()
      })().name = "ends"
      tasklet(function*() {
        for (;;) yield* schedule()
      })().name = "endless"
    })))
    expect(error).toBeInstanceOf(LeftBehind)
    expect(error.left.map(({ tasklet: { name }, waitsFor }) => [name, waitsFor])).toEqual([
      ["cook", [`receive on "orders"`]],
      ["waiter", [`send on "bills"`]],
      ["waiting", ["an Effect"]],
      ["endless", []]
    ])
    expect(error.message).toContain(`tasklet "endless" is runnable`)
    expect(ended).toEqual(["waiting"])
  })

  test("a program that fails fails with its own error", async () => {
    const program = isolated(function*() {
      kitchen()
      yield* schedule()
      yield* Effect.fail("of its own" as const)
    })
    expect(await Effect.runPromise(Effect.flip(program))).toBe("of its own")
  })
})

test("what is no report, or no program, is refused at once", () => {
  expect(() => run({ report: 1 } as unknown as RunOptions)).toThrow("a report that is true, or a function")
  expect(() => isolated(1 as never)).toThrow("isolated takes a body, or an Effect; got number")
})

test("nothing is looked at any more when a run with a report is over, or was interrupted", async () => {
  const messages: Array<unknown> = []
  await Effect.runPromise(withThread(Effect.gen(function*() {
    yield* Effect.timeoutOption(run({ threadblock: true, report: (left) => messages.push(left) }), "5 millis")
    kitchen()
    yield* run()
  })))
  expect(messages).toEqual([])
})

test("development mode tells a channel that is made from a receive that is forgotten", () =>
  main(function*() {
    off = developmentMode()
    const c = channel<number>()
    const t = tasklet(function*() {
      const made = channel<number>()
      void c.receive()
      yield* made.send(1)
    })()
    const error = yield* Effect.sandbox(run()).pipe(Effect.flip)
    expect(String(error)).toContain("an operation was made but not performed")
    expect(t.alive).toBe(false)
    off()
    expect(c.receive()).toBe(c.receive())
  }))
