/**
 * The channel that is one in the whole cluster, by its name.
 *
 * It has the verbs of stackless's channel. Where it differs: what is sent is copied, also on one machine; nobody switches to anybody on
 * another thread, so the preference says who is the next to run where it is; an iteration is some values ahead; and when it is closed
 * and empty, those who wait to receive get `StopIteration`, since nobody can come any more.
 */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import {
  type DumpOptions,
  dumps,
  type LoadOptions,
  loads,
  persistent,
  PicklingError,
  reduce,
  restore,
  signPickle,
  UnpicklingError
} from "../../pickle/index.ts"
import { type Channel, type ErrorValue, type NoClass, thrownBy } from "../../stackless/index.ts"
import { type Codec, codecOf } from "../codec.ts"
import { CodeMismatch, InvalidValue, NameConflict, NoMachine, NotMovable } from "../errors.ts"
import { describe, type Packed } from "./home.ts"
import { End, Party, type Side, usual } from "./party.ts"

/**
 * What a channel is made with.
 *
 * @category models
 * @since 0.2.0
 */
export interface NamedOptions {
  /** How many values it takes in while nobody receives, before its senders block. 0, the default, is none: a rendezvous. */
  readonly capacity?: number
  /**
   * Who goes on next, before others who are runnable there: who receives (-1), who sends (1), nobody (0). As of a channel of one
   * thread, it is -1, and 1 with a capacity, where it is not said.
   */
  readonly preference?: number
}

/**
 * A channel that is one in the whole cluster.
 *
 * @category models
 * @since 0.2.0
 */
export class RemoteChannel<in out T = any> {
  readonly name: string
  readonly capacity: number
  /** @internal */
  readonly party: Party
  /** How its values are written; none, if they are pickles. */
  private readonly codec: Codec<T> | undefined

  /** The library makes them. */
  constructor(name: string, capacity: number, codec: Codec<T> | undefined, connect: (channel: RemoteChannel) => void) {
    this.name = name
    this.capacity = capacity
    this.codec = codec
    const kind = kindOf(codec)
    this.party = new Party(name, {
      capacity,
      kind,
      unpack: (packed) => unpack(name, packed, codec, connectorOf(name)?.signed),
      connect: () => connect(this),
      waits: (waiting) => {
        const connector = connectorOf(name)
        if (connector !== undefined) connector.waits(waiting)
        else if (waiting) hint(this)
        if (!waiting && hints.size > 0) unhint(name)
      },
      refusal: (there) => new NameConflict({ name, here: describe(capacity, kind), there }),
      seal: (packed) => sealed(packed as Uint8Array, connectorOf(name)?.signed)
    })
  }

  /**
   * Sends a value: a copy of it. It goes on when a receiver has it, or the channel has taken it in. Throws `InvalidValue` at once for
   * what the schema does not take, `NotMovable` for what cannot be pickled; dies with `ValueError` on a closed channel, with
   * `NameConflict` if the name is another channel's.
   */
  send(value: T) {
    return this.party.sends.send(this.pack(value))
  }

  /** Receives a value, however long that takes. Dies as a channel's `receive` does. It can be a case of `select`. */
  receive() {
    return this.party.receives.receive() as ReturnType<Channel<T>["receive"]>
  }

  /** Sends an error: it is thrown in the receiver, as a copy. Throws as `Channel.sendThrow` does. */
  sendThrow<Args extends ReadonlyArray<any>, E extends Error>(
    ErrorClass: new(...args: Args) => E,
    value: ErrorValue<Args, E>
  ): ReturnType<Channel["send"]>
  sendThrow(ErrorClass: new() => Error): ReturnType<Channel["send"]>
  sendThrow<E>(error: NoClass<E>): ReturnType<Channel["send"]>
  sendThrow(error: unknown, value?: unknown): ReturnType<Channel["send"]> {
    return this.party.sends.send(this.pickled(THROWN, thrownBy("sendThrow", error, value)))
  }

  /** Receives the next value of the iteration: `{ done, value }`. It is done when the channel is closed and empty. */
  next() {
    return this.party.iterates.next() as ReturnType<Channel<T>["next"]>
  }

