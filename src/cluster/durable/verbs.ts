/** What a durable tasklet does beside sending and receiving: it sleeps, acts on the outside, chooses, or is only stored. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Operation } from "../../greenlet/index.ts"
import { Activity, Choice, type DurableFailure } from "./operation.ts"

class Checkpoint extends Choice<void> {
  override get plainly(): Effect.Effect<void> {
    return Effect.void
  }
}

class Sleep extends Choice<void> {
  private readonly millis: number
  constructor(millis: number) {
    super([{ make: (now) => ({ _tag: "Until", time: now + millis }) }])
    this.millis = millis
  }
  override get plainly(): Effect.Effect<void> {
    return Effect.sleep(this.millis)
  }
}

const nothing = new Uint8Array(0)

/**
 * Stores a durable tasklet as it stands: after this it goes on from here, whatever happens. Anywhere else it does nothing.
 *
 * Fails with `NotDurableError`, in the tasklet, if it cannot be pickled.
 *
 * @category operations
 * @since 0.2.0
 */
export const checkpoint = (): Operation<void, DurableFailure> =>
  new Checkpoint([{ make: () => ({ _tag: "Now", value: nothing }) }])

/**
 * Waits for a time. A durable tasklet that is moved, or whose process dies, waits for the rest of it elsewhere. Anywhere else it is
 * `Effect.sleep`.
 *
 * Throws `TypeError` for what is no duration.
 *
 * @category operations
 * @since 0.2.0
 */
export const durableSleep = (duration: Duration.Input): Operation<void, DurableFailure> => {
  const millis = Option.match(Duration.fromInput(duration), { onNone: () => Number.NaN, onSome: Duration.toMillis })
  if (!(millis >= 0 && millis < Infinity)) {
    throw new TypeError(`durableSleep takes a duration, such as "1 day"; got ${String(duration)}`)
  }
  return new Sleep(millis)
}

/**
 * Does something to the outside, and stores the tasklet with what came of it: a value or a failure, which has to be such that it can
 * be pickled. If the process dies before that, the activity is done again: **at least once**. Its services are those of the host.
 * Anywhere else it is the Effect itself.
 *
 * Throws `TypeError` for what is no Effect.
 *
 * @category operations
 * @since 0.2.0
 */
export const activity = <A, E, R>(effect: Effect.Effect<A, E, R>): Operation<A, E | DurableFailure, R> => {
  if (!Effect.isEffect(effect)) throw new TypeError(`activity takes an Effect; got ${typeof effect}`)
  return new Activity<A, E | DurableFailure, R>(effect)
}

/**
 * What a choice is made between, by names of one's own.
 *
 * @category models
 * @since 0.2.0
 */
export type DurableCases = Readonly<Record<string, Operation<any, any, any>>>

/**
 * What a choice gives back: the name of the case that was done, and its value.
 *
 * @category models
 * @since 0.2.0
 */
export type Chosen<C extends DurableCases> = {
  [K in keyof C]: { readonly key: K; readonly value: C[K] extends Operation<infer A, any, any> ? A : never }
}[keyof C]

/**
 * Does the first of several operations that can be done: `send` and `receive` of durable channels, and `durableSleep` for a time limit. It is
 * `select` over what is in the storage. Of several that can be done at once it is the one that stands first; so `checkpoint()` as the last
 * one is for when none of the others can be done now.
 *
 * Throws `TypeError` for other operations: those of local channels are for `select`.
 *
 * @category operations
 * @since 0.2.0
 */
export const choose = <const C extends DurableCases>(
  cases: C
): Operation<Chosen<C>, DurableFailure, Effect.Services<C[keyof C]>> => {
  const keys = Object.keys(cases)
  const specs = keys.map((key) => {
    const operation: unknown = cases[key]
    if (!(operation instanceof Choice) || operation.specs.length !== 1 || operation.keys !== undefined) {
      throw new TypeError(
        `choose takes send and receive of durable channels, and durableSleep; the case ${
          JSON.stringify(key)
        } is something else`
      )
    }
    return operation.specs[0]!
  })
  if (keys.length === 0) throw new TypeError("choose takes one case or more")
  return new Choice(specs, keys)
}
