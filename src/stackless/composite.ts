/**
 * An operation made of operations, which a routine performs one after another. A tasklet has it on its own stack; in a fiber
 * that is none, each of its operations is performed by that fiber, as what it is there.
 */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { CallRoutine, type Routine, type Thread } from "../greenlet/index.ts"
import { hardened } from "./hard-body.ts"

export class Composite<A, E = never> extends CallRoutine<A, E> {
  override performOutside(_thread: Thread, _fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A, E> {
    return outside(this.make())
  }
}

/** A routine as an Effect of the fiber that evaluates it. */
export const outside = <A>(routine: Routine<A>): Effect.Effect<A, any> => hardened(() => routine.stepping())()
