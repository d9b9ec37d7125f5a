/**
 * Who looks on: tools that draw what tasklets do. Upstream has its callbacks for that, one of each kind, which may act and are the
 * program's; these are told of more, must not act, and there may be several.
 *
 * Next to nothing is paid while nobody looks on: what every switch would have to ask for is asked for where a switch is looked
 * at anyway (`scheduler.watched`).
 */
import type { Waiting } from "./errors.ts"
import type { Channel, Tasklet } from "./ports.ts"
import { callbacks } from "./scheduler.ts"
import { Selection } from "./select.ts"
import { eachScheduler } from "./threads.ts"

/**
 * Told of what happens on all threads. What it throws is thrown into the program.
 *
 * @category models
 * @since 0.1.0
 */
export interface Observer {
  /** A tasklet was made, and is runnable or about to be. `body` is the name of its function. */
  made(tasklet: Tasklet, body: string): void
  /** A tasklet has become runnable, and nobody has met it on a channel: it was inserted, or its wait for an Effect is over. */
  inserted(tasklet: Tasklet): void
  /**
   * `prev` has left, and is in its new state; nobody, if the thread has idled. `next` runs from now on; nobody, if nobody is
   * runnable.
   */
  switched(prev: Tasklet | undefined, next: Tasklet | undefined): void
  /** A value or an error passes on a channel. A side that is no tasklet is a fiber, or the channel itself, which holds the value. */
  passed(channel: Channel, from: Tasklet | undefined, to: Tasklet | undefined): void
  /** Nobody can run any more, and one of those who wait is told. */
  deadlocked(waiting: ReadonlyArray<Waiting>): void
}

type Self = Observer

declare module "./ports.ts" {
  interface Observer extends Self {}
}

/**
 * For who looks on: what a tasklet is blocked on, if it is a channel or a selection; has it died of an error; is it in `run`; and
 * is what it is blocked on a selection, whose `waitingOf` says what its cases are.
 *
 * @category inspection
 * @since 0.1.0
 */
export const blockedOn = (tasklet: Tasklet): Channel | undefined => tasklet._channel
export const hasFailed = (tasklet: Tasklet): boolean => tasklet._failed
export const isInRun = (tasklet: Tasklet): boolean => tasklet._scheduler.runs(tasklet)
export const isSelection = (channel: Channel): boolean => channel instanceof Selection

const observers = new Set<Observer>()

/**
 * Has an observer told of what happens on all threads. Returns what stops that.
 *
 * @category callbacks
 * @since 0.1.0
 */
export const observe = (observer: Observer): () => void => {
  observers.add(observer)
  tell()
  return () => {
    if (observers.delete(observer)) tell()
  }
}

const tell = (): void => {
  const [first, ...others] = observers
  callbacks.observer = others.length === 0 ? first : several
  eachScheduler((scheduler) => scheduler.attend())
}

const several: Observer = {
  made: (...args) => observers.forEach((observer) => observer.made(...args)),
  inserted: (...args) => observers.forEach((observer) => observer.inserted(...args)),
  switched: (...args) => observers.forEach((observer) => observer.switched(...args)),
  passed: (...args) => observers.forEach((observer) => observer.passed(...args)),
  deadlocked: (...args) => observers.forEach((observer) => observer.deadlocked(...args))
}
