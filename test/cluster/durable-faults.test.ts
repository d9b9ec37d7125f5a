/** Processes that die or stand still in the middle of what durable tasklets do. */
import { Effect, Fiber, Layer } from "effect"
import {
  durable,
  durableChannel,
  DurableHost,
  durableHost,
  memory,
  MemoryTables,
  StorageError
} from "effect-stackless/cluster"
import { compile } from "effect-stackless/compiler"
import * as frames from "effect-stackless/frames"
import { UnpicklingError } from "effect-stackless/pickle"
import * as fc from "fast-check"
import { expect, test } from "vitest"
import { DyingTables, expire, FailingTables, StoppableTables } from "./faulty.ts"
import { doubles, doubling, numbers } from "./programs/orders.ts"
import { type Act, obeying, outside, waiting } from "./programs/random.ts"

const host = (tables: MemoryTables, options?: Parameters<typeof durableHost>[0]) =>
  Layer.provideMerge(durableHost(options), memory({ tables, lease: 200 }))

const patient = (tables: MemoryTables) => Layer.provideMerge(durableHost(), memory({ tables }))

interface Program {
  readonly first: ReadonlyArray<Act>
  readonly second: ReadonlyArray<Act>
}

const count = (acts: ReadonlyArray<Act>, act: Act): number => acts.filter((other) => other === act).length

/** One tasklet sends to another one, which does not wait for what is never sent; and the first may have to wait for room. */
const programs: fc.Arbitrary<Program> = fc.record({
  first: fc.array(fc.constantFrom<Act>("checkpoint", "act", "send", "send"), { maxLength: 6 }),
  second: fc.array(fc.constantFrom<Act>("checkpoint", "act", "send"), { maxLength: 4 }),
  places: fc.array(fc.nat(), { minLength: 6, maxLength: 6 })
}).map(({ first, places, second }) => {
  const acts: Array<Act> = [...second]
  for (let i = 0; i < count(first, "send"); i++) acts.splice(places[i]! % (acts.length + 1), 0, "receive")
  return { first, second: acts }
})

let runs = 0

/** What a program comes to, in a process over those tables. */
const work = ({ first, second }: Program, tables: MemoryTables, name: string) =>
  Effect.gen(function*() {
    const a = yield* durable("a", obeying)("a", first, `${name} nothing`, `${name} between`)
    const b = yield* durable("b", obeying)("b", second, `${name} between`, `${name} out`)
    return [yield* a.join, yield* b.join]
  }).pipe(Effect.provide(patient(tables)))

/** What is left in its last channel. */
const sent = ({ second }: Program, tables: MemoryTables, name: string) => {
  const out = durableChannel<number>(`${name} out`, { capacity: 64 })
  const receives = Array.from({ length: count(second, "send") }, () => Effect.scoped(out.receive()))
  return Effect.all([Effect.all(receives), out.state, durableChannel(`${name} between`, { capacity: 2 }).state]).pipe(
    Effect.provide(memory({ tables }))
  )
}

test("a program comes to the same, in whichever transaction its process dies, before the commit or after it", async () => {
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const tables = new MemoryTables()
      const counting = new DyingTables(tables, { at: Infinity, committed: true })
      const undisturbed = `run ${runs++}`
      const results = await Effect.runPromise(work(program, counting as never, undisturbed))
      const left = await Effect.runPromise(sent(program, tables, undisturbed))
      for (let at = 1; at <= counting.count; at++) {
        for (const committed of [false, true]) {
          outside.length = 0
          const name = `run ${runs++}`
          const tables = new MemoryTables()
          const dying = new DyingTables(tables, { at, committed })
          const first = Effect.runFork(work(program, dying as never, name))
          await Promise.race([dying.dead, Effect.runPromise(Fiber.await(first))])
          await expire(tables)
          expect(await Effect.runPromise(work(program, tables, name))).toEqual(results)
          expect(await Effect.runPromise(sent(program, tables, name))).toEqual(left)
          const acted = program.first.flatMap((act, i) => act === "act" ? [`a ${i}`] : [])
          expect(outside).toEqual(expect.arrayContaining(acted))
        }
      }
    }),
    { numRuns: 10 }
  )
})

