/** What the machines of the tests run: they do what they are told over standard input, a line of JSON each. */
"use stackless"

import { Effect, Fiber, Layer, ManagedRuntime, Schema } from "effect"
import {
  channel,
  component,
  type Down,
  durableChannel,
  find,
  Keyed,
  link,
  Machine,
  machine,
  monitor,
  moveTo,
  network,
  port,
  postgres,
  registry,
  sleep,
  spawn,
  wire
} from "effect-stackless/cluster"
import { run, tasklet } from "effect-stackless/stackless"
import { createInterface } from "node:readline"

const [, , options] = process.argv
const { database, durable, host, port: at, ...rest } = JSON.parse(options!)
const reached = { host, database, username: "postgres", maxConnections: 3, ...at === undefined ? {} : { port: at } }

const runtime = ManagedRuntime.make(Layer.merge(
  machine({ address: "127.0.0.1:0", registry: registry.postgres(reached), ...rest }),
  durable === true ? postgres(reached) : Layer.empty
))

const log = channel.named<unknown>("log", undefined, { capacity: 100_000 })
const downs = channel.named<Down>("downs", undefined, { capacity: 1000 })

/** Counts, and says so, until it is told to stop. */
function* counter(name: string, every: number) {
  const orders = channel.named<string>(`orders of ${name}`)
  let n = 0
  for (;;) {
    n++
    if (every === 0) {
      const order: string = yield* orders.receive()
      if (order === "stop") return n
      if (order === "fail") throw new Error("as told")
      yield* log.send({ name, n, at: process.pid })
    } else {
      yield* log.send({ name, n, at: process.pid })
      yield* sleep(every)
    }
  }
}

/** When tasklets have run here. */
const ticks: Array<readonly [name: string, n: number, time: number]> = []
const tick = (name: string, n: number): void => void ticks.push([name, n, Date.now()])
function* ticker(name: string) {
  for (let n = 1;; n++) {
    tick(name, n)
    yield* sleep(10)
  }
}

/** Goes to another machine in the middle of two calls, and comes back. */
function* away(to: string) {
  yield* moveTo(to)
  return process.pid
}
function* traveller(to: string, home: string) {
  const visited = [process.pid]
  visited.push(yield* away(to))
  yield* moveTo(home)
  visited.push(process.pid)
  return visited
}
/** The stops that commuters have made here: one that is there twice has run twice. */
const stops: Array<string> = []
let isOver = false
const stop = (name: string, n: number): void => void stops.push(`${name} ${n}`)
const over = (): boolean => isOver

/** Goes to and fro until its home says that it is over. */
function* commuter(name: string, to: string, home: string) {
  for (let n = 1;; n += 2) {
    yield* moveTo(to)
    stop(name, n)
    yield* moveTo(home)
    stop(name, n + 1)
    if (over()) return n + 1
  }
}
/** Sends numbers, and moves between two sends. */
function* onTheWay(name: string, numbers: number, every: number, road: string, to: string, home: string) {
  const out = channel.named<unknown>(road, undefined, { capacity: 100 })
  let away = false
  for (let n = 1; n <= numbers; n++) {
    yield* out.send({ name, n, at: process.pid })
    if (n % every !== 0) continue
    away = !away
    yield* moveTo(away ? to : home)
  }
  if (away) yield* moveTo(home)
  return name
}
function* stubborn(to: string) {
  const secret = Promise.resolve(1)
  try {
    yield* moveTo(to)
  } catch (error) {
    return [process.pid, (error as Error).message]
  }
  return secret
}

// a network whose components run on several machines
const numbering = (from: number, to: number) =>
  component({ out: { n: port(Schema.Finite) } }, function*(_, { n }) {
    for (let i = from; i < to; i++) yield* n.send(i)
  })
const squaring = component(
  { in: { n: port(Schema.Finite) }, out: { square: port<{ n: number; at: number }>() } },
  function*({ n }, { square }) {
    yield* n.each(function*(value) {
      yield* square.send({ n: value * value, at: process.pid })
    })
  }
)
const collecting = component({ in: { square: port<{ n: number; at: number }>() } }, function*({ square }) {
  const all: Array<unknown> = []
  yield* square.each((value) => {
    all.push(value)
  })
  return all
})
const net = network("squares", { low: numbering(0, 100), high: numbering(100, 200), squaring, collecting }, (c) => [
  wire(c.low.out.n, c.squaring.in.n, { capacity: 10 }),
  wire(c.high.out.n, c.squaring.in.n),
  wire(c.squaring.out.square, c.collecting.in.square)
])

const background: Array<Fiber.Fiber<unknown, unknown>> = []

