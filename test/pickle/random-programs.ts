"use stackless"

/**
 * Random programs of tasklets and channels, run as they are, and with everything dumped and loaded, on a thread of its own, after
 * every k-th round. Prints the first program whose two traces differ.
 *
 *     node random-programs.mjs COUNT SEED
 */
import { Effect, Exit, Scope } from "effect"
import { dumps, loads, persistent } from "effect-stackless/pickle"
import * as stackless from "effect-stackless/stackless"

type Op = readonly [what: string, a: number, b: number]

interface World {
  readonly scripts: ReadonlyArray<ReadonlyArray<Op>>
  readonly trace: Array<string>
  readonly channels: ReadonlyArray<stackless.Channel>
  readonly tasklets: Array<stackless.Tasklet>
  /** What is left to be done: every program ends. */
  budget: number
}

class Mishap extends Error {}
persistent("Mishap", Mishap)

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
  "each",
  "closures",
  "guarded",
  "fail"
]

const randomOf = (seed: number) => (below: number): number => {
  seed = seed + 0x6D_2B_79_F5 | 0
  let t = Math.imul(seed ^ seed >>> 15, 1 | seed)
  t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
  return ((t ^ t >>> 14) >>> 0) % below
}

const scriptsOf = (seed: number): ReadonlyArray<ReadonlyArray<Op>> => {
  const random = randomOf(seed)
  return Array.from(
    { length: 3 },
    () => Array.from({ length: 2 + random(6) }, (): Op => [whats[random(whats.length)]!, random(8), random(8)])
  )
}

const ROUNDS = 12

const scope = Effect.runSync(Scope.make())

/** What is done on a thread of its own, which is not ended: nobody shall see its tasklets die. */
const onThread = <A>(thread: stackless.Thread, effect: Effect.Effect<A>): Promise<A> =>
  Effect.runPromise(Effect.provideService(effect, stackless.Thread, thread))

const newThread = (): Promise<stackless.Thread> => Effect.runPromise(Scope.provide(stackless.makeThread, scope))

/** The trace of a program, dumped and loaded after every k-th round, or never. */
const traceOf = async (seed: number, every: number): Promise<ReadonlyArray<string>> => {
  let thread = await newThread()
  let world = await onThread(
    thread,
    Effect.sync((): World => {
      const world: World = {
        scripts: scriptsOf(seed),
        trace: [],
        channels: [stackless.channel(), stackless.channel({ capacity: 1 }), stackless.channel()],
        tasklets: [],
        budget: 80
      }
      for (let i = 0; i < 3; i++) {
        const tasklet = new stackless.Tasklet(interpret, [world, `t${i}`, i, 0])
        world.tasklets.push(tasklet)
        tasklet.insert()
      }
      return world
    })
  )
  for (let round = 1; round <= ROUNDS; round++) {
    const exit = await onThread(thread, Effect.exit(stackless.schedule()))
    if (Exit.isFailure(exit)) {
      world.trace.push(`main ! ${String(exit.cause.reasons.map((reason) => (reason as any).defect?.name))}`)
    }
    if (every > 0 && round % every === 0) {
      const bytes = await onThread(thread, Effect.sync(() => dumps([world, stackless.snapshot()])))
      thread = await newThread()
      const [loaded, snapshot] = await onThread(
        thread,
        Effect.sync(() => {
          const [world, snapshot] = loads<[World, stackless.Snapshot]>(bytes)
          const again = dumps([world, snapshot])
          if (Buffer.compare(bytes, again) !== 0) throw new Error("what was loaded gives other bytes")
          snapshot.restore()
          return [world, snapshot] as const
        })
      )
      void snapshot
      world = loaded
    }
    world.trace.push(
      `-- ${world.channels.map((channel) => channel.balance).join()} ${
        world.tasklets.map((t) => `${t.alive ? "a" : "d"}${t.blocked ? "b" : ""}${t.scheduled ? "s" : ""}`).join()
      }`
    )
  }
  return world.trace
}

const [count = 300, first = 1] = process.argv.slice(2).map(Number)
let said = 0
for (let seed = first; seed < first + count; seed++) {
  const undisturbed = await traceOf(seed, 0)
  said += undisturbed.length
  for (const every of [1, 2, 3, 7]) {
    let trace: ReadonlyArray<string>
    try {
      trace = await traceOf(seed, every)
    } catch (error) {
      console.log(`program ${seed}, every ${every}: ${String((error as Error).stack)}`)
      process.exit(1)
    }
    const at = undisturbed.findIndex((line, i) => line !== trace[i])
    if (at === -1 && trace.length === undisturbed.length) continue
    console.log(
      `program ${seed}, every ${every}, line ${at}:\n${
        undisturbed.slice(Math.max(0, at - 6), at + 2).join("\n")
      }\nbut\n${trace.slice(Math.max(0, at - 6), at + 2).join("\n")}`
    )
    process.exit(1)
  }
}
console.log(`the same: ${count} programs, ${said} lines`)
