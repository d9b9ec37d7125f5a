/** What the types say, which the type check holds; and that the rest of it is so. */
import { Context, Effect, Exit } from "effect"
import { type Body, Greenlet, greenlet, type NotAsync, type Operation } from "effect-stackless/greenlet"
import {
  atomic,
  call,
  channel,
  enableSoftswitch,
  getcurrent,
  getmain,
  run,
  schedule,
  select,
  StopIteration,
  Tasklet,
  tasklet,
  TaskletExit,
  withThread
} from "effect-stackless/stackless"
import { expect, expectTypeOf, test } from "vitest"
import { main } from "./program.ts"

class Price extends Context.Service<Price, { readonly of: (item: number) => number }>()("Price") {}

test("the body of each may return an Effect, which is performed, or anything else, which is ignored", () =>
  main(function*() {
    const c = channel<number>()
    const got: Array<number> = []
    for (const body of [(n: number) => Effect.sync(() => got.push(n)), (n: number) => got.push(n)]) {
      tasklet(function*() {
        yield* c.sendSequence([1, 2])
        yield* c.sendException(StopIteration)
      })()
      expect(yield* c.each(body)).toBe(2)
      yield* run()
    }
    expect(got).toEqual([1, 2, 1, 2])
  }))

test("each fails with what its body fails with, and requires what that requires", () => {
  const c = channel<number>()
  expectTypeOf(c.each((n) => n)).toEqualTypeOf<Operation<number>>()
  expectTypeOf(c.each((n) => Effect.fail(`${n}`))).toEqualTypeOf<Operation<number, string>>()
  expectTypeOf(c.each(function*(n) {
    return (yield* Price).of(n)
  })).toEqualTypeOf<Operation<number, never, Price>>()
})

test("a tasklet that is made is bound, set up and constructed with the arguments of its function", () =>
  main(function*() {
    const got: Array<string> = []
    const f = function*(n: number, name = "none") {
      yield* schedule()
      got.push(`${n} ${name}`)
    }
    expectTypeOf(new Tasklet(f).setup).parameters.toEqualTypeOf<Parameters<typeof f>>()
    new Tasklet(f).setup(1)
    new Tasklet(f, [2, "x"]).insert()
    new Tasklet(f).bind(f, [3]).insert()
    new Tasklet().bind(f).setup(4)
    yield* run()
    expect(got).toEqual(["1 none", "2 x", "3 none", "4 none"])

    const unbound = () => {
      // @ts-expect-error -- a string is no number
      new Tasklet(f).setup("wrong")
      // @ts-expect-error -- a string is no number
      return new Tasklet(f, ["wrong"])
    }
    expectTypeOf(unbound).toExtend<() => Tasklet>()
    const all: Array<Tasklet> = [new Tasklet(f), new Tasklet((name: string) => name)]
    expect(all.length).toBe(2)
  }))

test("call and atomic require what their bodies require, and run in what is provided", async () => {
  const body = function*(item: number) {
    yield* schedule()
    return (yield* Price).of(item)
  }
  const tenfold = { of: (item: number) => item * 10 }
  expectTypeOf(call(body, 1)).toEqualTypeOf<Operation<number, never, Price>>()
  expectTypeOf(atomic(body, 1)).toEqualTypeOf<Operation<number, never, Price>>()
  expectTypeOf(call(() => Price)).toEqualTypeOf<Operation<Price["Service"], never, Price>>()
  expectTypeOf(withThread(call(body, 1))).toEqualTypeOf<Effect.Effect<number, never, Price>>()
  // of a body that says nothing of what it yields, nothing is required
  expectTypeOf(call(function*(): Generator<any, number, any> {
    return 1
  })).toExtend<Effect.Effect<number, unknown>>()

  const price = Effect.provideService(withThread(call(body, 1)), Price, tenfold)
  expect(await Effect.runPromise(price)).toBe(10)
  const within = call(function*() {
    return yield* Effect.provideService(Effect.all([call(body, 2), atomic(body, 3)]), Price, tenfold)
  })
  expectTypeOf(within).toEqualTypeOf<Operation<[number, number]>>()
  expect(await Effect.runPromise(withThread(within))).toEqual([20, 30])
})

