/** Channels by name: where their homes are, and the way there. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type DurableChannel, durableChannel } from "../durable/channel.ts"
import type { MachineUnreachable } from "../errors.ts"
import { type FromHome, type FromParty, type FrozenHome, Home, type Post } from "../exchange/home.ts"
import { underWay } from "../exchange/party.ts"
import {
  knownChannels,
  named,
  type NamedOptions,
  release,
  type RemoteChannel,
  removeConnector,
  setConnector
} from "../exchange/remote-channel.ts"
import type { SocketLink } from "./link.ts"
import type { Node } from "./node.ts"

type Volatile = NamedOptions & { readonly durable?: false }
type Lasting = Pick<NamedOptions, "capacity"> & { readonly durable: true }

interface Named {
  <T = unknown>(name: string, options: Lasting): DurableChannel<T>
  <T = unknown>(name: string, schema: Schema.Codec<T, any> | undefined, options: Lasting): DurableChannel<T>
  <T = unknown>(name: string, options: Volatile): RemoteChannel<T>
  <T = unknown>(name: string, schema?: Schema.Codec<T, any>, options?: Volatile): RemoteChannel<T>
}

/**
 * Channels of the cluster: `channel.named(name, schema, { capacity, preference })` is the one of that name, made by whoever says the name first.
 * Without a schema its values are pickles. With `durable: true` it is what `durableChannel(name, { schema, capacity })` gives: its items
 * are in the storage.
 *
 * Throws `NameConflict` if this process knows another one by that name. If another machine does, those who use it get that. Throws
 * `TypeError` for what is no name, no schema or no options.
 *
 * @category constructors
 * @since 0.2.0
 */
export const channel: { readonly named: Named } = {
  named: (name: string, second?: unknown, third: Volatile | Lasting = {}): any => {
    const hasSchema = second === undefined || Schema.isSchema(second)
    const schema = hasSchema ? second as Schema.Codec<any> | undefined : undefined
    const given: unknown = hasSchema ? third : second
    if (typeof given !== "object" || given === null) {
      throw new TypeError(
        `channel.named takes a name, a schema and options, such as { capacity: 10 }; got ${String(given)}`
      )
    }
    const { durable, ...options } = hasSchema ? third : second as Volatile | Lasting
    return durable === true
      ? durableChannel(name, schema === undefined ? options : { ...options, schema })
      : named(name, schema, options)
  }
}

/** What goes over a link for channels: to a home, or from one. What belongs to a session that has ended is not heard. */
interface ToHome {
  readonly channel: string
  readonly session: number
  readonly says: ReadonlyArray<FromParty>
}
interface ToParty {
  readonly channel: string
  readonly session: number
  readonly says: FromHome | { readonly k: "elsewhere" }
}

/** A party that has found its home. Without a link the home is on this machine. */
interface Joined {
  readonly session: number
  readonly link: SocketLink | undefined
  /** Has the link forget this one. */
  readonly forget: () => void
}

/** How long to wait before a home is looked for again that is not where it was, in milliseconds. */
const PAUSE = 30

/** How often to look for parties that nobody uses, in milliseconds. */
const SWEEP = 5000

/** Keeps the homes of channels with their shards, and brings parties to them. */
export class Homes {
  private readonly node: Node
  private readonly homes = new Map<number, Map<string, Home>>()
  /** How a home speaks to the parties at the other end of a link, by the link and the channel's name. */
  private readonly posts = new Map<SocketLink | Node, Map<string, { readonly session: number; readonly post: Post }>>()
  /** Where this machine's parties have their homes. */
  private readonly joined = new Map<string, Joined>()
  private sessions = 0
  /** What gives up looking for the home of a channel, by its name. */
  private readonly looking = new Map<string, () => void>()
  private serving = true
  private readonly sweeping: NodeJS.Timeout

  constructor(node: Node) {
    this.node = node
    node.keepers.set("channels", {
      freeze: (shard) => this.freeze(shard),
      thaw: (shard, frozen: Record<string, FrozenHome>) => {
        for (const [name, { closed, values, ...home }] of Object.entries(frozen)) {
          // what has come late stands in front; those who have joined meanwhile join anew
          const now = this.homesOf(shard).get(name)?.freeze()
          const merged = { ...home, closed: closed || now?.closed === true, values: [...values, ...now?.values ?? []] }
          this.homesOf(shard).set(name, new Home(0, "", merged))
        }
      },
      drop: (shard) => {
        this.freeze(shard)
      }
    })
    node.delivered = this.delivered
    node.on("home", (message: ToHome, link) => this.hear(message, link))
    node.on("party", (message: ToParty, link) => this.tell(message, link))
    setConnector((channel) => this.connect(channel), "", undefined, node.signed)
    this.sweeping = setInterval(() => this.sweep(), SWEEP)
    this.sweeping.unref()
  }

  /** Waits until the homes have what was sent from here so far. */
  private readonly delivered: Effect.Effect<void> = Effect.callback((resume) => {
    const pending = underWay()
    if (pending === undefined) resume(Effect.void)
    else pending.whenArrived(() => resume(Effect.void))
  })

