/** Durable channels, over each storage. */
import { Array, Effect, Exit, Fiber, Layer, Order, Schema, Scope } from "effect"
import {
  channel,
  type DurableChannel,
  durableChannel,
  DurableChannelClosed,
  DurableValueError,
  machine,
  memory,
  MemoryTables,
  NameConflict,
  registry,
  StorageError
} from "effect-stackless/cluster"
import { channel as localChannel, run as runTasklets, select, tasklet } from "effect-stackless/stackless"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { StoppableTables } from "./faulty.ts"
import { type Database, kinds } from "./storages.ts"

let names = 0
/** A channel that no other test has. */
const fresh = <T>(options?: Parameters<typeof durableChannel<T>>[1]): DurableChannel<T> =>
  durableChannel<T>(`channel ${names++}`, options)

const once = <T>(channel: DurableChannel<T>) => Effect.scoped(channel.receive())

describe.each(kinds())("$name", (kind) => {
  beforeAll(() => kind.start())
  afterAll(() => kind.stop())

  const run = <A, E>(effect: Effect.Effect<A, E>, database: Database = kind.make()): Promise<A> =>
    Effect.runPromise(Effect.provide(effect, database()))

  test("what is sent is received, in its order", async () => {
    const channel = fresh<number>()
    const got = await run(Effect.gen(function*() {
      for (let i = 0; i < 5; i++) yield* channel.send(i)
      const got: globalThis.Array<number> = []
      for (let i = 0; i < 5; i++) got.push(yield* once(channel))
      return got
    }))
    expect(got).toEqual([0, 1, 2, 3, 4])
  })

  test("what was sent is there when the storage is opened again", async () => {
    const channel = fresh<{ readonly at: Date }>()
    const database = kind.make()
    await run(channel.send({ at: new Date(7) }), database)
    expect(await run(once(channel), database)).toEqual({ at: new Date(7) })
  })

  test("a receive waits for an item, and a send for room", async () => {
    const channel = fresh<number>({ capacity: 2 })
    const sent: globalThis.Array<number> = []
    await run(Effect.gen(function*() {
      const receiving = yield* Effect.forkChild(once(channel), { startImmediately: true })
      yield* channel.send(0)
      expect(yield* Fiber.join(receiving)).toBe(0)
      const sending = yield* Effect.forkChild(
        Effect.forEach([1, 2, 3], (n) => Effect.map(channel.send(n), () => sent.push(n))),
        { startImmediately: true }
      )
      while (sent.length < 2) yield* Effect.sleep(1)
      yield* channel.state
      expect(sent).toEqual([1, 2])
      expect(yield* once(channel)).toBe(1)
      yield* Fiber.join(sending)
      expect(sent).toEqual([1, 2, 3])
      expect(yield* channel.state).toEqual({ held: 2, closed: false })
    }))
  })

  test("a sender in another process gets the room that a receiver makes", async () => {
    const channel = fresh<number>({ capacity: 1 })
    const database = kind.make()
    const sending = run(Effect.forEach([1, 2, 3], (n) => channel.send(n), { discard: true }), database)
    const receiving = run(Effect.forEach([1, 2, 3], () => once(channel)), database)
    await sending
    expect(await receiving).toEqual([1, 2, 3])
  })

  test("an item is acknowledged when the scope closes, and delivered again if that fails", async () => {
    const channel = fresh<string>()
    await run(Effect.gen(function*() {
      yield* channel.send("a", { key: "first" })
      const failing = Effect.scoped(Effect.flatMap(channel.receiveItem(), (item) => Effect.fail(item)))
      expect(yield* Effect.flip(failing)).toEqual({ value: "a", key: "first", attempts: 1 })
      expect(yield* Effect.scoped(channel.receiveItem())).toEqual({ value: "a", key: "first", attempts: 2 })
      expect((yield* channel.state).held).toBe(0)
    }))
  })

  test("an item of the same key is stored once", async () => {
    const channel = fresh<string>()
    await run(Effect.gen(function*() {
      yield* Effect.all([channel.send("a", { key: "x" }), channel.send("b", { key: "x" })], { concurrency: 2 })
      yield* channel.send("c", { key: "x" })
      expect((yield* channel.state).held).toBe(1)
      expect(yield* once(channel)).toBe("a")
    }))
  })

  test("a receiver that gives up takes nothing", async () => {
    const channel = fresh<number>()
    await run(Effect.gen(function*() {
      yield* Effect.exit(Effect.timeout(once(channel), 5))
      yield* channel.send(1)
      expect(yield* once(channel)).toBe(1)
    }))
  })

  test("receivers are interrupted at any time, and no item is lost or doubled", async () => {
    const channel = fresh<number>({ capacity: 4 })
    const got: globalThis.Array<number> = []
    let turn = 0
    await run(Effect.gen(function*() {
      const sending = yield* Effect.forkChild(
        Effect.forEach(Array.range(0, 39), (n) => channel.send(n))
      )
      while (got.length < 40) {
        const scope = yield* Scope.make()
        const exit = yield* Effect.exit(Scope.provide(Effect.timeout(channel.receive(), (turn++ * 7) % 60), scope))
        if (Exit.isSuccess(exit)) got.push(exit.value)
        yield* Scope.close(scope, Exit.isSuccess(exit) ? Exit.void : Exit.interrupt())
      }
      yield* Fiber.join(sending)
    }))
    expect(Array.sort(got, Order.Number)).toEqual(Array.range(0, 39))
  })

  test("each receives up to the end; who waits to send or to receive hears that the channel is closed", async () => {
    const channel = fresh<number>({ capacity: 2 })
    await run(Effect.gen(function*() {
      yield* channel.send(1)
      yield* channel.send(2)
      const sending = yield* Effect.forkChild(Effect.flip(channel.send(3)), { startImmediately: true })
      yield* Effect.sleep(10)
      yield* channel.close()
      expect(yield* Fiber.join(sending)).toBeInstanceOf(DurableChannelClosed)
      const got: globalThis.Array<number> = []
      expect(yield* channel.each((n) => Effect.sync(() => got.push(n)))).toBe(2)
      expect(got).toEqual([1, 2])
      expect(yield* Effect.flip(once(channel))).toEqual(new DurableChannelClosed({ channel: channel.name }))
    }))
  })

  test("an iteration acknowledges what it has gone past", async () => {
    const channel = fresh<number>()
    await run(Effect.gen(function*() {
      for (const n of [1, 2, 3]) yield* channel.send(n)
      const got = yield* Effect.promise(async () => {
        const got: globalThis.Array<number> = []
        for await (const n of channel) {
          got.push(n)
          if (n === 2) break
        }
        return got
      })
      expect(got).toEqual([1, 2])
      expect(yield* once(channel)).toBe(2)
      expect(yield* once(channel)).toBe(3)
    }))
  })

  test("a selection receives from a durable channel or from a local one, whichever can be done, and leaves the other alone", async () => {
    const [orders, others] = [fresh<string>(), fresh<string>()]
    const nearby = localChannel<string>()
    const got: globalThis.Array<unknown> = []
    const one = Effect.scoped(Effect.map(
      Effect.suspend(() => select({ far: orders.receive(), other: others.receive(), near: nearby.receive() })),
      (it) => got.push(it)
    ))
    await run(Effect.gen(function*() {
      yield* orders.send("stored before")
      yield* one
      const second = yield* Effect.forkChild(one, { startImmediately: true })
      yield* orders.state
      yield* nearby.send("nearby")
      yield* Fiber.join(second)
      const third = yield* Effect.forkChild(one, { startImmediately: true })
      yield* orders.state
      yield* others.send("stored later")
      yield* Fiber.join(third)
      expect([yield* orders.state, yield* others.state]).toMatchObject([{ held: 0 }, { held: 0 }])
    }))
    expect(got).toEqual([
      { key: "far", value: "stored before" },
      { key: "near", value: "nearby" },
      { key: "other", value: "stored later" }
    ])
    expect(nearby.balance).toBe(0)
  })

  test("a selection sends to a durable channel when there is room, and stores nothing if another case is done", async () => {
    const orders = fresh<string>({ capacity: 1 })
    const nearby = localChannel<string>()
    const one = Effect.suspend(() => select({ sent: orders.send("selected"), near: nearby.receive() }))
    await run(Effect.gen(function*() {
      yield* orders.send("first")
      const near = yield* Effect.forkChild(one, { startImmediately: true })
      yield* orders.state
      yield* nearby.send("nearby")
      expect(yield* Fiber.join(near)).toEqual({ key: "near", value: "nearby" })
      const sending = yield* Effect.forkChild(one, { startImmediately: true })
      yield* orders.state
      expect(yield* once(orders)).toBe("first")
      expect(yield* Fiber.join(sending)).toEqual({ key: "sent", value: undefined })
      expect(yield* once(orders)).toBe("selected")
      expect((yield* orders.state).held).toBe(0)
    }))
  })

  test("a selection gives up after its timeout, or at once with a default, and has taken nothing", async () => {
    const orders = fresh<string>()
    const nearby = localChannel<string>()
    await run(Effect.gen(function*() {
      const alone = { far: orders.receive() }
      const both = { ...alone, near: nearby.receive() }
      for (const cases of [alone, both]) {
        expect(yield* Effect.scoped(select(cases, { timeout: 5 }))).toEqual({ key: "timeout", value: undefined })
        expect(yield* Effect.scoped(select(cases, { default: 7 }))).toEqual({ key: "default", value: 7 })
      }
      yield* orders.send("a")
      expect(yield* Effect.scoped(select(both, { default: 7 }))).toEqual({ key: "far", value: "a" })
      yield* orders.send("b")
      expect(yield* Effect.scoped(select(alone, { timeout: 5 }))).toEqual({ key: "far", value: "b" })
      yield* orders.close()
      expect(yield* Effect.flip(Effect.scoped(select(both)))).toBeInstanceOf(DurableChannelClosed)
    }))
    expect(nearby.balance).toBe(0)
  })

  test("what a selection has received is delivered again if its scope closes with a failure", async () => {
    const orders = fresh<string>()
    const nearby = localChannel<string>()
    await run(Effect.gen(function*() {
      yield* orders.send("a")
      const failing = Effect.andThen(select({ far: orders.receiveItem(), near: nearby.receive() }), Effect.fail("no"))
      expect(yield* Effect.flip(Effect.scoped(failing))).toBe("no")
      expect(yield* Effect.scoped(orders.receiveItem())).toMatchObject({ value: "a", attempts: 2 })
    }))
  })

  test("selections are interrupted at any time, and nothing is lost or doubled, here or there", async () => {
    const [orders, stored] = [fresh<number>({ capacity: 4 }), fresh<number>({ capacity: 4 })]
    const nearby = localChannel<number>()
    const got: globalThis.Array<number> = []
    let [turn, sent] = [0, 0]
    await run(Effect.gen(function*() {
      const sending = yield* Effect.forkChild(Effect.all([
        Effect.forEach(Array.range(0, 29), (n) => orders.send(n)),
        Effect.forEach(Array.range(30, 59), (n) => Effect.andThen(Effect.sleep(n % 7), nearby.send(n)))
      ], { concurrency: 2, discard: true }))
      const gathered: globalThis.Array<number> = []
      const gathering = yield* Effect.forkChild(stored.each((n) => Effect.sync(() => gathered.push(n))))
      while (got.length < 60 || sent < 30) {
        const scope = yield* Scope.make()
        const cases = {
          ...(got.length < 60 ? { far: orders.receive(), near: nearby.receive() } : {}),
          ...(sent < 30 ? { sent: stored.send(sent, { key: `number ${sent}` }) } : {})
        }
        const one = Scope.provide(Effect.timeout(select(cases), (turn++ * 7) % 60), scope)
        const exit = yield* Effect.exit(one)
        if (Exit.isSuccess(exit) && exit.value !== undefined) {
          if (exit.value.key === "sent") sent++
          else got.push(exit.value.value as number)
        }
        yield* Scope.close(scope, Exit.isSuccess(exit) ? Exit.void : Exit.interrupt())
      }
      yield* Fiber.join(sending)
      yield* stored.close()
      expect(yield* Fiber.join(gathering)).toBeGreaterThanOrEqual(30)
      expect(Array.sort([...new Set(gathered)], Order.Number)).toEqual(Array.range(0, 29))
    }))
    expect(Array.sort(got, Order.Number)).toEqual(Array.range(0, 59))
  })

  test("a selection stores what it says that it has sent, once, and nothing where another case was done", async () => {
    const stored = fresh<number>({ capacity: 2 })
    const nearby = localChannel<number>()
    const sent: globalThis.Array<number> = []
    const got: globalThis.Array<number> = []
    const delivered: globalThis.Array<number> = []
    let timeouts = 0
    await run(Effect.gen(function*() {
      const sending = yield* Effect.forkChild(
        Effect.forEach(Array.range(0, 19), (n) => Effect.andThen(Effect.sleep((n * 5) % 9), nearby.send(n)))
      )
      const gathering = yield* Effect.forkChild(
        stored.each((n) => Effect.andThen(Effect.sync(() => delivered.push(n)), Effect.sleep((n * 3) % 7)))
      )
      for (let turn = 0; sent.length < 40 || got.length < 20; turn++) {
        const cases = { sent: stored.send(turn), near: nearby.receive() }
        const { key, value } = yield* select(cases, { timeout: (turn * 7) % 20 })
        if (key === "sent") sent.push(turn)
        else if (key === "near") got.push(value)
        else timeouts++
      }
      yield* Fiber.join(sending)
      yield* stored.close()
      yield* Fiber.join(gathering)
    }))
    expect(delivered).toEqual(sent)
    expect(got).toEqual(Array.range(0, 19))
    expect(nearby.balance).toBe(0)
    expect(timeouts).toBeGreaterThan(0)
  })

  test("values are written by a schema, and checked by it", async () => {
    const schema = Schema.Struct({ at: Schema.Date, n: Schema.Number })
    const channel = fresh({ schema })
    await run(Effect.gen(function*() {
      yield* channel.send({ at: new Date(5), n: 1 })
      expect(yield* once(channel)).toEqual({ at: new Date(5), n: 1 })
      const wrong = yield* Effect.flip(channel.send({ at: new Date(5), n: "1" as never }))
      expect(wrong).toBeInstanceOf(DurableValueError)
    }))
  })

  test("a name stands for values of one kind", async () => {
    const channel = fresh<number>()
    const database = kind.make()
    expect(() => durableChannel(channel.name, { schema: Schema.Number })).toThrow(NameConflict)
    await run(channel.send(1), database)
  })

  test("a value that cannot be written fails at once, and nothing is sent", async () => {
    const channel = fresh<unknown>()
    await run(Effect.gen(function*() {
      const error = yield* Effect.flip(channel.send(Promise.resolve()))
      expect(error).toBeInstanceOf(DurableValueError)
      expect(error.message).toContain("a promise cannot be pickled")
      expect((yield* channel.state).held).toBe(0)
    }))
  })
})

