/** A foreign Effect as a frame: it runs on the greenlet's fiber, and what it performs there it yields to the loop. */
import { type Effect, Exit } from "effect"
import { GreenletFiber, type Outcome } from "./fiber.ts"
import type { Frame } from "./frame.ts"
import type { Microthread } from "./microthread.ts"
import { Operation } from "./operation.ts"
import { WAITING } from "./state.ts"

/** The operation was performed on the fiber; the loop goes where it said. */
class Jump extends Operation<unknown> {
  perform(current: Microthread): Microthread {
    const side = current.fiber!
    const next = side.jump!
    side.jump = undefined
    return next
  }
}

/** The Effect suspended the fiber: what happens now is the greenlet's kind to say. */
class Wait extends Operation<unknown> {
  perform(current: Microthread): Microthread {
    current.state = WAITING
    return current.thread.ending ? current : current.waits()
  }
}

const jump: IteratorResult<unknown, unknown> = { done: false, value: new Jump() }
const wait: IteratorResult<unknown, unknown> = { done: false, value: new Wait() }

export class EffectFrame implements Frame {
  private readonly greenlet: Microthread
  private effect: Effect.Effect<unknown, unknown, any> | undefined

  constructor(greenlet: Microthread, effect: Effect.Effect<unknown, unknown, any>) {
    this.greenlet = greenlet
    this.effect = effect
  }

  next(value: unknown): IteratorResult<unknown, unknown> {
    const { effect, greenlet } = this
    if (effect === undefined) return this.result(greenlet.fiber!.continue(Exit.succeed(value)))
    this.effect = undefined
    greenlet.fiber ??= new GreenletFiber(greenlet)
    return this.result(greenlet.fiber.begin(effect))
  }

  throw(error: unknown): IteratorResult<unknown, unknown> {
    if (this.effect !== undefined) throw error
    return this.result(this.greenlet.fiber!.throw(error))
  }

  private result(outcome: Outcome): IteratorResult<unknown, unknown> {
    switch (outcome) {
      case "performed":
        return jump
      case "waiting":
        return wait
      case "ended":
        return { done: true, value: this.greenlet.fiber!.takeExit() }
    }
  }
}
