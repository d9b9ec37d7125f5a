/** A foreign Effect as a frame: it runs on the greenlet's fiber, and what it performs there it yields to the loop. */
import type * as Effect from "effect/Effect"
import type { Frame } from "../kernel/frame.ts"
import { Operation, switchedOfAll } from "../kernel/operation.ts"
import type { Microthread } from "../kernel/ports.ts"
import { becomeWaiting } from "../kernel/state.ts"
import { GreenletFiber, type Outcome } from "./fiber.ts"

/** The Effect suspended the fiber: what happens now is the greenlet's kind to say. */
class Wait extends Operation<unknown> {
  perform(current: Microthread): Microthread {
    becomeWaiting(current)
    const { thread } = current
    return thread.ending ? thread.lingers(current) : current._policy.waits()
  }
}

const wait = new Wait()

export class EffectFrame implements Frame {
  private readonly side: GreenletFiber
  private effect: Effect.Effect<unknown, unknown, any> | undefined
  declare readonly isEffect: true

  /** @param foreign has a body yielded it? Otherwise it is a body itself. */
  constructor(greenlet: Microthread, effect: Effect.Effect<unknown, unknown, any>, foreign: boolean) {
    this.side = (greenlet._fiber ??= new GreenletFiber(greenlet)).free
    this.side.foreign = foreign
    this.effect = effect
  }

  next(value: unknown): IteratorResult<unknown, unknown> {
    const { effect, side } = this
    if (effect === undefined) return this.result(side.continue(side.exitWith(value)))
    this.effect = undefined
    return this.result(side.begin(effect))
  }

  throw(error: unknown): IteratorResult<unknown, unknown> {
    if (this.effect !== undefined) throw error
    return this.result(this.side.throw(error))
  }

  private result(outcome: Outcome): IteratorResult<unknown, unknown> {
    const { side } = this
    switch (outcome) {
      case "performed":
        side.leave()
        return switchedOfAll
      case "waiting":
        return wait
      case "stopped":
        return switchedOfAll
      case "ended": {
        const rest = side.takeRest()
        return rest === undefined ? { done: true, value: side.takeExit() } : this.result(side.begin(rest))
      }
    }
  }
}

Object.assign(EffectFrame.prototype, { isEffect: true })
