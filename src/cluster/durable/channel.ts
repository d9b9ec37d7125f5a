/**
 * Durable channels: what is sent there is in the storage until somebody has acknowledged it.
 *
 * `send` is over when the item is stored, and waits for room. `receive` leases the first item that nobody has. In a durable tasklet
 * it is taken in the same transaction that stores the tasklet: once. Anywhere else it is acknowledged when the scope closes in
 * which it was received, and is delivered again if that fails, or the process dies: at least once.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { call, NotAsync, Operation } from "../../greenlet/index.ts"
import { persistent, reduce, restore, UnpicklingError } from "../../pickle/index.ts"
import { type Codec, codecOf, pickled } from "../codec.ts"
import { NameConflict } from "../errors.ts"
import type { StorageError } from "../storage/errors.ts"
import type { Outcome, Step } from "../storage/steps.ts"
import { currentStorage } from "../storage/storage.ts"
import { DurableChannelClosed, DurableValueError } from "./errors.ts"
import { Choice, type DurableFailure, type Item } from "./operation.ts"
import { ChannelOperation } from "./select.ts"

/**
 * What a durable channel is like.
 *
 * @category models
 * @since 0.2.0
 */
export interface DurableChannelOptions<T> {
  /** How its values are written, as JSON. Without one they are pickles, which programs of the same code version read. */
  readonly schema?: Schema.Codec<T, any>
  /** How many items it has room for, those counted that were received and not acknowledged; 1024 if left out. */
  readonly capacity?: number
}

/** The channels of this process, by their names. */
const channels = new Map<string, WeakRef<DurableChannel<any>>>()

/**
 * A channel whose items are in the storage. Get one by `durableChannel(name)`.
 *
 * @category models
 * @since 0.2.0
 */
export class DurableChannel<in out T = any> {
  readonly name: string
  readonly capacity: number
  /** @internal */
  readonly codec: Codec<T>

  /** The library makes them. */
  constructor(name: string, capacity: number, codec: Codec<T>) {
    this.name = name
    this.capacity = capacity
    this.codec = codec
  }

  /**
   * Sends a value: it is stored when this is over. Waits while there is no room. Who sends one after another has them
   * received in that order, but for what is delivered again.
   *
   * Fails with `DurableChannelClosed`; with `DurableValueError` if the value cannot be written; with `NameConflict` if the
   * name stands for a channel of another schema; with `StorageError` if the storage is gone for longer than its patience, and then
   * it may have been stored.
   *
   * @param options `key` is the item's key; while there is an item of that key, another one is not stored
   */
  send(value: T, options?: { readonly key?: string }): Operation<void, DurableFailure> {
    const { name: channel } = this
    return new ChannelOperation([{
      channel: this,
      make: () => ({
        _tag: "Send",
        channel,
        key: options?.key ?? crypto.randomUUID(),
        keyed: options?.key !== undefined,
        value: this.write(value)
      })
    }])
  }

  /**
   * Receives a value; waits while there is none. It can be a case of `select`, as `send` can. In a durable tasklet that is part of its step: it is received once. Anywhere else
   * the item is acknowledged when the scope closes, and is delivered again if that closes with a failure, or the process dies.
   *
   * Fails as `send` does; with `DurableChannelClosed` when the channel is closed and has no items left.
   */
  receive(): Operation<T, DurableFailure, Scope.Scope> {
    return new ChannelOperation([this.receiving(false)])
  }

  /** The same, with the item's key, by which one who does a thing once knows that it was done. */
  receiveItem(): Operation<Item<T>, DurableFailure, Scope.Scope> {
    return new ChannelOperation([this.receiving(true)])
  }

  /**
   * Calls `body` with each value, and acknowledges it when that is over, until the channel is closed and has no items left;
   * gives back how many there were. If `body` fails, so does this, and the item is delivered again. In a durable tasklet, write a loop around
   * `receive` instead: it is stored where it stands.
   */
  each<Eff extends Effect.Effect<any, any, any>>(
    body: (value: T) => Generator<Eff, unknown, never>
  ): Effect.Effect<number, DurableFailure | Effect.Error<Eff>, call.Services<Eff>>
  each<E, R>(body: (value: T) => Effect.Effect<unknown, E, R>): Effect.Effect<number, DurableFailure | E, R>
  each<F extends (value: T) => unknown>(body: F & NotAsync<ReturnType<F>>): Effect.Effect<number, DurableFailure>
  each(body: (value: T) => any): Effect.Effect<number, any, any> {
    const once = Effect.scoped(Effect.flatMap(this.receive(), (value) => performed(body(value))))
    const from = (count: number): Effect.Effect<number, any, any> =>
      Effect.matchEffect(once, {
        onFailure: (error) => this.isEnd(error) ? Effect.succeed(count) : Effect.fail(error),
        onSuccess: () => Effect.suspend(() => from(count + 1))
      })
    return from(0)
  }

  /**
   * The values, from outside. Each is acknowledged when the next one is asked for. Who leaves the loop, by `break` or by an error,
   * has the item that it was at delivered again.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const scope = await Effect.runPromise(Scope.make())
      let done = false
      try {
        const exit = await Effect.runPromiseExit(Scope.provide(this.receive(), scope))
        if (Exit.isFailure(exit)) {
          const error = Cause.squash(exit.cause)
          if (this.isEnd(error)) return
          throw error
        }
        yield exit.value
        done = true
      } finally {
        await Effect.runPromise(Scope.close(scope, done ? Exit.void : Exit.interrupt()))
      }
    }
  }

  /** Lets nobody send any more, in the whole cluster. What is there can be received still. */
  close(): Operation<void, DurableFailure> {
    const { name: channel } = this
    return new Choice([{ channel: this, make: () => ({ _tag: "Close", channel }) }])
  }

