/**
 * Storms: programs made at random of whatever may end, interrupt or overtake something else. The order that real timers
 * bring is a new one each time, so nothing is said of the order. What must hold nevertheless: the program ends; a message is
 * received once at the most, and not lost unless who received it was ended meanwhile; each finalizer runs once; and the
 * thread works afterwards.
 */
import { Clock, Duration, Effect, Fiber } from "effect"
import {
  call,
  type Channel,
  channel,
  getcurrent,
  run,
  schedule,
  select,
  sleep,
  Tasklet,
  withThread
} from "effect-stackless/stackless"
import type { Steps } from "./program.ts"

const kinds = [
  "schedule",
  "send",
  "send",
  "receive",
  "receive",
  "sleep",
  "promise",
  "spawn",
  "kill",
  "kill",
  "killPending",
  "throw",
  "run",
  "remove",
  "insert",
  "nestedRun",
  "timedRun",
  "join",
  "select",
  "selectTimeout",
  "selectDefault",
  "timeoutReceive",
  "timeoutSend",
  "raceReceive",
  "call",
  "exitCall",
  "raceCall",
  "raceCalls",
  "timeoutCall",
  "interrupt",
  "scope",
  "scopeSwitching",
  "finally",
  "finallyThrows",
  "finallySwitches",
  "fork",
  "forkOutside",
  "forkJoin",
  "runSync",
  "thread",
  "threadOutside",
  "swallow",
  "fail"
] as const

/** What is done, with two numbers, and what is done in it. */
export interface Op {
  readonly kind: typeof kinds[number]
  readonly a: number
  readonly b: number
  readonly inner: ReadonlyArray<Op>
}

/** A body each; the first is main's. */
export type Storm = ReadonlyArray<ReadonlyArray<Op>>

/** A generator of numbers below `n`, the same for the same seed. */
export const random = (seed: number): (n: number) => number => {
  let state = seed >>> 0
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ t >>> 15, t | 1)
    t ^= t + Math.imul(t ^ t >>> 7, t | 61)
    return ((t ^ t >>> 14) >>> 0) % n
  }
}

const bodies = 4

export const storm = (seed: number): Storm => {
  const next = random(seed)
  const ops = (depth: number): ReadonlyArray<Op> =>
    Array.from({ length: 1 + next(depth === 0 ? 6 : 3) }, () => {
      const kind = kinds[next(kinds.length)]!
      return { kind, a: next(6), b: next(4), inner: depth < 3 ? ops(depth + 1) : [] }
    })
  return Array.from({ length: bodies }, () => ops(0))
}

interface HasFiber {
  readonly _fiber: { readonly fiber: Fiber.Fiber<unknown, unknown> | undefined } | undefined
}

class Oops extends Error {}

/** How many steps a program makes. */
const STEPS = 60

/** How many milliseconds one may take: it takes fewer than a hundred, but the machine may be busy. */
export const LIMIT = 60_000

/** How long a turn of the event loop takes at least where patience is counted in turns, in milliseconds. */
const TURN = 2

/**
 * Runs a program so that the patience that its thread has at its end is counted in turns of the event loop. Seconds may pass in which
 * a busy machine does nothing, and none of them is held against a body that would go on. One that waits in vain still runs out of
 * patience. Nothing else here takes a tenth of a second.
 */
export const patiently = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.updateService(program, Clock.Clock, (clock) =>
    Object.assign(Object.create(clock) as Clock.Clock, {
      sleep: (duration: Duration.Duration) => {
        const milliseconds = Duration.toMillis(duration)
        return milliseconds < 100 ? clock.sleep(duration) : turns(Math.ceil(milliseconds / TURN))
      }
    }))

/** So many turns of the event loop. */
const turns = (count: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    let left = count
    const next = (): void => {
      if (left-- > 0) timer = setTimeout(next, TURN)
      else resume(Effect.void)
    }
    let timer = setTimeout(next, TURN)
    return Effect.sync(() => clearTimeout(timer))
  })

