/**
 * The watchdog of `run({ timeout })`: preemption in some form.
 *
 * Carries the interrupts of `stacklessmodule.c` and `scheduling.c`. Upstream counts virtual instructions; this counts
 * what can be counted: each time a frame of a tasklet is resumed, which is once for each `yield*` that it gets over, and
 * each step that Effect makes on its fiber. A loop that performs nothing cannot be counted, nor interrupted.
 *
 * One watchdog at a time is set on a thread, and it is the outermost `run` with a timeout, as upstream; it is taken off
 * when that `run` is over. While there is none, nothing counts.
 */
import type { Microthread } from "../greenlet/index.ts"
import type { Scheduler, Tasklet } from "./ports.ts"
import { TaskletState } from "./tasklet-state.ts"

/**
 * What `run` is told.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunOptions {
  /**
   * How many steps a tasklet may make before it is interrupted: how often its frames may be resumed, and, while an Effect
   * of it runs, how many steps Effect may make. 0, the default, is no limit.
   */
  readonly timeout?: number
  /** Wait for other threads and fibers when the last runnable tasklet blocks, instead of coming back. */
  readonly threadblock?: boolean
  /** Do not interrupt a tasklet, but come back the next time that one lets another run. */
  readonly soft?: boolean
  /** Interrupt tasklets that are in the middle of an Effect, too. */
  readonly ignoreNesting?: boolean
  /** Count all tasklets together, instead of beginning anew whenever another one runs. */
  readonly totaltimeout?: boolean
}

export class Watch {
  /** The tasklet that is in `run`, and is woken. */
  readonly watchdog: Tasklet
  readonly soft: boolean
  /** The tasklet that was interrupted; in the soft way, the one that would have run. */
  interrupted: Tasklet | undefined = undefined
  private readonly scheduler: Scheduler
  private readonly interval: number
  private readonly total: boolean
  private readonly ignoreNesting: boolean
  private steps = 0
  private watermark: number

  constructor(scheduler: Scheduler, watchdog: Tasklet, interval: number, options: RunOptions) {
    this.scheduler = scheduler
    this.watchdog = watchdog
    this.interval = this.watermark = interval
    this.soft = options.soft === true
    this.total = options.totaltimeout === true
    this.ignoreNesting = options.ignoreNesting === true
    scheduler.thread.watch = (microthread: Microthread) =>
      microthread instanceof TaskletState && this.due(microthread._tasklet)
  }

  /** It is not needed any more. */
  remove(): void {
    this.scheduler.thread.watch = undefined
    this.scheduler.watch = undefined
  }

  /** `t` is about to make a step. Has it to be interrupted? Mirrors `interrupt_timeout_return`. */
  due(t: Tasklet): boolean {
    if (++this.steps <= this.watermark || t === this.watchdog) return false
    const { scheduler } = this
    if (
      this.soft || t.atomic || scheduler.locked || scheduler.switchTrap !== 0 || !t.isCurrent || !this.mayInterrupt(t)
    ) {
      this.watermark = this.steps + this.interval
      t._pendingIrq = true
      return false
    }
    return true
  }

  /** Interrupts `t`: whoever is in `run` goes on. */
  interrupt(t: Tasklet): Microthread {
    t._pendingIrq = false
    this.interrupted = t
    return this.scheduler.switch(t, this.watchdog)
  }

  /** What has kept it from interrupting `t` may be over. Mirrors `slp_check_pending_irq`. */
  retry(t: Tasklet): void {
    if (this.soft || !t.isCurrent || t.atomic || !this.mayInterrupt(t)) return
    this.watermark = this.steps
    t._pendingIrq = false
  }

  /**
   * A switch from `prev` to `next`: which one it is to be. `bound` is one that a channel's preference asks for, which
   * leaves no choice. Mirrors `slp_schedule_soft_irq`, and the slice of time that begins anew.
   */
  switching(prev: Tasklet, next: Tasklet, bound: boolean): Tasklet {
    next = this.softly(prev, next, bound)
    if (prev !== next) {
      if (!this.total) this.watermark = this.steps + this.interval
      next._observe()
    }
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
