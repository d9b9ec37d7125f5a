/** A store for the time of a call, as `AsyncLocalStorage.run` has it; that one cannot be left by a switch, and this one can. */
import type * as Effect from "effect/Effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { type Body, call, GreenletError, type Operation, type Plain, surroundings } from "../greenlet/index.ts"

/**
 * Calls a body with `store` in `storage`, as `call` does: across all its waits, and for what it makes. Afterwards the
 * store is again what it was before. Gives back what the body returns.
 *
 * `storage.run(store, f)` is for a plain function: it is over when `f` has returned, and a body would have returned
 * no more than a generator by then.
 *
 * Throws `TypeError` if `storage` is no `AsyncLocalStorage`, or `f` no function. Dies with `GreenletError` unless `followAsyncLocalStorage`
 * is on, as others would see the store.
 *
 * @example
 * ```ts
 * import { AsyncLocalStorage } from "node:async_hooks"
 * import { Effect } from "effect"
 * import { followAsyncLocalStorage, runWith } from "effect-stackless/async-context"
 * import { call, schedule } from "effect-stackless/stackless"
 *
 * const stop = followAsyncLocalStorage()
 * const user = new AsyncLocalStorage<string>()
 * function* greet() {
 *   yield* schedule()
 *   return `hello ${user.getStore()}`
 * }
 * await Effect.runPromise(call(function*() {
 *   return yield* runWith(user, "Guido", greet)
 * })) // => "hello Guido"
 * stop()
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const runWith: {
  <S, Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    storage: AsyncLocalStorage<S>,
    store: S,
    f: (...args: Args) => Generator<Eff, A, never>,
    ...args: Args
  ): Operation<A, Effect.Error<Eff>, call.Services<Eff>>
  <S, Args extends ReadonlyArray<any>, A, E, R>(
    storage: AsyncLocalStorage<S>,
    store: S,
    f: (...args: Args) => Effect.Effect<A, E, R>,
    ...args: Args
  ): Operation<A, E, call.Services<Effect.Effect<A, E, R>>>
  <S, Args extends ReadonlyArray<any>, A>(
    storage: AsyncLocalStorage<S>,
    store: S,
    f: (...args: Args) => Plain<A>,
    ...args: Args
  ): Operation<A>
} = (storage: AsyncLocalStorage<unknown>, store: unknown, f: Body, ...args: ReadonlyArray<unknown>): any => {
  if (!(storage instanceof AsyncLocalStorage)) {
    throw new TypeError(
      `runWith takes an AsyncLocalStorage, a store, a function and its arguments; got ${typeof storage}`
    )
  }
  if (typeof f !== "function") {
    throw new TypeError(`runWith takes a function behind the storage and the store; got ${typeof f}`)
  }
  return call(stored, storage, store, f, args)
}

function* stored(
  storage: AsyncLocalStorage<unknown>,
  store: unknown,
  f: Body,
  args: ReadonlyArray<unknown>
): Generator<Effect.Effect<unknown, any>, unknown> {
  if (surroundings.keeper === undefined) {
    throw new GreenletError("runWith needs followAsyncLocalStorage(): without, others would see the store as well")
  }
  const before = storage.getStore()
  storage.enterWith(store)
  try {
    return yield* call(f, ...args)
  } finally {
    storage.enterWith(before)
  }
}
