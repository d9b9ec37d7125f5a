/** Trace functions: told of every switch of a thread. Mirrors `greenlet.settrace` and `gettrace`. */
import type { Greenlet } from "./greenlet.ts"
import { currentThread } from "./thread.ts"

/**
 * Called in `target`, right after control came to it from `origin`: with `"switch"`, or with `"throw"` if an error is
 * about to be thrown in `target`. A trace function that throws is removed, and its error is thrown in `target` instead
 * of what the switch brought.
 *
 * @category models
 * @since 0.1.0
 */
export type TraceFunction = (event: "switch" | "throw", origin: Greenlet, target: Greenlet) => void

/**
 * Sets the trace function of the current thread, or removes it; returns the one before. Throws `TypeError` if it is no
 * function. Mirrors `greenlet.settrace`.
 *
 * @category tracing
 * @since 0.1.0
 */
export const settrace = (trace: TraceFunction | null | undefined): TraceFunction | undefined => {
  if (trace != null && typeof trace !== "function") {
    throw new TypeError(`settrace takes a function, or undefined to stop; got ${typeof trace}`)
  }
  const thread = currentThread()
  const before = thread.tracer
  thread.tracer = trace ?? undefined
  return before
}

/**
 * The trace function of the current thread. Mirrors `greenlet.gettrace`.
 *
 * @category tracing
 * @since 0.1.0
 */
export const gettrace = (): TraceFunction | undefined => currentThread().tracer
