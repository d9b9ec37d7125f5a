/** A greenlet that fails to be switched to: to test what a program makes of an error that it cannot provoke otherwise. */
import { Greenlet } from "./greenlet.ts"
import { SystemError } from "./kernel/errors.ts"
import { Operation } from "./kernel/operation.ts"
import type { Microthread } from "./kernel/ports.ts"

/**
 * A greenlet to which no switch succeeds while `forceSwitchError` is set: a switch or throw to it dies with
 * `SystemError`, and nothing else has happened. What ends below it hands that error on to the next parent.
 *
 * Mirrors `greenlet._greenlet.UnswitchableGreenlet`. Its `force_slp_switch_error` aborts the process and has no
 * counterpart: there is no machine stack that could fail to be switched.
 *
 * @category testing
 * @since 0.1.0
 */
export class UnswitchableGreenlet<Args extends ReadonlyArray<any> = any, out A = any, out E = any>
  extends Greenlet<Args, A, E>
{
  /** Does every switch to it fail? */
  forceSwitchError = false

  override switch<B = A>(...args: Args | []): Operation<B, E> {
    return new Guarded<B, E>(this, super.switch<B>(...args))
  }

  override requireSwitchable(): void {
    if (!this.forceSwitchError) return
    throw new SystemError(
      this.unstarted
        ? "the greenlet cannot be switched to for the first time: forceSwitchError is set"
        : "the greenlet cannot be switched back to: forceSwitchError is set"
    )
  }
}

/** The short way of a switch to a suspended greenlet asks nothing. */
class Guarded<A, E> extends Operation<A, E> {
  readonly target: UnswitchableGreenlet
  readonly inner: Operation<A, E>
  constructor(target: UnswitchableGreenlet, inner: Operation<A, E>) {
    super()
    this.target = target
    this.inner = inner
  }
  perform(current: Microthread): Microthread {
    if (!this.target.dead && current.thread === this.target.thread) this.target.requireSwitchable()
    return this.inner.perform(current)
  }
}
