/** Sections that the watchdog leaves alone. Carries the context manager `stackless.atomic`. */
import type * as Effect from "effect/Effect"
import { call, currentThread, type Operation, type Plain } from "../greenlet/index.ts"
import { schedulerOf } from "./tasklet.ts"

/**
 * Runs a body in the current tasklet while that is atomic, so that the watchdog does not interrupt it; the flag is put
 * back when the body returns, throws or is killed. Gives back what the body returns.
 *
 * The body may still switch: atomic is not a lock. Mirrors `with stackless.atomic()`.
 *
 * @category operations
 * @since 0.1.0
 */
export const atomic: {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    f: (...args: Args) => Generator<Eff, A, never>,
    ...args: Args
  ): Operation<A, Effect.Error<Eff>, call.Services<Eff>>
  <Args extends ReadonlyArray<any>, A, E, R>(
    f: (...args: Args) => Effect.Effect<A, E, R>,
    ...args: Args
  ): Operation<A, E, call.Services<Effect.Effect<A, E, R>>>
  <Args extends ReadonlyArray<any>, A>(f: (...args: Args) => Plain<A>, ...args: Args): Operation<A>
} = (f: (...args: ReadonlyArray<any>) => unknown, ...args: ReadonlyArray<unknown>): any => {
  if (typeof f !== "function") throw new TypeError(`atomic takes a function and its arguments; got ${typeof f}`)
  return call(atomically, f, args)
}

function* atomically(
  f: (...args: ReadonlyArray<any>) => unknown,
  args: ReadonlyArray<unknown>
): Generator<Effect.Effect<any, any>, unknown, any> {
  const scheduler = schedulerOf(currentThread())
  const tasklet = scheduler.running ?? scheduler.main
  const before = tasklet.setAtomic(true)
  try {
    return yield* call(f, ...args)
  } finally {
    tasklet.setAtomic(before)
  }
}
