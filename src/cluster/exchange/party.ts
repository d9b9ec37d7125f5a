/**
 * A party: one place's side of a channel whose home is elsewhere, see home.ts.
 *
 * Who sends or receives here waits in relays, so that tasklets can be pickled while they wait, and `select` works. The party tells
 * the home how many wait. When the home is lost, it starts anew with the next one: whoever still waits, still waits.
 */
import { type Carrier, Relay, StopIteration } from "../../stackless/index.ts"
import type { FromHome, FromParty, Packed } from "./home.ts"

/** How many values an iteration is ahead of who iterates. */
const AHEAD = 64

/**
 * Where twice as many or more receive here, half of them are worth a message of their own, and so are as many values: two threads work at
 * the same time then, where each would wait for all of the other one's.
 */
export const MANY = 32

/** How long values that came ahead may lie before they are given back, in milliseconds. */
const PATIENCE = 100

/** What a party has to know of its channel. */
export interface Terms {
  readonly capacity: number
  /** What its values are: "" for pickles, else what says the schema. */
  readonly kind: string
  /** Gives the value, or throws what is to be thrown in the receiver. */
  readonly unpack: (packed: Packed) => unknown
  /** Finds the home, and calls `join` with the way to it. */
  readonly connect: () => void
  /** Called when the first one begins to wait here, and when nobody does any more. */
  readonly waits?: (waiting: boolean) => void
  /** What is thrown where the home says that the channel is another one. */
  readonly refusal: (kind: string) => Error
  /** Called with what leaves its sender: gives back what goes to the home for it. */
  readonly seal?: (packed: Packed) => Packed
}

/** The preference of a channel of that capacity where nobody has said it. */
export const usual = (capacity: number): number => capacity > 0 ? 1 : -1

/** Which of a party's relays. */
export type Side = "sends" | "receives" | "iterates"

/** An end of a party. */
export class End extends Relay<any> {
  readonly party: Party
  readonly side: Side
  constructor(party: Party, side: Side, carrier: Carrier) {
    super(carrier)
    this.party = party
    this.side = side
  }
}

/** The parties that have sent what is still under way. */
const sending = new Set<Party>()

/** What is under way from all parties of this thread: nothing, if there is nothing. */
export const underWay = (): UnderWay | undefined => sending.size === 0 ? undefined : new UnderWay(sending)

/** What was under way at some moment, up to where all of it has arrived at its homes, or was lost with them. */
export class UnderWay {
  private left: number
  private waiting: (() => void) | undefined

  constructor(parties: ReadonlySet<Party>) {
    this.left = parties.size
    for (const party of parties) party.mark(this)
  }

  get arrived(): boolean {
    return this.left === 0
  }

  /** Calls `f` when it has, at once if it has. */
  whenArrived(f: () => void): void {
    if (this.arrived) f()
    else this.waiting = f
  }

  /** What one party has sent has arrived. */
  one(): void {
    if (--this.left === 0) this.waiting?.()
  }
}

export class Party {
  readonly name: string
  readonly terms: Terms
  /** Where senders wait: with packed values. */
  readonly sends: End
  /** Where receivers wait: for one value each. */
  readonly receives: End
  /** Where those wait who iterate, for whom values come ahead. */
  readonly iterates: End
  /** Was it closed, by anybody? */
  closed = false
  /** Is it closed, and remembered to be so where the home was? */
  private told = false
  private home: ((messages: ReadonlyArray<FromParty>) => void) | undefined
  private connecting = false
  /** Has it said that it leaves the home, which has not answered? */
  private leaving = false
  /** Has it spoken with a home since the last look? */
  private spoke = false
  /** Has the home said that nothing comes any more? */
  private over = false
  /** Does somebody wait here, as far as it has told? */
  waiting = false
  private out: Array<FromParty> = []
  private scheduled = false
  private pulling = false
  private grants = 0
  /** How many grants have come from this home in all. */
  private seen = 0
  /** How many of the senders that wait the home knows of, and has not granted theirs. */
  private offered = 0
  private wanted = 0
  /** Half of those who receive here, if they are many. */
  private half = Infinity
  /** Does somebody iterate? */
  private iterating = false
  private idle: NodeJS.Timeout | undefined
  /** What has been sent, and the home has not said that it has. */
  private underWay: Array<Packed> = []
  /** How many values were under way once, and are not any more: the home has them, or they were lost with it. */
  private arrived = 0
  /** Who waits for so many to have arrived. */
  private marks: Array<{ readonly at: number; readonly mark: UnderWay }> = []
  /** What has come for an iteration, the last ones being what lies there. */
  private ahead: Array<Packed> = []
  private refused: Error | undefined

  constructor(name: string, terms: Terms) {
    this.name = name
    this.terms = terms
    const changed = (): void => this.schedule()
    this.sends = new End(this, "sends", {
      changed,
      room: () => (this.grants > 0 && !this.pulling) || this.refused !== undefined,
      take: (value: Packed) => {
        if (this.refused !== undefined) throw this.refused
        this.grants--
        this.item(value)
        this.schedule()
      }
    })
    const nowhere = { room: () => false, take: () => {} }
    this.receives = new End(this, "receives", {
      ...nowhere,
      changed: () => {
        this.schedule()
        if (-this.receives.balance - this.wanted >= this.half) this.askSoon()
      }
    })
    this.iterates = new End(this, "iterates", { ...nowhere, changed })
    this.preference = usual(terms.capacity)
  }

