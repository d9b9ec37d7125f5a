/**
 * Storms of greenlets: programs made at random of switches, throws, new parents, races, timeouts, interrupts and threads that
 * end. What must hold: the program ends; a value is received once at the most; each finalizer runs once; the thread works
 * afterwards; and what has started on it is dead when it has ended.
 */
import { Effect, Fiber } from "effect"
import { call, getcurrent, Greenlet, GreenletError, GreenletExit, withThread } from "effect-stackless/greenlet"
import type { Steps } from "../stackless/program.ts"
import { patiently, random } from "../stackless/storm.ts"

const kinds = [
  "switch",
  "switch",
  "switchMain",
  "switchParent",
  "throw",
  "kill",
  "parent",
  "spawn",
  "sleep",
  "promise",
  "call",
  "exitCall",
  "raceCall",
  "timeoutCall",
  "raceSwitch",
  "timeoutSwitch",
  "interrupt",
  "scope",
  "scopeSwitching",
  "finally",
  "finallyThrows",
  "finallySwitches",
  "fork",
  "forkJoin",
  "runSync",
  "thread",
  "threadOutside",
  "swallow",
  "fail"
] as const

interface Op {
  readonly kind: typeof kinds[number]
  readonly a: number
  readonly b: number
  readonly inner: ReadonlyArray<Op>
}

/** A body each; the first is main's. */
export type Storm = ReadonlyArray<ReadonlyArray<Op>>

export const storm = (seed: number): Storm => {
  const next = random(seed)
  const ops = (depth: number): ReadonlyArray<Op> =>
    Array.from({ length: 1 + next(depth === 0 ? 6 : 3) }, () => {
      const kind = kinds[next(kinds.length)]!
      return { kind, a: next(6), b: next(4), inner: depth < 3 ? ops(depth + 1) : [] }
    })
  return Array.from({ length: 4 }, () => ops(0))
}

interface HasFiber {
  readonly _fiber: { readonly fiber: Fiber.Fiber<unknown, unknown> | undefined } | undefined
}

class Oops extends Error {}

/** How many steps a program makes. */
const STEPS = 60

