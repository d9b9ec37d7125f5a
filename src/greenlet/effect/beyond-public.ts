/**
 * What reaches beyond Effect's documented interface: four things, each with its reason, and with what happens under an
 * Effect that is not as expected. All of it was seen with Effect 4.1.0, and test/greenlet/beyond-public.test.ts says
 * whether the installed one is the same.
 *
 * Everything else of this package uses documented interfaces alone.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Fiber from "effect/Fiber"
import { led } from "../kernel/lead.ts"
import { PERFORM } from "../kernel/operation.ts"

// ---- the iterator of an Effect --------------------------------------------------------------------------------------

let lastIterator: unknown

/**
 * Lets an error be thrown into a body that waits in `yield* effect`.
 *
 * Why: JavaScript hands the error to the iterator of the Effect, and without a `throw` there the body would see a `TypeError`
 * in its place. Effect itself never throws into a generator, so it left that method out of its iterator, the public class
 * `Utils.SingleShotGen`. This puts it there, once for each copy of Effect.
 *
 * If an Effect's iterator has that method, it stays as it is. If the iterator is of no class, it is left alone, and the body
 * sees the engine's `TypeError`.
 */
export const letErrorsInto = (effect: Effect.Effect<any, any, any>): void => {
  const iterator: unknown = effect[Symbol.iterator]
  if (iterator === lastIterator) return
  lastIterator = iterator
  // an operation of another copy of this package: to ask it for its iterator is to begin it
  if (PERFORM in effect) return
  const prototype = Object.getPrototypeOf(effect[Symbol.iterator]()) as Partial<Iterator<unknown>> | null
  if (prototype === null || !Object.hasOwn(prototype, "next")) return
  prototype.throw ??= throwsInto
}

const throwsInto = (error: unknown): never => {
  throw led(error, throwsInto)
}

// ---- the step of an Effect ------------------------------------------------------------------------------------------

/**
 * What Effect calls to evaluate `effect`, or `undefined` if that is not found.
 *
 * Why: who is called by Effect to evaluate one Effect, and finds out that another one has to be evaluated, can do so at once.
 * A step of Effect's run loop less is an eleventh of a hard switch. The name of what Effect calls is hidden; it is
 * where `Effectable.Prototype` puts a function that it is given.
 *
 * If the name is not found, or the Effect has nothing of that name, the Effect is left to Effect's run loop.
 */
export const evaluatorOf = (
  effect: Effect.Effect<any, any>
): ((fiber: Fiber.Fiber<any, any>) => Effect.Effect<any, any>) | undefined => {
  const probe = () => Effect.void
  const prototype: Record<string, unknown> = { ...Effectable.Prototype({ label: "Probe", evaluate: probe }) }
  const name = Object.keys(prototype).find((key) => prototype[key] === probe)
  const evaluate = name === undefined ? undefined : (effect as unknown as Record<string, unknown>)[name]
  return typeof evaluate === "function" ? (fiber) => evaluate.call(effect, fiber) : undefined
}

// ---- the interrupt of a fiber ---------------------------------------------------------------------------------------

/** What `interruptUnsafe` takes. */
export type InterruptArguments = Parameters<Fiber.Fiber<unknown>["interruptUnsafe"]>

/** Told of an interrupt of a fiber before Effect is. True if Effect is not to be told now. */
export type NoteInterrupt = (fiber: Fiber.Fiber<unknown, unknown>, how: InterruptArguments) => boolean

/** The prototypes of Effect's fibers, and what stands before each. */
const noting = new WeakMap<object, object>()

/**
 * Has `note` told of the interrupts of a fiber, from now on. The same `note` has to be given for all fibers. Returns false
 * if that is not possible.
 *
 * Why: Effect itself sees an interrupt at the next step of a fiber that runs, and operations that are performed in place are
 * no steps. The fiber gets another prototype, which takes no memory of it.
 *
 * If a fiber has its `interruptUnsafe` elsewhere, nothing is changed, and the operations of its greenlet are performed as
 * steps of Effect, which is slower.
 */
export const noteInterrupts = (fiber: Fiber.Fiber<unknown, unknown>, note: NoteInterrupt): boolean => {
  const fibers: Fiber.Fiber<unknown, unknown> = Object.getPrototypeOf(fiber)
  if (Object.hasOwn(fiber, "interruptUnsafe") || typeof fibers.interruptUnsafe !== "function") return false
  let prototype = noting.get(fibers)
  if (prototype === undefined) {
    prototype = Object.create(fibers, {
      interruptUnsafe: {
        value(this: Fiber.Fiber<unknown, unknown>, ...args: InterruptArguments): void {
          if (!note(this, args)) fibers.interruptUnsafe.apply(this, args)
        }
      }
    }) as object
    noting.set(fibers, prototype)
  }
  Object.setPrototypeOf(fiber, prototype)
  return true
}

// ---- who awaits a fiber ---------------------------------------------------------------------------------------------

/**
 * Does anybody await this fiber, as who joins it does?
 *
 * Why: a program that deadlocks is told so only where nobody else can help it. Who has started it in a fiber may; but not who
 * waits for it.
 *
 * If it cannot be seen, the fiber is taken to be awaited.
 */
export const isAwaited = (fiber: Fiber.Fiber<unknown, unknown>): boolean => {
  if (!("_observers" in fiber)) return true
  const { _observers: observers } = fiber
  return observers !== undefined && !(Array.isArray(observers) && observers.length === 0)
}
