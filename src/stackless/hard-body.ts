/**
 * The gears: soft, where a generator body switches without a fiber, and hard, where it runs on a fiber of its own as an
 * Effect does. Upstream's counterpart of the fiber is a slice of the C stack.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import {
  type Body,
  explained,
  explainedIn,
  fiberOf,
  type Frame,
  isFrame,
  isParking,
  letErrorsInto,
  Microthread,
  Operation,
  parkingOfDriver
} from "../greenlet/index.ts"
import { TaskletExit } from "./errors.ts"

/** @internal */
export let softswitch = true

/**
 * Switches the soft gear on or off, for all threads: while it is off, every tasklet that starts is hard. Returns what it
 * was; without an argument it only says so. It is there for timing and debugging: the same program does the same in both
 * gears. Mirrors `stackless.enable_softswitch`.
 *
 * @category debugging
 * @since 0.1.0
 */
export const enableSoftswitch = (on?: boolean | null): boolean => {
  const before = softswitch
  if (on != null) softswitch = Boolean(on)
  return before
}

type Steps = Generator<unknown, unknown, unknown>

/** @internal the body, its generator driven as an Effect: on the fiber of the tasklet that it is applied to, if on one */
export const hardened = (body: Body): (...args: ReadonlyArray<any>) => Effect.Effect<any, any> =>
  function(this: unknown, ...args) {
    let made: unknown
    try {
      made = body(...args)
    } catch (error) {
      throw explained(error, body)
    }
    if (Effect.isEffect(made) || !isFrame(made)) return made as Effect.Effect<unknown>
    return drive(made as Steps, body, this instanceof Microthread ? this : undefined)
  }

/**
 * Unlike in `Effect.gen`, what fails is thrown where it was yielded, so that the body can catch it. What the body throws
 * is a defect, unless it was a typed failure when it came.
 *
 * On the fiber of a tasklet an interrupt is one more such error, as it is in the soft gear, where otherwise it would skip
 * what the body has in its `finally` blocks. An interrupted fiber waits for nothing any more, so the rest of the body runs on
 * another one.
 */
const drive = (steps: Steps, body: Body, owner: Microthread | undefined): Effect.Effect<unknown, unknown> => {
  let resume = (): IteratorResult<unknown, unknown> => steps.next()
  const failures = new Set<unknown>()
  let side: ReturnType<typeof fiberOf>
  const loop: Effect.Effect<unknown, unknown> = Effect.suspend((): Effect.Effect<unknown, unknown> => {
    side ??= owner === undefined ? undefined : fiberOf(owner)
    let step: IteratorResult<unknown, unknown>
    try {
      step = resume()
    } catch (error) {
      if (failures.has(error)) return Effect.fail(error)
      explainedIn(error, steps as Frame)
      return Effect.die(explained(error, body))
    }
    if (step.done === true) return Effect.succeed(step.value)
    const { value } = step
    if (!Effect.isEffect(value)) {
      const error = new TypeError(`a body yields operations and Effects; got ${typeof value}`)
      resume = () => steps.throw(error)
      return loop
    }
    const parks = isParking(value as Effect.Effect<unknown, unknown>)
    const effect = parks ? parkingOfDriver : value as Effect.Effect<unknown, unknown>
    // to ask an operation for its iterator is to be about to perform it
    const own = parks || value instanceof Operation
    if (!own) letErrorsInto(effect)
    if (side !== undefined) side.foreign = !own
    return Effect.flatMap(Effect.exit(owner === undefined ? effect : Effect.interruptible(effect)), (exit) => {
      if (side !== undefined) {
        side.foreign = false
        // its frames are dropped as they are, and it may have others already
        if (fiberOf(side.greenlet) !== side) return exit
        const { thrown } = side
        if (thrown !== undefined || (Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause))) {
          const error = thrown === undefined ? errorOf(exit) : thrown.error
          side.thrown = undefined
          side.rest = rest
          resume = () => steps.throw(error)
          return exit
        }
      }
      if (Exit.isSuccess(exit)) {
        resume = () => steps.next(exit.value)
        return loop
      }
      const error = errorOf(exit)
      if (exit.cause.reasons.some((reason) => reason._tag === "Fail")) failures.add(error)
      resume = () => steps.throw(error)
      return loop
    })
  })
  const rest = owner === undefined ? loop : Effect.uninterruptible(loop)
  return rest
}

const errorOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  if (Exit.isSuccess(exit)) return undefined
  return Cause.hasInterruptsOnly(exit.cause)
    ? new TaskletExit("the fiber of this tasklet was interrupted")
    : Cause.squash(exit.cause)
}
