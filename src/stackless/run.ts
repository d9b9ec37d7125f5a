/** Running the scheduler: `run`, `schedule`, and what else the module `stackless` offers. Carries `stacklessmodule.c`. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import {
  BEGIN,
  CallRoutine,
  currentThread,
  developing,
  type Microthread,
  type Mode,
  Operation,
  Routine,
  THROW
} from "../greenlet/index.ts"
import { type Leftover, reportOf, Waits } from "./leftover.ts"
import type { Scheduler } from "./scheduler.ts"
import { Slices } from "./slice.ts"
import { schedulerOf, type Tasklet } from "./tasklet.ts"
import { eachScheduler } from "./threads.ts"
import { type RunOptions, type Timekeeper, Watch } from "./watch.ts"

/**
 * Runs the tasklets until nothing is runnable and nothing waits for a foreign Effect. The caller, main as a rule, is
 * out of the ring meanwhile.
 *
 * With a `timeout`, a tasklet that makes more steps than that before it lets another one run is interrupted: it is
 * taken out of the ring, and `run` gives it back. It can be inserted again, killed, or looked at. A tasklet that is
 * atomic, or in the middle of an Effect, is interrupted when it is not any more. Of nested calls with a timeout only the
 * outermost counts.
 *
 * With a `slice`, such as `"5 millis"`, tasklets that compute share the thread: each goes on for so long, if others are
 * runnable. In loops that perform nothing, that takes the compiler. Of nested calls only the outermost counts.
 *
 * With `report`, it says who is blocked still when it comes back; in `developmentMode` it does so anyway, once for each wait.
 *
 * An error that a tasklet does not catch is thrown here; if that has failed with it, it is a defect of this one, whose type
 * says nothing of it. Dies with `RuntimeError` if switching is trapped. Throws
 * `TypeError` if the timeout is no number, the slice no duration, or the report neither a boolean nor a function. Mirrors `stackless.run`.
 *
 * @category operations
 * @since 0.1.0
 */
export const run: {
  (): Operation<void>
  (options: RunOptions): Operation<Tasklet | undefined>
} = (options?: RunOptions): Operation<any> => {
  if (options !== undefined) requireOptions(options)
  return new CallRoutine(() => new Running(options))
}

const requireOptions = (options: RunOptions): void => {
  const timeout: unknown = typeof options === "object" && options !== null ? options.timeout ?? 0 : options
  if (typeof options !== "object" || typeof timeout !== "number" || Number.isNaN(timeout)) {
    throw new TypeError(`run takes { timeout, … }, and the timeout is a number of steps; got ${String(timeout)}`)
  }
  const { report } = options
  if (report !== undefined && typeof report !== "boolean" && typeof report !== "function") {
    throw new TypeError(`run takes a report that is true, or a function that is told who is left; got ${typeof report}`)
  }
  if (options.slice === undefined) return
  if (timeout > 0) {
    throw new TypeError("run takes a timeout or a slice: a watchdog gives tasklets back, and slices share the time")
  }
  lengthOf(options.slice)
}

/** The length of a slice, in milliseconds. */
const lengthOf = (slice: Duration.Input): number => {
  const length = Option.match(Duration.fromInput(slice), { onNone: () => Number.NaN, onSome: Duration.toMillis })
  if (!(length > 0 && length < Infinity)) {
    throw new TypeError(`run takes a slice that is a Duration, such as "5 millis"; got ${String(slice)}`)
  }
  return length
}

/**
 * The caller leaves the ring and becomes the one to wake when it runs empty, up to the end of this. Mirrors
 * `PyStackless_RunWatchdogEx`.
 */
export class Running extends Routine<Tasklet | undefined> {
  options: RunOptions | undefined
  /** Who runs, once it is in `run`. */
  caller: Tasklet | undefined = undefined
  /** The watchdog that it has set. */
  watch: Timekeeper | undefined = undefined
  constructor(options: RunOptions | undefined) {
    super()
    this.options = options
  }

