/**
 * Durable tasklets: tasklets that outlive their process.
 *
 * At each durable operation its frames go to the storage, with what the operation does, in one transaction. Whoever runs it next
 * goes on from there. Nothing of its past is played again: to go on takes as long for one that has run for a day as for a new one.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import { type Body, failureOf, type Microthread, type Plain } from "../../greenlet/index.ts"
import { dumps, loads, persistent, PicklingError, UnpicklingError } from "../../pickle/index.ts"
import { Tasklet } from "../../stackless/index.ts"
import { StorageError } from "../storage/errors.ts"
import { fateOf } from "../storage/steps.ts"
import { currentStorage, type StorageState } from "../storage/storage.ts"
import { DurableChannelClosed, DurableValueError, NotDurableError } from "./errors.ts"
import type { Request } from "./operation.ts"

/** What a tasklet came to, for who runs it. */
export type Ending = { readonly failed: false; readonly value: unknown } | {
  readonly failed: true
  readonly typed: boolean
  readonly error: unknown
}

/** Who is told of the end of a tasklet. */
export interface Keeper {
  ended(ending: Ending): void
}

const keepers = new WeakMap<Microthread, Keeper>()

export const keptBy = (tasklet: Microthread, keeper: Keeper): void => {
  keepers.set(tasklet, keeper)
}

/** A tasklet whose end is stored. */
export class DurableTasklet extends Tasklet {
  override ends(value: unknown): Microthread {
    keepers.get(this)?.ended({ failed: false, value })
    return super.ends(undefined)
  }

  override dies(error: unknown): Microthread {
    const keeper = keepers.get(this)
    if (keeper === undefined) return super.dies(error)
    keeper.ended(
      this.isExit(error) ? { failed: false, value: undefined } : {
        failed: true,
        error,
        typed: Predicate.hasProperty(error, "_tag") || isTyped(error)
      }
    )
    return super.ends(undefined)
  }
}

const isTyped = (error: unknown): boolean => {
  const exit = failureOf(error)
  return Exit.isFailure(exit) && exit.cause.reasons.some((reason) => reason._tag === "Fail")
}

// what a tasklet may have caught, and its causes
for (
  const Class of [
    DurableTasklet,
    DurableChannelClosed,
    DurableValueError,
    NotDurableError,
    StorageError,
    PicklingError,
    UnpicklingError
  ]
) {
  persistent(`effect-stackless/cluster:${Class.name}`, Class)
}

/** What is stored of a tasklet that has not ended. */
export interface Standing {
  readonly tasklet: DurableTasklet
  /** What it waits for; nothing if it has not started. */
  readonly request: Request | undefined
}

/** Throws `NotDurableError` if it cannot be pickled. */
export const frameOf = (key: string, standing: Standing): Uint8Array => {
  try {
    return dumps(standing)
  } catch (cause) {
    if (!(cause instanceof PicklingError)) throw cause
    throw new NotDurableError({
      tasklet: key,
      message: `the tasklet ${JSON.stringify(key)} is not durable: ${cause.message}${
        cause.message.includes("in the middle of an Effect") ? "; do Effects by activity(effect)" : ""
      }`,
      cause
    })
  }
}

/** An ending as bytes. What cannot be pickled is told of instead. */
export const written = (ending: Ending): Uint8Array => {
  try {
    return dumps(ending)
  } catch (cause) {
    const error = new Error(
      ending.failed
        ? `${String(ending.error)} (the error itself cannot be pickled: ${(cause as Error).message})`
        : `what the tasklet returned cannot be pickled: ${(cause as Error).message}`
    )
    return dumps({ failed: true, typed: false, error } satisfies Ending)
  }
}

/** What a result that is stored came to. */
export const exitOf = ({ ending }: { readonly ending: Uint8Array }): Exit.Exit<any, any> => {
  const read = loads<Ending>(ending)
  return read.failed ? (read.typed ? Exit.fail(read.error) : Exit.die(read.error)) : Exit.succeed(read.value)
}

/**
 * How a durable tasklet is doing.
 *
 * @category models
 * @since 0.2.0
 */
