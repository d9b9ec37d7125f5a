/** Runs one program on a thread of its own. */
"use stackless"
import { Cause, Clock, Effect, Exit, Fiber } from "effect"
import { call, withThread } from "effect-stackless/greenlet"
import { TestClock } from "effect/testing"
import { isDeepStrictEqual } from "node:util"
import { turnAfter } from "../turn.ts"
import { inGear, type ProgramGear } from "./gear.ts"
import { type LayerName, layers } from "./layer.ts"
import { runPickled } from "./pickled.ts"
import type { Program } from "./program.ts"

/** What is run. */
export interface Job {
  readonly layer: LayerName
  readonly program: Program
  readonly gear: ProgramGear
  /** After how many operations the JavaScript event loop has a turn; it has none in programs so short, if left out. */
  readonly turn?: number
  /** Pickled after how many ops of main: each, if left out. */
  readonly every?: number
  /** Preempted after how many steps: one, if left out. */
  readonly fuel?: number
  /** How long a tick of a program is that tells the time, in seconds. */
  readonly tick?: number
}

/** What came of it. */
export interface Run {
  readonly trace: ReadonlyArray<string>
  /** Of a program that has no trace to compare with: what the probe printed that ran after it on the same thread. */
  readonly probe?: ReadonlyArray<string>
  /** Why the program has not come to its end. */
  readonly failure?: string
}

/** How long a program may take, in milliseconds. They take about one, and on the real clock what their ticks take. */
export const limit = 5000

/** How many ticks a program may take on the real clock. */
const ticks = 250

export const didNotEnd = `did not end within ${limit / 1000} s`

/** How long its trace may be searched for, where it has several: a busy machine makes few attempts a second. */
const searchLimit = 4 * limit

/**
 * A program that waits for ever is given up; one that never comes back takes its whole JavaScript thread with it.
 *
 * @param goesOn told whenever one run of it is over and another one begins
 */
export const run = async (job: Job, goesOn: () => void = () => {}): Promise<Run> => {
  const first = await runOnce(job, 0, "virtual")
  const { trace } = job.program
  if (trace === undefined || first.failure !== undefined || isDeepStrictEqual(first.trace, trace)) return first
  const began = Date.now()
  const attempts = layers[job.layer]?.attempts ?? 1
  for (let attempt = 1; attempt < attempts && Date.now() - began < searchLimit; attempt++) {
    goesOn()
    const another = await runOnce(job, attempt, "virtual")
    if (isDeepStrictEqual(another.trace, trace)) return another
  }
  return first
}

/** Runs it once; the clock matters only to programs that tell the time. */
export const runOnce = async (
  { every = 1, fuel, gear, layer: name, program, tick, turn }: Job,
  attempt: number,
  clock: "virtual" | "real"
): Promise<Run> => {
  const layer = layers[name]
  if (layer === undefined) throw new Error(`there is no ${name} layer yet`)
  const trace: Array<string> = []
  const probe: Array<string> = []
  // Taken at the end of the main program: when the thread ends, its suspended bodies go on, and log.
  let result: Run | undefined

  const main = inGear(gear === "hard" ? "hard" : "soft", function*() {
    const machine = layer.machine(program, gear, trace, attempt, fuel, tick)
    yield* machine.run()
    if (program.trace !== undefined) {
      result = { trace: [...trace] }
      return
    }
    const upToEnd = [...trace]
    yield* machine.settle()
    yield* layer.machine(layer.probe, gear, probe, attempt, fuel).run()
    result = { trace: upToEnd, probe: [...probe] }
  })

  const pickled = Effect.gen(function*() {
    const [machine, on] = yield* runPickled(() => layer.machine(program, gear, trace, attempt, fuel), every)
    const upToEnd = [...machine.trace]
    if (program.trace === undefined) {
      yield* on(call(() => machine.settle()))
      yield* on(call(() => layer.machine(layer.probe, gear, probe, attempt, fuel).run()))
    }
    result = { trace: upToEnd, probe: [...probe] }
  })

  const running = gear === "pickled" ? pickled : withThread(call(
    turn === undefined ? main : function*() {
      yield* turnAfter(turn)
      // called, not yielded: an exit ends an Effect that a body has yielded as a whole, and main catches them
      yield* call(main)
    }
  ))
  const giveUp = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(limit, ticks * 1000 * (tick ?? 0)))
  })
  const exit = await Promise.race([
    Effect.runPromiseExit(layer.attempts !== undefined && clock === "virtual" ? onVirtualClock(running) : running, {
      signal: giveUp.signal
    }),
    timeout
  ])
  clearTimeout(timer)
  const sofar = result ?? { trace: [...trace], probe: [...probe] }
  if (exit === undefined) {
    giveUp.abort()
    return { ...sofar, failure: didNotEnd }
  }
  // What bodies make of the end of the thread is no part of the program.
  if (result !== undefined) return result
  return { ...sofar, failure: Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "main was left before its end" }
}

/** Runs an Effect on a clock of its own, which goes on by a millisecond whenever everything waits. */
export const onVirtualClock = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.scoped(Effect.gen(function*() {
    const clock = yield* TestClock.make()
    const fiber = yield* Effect.forkChild(Effect.provideService(effect, Clock.Clock, clock))
    while (fiber.pollUnsafe() === undefined) {
      yield* clock.adjust("1 millis")
      yield* afterAll
    }
    return yield* Fiber.join(fiber)
  }))

/** When everything that could run has. */
const afterAll = Effect.callback<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})
