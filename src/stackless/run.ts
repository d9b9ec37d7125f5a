/** Running the scheduler: `run`, `schedule`, and what else the module `stackless` offers. Carries `stacklessmodule.c`. */
import type { Effect } from "effect"
import { call, currentThread, type Microthread, Operation } from "../greenlet/index.ts"
import { type Scheduler, schedulerOf } from "./scheduler.ts"
import type { Tasklet } from "./tasklet.ts"

/**
 * Runs the tasklets until nothing is runnable and nothing waits for a foreign Effect. The caller, main as a rule, is
 * out of the ring meanwhile.
 *
 * An error that a tasklet does not catch is thrown here. Dies with `RuntimeError` if switching is trapped. Mirrors
 * `stackless.run`.
 *
 * @category operations
 * @since 0.1.0
 */
export const run = (): Operation<void> => call(running)

function* running(): Generator<Effect.Effect<void>, void, any> {
  const run = new EnterRun()
  try {
    yield* run
  } finally {
    run.leave()
  }
}

/** The caller leaves the ring and becomes the one to wake when it runs empty. Mirrors `PyStackless_RunWatchdogEx`. */
class EnterRun extends Operation<void> {
  private caller: Tasklet | undefined = undefined

  perform(performer: Microthread): Microthread {
    const scheduler = schedulerOf(performer.thread)
    const current = scheduler.current(performer)
    scheduler.watchdogs.push(current)
    scheduler.remove(current)
    try {
      const next = scheduler.switch(current, scheduler.head)
      this.caller = current
      return next
    } catch (error) {
      scheduler.watchdogs.pop()
      if (current.right === undefined) scheduler.restore(current)
      throw error
    }
  }

  /**
   * The caller is back. Whoever is deeper in `run` is made runnable: when they wake they find that they are not in it
   * any more.
   */
  leave(): void {
    const { caller } = this
    if (caller === undefined) return
    const scheduler = schedulerOf(caller.thread)
    const { watchdogs } = scheduler
    if (!watchdogs.includes(caller)) return
    for (;;) {
      const popped = watchdogs.pop()!
      if (!popped.scheduled) scheduler.insert(popped)
      if (popped === caller) return
    }
  }
}

/**
 * Lets the next runnable tasklet run; the caller runs again when its turn comes. Gives back `retval`, the current
 * tasklet if left out. Mirrors `stackless.schedule`.
 *
 * @category operations
 * @since 0.1.0
 */
export const schedule: {
  (): Operation<Tasklet>
  <A>(retval: A): Operation<A>
} = (...args: ReadonlyArray<unknown>): Operation<any> => args.length === 0 ? scheduling : new Schedule(false, args[0], false)

/**
 * Lets the next runnable tasklet run, and takes the caller out of the ring: it is paused until somebody inserts or runs
 * it. Gives back `retval`, the current tasklet if left out. Mirrors `stackless.schedule_remove`.
 *
 * @category operations
 * @since 0.1.0
 */
export const scheduleRemove: {
  (): Operation<Tasklet>
  <A>(retval: A): Operation<A>
} = (...args: ReadonlyArray<unknown>): Operation<any> =>
  args.length === 0 ? new Schedule(true, undefined, true) : new Schedule(false, args[0], true)

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
    const next = current.right as Tasklet
    current.give(this.ownself ? current : this.retval)
    if (this.remove) scheduler.remove(current)
    try {
      return scheduler.switch(current, this.remove && next === current ? undefined : next)
    } catch (error) {
      current.give(undefined)
      if (this.remove && current.right === undefined) scheduler.restore(current)
      throw error
    }
  }
}

/** `schedule()`, the same for everybody: the short way through `Schedule`, when nobody watches. */
class Scheduling extends Operation<Tasklet> {
  perform(performer: Microthread): Microthread {
    const scheduler = schedulerOf(performer.thread)
    const { head } = scheduler
    if (head !== performer || scheduler.watched) return long.perform(performer)
    performer.inbox = performer
    return scheduler.to((head as Tasklet).right as Tasklet)
  }
}

const scheduling = new Scheduling()
const long = new Schedule(true, undefined, false)

/**
 * The tasklet that runs; the main tasklet when called from outside. Mirrors `stackless.getcurrent`.
 *
 * @category inspection
 * @since 0.1.0
 */
export const getcurrent = (): Tasklet => {
  const scheduler = here()
  return scheduler.head ?? scheduler.main
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

const here = (): Scheduler => schedulerOf(currentThread())
