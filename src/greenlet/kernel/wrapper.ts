/** Wrappers: frames that stand in front of another one, of whatever kind, and see what it does. */
import {
  BEGIN,
  completion,
  type DataFrame,
  DONE,
  isDataFrame,
  type Mode,
  NEXT,
  PREEMPTED,
  RETURNED,
  STEPPED,
  THROW,
  THROWN,
  YIELDED
} from "./data-frame.ts"
import type { Frame } from "./frame.ts"
import { ledTo } from "./lead.ts"
import { forgetRequest } from "./step.ts"

/**
 * A frame that stands in front of another one. It is plain data itself, whatever the other one is: the loop resumes it as such, and
 * takes what it brings as if the other one had brought it. Who pickles a microthread looks behind it.
 *
 * @category schedulers
 * @since 0.1.0
 */
export abstract class Wrapper implements DataFrame {
  /** It stands where the other one does: it has begun, and is in no `yield*` of its own. */
  pc = 1
  /** The frame that it stands in front of. */
  readonly inner: Frame | DataFrame
  constructor(inner: Frame | DataFrame) {
    this.inner = inner
  }

  abstract "~resume"(mode: Mode, value: unknown): unknown

  /** Resumes the other one, and tells `sees` what that has brought. */
  protected watch(mode: Mode, value: unknown): unknown {
    let outcome: unknown
    try {
      outcome = resumeFrame(this.inner, mode, value)
    } catch (error) {
      this.sees("exception", error)
      throw error
    }
    const { value: brought } = completion
    if (outcome === STEPPED) {
      const { done, value } = brought as IteratorResult<unknown, unknown>
      this.sees(done === true ? "return" : "yield", value)
    } else if (outcome === RETURNED) this.sees("return", brought)
    else if (outcome === THROWN) this.sees("exception", brought)
    else this.sees("yield", outcome === YIELDED ? brought : outcome === PREEMPTED ? undefined : outcome)
    // who was told may have resumed frames
    completion.value = brought
    return outcome
  }

  /** The other one has yielded `value`, returned it, or thrown it. What this throws takes its place. */
  protected sees(_event: "yield" | "return" | "exception", _value: unknown): void {}
}

/** A frame without those that stand in front of it. */
export const bare = (frame: Frame | DataFrame): Frame | DataFrame =>
  frame instanceof Wrapper ? bare(frame.inner) : frame

/**
 * Resumes a frame of any kind. Gives what that brings as a frame that is plain data gives it: `"~resume"` of a wrapper returns it.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const resumeFrame = (frame: Frame | DataFrame, mode: Mode, value: unknown): unknown => {
  if (!isDataFrame(frame)) {
    forgetRequest(false)
    completion.value = mode === NEXT ? frame.next(value) : frame.throw(value)
    return STEPPED
  }
  try {
    if (mode === THROW) {
      if (frame.pc === BEGIN) throw value
      ledTo(value, frame)
    }
    return frame["~resume"](mode, value)
  } catch (error) {
    frame.pc = DONE
    throw error
  }
}
