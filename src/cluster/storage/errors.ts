/** What goes wrong with a storage. */
import * as Data from "effect/Data"

/**
 * A storage that cannot be opened, or has been gone for longer than an operation waits: `patience` of the storage. What the
 * operation would have done may have been done or not, as always when a database is lost in the middle of a commit. `cause`
 * is the error of the database.
 *
 * @category errors
 * @since 0.2.0
 */
export class StorageError extends Data.TaggedError("StorageError")<{
  readonly message: string
  /** May the same be done later? */
  readonly temporary: boolean
  readonly cause?: unknown
}> {}
