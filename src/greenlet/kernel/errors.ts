/**
 * The errors of the greenlet layer: upstream's names, and a message that says what to do.
 *
 * Upstream's `GreenletExit` derives from `BaseException`, so that `except Exception` lets it pass. JavaScript has one
 * `catch` for everything: a body that must not swallow its own end tests for `GreenletExit` and throws it on.
 */
import { hold, passesOn } from "./brand.ts"
import { nameIs } from "./exit.ts"

/**
 * A switch that cannot be made: to another thread's greenlet, from a fiber that is no greenlet while another one
 * stands for main, or on a thread that has ended. Mirrors `greenlet.error`.
 *
 * @category errors
 * @since 0.1.0
 */
export class GreenletError extends Error {
  override readonly name: string = "GreenletError"
  static {
    hold(this, "GreenletError")
  }
}

/**
 * Thrown into a greenlet to end it; `g.throw()` without an argument throws one. It does not reach the parent as an
 * error: the parent's `switch` returns it. Mirrors `greenlet.GreenletExit`.
 *
 * @category errors
 * @since 0.1.0
 */
export class GreenletExit extends Error {
  declare readonly name: string
  static {
    nameIs(this, "GreenletExit")
    hold(this, "GreenletExit")
    passesOn(this, "exit")
  }
}

/**
 * The switch itself failed, which only an {@link UnswitchableGreenlet} makes happen. Mirrors Python's `SystemError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class SystemError extends Error {
  override readonly name: string = "SystemError"
  static {
    hold(this, "SystemError")
  }
}

/**
 * An argument of the right type that cannot be used, such as a parent that would close a cycle. Mirrors Python's
 * `ValueError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ValueError extends Error {
  override readonly name: string = "ValueError"
  static {
    hold(this, "ValueError")
  }
}

/**
 * An attribute that is not there or can no longer be set, such as `run` after the start. Mirrors Python's
 * `AttributeError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class AttributeError extends Error {
  override readonly name: string = "AttributeError"
  static {
    hold(this, "AttributeError")
  }
}
