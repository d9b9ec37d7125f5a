/** One run of a program, under one schedule. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { withThread } from "../greenlet/index.ts"
import { call, chooseBy, getmain, run, type Tasklet } from "../stackless/index.ts"
import { LeftBlocked } from "./errors.ts"
import type { Schedule } from "./schedule.ts"
import type { Decide } from "./strategy.ts"

/** Makes the body of main anew, with all that its tasklets share. */
export type Program<E = any, R = any> = () =>
  | Generator<Effect.Effect<any, E, R>, unknown, any>
  | Effect.Effect<unknown, E, R>

export interface Outcome {
  /** What it failed with; nothing, if all went well. */
  readonly failure: { readonly error: unknown } | undefined
  /** Did it make more steps than it may? */
  readonly unfinished: boolean
  /** Where it was not the scheduler's own order. */
  readonly schedule: Schedule
  readonly switches: ReadonlyArray<string>
  /** How many points there were. */
  readonly points: number
}

/** What a run is stopped with that has made too many steps. */
const TOO_LONG = Symbol("effect-stackless/explore/too-long")

/** Runs a program on a thread of its own: its body first, as main, and then what is runnable still. */
export const trial = <R>(program: Program<any, R>, decide: Decide, steps: number): Effect.Effect<Outcome, never, R> =>
  Effect.suspend(() => {
    const numbers = new Map<Tasklet, number>()
    const schedule = new Map<number, number>()
    const switches: Array<string> = []
    let points = 0
    let made = 0
    let stop = (): void => {}
    const numberOf = (tasklet: Tasklet): number => {
      let number = numbers.get(tasklet)
      if (number === undefined) numbers.set(tasklet, number = numbers.size)
      return number
    }
    const choose = (next: Tasklet, runnable: ReadonlyArray<Tasklet>, stopping: boolean): Tasklet => {
      if (++made >= steps) {
        if (made === steps) stop()
        return next
      }
      const all = runnable.map(numberOf)
      if (all.length === 1) return next
      const number = points++
      const chosen = decide({ number, next: all[0]!, stopping, runnable: all })
      if (chosen === all[0]) return next
      const tasklet = runnable[all.indexOf(chosen)]!
      schedule.set(number, chosen)
      switches.push(`${described(tasklet, numberOf)} in place of ${described(next, numberOf)}`)
      return tasklet
    }
    const body = function*(): Generator<Effect.Effect<any, any, any>, unknown, any> {
      numberOf(getmain())
      const done = chooseBy(choose)
      try {
        yield* call(program)
        yield* run()
      } finally {
        done()
      }
      const blocked = [...numbers.keys()].filter((tasklet) => tasklet.blocked)
      if (blocked.length > 0) yield* Effect.fail(leftBlocked(blocked))
      return undefined
    }
    // it has to be there before the program runs, which it does as soon as its part of the race begins
    const stopped = Effect.callback<never, typeof TOO_LONG>((resume) => {
      stop = () => resume(Effect.fail(TOO_LONG))
    })
    return Effect.map(Effect.exit(Effect.raceFirst(stopped, withThread(call(body)))), (exit): Outcome => {
      const error = Exit.isSuccess(exit) ? undefined : Cause.squash(exit.cause)
      const unfinished = error === TOO_LONG
      const failure = Exit.isSuccess(exit) || unfinished ? undefined : { error }
      return { failure, unfinished, schedule, switches, points }
    })
  }) as Effect.Effect<Outcome, never, R>

const described = (tasklet: Tasklet, numberOf: (tasklet: Tasklet) => number): string => {
  const name = tasklet.isMain ? "main" : tasklet.name === undefined ? "tasklet" : JSON.stringify(tasklet.name)
  return `${name} #${numberOf(tasklet)}`
}

const leftBlocked = (tasklets: ReadonlyArray<Tasklet>): LeftBlocked => {
  const who = tasklets.map((tasklet) => {
    const { name, waitsFor = [] } = tasklet.toJSON()
    return `${name === undefined ? "a tasklet" : JSON.stringify(name)} in ${waitsFor.join(", ")}`
  })
  return new LeftBlocked({ message: `the program has ended, and is blocked still: ${who.join("; ")}`, tasklets })
}