/** Runs it; gives back what is wrong. */
export const weather = async (bodies: Storm): Promise<ReadonlyArray<string>> => {
  const wrong: Array<string> = []
  let left = STEPS
  let lastMessage = 0
  let sent = 0
  let received = 0
  /** Receives that ended in an error: what they had been given is lost with them. */
  let broken = 0
  const withdrawn = new Set<number>()
  const times = new Map<number, number>()
  const open = new Map<string, number>()
  let regions = 0
  const channels: ReadonlyArray<Channel<number>> = [channel(), channel(), channel({ capacity: 2 })]
  const tasklets: Array<Tasklet> = []
  const forked: Array<Fiber.Fiber<unknown, unknown>> = []

  const got = (id: number): void => {
    received++
    const count = (times.get(id) ?? 0) + 1
    times.set(id, count)
    if (count > 1) wrong.push(`message ${id} was received ${count} times`)
    if (withdrawn.has(id)) wrong.push(`message ${id} was received although its send had run into its timeout`)
  }
  const sending = (c: Channel<number>, id = ++lastMessage): Effect.Effect<void> =>
    Effect.map(c.send(id), () => void sent++)
  function* receiving(receive: Effect.Effect<number, any>): Steps<void> {
    let ended = false
    try {
      got(yield* receive)
      ended = true
    } finally {
      if (!ended) broken++
    }
  }
  const enter = (): string => {
    const region = `region ${++regions}`
    open.set(region, 0)
    return region
  }
  const leave = (region: string): void => void open.set(region, open.get(region)! + 1)

  function* work(ops: ReadonlyArray<Op>): Steps<number> {
    for (const op of ops) {
      if (left-- <= 0) break
      try {
        yield* perform(op)
      } catch (error) {
        if (isExit(error) || error instanceof Oops && op.b === 0) throw error
      }
    }
    return ops.length
  }

  function* perform({ a, b, inner, kind }: Op): Steps<unknown> {
    const c = channels[a % channels.length]!
    const t = tasklets[a % Math.max(1, tasklets.length)] ?? getcurrent()
    const milliseconds = b
    switch (kind) {
      case "schedule":
        return yield* schedule()
      case "send":
        return yield* c.send(++lastMessage), sent++
      case "receive":
        return yield* receiving(c.receive())
      case "sleep":
        return yield* sleep(milliseconds)
      case "promise":
        return yield* Effect.promise(() => Promise.resolve())
      case "spawn":
        if (tasklets.length < 10) tasklets.push(new Tasklet(() => work(inner)).setup())
        return
      case "kill":
        return yield* t.kill()
      case "killPending":
        return yield* t.kill({ pending: true })
      case "throw":
        return yield* t.throw(new Oops("thrown"))
      case "run":
        return yield* t.run()
      case "remove":
        return t.remove()
      case "insert":
        return t.insert()
      case "nestedRun":
        return yield* run()
      case "timedRun":
        return yield* Effect.timeoutOption(run(), milliseconds)
      case "join":
        return yield* Effect.timeoutOption(t.join(), milliseconds)
      case "select":
      case "selectTimeout":
      case "selectDefault": {
        const id = ++lastMessage
        const cases = { x: channels[0]!.receive(), y: channels[1]!.send(id) }
        let ended = false
        try {
          const { key, value } = kind === "select"
            ? yield* select(cases)
            : kind === "selectTimeout"
            ? yield* select(cases, { timeout: milliseconds })
            : yield* select(cases, { default: 0 })
          ended = true
          if (key === "x") got(value as number)
          if (key === "y") sent++
          else withdrawn.add(id)
        } finally {
          if (!ended) broken++
        }
        return
      }
      case "timeoutReceive": {
        let ended = false
        try {
          const some = yield* Effect.timeoutOption(c.receive(), milliseconds)
          ended = true
          if (some._tag === "Some") got(some.value)
        } finally {
          if (!ended) broken++
        }
        return
      }
      case "timeoutSend": {
        const id = ++lastMessage
        const some = yield* Effect.timeoutOption(c.send(id), milliseconds)
        if (some._tag === "Some") sent++
        else if (times.has(id)) wrong.push(`message ${id} was received although its send ran into its timeout`)
        else withdrawn.add(id)
        return
      }
      case "raceReceive": {
        let ended = false
        try {
          const id = yield* Effect.race(c.receive(), Effect.as(Effect.sleep(milliseconds), 0))
          ended = true
          if (id !== 0) got(id)
        } finally {
          if (!ended) broken++
        }
        return
      }
      case "call":
        return yield* call(work, inner)
      case "exitCall":
        return yield* Effect.exit(call(work, inner))
      case "raceCall":
        return yield* Effect.race(call(work, inner), Effect.sleep(milliseconds))
      case "raceCalls":
        return yield* Effect.race(
          Effect.sleep(milliseconds),
          Effect.race(Effect.exit(call(work, inner)), Effect.never)
        )
      case "timeoutCall":
        return yield* Effect.timeoutOption(call(work, inner), milliseconds)
      case "interrupt":
        return (t as unknown as HasFiber)._fiber?.fiber?.interruptUnsafe()
      case "scope":
      case "scopeSwitching": {
        const region = enter()
        let acquired = false
        try {
          return yield* Effect.acquireUseRelease(
            Effect.sync(() => void (acquired = true)),
            () => call(work, inner),
            () =>
              kind === "scope"
                ? Effect.andThen(Effect.yieldNow, Effect.sync(() => leave(region)))
                // what may wait for ever here would rightly do so
                : Effect.ensuring(Effect.ignoreCause(schedule()), Effect.sync(() => leave(region)))
          )
        } finally {
          if (!acquired) leave(region)
        }
      }
      case "finally":
      case "finallyThrows":
      case "finallySwitches": {
        const region = enter()
        try {
          return yield* work(inner)
        } finally {
          leave(region)
          if (kind === "finallySwitches") yield* schedule()
          if (kind === "finallyThrows") yield* Effect.die(new Oops("in finally"))
        }
      }
      case "fork":
        forked.push(yield* Effect.forkChild(Effect.timeoutOption(sending(c), milliseconds)))
        return
      case "forkOutside":
        forked.push(Effect.runFork(Effect.timeoutOption(sending(c), milliseconds)))
        return
      case "forkJoin":
        return yield* Effect.flatMap(
          Effect.forkChild(Effect.timeoutOption(call(work, inner), milliseconds)),
          Fiber.await
        )
      case "runSync":
        // what waits in there is given up for good, and with it what was begun
        return Effect.runSync(withThread(call(work, flat(inner))))
      case "thread":
        // a main that is blocked waits as long as any other thread has something to run
        return yield* Effect.timeoutOption(patiently(withThread(call(work, inner))), 1 + milliseconds)
      case "threadOutside":
        forked.push(Effect.runFork(Effect.timeoutOption(patiently(withThread(call(work, inner))), 1 + milliseconds)))
        return
      case "swallow":
        try {
          return yield* call(work, inner)
        } catch {
          return yield* sleep(milliseconds)
        }
      case "fail":
        throw new Oops("failed")
    }
  }

  function* settle(): Steps<void> {
    left = 0
    for (let tries = 0; tries < 10 && tasklets.some((t) => t.alive); tries++) {
      for (const t of tasklets) {
        try {
          if (t.alive && !t.isMain && t.thread === getcurrent().thread) yield* t.kill()
        } catch {
          // an error of its own
        }
      }
      try {
        yield* Effect.timeoutOption(run(), 4)
      } catch {
        // an error of one
      }
    }
    const c = channel<string>()
    const works: Array<string> = []
    new Tasklet(function*() {
      works.push(yield* c.receive())
    }).setup()
    new Tasklet(function*() {
      yield* c.send("works")
    }).setup()
    for (let tries = 0; tries < 5 && works.length === 0; tries++) {
      try {
        yield* Effect.timeoutOption(run(), 4)
      } catch {
        // an error of one
      }
    }
    if (works.length !== 1) wrong.push("the thread does not work any more")
  }

  const main = Effect.gen(function*() {
    bodies.slice(1).forEach((ops) => tasklets.push(new Tasklet(() => work(ops)).setup()))
    yield* Effect.exit(Effect.timeoutOption(call(work, bodies[0]!), 5))
    yield* Effect.exit(Effect.timeoutOption(run(), 1))
    yield* Effect.exit(Effect.timeoutOption(run(), 4))
    yield* call(settle)
  })
  const exit = await Effect.runPromiseExit(
    Effect.timeoutOption(
      patiently(withThread(main as Effect.Effect<void>)),
      LIMIT
    ).pipe(
      Effect.andThen((some) => Effect.sync(() => some._tag === "None" && wrong.push(`it takes ${LIMIT} ms`)))
    )
  )
  for (const fiber of forked) await Effect.runPromiseExit(Fiber.interrupt(fiber))
  if (exit._tag === "Failure" && !exit.cause.reasons.every((r) => r._tag === "Die" && r.defect instanceof Oops)) {
    wrong.push(`it ends with ${String(exit.cause)}`)
  }
  for (const [region, count] of open) if (count !== 1) wrong.push(`the finalizer of ${region} ran ${count} times`)
  // what a channel with a capacity holds at the end, nobody has received
  const held = channels.reduce((n, { balance }) => n + Math.max(0, balance), 0)
  if (sent > received + broken + held) {
    wrong.push(`${sent} messages were sent, ${received} received, ${broken} receivers ended, ${held} are held`)
  }
  return wrong
}

