/**
 * What a frame that is plain data hands to the loop, as the iteration protocol says it: for whatever resumes frames the slow
 * way, and for wrappers of frames. The loop itself takes the short way (loop.ts).
 */
import {
  BEGIN,
  completion,
  type DataFrame,
  DONE,
  isDataFrame,
  NEXT,
  PREEMPTED,
  RETURNED,
  THROW,
  THROWN,
  YIELDED
} from "./data-frame.ts"
import type { Frame } from "./frame.ts"
import { ledTo } from "./lead.ts"
import { Operation } from "./operation.ts"
import type { Microthread } from "./ports.ts"
import { stepping } from "./step.ts"

const { Ended, Yielded } = stepping

/** `yield*` of something that is no operation: another frame, an Effect, or anything that can be iterated. */
export class Delegation extends Operation<unknown> {
  readonly to: unknown
  constructor(to: unknown) {
    super()
    this.to = to
  }
  perform(current: Microthread): Microthread {
    return current.thread.delegate(current, this.to)
  }
}

/** A frame gave control back with its fuel used up: what is due the loop finds out. */
class Preemption extends Operation<unknown> {
  perform(current: Microthread): Microthread {
    return current
  }
}

const preemption = new Preemption()

/** What a resume of a frame that is plain data has brought, as a step of an iteration. */
const resultOf = (outcome: unknown): IteratorResult<unknown, unknown> => {
  if (outcome instanceof Operation) return outcome as unknown as IteratorResult<unknown, unknown>
  if (outcome === RETURNED) return new Ended(completion.value)
  if (outcome === YIELDED) return new Yielded(completion.value)
  if (outcome === THROWN) throw completion.value
  return (outcome === PREEMPTED ? preemption : new Delegation(outcome)) as unknown as IteratorResult<unknown, unknown>
}

/** Resumes a frame of any kind with a value. */
export const resumeFrame = (frame: Frame | DataFrame, value: unknown): IteratorResult<unknown, unknown> => {
  if (!isDataFrame(frame)) return frame.next(value)
  try {
    return resultOf(frame["~resume"](NEXT, value))
  } catch (error) {
    frame.pc = DONE
    throw error
  }
}

/** Resumes a frame of any kind with an error, thrown where it stands. */
export const throwIntoFrame = (frame: Frame | DataFrame, error: unknown): IteratorResult<unknown, unknown> => {
  if (!isDataFrame(frame)) return frame.throw(error)
  try {
    if (frame.pc === BEGIN) throw error
    ledTo(error, frame)
    return resultOf(frame["~resume"](THROW, error))
  } catch (error) {
    frame.pc = DONE
    throw error
  }
}

/** The iterator of anything that can be iterated, as a frame. */
export class Iteration implements Frame {
  private readonly iterator: Iterator<unknown, unknown>
  private readonly step: Iterator<unknown, unknown>["next"]
  constructor(iterator: Iterator<unknown, unknown>) {
    this.iterator = iterator
    this.step = iterator.next
  }
  next(value: unknown): IteratorResult<unknown, unknown> {
    return asResult(this.step.call(this.iterator, value as undefined))
  }
  throw(error: unknown): IteratorResult<unknown, unknown> {
    const { iterator } = this
    if (iterator.throw != null) return asResult(iterator.throw(error))
    iterator.return?.()
    throw new TypeError("The iterator does not provide a 'throw' method")
  }
}

const asResult = (result: IteratorResult<unknown, unknown>): IteratorResult<unknown, unknown> => {
  if (typeof result !== "object" && typeof result !== "function" || result === null) {
    throw new TypeError(`Iterator result ${String(result)} is not an object`)
  }
  return result.done ? new Ended(result.value) : new Yielded(result.value)
}

/** What is not a frame, an operation or an Effect behind a `yield*`. */
export const iterationOf = (iterable: unknown): Iteration => {
  const method = (iterable as Iterable<unknown> | null | undefined)?.[Symbol.iterator]
  if (typeof method !== "function") throw new TypeError(`${named(iterable)} is not iterable`)
  const iterator: Iterator<unknown, unknown> = method.call(iterable)
  if (typeof iterator !== "object" && typeof iterator !== "function" || iterator === null) {
    throw new TypeError(`Result of the Symbol.iterator method is not an object`)
  }
  return new Iteration(iterator)
}

const named = (u: unknown): string =>
  typeof u === "object" || typeof u === "function" ? u === null ? "null" : typeof u : String(u)
