/** Idling: what a thread does while nobody is runnable. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Microthread, type Mode, onRest, Operation, Routine, THROW } from "../greenlet/index.ts"
import { RuntimeError } from "./errors.ts"
import type { Scheduler, Tasklet } from "./ports.ts"
import { othersCanRun } from "./threads.ts"

/**
 * What runs while nobody is runnable but somebody may come from outside: it waits, which parks the thread, until a tasklet is
 * inserted. It is gevent's hub in small.
 *
 * If nobody waits for an Effect, only another thread or a fiber can bring somebody. It gives the event loop a turn, in which
 * such a thread may begin, and then waits for as long as another one can do something.
 */
export class Idle extends Microthread {
  /** The tasklet that blocked or ended last. */
  prev: Tasklet | undefined = undefined
  /** Is it to be found out whether this is a deadlock? */
  doubting = false
  private resume: (() => void) | undefined = undefined
  private readonly scheduler: Scheduler

  constructor(scheduler: Scheduler) {
    super(() => new Idling(this), scheduler.thread)
    this.scheduler = scheduler
  }

  /** Is anybody runnable? */
  get wanted(): boolean {
    return this.scheduler.head !== undefined
  }

  /** Waits until somebody is inserted. */
  readonly work = Effect.callback<void>((resume) => {
    // the thread may have let the event loop have a turn on the way here
    if (this.wanted || this.doubting) return resume(Exit.void)
    this.resume = () => resume(Exit.void)
  })

  wake(): void {
    const { resume } = this
    onRest.delete(this.doubt)
    this.resume = undefined
    resume?.()
  }

  /** Names who runs: the next, or main if nobody can come. */
  proceed(): Microthread {
    const { prev, scheduler } = this
    const { head } = scheduler
    if (head === undefined) return this.stuck ? scheduler.deadlocked(prev!) : this
    return scheduler.to(scheduler.watched && prev !== undefined ? scheduler.tell(prev, head, false) : head)
  }

  /** Has it turned out, a turn later, that nobody can come? */
  get stuck(): boolean {
    if (!this.doubting) return false
    this.doubting = false
    const { scheduler } = this
    if (!scheduler.stuck) return false
    if (!othersCanRun(scheduler.thread)) return true
    onRest.add(this.doubt)
    return false
  }

  /** Another thread has come to rest: that may have been the last. */
  private readonly doubt = (): void => {
    if (!this.scheduler.stuck) return
    this.doubting = true
    this.wake()
  }

  ends(): never {
    throw new RuntimeError("what idles does not end")
  }

  /** It hands over at once: who comes then is asked. */
  override preempted(): Microthread {
    this.scheduler.thread.allow(0)
    return this
  }

  dies(error: unknown): Microthread {
    throw error
  }
}

/** What it does: it waits, and hands over. */
class Idling extends Routine<never> {
  private readonly idle: Idle
  constructor(idle: Idle) {
    super()
    this.idle = idle
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (mode === THROW) throw value
    const { idle } = this
    if (this.pc !== WAITS && !idle.wanted) return this.at(WAITS, idle.doubting ? Effect.yieldNow : idle.work)
    return this.at(PROCEEDS, proceed)
  }
}

const WAITS = 2
const PROCEEDS = 4

class Proceed extends Operation<void> {
  perform(current: Microthread): Microthread {
    return (current as Idle).proceed()
  }
}

const proceed = new Proceed()