/** What of it never waits. */
const flat = (ops: ReadonlyArray<Op>): ReadonlyArray<Op> =>
  ops.filter(({ kind }) => kind === "schedule" || kind === "call" || kind === "finally")
    .map(({ a, b, inner, kind }) => ({ kind, a, b, inner: flat(inner) }))

const isExit = (error: unknown): boolean => error instanceof Error && /^(Tasklet|Greenlet)Exit$/.test(error.name)

/** Fewer steps with which something is wrong still, if several go on at once: each one is left out if so. */
export const calm = async (bodies: Storm): Promise<Storm> => {
  const fails = async (candidate: Storm): Promise<boolean> => {
    const all = Promise.all(Array.from({ length: 6 }, () => weather(candidate)))
    return (await within(all.then((wrong) => wrong.flat()), 6000)).length > 0
  }
  // what was left out first is the largest, so that most of it is gone soon
  for (let place = 0;;) {
    const smaller = [...smallerThan(bodies)][place]
    if (smaller === undefined) break
    if (await fails(smaller)) bodies = smaller
    else place++
  }
  return bodies
}

/** What is wrong, also if it hangs. */
export const within = (
  result: Promise<ReadonlyArray<string>>,
  milliseconds: number
): Promise<ReadonlyArray<string>> => {
  let timer: ReturnType<typeof setTimeout>
  const late = new Promise<ReadonlyArray<string>>((resolve) => {
    timer = setTimeout(() => resolve(["it hangs"]), milliseconds)
  })
  return Promise.race([result, late]).finally(() => clearTimeout(timer))
}

function* smallerThan(bodies: Storm): Generator<Storm> {
  for (let i = 0; i < bodies.length; i++) {
    for (const ops of smallerOps(bodies[i]!)) yield bodies.map((body, j) => i === j ? ops : body)
  }
}

function* smallerOps(ops: ReadonlyArray<Op>): Generator<ReadonlyArray<Op>> {
  for (let i = 0; i < ops.length; i++) {
    yield [...ops.slice(0, i), ...ops.slice(i + 1)]
    const op = ops[i]!
    for (const inner of smallerOps(op.inner)) yield [...ops.slice(0, i), { ...op, inner }, ...ops.slice(i + 1)]
  }
}

/** A storm to read and to paste. */
export const shown = (bodies: Storm): string => {
  const show = (ops: ReadonlyArray<Op>): string =>
    `[${
      ops.map(({ a, b, inner, kind }) => `${kind} ${a} ${b}${inner.length > 0 ? ` ${show(inner)}` : ""}`).join(", ")
    }]`
  return bodies.map(show).join("\n")
}
