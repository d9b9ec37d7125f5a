/**
 * A frame that is plain data: what a compiler makes of a generator function.
 *
 * Its locals are its fields, and `pc` says where it is suspended; so it can be pickled, preempted inside a loop and looked at.
 * Where a generator performs an operation in the middle of its `yield*`, such a frame writes `pc`, returns what stands behind
 * the `yield*`, and is complete before anybody else runs. So the loop keeps the whole stack of them flat, however deep.
 *
 * This file imports nothing, as compiled code is bundled with it where no kernel is needed.
 */

/**
 * The method that resumes a frame. No variable of a source has such a name: the frame has those for itself. It is no symbol, and
 * where it is called often its name is written out: V8 looks up a name for frames of many functions in a fifth of the time that it
 * needs for a key.
 */
export const RESUME = "~resume"

/** Gives what a frame delegates to that was stepped by hand, and stands in a `yield*`. */
export const DELEGATE: unique symbol = Symbol.for("effect-stackless/delegate")

/** Gives where a frame stands, for people to read. */
export const DESCRIBE: unique symbol = Symbol.for("effect-stackless/describe")

/** How a frame is resumed: with a value, with an error that is thrown where it stands, or as by a `return` there. */
export const NEXT = 0
export const THROW = 1
export const RETURN = 2
export type Mode = typeof NEXT | typeof THROW | typeof RETURN

/** The `pc` of a frame that has not begun. */
export const BEGIN = 0
/** The `pc` of one that has ended. */
export const DONE = -1
/** The `pc` of one that runs. */
export const RUNNING = -2

/** Where a frame stands. */
export interface Description {
  /** The name of its function. */
  readonly name: string
  /** The file within its package, and where in it, from 1 on; 0 where that is not known. */
  readonly file: string
  readonly line: number
  readonly column: number
  /** The variables in scope there, by name. */
  readonly locals: Readonly<Record<string, unknown>>
}

/** A line of a stack: where a frame stands. Nothing, if that is not known. */
export const lineOf = ({ column, file, line, name }: Description): string | undefined =>
  line === 0 ? undefined : `at ${name} (${file}:${line}:${column})`

export interface DataFrame {
  /** Where it stands: `BEGIN`, `DONE`, `RUNNING`, even at a `yield*`, odd at a plain `yield` or where it was preempted. */
  pc: number
  /**
   * Runs up to the next suspension. Returns what stands behind a `yield*`, as it is; or one of the outcomes below. It may also
   * throw, which ends the frame: who resumes it then writes `pc`.
   *
   * @internal
   */
  "~resume"(mode: Mode, value: unknown): unknown
  /** @internal */
  [DELEGATE]?(): Iterator<unknown> | undefined
  /** @internal */
  [DESCRIBE]?(): Description
}

/** What a resume brings that is not at a `yield*`. The value of it is in `completion`. */
export class Outcome {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** The frame has ended with a value. */
export const RETURNED = new Outcome("returned")
/**
 * The frame has ended with an error. To say so takes nothing; to throw takes V8 half a microsecond. A kill takes a third of the time
 * so (`compiled.kill.us`).
 */
export const THROWN = new Outcome("thrown")
/** It stands at a plain `yield` of a value. */
export const YIELDED = new Outcome("yielded")
/** Its fuel is used up: it stands at a back edge or an entry, and has no value. */
export const PREEMPTED = new Outcome("preempted")

/** It stands in front of a frame that is no plain data: that was stepped, and the value is the result of its step. */
export const STEPPED = new Outcome("stepped")

/** The value of the last outcome. To read `pc` instead would cost a look-up of three nanoseconds in programs of many functions. */
export const completion: { value: unknown } = { value: undefined }

export const isDataFrame = (u: unknown): u is DataFrame =>
  typeof u === "object" && u !== null && (u as Partial<DataFrame>)["~resume"] !== undefined