test("to go on takes as many transactions, and plays as little again, for one that has made many steps", async () => {
  const goingOn = async (steps: number): Promise<ReadonlyArray<number>> => {
    const name = `waiting ${steps}`
    const channel = durableChannel<number>(name)
    const tables = new MemoryTables()
    await Effect.runPromise(
      Effect.gen(function*() {
        const it = yield* durable("long", waiting)(steps, name)
        while ((yield* it.status).steps <= steps) yield* Effect.sleep(1)
      }).pipe(Effect.provide(patient(tables)))
    )
    outside.length = 0
    const counting = new DyingTables(tables, { at: Infinity, committed: true })
    const result = await Effect.runPromise(
      Effect.gen(function*() {
        const it = yield* durable("long", waiting)(steps, name)
        yield* channel.send(1)
        return yield* it.join
      }).pipe(Effect.provide(patient(counting as never)))
    )
    expect(result).toBe(1 + steps * (steps - 1) / 2)
    expect(outside).toEqual([])
    return [counting.count]
  }
  const [few] = await goingOn(3)
  const [many] = await goingOn(600)
  // beats are the only transactions that take time to come
  expect(many! - few!).toBeLessThan(5)
})

test("a process that stands still and wakes cannot write for what runs elsewhere", async () => {
  const tables = new MemoryTables()
  const stopped = new StoppableTables(tables)
  await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const first = yield* Layer.build(host(stopped as never))
    const it = yield* Effect.provide(durable("fenced", doubling)(2), first)
    while ((yield* it.status).steps === 0) yield* Effect.sleep(1)
    const epoch = (yield* it.status).epoch
    stopped.going.closeUnsafe()
    yield* Effect.gen(function*() {
      const it = yield* durable("fenced", doubling)(2)
      while ((yield* it.status).epoch === epoch) yield* Effect.sleep(10)
      yield* numbers.send(1)
      // the first one sees that there is something, and would take it
      stopped.going.openUnsafe()
      yield* numbers.send(2)
      expect(yield* it.join).toBe("1,2")
      expect([yield* Effect.scoped(doubles.receive()), yield* Effect.scoped(doubles.receive())]).toEqual([2, 4])
      expect((yield* doubles.state).held).toBe(0)
    }).pipe(Effect.provide(host(tables)))
    const { running } = yield* Effect.provide(DurableHost, first)
    while ((yield* running).length > 0) yield* Effect.sleep(1)
  })))
})

test("what is received by who was buried and does not know it yet is not lost when that dies", async () => {
  const tables = new MemoryTables()
  const jobs = durableChannel<number>("buried: jobs")
  const received = await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const sleeper = yield* Layer.build(memory({ tables, lease: 600 }))
    yield* Effect.provide(jobs.send(1), sleeper)
    yield* Effect.promise(() => expire(tables))
    const item = yield* Effect.provide(jobs.receiveItem(), sleeper)
    yield* Effect.promise(() => expire(tables))
    const again = yield* Effect.provide(Effect.scoped(jobs.receiveItem()), yield* Layer.build(memory({ tables })))
    return [item, again]
  })))
  expect(received.map(({ attempts, value }) => [value, attempts])).toEqual([[1, 1], [1, 2]])
})

test("what was claimed in a commit that nobody heard of is taken up", async () => {
  const tables = new MemoryTables()
  let claims = 0
  const deaf = Object.assign(new StoppableTables(tables), {
    transact: ((wanted, decide) => {
      let claimed = false
      const transacting = tables.transact(wanted, (rows) => {
        const changes = decide(rows)
        claimed = wanted.unowned > 0 && changes.tasklets.length > 0
        return changes
      })
      const cut = Effect.suspend(() =>
        claimed && claims++ === 0
          ? Effect.fail(new StorageError({ message: "the connection is cut", temporary: true }))
          : Effect.void
      )
      return Effect.andThen(transacting, cut)
    }) satisfies MemoryTables["transact"]
  })
  const result = await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const outside = yield* Layer.build(memory({ tables }))
    yield* Layer.build(Layer.provideMerge(durableHost(), memory({ tables: deaf as never })))
    const it = yield* Effect.provide(durable("claimed", doubling)(1), outside)
    yield* Effect.provide(numbers.send(4), outside)
    return yield* Effect.provide(it.join, outside)
  })))
  expect([result, claims]).toEqual(["4", 2])
}, 10_000)

