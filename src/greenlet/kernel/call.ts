/**
 * Calls whose depth memory alone limits.
 *
 * A plain `yield* f()` works as JavaScript delegates it: every resume walks the whole chain of generators, and the
 * JavaScript stack bounds its depth. `yield* call(f)` puts the frame on the greenlet's own stack instead, as Stackless
 * keeps its frames on the heap.
 */
import * as Effect from "effect/Effect"
import { type Body, isFrame, type Plain, requireResult } from "./body.ts"
import { Operation } from "./operation.ts"
import type { Microthread } from "./ports.ts"
import type { Routine } from "./routine.ts"
import { TRACED } from "./state.ts"
import { explained } from "./unbound.ts"

class Call extends Operation<unknown> {
  readonly body: Body
  readonly args: ReadonlyArray<unknown>
  constructor(body: Body, args: ReadonlyArray<unknown>) {
    super()
    this.body = body
    this.args = args
  }
  perform(current: Microthread): Microthread {
    const { args, body } = this
    try {
      return enter(
        current,
        (current["~bits"] & TRACED) === 0 ? body(...args) : current._policy.tracedBody(body)(...args)
      )
    } catch (error) {
      throw explained(error, body)
    }
  }
}

/** The calling frame holds the operation until the call is over: without an array in it, a level takes 20 % less. */
class CallWithOne extends Operation<unknown> {
  readonly body: Body
  readonly arg: unknown
  constructor(body: Body, arg: unknown) {
    super()
    this.body = body
    this.arg = arg
  }
  perform(current: Microthread): Microthread {
    const { arg, body } = this
    try {
      return enter(current, (current["~bits"] & TRACED) === 0 ? body(arg) : current._policy.tracedBody(body)(arg))
    } catch (error) {
      throw explained(error, body)
    }
  }
}

/** Runs a routine as `call` runs a body. */
export class CallRoutine<A, E = never, R = never> extends Operation<A, E, R> {
  protected readonly make: () => Routine<A>
  constructor(make: () => Routine<A>) {
    super()
    this.make = make
  }
  perform(current: Microthread): Microthread {
    const { make } = this
    return enter(current, (current["~bits"] & TRACED) === 0 ? make() : current._policy.tracedBody(make)())
  }
}

const enter = (current: Microthread, made: unknown): Microthread => {
  if (Effect.isEffect(made)) current._push(current.thread.hard.frame(current, made, false))
  else if (isFrame(made)) current._push(made)
  else current.give(requireResult(made))
  return current
}

/**
 * Calls a body on the current greenlet's own stack and gives back what it returns; what it throws is thrown here. Depth
 * costs memory and nothing else: a million nested calls work, and a resume costs the same at any depth.
 *
 * Under a timeout or in a race, in a body, that is decided otherwise, it ends with `GreenletExit` where it waits, a tasklet's
 * with `TaskletExit`, and the body goes on when its `finally` blocks have run.
 *
 * Run from outside, it runs `f` as the thread's main greenlet: `Effect.runPromise(call(program))` is how a whole ported
 * program runs, with everything it does at its top level done by main. It fails with what `f` fails with, and requires the
 * services that `f` does.
 *
 * Throws `TypeError` if `f` is no function.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { call } from "effect-stackless/greenlet"
 *
 * function* depth(n: number): Generator<any, number, any> {
 *   return n === 0 ? 0 : 1 + (yield* call(depth, n - 1))
 * }
 * await Effect.runPromise(call(depth, 100_000)) // => 100000
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const call: {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    f: (...args: Args) => Generator<Eff, A, never>,
    ...args: Args
  ): Operation<A, Effect.Error<Eff>, call.Services<Eff>>
  <Args extends ReadonlyArray<any>, A, E, R>(
    f: (...args: Args) => Effect.Effect<A, E, R>,
    ...args: Args
  ): Operation<A, E, call.Services<Effect.Effect<A, E, R>>>
  <Args extends ReadonlyArray<any>, A>(f: (...args: Args) => Plain<A>, ...args: Args): Operation<A>
} = (f: Body, ...args: ReadonlyArray<unknown>): any => {
  if (typeof f !== "function") throw new TypeError(`call takes a function and its arguments; got ${typeof f}`)
  return args.length === 1 ? new CallWithOne(f, args[0]) : new Call(f, args)
}

export declare namespace call {
  /** The services that what a body yields requires; none where nothing is known of it, as its type is `any`. */
  export type Services<Eff> = unknown extends Effect.Services<Eff> ? never : Effect.Services<Eff>
}
