import { isDataFrame } from "./data-frame.ts"

/**
 * What the kernel knows of a frame that is no plain data: it can be resumed with a value or with an error.
 *
 * Generators are frames. So is `EffectFrame`, an Effect that runs on the greenlet's fiber. Frames that are plain data, such as a
 * compiler makes, have a protocol of their own (data-frame.ts).
 */
export interface Frame {
  /** Is it an Effect, which runs on the greenlet's fiber? */
  readonly isEffect?: boolean
  /** Resumes the frame: the operation it performs, or the value it ends with. */
  next(value: unknown): IteratorResult<unknown, unknown>
  /** Resumes the frame with an error, thrown where it was suspended. */
  throw(error: unknown): IteratorResult<unknown, unknown>
}

/**
 * The language's own `next`. Called as such it is not looked up in the generator: that is slow where the generators of many
 * functions run.
 */
export const generatorNext = Object.getPrototypeOf(function*() {}).prototype.next as Frame["next"]

/** Is it a generator object whose `next` is the language's own? */
export const isGenerator = (frame: Frame | undefined): boolean => frame?.next === generatorNext

/** Is it an Effect that runs as a frame? What is data has names of its own. */
export const isEffectFrame = (frame: unknown): boolean =>
  typeof frame === "object" && frame !== null && !isDataFrame(frame) && (frame as Partial<Frame>).isEffect === true
