/**
 * Whose turn it is: what the one iterator of all operations has to know of the loop.
 */
import type { Microthread } from "./microthread.ts"
import type { Operation } from "./operation.ts"

/**
 * The turn is kept in an object that is never old: what is young and stored into something old is noted for the collector,
 * which takes fifty instructions, a twentieth of a message. For the same reason no frame is suspended with its operation in it.
 */
export class Turn {
  /**
   * The operation that has been asked for its iterator and not been stepped yet. `yield* op` asks and steps in one breath,
   * so there is one at most.
   */
  operation: Operation<any, any, any> | undefined = undefined
  /** Whose soft frame runs, so that what it performs is performed in the `next` of its `yield*`. */
  performer: Microthread | undefined = undefined
  /** Does that frame run on top of another one's, on the JavaScript stack? */
  onTop = false
  /** Has the frame handed over, and been told to suspend? */
  leaving = false
}

/** @internal */
export const turn: { now: Turn } = { now: new Turn() }

/** @internal before a frame is resumed: a soft one of `g`, or another one. An operation that was asked and never stepped is forgotten. */
export const beginTurn = (g: Microthread | undefined): void => {
  const { now } = turn
  now.operation = undefined
  now.performer = g
  now.onTop = false
  now.leaving = false
}

/** @internal now and then, before it gets old */
export const renewTurn = (): void => {
  turn.now = new Turn()
}