test("what throw and sendThrow make of a class is given what its constructor takes", () => {
  class Refused extends Error {
    constructor(code: number, reason: string) {
      super(`${code} ${reason}`)
    }
  }
  const t = new Tasklet()
  const c = channel<number>()
  const throws = (u: unknown) => [
    t.throw(TaskletExit),
    t.throw(TaskletExit, { pending: true }),
    t.throw(RangeError, "far", { pending: true }),
    t.throw(Refused, [1, "no"]),
    t.throw(Refused, new Refused(1, "no")),
    t.throw(u),
    t.throw("a string"),
    c.sendThrow(RangeError),
    c.sendThrow(Refused, [1, "no"]),
    c.sendThrow(u),
    // @ts-expect-error -- its constructor takes a number and a string
    t.throw(Refused),
    // @ts-expect-error -- of them, not the other way round
    t.throw(Refused, ["no", 1]),
    // @ts-expect-error -- its constructor takes a number and a string
    c.sendThrow(Refused),
    // @ts-expect-error -- something is thrown
    t.throw()
  ]
  expectTypeOf(throws).returns.toEqualTypeOf<Array<Operation<void>>>()
})

test("a tasklet of an unknown body stands for one of any, also where it is looked for in an array", () =>
  main(function*() {
    const returns = tasklet(() => 5)()
    const nothing = tasklet(function*() {
      yield* schedule()
    })()
    const fails = tasklet(function*() {
      yield* Effect.fail("typed" as const)
    })()
    const them: Array<Tasklet<void, never>> = [nothing, getcurrent()]
    const same: ReadonlyArray<Tasklet<number, never>> = [returns, getcurrent()]
    const any: Array<Tasklet> = [returns, nothing, fails, ...them]
    const again: ReadonlyArray<Tasklet<void, never>> = any
    expect([them.includes(getcurrent()), them.indexOf(getmain()), same.includes(getcurrent())]).toEqual([true, 1, true])
    expect([them.includes(any[0]!), again.length]).toEqual([false, 5])
    const holder: { readonly t: Tasklet<void, never> } = { t: getcurrent() }
    expect(new Set(them).has(holder.t)).toBe(true)
    const wider: Tasklet<number | string, "typed" | "other"> = returns
    expectTypeOf(wider.join()).toEqualTypeOf<Operation<number | string, "typed" | "other">>()
    expectTypeOf(getcurrent().join()).toEqualTypeOf<Operation<any, any>>()
    expectTypeOf(fails.join()).toEqualTypeOf<Operation<void, "typed">>()

    const wrong = () => {
      // @ts-expect-error -- it fails
      them.push(fails)
      // @ts-expect-error -- it returns a number
      const of: Array<Tasklet<string, never>> = [returns]
      return of
    }
    expectTypeOf(wrong).toExtend<() => unknown>()
    yield* fails.kill()
    yield* run()
  }))

test("a channel without a type is one of unknown values", () => {
  expectTypeOf(channel().receive()).toEqualTypeOf<Operation<unknown>>()
  expectTypeOf(channel<string>().receive()).toEqualTypeOf<Operation<string>>()
})

test("call takes schedule itself, and a body that says nothing of itself", () =>
  main(function*() {
    expectTypeOf(schedule()).toEqualTypeOf<Operation<Tasklet>>()
    expectTypeOf(schedule(3)).toEqualTypeOf<Operation<number>>()
    expect(yield* call(schedule)).toBe(yield* schedule())
    expect(yield* call(schedule, 5)).toBe(5)
    expect(
      yield* call(function*(): Generator<any, any, any> {
        return 1
      })
    ).toBe(1)
  }))

