"use stackless"
// The program of the tests: prints what has come of each scenario, as JSON.
import { Effect, Scope } from "effect"
import { moveTo, type Pool, pool, type PoolOptions, type RemoteChannel } from "effect-stackless/cluster"
import { channel, run, schedule, type Tasklet, tasklet } from "effect-stackless/stackless"
import { inspect } from "node:util"
import * as alone from "./alone.ts"
import * as tasks from "./tasks.ts"

const modules = [new URL("./tasks.js", import.meta.url)]

/** How a tasklet ends, as text. */
function* outcome(t: Tasklet): Generator<Effect.Effect<any, any>, any, any> {
  try {
    return yield* t.join()
  } catch (caught) {
    const error = caught as Error & { readonly _tag?: string }
    return `${error._tag ?? error.constructor.name}: ${error.message}`
  }
}

/** Of a module that the workers do not load. */
function* stranger() {
  return 1
}

const ascending = (numbers: ReadonlyArray<number>): Array<number> => {
  const ordered: Array<number> = []
  for (const n of numbers) ordered.splice(ordered.filter((other) => other <= n).length, 0, n)
  return ordered
}

const scenarios: Record<string, (p: Pool) => Generator<Effect.Effect<any, any>, any, any>> = {
  *results(p) {
    const all = [1, 2, 3, 4].map((n) => p.spawn(tasks.add)(n, 10))
    const got: Array<any> = []
    for (const each of all) got.push(yield* each.join())
    return { sums: got.map(({ sum }) => sum), threads: new Set(got.map(({ thread }) => thread)).size }
  },
  *error(p) {
    try {
      yield* p.spawn(tasks.refuses)().join()
    } catch (caught) {
      const error = caught as tasks.Refusal
      return [error instanceof tasks.Refusal, error.message, error.code]
    }
  },
  *strangeResult(p) {
    return yield* outcome(p.spawn(tasks.returnsPromise)())
  },
  *tour(p) {
    const local = tasklet(tasks.tour)(p, 5)
    const worker = p.workers[0]!
    return [yield* local.join(), yield* worker.spawn(tasks.tour)(p, 0).join()]
  },
  *strangeModule(p) {
    return yield* outcome(p.spawn(stranger)())
  },
  *strangeModuleMoves(p) {
    const stays = tasklet(function*() {
      return yield* tasks.tries(p.workers[0]!, "nothing")
    })()
    return yield* stays.join()
  },
  *unpicklable(p) {
    try {
      p.spawn(tasks.add)(Promise.resolve(1) as never, 2)
    } catch (caught) {
      const error = caught as { readonly _tag: string; readonly message: string }
      return `${error._tag}: ${error.message}`
    }
  },
  *luggage(p) {
    const stays = tasklet(tasks.tries)(p.workers[0]!, { promise: Promise.resolve(1) })
    return yield* stays.join()
  },
  *friend(p) {
    return yield* tasklet(tasks.triesWithFriend)(p.workers[0]!, p.channel()).join()
  },
  *blockedHere(p) {
    const here = channel()
    const t = tasklet(tasks.receives)(here, 1)
    yield* tasklet(() => {})().join()
    let error: string | undefined
    try {
      yield* moveTo(p.workers[0]!, t)
    } catch (caught) {
      error = `${(caught as { readonly _tag: string })._tag}: ${(caught as Error).message}`
    }
    yield* here.send("still here")
    return [error, (yield* t.join()).got]
  },
  *movesBlocked(p) {
    const shared = p.channel()
    const receiver = tasklet(tasks.receives)(shared, 2)
    const selector = tasklet(tasks.selects)(shared, p.channel(), 1)
    yield* tasklet(() => {})().join()
    yield* moveTo(p.workers[0]!, receiver)
    yield* moveTo(p.workers[1]!, selector)
    for (const n of [1, 2, 3]) yield* shared.send(n)
    const { got, thread } = yield* receiver.join()
    return [got.length + (yield* selector.join()).length, thread > 0]
  },
  *movesSender(p) {
    const shared = p.channel()
    const sender = tasklet(tasks.sends)(shared, 0, 3)
    yield* tasklet(() => {})().join()
    yield* moveTo(p.workers[0]!, sender)
    return (yield* p.workers[1]!.spawn(tasks.receives)(shared, 3).join()).got
  },
  *order(p) {
    const shared = p.channel()
    const receiver = p.workers[0]!.spawn(tasks.receives)(shared, 200)
    const sender = p.workers[1]!.spawn(tasks.sends)(shared, 0, 200)
    yield* sender.join()
    return (yield* receiver.join()).got.every((n: number, i: number) => n === i)
  },
  *manyToMany(p) {
    const shared = p.channel({ capacity: 5 })
    const senders: Array<Tasklet> = []
    const receivers: Array<Tasklet> = []
    for (let i = 0; i < 20; i++) senders.push(p.spawn(tasks.sends)(shared, i * 10, i * 10 + 10))
    for (let i = 0; i < 10; i++) receivers.push(p.spawn(tasks.receives)(shared, 20))
    const got: Array<any> = []
    for (const each of receivers) got.push(...(yield* each.join()).got)
    for (const each of senders) yield* each.join()
    return ascending(got).every((n: number, i: number) => n === i) && got.length === 200
  },
  *bounded(p) {
    const shared = p.channel({ capacity: 3 })
    const first = yield* p.workers[0]!.spawn(tasks.sends)(shared, 0, 3).join()
    const blocked = p.workers[1]!.spawn(tasks.sends)(shared, 3, 10)
    const wasAlive = blocked.alive
    const { got } = yield* tasklet(tasks.receives)(shared, 10).join()
    return [first, wasAlive, yield* blocked.join(), ascending(got)]
  },
  *preference(p) {
    const changed = p.channel({ preference: 5 })
    changed.preference = -2
    const all = [p.channel(), p.channel({ capacity: 1 }), p.channel({ preference: 0 }), changed]
    return [yield* p.spawn(tasks.preferences)(all).join(), yield* p.spawn(tasks.preferences)([changed]).join()]
  },
  *closing(p) {
    const shared = p.channel({ capacity: 2 })
    const iterators = [p.workers[0]!.spawn(tasks.iterates)(shared), p.workers[1]!.spawn(tasks.iterates)(shared)]
    yield* p.workers[0]!.spawn(tasks.sends)(shared, 0, 50).join()
    shared.close()
    const got: Array<any> = []
    for (const each of iterators) got.push(...yield* each.join())
    return [ascending(got).every((n: number, i: number) => n === i), got.length]
  },
  *sentError(p) {
    const shared = p.channel()
    const receiver = p.workers[0]!.spawn(tasks.receives)(shared, 1)
    p.workers[1]!.spawn(tasks.sendsError)(shared)
    return yield* outcome(receiver)
  },
  *overChannel(p) {
    const shared = p.channel<any>()
    const other = p.workers[0]!.spawn(tasks.sendsChannel)(p, shared)
    const answer = yield* shared.receive()
    p.workers[1]!.spawn(tasks.sends)(answer, 42, 43)
    return yield* other.join()
  },
  *selecting(p) {
    const shared = p.channel()
    const here = channel()
    const t = tasklet(tasks.selects)(shared, here, 4)
    p.workers[0]!.spawn(tasks.sends)(shared, 0, 2)
    tasklet(tasks.sends)(here, 0, 2)
    return new Set(yield* t.join()).size
  },
  *orderOfMoves(p) {
    const channel = p.channel<number>({ capacity: 1000 })
    const got: Array<number> = []
    const counting = p.workers[0]!.spawn(tasks.countsUnderWay)(p, channel, 400, 5)
    for (let i = 0; i < 2000; i++) {
      got.push(yield* channel.receive())
      // what comes meanwhile, from both, lies there when this is over
      if (i % 20 === 0) { for (const until = performance.now() + 2; performance.now() < until;); }
    }
    yield* counting.join()
    return got.filter((n, i) => n !== i)
  },
  *former(p) {
    const channel = p.channel({ capacity: 2 })
    yield* channel.send(1)
    const using = tasklet(function*() {
      yield* former!.send(2)
    })()
    return [yield* outcome(using), yield* channel.receive()]
  },
  *kinds(p) {
    const [there, back] = [p.channel(), p.channel()]
    p.workers[0]!.spawn(tasks.echoes)(there, back, tasks.kinds.length)
    const came: Array<string> = []
    for (const value of tasks.kinds) {
      yield* there.send(value)
      const copy: unknown = yield* back.receive()
      came.push(copy !== value || typeof copy !== "object" || copy === null ? inspect(copy) : "the same object")
    }
    const bytes = Uint8Array.of(1, 2)
    const sending = tasklet(function*() {
      yield* there.send(bytes)
    })()
    yield* schedule()
    // it was copied when it was sent
    bytes[0] = 9
    const { got } = yield* p.workers[0]!.spawn(tasks.receives)(there, 1).join()
    yield* sending.join()
    return [came, inspect(got)]
  },
  *closedAhead(p) {
    const shared = p.channel<number>({ capacity: 100 })
    const slow = p.workers[0]!.spawn(tasks.iteratesSlowly)(shared)
    yield* p.workers[1]!.spawn(tasks.sends)(shared, 0, 60).join()
    shared.close()
    return (yield* slow.join()).every((n: number, i: number) => n === i)
  },
  *cancelled(p) {
    const shared = p.channel()
    const said = p.channel()
    const first = p.workers[0]!.spawn(tasks.waitsAndSays)(shared, said)
    yield* said.receive()
    const second = p.workers[1]!.spawn(tasks.receives)(shared, 1)
    yield* first.kill()
    const word = yield* said.receive()
    yield* shared.send("for who is left")
    return [word, (yield* second.join()).got, yield* outcome(first)]
  },
  *death(p) {
    const lost = [p.workers[0]!.spawn(tasks.sleeps)(), p.workers[0]!.spawn(tasks.dies)()]
    const outcomes: Array<unknown> = []
    for (const each of lost.map((t) => tasklet(outcome)(t))) outcomes.push(yield* each.join())
    const alive = p.workers.map((worker) => worker.alive)
    const { sum } = yield* p.spawn(tasks.add)(1, 2).join()
    return [outcomes, alive, sum]
  }
}