  /** How many items it holds, those counted that were received and not acknowledged; and whether it is closed. */
  readonly state: Effect.Effect<
    { readonly held: number; readonly closed: boolean },
    StorageError | NameConflict
  > = Effect.suspend(() =>
    Effect.map(this.attempt({ _tag: "Look", channel: this.name }), (outcome) => {
      const row = outcome._tag === "Channel" ? outcome.row : undefined
      return { held: row?.held ?? 0, closed: row?.closed ?? false }
    })
  )

  /** Takes an item out, whoever has it: one that nobody can read, say. Was there one? */
  discard(key: string): Effect.Effect<boolean, StorageError | NameConflict> {
    return Effect.map(
      this.attempt({ _tag: "Discard", channel: this.name, key }),
      (outcome) => outcome._tag === "Done"
    )
  }

  /** Makes a step that does not wait, once the channel is declared. */
  private attempt(step: Step): Effect.Effect<Outcome, StorageError | NameConflict> {
    return Effect.flatMap(
      currentStorage,
      (storage) => Effect.andThen(storage.declare(this.name, this.capacity, this.codec.id), storage.attempt(step))
    )
  }

  private receiving(whole: boolean) {
    const { name: channel } = this
    return { channel: this, receives: true, whole, make: () => ({ _tag: "Receive", channel } as const) }
  }

  private write(value: T): Uint8Array {
    try {
      return this.codec.encode(value)
    } catch (cause) {
      throw new DurableValueError({
        channel: this.name,
        key: undefined,
        message: `a value cannot be sent on the durable channel ${JSON.stringify(this.name)}: ${
          (cause as Error).message
        }`,
        cause
      })
    }
  }

  private isEnd(error: unknown): error is DurableChannelClosed {
    return error instanceof DurableChannelClosed && error.channel === this.name
  }

  /** @internal a channel is pickled by its name */
  static [reduce]({ capacity, codec, name }: DurableChannel): object {
    return { name, capacity, codec: codec.id }
  }

  static [restore]({ capacity, codec, name }: { name: string; capacity: number; codec: string }): DurableChannel {
    const known = channels.get(name)?.deref()
    if (known !== undefined && known.codec.id === codec) return known
    if (codec === pickled.id) return enlisted(new DurableChannel(name, capacity, pickled))
    throw new UnpicklingError(
      `the pickle refers to the durable channel ${
        JSON.stringify(name)
      }, whose values are written by a schema: declare it by durableChannel(${
        JSON.stringify(name)
      }, { schema }) in a module that is loaded, with the same schema`
    )
  }

  /** The channel by its name. */
  toString(): string {
    return `<durable channel ${JSON.stringify(this.name)}>`
  }

  /** What Node prints. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString()
  }
}

persistent("effect-stackless/cluster:DurableChannel", DurableChannel)

const enlisted = <T>(channel: DurableChannel<T>): DurableChannel<T> => {
  channels.set(channel.name, new WeakRef(channel))
  return channel
}

/** What a body has made of a value, in the fiber that calls it. */
const performed = (made: unknown): Effect.Effect<unknown, unknown, any> => {
  if (Effect.isEffect(made)) return made as Effect.Effect<unknown>
  if (Predicate.hasProperty(made, "next") && Predicate.isFunction(made.next)) {
    return Effect.gen(() => made as unknown as Generator<any>)
  }
  return Predicate.isPromiseLike(made)
    ? Effect.die(
      new TypeError("each takes a generator function, or a function that returns an Effect; got an async one")
    )
    : Effect.void
}

/**
 * The durable channel of a name. It is the same in every program that uses the storage, and holds its items for as long as nobody
 * has received them.
 *
 * Its operations use the storage of their Effect's context, or else the one that was opened last in this process.
 *
 * Throws `TypeError` for a name that is no string and for a capacity that is no integer from 1 on, `NameConflict` if this
 * program has given the name another schema.
 *
 * @category constructors
 * @since 0.2.0
 */
export const durableChannel = <T>(
  name: string,
  options: DurableChannelOptions<T> = {}
): DurableChannel<T> => {
  const { capacity = 1024, schema } = options
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`a durable channel has a name, which is a string; got ${String(name)}`)
  }
  if (!(Number.isInteger(capacity) || capacity === Infinity) || capacity < 1) {
    throw new TypeError(
      `the capacity of a durable channel is an integer from 1 on, or Infinity; got ${String(capacity)}`
    )
  }
  const codec = codecOf(schema)
  const known = channels.get(name)?.deref()
  if (known === undefined) return enlisted(new DurableChannel(name, capacity, codec))
  if (known.codec.id !== codec.id) {
    throw new NameConflict({
      name,
      here: `written as ${codec.id}`,
      there: `written as ${known.codec.id} in this program`
    })
  }
  return known.capacity === capacity ? known as DurableChannel<T> : enlisted(new DurableChannel(name, capacity, codec))
}
