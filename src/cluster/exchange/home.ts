/**
 * The home of a channel: the one place that knows who waits, and in which order.
 *
 * Each place that uses the channel is a party. A party says how many senders wait there (`offer`) and how many values it would take
 * (`want`). The home grants sends: as many as there is room for, and as receivers wait. A value leaves its sender with a grant only; so
 * one that was not granted is its sender's still, whatever becomes of the home. The party that has sent last gets grants in
 * advance while there is room and nobody else waits, so that a stream is not asked for value by value; they are recalled when another one
 * waits.
 *
 * It knows no transport. What it holds is lost with its machine; a shard that moves takes it along (`freeze`).
 */

/** A value on its way: itself, if it is a primitive; else bytes that say what they are, such as a pickle, or JSON of a schema. */
export type Packed = Uint8Array | string | number | bigint | boolean | null | undefined

/** What a party says. All messages of a party come in their order. */
export type FromParty =
  | { readonly k: "attach"; readonly capacity: number; readonly kind: string }
  /** So many senders wait, when it has heard of `seen` grants in all: those that are under way to it are theirs. */
  | { readonly k: "offer"; readonly n: number; readonly seen: number }
  | { readonly k: "items"; readonly v: ReadonlyArray<Packed> }
  | { readonly k: "want"; readonly n: number }
  | { readonly k: "back"; readonly v: ReadonlyArray<Packed> }
  | { readonly k: "unused"; readonly n: number }
  | { readonly k: "close" }
  /** It leaves, and hears what has been said to it up to `detached`. */
  | { readonly k: "detach" }

/** What the home says. */
export type FromHome =
  | { readonly k: "grant"; readonly n: number }
  | { readonly k: "values"; readonly v: ReadonlyArray<Packed> }
  | { readonly k: "recall" }
  | { readonly k: "taken"; readonly n: number }
  | { readonly k: "closed" }
  | { readonly k: "drained" }
  | { readonly k: "refused"; readonly kind: string }
  | { readonly k: "moved" }
  | { readonly k: "detached" }

/** How a home speaks to a party. One object for each party, always the same. */
export interface Post {
  readonly post: (message: FromHome) => void
}

/** What a home is made of, to be made again elsewhere. */
export interface FrozenHome {
  readonly capacity: number
  readonly kind: string
  readonly closed: boolean
  readonly values: ReadonlyArray<Packed>
}

/** How many grants a party may have in advance. */
const ADVANCE = 64

class Member {
  readonly post: Post
  /** How many grants it has that it has not used. */
  granted = 0
  /** How many it has been given in all. */
  given = 0
  /** How many senders wait there for whom none is under way. */
  offered = 0
  /** How many values it would take. */
  wanted = 0
  recalled = false
  /** How many values have come from it since it was told. */
  came = 0
  constructor(post: Post) {
    this.post = post
  }
}

export class Home {
  readonly capacity: number
  readonly kind: string
  private readonly members = new Map<Post, Member>()
  /** Those with senders that wait, and those that want values, in the order in which they are served. */
  private readonly offering = new Set<Member>()
  private readonly wanting = new Set<Member>()
  private values: Array<Packed>
  private first = 0
  private granted = 0
  private wanted = 0
  private closed: boolean
  private drained = false
  private last: Member | undefined

  constructor(capacity: number, kind: string, frozen?: FrozenHome) {
    this.capacity = frozen?.capacity ?? capacity
    this.kind = frozen?.kind ?? kind
    this.closed = frozen?.closed ?? false
    this.values = [...frozen?.values ?? []]
  }

  /** How many values it holds. */
  private get held(): number {
    return this.values.length - this.first
  }

  /** Is there nothing that anybody could miss: no party, no value, and it is not closed? */
  get forgettable(): boolean {
    return this.deserted && !this.closed
  }

  /** Is there no party, and no value? */
  get deserted(): boolean {
    return this.members.size === 0 && this.held === 0
  }

  /** Was it closed, by anybody? */
  get isClosed(): boolean {
    return this.closed
  }

  /** A party says something. Gives false if it is none. */
  hear(post: Post, messages: ReadonlyArray<FromParty>): boolean {
    for (const message of messages) {
      if (message.k === "attach") {
        if (!this.attach(post, message)) return true
        continue
      }
      if (message.k === "detach") {
        this.leave(post)
        post.post({ k: "detached" })
        continue
      }
      const member = this.members.get(post)
      if (member === undefined) return false
      this.hearMember(member, message)
    }
    this.serve()
    for (const member of this.members.values()) {
      if (member.came === 0) continue
      member.post.post({ k: "taken", n: member.came })
      member.came = 0
    }
    return true
  }

  /** A party is gone, with whatever it had. */
  leave(post: Post): void {
    const member = this.members.get(post)
    if (member === undefined) return
    this.members.delete(post)
    this.offering.delete(member)
    this.wanting.delete(member)
    this.granted -= member.granted
    this.wanted -= member.wanted
    if (this.last === member) this.last = undefined
    this.serve()
  }

