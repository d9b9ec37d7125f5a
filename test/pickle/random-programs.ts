"use stackless"

/**
 * Random programs of tasklets and channels, and what runs them for some rounds: a round is one thing that main does. A program is run
 * from its seed, or goes on as it was dumped, always on a thread of its own.
 */
import { Effect, Exit, Scope } from "effect"
import { dumps, loads } from "effect-stackless/pickle"
import * as stackless from "effect-stackless/stackless"

type Op = readonly [what: string, a: number, b: number]

interface World {
  readonly scripts: ReadonlyArray<ReadonlyArray<Op>>
  /** What main does, an op a round. */
  readonly main: ReadonlyArray<Op>
  round: number
  readonly trace: Array<string>
  readonly channels: ReadonlyArray<stackless.Channel>
  readonly tasklets: Array<stackless.Tasklet>
  /** Closures that tasklets have made for each other. */
  readonly shared: Array<(n: number) => number>
  readonly counter: Counter
  /** What is left to be done: every program ends. */
  budget: number
}

class Mishap extends Error {}

class Counter {
  total = 0
  readonly seen = new Map<string, number>()
  add(n: number): number {
    this.total += n
    return this.total
  }
  *slowly(by: string, n: number): any {
    const before = this.total
    yield* stackless.schedule()
    this.seen.set(by, (this.seen.get(by) ?? 0) + n)
    return `${before} ${this.add(n)}`
  }
}

class Resource {
  readonly world: World
  readonly name: string
  constructor(world: World, name: string) {
    this.world = world
    this.name = name
  }
  [Symbol.dispose](): void {
    this.world.trace.push(`${this.name} disposed`)
  }
}

function* countTo(world: World, me: string, to: number): Generator<number, string> {
  try {
    for (let i = 0; i < to; i++) yield i
    return "counted"
  } finally {
    world.trace.push(`${me} counter over`)
  }
}

function* within(world: World, me: string, depth: number): any {
  if (depth === 0) {
    yield* stackless.schedule()
    return "bottom"
  }
  try {
    return `(${yield* within(world, me, depth - 1)})`
  } finally {
    if (depth === 2) yield* stackless.schedule()
    world.trace.push(`${me} out of ${depth}`)
  }
}

function* waited<A>(value: A): any {
  yield* stackless.schedule()
  return value
}

function* twice(world: World, me: string, value: unknown): any {
  world.trace.push(`${me} each ${String(value)}`)
  yield* stackless.schedule()
}

