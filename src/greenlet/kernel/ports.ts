/**
 * What the kernel calls and does not have: the fibers of Effect below an operation, and the greenlet that is a thread's main.
 * Who has it gives it here when it is loaded, so that the kernel imports neither.
 */
import type { Effect, Fiber } from "effect"
import type { Greenlet } from "../greenlet.ts"
import type { Operation } from "./operation.ts"
import type { Thread } from "./thread.ts"

export const ports = {} as {
  /** Makes the main greenlet of a thread. */
  makeMain: (thread: Thread) => Greenlet
  /** What an operation means to the fiber that evaluates it as an Effect. */
  performOnFiber: (
    operation: Operation<any, any, any>,
    fiber: Fiber.Fiber<any, any>
  ) => Effect.Effect<any, any, any>
  /** The first step of `yield* operation` in a generator on a greenlet's own fiber; undefined in any other place. */
  performOnOwnFiber: (operation: Operation<any, any, any>) => IteratorResult<unknown, unknown> | undefined
}
