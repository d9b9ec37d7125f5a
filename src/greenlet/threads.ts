/** Threads of one's own, beside the default one. */
import { Effect, type Scope } from "effect"
import { newThread } from "./greenlet.ts"
import { Thread } from "./kernel/current.ts"
import { ungated } from "./kernel/thread.ts"

/**
 * A thread that ends with its scope: its suspended greenlets end with `GreenletExit` and run their `finally` blocks. A
 * fiber that stands for its main greenlet is interrupted first.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeThread: Effect.Effect<Thread, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => newThread(true)),
  (thread) => Effect.andThen(thread.dismissHost, thread.end)
)

/**
 * Runs an Effect on a thread of its own, which ends with it. In a greenlet that waits for it as for any other Effect, and
 * the rest of the outer thread goes on; forked there, it is what `Thread(target=…).start()` is upstream.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withThread = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  ungated(
    Effect.scoped(Effect.flatMap(makeThread, (thread) => Effect.provideService(effect, Thread, thread)))
  ) as Effect.Effect<A, E, R>