  /** Calls `body` with each value, up to the end of the iteration; gives back how many there were. Values come some ahead. */
  get each(): Channel<T>["each"] {
    return this.party.iterates.each.bind(this.party.iterates) as Channel<T>["each"]
  }

  /** The iteration from outside. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    return this.party.iterates[Symbol.asyncIterator]() as AsyncGenerator<T, void, undefined>
  }

  /** Closes it, for all machines: nobody can send any more. What is in it is still received. */
  close(): void {
    this.party.close()
  }

  /**
   * Who goes on next when a value has come or gone: -1 is who receives, 1 who sends, 0 nobody before those who are runnable already.
   * Any other number counts by its sign. It is for the tasklets of this process, each on its thread, to which nobody switches at once.
   */
  get preference(): number {
    return this.party.preference
  }

  set preference(preference: number) {
    this.party.preference = preference
  }

  /** Was it closed, as far as this machine has heard? */
  get closed(): boolean {
    return this.party.closed
  }

  /** The channel by its name. */
  toString(): string {
    return `<channel ${JSON.stringify(this.name)} of the cluster${this.closed ? ", closed" : ""}>`
  }

  /** What Node prints. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString()
  }

  private pack(value: T): Packed {
    if (this.codec === undefined) {
      if (isPlain(value)) return value
      return isBytes(value) ? flagged(BYTES, value) : this.pickled(PICKLED, value)
    }
    let encoded: Uint8Array
    try {
      encoded = this.codec.encode(value)
    } catch (error) {
      throw new InvalidValue({ channel: this.name, reason: (error as Error).message })
    }
    return flagged(ENCODED, encoded)
  }

  private pickled(flag: number, value: unknown): Packed {
    const connector = connectorOf(this.name)
    try {
      return flagged(connector === undefined ? flag | UNSIGNED : flag, dumps(value, connector?.signed))
    } catch (error) {
      if (!(error instanceof PicklingError)) throw error
      throw new NotMovable({ what: `what is sent on the channel ${JSON.stringify(this.name)}`, reason: error.message })
    }
  }

  /** @internal */
  static [reduce]({ party }: RemoteChannel): Reference {
    return referenceTo(party)
  }
  static [restore](reference: Reference): RemoteChannel {
    return found(reference)
  }
}

persistent("effect-stackless/cluster/RemoteChannel", RemoteChannel)

interface Reference {
  readonly name: string
  readonly capacity: number
  readonly kind: string
  /** None, if it is what it is where nobody has said it. */
  readonly preference?: number
}

const referenceTo = ({ name, preference, terms: { capacity, kind } }: Party): Reference => {
  const reference = { name, capacity, kind }
  return preference === usual(capacity) ? reference : { ...reference, preference }
}

// an end in a pickle is the same end of the same channel where it is loaded
Object.assign(End, {
  [reduce]: ({ party, side }: End): Reference & { readonly side: Side } => ({ ...referenceTo(party), side }),
  [restore]: ({ side, ...reference }: Reference & { readonly side: Side }): End => found(reference).party[side]
})
persistent("effect-stackless/cluster/End", End)

// ---- packing --------------------------------------------------------------------------------------------------------

const PICKLED = 0
const THROWN = 1
/** By the codec. */
const ENCODED = 2
const BYTES = 3
/** Added to what was pickled when nobody knew yet what it has to be signed with. */
const UNSIGNED = 4

/** What needs no packing: whatever carries messages carries it, as it is. */
const isPlain = (value: unknown): value is Exclude<Packed, Uint8Array> => {
  if (value === null) return true
  const type = typeof value
  return type !== "object" && type !== "function" && type !== "symbol"
}

/** Bytes that are all of their buffer, and nothing of a class of its own. */
const isBytes = (value: unknown): value is Uint8Array => {
  if (Object.getPrototypeOf(value) !== Uint8Array.prototype) return false
  const { buffer, byteLength } = value as Uint8Array
  return buffer.constructor === ArrayBuffer && buffer.byteLength === byteLength &&
    !(buffer as { readonly resizable?: boolean }).resizable
}