test("a receiver that gives up in the middle of a transaction that brings nothing waits for no item", async () => {
  const tables = new StoppableTables(new MemoryTables())
  const channel = fresh<number>()
  const program = Effect.gen(function*() {
    expect((yield* channel.state).held).toBe(0)
    yield* tables.going.close
    const giving = yield* Effect.forkChild(Effect.timeoutOption(once(channel), 20), { startImmediately: true })
    yield* Effect.sleep(60)
    yield* tables.going.open
    expect((yield* Fiber.join(giving))._tag).toBe("None")
    yield* channel.send(1)
    expect(yield* Effect.scoped(channel.receiveItem())).toMatchObject({ value: 1, attempts: 1 })
  })
  await Effect.runPromise(Effect.provide(program, memory({ tables: tables as never })))
}, 5_000)

test("a channel by name is a durable one where that is asked for", () => {
  expect(channel.named("named: jobs", { durable: true })).toBe(durableChannel("named: jobs"))
  const orders = durableChannel("named: orders", { schema: Schema.String, capacity: 7 })
  expect(channel.named("named: orders", Schema.String, { durable: true, capacity: 7 })).toBe(orders)
  expect(() => channel.named("named: jobs", Schema.String, { durable: true })).toThrow(NameConflict)
  expect(channel.named("named: jobs", { capacity: 3 })).toBe(channel.named("named: jobs", undefined, { capacity: 3 }))
})

