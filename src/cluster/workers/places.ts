/**
 * The places of a pool as one of them sees them: the program that has made the pool, and its workers. Any two of them have a port
 * between them, so that what two workers say to each other does not go through the program.
 *
 * A thread of the processor is one place of one pool, as a process is one machine.
 */
import { NotMovable, PlaceLost } from "../errors.ts"
import { type FromHome, type FromParty, type FrozenHome, Home, type Post } from "../exchange/home.ts"
import { MANY, underWay } from "../exchange/party.ts"
import {
  forget,
  knownChannels,
  named,
  type NamedOptions,
  release,
  type RemoteChannel,
  setConnector
} from "../exchange/remote-channel.ts"
import { Migration, type MigrationMessage } from "../migration.ts"
import { type Port, PortLink } from "./port-link.ts"

/** What places say to each other. */
export type Message =
  | MigrationMessage
  /** A party speaks to the home of a channel. */
  | { readonly channel: string; readonly party: ReadonlyArray<FromParty> }
  /** A home speaks to a party. */
  | { readonly channel: string; readonly home: FromHome }

/** The names of channels between threads begin so; then come the place where their home is, and a number. */
const SCHEME = "thread:"

/** The name of the program's place. */
export const MAIN = "main"

export const workerName = (n: number): string => `worker ${n}`

/** How often to look for parties that nobody uses, in milliseconds. */
const SWEEP = 1000

/** All places of this pool, from one of them. */
export class Places {
  /** The name of this one. */
  readonly name: string
  /** The names of all, the program's first. */
  readonly names: ReadonlyArray<string>
  readonly migration: Migration
  private readonly links = new Map<string, PortLink<Message>>()
  private readonly lost = new Map<string, PlaceLost>()
  private readonly homes = new Map<string, { readonly home: Home; readonly posts: Map<string, Post> }>()
  private readonly arrived: () => void
  private readonly busy: (busy: boolean) => void
  /** How many channels somebody waits on here, and one more while tasklets are away. */
  private reasons = 0
  private channels = 0
  /** Of the channels made here, those that are closed and have no home any more: a bit each, by their numbers. */
  private closed = new Uint8Array(64)
  private readonly sweeping: NodeJS.Timeout
  private turn = 0
  /** What this place says to itself. */
  private own: Array<Message> = []

  /**
   * @param busy called when it begins to wait for others, for the end of a tasklet or on a channel, and when it does not any more
   * @param arrived called when something has come
   */
  constructor(name: string, names: ReadonlyArray<string>, busy: (busy: boolean) => void, arrived: () => void) {
    this.name = name
    this.names = names
    this.arrived = arrived
    this.busy = busy
    this.migration = new Migration(name, this.post, (place) => this.lost.get(place), this.hold, { underWay })
    this.sweeping = setInterval(this.sweep, SWEEP)
    this.sweeping.unref()
  }

  /** It is no place of a pool any more. */
  end(): void {
    clearInterval(this.sweeping)
  }

  /** Connects to another place. */
  connect(place: string, port: Port): void {
    this.links.set(
      place,
      new PortLink<Message>(port, (messages) => {
        for (const message of messages) this.hear(place, message)
        this.arrived()
      })
    )
  }

  /** Another place is gone. */
  lose(place: string, cause?: unknown): void {
    if (this.lost.has(place)) return
    const lost = new PlaceLost({ place, ...(cause === undefined ? {} : { cause }) })
    this.lost.set(place, lost)
    this.links.get(place)?.close()
    this.links.delete(place)
    this.migration.lose(lost)
    for (const [channel, { home, posts }] of this.homes) {
      const post = posts.get(place)
      if (post === undefined) continue
      posts.delete(place)
      home.leave(post)
      this.drop(channel, home)
    }
    for (const { name, party } of knownChannels().values()) if (placeOfHome(name) === place) party.refuse(lost)
    this.arrived()
  }

  /** There is one more reason to wait for others, or one less. */
  readonly hold = (holds: boolean): void => {
    this.reasons += holds ? 1 : -1
    if (this.reasons === (holds ? 1 : 0)) this.busy(holds)
  }

  /** The other places that are there, and this one. */
  get alive(): ReadonlyArray<string> {
    return this.names.filter((name) => !this.lost.has(name))
  }

  /** The worker whose turn it is to get something to do. */
  next(): string {
    const workers = this.alive.filter((name) => name !== MAIN)
    if (workers.length === 0) throw new PlaceLost({ place: "the last worker of the pool" })
    return workers[this.turn++ % workers.length]!
  }

  /** What says that a place is gone, if it is. */
  lossOf(place: string): PlaceLost | undefined {
    return this.lost.get(place)
  }