  /**
   * Who goes on next here after a value has come or gone: who received it (-1), who sent it (1), or nobody before those who are
   * runnable already (0).
   */
  get preference(): number {
    return this.sends.preference
  }

  set preference(preference: number) {
    for (const end of [this.sends, this.receives, this.iterates]) end.preference = preference
  }

  /** The home is found: `post` brings it what this party says. */
  join(post: (messages: ReadonlyArray<FromParty>) => void): void {
    const { capacity, kind } = this.terms
    this.connecting = false
    this.home = post
    this.out = [{ k: "attach", capacity, kind }]
    if (this.underWay.length > 0) this.out.push({ k: "items", v: this.underWay })
    if (this.closed) this.out.push({ k: "close" })
    this.synchronise()
  }

  /**
   * The home is not there any more. If it has moved, it has said what it has taken, and the rest is sent again to the next one; if
   * it is lost, so is what was under way to it.
   */
  leave(moved: boolean): void {
    this.home = undefined
    this.leaving = false
    this.connecting = false
    this.out = []
    this.grants =
      this.seen =
      this.offered =
      this.wanted =
        0
    this.over = false
    if (!moved) this.arrive(this.underWay.length)
    this.schedule()
  }

  /**
   * Looks at it once in a while: it leaves its home if it has been silent since the last look and nobody here has a use for it. Gives true
   * if it has no home, and no use for one.
   *
   * @param remembers does the home's place know that it is closed, as long as anybody can want to know?
   */
  look(remembers = false): boolean {
    const { spoke } = this
    this.spoke = false
    if (spoke) return false
    if (this.atRest) return true
    this.retire(remembers)
    return false
  }

  /** Leaves the home if nobody here has a use for it; it looks for it again when somebody has. Gives false if somebody has. */
  retire(remembers = false): boolean {
    const inUse = this.inUse || (this.closed && !remembers)
    if (inUse || this.home === undefined || this.leaving) return false
    this.leaving = true
    if (this.closed) this.told = true
    this.grants = 0
    this.home([{ k: "detach" }])
    return true
  }

  private get atRest(): boolean {
    return !this.inUse && this.home === undefined && !this.connecting && (!this.closed || this.told)
  }

  private get inUse(): boolean {
    const { iterates, receives, sends } = this
    return sends.balance !== 0 || receives.balance !== 0 || iterates.balance !== 0 || iterates.stored > 0 ||
      this.underWay.length > 0 || this.out.length > 0 || this.refused !== undefined
  }

  /** @internal It is told when what is under way now has arrived. */
  mark(mark: UnderWay): void {
    this.marks.push({ at: this.arrived + this.underWay.length, mark })
  }

  /** The first ones are not under way any more. */
  private arrive(n: number): void {
    this.arrived += this.underWay.splice(0, n).length
    if (this.underWay.length === 0) sending.delete(this)
    while (this.marks[0] !== undefined && this.marks[0].at <= this.arrived) this.marks.shift()!.mark.one()
  }

  /** Closes the channel for everybody. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.sends.close()
    if (this.home !== undefined) this.out.push({ k: "close" })
    this.schedule()
  }

  /** The home says something. */
  hear(message: FromHome): void {
    this.spoke = true
    switch (message.k) {
      case "grant":
        // the home has taken it back when it heard that this party leaves
        if (this.leaving) return
        this.offered -= Math.min(this.offered, message.n)
        this.grants += message.n
        this.seen += message.n
        break
      case "values":
        this.wanted -= Math.min(this.wanted, message.v.length)
        this.half = Infinity
        this.receive(message.v)
        this.half = (message.v.length + this.wanted) >> 1
        if (this.half < MANY) this.half = Infinity
        // those who have received may do so again
        return this.schedule()
      case "recall":
        if (this.leaving) return
        this.pull()
        this.out.push({ k: "unused", n: this.grants })
        this.grants = 0
        break
      case "taken":
        this.arrive(message.n)
        if (this.over && this.underWay.length === 0) this.end()
        return
      case "closed":
        this.closed = true
        this.sends.close()
        break
      case "drained":
        this.over = true
        // what was given back comes again
        if (this.underWay.length === 0) this.end()
        break
      case "refused":
        this.refuse(this.terms.refusal(message.kind))
        return
      case "moved":
      case "detached":
        return this.leave(true)
    }
    this.synchronise()
  }

  /** Nothing comes any more: who waits has waited in vain. */
  private end(): void {
    for (const end of [this.receives, this.iterates]) {
      while (end.balance < 0) end.put(new StopIteration(), true)
      end.close()
    }
  }

