/** Brings the turn that a thread lets the JavaScript event loop have to where a test wants it. */
import { type Microthread, Operation } from "effect-stackless/greenlet"

/** A thread lets it have one after so many operations; and an Effect, after so many of its operators. */
export const turnEvery = 16_384

class Nothing extends Operation<unknown> {
  perform(current: Microthread): Microthread {
    return current
  }
}

const nothing = new Nothing()

/** On a thread that has done nothing yet: the turn comes after so many more operations. */
export function* turnAfter(operations: number) {
  for (let n = turnEvery - operations; n > 0; n--) yield* nothing
}