  /** This machine's parties look for their homes no more. */
  end(): void {
    this.serving = false
    clearInterval(this.sweeping)
    removeConnector()
    for (const cancel of this.looking.values()) cancel()
  }

  // ---- homes --------------------------------------------------------------------------------------------------------

  private homesOf(shard: number): Map<string, Home> {
    let homes = this.homes.get(shard)
    if (homes === undefined) this.homes.set(shard, homes = new Map())
    return homes
  }

  private freeze(shard: number): Record<string, FrozenHome> | undefined {
    const homes = this.homes.get(shard)
    if (homes === undefined) return undefined
    this.homes.delete(shard)
    const frozen: Record<string, FrozenHome> = {}
    for (const [name, home] of homes) frozen[name] = home.freeze()
    return frozen
  }

  /** A party at the other end of a link says something; or one of this machine's own. */
  private hear({ channel, says, session }: ToHome, from: SocketLink | Node): void {
    const shard = this.node.placement.shardOf(channel)
    const homes = this.node.held.has(shard) ? this.homesOf(shard) : undefined
    let home = homes?.get(channel)
    const post = this.postTo(from, channel, session, home)
    const [first] = says
    if (homes !== undefined && home === undefined && first?.k === "attach") {
      homes.set(channel, home = new Home(first.capacity, first.kind))
    }
    if (home?.hear(post, says) !== true) this.say(from, { channel, session, says: { k: "elsewhere" } })
    if (says[says.length - 1]?.k === "detach") this.posts.get(from)?.delete(channel)
    if (home?.forgettable === true) homes?.delete(channel)
  }

  private postTo(to: SocketLink | Node, channel: string, session: number, home: Home | undefined): Post {
    let posts = this.posts.get(to)
    if (posts === undefined) {
      this.posts.set(to, posts = new Map())
      if (to !== this.node) (to as SocketLink).onClose(() => this.left(to as SocketLink))
    }
    const known = posts.get(channel)
    if (known?.session === session) return known.post
    if (known !== undefined) home?.leave(known.post)
    const post: Post = { post: (says) => this.say(to, { channel, session, says }) }
    posts.set(channel, { session, post })
    return post
  }

  private say(to: SocketLink | Node, message: ToParty): void {
    if (to === this.node) queueMicrotask(() => this.tell(message, undefined))
    else (to as SocketLink).post({ kind: "party", body: message })
  }

  /** The parties at the other end of a link are gone. */
  private left(link: SocketLink): void {
    const posts = this.posts.get(link)
    this.posts.delete(link)
    for (const [channel, { post }] of posts ?? []) {
      const homes = this.homes.get(this.node.placement.shardOf(channel))
      const home = homes?.get(channel)
      home?.leave(post)
      if (home?.forgettable === true) homes?.delete(channel)
    }
  }

  // ---- parties ------------------------------------------------------------------------------------------------------

  private tell({ channel, says, session }: ToParty, link: SocketLink | undefined): void {
    const joined = this.joined.get(channel)
    const party = knownChannels().get(channel)?.party
    if (party === undefined || joined?.session !== session || joined.link !== link) return
    if (says.k === "elsewhere" || says.k === "moved" || says.k === "detached") {
      this.joined.delete(channel)
      joined.forget()
      if (says.k === "detached") release(channel)
    }
    if (says.k === "elsewhere") setTimeout(() => party.leave(true), PAUSE).unref()
    else party.hear(says)
  }

  /** Has parties leave their homes that nobody uses: the last one takes the home with it. */
  private sweep(): void {
    for (const name of this.joined.keys()) knownChannels().get(name)?.party.look()
  }

  private connect({ name, party }: RemoteChannel): void {
    const { node } = this
    const again = (): void => void setTimeout(() => party.leave(true), PAUSE).unref()
    // somebody has used it before this process was a machine, which it is only about to become
    if (node.placement === undefined) return again()
    const found = Effect.flatMap(
      node.placement.locate(node.placement.shardOf(name)),
      (address): Effect.Effect<SocketLink | undefined, MachineUnreachable> =>
        address === node.address ? Effect.succeed(undefined) : node.linkTo(address)
    )
    const cancel = Effect.runCallback(found, {
      onExit: (exit) => {
        this.looking.delete(name)
        if (node.ended || !this.serving) return
        if (exit._tag === "Failure") return again()
        const link = exit.value
        const session = ++this.sessions
        if (link?.closed === true) return again()
        const forget = link?.onClose(() => {
          if (this.joined.get(name)?.session !== session) return
          this.joined.delete(name)
          party.leave(false)
        }) ?? (() => {})
        this.joined.set(name, { session, link, forget })
        party.join((says) => {
          const message: ToHome = { channel: name, session, says }
          if (link === undefined) queueMicrotask(() => this.hear(message, node))
          else link.post({ kind: "home", body: message })
        })
      }
    })
    if (this.joined.get(name) === undefined) this.looking.set(name, cancel)
  }
}
