/** Runs a program under many schedules, until one is found under which it fails. */
import * as Effect from "effect/Effect"
import { ScheduleError, ScheduleMismatch } from "./errors.ts"
import { parse, print, type Schedule } from "./schedule.ts"
import { type Decide, Exhaustive, following, randomPriorities } from "./strategy.ts"
import { type Outcome, type Program, trial } from "./trial.ts"

/**
 * How a search is done: at random, or exhaustively.
 *
 * @category models
 * @since 0.1.0
 */
export interface ExploreOptions {
  /** At random: how many schedules are run, 1,000 by default. */
  readonly seeds?: number
  /** At random: the first seed, 1 by default. The same seeds give the same schedules. */
  readonly seed?: number
  /** At random: how many things have to happen in an order of their own for the bug, 3 by default. */
  readonly depth?: number
  /** Exhaustively: all schedules with at most so many preemptions. 1 and 2 find most bugs. */
  readonly bound?: number
  /** Exhaustively: no more schedules than this, 100,000 by default. */
  readonly limit?: number
  /** How many steps a run may make, 20,000 by default. A run that makes more is given up, and counted. */
  readonly steps?: number
}

/**
 * What a search has done that found nothing.
 *
 * @category models
 * @since 0.1.0
 */
export interface Explored {
  /** How many schedules were run. */
  readonly schedules: number
  /** Were these all, within the bound? */
  readonly exhausted: boolean
  /** How many of them were given up, as they made more steps than they may. */
  readonly unfinished: number
}

/**
 * Runs a program under many schedules, and fails with `ScheduleError` for the shortest one found under which it fails: it throws,
 * it is in a deadlock, or it ends while tasklets are blocked, so that a message was lost.
 *
 * The program is called anew for each run, and makes all that its tasklets share. Its body is main; when it has returned, what is
 * runnable still runs. Any order of steps may come up, between the operations of bodies and, in compiled code, in their loops.
 * Timers and what else comes from outside are not in the search's hands.
 *
 * Dies with `TypeError` for options that there are not.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { explore } from "effect-stackless/explore"
 * import { run, schedule, tasklet } from "effect-stackless/stackless"
 *
 * const found = await Effect.runPromise(Effect.flip(explore(function*() {
 *   let count = 0
 *   const increment = function*() {
 *     const before = count
 *     yield* schedule()
 *     count = before + 1
 *   }
 *   tasklet(increment)()
 *   yield* increment()
 *   yield* run()
 *   if (count !== 2) throw new Error(`the count is ${count}`)
 * }, { bound: 1 })))
 * found._tag // => ScheduleError
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const explore = <E, R>(
  program: Program<E, R>,
  options: ExploreOptions = {}
): Effect.Effect<Explored, ScheduleError, R> =>
  Effect.gen(function*() {
    requireProgram("explore", program)
    requireOptions(options)
    const { bound, depth = 3, limit = 100_000, seed = 1, seeds = 1_000, steps = 20_000 } = options
    let schedules = 0
    let unfinished = 0
    const run = function*(decide: Decide): Generator<Effect.Effect<any, any, R>, Outcome, any> {
      const outcome: Outcome = yield* trial(program, decide, steps)
      schedules++
      if (outcome.unfinished) unfinished++
      if (outcome.failure !== undefined) {
        // those of an exhaustive search come in the order of their lengths
        const shortest: Outcome = bound === undefined ? yield* shortened(program, outcome, steps) : outcome
        yield* Effect.fail(errorOf(shortest, schedules))
      }
      return outcome
    }
    if (bound !== undefined) {
      const exhaustive = new Exhaustive(bound, limit)
      for (let decide = exhaustive.next(); decide !== undefined; decide = exhaustive.next()) yield* run(decide)
      return { schedules, exhausted: exhaustive.exhausted, unfinished }
    }
    let { points: length } = yield* run((point) => point.next)
    for (let i = 0; i < seeds; i++) {
      const { points } = yield* run(randomPriorities(seed + i, depth, Math.max(1, length)))
      length = Math.max(length, points)
    }
    return { schedules, exhausted: false, unfinished }
  }) as Effect.Effect<Explored, ScheduleError, R>

/**
 * Runs a program under a schedule that `explore` has found, and fails as it does there: for a debugger, or to see whether it is
 * mended. Fails with `ScheduleMismatch` if the schedule is of another program. Dies with `TypeError` for what is no schedule.
 *
 * @category testing
 * @since 0.1.0
 */
