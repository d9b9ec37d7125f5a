/** The errors of the Stackless layer: upstream's names, a message that says what to do, and the data to see why. */
import { hold, nameIs, passesOn } from "../greenlet/index.ts"
import { named } from "./names.ts"
import type { Channel, Tasklet } from "./ports.ts"

export { ValueError } from "../greenlet/index.ts"

/**
 * An operation that cannot be done in the state that things are in. Mirrors Python's `RuntimeError` as Stackless
 * raises it.
 *
 * @category errors
 * @since 0.1.0
 */
export class RuntimeError extends Error {
  override readonly name: string = "RuntimeError"
  static {
    hold(this, "RuntimeError")
  }
}

/**
 * A tasklet that waits, and the channel that it waits on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Waiting {
  readonly tasklet: Tasklet
  readonly channel: Channel
  readonly direction: "send" | "receive"
}

/**
 * Nothing can run any more: the last runnable tasklet blocks, or main waits on a channel that nobody is left to serve.
 * Upstream raises a plain `RuntimeError`; this one is one, and says who waits on what.
 *
 * @category errors
 * @since 0.1.0
 */
export class DeadlockError extends RuntimeError {
  override readonly name: string = "DeadlockError"
  static {
    hold(this, "DeadlockError")
  }
  /** Who waits on what: the tasklet that blocked last, main if it waits too, and those who wait beside them. */
  readonly waiting: ReadonlyArray<Waiting>

  constructor(message: string, waiting: ReadonlyArray<Waiting>) {
    const who = waiting.map(({ channel, direction, tasklet }) =>
      `${tasklet.isMain ? "the main tasklet" : named("tasklet", tasklet)} waits to ${direction} on ${
        named("channel", channel)
      } of balance ${channel.balance}`
    )
    super(who.length === 0 ? message : `${message} (${who.join("; ")})`)
    this.waiting = waiting
  }
}

/**
 * Thrown into a tasklet to end it, by `kill`. It ends the tasklet silently. Mirrors `stackless.TaskletExit`, which
 * derives from `SystemExit`, so that `except Exception` lets it pass; a `catch` of JavaScript does not.
 *
 * @category errors
 * @since 0.1.0
 */
export class TaskletExit extends Error {
  declare readonly name: string
  static {
    nameIs(this, "TaskletExit")
    hold(this, "TaskletExit")
    passesOn(this, "exit")
  }
}

/**
 * Ends the iteration over a channel when a sender sends it. Mirrors Python's `StopIteration`.
 *
 * @category errors
 * @since 0.1.0
 */
export class StopIteration extends Error {
  override readonly name: string = "StopIteration"
  static {
    hold(this, "StopIteration")
  }
}

/** What makes an error of a class takes no error that is made. */
export const requireClass = (name: string, instead: string, u: unknown): void => {
  if (typeof u === "function") return
  const got = u === null ? "null" : u instanceof Error ? `an error, which ${instead} takes` : typeof u
  throw new TypeError(`${name} takes a class of errors and what its constructor takes; got ${got}`)
}

/**
 * What `throw` and `sendThrow` throw: an error that is made as it is; of a class, a new one, made with `value`, or with its
 * elements if it is an array, unless it is one of the class itself. Mirrors `slp_exc_to_bomb` and how Python makes an
 * exception of a class and a value. Throws `TypeError` for nothing, and for what no `catch` would look for.
 */
export const thrownBy = (name: string, error: unknown, value: unknown): unknown => {
  if (isErrorClass(error)) {
    if (value === undefined || value === null) return new error()
    if (value instanceof error) return value
    return Array.isArray(value) ? new error(...value) : new error(value)
  }
  if (error === undefined || error === null || typeof error === "function") {
    const got = error === undefined ? "nothing" : error === null ? "null" : `a function ${error.name}`
    throw new TypeError(`${name} takes an error, or a class of errors and what its constructor takes; got ${got}`)
  }
  if (value !== undefined && value !== null) {
    throw new TypeError(`${name} takes no value beside an error that is made: it has one`)
  }
  return error
}

type ErrorClass = new(...args: ReadonlyArray<unknown>) => Error

const isErrorClass = (u: unknown): u is ErrorClass =>
  typeof u === "function" && (u === Error || u.prototype instanceof Error)

/**
 * What a class of errors is made with: one argument, an array of all, or an error of it that is made.
 *
 * @category models
 * @since 0.1.0
 */
export type ErrorValue<Args extends ReadonlyArray<any>, E> = Args[0] | Readonly<Args> | E

/**
 * An error that is made, of whatever type: no class, whose constructor may take arguments that are missing.
 *
 * @category models
 * @since 0.1.0
 */
export type NoClass<E> = E extends abstract new(...args: never) => unknown ? never : E