const commands: Record<string, (...args: Array<any>) => Effect.Effect<unknown, unknown, Machine>> = {
  address: () => Effect.map(Machine, ({ address }) => address),
  machines: () => Effect.flatMap(Machine, ({ machines }) => machines),
  locate: (key: string) => Effect.flatMap(Machine, ({ locate }) => locate(key)),
  send: (name: string, values: Array<unknown>, capacity?: number) =>
    Effect.forEach(
      values,
      (value) => channel.named(name, undefined, capacity === undefined ? {} : { capacity }).send(value),
      {
        discard: true
      }
    ),
  receive: (name: string, n: number, capacity?: number) =>
    Effect.forEach(
      Array.from({ length: n }),
      () => channel.named(name, undefined, capacity === undefined ? {} : { capacity }).receive()
    ),
  drain: (name: string, capacity: number) =>
    Effect.promise(async () => {
      const values: Array<unknown> = []
      for await (const value of channel.named(name, undefined, { capacity })) values.push(value)
      return values
    }),
  /** Iterates over so many. */
  take: (name: string, n: number, capacity: number) =>
    Effect.promise(async () => {
      const values: Array<unknown> = []
      for await (const value of channel.named(name, undefined, { capacity })) if (values.push(value) === n) break
      return values
    }),
  close: (name: string, capacity: number) => Effect.sync(() => channel.named(name, undefined, { capacity }).close()),
  checked: (name: string, value: any) => Effect.suspend(() => channel.named(name, Schema.Finite).send(value)),
  spawn: (key: string, every: number) => Effect.map(spawn(key, counter)(key, every), ({ key }) => key),
  spawnUnmovable: (key: string) => Effect.map(spawn(key, counter)(key, Promise.resolve(1) as never), ({ key }) => key),
  travel: (to: string, home: string, stays: boolean) =>
    Effect.suspend(() => {
      const t = stays ? tasklet(stubborn)(to) : tasklet(traveller)(to, home)
      return Effect.andThen(run(), t.join() as Effect.Effect<unknown, unknown>)
    }),
  commute: (n: number, to: string, home: string) =>
    Effect.suspend(() => {
      const travellers = Array.from({ length: n }, (_, i) => tasklet(commuter)(`commuter ${i}`, to, home))
      return Effect.andThen(run(), Effect.forEach(travellers, (t) => t.join() as Effect.Effect<number, unknown>))
    }),
  /** Has some send numbers on a channel while they move. */
  sendOnTheWay: (names: ReadonlyArray<string>, numbers: number, road: string, to: string, home: string) =>
    Effect.suspend(() => {
      const all = names.map((name, i) => tasklet(onTheWay)(name, numbers, 3 + i % 5, road, to, home))
      return Effect.andThen(run(), Effect.forEach(all, (t) => t.join() as Effect.Effect<string, unknown>))
    }),
  /** Starts some of its components here, and gives what they have ended with. */
  part: (only: ReadonlyArray<keyof typeof net.components>) =>
    Effect.suspend(() => {
      const { tasklets } = net.start({ only })
      return Effect.andThen(
        run(),
        Effect.forEach(Object.values(tasklets), (t) => t.join() as Effect.Effect<unknown, unknown>)
      )
    }),
  arrive: () => Effect.sync(() => void (isOver = true)),
  stops: () => Effect.sync(() => stops),
  find: (key: string) => Effect.map(find(key), ({ key }) => key),
  where: (key: string) => new Keyed(key).where(),
  kill: (key: string) => new Keyed(key).kill(),
  join: (key: string) => new Keyed(key).join(),
  monitor: (key: string) => monitor(key, downs),
  link: (a: string, b: string) => link(a, b),
  /** Sends numbers in the background, and counts those that were sent. */
  pump: (name: string, capacity: number, from: number) =>
    Effect.sync(() => {
      const market = channel.named<number>(name, undefined, { capacity })
      background.push(Effect.runFork(Effect.forever(Effect.flatMap(
        Effect.sync(() => from++),
        (n) => Effect.andThen(Effect.andThen(market.send(n), Effect.sync(() => sent.push(n))), Effect.sleep(1))
      ))))
    }),
  gather: (name: string, capacity: number) =>
    Effect.sync(() => {
      const market = channel.named<number>(name, undefined, { capacity })
      background.push(Effect.runFork(Effect.forever(Effect.map(market.receive(), (n) => got.push([n, Date.now()])))))
    }),
  tick: (key: string) => Effect.map(spawn(key, ticker)(key), ({ key }) => key),
  ticks: () => Effect.sync(() => ticks),
  /** The same over a durable channel. */
  pumpDurably: (name: string, from: number) =>
    Effect.sync(() => {
      const jobs = durableChannel<number>(name, { capacity: 100 })
      background.push(Effect.runFork(Effect.forever(Effect.flatMap(
        Effect.sync(() => from++),
        (n) => Effect.andThen(Effect.andThen(jobs.send(n), Effect.sync(() => sent.push(n))), Effect.sleep(10))
      ))))
    }),
  gatherDurably: (name: string) =>
    Effect.sync(() => {
      const jobs = durableChannel<number>(name, { capacity: 100 })
      background.push(Effect.runFork(jobs.each((n) => Effect.sync(() => got.push([n, Date.now()])))))
    }),
  got: () => Effect.sync(() => got),
  sent: () => Effect.sync(() => sent),
  stop: () => Effect.andThen(Fiber.interruptAll(background), Effect.sync(() => ({ sent, got })))
}
const sent: Array<number> = []
const got: Array<[number, number]> = []

const say = (what: unknown): void => void process.stdout.write(`${JSON.stringify(what)}\n`)

process.on("SIGTERM", () => {
  void runtime.dispose().then(() => process.exit(0))
})

createInterface({ input: process.stdin }).on("line", (line) => {
  const { args, does, id } = JSON.parse(line)
  runtime.runCallback(Effect.suspend(() => commands[does]!(...args)), {
    onExit: (exit) => {
      if (exit._tag === "Success") return say({ id, value: exit.value })
      const [reason] = exit.cause.reasons
      const error: any = reason?._tag === "Fail" ? reason.error : reason?._tag === "Die" ? reason.defect : "interrupted"
      say({ id, failed: { tag: error?._tag ?? error?.name, message: error?.message ?? String(error) } })
    }
  })
})
