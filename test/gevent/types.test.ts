/** What the types say, which the type check holds; and that the rest of it is so. */
import { Context, Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { type Operation, withThread } from "effect-stackless/greenlet"
import { expect, expectTypeOf, test } from "vitest"
import { program } from "./program.ts"

class Price extends Context.Service<Price, { readonly of: (item: number) => number }>()("Price") {}

program("StopIteration can be put into a queue or channel of anything", function*() {
  const queue = new gevent.Queue<number>()
  yield* queue.put(1)
  queue.putNowait(2)
  yield* queue.put(gevent.StopIteration)
  const got: Array<number> = []
  yield* queue.each((item) => got.push(item))
  expect(got).toEqual([1, 2])
  queue.putNowait(gevent.StopIteration)
  expect(yield* queue.next()).toEqual({ done: true, value: undefined })

  const channel = new gevent.Channel<number>()
  gevent.spawn(() => channel.put(gevent.StopIteration))
  expect(yield* channel.next()).toEqual({ done: true, value: undefined })
})

program("the body of a loop may return an Effect, which is performed, or anything else, which is ignored", function*() {
  const items = () => new gevent.Queue<number>(null, [1, 2, gevent.StopIteration as never])
  const got: Array<number> = []
  yield* items().each((item) => Effect.sync(() => got.push(item)))
  yield* items().each((item) => [got.push(item)])
  yield* items().each((item) => item === 1 ? undefined : Effect.sync(() => got.push(item)))
  expect(got).toEqual([1, 2, 1, 2, 2])
})

test("a loop fails with what its body fails with, and requires what that requires", async () => {
  const queue = new gevent.Queue<number>(null, [5, gevent.StopIteration as never])
  const plain = queue.each((item) => item)
  expectTypeOf(plain).toEqualTypeOf<Operation<void>>()
  const failing = queue.each(function*(item) {
    if (item > 9) yield* Effect.fail("too much")
  })
  expectTypeOf(failing).toEqualTypeOf<Operation<void, string>>()
  const got: Array<number> = []
  const pricing = queue.each((item) => Effect.map(Price, (price) => got.push(price.of(item))))
  expectTypeOf(pricing).toEqualTypeOf<Operation<void, never, Price>>()
  await Effect.runPromise(Effect.provideService(pricing, Price, { of: (item) => item * 10 }))
  expect(got).toEqual([50])
})

test("a greenlet that is made takes the arguments of its function", () => {
  const f = function*(n: number, name?: string) {
    yield* gevent.sleep()
    return `${n}${name}`
  }
  expectTypeOf(new gevent.Greenlet(f, 5).value).toEqualTypeOf<string | undefined>()
  expectTypeOf(gevent.Greenlet.spawn(f, 5, "x")).toExtend<gevent.Greenlet>()
  // @ts-expect-error -- a string is no number
  expect(new gevent.Greenlet(f, "wrong").started).toBe(false)
  // @ts-expect-error -- one is missing
  expect(new gevent.Greenlet(f).started).toBe(false)

  class Job extends gevent.Greenlet<number> {
    readonly n: number
    constructor(n: number) {
      super()
      this.n = n
    }
    override *run() {
      return this.n
    }
  }
  expectTypeOf(Job.spawn(5).value).toEqualTypeOf<number | undefined>()
})

test("an async function is no body", () => {
  const wrong = () => {
    const pool = new gevent.Pool(1)
    const group = new gevent.Group()
    const body = async (n: number) => n
    // @ts-expect-error -- nobody would wait for its promise
    void new gevent.Greenlet(body, 1)
    // @ts-expect-error -- nobody would wait for its promise
    gevent.spawn(body, 1)
    // @ts-expect-error -- nobody would wait for its promise
    gevent.spawnLater(1, body, 1)
    // @ts-expect-error -- nobody would wait for its promise
    gevent.spawnRaw(body, 1)
    // @ts-expect-error -- nobody would wait for its promise
    gevent.Greenlet.spawn(body, 1)
    // @ts-expect-error -- nobody would wait for its promise
    gevent.Greenlet.spawnLater(1, body, 1)
    // @ts-expect-error -- nobody would wait for its promise
    void pool.spawn(body, 1)
    // @ts-expect-error -- nobody would wait for its promise
    group.spawn(body, 1)
    // @ts-expect-error -- nobody would wait for its promise
    void pool.apply(body, [1])
    // @ts-expect-error -- nobody would wait for its promise
    pool.applyAsync(body, [1])
    // @ts-expect-error -- nobody would wait for its promise
    void pool.map(body, [1])
    // @ts-expect-error -- nobody would wait for its promise
    group.mapAsync(body, [1])
    // @ts-expect-error -- nobody would wait for its promise
    pool.imap(body, [1])
    // @ts-expect-error -- nobody would wait for its promise
    group.imapUnordered(body, [1])
    // @ts-expect-error -- nobody would wait for its promise
    void new gevent.Queue<number>().each(body)
    // @ts-expect-error -- nobody would wait for its promise
    void gevent.withTimeout(1, async () => 1)
    // @ts-expect-error -- nobody would wait for its promise
    void new gevent.Timeout(1).within(async () => 1)
    // @ts-expect-error -- nobody would wait for its promise
    void new gevent.Semaphore().within(async () => 1)
  }
  expectTypeOf(wrong).returns.toEqualTypeOf<void>()
  const right = () => {
    const any: (n: number) => any = (n) => n
    const endless = function*(): Generator<Effect.Effect<void>, never> {
      for (;;) yield* gevent.sleep(1)
    }
    return [
      new gevent.Greenlet(any, 1),
      new gevent.Greenlet((n: number) => [n], 1),
      gevent.Greenlet.spawn(any, 1),
      gevent.Greenlet.spawn((n: number) => n, 1),
      new gevent.Greenlet(endless),
      gevent.Greenlet.spawn(endless),
      gevent.spawn(endless)
    ]
  }
  expectTypeOf(right).returns.toExtend<ReadonlyArray<gevent.Greenlet>>()

  class Of<A> extends gevent.Greenlet<A, never, []> {
    constructor(run: () => Generator<Effect.Effect<void>, A, never>) {
      super(run as never)
    }
  }
  expectTypeOf(
    new Of(function*() {
      yield* gevent.sleep(1)
      return 1
    }).value
  ).toEqualTypeOf<number | undefined>()
})

test("a pool requires what it calls requires, and calls it in what is provided", async () => {
  const body = function*(n: number) {
    yield* gevent.sleep(0.001)
    return (yield* Price).of(n)
  }
  const whole = gevent.call(function*() {
    const pool = new gevent.Pool(2)
    const applied = pool.apply(body, [1])
    expectTypeOf(applied).toEqualTypeOf<Operation<number, never, Price>>()
    const mapped = pool.map(body, [2, 3])
    expectTypeOf(mapped).toEqualTypeOf<Operation<Array<number>, never, Price>>()
    const spawned = pool.spawn(() => Effect.map(Price, (price) => price.of(4)))
    expectTypeOf(spawned).toEqualTypeOf<Operation<gevent.Greenlet<number, never>, never, Price>>()
    const provided = Effect.provideService(Effect.all([applied, mapped, spawned]), Price, { of: (n) => n * 10 })
    const [one, several, greenlet] = yield* provided
    return [one, ...several, yield* greenlet.get()]
  })
  expectTypeOf(whole).toEqualTypeOf<Operation<Array<number>>>()
  expect(await Effect.runPromise(withThread(whole))).toEqual([10, 20, 30, 40])
})

test("call, withTimeout and what is called within require what their bodies require, and run in what is provided", async () => {
  const body = function*() {
    yield* gevent.sleep(0.001)
    return (yield* Price).of(1)
  }
  const whole = gevent.call(function*() {
    const timed = gevent.withTimeout(1, body)
    expectTypeOf(timed).toEqualTypeOf<Operation<number, never, Price>>()
    const locked = new gevent.Semaphore().within(body)
    expectTypeOf(locked).toEqualTypeOf<Operation<number, never, Price>>()
    const within = new gevent.Timeout(1).within(() => Price)
    expectTypeOf(within).toEqualTypeOf<Operation<Price["Service"] | undefined, never, Price>>()
    const waited = gevent.gethub().wait(Price)
    expectTypeOf(waited).toEqualTypeOf<Operation<Price["Service"], never, Price>>()
    return [yield* timed, yield* locked, (yield* within)!.of(2), (yield* waited).of(3)]
  })
  expectTypeOf(whole).toEqualTypeOf<Operation<Array<number>, never, Price>>()
  const provided = Effect.provideService(withThread(whole), Price, { of: (item) => item * 10 })
  expect(await Effect.runPromise(provided)).toEqual([10, 10, 20, 30])
})