const flagged = (flag: number, bytes: Uint8Array): Uint8Array => {
  const packed = new Uint8Array(bytes.length + 1)
  packed[0] = flag
  packed.set(bytes, 1)
  return packed
}

/** What leaves its sender is signed by now. */
const sealed = (packed: Uint8Array, { key }: DumpOptions = {}): Uint8Array => {
  const flag = packed[0]!
  if (flag < UNSIGNED) return packed
  const pickle = packed.subarray(1)
  return flagged(flag - UNSIGNED, key === undefined ? pickle : signPickle(pickle, { key }))
}

const unpack = (
  name: string,
  packed: Packed,
  codec: Codec<any> | undefined,
  signed: LoadOptions | undefined
): unknown => {
  if (!(packed instanceof Uint8Array)) return packed
  if (packed[0] === BYTES) return packed.slice(1)
  const bytes = packed.subarray(1)
  if (packed[0] === ENCODED) {
    try {
      return codec!.decode(bytes)
    } catch (error) {
      throw new InvalidValue({ channel: name, reason: (error as Error).message })
    }
  }
  let value: unknown
  try {
    value = loads(bytes, signed)
  } catch (error) {
    if (!(error instanceof UnpicklingError)) throw error
    throw new CodeMismatch({ address: `that has sent on ${JSON.stringify(name)}`, reason: error.message })
  }
  if (packed[0] === THROWN) throw value
  return value
}

const kindOf = (codec: Codec<any> | undefined): string => codec?.id ?? ""

// ---- the channels that this process knows ---------------------------------------------------------------------------

const channels = new Map<string, RemoteChannel>()

/** Those that nobody waits on, and whose home knows of nobody here: they are found as long as the program holds them. */
const unused = new Map<string, WeakRef<RemoteChannel>>()
const collected = new FinalizationRegistry((name: string) => {
  if (unused.get(name)?.deref() === undefined) unused.delete(name)
})

const lookUp = (name: string): RemoteChannel | undefined => channels.get(name) ?? unused.get(name)?.deref()

/** Its home knows nobody here any more. */
export const release = (name: string): void => {
  const channel = channels.get(name)
  if (channel === undefined) return
  channels.delete(name)
  unused.set(name, new WeakRef(channel))
  collected.register(channel, name)
}

const connect = (channel: RemoteChannel): void => {
  const { name } = channel
  unused.delete(name)
  channels.set(name, channel)
  const connector = connectorOf(name)
  if (connector !== undefined) connector.connect(channel)
  else if (channel.party.waiting) hint(channel)
}

/** Who finds the homes of channels. */
interface Connector {
  readonly connect: (channel: RemoteChannel) => void
  /** Told when somebody begins to wait on one of them here, and when nobody does any more. */
  readonly waits: (waiting: boolean) => void
  /** What pickles on them are signed with. */
  readonly signed: DumpOptions & LoadOptions
}

/** By how the names of their channels begin. */
const connectors = new Map<string, Connector>()

/** Says how the homes of channels are found whose names begin so, and has them look for theirs. */
export const setConnector = (
  connect: (channel: RemoteChannel) => void,
  prefix = "",
  waits: (waiting: boolean) => void = () => {},
  signed: DumpOptions & LoadOptions = {}
): void => {
  connectors.set(prefix, { connect, waits, signed })
  for (const channel of channels.values()) {
    if (prefixOf(channel.name) !== prefix) continue
    unhint(channel.name)
    channel.party.leave(true)
  }
}

/** Nobody finds homes any more of channels that nobody else has spoken for. */
export const removeConnector = (): void => {
  connectors.delete("")
  hadOne = true
  for (const channel of channels.values()) {
    if (channel.party.waiting && connectorOf(channel.name) === undefined) hint(channel)
  }
}

/** How long somebody waits for a home that nobody looks for until it is said, in milliseconds. */
const HINT = 3000

/** Has there been somebody who looked for them? Then those who are left waiting keep no process from its end. */
let hadOne = false

/** What says it, by the names of the channels. */
const hints = new Map<string, NodeJS.Timeout>()

