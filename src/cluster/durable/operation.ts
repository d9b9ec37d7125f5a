/**
 * What is done durably: sends, receives, sleeps, activities, checkpoints, and choices between them.
 *
 * In a durable tasklet such an operation is a step: the tasklet is taken out of the ring, and its host stores its frames together
 * with what the step does, in one transaction; then it goes on. Anywhere else it is an Effect over the storage.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { CallRoutine, type Microthread, type Mode, Routine, type Thread, THROW } from "../../greenlet/index.ts"
import { RuntimeError } from "../../stackless/index.ts"
import type { Codec } from "../codec.ts"
import type { NameConflict } from "../errors.ts"
import type { StorageError } from "../storage/errors.ts"
import type { Case, Outcome, Step } from "../storage/steps.ts"
import { currentStorage, type StorageState } from "../storage/storage.ts"
import { DurableChannelClosed, DurableValueError } from "./errors.ts"

/**
 * What an operation of a durable channel fails with.
 *
 * @category errors
 * @since 0.2.0
 */
export type DurableFailure = DurableChannelClosed | DurableValueError | NameConflict | StorageError

/** A channel, as a step knows it. */
export interface Stored {
  readonly name: string
  readonly capacity: number
  readonly codec: Codec<any>
}

/** One case of a step: how it is written, and how what comes of it is read. It can be pickled. */
export interface RequestCase {
  readonly case: Case
  readonly channel: Stored | undefined
  /** Is what is received given back with its key? */
  readonly whole: boolean
  /** What it comes to, if it receives nothing. */
  readonly result?: unknown
}

/** What a step waits for. It is stored beside the frames that wait. */
export interface Request {
  readonly cases: ReadonlyArray<RequestCase>
  /** The names of the cases, of a choice. */
  readonly keys: ReadonlyArray<string> | undefined
  /** Is what comes of it how an activity has ended? */
  readonly acts: boolean
}

/** Who runs a durable tasklet. */
export interface Runner {
  park(operation: DurableOperation<any, any, any>, performer: Microthread): Microthread
}

const runners = new WeakMap<Microthread, Runner>()

export const runBy = (tasklet: Microthread, runner: Runner): void => {
  runners.set(tasklet, runner)
}

class Performing extends Routine<any> {
  private readonly effect: Effect.Effect<unknown, unknown, any>
  constructor(effect: Effect.Effect<unknown, unknown, any>) {
    super()
    this.effect = effect
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (this.pc === 0) return this.at(2, this.effect)
    if (mode === THROW) throw value
    return this.ends(value)
  }
}

export abstract class DurableOperation<A, E, R> extends CallRoutine<A, E, R> {
  /** What it means where it is no step of a durable tasklet. */
  abstract readonly plainly: Effect.Effect<A, E, R>

  constructor() {
    super(() => new Performing(this.plainly))
  }

  override perform(performer: Microthread): Microthread {
    const runner = runners.get(performer)
    return runner === undefined ? super.perform(performer) : runner.park(this, performer)
  }

  override performOutside(_thread: Thread, _fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A, E, R> {
    return this.plainly
  }
}

/** An Effect that is done in a step. */
export class Activity<A, E, R> extends DurableOperation<A, E, R> {
  readonly plainly: Effect.Effect<A, E, R>
  constructor(effect: Effect.Effect<A, E, R>) {
    super()
    this.plainly = effect
  }
}

/** A case of a step, before it is known when it is made. */
export interface Spec {
  readonly make: (now: number) => Case
  readonly channel?: Stored
  readonly receives?: boolean
  readonly whole?: boolean
  readonly result?: unknown
}

/** Does the first of some cases that can be done. */
export class Choice<A, R = never> extends DurableOperation<A, DurableFailure, R> {
  readonly specs: ReadonlyArray<Spec>
  readonly keys: ReadonlyArray<string> | undefined
  constructor(specs: ReadonlyArray<Spec>, keys?: ReadonlyArray<string>) {
    super()
    this.specs = specs
    this.keys = keys
  }

  /** Throws `DurableValueError` for a value that cannot be written. */
  request(now: number): Request {
    return {
      cases: this.specs.map(({ channel, make, result, whole = false }) => ({
        case: make(now),
        channel,
        whole,
        ...(result === undefined ? {} : { result })
      })),
      keys: this.keys,
      acts: false
    }
  }

