/** Trace functions: told of every switch of a thread. Mirrors `greenlet.settrace` and `gettrace`. */
import type { Greenlet } from "./greenlet.ts"
import { currentThread } from "./kernel.ts"
import type { Tracer } from "./kernel/loop.ts"

/**
 * Called in `target`, right after control came to it from `origin`: with `"switch"`, or with `"throw"` if an error is
 * about to be thrown in `target`. A trace function that throws is removed, and its error is thrown in `target` instead
 * of what the switch brought. It is a plain function, and cannot switch.
 *
 * @category models
 * @since 0.1.0
 */
export type TraceFunction = (event: "switch" | "throw", origin: Greenlet, target: Greenlet) => void

/**
 * Sets the trace function of the current thread, or removes it; returns the one before. Throws `TypeError` if it is no
 * function, or a generator function or an async one. Mirrors `greenlet.settrace`.
 *
 * @category tracing
 * @since 0.1.0
 */
export const settrace = (trace: TraceFunction | null | undefined): TraceFunction | undefined => {
  if (trace != null) {
    if (typeof trace !== "function") {
      throw new TypeError(`settrace takes a function, or undefined to stop; got ${typeof trace}`)
    }
    // of all functions only these have one
    const kind: unknown = (trace as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]
    if (kind !== undefined) {
      throw new TypeError(`a trace function is a plain function, which cannot switch or wait; got ${String(kind)}`)
    }
  }
  const thread = currentThread()
  const before = thread.tracer
  thread.tracer = (trace ?? undefined) as Tracer | undefined
  return before as TraceFunction | undefined
}

/**
 * The trace function of the current thread. Mirrors `greenlet.gettrace`.
 *
 * @category tracing
 * @since 0.1.0
 */
export const gettrace = (): TraceFunction | undefined => currentThread().tracer as TraceFunction | undefined
