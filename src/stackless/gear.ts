/**
 * The gears: soft, where a generator body switches without a fiber, and hard, where it runs on a fiber of its own as an
 * Effect does. Upstream's counterpart of the fiber is a slice of the C stack.
 */
import { Cause, Effect, Exit } from "effect"
import type { Body } from "../greenlet/index.ts"

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

/** @internal the body, its generator driven as an Effect */
export const hardened = (body: Body): (...args: ReadonlyArray<any>) => Effect.Effect<any, any> =>
  function(this: unknown, ...args) {
    const made: unknown = body.apply(this, [...args])
    return typeof made === "object" && made !== null && !Effect.isEffect(made) && "next" in made && "throw" in made
      ? drive(made as Steps)
      : made as Effect.Effect<unknown>
  }

/**
 * Unlike in `Effect.gen`, what fails is thrown where it was yielded, so that the body can catch it. What the body throws
 * is a defect, unless it was a typed failure when it came.
 */
const drive = (steps: Steps): Effect.Effect<unknown, unknown> => {
  let resume = (): IteratorResult<unknown, unknown> => steps.next()
  const failures = new Set<unknown>()
  const loop: Effect.Effect<unknown, unknown> = Effect.suspend(() => {
    let step: IteratorResult<unknown, unknown>
    try {
      step = resume()
    } catch (error) {
      return failures.has(error) ? Effect.fail(error) : Effect.die(error)
    }
    if (step.done === true) return Effect.succeed(step.value)
    const { value } = step
    if (!Effect.isEffect(value)) {
      const error = new TypeError(`a body yields operations and Effects; got ${typeof value}`)
      resume = () => steps.throw(error)
      return loop
    }
    return Effect.flatMap(Effect.exit(value as Effect.Effect<unknown, unknown>), (exit) => {
      if (Exit.isSuccess(exit)) {
        resume = () => steps.next(exit.value)
      } else {
        const error = Cause.squash(exit.cause)
        if (exit.cause.reasons.some((reason) => reason._tag === "Fail")) failures.add(error)
        resume = () => steps.throw(error)
      }
      return loop
    })
  })
  return loop
}
