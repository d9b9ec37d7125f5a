/**
 * Observed frames: what tells a tasklet's trace function of its steps.
 *
 * Such a frame stands in front of the real one and passes everything on. A tasklet gets them when it gets a trace function,
 * and takes them off when they have nothing to do any more; so nothing is paid otherwise. Who pickles a tasklet looks behind
 * them (`inner`): who is told stays here.
 *
 * Carries `trace_function` and `profile_function` of `taskletobject.c`. They differ in what can be told: a generator
 * tells of the operations it performs, not of lines of source.
 */
import * as Effect from "effect/Effect"
import {
  type Body,
  type DataFrame,
  type Frame,
  isEffectFrame,
  isFrame,
  type Mode,
  replaceTopFrame,
  requireResult,
  resumeFrame,
  THROW,
  topFrameOf,
  Wrapper
} from "../greenlet/index.ts"
import type { Tasklet } from "./ports.ts"

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
  /** A body has been called and told of; the frame that it returns is about to be pushed. */
  begun: boolean
}

const traces = new WeakMap<Tasklet, Traces>()

export const traceOf = (tasklet: Tasklet): TaskletTrace | undefined => traces.get(tasklet)?.trace

export const profileOf = (tasklet: Tasklet): TaskletTrace | undefined => traces.get(tasklet)?.profile

/** Sets one of the two; has it any now? */
export const setTrace = (tasklet: Tasklet, kind: "trace" | "profile", trace: TaskletTrace | undefined): boolean => {
  const both = traces.get(tasklet) ?? { trace: undefined, profile: undefined, begun: false }
  both[kind] = trace
  const any = both.trace !== undefined || both.profile !== undefined
  if (any) traces.set(tasklet, both)
  else traces.delete(tasklet)
  return any
}

class Observed extends Wrapper {
  readonly tasklet: Tasklet
  private entered: boolean
  /** Has its first step been told of already? */
  private begun: boolean
  constructor(tasklet: Tasklet, inner: Frame | DataFrame, entered: boolean, begun: boolean) {
    super(inner)
    this.tasklet = tasklet
    this.entered = entered
    this.begun = begun
  }

  "~resume"(mode: Mode, value: unknown): unknown {
    const { inner, tasklet } = this
    if (!tasklet._traced) {
      const { _performer: performer } = tasklet
      if (topFrameOf(performer) === this) replaceTopFrame(performer, inner)
      this.entered = true
      return resumeFrame(inner, mode, value)
    }
    if (this.begun) this.begun = false
    else {
      if (!this.entered) profileOf(tasklet)?.(tasklet, "call", undefined)
      this.entered = true
      traceOf(tasklet)?.(tasklet, mode === THROW ? "throw" : "resume", value)
    }
    return this.watch(mode, value)
  }

  protected override sees(event: "yield" | "return" | "exception", value: unknown): void {
    const { inner, tasklet } = this
    if (event !== "yield") tellEnd(tasklet, event, value)
    // what an Effect performs has been performed, and another one may run: it is too late to tell
    else if (!isEffectFrame(inner)) traceOf(tasklet)?.(tasklet, "yield", value)
  }
}

export const isObserved = (frame: Frame | DataFrame): boolean => frame instanceof Observed

/** @param entered has it run already? */
export const observed = (tasklet: Tasklet, frame: Frame | DataFrame, entered: boolean): DataFrame =>
  new Observed(tasklet, frame, entered, false)

/** A new frame of one that is traced: the call of its body may have been told of. */
export const observedCall = (tasklet: Tasklet, frame: Frame | DataFrame): DataFrame => {
  const both = traces.get(tasklet)
  const begun = both?.begun === true
  if (both !== undefined) both.begun = false
  return new Observed(tasklet, frame, begun, begun)
}

/** Calls a body, and tells of the call; and of its end, if that leaves no frame. */
export const tracedBody = (tasklet: Tasklet, body: Body): Body =>
  function(this: unknown, ...args) {
    profileOf(tasklet)?.(tasklet, "call", undefined)
    traceOf(tasklet)?.(tasklet, "resume", undefined)
    let made: unknown
    try {
      made = body.apply(this, args)
      if (!Effect.isEffect(made) && !isFrame(made)) requireResult(made)
    } catch (error) {
      tellEnd(tasklet, "exception", error)
      throw error
    }
    if (!Effect.isEffect(made) && !isFrame(made)) tellEnd(tasklet, "return", made)
    else {
      const both = traces.get(tasklet)
      if (both !== undefined) both.begun = true
    }
    return made
  }

const tellEnd = (tasklet: Tasklet, event: "return" | "exception", arg: unknown): void => {
  traceOf(tasklet)?.(tasklet, event, arg)
  profileOf(tasklet)?.(tasklet, event, arg)
}
