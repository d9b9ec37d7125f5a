/**
 * Parking: how a greenlet's fiber waits while the greenlet's frames run elsewhere. It is told what to run next through the
 * `resume` of the callback that it is parked in: another Effect, or the outcome of the operation that it performed.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import { GreenletError } from "../kernel/errors.ts"
import { isGate } from "../kernel/hard.ts"
import { stepping } from "../kernel/step.ts"
import { evaluatorOf } from "./beyond-public.ts"
import { fiberStates } from "./fiber-state.ts"
import type { Gate, Side } from "./gate.ts"

const { HANDED_OVER } = fiberStates
const { countedDone, Yielded } = stepping

const sideOf = (scheduler: Scheduler.Scheduler): Side => (scheduler as Gate).open!

/** Parks the fiber in an operation of its Effect, until that has its outcome. */
const park: Effect.Effect<any, any> = Effect.callback<any, any>(function(resume) {
  sideOf(this).resume = resume
})

/** The same in the step that finds out that the fiber has to park: what Effect would call next, for what is returned to it. */
export const parkAtOnce = evaluatorOf(park) ?? (() => park)

/**
 * What an operation that has handed over gives a generator on a fiber to yield: it parks the fiber until the operation has its
 * outcome. Who steps that generator by itself may have a child fiber wait for it, as a timeout does.
 */
const parking = Effectable.Prototype<Effect.Effect<any, any>>({
  label: "Parking",
  evaluate: (fiber) => parkIn(fiber, true)
})

/** The same for who throws errors into the generator. */
export const parkingOfDriver = Effectable.Prototype<Effect.Effect<any, any>>({
  label: "Parking",
  evaluate: (fiber) => parkIn(fiber, false)
})

const parkIn = (fiber: Fiber.Fiber<any, any>, inGenerator: boolean): Effect.Effect<any, any> => {
  const gate = fiber.cache.scheduler
  const side = isGate(gate) ? (gate as Gate).open : undefined
  if (side?.state !== HANDED_OVER) return Exit.die(new GreenletError(switchedByHand))
  if (side.fiber !== fiber) return parkChild(side)
  side.inGenerator = inGenerator
  return parkAtOnce(fiber)
}

const parkChild = (side: Side): Effect.Effect<any, any> =>
  Effect.callback((resume) => {
    const proxy = { operation: undefined, resume, performed: true }
    side.proxy = proxy
    return Effect.sync(() => {
      if (side.proxy === proxy) side.proxy = undefined
    })
  })

/** Does it wait for the outcome of an operation that a generator on a fiber has performed? */
export const isParking = (effect: Effect.Effect<unknown, unknown>): boolean => effect === parking

export const switchedByHand =
  "a generator that is stepped by hand has switched: yield what it yields in the greenlet's own Effect, or delegate to it with yield*"

export const parked: IteratorResult<unknown, unknown> = Object.defineProperty(new Yielded(parking), "done", countedDone)

/** Parks the fiber between Effects, until it gets another to run, or an outcome for the operation below. */
const parkDriver: Effect.Effect<any, any> = Effect.flatMap(
  Effect.exit(Effect.interruptible(Effect.callback<Effect.Effect<any, any>>(function(resume) {
    sideOf(this).resume = (effect) => resume(Exit.succeed(effect))
  }))),
  (exit): Effect.Effect<any, any> => Exit.isSuccess(exit) ? exit.value : parkSpent
)

/**
 * The Effect in progress has ended: says how, and parks the fiber. It finds out of whose fiber itself; a function of each
 * greenlet's own would take 100 bytes of it.
 */
export const settle = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<any, any> =>
  Effect.withFiber((fiber) => {
    const side = (fiber.cache.scheduler as Gate).owners.get(fiber)
    side?.settle(exit)
    return parkDriver
  })

/** Parks an interrupted fiber for good: it runs nothing more, but its children live as long as the greenlet. */
const parkSpent: Effect.Effect<void> = Effect.withFiber((fiber) => {
  const gate = fiber.cache.scheduler as Gate
  const side = gate.owners.get(fiber)
  if (side === undefined) return Effect.void
  side.spend()
  return Effect.callback((resume) => {
    ;(side.endings ??= []).push(() => resume(Exit.void))
  })
})
