/**
 * A wait, as a frame that is plain data: what a greenlet stands in from the moment it switches to the hub until it is back.
 *
 * Whoever waits lines up first, in the operation itself. So nothing is resumed to begin a wait, and one costs half of what it
 * does as a generator.
 */
import { type Microthread, type Mode, pushFrame, Routine, THROW } from "../../../greenlet/index.ts"

/** The hub, as a wait knows it. */
interface Parks {
  parks(current: Microthread, what: unknown): Microthread
}

export abstract class WaitFrame<out A> extends Routine<A> {
  /**
   * `current`, which has lined up, waits in it from now on: who is next. `what` is what a report says is waited for. An error that
   * keeps it from waiting is thrown in it, so that it cleans up.
   */
  parks(current: Microthread, hub: Parks, what: unknown): Microthread {
    this.pc = PARKED
    pushFrame(current, this)
    try {
      return hub.parks(current, what)
    } catch (error) {
      return current.raise(error)
    }
  }

  "~resume"(mode: Mode, value: unknown): unknown {
    return this.ends(mode === THROW ? this.failed(value) : this.came(value))
  }

  /** It was switched to with `value`: cleans up, and gives what the wait gives. */
  protected abstract came(value: unknown): A

  /** An error was thrown in it: cleans up, and throws it again, or gives what the wait gives. */
  protected abstract failed(error: unknown): A
}

/** Where it stands. */
const PARKED = 2