  get plainly(): Effect.Effect<A, DurableFailure, R> {
    return plainly(this) as Effect.Effect<A, DurableFailure, R>
  }
}

/** An item of a durable channel, as it is delivered. */
export interface Item<T> {
  readonly value: T
  /** The same whenever it is delivered; another one for every other item of the channel. */
  readonly key: string
  /** How often it was delivered, this time counted. */
  readonly attempts: number
}

/** What a step came to, as a value; throws what it failed with. */
export const valueOf = ({ cases, keys }: Request, outcome: Outcome): unknown => {
  if (outcome._tag === "Closed") throw new DurableChannelClosed({ channel: outcome.channel })
  if (outcome._tag !== "Done") throw new Error(`a step came to ${outcome._tag}`)
  const { index, item, value } = outcome
  const { case: it, channel, whole, ...rest } = cases[index]!
  let { result } = rest
  if (it._tag === "Receive") {
    const read = decoded(channel!, item!.key, value!)
    result = whole ? { value: read, key: item!.key, attempts: item!.attempts } : read
  }
  return keys === undefined ? result : { key: keys[index], value: result }
}

const decoded = (channel: Stored, key: string, bytes: Uint8Array): unknown => {
  try {
    return channel.codec.decode(bytes)
  } catch (cause) {
    throw new DurableValueError({
      channel: channel.name,
      key,
      message: `an item of the durable channel ${JSON.stringify(channel.name)} cannot be read: ${
        (cause as Error).message
      }`,
      cause
    })
  }
}

/** Has the channels of a step declared. */
export const declared = (
  storage: StorageState,
  { cases }: Request
): Effect.Effect<void, StorageError | NameConflict> =>
  Effect.forEach(
    cases,
    ({ channel }) =>
      channel === undefined ? Effect.void : storage.declare(channel.name, channel.capacity, channel.codec.id),
    { discard: true }
  )

/** Makes a step that may wait for a time; the step is told when that has come. */
export const performTimed = (
  storage: StorageState,
  step: Step & { readonly _tag: "Choose" },
  came?: { outcome?: Outcome }
): Effect.Effect<Outcome, StorageError> => {
  const times = step.cases.filter((it) => it._tag === "Until")
  const performing = storage.perform(step, came)
  if (times.length === 0) return performing
  const timing = Effect.forEach(times, (it) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.andThen(
        Effect.sleep(Math.max(0, it.time - now)),
        Effect.sync(() => {
          it.due = true
          storage.again(step)
        })
      )), { concurrency: "unbounded", discard: true })
  return Effect.raceFirst(performing, Effect.andThen(timing, Effect.never))
}

/** A choice outside of durable tasklets: what is received is acknowledged when the scope closes. */
const plainly = (choice: Choice<any, any>): Effect.Effect<unknown, DurableFailure, Scope.Scope> =>
  Effect.flatMap(
    begun(choice),
    ({ request, scope, storage }) =>
      Effect.flatMap(leased(storage, request, scope), (outcome) => came(request, outcome))
  )

/** What a choice needs outside of durable tasklets. */
export interface Begun {
  readonly storage: StorageState
  readonly request: Request
  /** With which what is received is acknowledged. */
  readonly scope: Scope.Scope | undefined
}

/** Finds out what a choice needs, and has its channels declared. */
export const begun = (choice: Choice<any, any>): Effect.Effect<Begun, DurableFailure> =>
  Effect.gen(function*() {
    const scope = choice.specs.some((spec) => spec.receives === true) ? yield* requiredScope : undefined
    const storage = yield* currentStorage
    const now = yield* Clock.currentTimeMillis
    const request = yield* Effect.try({ try: () => choice.request(now), catch: (error) => error as DurableFailure })
    yield* declared(storage, request)
    return { request, scope, storage }
  })

/** Makes a step. What it has received is its scope's from then on, and free again if it is interrupted. */
export const leased = (
  storage: StorageState,
  { cases }: Request,
  scope: Scope.Scope | undefined
): Effect.Effect<Outcome, StorageError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const lease = scope === undefined ? {} : { lease: crypto.randomUUID() }
      const step: Step = { _tag: "Choose", cases: cases.map(({ case: it }) => it), ...lease }
      const came: { outcome?: Outcome } = {}
      const settle = (channel: string, done: boolean) =>
        Effect.ignore(storage.attempt({ _tag: "Settle", channel, lease: lease.lease!, done }))
      const received = (): string | undefined => {
        const { outcome } = came
        return outcome?._tag === "Done" && outcome.item !== undefined ? cases[outcome.index]!.channel!.name : undefined
      }
      const outcome = yield* restore(performTimed(storage, step, came)).pipe(
        // it may have been interrupted when it had received something
        Effect.onError(() => {
          const channel = received()
          return channel === undefined ? Effect.void : settle(channel, false)
        })
      )
      const channel = received()
      if (channel !== undefined) {
        yield* Scope.addFinalizerExit(scope!, (exit) => settle(channel, Exit.isSuccess(exit)))
      }
      return outcome
    })
  )

/** What a step came to, as an Effect. */
export const came = (request: Request, outcome: Outcome): Effect.Effect<unknown, DurableFailure> =>
  Effect.try({ try: () => valueOf(request, outcome), catch: (error) => error as DurableFailure })

const requiredScope: Effect.Effect<Scope.Scope> = Effect.withFiber((fiber) => {
  const scope = Context.getOption(fiber.context, Scope.Scope)
  return scope._tag === "Some" ? Effect.succeed(scope.value) : Effect.die(
    new RuntimeError(
      "receive takes a scope outside of a durable tasklet, and acknowledges what it received when that closes: write Effect.scoped(…) around what is done with it, or use each(body)"
    )
  )
})
