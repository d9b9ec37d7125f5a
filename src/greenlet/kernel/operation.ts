/**
 * The operation: the one way to suspend.
 *
 * An operation either has its value at once or names the greenlet to run next. `switch`, `throw` and `call` are
 * operations; so are a scheduler's `schedule`, `send` and `receive`, and the kernel does not tell them apart. The idea
 * of one gate into the loop is curio's; that the primitives of a scheduler are values which say how they are performed
 * is Reppy's Concurrent ML (Guile Fibers' `operations` is the model). It differs from both in that an operation names
 * its successor itself instead of leaving that to a run queue: greenlets have none.
 *
 * An operation is also an Effect. A greenlet's own loop performs it directly; in any other place Effect evaluates it. The fibers
 * of greenlets have a gate, which says what it means there (hard.ts); to any other fiber it means what `performOutside` says.
 */
import type * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Fiber from "effect/Fiber"
import { Thread } from "./current.ts"
import type { Frame } from "./frame.ts"
import { isGate } from "./hard.ts"
import { led } from "./lead.ts"
import type { Microthread } from "./ports.ts"
import { stepping } from "./step.ts"

const Base: new<A, E, R>() => Effect.Effect<A, E, R> = (() => {
  const Base = function() {}
  Base.prototype = Object.assign(
    Effectable.Prototype<Operation<unknown, unknown, unknown>>({
      label: "Operation",
      evaluate(fiber) {
        const gate = fiber.cache.scheduler
        return isGate(gate)
          ? gate.perform(this, fiber)
          : this.performOutside(fiber.getRef(Thread), fiber)
      }
    }),
    { done: false }
  )
  return Base as unknown as new<A, E, R>() => Effect.Effect<A, E, R>
})()

const COPIES: unique symbol = Symbol.for("effect-stackless/copies")

/**
 * What the loop calls. It is also how the loop knows an operation: nothing else has a method of that name, and one look-up finds
 * out and finds the method. `instanceof` takes a fifth of a message of compiled tasklets (`compiled.channel`).
 */
export const PERFORM = "~perform"

/**
 * How many copies of this file the process has loaded. The loop of each knows its own operations by `PERFORM` as long as there is one;
 * an operation of another copy is an Effect to it.
 */
export const copies: { count: number } = (globalThis as { [COPIES]?: { count: number } })[COPIES] ??= { count: 0 }
copies.count++

const { countedDone, Ended, endedWithNothing, failing, failure, step, Yielded } = stepping
const currentFiber = Fiber.getCurrent

const iterator: Frame = {
  /**
   * The first step performs the operation, which ends the iteration at once if nobody else runs or control comes straight
   * back. In a place that is not the loop's it gives the operation itself, which is its own result as well, so that nothing
   * has to be made for it. The second step brings what the frame was resumed with.
   */
  next(value) {
    const { request } = step
    const { operation } = request
    if (operation !== undefined) {
      request.operation = undefined
      if (request.inPlace === true) {
        try {
          return step.thread!.performInPlace(operation)
        } catch (error) {
          throw led(error, iterator.next)
        }
      }
      const fiber = currentFiber()
      const gate = fiber?.cache.scheduler
      return isGate(gate) && gate.performInPlace(operation, fiber!) ||
        operation as unknown as IteratorResult<unknown, unknown>
    }
    if (value === undefined) return endedWithNothing
    return value === failing ? fails() : new Ended(value)
  },

  /** An error thrown into a body that waits in `yield* operation`. */
  throw(error) {
    throw led(error, iterator.throw)
  }
}

const fails = (): IteratorResult<unknown, unknown> => {
  const { effect, error } = failure
  failure.error = failure.effect = undefined
  led(error, iterator.next)
  return new Yielded(effect)
}

/** @internal for development mode */
export const iteratorOfAll = iterator

/**
 * Something a greenlet does that may switch. A scheduler author extends this class; everybody else gets operations from
 * `switch`, `send` and the like, and writes `yield*` in front of them.
 *
 * It is what its own iterator says first: a subclass must have no fields named `value` and `done`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { getcurrent, greenlet, type Microthread, Operation } from "effect-stackless/greenlet"
 *
 * // hands over to another greenlet with a value, as `target.switch(value)` does
 * class HandOver extends Operation<unknown> {
 *   constructor(readonly target: Microthread, readonly message: unknown) {
 *     super()
 *   }
 *   perform(): Microthread {
 *     return this.target.give(this.message)
 *   }
 * }
 *
 * const g = greenlet(function*() {
 *   yield* new HandOver(getcurrent().parent!, "from the greenlet")
 * })
 * await Effect.runPromise(g.switch()) // => from the greenlet
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export abstract class Operation<out A, out E = never, out R = never> extends Base<A, E, R> {
  /**
   * Performs the operation for `current`, the greenlet that runs. Returns the greenlet to run next, having said with
   * `give` or `raise` what it resumes with; `current` itself goes on at once. An error that it throws is thrown in
   * `current` where it yielded, so it must leave no trace behind.
   */
  abstract perform(current: Microthread): Microthread

  /** The same, by the name that the loop looks up, with the thread, which it knows; see `PERFORM`. */
  "~perform"(current: Microthread, _thread: Thread): Microthread {
    return this.perform(current)
  }

  /**
   * What the operation means to a fiber that is no greenlet. By default the fiber stands for `thread`'s main greenlet
   * until the operation is done. A channel's operation, say, waits as an outside waiter instead.
   */
  performOutside(thread: Thread, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A, E, R> {
    return thread.standForMain(this, fiber)
  }

  override [Symbol.iterator](): Effect.EffectIterator<Effect.Effect<A, E, R>> {
    step.request.operation = this
    return iterator as unknown as Effect.EffectIterator<Effect.Effect<A, E, R>>
  }

  /** @internal what the iterator's first step may say: it is not done. A subclass must not have a field of that name. */
  declare readonly done: false

  /** @internal what the iterator's first step yields: itself. A subclass must not have a field of that name. */
  get value(): this {
    return this
  }
}

type Any = Operation<any, any, any>

declare module "./ports.ts" {
  interface Operation extends Any {}
}

/**
 * What a frame yields when an operation of it was performed in place and control is elsewhere now: with whoever is current.
 * A body that steps a generator by itself can pass it on, as it would the operation.
 */
class Switched extends Operation<unknown> {
  perform(current: Microthread): Microthread {
    return current.thread.current
  }
}

/** @internal there is one of them */
export const switchedOfAll: IteratorResult<unknown, unknown> = Object.defineProperty(
  new Switched(),
  "done",
  countedDone
)