test("an async function is no body", () => {
  const wrong = () => {
    // @ts-expect-error -- nobody would wait for its promise
    tasklet(async () => 1)()
    // @ts-expect-error -- nobody would wait for its promise
    void call(async (n: number) => n, 1)
    // @ts-expect-error -- nobody would wait for its promise
    void greenlet(() => Promise.resolve(1))
    // @ts-expect-error -- nobody would wait for its promise
    void atomic(async () => 1)
    // @ts-expect-error -- nobody would wait for its promise
    void new Tasklet(async () => 1)
    // @ts-expect-error -- nobody would wait for its promise
    void new Tasklet(async (n: number) => n, [1])
    // @ts-expect-error -- nobody would wait for its promise
    void new Tasklet().bind(async () => 1)
    // @ts-expect-error -- nobody would wait for its promise
    void new Tasklet((n: number) => n).bind(async (n: number) => n, [1])
    // @ts-expect-error -- nobody would wait for its promise
    void new Greenlet(async () => 1)
    // @ts-expect-error -- nobody would wait for its promise
    void channel<number>().each(async (n) => n)
    // @ts-expect-error -- no more is an async generator
    void new Tasklet(async function*() {})
  }
  expectTypeOf(wrong).returns.toEqualTypeOf<void>()
  const endless = function*(): Generator<Effect.Effect<unknown>, never> {
    for (;;) yield* schedule()
  }
  expectTypeOf(new Tasklet(endless)).toEqualTypeOf<Tasklet<never, never, []>>()
  expectTypeOf(new Tasklet().bind(endless)).toEqualTypeOf<Tasklet>()
  expectTypeOf(new Greenlet((): any => 1)).toExtend<Greenlet>()
  class Of<A> extends Tasklet<A, never, []> {
    constructor(name: string, f: Body<[], A, never> & NotAsync<A>) {
      super(f)
      this.name = name
    }
  }
  expectTypeOf(new Of("one", () => 1).join()).toEqualTypeOf<Operation<number>>()
  expectTypeOf(call((): any => 1)).toEqualTypeOf<Operation<any>>()
  expectTypeOf(call(() => 1)).toEqualTypeOf<Operation<number>>()
})

test("what a tasklet fails with and does not catch is a defect of run, and a failure of who joins it", async () => {
  for (const soft of [true, false]) {
    enableSoftswitch(soft)
    try {
      const fails = function*() {
        yield* schedule()
        return yield* Effect.fail("typed" as const)
      }
      const runs = call(function*() {
        tasklet(fails)()
        yield* run()
      })
      expectTypeOf(runs).toEqualTypeOf<Operation<void>>()
      expect(await Effect.runPromiseExit(withThread(runs))).toEqual(Exit.die("typed"))
      const oops = { oops: true }
      const joins = call(function*() {
        const t = tasklet(function*() {
          return yield* Effect.fail(oops)
        })()
        try {
          yield* run()
        } catch (error) {
          expect(error).toBe(oops)
        }
        return yield* t.join()
      })
      expectTypeOf(joins).toEqualTypeOf<Operation<never, typeof oops>>()
      expect(await Effect.runPromiseExit(withThread(joins))).toEqual(Exit.fail(oops))
    } finally {
      enableSoftswitch(true)
    }
  }
})

test("a case of a selection may be there at times only", () =>
  main(function*() {
    const numbers = channel<number>()
    const texts = channel<string>()
    tasklet(function*() {
      yield* texts.send("x")
    })()
    for (const both of [false, true]) {
      const selection = select({ text: texts.receive(), ...(both ? { number: numbers.receive() } : {}) })
      if (both) {
        tasklet(function*() {
          yield* numbers.send(1)
        })()
      }
      const { key, value } = yield* selection
      expectTypeOf(key).toEqualTypeOf<"text" | "number">()
      expectTypeOf(value).toEqualTypeOf<string | number>()
      expect([key, value]).toEqual(both ? ["number", 1] : ["text", "x"])
    }
  }))
