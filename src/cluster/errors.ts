/**
 * What can go wrong between machines. All are typed failures, with a `_tag`: the program that gets one can go on.
 */
import * as Data from "effect/Data"

/**
 * A machine would listen where others can reach it, and has no secret and no certificate.
 *
 * @category errors
 * @since 0.2.0
 */
export class InsecureAddressError extends Data.TaggedError("InsecureAddressError")<{ readonly address: string }> {
  override get message(): string {
    return `${this.address} can be reached from other machines: give machine({ secret }) or machine({ tls }), or listen on 127.0.0.1`
  }
}

/**
 * A machine cannot be made: its address is none, or is taken, or this process is a machine already.
 *
 * @category errors
 * @since 0.2.0
 */
export class MachineError extends Data.TaggedError("MachineError")<{
  readonly message: string
  readonly cause?: unknown
}> {}

/**
 * A machine does not answer: nobody listens there, the network is cut, or it does not know the secret. Nothing has happened.
 *
 * @category errors
 * @since 0.2.0
 */
export class MachineUnreachable extends Data.TaggedError("MachineUnreachable")<{
  readonly address: string
  readonly reason: string
}> {
  override get message(): string {
    return `the machine ${this.address} does not answer: ${this.reason}`
  }
}

/**
 * Two machines do not run the same code: what one has sent cannot go on at the other one.
 *
 * @category errors
 * @since 0.2.0
 */
export class CodeMismatch extends Data.TaggedError("CodeMismatch")<{
  readonly address: string
  readonly reason: string
}> {
  override get message(): string {
    return `the machine ${this.address} has other code: ${this.reason}`
  }
}

/**
 * A tasklet, or a value, cannot be pickled. It stays where it is, and goes on.
 *
 * @category errors
 * @since 0.2.0
 */
export class NotMovable extends Data.TaggedError("NotMovable")<{ readonly what: string; readonly reason: string }> {
  override get message(): string {
    return `${this.what} cannot be moved: ${this.reason}`
  }
}

/**
 * A channel of that name is another one elsewhere: of other values, or of another capacity.
 *
 * @category errors
 * @since 0.2.0
 */
export class NameConflict extends Data.TaggedError("NameConflict")<{
  readonly name: string
  readonly here: string
  readonly there: string
}> {
  override get message(): string {
    return `the channel ${JSON.stringify(this.name)} is ${this.there}; here it would be ${this.here}`
  }
}

/**
 * A value is none that the schema of a channel takes.
 *
 * @category errors
 * @since 0.2.0
 */
export class InvalidValue extends Data.TaggedError("InvalidValue")<{
  readonly channel: string
  readonly reason: string
}> {
  override get message(): string {
    return `the channel ${JSON.stringify(this.channel)} does not take this value: ${this.reason}`
  }
}

/**
 * This process is no machine: it has no layer `machine`, or that has ended.
 *
 * @category errors
 * @since 0.2.0
 */
export class NoMachine extends Data.TaggedError("NoMachine")<{}> {
  override get message(): string {
    return "this process is no machine of a cluster: provide the layer machine({ address, registry })"
  }
}

/**
 * The place where something was is gone: a worker that has died, a machine that does not answer any more. What was there, and what it
 * did since it was last heard of, is lost.
 *
 * @category errors
 * @since 0.2.0
 */
export class PlaceLost extends Data.TaggedError("PlaceLost")<{ readonly place: string; readonly cause?: unknown }> {
  override get message(): string {
    const why = this.cause === undefined
      ? ""
      : `: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
    return `${this.place} is gone${why}`
  }
}

/**
 * A pool cannot be made: of no size, a module that its workers cannot load, or a second one.
 *
 * @category errors
 * @since 0.2.0
 */
export class PoolError extends Data.TaggedError("PoolError")<{ readonly message: string; readonly cause?: unknown }> {}

/**
 * No tasklet has that key.
 *
 * @category errors
 * @since 0.2.0
 */
export class NoSuchKey extends Data.TaggedError("NoSuchKey")<{ readonly key: string }> {
  override get message(): string {
    return `no tasklet has the key ${JSON.stringify(this.key)}`
  }
}

/**
 * A tasklet has that key already.
 *
 * @category errors
 * @since 0.2.0
 */
export class KeyTaken extends Data.TaggedError("KeyTaken")<{ readonly key: string }> {
  override get message(): string {
    return `another tasklet has the key ${JSON.stringify(this.key)}: find it, or take another key`
  }
}

/**
 * A tasklet has ended otherwise than with a value.
 *
 * @category errors
 * @since 0.2.0
 */
export class Ended extends Data.TaggedError("Ended")<{
  readonly key: string
  /** It has thrown or failed; it was killed; its machine is lost; it could not be pickled when its shard moved. */
  readonly how: "failed" | "killed" | "lost" | "unmovable"
  readonly reason: string
}> {
  override get message(): string {
    return `the tasklet ${JSON.stringify(this.key)} ${
      this.how === "failed"
        ? "has failed"
        : this.how === "killed"
        ? "was killed"
        : this.how === "lost"
        ? "is lost"
        : "could not move"
    }: ${this.reason}`
  }
}
