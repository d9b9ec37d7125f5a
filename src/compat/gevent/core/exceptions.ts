/**
 * The errors of this layer: upstream's names (`gevent.exceptions`), and the data to see why.
 *
 * Upstream's `GreenletExit` and `Timeout` derive from `BaseException`, so that `except Exception` lets them pass.
 * JavaScript has one `catch` for everything: a body that must not swallow its own end tests for them and throws them on.
 * Errors that Python itself brings (`ValueError`, `RuntimeError`) are here under their names, as programs catch them.
 */
import { hold } from "../../../greenlet/index.ts"
/** Somebody who waits for ever, and the objects that it waits for. */
export interface Blocked {
  /** The greenlet, named as a log line would. */
  readonly greenlet: string
  /** What it waits for, named likewise. */
  readonly on: string
}

/**
 * A use that the state of an object does not allow, such as starting a `Timeout` twice. Mirrors Python's
 * `AssertionError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class AssertionError extends Error {
  override readonly name: string = "AssertionError"
  static {
    hold(this, "gevent.AssertionError")
  }
}

/**
 * An `RLock` released by somebody else than its owner. Mirrors Python's `RuntimeError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class RuntimeError extends Error {
  override readonly name: string = "RuntimeError"
  static {
    hold(this, "gevent.RuntimeError")
  }
}

/**
 * Thrown in the main greenlet when it waits and nothing is left that could wake it: no greenlet that can run, no timer, no
 * foreign Effect. `blocked` says who waits on what, from the main greenlet on. Mirrors `gevent.exceptions.LoopExit`.
 *
 * @category errors
 * @since 0.1.0
 */
export class LoopExit extends Error {
  override readonly name: string = "LoopExit"
  static {
    hold(this, "gevent.LoopExit")
  }
  readonly blocked: ReadonlyArray<Blocked>
  constructor(blocked: ReadonlyArray<Blocked> = []) {
    const who = blocked.map(({ greenlet, on }) => `\n  ${greenlet} waits on ${on}`)
    super(`This operation would block forever${who.join("")}`)
    this.blocked = blocked
  }
}

/**
 * The hub was asked to wait, in a link or another callback that runs in it. Mirrors
 * `gevent.exceptions.BlockingSwitchOutError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class BlockingSwitchOutError extends AssertionError {
  override readonly name: string = "BlockingSwitchOutError"
  static {
    hold(this, "gevent.BlockingSwitchOutError")
  }
}

/**
 * An object was waited for on another thread of greenlets than that it was made on, or on one that runs tasklets. Mirrors
 * `gevent.exceptions.InvalidThreadUseError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidThreadUseError extends RuntimeError {
  override readonly name: string = "InvalidThreadUseError"
  static {
    hold(this, "gevent.InvalidThreadUseError")
  }
}

/**
 * An object that serves one greenlet at a time is used by a second. Mirrors
 * `gevent.exceptions.ConcurrentObjectUseError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConcurrentObjectUseError extends AssertionError {
  override readonly name: string = "ConcurrentObjectUseError"
  static {
    hold(this, "gevent.ConcurrentObjectUseError")
  }
}

/**
 * Somebody switched to a greenlet that waits for something else. Thrown in that greenlet, and what it waited for is given
 * up. Mirrors `gevent.exceptions.InvalidSwitchError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidSwitchError extends AssertionError {
  override readonly name: string = "InvalidSwitchError"
  static {
    hold(this, "gevent.InvalidSwitchError")
  }
}