  channel<T>(options: NamedOptions): RemoteChannel<T> {
    return named<T>(`${SCHEME}${this.name}/${++this.channels}`, undefined, options)
  }

  private readonly post = (place: string, message: Message): boolean => {
    if (place === this.name) {
      this.own.push(message)
      if (this.own.length === 1) queueMicrotask(this.hearOwn)
      return true
    }
    const link = this.links.get(place)
    link?.post(message, isWorth(message))
    return link !== undefined
  }

  private readonly hearOwn = (): void => {
    const { own } = this
    this.own = []
    for (const message of own) this.hear(this.name, message)
    this.arrived()
  }

  private hear(from: string, message: Message): void {
    if ("m" in message) this.migration.hear(from, message)
    else if ("party" in message) this.hearParty(from, message.channel, message.party)
    else {
      const { channel, home } = message
      const party = knownChannels().get(channel)?.party
      if (home.k === "detached") release(channel)
      party?.hear(home)
    }
  }

  private hearParty(from: string, channel: string, messages: ReadonlyArray<FromParty>): void {
    let known = this.homes.get(channel)
    if (known === undefined) {
      const [first] = messages
      if (first?.k !== "attach") return
      const { capacity, kind } = first
      known = { home: new Home(capacity, kind, this.remembered(channel, capacity, kind)), posts: new Map() }
      this.homes.set(channel, known)
    }
    const { home, posts } = known
    let post = posts.get(from)
    if (post === undefined) {
      post = { post: (message) => this.post(from, { channel, home: message }) }
      posts.set(from, post)
    }
    home.hear(post, messages)
    if (messages[messages.length - 1]?.k !== "detach") return
    posts.delete(from)
    this.drop(channel, home)
  }

  // ---- channels that nobody uses ------------------------------------------------------------------------------------

  /** Has parties leave their homes that nobody uses: the last one takes the home with it. */
  private readonly sweep = (): void => {
    for (const [name, { party }] of knownChannels()) {
      if (name.startsWith(SCHEME) && party.look(true)) release(name)
    }
  }

  /** Lets a home go that nobody can miss. */
  private drop(channel: string, home: Home): void {
    if (!home.deserted) return
    this.homes.delete(channel)
    if (!home.isClosed) return
    const n = numberOf(channel)
    if (n >> 3 >= this.closed.length) {
      const longer = new Uint8Array(Math.max(2 * this.closed.length, (n >> 3) + 1))
      longer.set(this.closed)
      this.closed = longer
    }
    this.closed[n >> 3]! |= 1 << (n & 7)
  }

  private remembered(channel: string, capacity: number, kind: string): FrozenHome | undefined {
    const n = numberOf(channel)
    const isClosed = ((this.closed[n >> 3] ?? 0) & (1 << (n & 7))) !== 0
    return isClosed ? { capacity, kind, closed: true, values: [] } : undefined
  }

  /** Finds the home of a channel. */
  readonly join = ({ name, party }: RemoteChannel): void => {
    const place = placeOfHome(name)
    const lost = this.lost.get(place)
    if (lost !== undefined) return party.refuse(lost)
    if (!this.names.includes(place)) {
      return party.refuse(new NotMovable({ what: name, reason: `its pool has no place ${place}` }))
    }
    party.join(
      place === this.name
        ? (messages) => this.hearParty(place, name, messages)
        : (messages) => void this.post(place, { channel: name, party: messages })
    )
  }
}

/** Does it carry so much that the other place should begin with it now? */
const isWorth = (message: Message): boolean => {
  if ("home" in message) {
    const { home } = message
    return (home.k === "grant" && home.n >= MANY) || (home.k === "values" && home.v.length >= MANY)
  }
  return "party" in message &&
    message.party.some((says) => (says.k === "items" && says.v.length >= MANY) || (says.k === "want" && says.n >= MANY))
}

const placeOfHome = (channel: string): string => {
  const place = channel.slice(SCHEME.length, channel.lastIndexOf("/"))
  return channel.startsWith(SCHEME) ? place : ""
}

const numberOf = (channel: string): number => Number(channel.slice(channel.lastIndexOf("/") + 1))

let current: Places | undefined

/** The places that this thread is one of. */
export const places = (): Places | undefined => current

/** This thread is one of them from now on, or of none any more. */
export const setPlaces = (these: Places | undefined): void => {
  current?.end()
  current = these
  // the next pool's channels have the same names
  if (these === undefined) forget(SCHEME, new PlaceLost({ place: "the pool" }))
  setConnector(
    (channel) => {
      if (current === undefined) channel.party.refuse(new PlaceLost({ place: "the pool" }))
      else current.join(channel)
    },
    SCHEME,
    (waiting) => current?.hold(waiting)
  )
}