test("a tasklet brings what is durable to a local channel, which can be a case of select", async () => {
  const orders = durableChannel<string>("brought: orders")
  const brought = localChannel<string>()
  const nearby = localChannel<string>()
  const got: globalThis.Array<string> = []
  const program = Effect.gen(function*() {
    yield* orders.send("an order")
    const bringing = tasklet(() => orders.each((order) => brought.send(order)))()
    tasklet(function*() {
      const cases = () => select({ far: brought.receive(), near: nearby.receive() })
      got.push((yield* cases()).value)
      tasklet(() => nearby.send("from nearby"))()
      got.push((yield* cases()).value)
      yield* bringing.kill()
    })()
    yield* runTasklets()
    got.push(`${(yield* orders.state).held} held`)
  })
  await Effect.runPromise(Effect.provide(program, memory()))
  expect(got).toEqual(["an order", "from nearby", "0 held"])
})

test("a tasklet selects over durable, remote and local channels", async () => {
  const orders = channel.named<string>("selected: orders", { durable: true })
  const market = channel.named<string>("selected: market", undefined, { capacity: 1 })
  const nearby = localChannel<string>()
  const got: globalThis.Array<string> = []
  const program = Effect.gen(function*() {
    tasklet(function*() {
      for (let i = 0; i < 3; i++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const cases = { order: orders.receive(), offer: market.receive(), near: nearby.receive() }
          const { key, value } = yield* select(cases)
          got.push(`${key}: ${value}`)
        }))
        if (i === 0) tasklet(() => market.send("an offer"))()
        if (i === 1) tasklet(() => nearby.send("from nearby"))()
      }
    })()
    tasklet(() => orders.send("an order"))()
    yield* runTasklets()
    return (yield* orders.state).held
  })
  const alone = machine({ address: "127.0.0.1:0", registry: registry.memory })
  expect(await Effect.runPromise(Effect.provide(program, Layer.merge(memory(), alone)))).toBe(0)
  expect(got).toEqual(["order: an order", "offer: an offer", "near: from nearby"])
})

