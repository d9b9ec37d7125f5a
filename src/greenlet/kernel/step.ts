/**
 * The iteration of operations: what the one iterator that serves all of them knows, and what its steps say.
 *
 * A body's `yield* operation` performs the operation in the first step, in place. So that is where the time of a switch goes,
 * and what follows is as it is for that.
 */
import type { Operation, Thread } from "./ports.ts"

/**
 * The iteration in progress. `yield* op` asks for its iterator and steps it in one breath, so one iterator serves all
 * operations: `request.operation` is the one that was asked and has not been stepped yet.
 *
 * That is kept in an object that is never old: what is young and stored into something old is noted for the collector, which
 * takes fifty instructions, a twentieth of a message. For the same reason no frame is suspended with the operation in it.
 */
const step: {
  request: {
    operation: Operation | undefined
    /** Is it a frame that the loop has resumed which asks? Its operations are performed in place. */
    inPlace: boolean
  }
  /** The thread whose loop is on the JavaScript stack. */
  thread: Thread | undefined
} = { request: { operation: undefined, inPlace: false }, thread: undefined }

/**
 * What the iterator's second step says. `done` is not the object's own, so that `yield*` need not look at it; and the
 * class is a constant, since the name of a declared one could come to mean another.
 */
const Ended = class implements IteratorReturnResult<unknown> {
  declare readonly done: true
  declare readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}

Object.assign(Ended.prototype, { done: true })

const endedWithNothing = new Ended(undefined)

/** What the first step says in an Effect's generator that has an Effect to yield. */
const Yielded = class implements IteratorYieldResult<unknown> {
  declare readonly done: false
  declare readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}

Object.assign(Yielded.prototype, { done: false })

/**
 * Through how many `yield*`s, one in the other, what suspends a frame has passed on its way out: each asks it whether it is done,
 * which is counted. So the depth of a frame on the JavaScript stack is known whenever it is suspended. The operations of a deep
 * one are left to the loop from then on: were they performed where they stand, the stack could overflow in the middle of one, or
 * in a greenlet that runs on top.
 */
const depth = { levels: 0 }

/** How many are too many: a fiftieth of what the stack commonly has room for. */
const DEEP = 100

/** The `done` of what suspends a frame. */
const countedDone: PropertyDescriptor = {
  get() {
    depth.levels++
    return false
  }
}

/**
 * What a generator is resumed with whose operation has failed, where an error fails it without being thrown into it, as in
 * `Effect.gen`: the operation's iterator looks where the generator stands, which is on the stack then, and has it yield what
 * fails. `failure` is that, until it is taken.
 */
const failing: unique symbol = Symbol("failing")

const failure: { error: unknown; effect: unknown } = { error: undefined, effect: undefined }

/**
 * All of it as one object, which each module takes apart into constants of its own: what a module exports by itself is loaded
 * and checked wherever it is used, in the module as well, and a constant is not. That is a seventh of a switch.
 */
export const stepping = { countedDone, DEEP, depth, Ended, endedWithNothing, failing, failure, step, Yielded } as const

/** Before a frame is resumed: an iterator that was asked for and never stepped is none that it is in. */
export const forgetRequest = (inPlace: boolean): void => {
  const { request } = step
  request.operation = undefined
  request.inPlace = inPlace
}

/** Now and then, before it gets old. */
export const renewRequest = (): void => {
  step.request = { operation: undefined, inPlace: false }
}
