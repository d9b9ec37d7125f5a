/** Durable tasklets, over each storage. */
import { Array, Cause, Effect, Exit, Layer, Order, type Scope } from "effect"
import {
  type Durable,
  durable,
  DurableHost,
  durableHost,
  NotDurableError,
  Storage,
  type StorageError
} from "effect-stackless/cluster"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import * as orders from "./programs/orders.ts"
import { type Database, kinds } from "./storages.ts"

const { doubles, log, numbers } = orders

beforeEach(() => {
  log.length = 0
})

const once = <T>(channel: { receive: () => Effect.Effect<T, any, Scope.Scope> }) => Effect.scoped(channel.receive())

describe.each(kinds())("$name", (kind) => {
  beforeAll(() => kind.start())
  afterAll(() => kind.stop())

  /** A process with a host. */
  const run = <A, E>(
    effect: Effect.Effect<A, E, Storage | DurableHost>,
    database: Database = kind.make()
  ): Promise<A> =>
    Effect.runPromise(Effect.provide(effect, Layer.provideMerge(durableHost(), database())) as Effect.Effect<A, E>)

  const result = <A, E>(start: Effect.Effect<Durable<A, E>, NotDurableError | StorageError>) =>
    Effect.flatMap(start, (it) => it.join)

  test("one runs to its end, and its result is there for everybody, later too", async () => {
    const database = kind.make()
    expect(await run(result(durable("a", orders.counting)(4)), database)).toBe(10)
    expect(log).toEqual(["step 1", "step 2", "step 3", "step 4"])
    // there is one of that key: it is not started again
    expect(await run(result(durable("a", orders.counting)(4)), database)).toBe(10)
    expect(log).toHaveLength(4)
  })

  test("what it waits for may come when another process runs it; its past is not played again", async () => {
    const database = kind.make()
    await run(
      Effect.gen(function*() {
        const it = yield* durable("doubling", orders.doubling)(4)
        yield* numbers.send(1)
        yield* numbers.send(2)
        expect(yield* once(doubles)).toBe(2)
        expect(yield* once(doubles)).toBe(4)
        expect((yield* it.status).state).toBe("running")
      }),
      database
    )
    await run(
      Effect.gen(function*() {
        yield* numbers.send(1)
        yield* numbers.send(5)
        expect(yield* result(durable("doubling", orders.doubling)(4))).toBe("1,2,5")
        expect(yield* once(doubles)).toBe(2)
        expect(yield* once(doubles)).toBe(10)
        expect((yield* doubles.state).held).toBe(0)
      }),
      database
    )
  })

  test("a claim that is made again gives what it has taken before, but for what runs", async () => {
    const keys = await Effect.runPromise(Effect.provide(
      Effect.gen(function*() {
        const storage = yield* Storage
        const claim = (again: boolean) =>
          Effect.map(
            storage.attempt({ _tag: "Claim", limit: 5, except: [], again }),
            (outcome) => outcome._tag === "Claimed" ? outcome.tasklets.map(({ epoch, key }) => `${key} ${epoch}`) : []
          )
        for (const key of ["a", "b"]) yield* durable(key, orders.plain)()
        const first = yield* claim(false)
        const none = yield* claim(false)
        storage.running.add("b")
        return [Array.sort(first, Order.String), none, yield* claim(true)]
      }),
      kind.make()()
    ))
    expect(keys).toEqual([["a 1", "b 1"], [], ["a 2"]])
  })

  test("it does not run its finally blocks where it only leaves", async () => {
    const database = kind.make()
    await run(
      Effect.gen(function*() {
        const it = yield* durable("cleaning", orders.cleaning)()
        while ((yield* it.status).steps === 0) yield* Effect.sleep(5)
      }),
      database
    )
    expect(log).toEqual([])
    await run(Effect.andThen(numbers.send(1), result(durable("cleaning", orders.cleaning)())), database)
    expect(log).toEqual(["cleaned"])
  })

  test("an activity gives its value or its failure, both stored", async () => {
    expect(await run(result(durable("acting", orders.acting)()))).toEqual([new Map([["a", 1]]), "no"])
    expect(log).toEqual(["acted"])
  })

  test("it sleeps on in another process", async () => {
    const database = kind.make()
    await run(
      Effect.gen(function*() {
        const it = yield* durable("sleeping", orders.sleeping)(100)
        while ((yield* it.status).steps === 0) yield* Effect.sleep(5)
      }),
      database
    )
    expect(await run(result(durable("sleeping", orders.sleeping)(100)), database)).toBe("awake")
  })

  test("a choice does the first that can be done", async () => {
    const got = await run(Effect.andThen(numbers.send(7), result(durable("choosing", orders.choosing)())))
    expect(got).toEqual([{ key: "number", value: 7 }, { key: "late", value: undefined }])
  })

  test("a selection over durable channels is a step; one with others is refused", async () => {
    await run(Effect.gen(function*() {
      yield* numbers.send(7)
      expect(yield* result(durable("selecting", orders.selecting)())).toEqual([
        { key: "number", value: 7 },
        { key: "timeout", value: undefined },
        { key: "default", value: ["nothing"] },
        { key: "sent", value: undefined }
      ])
      expect(yield* once(doubles)).toBe(8)
      expect(yield* result(durable("selecting locally", orders.selectingLocally)())).toEqual([
        "TypeError",
        "in a durable tasklet, select takes cases of durable channels alone, as others are not in the storage; the case \"nearby\" is something else"
      ])
    }))
  })

  test("a case of a choice has whatever name", async () => {
    expect(await run(result(durable("activity", orders.choosingActivity)()))).toEqual({
      key: "activity",
      value: undefined
    })
  })

  test("one that cannot be pickled says why, in the tasklet and to who waits for it", async () => {
    const error = await run(Effect.flip(result(durable("unpicklable", orders.unpicklable)())))
    expect(error).toBeInstanceOf(NotDurableError)
    expect((error as NotDurableError).message).toMatch(
      /not durable: a promise cannot be pickled: .*unpicklable.* → Promise/
    )
    expect(await run(result(durable("caught", orders.caught)()))).toMatch(/a promise cannot be pickled/)
  })

  test("what is not compiled is refused at its start", async () => {
    const start = durable("generator", function*() {})()
    const error = await run(Effect.flip(start))
    expect(error).toBeInstanceOf(NotDurableError)
    expect(await run(Effect.flip(durable("argument", orders.counting)((() => 1) as never)))).toBeInstanceOf(
      NotDurableError
    )
  })

  test("what it throws is what joining it gives", async () => {
    const exit = await run(Effect.exit(result(durable("failing", orders.failing)())))
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toEqual(new RangeError("out of range"))
  })

  test("one that has waited for an Effect by itself is not durable any more, and is told of activities", async () => {
    const error = await run(Effect.flip(result(durable("plain", orders.plain)())))
    expect((error as NotDurableError).message).toMatch(/it is in the middle of an Effect.*; do Effects by activity/)
  })

  test("one that is forgotten stops at its next step, and its key is free", async () => {
    await run(Effect.gen(function*() {
      const it = yield* durable("forgotten", orders.cleaning)()
      while ((yield* it.status).steps === 0) yield* Effect.sleep(5)
      const { running } = yield* DurableHost
      expect(yield* running).toEqual(["forgotten"])
      yield* it.forget
      while ((yield* running).length > 0) yield* Effect.sleep(5)
      expect((yield* it.status).state).toBe("unknown")
      expect(yield* result(durable("forgotten", orders.counting)(2))).toBe(3)
    }))
    expect(log).toEqual(["step 1", "step 2"])
  })
})
