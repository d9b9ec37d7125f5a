/** What goes wrong with durable channels and tasklets. */
import * as Data from "effect/Data"

/**
 * The durable channel is closed: nothing can be sent there, and there is nothing left to receive.
 *
 * @category errors
 * @since 0.2.0
 */
export class DurableChannelClosed extends Data.TaggedError("DurableChannelClosed")<{ readonly channel: string }> {
  override get message(): string {
    return `the durable channel ${JSON.stringify(this.channel)} is closed`
  }
}

/**
 * A value cannot be written for a durable channel, or what is stored there cannot be read: `cause` is the error of the schema or
 * of the pickle. What was received is not lost: outside of a durable tasklet it is delivered again, and `discard(key)` takes
 * it out.
 *
 * @category errors
 * @since 0.2.0
 */
export class DurableValueError extends Data.TaggedError("DurableValueError")<{
  readonly channel: string
  readonly key: string | undefined
  readonly message: string
  readonly cause: unknown
}> {}

/**
 * A tasklet is not durable, as its frames, or something that they refer to, cannot be pickled. `cause` is the `PicklingError`,
 * which says what it is and the way there. Nothing is stored then, and nothing was done.
 *
 * @category errors
 * @since 0.2.0
 */
export class NotDurableError extends Data.TaggedError("NotDurableError")<{
  readonly tasklet: string
  readonly message: string
  readonly cause: unknown
}> {}
