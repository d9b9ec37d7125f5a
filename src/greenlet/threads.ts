/** Threads of one's own, beside the default one. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { isAwaited } from "./effect/beyond-public.ts"
import { Gate } from "./effect/gate.ts"
import { newThread } from "./greenlet.ts"
import { Thread } from "./kernel/current.ts"
import { ungated } from "./kernel/ending.ts"
import { type Origin, programs } from "./kernel/origin.ts"

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
  Effect.withFiber((fiber) => {
    const origin = new Around(fiber)
    return ungated(
      Effect.scoped(Effect.flatMap(makeThread, (thread) => {
        thread.origin = origin
        programs.add(thread)
        return Effect.provideService(effect, Thread, thread)
      }))
    ) as Effect.Effect<A, E, R>
  })

/** What is around a thread that a fiber is about to run a program on. */
class Around implements Origin {
  readonly thread: Thread
  readonly fiber: Fiber.Fiber<unknown, unknown>

  constructor(fiber: Fiber.Fiber<unknown, unknown>) {
    const { scheduler } = fiber.cache
    this.thread = scheduler instanceof Gate ? scheduler.thread : fiber.getRef(Thread)
    this.fiber = fiber
  }

  get awaited(): boolean {
    const { fiber } = this
    const { scheduler } = fiber.cache
    // a greenlet goes on where the program has ended
    return (scheduler instanceof Gate && scheduler.owners.has(fiber)) || isAwaited(fiber)
  }
}