  "~resume"(mode: Mode, value: unknown): unknown {
    if (this.pc === BEGIN) return this.at(2, new EnterRun(this))
    // back from its log
    if (this.pc === REPORTING) return this.ends(undefined)
    const left = mode === THROW ? undefined : this.leftOver()
    const interrupted = this.leave()
    if (mode === THROW) throw value
    if (left === undefined) return this.ends(interrupted)
    const { report } = this.options ?? {}
    if (typeof report !== "function") return this.at(REPORTING, Effect.logWarning(reportOf(left)))
    report(left)
    return this.ends(undefined)
  }

  /** Who is blocked, if somebody wants to know, and this comes back as nobody is runnable. */
  private leftOver(): ReadonlyArray<Leftover> | undefined {
    const { caller, options, watch } = this
    if (caller === undefined || watch?.interrupted !== undefined) return undefined
    const { blockings, runcount } = schedulerOf(caller.thread)
    if (blockings === undefined || runcount > 1) return undefined
    const asked = options?.report === true || typeof options?.report === "function"
    const left = asked ? blockings.all : developing.on && options?.report === undefined ? blockings.news : []
    return left.length === 0 ? undefined : left
  }

  enter(performer: Microthread): Microthread {
    const { options } = this
    const scheduler = schedulerOf(performer.thread)
    const current = scheduler.current(performer)
    scheduler.watchdogs.push(current)
    if (options !== undefined) this.set(scheduler, current, options)
    scheduler.remove(current)
    try {
      const next = scheduler.switch(current, scheduler.head)
      this.caller = current
      return next
    } catch (error) {
      scheduler.watchdogs.pop()
      this.unset(scheduler, current)
      if (current._right === undefined) scheduler.restore(current)
      throw error
    }
  }

  /**
   * The caller is back. Whoever is deeper in `run` is made runnable: when they wake they find that they are not in it
   * any more. Gives back the tasklet that the watchdog has interrupted.
   */
  private leave(): Tasklet | undefined {
    const { caller } = this
    if (caller === undefined) return undefined
    const scheduler = schedulerOf(caller.thread)
    const { watchdogs } = scheduler
    if (!scheduler.runs(caller)) return undefined
    for (let popped: Tasklet | undefined; popped !== caller;) {
      popped = watchdogs.pop()!
      if (!popped.scheduled) scheduler.insert(popped)
      this.unset(scheduler, popped)
    }
    const interrupted = this.watch?.interrupted
    if (interrupted === undefined || this.watch!.soft) return undefined
    if (interrupted._right !== undefined) scheduler.remove(interrupted)
    return interrupted
  }

  private set(scheduler: Scheduler, current: Tasklet, options: RunOptions): void {
    const { report, slice, threadblock, timeout = 0 } = options
    if (report !== undefined && report !== false) scheduler.blockings ??= new Waits(current)
    if (threadblock === true) scheduler.threadblock ??= current
    if (scheduler.watch !== undefined) return
    if (timeout > 0) scheduler.watch = this.watch = new Watch(scheduler, current, timeout, options)
    else if (slice !== undefined) scheduler.watch = this.watch = new Slices(scheduler, current, lengthOf(slice))
  }

  /** `caller` is in `run` no more. */
  private unset(scheduler: Scheduler, caller: Tasklet): void {
    if (!scheduler.runs(caller)) scheduler.leftRun(caller)
  }
}

/** Where it stands while it writes its report. */
const REPORTING = 4

class EnterRun extends Operation<void> {
  readonly run: Running
  constructor(run: Running) {
    super()
    this.run = run
  }
  perform(performer: Microthread): Microthread {
    return this.run.enter(performer)
  }
}

/**
 * Lets the next runnable tasklet run; the caller runs again when its turn comes. Gives back `retval`, the current
 * tasklet if left out. Mirrors `stackless.schedule`.
 *
 * @category operations
 * @since 0.1.0
 */
export const schedule: <A = Tasklet>(retval?: A) => Operation<NoInfer<A>> = (
  ...args: ReadonlyArray<unknown>
): Operation<any> => args.length === 0 ? scheduling : new Schedule(false, args[0], false)

