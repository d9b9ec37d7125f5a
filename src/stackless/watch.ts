/**
 * The watchdog of `run({ timeout })`: preemption in some form.
 *
 * Carries the interrupts of `stacklessmodule.c` and `scheduling.c`. Upstream counts virtual instructions; this counts
 * what can be counted, the fuel of the thread: each time a frame of a tasklet is resumed, which is once for each `yield*` that
 * it gets over, each turn of a loop in compiled code, and each step that Effect makes on its fiber. A loop of code that is not
 * compiled cannot be counted, nor interrupted.
 *
 * One watchdog at a time is set on a thread, and it is the outermost `run` with a timeout, as upstream; it is taken off
 * when that `run` is over.
 */
import type * as Duration from "effect/Duration"
import type { Leftover } from "./leftover.ts"
import type { Scheduler, Tasklet } from "./ports.ts"

/**
 * What `run` is told.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunOptions {
  /**
   * How many steps a tasklet may make before it is interrupted: how often its frames may be resumed, how many turns its
   * loops may make, where they are compiled, and, while an Effect of it runs, how many steps Effect may make. 0, the
   * default, is no limit.
   */
  readonly timeout?: number
  /**
   * How long a tasklet may hold the thread while others are runnable: after that it goes on when its turn comes again. It is
   * not exact, as the clock is looked at a few times a slice. Timers, sockets and Effects have their turn within a
   * millisecond, and a tasklet whose wait is over comes next. Not together with a timeout.
   */
  readonly slice?: Duration.Input
  /** Wait for other threads and fibers when the last runnable tasklet blocks, instead of coming back. */
  readonly threadblock?: boolean
  /** Do not interrupt a tasklet, but come back the next time that one lets another run. */
  readonly soft?: boolean
  /** Interrupt tasklets that are in the middle of an Effect, too. */
  readonly ignoreNesting?: boolean
  /** Count all tasklets together, instead of beginning anew whenever another one runs. */
  readonly totaltimeout?: boolean
  /**
   * Say who is blocked still when nobody is runnable any more: who, where, on what, and for how long. `true` warns in Effect's log;
   * a function is told. It tells of those who have blocked in this `run`. Nobody blocked is no news.
   */
  readonly report?: boolean | ((left: ReadonlyArray<Leftover>) => void)
}

/** What looks after how long tasklets run: a watchdog, or slices of time. */
export interface Timekeeper {
  /** The tasklet that is in `run`. */
  readonly watchdog: Tasklet
  readonly soft: boolean
  /** The tasklet that `run` gives back. */
  readonly interrupted: Tasklet | undefined
  /** `t` has used up its steps: who runs in its place, if not it itself. */
  preempted(t: Tasklet): Tasklet | undefined
  /** A switch from `prev` to `next`: which one it is to be. */
  switching(prev: Tasklet, next: Tasklet, bound: boolean): Tasklet
  /** The wait of `t` for an Effect is over: puts it into the ring. */
  ready(t: Tasklet): void
  /** What has kept `t` from being interrupted may be over. */
  retry(t: Tasklet): void
  /** It is not needed any more. */
  remove(): void
}

export class Watch implements Timekeeper {
  /** The tasklet that is in `run`, and is woken. */
  readonly watchdog: Tasklet
  readonly soft: boolean
  /** The tasklet that was interrupted; in the soft way, the one that would have run. */
  interrupted: Tasklet | undefined = undefined
  private readonly scheduler: Scheduler
  private readonly interval: number
  private readonly total: boolean
  private readonly ignoreNesting: boolean

  constructor(scheduler: Scheduler, watchdog: Tasklet, interval: number, options: RunOptions) {
    this.scheduler = scheduler
    this.watchdog = watchdog
    this.interval = interval
    this.soft = options.soft === true
    this.total = options.totaltimeout === true
    this.ignoreNesting = options.ignoreNesting === true
    scheduler.thread.allow(interval)
  }

  /** It is not needed any more. */
  remove(): void {
    this.scheduler.thread.allow(Infinity)
    this.scheduler.watch = undefined
  }

  /** `t` has used up its time: who goes on. Mirrors `interrupt_timeout_return`. */
  preempted(t: Tasklet): Tasklet | undefined {
    const { scheduler } = this
    if (
      this.soft || t === this.watchdog || t.atomic || scheduler.locked || scheduler.switchTrap !== 0 || !t.isCurrent ||
      !this.mayInterrupt(t)
    ) {
      scheduler.thread.allow(this.interval)
      t._pendingIrq = t !== this.watchdog
      return undefined
    }
    t._pendingIrq = false
    this.interrupted = t
    return this.watchdog
  }

  ready(t: Tasklet): void {
    this.scheduler.insert(t)
  }

  /** What has kept it from interrupting `t` may be over. Mirrors `slp_check_pending_irq`. */
  retry(t: Tasklet): void {
    if (this.soft || !t.isCurrent || t.atomic || !this.mayInterrupt(t)) return
    this.scheduler.thread.allow(0)
    t._pendingIrq = false
  }

  /**
   * A switch from `prev` to `next`: which one it is to be. `bound` is one that a channel's preference asks for, which
   * leaves no choice. Mirrors `slp_schedule_soft_irq`, and the slice of time that begins anew.
   */
  switching(prev: Tasklet, next: Tasklet, bound: boolean): Tasklet {
    next = this.softly(prev, next, bound)
    // one for the switch itself, so that who comes makes a step at least
    if (prev !== next && !this.total) this.scheduler.thread.allow(this.interval + 1)
    return next
  }

  private softly(prev: Tasklet, next: Tasklet, bound: boolean): Tasklet {
    if (!this.soft || !prev._pendingIrq) return next
    prev._pendingIrq = false
    const { scheduler, watchdog } = this
    if (watchdog._right !== undefined || prev === watchdog || next === watchdog) return next
    if (bound || !this.mayInterrupt(prev)) {
      next._pendingIrq = true
      return next
    }
    this.interrupted = next
    scheduler.insertBefore(next, watchdog)
    return watchdog
  }

  private mayInterrupt(t: Tasklet): boolean {
    return this.ignoreNesting || t.ignoreNesting || t.nestingLevel === 0
  }
}
