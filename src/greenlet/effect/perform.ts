/**
 * What an operation means on the fiber of a greenlet, which evaluates it as an Effect; and in the fibers that this one has
 * started.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { ungated } from "../kernel/ending.ts"
import { GreenletError } from "../kernel/errors.ts"
import { led } from "../kernel/lead.ts"
import { iteratorOfAll as iterator } from "../kernel/operation.ts"
import type { Microthread, Operation } from "../kernel/ports.ts"
import { RAISING, SUSPENDED } from "../kernel/state.ts"
import { stepping } from "../kernel/step.ts"
import { fiberStates } from "./fiber-state.ts"
import { type GreenletFiber, noGreenlet } from "./fiber.ts"
import { Gate } from "./gate.ts"
import { parkAtOnce as parkNow, parked as parkedResult, switchedByHand } from "./parking.ts"

const { HANDED_OVER, PERFORMS, RUNS } = fiberStates
const { Ended, Yielded } = stepping
const parkAtOnce = parkNow
const parked = parkedResult
const suspended = SUSPENDED

/** A gate whose fibers perform operations. */
export class OperatingGate extends Gate {
  perform(operation: Operation, fiber: Fiber.Fiber<any, any>): Effect.Effect<any, any, any> {
    const { open } = this
    if (!this.owns(fiber)) return ungated(operation)
    return open?.fiber === fiber
      ? performHard(operation, open as GreenletFiber, fiber)
      : operation.performOutside(this.thread, fiber)
  }

  performInPlace(operation: Operation, fiber: Fiber.Fiber<any, any>): IteratorResult<unknown, unknown> | undefined {
    return performOnOwnFiber(operation, this, fiber)
  }

  performForChild(operation: Operation): Effect.Effect<any, any> {
    return performByProxy(operation, this)
  }
}

/**
 * What an operation means to a greenlet's own fiber, which evaluates it: it performs it for its greenlet.
 *
 * A child that a greenlet's fiber starts and waits for on the spot, as `Effect.timeout` and `Effect.race` do, performs
 * it for that greenlet too, as soon as the greenlet itself waits. Any other fiber forked by a greenlet is none, and may
 * not switch.
 */
const performHard = (
  operation: Operation,
  side: GreenletFiber,
  fiber: Fiber.Fiber<any, any>
): Effect.Effect<any, any> => {
  const current = side.greenlet
  const { thread } = current
  const frame = current._code
  if (side.state === HANDED_OVER) return Exit.die(new GreenletError(switchedByHand))
  let next: Microthread
  side.state = PERFORMS
  try {
    next = operation.perform(current)
  } catch (error) {
    const dropped = thread.ending ? thread.drop(current) : undefined
    next = dropped ?? current.raise(error)
  }
  side.state = RUNS
  if (thread.handOver(current, next) === current && frame === current._code) {
    const exit = side.takeOutcome()
    if (exit !== undefined) {
      side.interruptNow()
      return exit
    }
  }
  side.state = HANDED_OVER
  side.inGenerator = false
  return parkAtOnce(fiber)
}

/**
 * The same in the first step of `yield* operation`, in a generator that the greenlet's own fiber runs as `Effect.gen` does: it
 * ends the iteration if the greenlet goes on at once, and otherwise parks the fiber. Undefined in any other place.
 *
 * The greenlet that is switched to runs on top of the fiber up to its own next switch; if control comes back then, the fiber
 * has not been suspended. That makes 1.7 times as many switches of two that hand over to each other.
 */
const performOnOwnFiber = (
  operation: Operation,
  gate: OperatingGate,
  fiber: Fiber.Fiber<any, any>
): IteratorResult<unknown, unknown> | undefined => {
  const { thread } = gate
  const side = gate.open as GreenletFiber | undefined
  if (side === undefined || side.fiber !== fiber || side.settled || side.proxy !== undefined) return undefined
  if (side.stepwise || thread.ending || !gate.owns(fiber)) return undefined
  const current = side.greenlet
  const frame = current._code
  let next: Microthread
  side.state = PERFORMS
  try {
    next = operation.perform(current)
  } catch (error) {
    next = current.raise(error)
  }
  thread.handOver(current, next)
  // its own frames may be those of the one that it names, now
  if (next !== current && side.greenlet === current && thread.mayRunOnTop(next)) {
    gate.open = undefined
    thread.runOnTop()
    gate.open = side
  }
  side.state = RUNS
  if (thread.current === current && frame === current._code) {
    if (current._state === suspended && !side.stepwise) {
      if (thread.goesOn()) {
        const value = current["~inbox"]
        current["~inbox"] = undefined
        return new Ended(value)
      }
    } else {
      // an error fails the generator, which is on the stack as yet, and an interrupt is seen by a step of Effect
      if (current._state === RAISING) led(current["~inbox"], iterator.next)
      const exit = side.takeOutcome()
      if (exit !== undefined) {
        side.interruptNow()
        return new Yielded(Effect.suspend(() => exit))
      }
    }
  }
  side.state = HANDED_OVER
  return parked
}

/** Who has started a child fiber of a greenlet's, and waits for it on the spot, as a race or a timeout does. */
export interface Starter {
  /** May that have been decided otherwise, so that what the child waits for would be lost? */
  readonly doubtful: boolean
  /** Calls `f` as soon as it has gone on. */
  whenResumed(f: () => void): void
}

/** Who has just started `fiber`, which performs its first operation. */
export const starterOf = (fiber: Fiber.Fiber<unknown, unknown>): Starter | undefined => {
  const gate = fiber.cache.scheduler
  return gate instanceof Gate && gate.open?.fiber !== fiber ? gate.open as GreenletFiber | undefined : undefined
}

/** A child of a greenlet's fiber wants to switch. */
const performByProxy = (operation: Operation, gate: OperatingGate): Effect.Effect<any, any> =>
  Effect.callback((resume) => {
    const side = gate.open
    if (side === undefined || side.proxy !== undefined) return resume(Exit.die(new GreenletError(noGreenlet)))
    const proxy = { operation, resume, performed: false }
    side.proxy = proxy
    return Effect.sync(() => {
      if (side.proxy === proxy) side.proxy = undefined
    })
  })
