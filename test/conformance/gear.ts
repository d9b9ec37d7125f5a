/**
 * The two gears. A body is written once, as a generator function; its trace has to be the same in both.
 *
 * Soft: the generator function is the body. Hard: the body is a function that returns an Effect, which runs the same
 * generator on the microthread's own fiber.
 */
import { Cause, Effect, Exit } from "effect"

export type Gear = "soft" | "hard"

export const gears: ReadonlyArray<Gear> = ["soft", "hard"]

/**
 * A conformance program has three more. Compiled: its bodies are written out as text, and compiled. Pickled: the same, and
 * everything is pickled between the ops of main, and goes on as it was loaded, on another thread. Preempted: compiled, and
 * `run` interrupts every tasklet after so many steps, and puts it back at once.
 */
export type ProgramGear = Gear | "compiled" | "pickled" | "preempted"

export const programGears: ReadonlyArray<ProgramGear> = [...gears, "compiled", "pickled", "preempted"]

/** Are bodies, and what interprets them, compiled in this gear? */
export const isCompiled = (gear: ProgramGear): boolean =>
  gear === "compiled" || gear === "pickled" || gear === "preempted"

/** What a generator function returns that performs operations, and ends with an `A`. */
export type Steps<A> = Generator<Effect.Effect<unknown, unknown>, A, unknown>

/** The body for a gear. */
export const inGear = <Args extends ReadonlyArray<unknown>, A>(
  gear: Gear,
  body: (...args: Args) => Steps<A>
): (...args: Args) => Steps<A> | Effect.Effect<A> =>
  gear === "soft" ? body : (...args) => Effect.suspend(() => drive(body(...args)))

/**
 * Runs a generator as an Effect. Unlike in `Effect.gen`, what an operation fails with is thrown where it was yielded, so
 * that the body can catch it; what the body throws is a defect.
 */
const drive = <A>(steps: Steps<A>): Effect.Effect<A> => {
  let resume = () => steps.next()
  const loop: Effect.Effect<A> = Effect.suspend(() => {
    const step = resume()
    if (step.done) return Effect.succeed(step.value)
    return Effect.flatMap(Effect.exit(step.value), (exit) => {
      resume = () => Exit.isSuccess(exit) ? steps.next(exit.value) : steps.throw(Cause.squash(exit.cause))
      return loop
    })
  })
  return loop
}