const said: Record<string, any> = {}
/** Of a pool that has ended. */
let former: RemoteChannel | undefined
let rest: Tasklet | undefined
/** Makes and uses channels, again and again, and gives how many bytes each of the second half has left here and on the worker. */
function* shortLived(p: Pool): Generator<Effect.Effect<any, any>, any, any> {
  const [worker] = p.workers
  const requests = p.channel<any>()
  const serving = worker!.spawn(tasks.serves)(p, requests)
  // one that is closed, and remembered to be so, and one that holds a value
  const [over, holding] = [p.channel(), p.channel({ capacity: 1 })]
  over.close()
  yield* holding.send("kept")
  function* heaps(): Generator<Effect.Effect<any, any>, [number, number], any> {
    return [tasks.heap(), yield* worker!.spawn(tasks.heap)().join()]
  }
  let first: [number, number] | undefined
  for (let round = 0; round < 2; round++) {
    first = round === 0 ? undefined : yield* heaps()
    for (let i = 0; i < CHANNELS; i++) {
      const reply: RemoteChannel<any> = p.channel({ capacity: i % 2 })
      p.channel()
      yield* requests.send({ reply, closes: i % 3 === 0 })
      const theirs: RemoteChannel<any> = yield* reply.receive()
      yield* theirs.send(i)
      if (i % 5 === 0) theirs.close()
    }
    yield* Effect.sleep(3500)
  }
  let left: Array<number> = []
  // a busy machine takes its time
  for (let i = 0; i < 10; i++) {
    const last = yield* heaps()
    left = [0, 1].map((i) => (last[i]! - first![i]!) / (2 * CHANNELS))
    if (left.every((bytes) => bytes < 100)) break
    yield* Effect.sleep(1000)
  }
  requests.close()
  const used: number = yield* serving.join()
  const rest = [yield* outcome(worker!.spawn(tasks.receives)(over, 1)), yield* holding.receive()]
  return { left, used, rest }
}

