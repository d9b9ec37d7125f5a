/**
 * The kinds of bodies that a behaviour has to hold for. Soft: a generator. Gone hard: a generator whose greenlet has its
 * fiber already, because of a foreign Effect that suspended. Hard: a function that returns an Effect, which runs the same
 * generator.
 */
import { Deferred, Effect } from "effect"
import { call, type Greenlet, greenlet, withThread } from "effect-stackless/greenlet"
import { inGear, type Steps } from "../conformance/gear.ts"

export type Kind = "soft" | "gone hard" | "hard"

export const kinds: ReadonlyArray<Kind> = ["soft", "gone hard", "hard"]

/** The kinds in which the body is a generator of its own, with its own `try` and `finally`. */
export const generators: ReadonlyArray<Kind> = ["soft", "gone hard"]

/** The body, as one of that kind. */
export const as = <Args extends Array<any>, A>(kind: Kind, body: (...args: Args) => Steps<A>): any => {
  if (kind === "soft") return body
  if (kind === "hard") return inGear("hard", body)
  return function*(this: unknown, ...args: Args) {
    yield* Effect.promise(() => Promise.resolve())
    return yield* body.apply(this, args)
  }
}

/** Runs an Effect on a thread of its own. */
export const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(withThread(effect))

/** Runs a body as the main greenlet of a thread of its own. */
export const main = <A>(body: () => Generator<Effect.Effect<any, any, any>, A, any>): Promise<A> =>
  run(Effect.orDie(call(body)))

/** What comes of a race between a Deferred and a switch to a greenlet that completes the Deferred, and then stops. */
export function* decidedMeanwhile(kind: Kind): Steps<unknown> {
  const deferred = Deferred.makeUnsafe<string>()
  const other: Greenlet = greenlet(function*() {
    yield* Deferred.succeed(deferred, "decided")
    yield* Effect.never
  })
  const racing = greenlet(as(kind, function*() {
    return yield* Effect.race(Deferred.await(deferred), other.switch())
  }))
  return yield* racing.switch()
}
