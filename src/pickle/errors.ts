/** The errors of pickling. Python has the same two, in its module `pickle`. */
import { nameIs } from "../greenlet/index.ts"

/**
 * Something cannot be pickled. The message says what, and the way to it from the value that was to be dumped:
 * *frame recurs (talk.ts:12) → local file → Socket*. Nothing has been changed. Mirrors `pickle.PicklingError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class PicklingError extends Error {
  declare readonly name: string
  static {
    nameIs(this, "PicklingError")
  }
  /** The steps from the value that was to be dumped to what cannot be. */
  readonly path: ReadonlyArray<string>

  constructor(reason: string, path: ReadonlyArray<string>, options?: ErrorOptions) {
    super(path.length === 0 ? reason : `${reason}: ${path.join(" → ")}`, options)
    this.path = path
  }
}

/**
 * Bytes that are no pickle, or none that this program can load: damaged, signed with another key, of a later format, or
 * made by a program whose functions were others. The message says which. Mirrors `pickle.UnpicklingError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnpicklingError extends Error {
  declare readonly name: string
  static {
    nameIs(this, "UnpicklingError")
  }
}
