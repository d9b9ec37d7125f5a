/**
 * The surroundings: what of the JavaScript realm is in force while a microthread runs, such as the stores of Node's
 * `AsyncLocalStorage`. Effect's own context is none of it.
 *
 * Nobody looks after them unless a program asks for it. The kernel only says when a microthread is made, and which stretch of
 * code is its own; so it needs nothing of Node.
 */
import { GreenletError } from "./errors.ts"
import type { Microthread } from "./ports.ts"
import { stepping } from "./step.ts"

const { step } = stepping

/**
 * Who looks after them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Surroundings {
  /** `microthread` was made here, or given its arguments: what is in force now is what it runs in. */
  made(microthread: Microthread): void
  /** Has `loop` run a stretch of `microthread` in its surroundings, and gives back what that does: it never throws. */
  within(microthread: Microthread, loop: Stretching): Microthread | undefined
  /** Calls `make` in surroundings that are no microthread's: what it makes serves all of them. */
  outside<A>(make: () => A): A
}

/** A loop, as who looks after them knows it. */
export interface Stretching {
  /** Resumes `microthread` up to its next switch, and names the one to run then; none, if the loop has to stop. */
  stretch(microthread: Microthread): Microthread | undefined
}

/** Who looks after them now. An object, since what is imported by itself is looked up at each use. */
export const surroundings: { keeper: Surroundings | undefined } = { keeper: undefined }

/**
 * Has `keeper` look after them from now on; nobody, if it is `undefined`. Throws `GreenletError` in a greenlet or a tasklet: its loop
 * has begun without.
 */
export const surroundWith = (keeper: Surroundings | undefined): void => {
  if (step.thread !== undefined) {
    throw new GreenletError(
      "who looks after the surroundings of greenlets changes outside of all greenlets and tasklets: do it before the program runs"
    )
  }
  surroundings.keeper = keeper
}
