/**
 * Slices of time, `run({ slice })`: of tasklets that compute, each gets the thread for so long, and then the next one.
 *
 * The clock is looked at when so many steps have been made that a fraction of a slice has gone by, and never at a switch: the
 * number of steps follows from how long the last ones took. There the JavaScript event loop has its turn, too, and a tasklet
 * whose wait is over comes next: it has used up nothing of its slice. Upstream has no such thing.
 */
import type { Scheduler, Tasklet } from "./ports.ts"
import type { Timekeeper } from "./watch.ts"

/** How long the event loop waits for its turn at most, in milliseconds, if a slice is not shorter. */
const TURN = 1

const FEWEST = 16
const MOST = 2 ** 20

export class Slices implements Timekeeper {
  readonly watchdog: Tasklet
  readonly interrupted = undefined
  readonly soft = false
  private readonly scheduler: Scheduler
  /** How long a slice is, and how often the clock is looked at, in milliseconds. */
  private readonly slice: number
  private readonly period: number
  /** After how many steps that is. */
  private steps = 1024
  /** Is the current tasklet about to go on, from a switch or a turn of the event loop? */
  private begins = true
  /** When it went on, and how long it had the thread before, in this slice. */
  private began = 0
  private used = 0
  /** Is there one whose wait is over, and who comes next? */
  private hurried = false

  constructor(scheduler: Scheduler, watchdog: Tasklet, slice: number) {
    this.scheduler = scheduler
    this.watchdog = watchdog
    this.slice = slice
    this.period = Math.min(TURN, slice / 2)
    scheduler.thread.allow(0)
  }

  remove(): void {
    this.scheduler.thread.allow(Infinity)
    this.scheduler.watch = undefined
  }

  preempted(t: Tasklet): Tasklet | undefined {
    const { scheduler } = this
    const { thread } = scheduler
    const now = performance.now()
    const { begins } = this
    this.begins = !begins
    if (begins) {
      this.began = now
      thread.allow(this.steps)
      if (!this.hurried) return undefined
    } else {
      const took = now - this.began
      this.used += took
      const factor = Math.min(4, this.period / Math.max(took, 0.001))
      this.steps = Math.round(Math.max(FEWEST, Math.min(MOST, this.steps * factor)))
      thread.allow(0)
      thread.takeTurn()
    }
    if (this.used < this.slice && !this.hurried || !this.mayInterrupt(t)) return undefined
    this.used = 0
    const next = t._right as Tasklet
    return next === t ? undefined : next
  }

  private mayInterrupt(t: Tasklet): boolean {
    return !t.atomic && !this.scheduler.forbidding && t.isCurrent && (t.nestingLevel === 0 || t.ignoreNesting)
  }

  switching(prev: Tasklet, next: Tasklet): Tasklet {
    if (prev !== next) {
      this.begins = true
      this.used = 0
      this.hurried = false
      this.scheduler.thread.allow(0)
    }
    return next
  }

  ready(t: Tasklet): void {
    this.hurried = true
    this.scheduler.insertNext(t)
  }

  retry(): void {}
}