/**
 * Lets the next runnable tasklet run, and takes the caller out of the ring: it is paused until somebody inserts or runs
 * it. Gives back `retval`, the current tasklet if left out. Mirrors `stackless.schedule_remove`.
 *
 * @category operations
 * @since 0.1.0
 */
export const scheduleRemove: <A = Tasklet>(retval?: A) => Operation<NoInfer<A>> = (
  ...args: ReadonlyArray<unknown>
): Operation<any> => args.length === 0 ? new Schedule(true, undefined, true) : new Schedule(false, args[0], true)

class Schedule extends Operation<unknown> {
  readonly ownself: boolean
  readonly retval: unknown
  readonly remove: boolean
  constructor(ownself: boolean, retval: unknown, remove: boolean) {
    super()
    this.ownself = ownself
    this.retval = retval
    this.remove = remove
  }
  perform(performer: Microthread): Microthread {
    const scheduler = schedulerOf(performer.thread)
    const current = scheduler.current(performer)
    const next = current._right as Tasklet
    current.give(this.ownself ? current : this.retval)
    if (this.remove) scheduler.remove(current)
    try {
      return scheduler.switch(current, this.remove && next === current ? undefined : next)
    } catch (error) {
      current.give(undefined)
      if (this.remove && current._right === undefined) scheduler.restore(current)
      throw error
    }
  }
}

/** A constant: what is imported is looked at anew at every use. */

/** `schedule()`, the same for everybody: the short way through `Schedule`, a twentieth faster, when nobody watches. */
class Scheduling extends Operation<Tasklet> {
  perform(performer: Microthread): Microthread {
    return this["~perform"](performer)
  }
  override "~perform"(performer: Microthread): Microthread {
    const scheduler = performer.thread.scheduler as Scheduler | undefined
    if (scheduler === undefined || scheduler.head !== performer || scheduler.watched === true) {
      return long.perform(performer)
    }
    performer["~inbox"] = performer
    return scheduler.to((performer as Tasklet)._right as Tasklet)
  }
}

const scheduling = new Scheduling()
const long = new Schedule(true, undefined, false)

/**
 * Waits for a time. A tasklet leaves the ring meanwhile, and the others go on. It is `Effect.sleep`; upstream has to be
 * told the time by a tasklet of one's own.
 *
 * @category operations
 * @since 0.1.0
 */
export const sleep = (duration: Duration.Input): Effect.Effect<void> => Effect.sleep(duration)

/**
 * The tasklet that runs; the main tasklet when called from outside. Mirrors `stackless.getcurrent`.
 *
 * @category inspection
 * @since 0.1.0
 */
export const getcurrent = (): Tasklet => {
  const scheduler = here()
  return scheduler.running ?? scheduler.main
}

/**
 * The main tasklet: the program outside. Mirrors `stackless.getmain`.
 *
 * @category inspection
 * @since 0.1.0
 */
export const getmain = (): Tasklet => here().main

/**
 * How many tasklets are runnable, the current one counted. Mirrors `stackless.getruncount`.
 *
 * @category inspection
 * @since 0.1.0
 */
export const getruncount = (): number => here().runcount

/**
 * Changes the level of the switch trap by `change`; returns what it was. While it is not 0, what would switch throws
 * `RuntimeError` instead. Throws `TypeError` if `change` is no integer. Mirrors `stackless.switch_trap`.
 *
 * @category inspection
 * @since 0.1.0
 */
export const switchTrap = (change = 0): number => {
  if (!Number.isInteger(change)) throw new TypeError(`the switch trap changes by an integer; got ${change}`)
  const scheduler = here()
  const before = scheduler.switchTrap
  scheduler.switchTrap += change
  return before
}

developing.followers.add((on) => {
  eachScheduler((scheduler) => {
    if (on) scheduler.blockings ??= new Waits(developing)
    else if (scheduler.blockings?.asker === developing) scheduler.blockings = undefined
  })
})

const here = (): Scheduler => schedulerOf(currentThread())