function* perform(world: World, me: string, [what, a, b]: Op, depth: number): any {
  const channel = world.channels[a % world.channels.length]!
  const other = world.tasklets[b % Math.max(1, world.tasklets.length)]
  switch (what) {
    case "send":
      yield* channel.send(`${me}:${b}`)
      return "sent"
    case "receive":
      return yield* channel.receive()
    case "sendThrow":
      yield* channel.sendThrow(new TypeError(`${me}:${b}`))
      return "thrown"
    case "schedule":
      yield* stackless.schedule()
      return "scheduled"
    case "scheduleRemove":
      yield* stackless.scheduleRemove()
      return "back"
    case "insert":
      other?.insert()
      return "inserted"
    case "remove":
      other?.remove()
      return "removed"
    case "kill":
      if (other !== undefined) yield* other.kill()
      return "killed"
    case "killPending":
      if (other !== undefined) yield* other.kill({ pending: true })
      return "doomed"
    case "throw":
      if (other !== undefined) yield* other.throw(new RangeError(me))
      return "threw"
    case "run":
      if (other !== undefined) yield* other.run()
      return "ran"
    case "preference":
      channel.preference = b % 3 - 1
      return channel.preference
    case "scheduleAll":
      channel.scheduleAll = b % 2 === 0
      return channel.scheduleAll
    case "close":
      if (b % 3 === 0) channel.close()
      else channel.open()
      return channel.closing
    case "join":
      return other === undefined ? "nobody" : yield* other.join()
    case "spawn": {
      const number = world.tasklets.length
      if (number >= 8) return "enough"
      world.tasklets.push(new stackless.Tasklet(interpret, [world, `t${number}`, a, 0]))
      if (b % 2 === 0) world.tasklets[number]!.insert()
      return number
    }
    case "call":
      return depth > 3 ? "deep" : yield* interpret(world, `${me}/${depth + 1}`, a, depth + 1)
    case "each": {
      const seen: Array<unknown> = []
      const map = new Map([["x", 1], ["y", 2], ["z", 3]])
      for (const [key, value] of map) {
        seen.push(key)
        if (value === b % 3) map.delete("y")
        yield* stackless.schedule()
        if (value === 1) map.set("w", b)
      }
      return seen.join("")
    }
    case "closures": {
      const adders: Array<(n: number) => number> = []
      let sum = 0
      for (let i = 0; i < 3; i++) {
        adders.push((n) => sum += i * n)
        yield* stackless.schedule()
      }
      return adders.map((add) => add(b)).join()
    }
    case "guarded":
      try {
        yield* channel.send(`${me} guarded`)
        return "served"
      } finally {
        world.trace.push(`${me} finally`)
        yield* stackless.schedule()
        world.trace.push(`${me} finally over`)
      }
    case "iterations": {
      const seen: Array<unknown> = []
      const list = [1, 2, 3]
      for (const x of list) {
        if (x === 1 + b % 3) list.push(9)
        yield* stackless.schedule()
        seen.push(x)
        if (seen.length > 5) break
      }
      for (const c of "añ😀") {
        yield* stackless.schedule()
        seen.push(c)
      }
      for (const [at, member] of [...new Set(["p", "q"])].entries()) {
        yield* stackless.schedule()
        seen.push(at, member)
      }
      const object: Record<string, number> = { k: 1, l: 2, m: 3 }
      for (const key in object) {
        if (key === "k") delete object["l"]
        yield* stackless.schedule()
        seen.push(key)
      }
      return seen.join("")
    }
    case "generators": {
      const seen: Array<unknown> = []
      for (const i of countTo(world, me, 4)) {
        yield* stackless.schedule()
        seen.push(i)
        if (i === b % 5) break
      }
      return seen.join("")
    }
    case "within":
      return yield* within(world, me, 1 + b % 4)
    case "labels": {
      const seen: Array<unknown> = []
      outer: for (let i = 0; i < 3; i++) {
        for (let j = 0;; j++) {
          switch (j) {
            case 0:
              yield* stackless.schedule()
              continue
            case 1:
              if (i === b % 3) continue outer
              break
            case 3:
              continue outer
            default:
              yield* stackless.schedule()
          }
          seen.push(i, j)
        }
      }
      return seen.join("")
    }
    case "returns":
      try {
        return yield* waited("returned")
      } finally {
        yield* stackless.schedule()
        // oxlint-disable-next-line no-unsafe-finally -- this is what is tried
        if (b % 2 === 0) return "instead"
      }
    case "patterns": {
      const { x = yield* waited("default"), ...rest } = b % 2 === 0 ? { x: 1, y: 2 } : { y: 3, z: yield* waited(4) }
      const [first, , ...others] = [yield* waited(b), 1, ...(yield* waited([2, 3])), 4]
      return `${x} ${JSON.stringify(rest)} ${first} ${others.join()} ${yield* waited("end")}`
    }
    case "counter":
      return b % 2 === 0 ? yield* world.counter.slowly(me, b) : world.counter.add(yield* waited(b))
    case "share": {
      let sum = b
      world.shared.push((n) => sum += n)
      yield* stackless.schedule()
      return sum
    }
    case "use":
      return world.shared.length === 0 ? "nothing" : world.shared[b % world.shared.length]!(b)
    case "using": {
      using resource = new Resource(world, `${me} resource`)
      yield* channel.send(resource.name)
      return "used"
    }
    case "cause":
      try {
        yield* waited(1)
        throw new RangeError("why", { cause: new Mishap(me) })
      } catch (error) {
        yield* stackless.schedule()
        return `${(error as Error).message} ${((error as Error).cause as Error).message}`
      }
    case "exits":
      try {
        yield* channel.receive()
        return "received"
      } catch (error) {
        if (error instanceof stackless.TaskletExit) yield* stackless.schedule()
        throw error
      }
    case "select": {
      const cases = { one: channel.receive(), two: world.channels[(a + 1) % 3]!.send(`${me} selected`) }
      const { key, value } = b % 3 === 0
        ? yield* stackless.select(cases, { default: "none" })
        : yield* stackless.select(cases)
      return `${key} ${String(value)}`
    }
    case "runs":
      yield* stackless.run()
      return "ran empty"
    case "sequence":
      return yield* channel.sendSequence([`${me}:a`, `${me}:b`, `${me}:c`])
    case "stops":
      yield* channel.sendException(stackless.StopIteration)
      return "stopped"
    case "next": {
      const { done, value } = yield* channel.next()
      return `${String(done)} ${String(value)}`
    }
    case "receiveEach":
      return yield* channel.each((value) => twice(world, me, value))
    case "atomic":
      return yield* stackless.atomic(waited, stackless.getcurrent().atomic)
    case "fail":
      throw new Mishap(me)
    default:
      throw new Error(what)
  }
}

function* interpret(world: World, me: string, script: number, depth: number): any {
  const ops = world.scripts[script % world.scripts.length]!
  for (const op of ops) {
    if (world.budget-- <= 0) return "over"
    try {
      const result = yield* perform(world, me, op, depth)
      world.trace.push(`${me} ${op.join(" ")} = ${String(result)}`)
    } catch (error) {
      const { message, name } = error as Error
      world.trace.push(`${me} ${op.join(" ")} ! ${name} ${message.startsWith("Deadlock") ? "deadlock" : message}`)
      if (error instanceof stackless.TaskletExit || error instanceof Mishap) throw error
    }
  }
  return `${me} done`
}

// ---- the programs ---------------------------------------------------------------------------------------------------

