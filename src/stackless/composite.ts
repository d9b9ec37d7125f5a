/**
 * An operation made of operations, written as a generator function. A tasklet calls it on its own stack; in a fiber that
 * is none, each of its operations is performed by that fiber, as what it is there.
 */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { call, type Microthread, Operation, type Thread } from "../greenlet/index.ts"
import { hardened } from "./hard-body.ts"

export class Composite<A, E, Args extends ReadonlyArray<any>> extends Operation<A, E> {
  private readonly f: (...args: Args) => Generator<Effect.Effect<any, E, any>, A, any>
  private readonly args: Args
  constructor(f: (...args: Args) => Generator<Effect.Effect<any, E, any>, A, any>, args: Args) {
    super()
    this.f = f
    this.args = args
  }
  perform(performer: Microthread): Microthread {
    return call(this.f, ...this.args).perform(performer)
  }
  override performOutside(_thread: Thread, _fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A, E> {
    return hardened(this.f)(...this.args)
  }
}