export interface DurableStatus {
  readonly state: "waiting for a host" | "running" | "returned" | "failed" | "unknown"
  /** How many steps it has made that are stored. */
  readonly steps: number
  /** How often it was taken up by a host. */
  readonly epoch: number
  /** Who runs it: the id of a process, and something that no other storage has. */
  readonly owner: string | undefined
  /** Why the last host could not take it up: its code is another one than that of the frames, for example. */
  readonly refusal: string | undefined
}

/**
 * A durable tasklet, from outside. It may run in another process.
 *
 * @category models
 * @since 0.2.0
 */
export class Durable<out A, out E> {
  readonly key: string
  private readonly storage: StorageState

  /** The library makes them. */
  constructor(key: string, storage: StorageState) {
    this.key = key
    this.storage = storage
  }

  /** Waits for its end: what it returned, or failed with. What cannot be read by this program is a defect. */
  readonly join: Effect.Effect<A, E | StorageError> = Effect.suspend(() => {
    const watching = this.storage.watch(fateOf(this.key))
    return Effect.flatMap(this.storage.tasklet(this.key), (row): Effect.Effect<A, E | StorageError> => {
      if (row === undefined) {
        return Effect.die(new Error(`there is no durable tasklet ${JSON.stringify(this.key)} any more`))
      }
      return row.status === "running"
        ? Effect.andThen(watching.changed, this.join)
        : Effect.suspend(() => exitOf({ ending: row.result! }))
    }).pipe(Effect.ensuring(Effect.sync(watching.stop)))
  })

  readonly status: Effect.Effect<DurableStatus, StorageError> = Effect.suspend(() =>
    Effect.map(this.storage.tasklet(this.key), (row): DurableStatus => {
      if (row === undefined) {
        return { state: "unknown", steps: 0, epoch: 0, owner: undefined, refusal: undefined }
      }
      const { epoch, owner, refusal, status, step } = row
      const state = status === "running" && owner === undefined ? "waiting for a host" : status
      return { state, steps: step, epoch, owner, refusal }
    })
  )

  /** Removes it from the storage. If it runs, it is run no further than to its next durable operation. Then its key is free. */
  readonly forget: Effect.Effect<void, StorageError> = Effect.suspend(() =>
    Effect.asVoid(this.storage.attempt({ _tag: "Forget", key: this.key }))
  )
}

/**
 * A tasklet that outlives its process: `durable("order/7", body)(...args)` stores it, and any host of the storage runs it, this
 * process if it is one. If there is one of that key already, it is that one: a program that is started again goes on.
 *
 * What it does to the outside since its last durable operation is done **at least once**, as that is done again if the process dies
 * before the next one. What it sends to and receives from durable channels is done once.
 *
 * Throws `TypeError` for a key that is no string, and for what is no function. Fails with `NotDurableError` if the body or its
 * arguments cannot be pickled: compile the module. Fails with `StorageError`.
 *
 * @category constructors
 * @since 0.2.0
 */
export const durable: {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    key: string,
    body: (...args: Args) => Generator<Eff, A, never>
  ): (...args: Args) => Effect.Effect<Durable<A, Effect.Error<Eff>>, NotDurableError | StorageError>
  <Args extends ReadonlyArray<any>, A>(
    key: string,
    body: (...args: Args) => Plain<A>
  ): (...args: Args) => Effect.Effect<Durable<A, never>, NotDurableError | StorageError>
} = (key: string, body: Body): any => {
  if (typeof key !== "string" || key === "") {
    throw new TypeError(`a durable tasklet has a key, which is a string; got ${String(key)}`)
  }
  if (typeof body !== "function") throw new TypeError(`a durable tasklet runs a function; got ${typeof body}`)
  return (...args: ReadonlyArray<unknown>) =>
    Effect.flatMap(currentStorage, (storage) => {
      const start = Effect.suspend(() => {
        const tasklet = new DurableTasklet(body, args)
        return storage.attempt({ _tag: "Start", key, frame: frameOf(key, { tasklet, request: undefined }) })
      }).pipe(
        Effect.catchDefect((defect) => defect instanceof NotDurableError ? Effect.fail(defect) : Effect.die(defect))
      )
      return Effect.as(start, new Durable(key, storage))
    })
}