  /** Takes it apart. All parties are told to look for its new place. */
  freeze(): FrozenHome {
    for (const { post } of this.members.values()) post.post({ k: "moved" })
    this.members.clear()
    const { capacity, closed, kind } = this
    return { capacity, kind, closed, values: this.values.slice(this.first) }
  }

  private attach(post: Post, { capacity, kind }: FromParty & { readonly k: "attach" }): boolean {
    if (kind !== this.kind || capacity !== this.capacity) {
      post.post({ k: "refused", kind: describe(this.capacity, this.kind) })
      return false
    }
    this.members.set(post, new Member(post))
    if (this.closed) post.post({ k: "closed" })
    if (this.drained) post.post({ k: "drained" })
    return true
  }

  private hearMember(member: Member, message: Exclude<FromParty, { readonly k: "attach" | "detach" }>): void {
    switch (message.k) {
      case "offer":
        // it has no grants while senders wait there: those that it has not seen will be used at once
        member.offered = Math.max(0, message.n - (member.given - message.seen))
        if (member.offered > 0) this.offering.add(member)
        else this.offering.delete(member)
        return
      case "items": {
        const { v } = message
        for (const value of v) this.values.push(value)
        this.use(member, v.length)
        member.came += v.length
        this.last = member
        return
      }
      case "want":
        member.wanted += message.n
        this.wanted += message.n
        if (member.wanted < 0) {
          this.wanted -= member.wanted
          member.wanted = 0
        }
        if (member.wanted > 0) this.wanting.add(member)
        else this.wanting.delete(member)
        return
      case "back":
        // all have been told that it is empty: it is theirs who still have something to say
        if (this.drained) {
          member.came += message.v.length
          member.post.post({ k: "values", v: message.v })
          return
        }
        this.values = [...message.v, ...this.values.slice(this.first)]
        this.first = 0
        member.came += message.v.length
        return
      case "unused":
        member.recalled = false
        this.use(member, message.n)
        return
      case "close":
        if (this.closed) return
        this.closed = true
        for (const { post } of this.members.values()) post.post({ k: "closed" })
    }
  }

  private use(member: Member, n: number): void {
    const used = Math.min(n, member.granted)
    member.granted -= used
    this.granted -= used
  }

  private serve(): void {
    this.deliver()
    this.grant()
    if (this.closed && !this.drained && this.held === 0 && this.granted === 0 && this.offering.size === 0) {
      this.drained = true
      for (const { post } of this.members.values()) post.post({ k: "drained" })
    }
  }

  /** Gives what it holds to those who want, each in its turn. */
  private deliver(): void {
    while (this.held > 0) {
      const [member] = this.wanting
      if (member === undefined) return
      // who wants many gets a share of them, so that others have a turn
      const share = this.wanting.size === 1 ? member.wanted : Math.ceil(member.wanted / 2)
      const n = Math.min(share, this.held)
      const v = this.values.slice(this.first, this.first + n)
      this.first += n
      if (this.first > 1024 && this.first * 2 > this.values.length) {
        this.values = this.values.slice(this.first)
        this.first = 0
      }
      member.wanted -= n
      this.wanted -= n
      this.wanting.delete(member)
      if (member.wanted > 0) this.wanting.add(member)
      member.post.post({ k: "values", v })
    }
    if (this.held === 0 && this.first > 0) {
      this.values = []
      this.first = 0
    }
  }

  /** Grants as many sends as there is room for. */
  private grant(): void {
    let room = this.capacity - this.held + this.wanted - this.granted
    while (room > 0) {
      const [member] = this.offering
      if (member === undefined) break
      const share = this.offering.size === 1 ? member.offered : Math.ceil(member.offered / 2)
      const n = Math.min(share, room)
      member.offered -= n
      this.offering.delete(member)
      if (member.offered > 0) this.offering.add(member)
      room -= n
      this.give(member, n)
    }
    const { last } = this
    if (room > 0 && !this.closed && last !== undefined && !last.recalled) {
      const n = Math.min(room, ADVANCE - last.granted)
      // few at a time would be as many messages
      if (n > 0 && (n * 2 >= ADVANCE || last.granted === 0)) this.give(last, n)
    }
    if (this.granted === 0) return
    if (room < 0 || this.closed) this.recall(true)
    else if (this.offering.size > 0) this.recall(false)
  }

  private give(member: Member, n: number): void {
    member.granted += n
    member.given += n
    this.granted += n
    member.post.post({ k: "grant", n })
  }

  /** Asks for the grants that are not used. Where senders wait, they are used; `all` asks there too. */
  private recall(all: boolean): void {
    for (const member of this.members.values()) {
      if (member.granted === 0 || member.recalled || (!all && member.offered > 0)) continue
      member.recalled = true
      member.post.post({ k: "recall" })
    }
  }
}

/** A channel's kind, for people. */
export const describe = (capacity: number, kind: string): string =>
  `${capacity === 0 ? "a rendezvous" : `a capacity of ${capacity}`}, of ${kind === "" ? "pickled values" : kind}`