export const replay = <E, R>(
  program: Program<E, R>,
  schedule: string
): Effect.Effect<void, E | ScheduleMismatch, R> =>
  Effect.gen(function*() {
    requireProgram("replay", program)
    let mismatch: ScheduleMismatch | undefined
    const decide = following(parse(schedule), ({ number, runnable }, tasklet) => {
      mismatch ??= new ScheduleMismatch({
        message: `the schedule has tasklet ${tasklet} run at point ${number}, where ${
          runnable.join(" and ")
        } can: it is of another program`
      })
    })
    const { failure } = yield* trial(program, decide, Infinity)
    if (mismatch !== undefined) return yield* Effect.fail(mismatch)
    if (failure !== undefined) return yield* Effect.fail(failure.error)
    return undefined
  }) as Effect.Effect<void, E | ScheduleMismatch, R>

// ---- the shortest one -----------------------------------------------------------------------------------------------

/** How many shorter schedules are tried when one is found at random. */
const SHORTER = 2_000

/**
 * Leaves out of a schedule what is not needed for the failure: halves first, then one after another, until nothing can go. Then
 * looks whether one fails that is shorter still.
 */
const shortened = <R>(
  program: Program<any, R>,
  found: Outcome,
  steps: number
): Effect.Effect<Outcome, never, R> =>
  Effect.gen(function*() {
    let best = found
    for (let size = Math.ceil(best.schedule.size / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let from = 0; from < best.schedule.size;) {
        const outcome = yield* trial(program, following(without(best.schedule, from, size)), steps)
        // what a schedule did not need has no place in the next one either
        if (outcome.failure !== undefined && outcome.schedule.size < best.schedule.size) best = outcome
        else from += size
      }
    }
    const shorter = new Exhaustive(Infinity, SHORTER)
    for (
      let decide = shorter.next(best.schedule.size);
      decide !== undefined;
      decide = shorter.next(best.schedule.size)
    ) {
      const outcome = yield* trial(program, decide, steps)
      if (outcome.failure !== undefined) return outcome
    }
    return best
  })

const without = (schedule: Schedule, from: number, count: number): Schedule =>
  new Map([...schedule].filter((_, i) => i < from || i >= from + count))

const errorOf = ({ failure, schedule, switches }: Outcome, schedules: number): ScheduleError => {
  const { error } = failure!
  const printed = print(schedule)
  return new ScheduleError({
    message: [
      `${String(error)}`,
      switches.length === 0 ? "in the scheduler's own order" : `after ${switches.join(", ")}`,
      `found in ${schedules} schedule${schedules === 1 ? "" : "s"}; to see it again: replay(program, ${
        JSON.stringify(printed)
      })`
    ].join("\n"),
    cause: error,
    schedule: printed,
    switches,
    schedules
  })
}

// ---- bad input ------------------------------------------------------------------------------------------------------

const NUMBERS = new Set(["seeds", "seed", "depth", "bound", "limit", "steps"])

const requireProgram = (who: string, program: unknown): void => {
  if (typeof program !== "function") {
    throw new TypeError(
      `${who} takes a function that makes the program's body anew for each run; got ${typeof program}`
    )
  }
}

const requireOptions = (options: ExploreOptions): void => {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`explore takes { seeds } or { bound }; got ${String(options)}`)
  }
  for (const [name, value] of Object.entries(options)) {
    if (!NUMBERS.has(name)) throw new TypeError(`explore has no option "${name}"; there are ${[...NUMBERS].join(", ")}`)
    if (value !== undefined && !(Number.isInteger(value) && value >= 0)) {
      throw new TypeError(`the option "${name}" is a whole number from 0 on; got ${String(value)}`)
    }
  }
  if (options.bound !== undefined && options.seeds !== undefined) {
    throw new TypeError("explore takes { seeds } or { bound }, and not both: a search is random or exhaustive")
  }
}