const CHANNELS = 4000

const failure = (options: PoolOptions): Effect.Effect<string, Pool> =>
  Effect.scoped(pool(options)).pipe(Effect.flip, Effect.map(({ _tag, message }) => `${_tag}: ${message}`))

if (process.argv[2] === "open") {
  // the pool is never closed
  const scope = Effect.runSync(Scope.make())
  const p = await Effect.runPromise(Scope.provide(pool({ size: 1, modules }), scope))
  const t = p.spawn(tasks.add)(1, 2)
  await Effect.runPromise(run())
  said.open = await Effect.runPromise(t.join())
} else if (process.argv[2] === "short-lived") {
  await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const p = yield* pool({ size: 1, modules })
    const t = tasklet(shortLived)(p)
    yield* run()
    said.shortLived = yield* t.join()
  })))
} else {
  said.size = await Effect.runPromise(failure({ size: 0 }))
  said.alone = await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const p = yield* pool({ size: 1, modules: [new URL("./alone.js", import.meta.url)] })
    former = p.channel({ capacity: 1 })
    const asking = p.spawn(alone.asks)(p, p.workers[0]!, former)
    yield* run()
    return yield* asking.join()
  })))
  said.module = await Effect.runPromise(failure({ size: 1, modules: ["./nowhere.js"] }))
  await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const p = yield* pool({ size: 2, modules })
    said.second = yield* failure({ size: 1 })
    for (const [name, scenario] of Object.entries(scenarios)) {
      const t = tasklet(scenario)(p)
      yield* run()
      said[name] = yield* Effect.match(t.join(), { onFailure: String, onSuccess: (value) => value })
    }
    rest = tasklet(outcome)(p.spawn(tasks.sleeps)())
    // both begin, and wait
    yield* Effect.timeoutOption(run(), "100 millis")
  })))
  await Effect.runPromise(run())
  said.rest = await Effect.runPromise(rest!.join())
}
console.log(JSON.stringify(said))