  /** Nobody can use it any more: those who wait, and all who come, get the error. */
  refuse(error: Error): void {
    this.refused = error
    this.arrive(this.underWay.length)
    for (const end of [this.receives, this.iterates]) while (end.balance < 0) end.put(error, true)
    while (this.sends.balance > 0) this.sends.fail(error)
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    queueMicrotask(() => {
      this.scheduled = false
      this.synchronise()
    })
  }

  private item(packed: Packed): void {
    const value = typeof packed === "object" && packed !== null && this.terms.seal !== undefined
      ? this.terms.seal(packed)
      : packed
    if (this.underWay.push(value) === 1) sending.add(this)
    const last = this.out[this.out.length - 1]
    if (last?.k === "items") (last.v as Array<Packed>).push(value)
    else this.out.push({ k: "items", v: [value] })
  }

  /** Many more receive by now: the home hears of these while the others still run. */
  private askSoon(): void {
    if (this.home === undefined || this.leaving || this.iterating || this.iterates.stored > 0) return
    const n = -this.receives.balance - this.wanted
    this.wanted += n
    this.out.push({ k: "want", n })
    this.say()
  }

  private say(): void {
    const { home, out } = this
    if (home === undefined || out.length === 0) return
    this.out = []
    this.spoke = true
    home(out)
  }

  private pull(): void {
    if (this.grants === 0 || this.sends.balance <= 0) return
    // a sender that goes on may send again at once: its next value comes behind this one
    this.pulling = true
    if (this.preference > 0) this.sends.advance(this.pullAll)
    else this.pullAll()
    this.pulling = false
  }

  private readonly pullAll = (): void => {
    while (this.grants > 0) {
      const pulled = this.sends.pull()
      if (pulled === undefined) break
      this.grants--
      this.item(pulled.value as Packed)
    }
  }

  private receive(values: ReadonlyArray<Packed>): void {
    const all = (): void => {
      for (const packed of values) this.come(packed)
    }
    if (this.preference < 0) this.iterates.advance(() => this.receives.advance(all))
    else all()
  }

  private come(packed: Packed): void {
    const { iterates, receives } = this
    const end = receives.balance < 0 ? receives : iterates
    const lies = end.balance >= 0
    try {
      end.put(this.terms.unpack(packed))
    } catch (error) {
      end.put(error, true)
    }
    if (!lies) return
    this.ahead.push(packed)
    if (this.ahead.length > 4 * AHEAD + 2 * end.stored) this.ahead.splice(0, this.ahead.length - end.stored)
  }

  /** Tells the home what has changed. */
  private synchronise(): void {
    const { iterates, receives, sends } = this
    const someWait = sends.balance > 0 || receives.balance < 0 || iterates.balance < 0
    if (someWait !== this.waiting) {
      this.waiting = someWait
      this.terms.waits?.(someWait)
    }
    if (this.refused !== undefined) return this.refuse(this.refused)
    const iterators = Math.max(0, -iterates.balance)
    if (iterators > 0) this.iterate()
    // one who receives takes what has come for an iteration
    while (receives.balance < 0 && iterates.stored > 0) this.giveBackOrAcross()
    const receivers = Math.max(0, -receives.balance)
    if (this.home === undefined) {
      // what lies here, and nobody takes, has to be given back
      const needed = sends.balance > 0 || receivers + iterators > 0 || this.underWay.length > 0 ||
        iterates.stored > 0 ||
        (this.closed && !this.told)
      if (needed && !this.connecting) {
        this.connecting = true
        this.terms.connect()
      }
      return
    }
    if (this.leaving) return
    this.pull()
    const offer = Math.max(0, sends.balance)
    // where it knows of half of them, the others can wait for the next message
    if (offer < this.offered || offer > this.offered * 2 || (offer > this.offered && this.out.length > 0)) {
      this.offered = offer
      this.out.push({ k: "offer", n: offer, seen: this.seen })
    }
    if (!this.iterating && !this.over && iterates.stored > 0) this.giveBack()
    const waiting = receivers + iterators
    const want = waiting + (this.iterating ? Math.max(0, AHEAD - iterates.stored) : 0) - this.wanted
    // few at a time would be as many messages
    if (want < 0 || (want > 0 && (waiting > this.wanted || want * 2 >= AHEAD))) {
      this.wanted += want
      this.out.push({ k: "want", n: want })
    }
    this.say()
  }

  private giveBackOrAcross(): void {
    const values = this.iterates.unput()
    for (const value of values) (this.receives.balance < 0 ? this.receives : this.iterates).put(value)
  }

  /** What came ahead, and nobody takes, is others'. */
  private giveBack(): void {
    const { stored } = this.iterates
    const v = this.ahead.slice(-stored)
    this.iterates.unput()
    this.ahead = []
    for (const value of v) if (this.underWay.push(value) === 1) sending.add(this)
    this.out.push({ k: "back", v })
  }

  private iterate(): void {
    this.iterating = true
    if (this.idle !== undefined) {
      this.idle.refresh()
      return
    }
    this.idle = setTimeout(() => {
      this.idle = undefined
      this.iterating = this.iterates.balance < 0
      if (this.iterating) this.iterate()
      this.synchronise()
    }, PATIENCE)
    this.idle.unref()
  }
}