/** Runs it, its bodies as `as` makes them; gives back what is wrong. */
export const weather = async (
  bodies: Storm,
  as: (body: (...args: Array<any>) => Steps<unknown>) => any,
  limit: number
): Promise<ReadonlyArray<string>> => {
  const wrong: Array<string> = []
  let left = STEPS
  let lastValue = 0
  let regions = 0
  const times = new Map<number, number>()
  const open = new Map<string, number>()
  const greenlets: Array<Greenlet> = []
  const forked: Array<Fiber.Fiber<unknown, unknown>> = []

  const got = (value: unknown): void => {
    if (typeof value !== "number") return
    const count = (times.get(value) ?? 0) + 1
    times.set(value, count)
    if (count > 1) wrong.push(`value ${value} was received ${count} times`)
  }
  const enter = (): string => {
    const region = `region ${++regions}`
    open.set(region, 0)
    return region
  }
  const leave = (region: string): void => void open.set(region, open.get(region)! + 1)
  const spawn = (ops: ReadonlyArray<Op>): void => {
    if (greenlets.length >= 10) return
    greenlets.push(
      new Greenlet(as(function*(value: unknown): Steps<unknown> {
        got(value)
        yield* work(ops)
        return ++lastValue
      }))
    )
  }
  const mainGreenlet = (): Greenlet => {
    let g = getcurrent()
    while (g.parent !== undefined) g = g.parent
    return g
  }

  function* work(ops: ReadonlyArray<Op>): Steps<void> {
    for (const op of ops) {
      if (left-- <= 0) break
      try {
        yield* perform(op)
      } catch (error) {
        if (error instanceof GreenletExit || error instanceof Oops && op.b === 0) throw error
      }
    }
  }

  function* perform({ a, b: milliseconds, inner, kind }: Op): Steps<void> {
    const g = greenlets[a % Math.max(1, greenlets.length)] ?? getcurrent()
    switch (kind) {
      case "switch":
        return got(yield* g.switch(++lastValue))
      case "switchMain":
        return got(yield* mainGreenlet().switch(++lastValue))
      case "switchParent":
        return got(yield* (getcurrent().parent ?? g).switch(++lastValue))
      case "throw":
        return got(yield* g.throw(new Oops("thrown")))
      case "kill":
        return got(yield* g.throw())
      case "parent":
        g.parent = greenlets[milliseconds % greenlets.length]!
        return
      case "spawn":
        return spawn(inner)
      case "sleep":
        return yield* Effect.sleep(milliseconds)
      case "promise":
        return yield* Effect.promise(() => Promise.resolve())
      case "call":
        return yield* call(work, inner)
      case "exitCall":
        return void (yield* Effect.exit(call(work, inner)))
      case "raceCall":
        return yield* Effect.race(call(work, inner), Effect.sleep(milliseconds))
      case "timeoutCall":
        return void (yield* Effect.timeoutOption(call(work, inner), milliseconds))
      case "raceSwitch":
        return got(yield* Effect.race(g.switch(++lastValue), Effect.sleep(milliseconds)))
      case "timeoutSwitch": {
        const some = yield* Effect.timeoutOption(g.switch(++lastValue), milliseconds)
        if (some._tag === "Some") got(some.value)
        return
      }
      case "interrupt":
        return (g as unknown as HasFiber)._fiber?.fiber?.interruptUnsafe()
      case "scope":
      case "scopeSwitching": {
        const region = enter()
        let acquired = false
        try {
          return yield* Effect.acquireUseRelease(
            Effect.sync(() => void (acquired = true)),
            () => call(work, inner),
            () =>
              Effect.ensuring(
                kind === "scope" ? Effect.yieldNow : Effect.ignoreCause(Effect.map(g.switch(++lastValue), got)),
                Effect.sync(() => leave(region))
              )
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
          if (kind === "finallySwitches") got(yield* g.switch(++lastValue))
          if (kind === "finallyThrows") yield* Effect.die(new Oops("in finally"))
        }
      }
      case "fork":
        forked.push(yield* Effect.forkChild(Effect.timeoutOption(Effect.map(g.switch(++lastValue), got), milliseconds)))
        return
      case "forkJoin":
        return void (yield* Effect.flatMap(
          Effect.forkChild(Effect.timeoutOption(call(work, inner), milliseconds)),
          Fiber.await
        ))
      case "runSync":
        return Effect.runSync(withThread(call(work, flat(inner))))
      case "thread":
        return void (yield* Effect.timeoutOption(patiently(withThread(call(work, inner))), 1 + milliseconds))
      case "threadOutside":
        forked.push(Effect.runFork(Effect.timeoutOption(patiently(withThread(call(work, inner))), 1 + milliseconds)))
        return
      case "swallow":
        try {
          return yield* call(work, inner)
        } catch {
          return yield* Effect.sleep(milliseconds)
        }
      case "fail":
        throw new Oops("failed")
    }
  }

  function* settle(): Steps<void> {
    left = 0
    for (let tries = 0; tries < 10; tries++) {
      for (const g of greenlets) {
        try {
          if (g.active) got(yield* g.throw())
        } catch {
          // an error of its own
        }
      }
    }
    const answer = yield* new Greenlet(function*(x: number) {
      return x + (yield* getcurrent().parent!.switch("half way"))
    }).switch(1)
    if (answer !== "half way") wrong.push(`the thread does not work any more: it answers ${String(answer)}`)
  }

  const main = Effect.gen(function*() {
    bodies.slice(1).forEach(spawn)
    yield* Effect.exit(Effect.timeoutOption(call(work, bodies[0]!), 5))
    yield* Effect.exit(Effect.timeoutOption(call(work, bodies[0]!), 5))
    yield* call(settle)
  })
  const exit = await Effect.runPromiseExit(
    Effect.timeoutOption(patiently(withThread(main as Effect.Effect<void>)), limit).pipe(
      Effect.andThen((some) => Effect.sync(() => some._tag === "None" && wrong.push(`it takes ${limit} ms`)))
    )
  )
  for (const fiber of forked) await Effect.runPromiseExit(Fiber.interrupt(fiber))
  if (
    exit._tag === "Failure" &&
    !exit.cause.reasons.every((r) =>
      r._tag === "Die" &&
      (r.defect instanceof Oops || r.defect instanceof GreenletError && /is ending/.test(r.defect.message))
    )
  ) {
    wrong.push(`it ends with ${String(exit.cause)}`)
  }
  for (const [region, count] of open) if (count !== 1) wrong.push(`the finalizer of ${region} ran ${count} times`)
  greenlets.forEach((g, i) => {
    if (g.active) wrong.push(`greenlet ${i} is alive after the end of its thread`)
  })
  return wrong
}

/** What of it never waits. */
const flat = (ops: ReadonlyArray<Op>): ReadonlyArray<Op> =>
  ops.filter(({ kind }) => ["call", "finally", "switchMain", "switchParent", "spawn"].includes(kind))
    .map(({ a, b, inner, kind }) => ({ kind, a, b, inner: flat(inner) }))

/** A storm to read. */
export const shown = (bodies: Storm): string => {
  const show = (ops: ReadonlyArray<Op>): string =>
    `[${
      ops.map(({ a, b, inner, kind }) => `${kind} ${a} ${b}${inner.length > 0 ? ` ${show(inner)}` : ""}`).join(", ")
    }]`
  return bodies.map(show).join("\n")
}