/**
 * Says in a while that nobody looks for the home of a channel. To wait for that is no error, as the process may become a machine yet. A
 * process that was none does not end before it was said.
 */
const hint = ({ name }: RemoteChannel): void => {
  if (hints.has(name)) return
  const say = (): void => {
    hints.delete(name)
    const waits = `somebody waits on the channel ${JSON.stringify(name)}`
    Effect.runFork(
      Effect.logWarning(`${waits}, and ${new NoMachine().message}; or use channel(), if it is for this process alone`)
    )
  }
  const timer = setTimeout(say, HINT)
  if (hadOne) timer.unref()
  hints.set(name, timer)
}

const unhint = (name: string): void => {
  clearTimeout(hints.get(name))
  hints.delete(name)
}

/** The longest beginning of a name that somebody has spoken for. */
const prefixOf = (name: string): string => {
  let longest = ""
  for (const prefix of connectors.keys()) {
    if (prefix.length > longest.length && name.startsWith(prefix)) longest = prefix
  }
  return longest
}

const connectorOf = (name: string): Connector | undefined => connectors.get(prefixOf(name))

/** The channels whose names begin so are nobody's any more: who still uses one gets the error, and its name is free. */
export const forget = (prefix: string, error: Error): void => {
  for (const { name, party } of channels.values()) {
    if (prefixOf(name) !== prefix) continue
    channels.delete(name)
    party.refuse(error)
  }
  for (const [name, channel] of unused) {
    if (prefixOf(name) !== prefix) continue
    unused.delete(name)
    channel.deref()?.party.refuse(error)
  }
}

/** All that this process knows. */
export const knownChannels = (): ReadonlyMap<string, RemoteChannel> => channels

/**
 * The channel of that name, one in the whole cluster. It is made by whoever says the name first.
 *
 * @param name its name, which is all that machines need to share
 * @param schema what its values are, checked when they are sent and when they come; without one they are pickles
 *
 * Throws `NameConflict` if this process knows another one by that name. If another machine does, those who use it get that.
 */
export const named = <T = unknown>(
  name: string,
  schema?: Schema.Codec<T, any>,
  { capacity = 0, preference }: NamedOptions = {}
): RemoteChannel<T> => {
  if (typeof name !== "string" || name === "") throw new TypeError("a channel of the cluster has a name")
  if (typeof capacity !== "number" || !(capacity >= 0) || (capacity % 1 !== 0 && capacity !== Infinity)) {
    throw new TypeError(`a capacity is a number of values, or Infinity; got ${String(capacity)}`)
  }
  if (preference !== undefined && typeof preference !== "number") {
    throw new TypeError(`a preference is a number; got ${typeof preference}`)
  }
  const codec = schema === undefined ? undefined : codecOf(schema)
  const known = lookUp(name)
  if (known !== undefined) {
    const { capacity: there, kind } = known.party.terms
    if (there !== capacity || kind !== kindOf(codec)) {
      throw new NameConflict({ name, here: describe(capacity, kindOf(codec)), there: describe(there, kind) })
    }
    if (preference !== undefined) known.preference = preference
    return known as RemoteChannel<T>
  }
  const made = new RemoteChannel<T>(name, capacity, codec, connect)
  if (preference !== undefined) made.preference = preference
  channels.set(name, made)
  return made
}

const found = ({ capacity, kind, name, preference = usual(capacity) }: Reference): RemoteChannel => {
  if (
    typeof name !== "string" || typeof kind !== "string" || typeof capacity !== "number" ||
    typeof preference !== "number"
  ) {
    throw new UnpicklingError("a channel of the cluster in a pickle has no name")
  }
  const known = lookUp(name)
  if (known === undefined && kind === "") return named(name, undefined, { capacity, preference })
  if (known === undefined) {
    throw new UnpicklingError(
      `the channel ${JSON.stringify(name)} has a schema, which a pickle cannot bring: call channel.named with it first`
    )
  }
  const { terms } = known.party
  if (terms.capacity !== capacity || terms.kind !== kind) {
    throw new UnpicklingError(`the channel ${JSON.stringify(name)} is another one here`)
  }
  return known
}