const whats = [
  "send",
  "send",
  "send",
  "receive",
  "receive",
  "receive",
  "sendThrow",
  "schedule",
  "schedule",
  "scheduleRemove",
  "insert",
  "insert",
  "remove",
  "kill",
  "killPending",
  "throw",
  "run",
  "preference",
  "scheduleAll",
  "close",
  "join",
  "spawn",
  "spawn",
  "call",
  "call",
  "each",
  "closures",
  "guarded",
  "iterations",
  "generators",
  "within",
  "labels",
  "returns",
  "patterns",
  "counter",
  "share",
  "use",
  "using",
  "cause",
  "exits",
  "select",
  "select",
  "select",
  "select",
  "runs",
  "sequence",
  "stops",
  "next",
  "receiveEach",
  "atomic",
  "fail"
]

const doneByMain = [
  "schedule",
  "schedule",
  "schedule",
  "schedule",
  "schedule",
  "schedule",
  "run",
  "run",
  "send",
  "receive",
  "kill",
  "insert",
  "throw",
  "sendThrow"
]

const randomOf = (seed: number) => (below: number): number => {
  seed = seed + 0x6D_2B_79_F5 | 0
  let t = Math.imul(seed ^ seed >>> 15, 1 | seed)
  t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
  return ((t ^ t >>> 14) >>> 0) % below
}

/** How many things main does. */
export const ROUNDS = 12

const worldOf = (seed: number): World => {
  const random = randomOf(seed)
  const scripts = Array.from(
    { length: 3 },
    () => Array.from({ length: 2 + random(6) }, (): Op => [whats[random(whats.length)]!, random(8), random(8)])
  )
  const world: World = {
    scripts,
    main: Array.from({ length: ROUNDS }, (): Op => [doneByMain[random(doneByMain.length)]!, random(8), random(8)]),
    round: 0,
    trace: [],
    channels: [stackless.channel(), stackless.channel({ capacity: 1 }), stackless.channel()],
    tasklets: [],
    shared: [],
    counter: new Counter(),
    budget: 80
  }
  for (let i = 0; i < 3; i++) {
    const tasklet = new stackless.Tasklet(interpret, [world, `t${i}`, i, 0])
    world.tasklets.push(tasklet)
    tasklet.insert()
  }
  return world
}

/** What main does in a round. */
const mainOf = ({ channels, main, round, tasklets }: World): Effect.Effect<unknown, unknown> => {
  const [what, a, b] = main[round % main.length]!
  const channel = channels[a % channels.length]!
  const tasklet = tasklets[b % tasklets.length]!
  switch (what) {
    case "run":
      return stackless.run()
    case "send":
      return channel.send(`main:${b}`)
    case "sendThrow":
      return channel.sendThrow(new TypeError(`main:${b}`))
    case "receive":
      return channel.receive()
    case "kill":
      return tasklet.kill()
    case "throw":
      return tasklet.throw(new RangeError("main"))
    case "insert":
      return Effect.sync(() => {
        if (tasklet.alive && !tasklet.blocked) tasklet.insert()
      })
    default:
      return stackless.schedule()
  }
}

function* mainDoes(world: World): any {
  return yield* mainOf(world)
}

const written = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return `= ${exit.value instanceof stackless.Tasklet ? "tasklet" : String(exit.value)}`
  return `! ${exit.cause.reasons.map((reason) => ((reason as any).defect ?? (reason as any).error)?.name).join()}`
}

/** A thread of its own. It is never ended, as nobody shall see its tasklets die; with the last of them it is garbage. */
const newThread = Effect.flatMap(Scope.make(), (scope) => Scope.provide(stackless.makeThread, scope))

/** Where a program begins: its seed, or what was dumped of it. */
export type From = number | Uint8Array

/** Runs a program for some rounds. Gives back what it has said, and what it is dumped as. */
export const advance = async (
  from: From,
  rounds: number
): Promise<{ readonly trace: ReadonlyArray<string>; readonly bytes: Uint8Array | undefined }> => {
  const thread = await Effect.runPromise(newThread)
  const on = <A>(effect: Effect.Effect<A>): Promise<A> =>
    Effect.runPromise(Effect.provideService(effect, stackless.Thread, thread))
  const world = await on(Effect.sync(() => {
    if (typeof from === "number") return worldOf(from)
    const [loaded, snapshot] = loads<[World, stackless.Snapshot]>(from)
    if (Buffer.compare(from, dumps([loaded, snapshot])) !== 0) throw new Error("what was loaded gives other bytes")
    snapshot.restore()
    return loaded
  }))
  for (let i = 0; i < rounds; i++) {
    const exit = await on(Effect.exit(stackless.call(mainDoes, world)))
    world.trace.push(`main ${world.main[world.round++]!.join(" ")} ${written(exit)}`)
    const channels = world.channels.map((channel) => channel.balance)
    const flags = world.tasklets.map((t) => `${t.alive ? "a" : "d"}${t.blocked ? "b" : ""}${t.scheduled ? "s" : ""}`)
    world.trace.push(`-- ${channels.join()} ${flags.join()} ${world.counter.total}`)
  }
  const bytes = world.round < ROUNDS
    ? await on(Effect.sync(() => dumps([world, stackless.snapshot()])))
    : undefined
  return { trace: world.trace, bytes }
}