test("a tasklet that is killed while it selects has no case done", async () => {
  const orders = durableChannel<string>("killed: orders")
  const nearby = localChannel<string>()
  const program = Effect.gen(function*() {
    const selecting = tasklet(() => Effect.scoped(select({ far: orders.receive(), near: nearby.receive() })))()
    const killing = tasklet(function*() {
      yield* Effect.sleep(20)
      yield* selecting.kill()
    })()
    yield* runTasklets()
    expect([selecting.alive, killing.alive, nearby.balance]).toEqual([false, false, 0])
    yield* orders.send("kept")
    expect(yield* Effect.scoped(orders.receive())).toBe("kept")
  })
  await Effect.runPromise(Effect.provide(program, memory()))
})

test("what is no case of a channel is none of a selection, durable or not", () => {
  const orders = durableChannel<string>("no case")
  expect(() => select({ far: orders.receive(), closing: orders.close() })).toThrow("select takes send and receive")
  expect(() => select({ near: localChannel().receive(), far: orders.receive(), other: Effect.void as never })).toThrow(
    "select takes send and receive of channels, and join of tasklets; other is something else"
  )
  expect(() => select({ far: orders.receive() }, { timeout: "soon" as never })).toThrow("soon")
})

test("without a storage, an operation says so", async () => {
  const error = await Effect.runPromise(Effect.flip(fresh<number>().send(1)))
  expect(error).toBeInstanceOf(StorageError)
  expect(error.message).toContain("there is no storage: provide one, such as sqlite({ filename })")
})

test("what is neither a schema nor options is refused at once", () => {
  expect(() => channel.named("refused", "string" as never)).toThrow("takes a name, a schema and options")
  expect(() => channel.named("refused", undefined, null as never)).toThrow("got null")
})

test("a channel of a name that is none, or of no capacity, is refused at once", () => {
  expect(() => durableChannel(7 as never)).toThrow("a durable channel has a name")
  expect(() => durableChannel("x", { capacity: 0 })).toThrow("an integer from 1 on")
})
