/** Idling: what a thread does while nobody is runnable. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Microthread, onRest, Operation } from "../greenlet/index.ts"
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
    const proceed = new Proceed(scheduler)
    const work = Effect.callback<void>((resume) => {
      // the thread may have let the event loop have a turn on the way here
      if (scheduler.head !== undefined || idle().doubting) return resume(Exit.void)
      this.resume = () => resume(Exit.void)
    })
    const idle = () => this
    super(function*() {
      for (;;) {
        if (scheduler.head === undefined) yield* idle().doubting ? Effect.yieldNow : work
        yield* proceed
      }
    }, scheduler.thread)
    this.scheduler = scheduler
  }

  wake(): void {
    const { resume } = this
    onRest.delete(this.doubt)
    this.resume = undefined
    resume?.()
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

class Proceed extends Operation<void> {
  readonly scheduler: Scheduler
  constructor(scheduler: Scheduler) {
    super()
    this.scheduler = scheduler
  }
  perform(current: Microthread): Microthread {
    const { scheduler } = this
    const { head } = scheduler
    const idle = current as Idle
    const { prev } = idle
    if (head === undefined) return idle.stuck ? scheduler.deadlocked(prev!) : current
    return scheduler.to(scheduler.watched && prev !== undefined ? scheduler.tell(prev, head, false) : head)
  }
}
