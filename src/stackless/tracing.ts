/**
 * Observed frames: what counts a tasklet's steps for the watchdog, and tells its trace function of them.
 *
 * Such a frame stands in front of the real one and passes everything on. A tasklet gets them when a watchdog is set, or
 * a trace function, and takes them off when they have nothing to do any more; so nothing is paid otherwise.
 *
 * Carries `trace_function` and `profile_function` of `taskletobject.c`. They differ in what can be told: a generator
 * tells of the operations it performs, not of lines of source.
 */
import {
  type DataFrame,
  type Frame,
  isEffectFrame,
  type Microthread,
  Operation,
  resumeFrame,
  throwIntoFrame
} from "../greenlet/index.ts"
import type { Tasklet } from "./ports.ts"
import { schedulerOf } from "./schedulers.ts"

/**
 * Told of what the frames of a tasklet do. `event` is `"resume"`, `"throw"`, `"yield"`, `"return"` or `"exception"` of a
 * trace function, `"call"`, `"return"` or `"exception"` of a profile function; `arg` is the value or the error.
 *
 * @category models
 * @since 0.1.0
 */
export type TaskletTrace = (
  tasklet: Tasklet,
  event: "call" | "resume" | "throw" | "yield" | "return" | "exception",
  arg: unknown
) => void

interface Traces {
  trace: TaskletTrace | undefined
  profile: TaskletTrace | undefined
}

const traces = new WeakMap<Tasklet, Traces>()

export const traceOf = (tasklet: Tasklet): TaskletTrace | undefined => traces.get(tasklet)?.trace

export const profileOf = (tasklet: Tasklet): TaskletTrace | undefined => traces.get(tasklet)?.profile

/** Sets one of the two; has it any now? */
export const setTrace = (tasklet: Tasklet, kind: keyof Traces, trace: TaskletTrace | undefined): boolean => {
  const both = traces.get(tasklet) ?? { trace: undefined, profile: undefined }
  both[kind] = trace
  const any = both.trace !== undefined || both.profile !== undefined
  if (any) traces.set(tasklet, both)
  else traces.delete(tasklet)
  return any
}

class Observed implements Frame {
  readonly tasklet: Tasklet
  readonly inner: Frame | DataFrame
  private entered: boolean
  constructor(tasklet: Tasklet, inner: Frame | DataFrame, entered: boolean) {
    this.tasklet = tasklet
    this.inner = inner
    this.entered = entered
  }

  next(value: unknown): IteratorResult<unknown, unknown> {
    return this.step(value, false)
  }

  throw(error: unknown): IteratorResult<unknown, unknown> {
    return this.step(error, true)
  }

  private step(value: unknown, raising: boolean): IteratorResult<unknown, unknown> {
    const { inner, tasklet } = this
    const { watch } = schedulerOf(tasklet.thread)
    if (watch !== undefined) {
      if (watch.due(tasklet)) return { done: false, value: new Interrupt(value, raising) }
    } else if (!tasklet._traced) {
      if (tasklet._code === this) tasklet._replaceTop(inner)
    }
    if (!tasklet._traced) return raising ? throwIntoFrame(inner, value) : resumeFrame(inner, value)
    if (!this.entered) {
      this.entered = true
      profileOf(tasklet)?.(tasklet, "call", undefined)
    }
    traceOf(tasklet)?.(tasklet, raising ? "throw" : "resume", value)
    let result: IteratorResult<unknown, unknown>
    try {
      result = raising ? throwIntoFrame(inner, value) : resumeFrame(inner, value)
    } catch (error) {
      traceOf(tasklet)?.(tasklet, "exception", error)
      profileOf(tasklet)?.(tasklet, "exception", error)
      throw error
    }
    if (result.done === true) {
      traceOf(tasklet)?.(tasklet, "return", result.value)
      profileOf(tasklet)?.(tasklet, "return", result.value)
    } else if (!isEffectFrame(inner)) {
      // what an Effect performs has been performed, and another one may run: it is too late to tell
      traceOf(tasklet)?.(tasklet, "yield", result.value)
    }
    return result
  }
}

export const isObserved = (frame: Frame | DataFrame): boolean => frame instanceof Observed

/** @param entered has it run already? */
export const observed = (tasklet: Tasklet, frame: Frame | DataFrame, entered = false): Frame =>
  new Observed(tasklet, frame, entered)

/** Performed in place of a step that is one too many. */
class Interrupt extends Operation<unknown> {
  readonly brought: unknown
  readonly raising: boolean
  constructor(value: unknown, raising: boolean) {
    super()
    this.brought = value
    this.raising = raising
  }
  perform(current: Microthread): Microthread {
    if (this.raising) current.raise(this.brought)
    else current.give(this.brought)
    return current._policy.preempted()
  }
}