test("what is taken up by a host that was buried and does not know it yet is not lost when that dies", async () => {
  const tables = new MemoryTables()
  const result = await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const outside = yield* Layer.build(memory({ tables }))
    yield* Layer.build(host(tables))
    yield* Effect.promise(() => expire(tables))
    const it = yield* Effect.provide(durable("buried", doubling)(1), outside)
    // until the host knows it
    yield* Effect.sleep(300)
    yield* Effect.provide(numbers.send(4), outside)
    return yield* Effect.provide(it.join, outside)
  })))
  expect(result).toBe("4")
})

test.each([
  ["fails", Effect.fail(new StorageError({ message: "the disk is broken", temporary: false }))],
  ["dies", Effect.die(new Error("the disk is broken"))]
])("a host whose storage %s for good gives the tasklet back, and another one goes on with it", async (_, failure) => {
  const tables = new MemoryTables()
  const broken = new FailingTables(tables, ({ tasklets }) => tasklets.length > 0, failure)
  const result = await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const outside = yield* Layer.build(memory({ tables }))
    const context = yield* Layer.build(Layer.provideMerge(durableHost(), memory({ tables: broken as never })))
    const it = yield* Effect.provide(durable("broken", doubling)(1), outside)
    while ((yield* Effect.provide(it.status, outside)).refusal !== "the disk is broken") yield* Effect.sleep(1)
    const { refused, running } = yield* Effect.provide(DurableHost, context)
    expect([...yield* refused].map(([key, error]) => [key, (error as Error).message])).toEqual([
      ["broken", "the disk is broken"]
    ])
    expect(yield* running).toEqual([])
    yield* Layer.build(patient(tables))
    yield* Effect.provide(numbers.send(4), outside)
    return yield* Effect.provide(it.join, outside)
  })))
  expect(result).toBe("4")
})

/** Compiles a module under one name, as it is now, and gives back what it returns. */
const load = (cluster: object, source: string): any => {
  const { code } = compile(`"use stackless"\n${source}`, { filename: "/edited/orders.mjs", format: "commonjs" })
  return new Function("require", "cluster", code)(() => frames, cluster)
}

test("a host with other code refuses what it cannot load, and says why; one that migrates goes on with it", async () => {
  const edited = durableChannel<number>("edited")
  const source = "return function* adding(n) { n += yield* cluster.receive(); return n }"
  const tables = new MemoryTables()
  const cluster = { receive: () => edited.receive() }
  await Effect.runPromise(
    Effect.gen(function*() {
      const it = yield* durable("edited", load(cluster, source))(5)
      while ((yield* it.status).steps === 0) yield* Effect.sleep(1)
    }).pipe(Effect.provide(host(tables)))
  )
  const changed = load(cluster, source.replace("return n", "return 100 + n"))
  await Effect.runPromise(
    Effect.gen(function*() {
      const it = yield* durable("edited", changed)()
      while ((yield* it.status).refusal === undefined) yield* Effect.sleep(1)
      expect((yield* it.status).state).toBe("waiting for a host")
      expect((yield* it.status).refusal).toMatch(/#adding has changed since the pickle was made.*migrate/)
      const { refused } = yield* DurableHost
      expect((yield* refused).get("edited")).toBeInstanceOf(UnpicklingError)
    }).pipe(Effect.provide(host(tables)))
  )
  const [, name] = /the function (\S+) has changed/.exec(
    (await Effect.runPromise(
      Effect.flatMap(durable("edited", changed)(), (it) => it.status).pipe(
        Effect.provide(memory({ tables }))
      )
    )).refusal!
  )!
  const migrating = host(tables, { migrate: { [name!]: ({ locals, points }) => ({ pc: points[0]!.pc, locals }) } })
  const result = await Effect.runPromise(
    Effect.gen(function*() {
      const it = yield* durable("edited", changed)()
      yield* edited.send(2)
      return yield* it.join
    }).pipe(Effect.provide(migrating))
  )
  expect(result).toBe(107)
})
