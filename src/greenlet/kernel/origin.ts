/**
 * Where a thread comes from, and who is told that one has come to rest. A scheduler asks for it that has nobody to run: as
 * long as another thread can do something, that is no deadlock. Carries `check_for_deadlock` of Stackless.
 */
import type * as Fiber from "effect/Fiber"
import type { Thread } from "./ports.ts"

/** Where `withThread` made a thread. */
export interface Origin {
  /** The thread around it. */
  readonly thread: Thread
  /** The fiber that runs its program. */
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** Does anybody wait for its end? */
  readonly awaited: boolean
}

/** For schedulers: the threads with a program of their own, until they end. */
export const programs: Set<Thread> = new Set()

/** For schedulers: called when a thread has come to rest: it has ended, or nobody stands for its main any more. */
export const onRest: Set<() => void> = new Set()

/** A thread has come to rest. */
export const rested = (): void => {
  if (onRest.size > 0) { for (const f of onRest) f() }
}
