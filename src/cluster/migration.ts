/**
 * Tasklets that move from place to place. It knows no transport.
 *
 * A tasklet is pickled where it is (`depart`), posted, and goes on where it arrives. Where it was first, its origin, the tasklet that
 * everybody knows stays behind as a stub: it waits until it is told how the other one has ended. One that moves on from a place
 * which is not its origin leaves nothing there, unless somebody has joined it there; so one that moves a million times leaves one stub.
 *
 * Nothing is lost: what cannot be pickled does not leave; what the other place cannot load comes back, with an error; and if the
 * place where it is dies, its origin fails with `PlaceLost`.
 *
 * Where a place may be lost in the middle, a tasklet is offered first. The other place loads it, says so, and has it go on when it is told to. So up to
 * the moment in which it is told it is here, and goes on here if the other place is lost; from then on it is there. It never runs at both.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { BEGIN, exitOf, type Microthread, type Mode, Operation, Routine, THROW } from "../greenlet/index.ts"
import { type DumpOptions, dumps, type LoadOptions, loads, persistent } from "../pickle/index.ts"
import {
  depart,
  getcurrent,
  isJoined,
  scheduleRemove,
  type Tasklet,
  tasklet as makeTasklet,
  TaskletExit,
  whenEnded
} from "../stackless/index.ts"
import { MachineUnreachable, NotMovable, PlaceLost } from "./errors.ts"

/** Where a tasklet was first: who waits for its end waits there. */
interface Origin {
  readonly place: string
  readonly id: number
}

/** What places tell each other of tasklets. */
export type MigrationMessage =
  /** A tasklet comes; `refused` says why the place that it was sent to could not load it. */
  | { readonly m: "arrive"; readonly pickle: Uint8Array; readonly origin: Origin; readonly refused?: string }
  /** A tasklet would come. */
  | { readonly m: "offer"; readonly id: number; readonly pickle: Uint8Array; readonly origin: Origin }
  /** It is loaded, and waits; or it cannot be. */
  | { readonly m: "accept"; readonly id: number }
  | { readonly m: "refuse"; readonly id: number; readonly reason: string }
  /** It goes on there; or it does not, as it goes on here. */
  | { readonly m: "go"; readonly id: number }
  | { readonly m: "drop"; readonly id: number }
  /** To its origin: it has gone to another place. */
  | { readonly m: "moved"; readonly id: number; readonly to: string }
  /** To its origin: how it has ended. */
  | { readonly m: "ended"; readonly id: number; readonly exit: PackedExit }
  /** From its origin: an error is thrown into it; without one it is killed. */
  | { readonly m: "throw"; readonly origin: Origin; readonly error?: Uint8Array }
  /** To its origin: it is not there any more, so that could not be done. */
  | { readonly m: "absent"; readonly id: number; readonly error?: Uint8Array }

/** How a tasklet has ended, with a value or an error, as a pickle. */
interface PackedExit {
  readonly failed: boolean
  readonly pickle: Uint8Array
}

/** What has been sent and is under way. */
export interface Pending {
  readonly arrived: boolean
  /** Calls `f` when it has arrived; at once if it has. */
  readonly whenArrived: (f: () => void) => void
}

type Held = Array<(() => void) | Pending>

/** How long one that moves waits for what it has sent, in milliseconds. */
const SETTLING = 500

/** One that is offered to another place. */
interface Offer {
  /** What was under way when it left, if anything was. */
  readonly before: Pending | undefined
  readonly to: string
  readonly pickle: Uint8Array
  readonly origin: Origin
  /** Does it move itself? Then it is told if it cannot. */
  readonly own: boolean
  /** What is thrown into it meanwhile. */
  readonly thrown: Array<Uint8Array | undefined>
}

/** One that another place has offered. */
interface Parked {
  readonly pickle: Uint8Array
  readonly origin: Origin
  /** Nothing, if it would wait on a channel as soon as it is loaded. */
  readonly tasklet: Tasklet | undefined
}

/** How places are, between which tasklets move. */
export interface MigrationOptions {
  /** What pickles are signed with. */
  readonly signed?: DumpOptions & LoadOptions
  /** Has `lose` be called if that place is lost. With it, tasklets are offered first. */
  readonly watch?: (place: string) => void
  /** What is under way on channels from here: who moves goes on when that has come, so that what it sends next does not come first. */
  readonly underWay?: () => Pending | undefined
}

const nameOf = ({ name }: Tasklet): string => name === undefined ? "a tasklet" : `the tasklet ${JSON.stringify(name)}`

/** The tasklets of one place that have gone elsewhere, or come from there. */
export class Migration {
  readonly place: string
  /** Brings a message to a place; gives false if that is not there. */
  private readonly carry: (place: string, message: MigrationMessage) => boolean
  /** What says that a place is gone, if it is. */
  private readonly isLost: (place: string) => PlaceLost | undefined
  /** Called when the first one is away, and when the last one has ended. */
  private readonly busy: (busy: boolean) => void
  /** What pickles are signed with. */
  private readonly signed: DumpOptions & LoadOptions
  private readonly watch: ((place: string) => void) | undefined
  private readonly underWay: () => Pending | undefined
  /** What places are told when something has come that is under way, each with what is done behind it. */
  private readonly held = new Map<string, Held>()
  /** Where those go that are held, by their origins. */
  private readonly leaving = new Map<string, string>()
  private readonly offers = new Map<number, Offer>()
  private readonly parked = new Map<string, Parked>()
  private readonly away = new Map<number, Away>()
  private readonly origins = new WeakMap<Tasklet, Guest>()
  private readonly guests = new Map<string, Tasklet>()
  private lastId = 0

  constructor(
    place: string,
    post: (place: string, message: MigrationMessage) => boolean,
    isLost: (place: string) => PlaceLost | undefined,
    busy: (busy: boolean) => void,
    { signed = {}, underWay = () => undefined, watch }: MigrationOptions = {}
  ) {
    this.underWay = underWay
    this.place = place
    this.signed = signed
    this.watch = watch
    this.carry = post
    this.isLost = isLost
    this.busy = busy
  }

  /**
   * Sends a tasklet to another place, which is not the current one. Throws `NotMovable` if it cannot leave, `PlaceLost` if the place is
   * not there; it stays as it was then.
   *
   * @param own does it move itself?
   */
  send(tasklet: Tasklet, to: string, own: boolean): void {
    const guest = this.origins.get(tasklet)
    guest?.forget()
    const leavesStub = guest === undefined || isJoined(tasklet)
    const offers = this.watch !== undefined
    const away = leavesStub ? new Away(this, ++this.lastId, offers ? this.place : to) : undefined
    const origin = away === undefined ? guest!.origin : { place: this.place, id: away.id }
    try {
      depart(tasklet, () => {
        const pickle = dumps(tasklet, this.signed)
        const lost = (): PlaceLost => this.isLost(to) ?? new PlaceLost({ place: to })
        const before = this.underWay()
        if (!offers) {
          if (before !== undefined && this.isLost(to) === undefined) this.hold(to, before)
          if (!this.post(to, { m: "arrive", pickle, origin })) throw lost()
          return
        }
        // who is moved by another one is not told later
        if (!own && this.isLost(to) !== undefined) throw lost()
        const id = ++this.lastId
        this.offers.set(id, { before, to, pickle, origin, own, thrown: [] })
        this.post(to, { m: "offer", id, pickle, origin })
      }, away)
    } catch (error) {
      guest?.remember()
      if (error instanceof PlaceLost) throw error
      throw new NotMovable({ what: nameOf(tasklet), reason: (error as Error).message })
    }
    if (away !== undefined) {
      this.away.set(away.id, away)
      if (this.away.size === 1) this.busy(true)
      guest?.remember()
    } else {
      this.origins.delete(tasklet)
      if (offers) return
      if (this.held.has(to)) this.leaving.set(keyOf(origin), to)
      this.behind(to, () => {
        this.leaving.delete(keyOf(origin))
        this.tell(origin, { m: "moved", id: origin.id, to })
      })
    }
  }

  /** A message has come from a place. */
  hear(from: string, message: MigrationMessage): void {
    switch (message.m) {
      case "arrive":
        return this.arrive(from, message)
      case "offer":
        return this.consider(from, message)
      case "accept": {
        const { id } = message
        const offer = this.offers.get(id)
        if (offer === undefined) return void this.post(from, { m: "drop", id })
        after(offer.before, () => this.release(id, offer))
        return
      }
      case "refuse": {
        const offer = this.offers.get(message.id)
        if (offer !== undefined) this.stay(message.id, offer, cannotLoad(from, message.reason))
        return
      }
      case "go":
        return this.start(from, message.id)
      case "drop":
        return this.discard(offeredBy(from, message.id))
      case "moved": {
        const away = this.away.get(message.id)
        if (away === undefined) return
        away.place = message.to
        if (this.watch !== undefined) return this.watch(message.to)
        // that may be gone already
        const lost = this.isLost(message.to)
        if (lost !== undefined) this.lose(lost)
        return
      }
      case "ended":
        return this.over(message.id, unpackExit(message.exit, this.signed))
      case "throw": {
        const { error, origin } = message
        const offer = this.offerOf(origin)
        if (offer !== undefined) return void offer.thrown.push(error)
        const leaving = this.leaving.get(keyOf(origin))
        if (leaving !== undefined) return void this.post(leaving, message)
        const tasklet = this.guests.get(keyOf(origin))
        if (tasklet === undefined) {
          this.post(origin.place, { m: "absent", id: origin.id, ...(error === undefined ? {} : { error }) })
        } else throwInto(tasklet, this.unpackThrown(error))
        return
      }
      case "absent": {
        // it was told before where it went
        const away = this.away.get(message.id)
        if (away !== undefined && away.place !== from) this.throwAway(away, message.error)
      }
    }
  }

  /** A place is gone: what was there is lost. */
  lose(lost: PlaceLost): void {
    const held = this.held.get(lost.place)
    this.held.delete(lost.place)
    // what was to come there is lost with it, of which those who wait are told
    for (const each of held ?? []) if (typeof each === "function") each()
    for (const away of this.away.values()) if (away.place === lost.place) this.over(away.id, Exit.fail(lost))
    for (const [id, offer] of this.offers) {
      if (offer.to === lost.place) this.stay(id, offer, offer.own ? lost : undefined)
    }
    for (const key of this.parked.keys()) if (key.endsWith(` ${lost.place}`)) this.discard(key)
  }

  // ---- what waits for what is under way -------------------------------------------------------------------------------

  private post(place: string, message: MigrationMessage): boolean {
    if (!this.held.has(place)) return this.carry(place, message)
    this.behind(place, () => void this.carry(place, message))
    return true
  }

  /** Does something behind all that the place is still to be told. */
  private behind(place: string, f: () => void): void {
    const held = this.held.get(place)
    if (held === undefined) f()
    else held.push(f)
  }

  /** What the place is told from now on waits. */
  private hold(place: string, before: Pending): void {
    const held = this.held.get(place)
    if (held !== undefined) return void held.push(before)
    const made: Held = [before]
    this.held.set(place, made)
    this.unhold(place, made)
  }

  private unhold(place: string, held: Held): void {
    for (;;) {
      const next = held.shift()
      if (typeof next === "function") next()
      else {
        if (next === undefined) this.held.delete(place)
        else after(next, () => this.held.get(place) === held && this.unhold(place, held))
        return
      }
    }
  }

  // ---- offers -------------------------------------------------------------------------------------------------------

  /** One that is accepted goes on there, if it has not been lost meanwhile. */
  private release(id: number, offer: Offer): void {
    if (this.offers.get(id) !== offer) return
    this.offers.delete(id)
    const { origin, thrown, to } = offer
    this.post(to, { m: "go", id })
    this.tell(origin, { m: "moved", id: origin.id, to })
    for (const error of thrown) this.post(to, throwing(origin, error))
  }

  private offerOf({ id, place }: Origin): Offer | undefined {
    for (const offer of this.offers.values()) if (offer.origin.id === id && offer.origin.place === place) return offer
    return undefined
  }

  /** Another place offers a tasklet. */
  private consider(from: string, { id, origin, pickle }: MigrationMessage & { readonly m: "offer" }): void {
    let tasklet: Tasklet
    try {
      tasklet = loads<Tasklet>(pickle, this.signed)
    } catch (error) {
      this.post(from, { m: "refuse", id, reason: (error as Error).message })
      return
    }
    const { blocked } = tasklet
    // it has lined up, and must not get a value before it goes on here
    if (blocked) forget(tasklet)
    this.parked.set(offeredBy(from, id), { pickle, origin, tasklet: blocked ? undefined : tasklet })
    this.post(from, { m: "accept", id })
  }

  /** One that was offered is this place's now. */
  private start(from: string, id: number): void {
    const key = offeredBy(from, id)
    const parked = this.parked.get(key)
    if (parked === undefined) return
    this.parked.delete(key)
    const { origin, pickle, tasklet } = parked
    if (tasklet === undefined) return this.arrive(from, { m: "arrive", origin, pickle })
    new Guest(this, tasklet, origin).remember()
    tasklet.insert()
  }

  private discard(key: string): void {
    const tasklet = this.parked.get(key)?.tasklet
    this.parked.delete(key)
    if (tasklet !== undefined) forget(tasklet)
  }

  /** One that was offered goes on here. */
  private stay(id: number, { origin, pickle, thrown }: Offer, error: Error | undefined): void {
    this.offers.delete(id)
    let tasklet: Tasklet
    try {
      tasklet = loads<Tasklet>(pickle, this.signed)
    } catch (cause) {
      return this.unloadable(origin, cause)
    }
    new Guest(this, tasklet, origin).remember()
    const errors = thrown.length > 0
      ? thrown.map((packed) => this.unpackThrown(packed))
      : error === undefined
      ? []
      : [error]
    for (const each of errors) throwInto(tasklet, each)
    if (errors.length === 0 && !tasklet.blocked) tasklet.insert()
  }

  private unpackThrown(error: Uint8Array | undefined): unknown {
    return error === undefined ? exitOf(TaskletExit) : loads(error, this.signed)
  }

  private unloadable(origin: Origin, cause: unknown): void {
    const reason = (cause as Error).message
    const exit = packExit(Exit.fail(new NotMovable({ what: "a tasklet", reason })), "", this.signed)
    this.tell(origin, { m: "ended", id: origin.id, exit })
  }

  // ---- throwing, and what comes -------------------------------------------------------------------------------------

  /** @internal Throws into one that has gone from here, wherever it is; nobody waits for it here any more. */
  recall(away: Away, error: unknown): void {
    if (!this.away.has(away.id)) return
    let packed: Uint8Array | undefined
    // an exit kills it
    if (!(error instanceof TaskletExit)) packed = packExit(Exit.die(error), "it", this.signed).pickle
    this.throwAway(away, packed)
  }

  private throwAway({ id, place }: Away, error: Uint8Array | undefined): void {
    this.post(place, throwing({ place: this.place, id }, error))
  }

  private over(id: number, exit: Exit.Exit<unknown, unknown>): void {
    const away = this.away.get(id)
    if (away === undefined) return
    this.away.delete(id)
    away.over(exit)
    if (this.away.size === 0) this.busy(false)
  }

  private arrive(from: string, { origin, pickle, refused }: MigrationMessage & { readonly m: "arrive" }): void {
    let tasklet: Tasklet
    try {
      tasklet = loads<Tasklet>(pickle, this.signed)
    } catch (error) {
      const reason = (error as Error).message
      if (refused === undefined && this.post(from, { m: "arrive", pickle, origin, refused: reason })) return
      return this.unloadable(origin, error)
    }
    new Guest(this, tasklet, origin).remember()
    if (refused !== undefined) {
      this.tell(origin, { m: "moved", id: origin.id, to: this.place })
      return throwInto(tasklet, cannotLoad(from, refused))
    }
    if (!tasklet.blocked) tasklet.insert()
  }

  /** @internal */
  keep(guest: Guest): void {
    this.origins.set(guest.tasklet, guest)
    this.guests.set(keyOf(guest.origin), guest.tasklet)
  }

  /** @internal */
  drop(guest: Guest): void {
    this.guests.delete(keyOf(guest.origin))
  }

  /** @internal */
  ended({ origin, tasklet }: Guest, exit: Exit.Exit<unknown, unknown>): void {
    this.tell(origin, { m: "ended", id: origin.id, exit: packExit(exit, nameOf(tasklet), this.signed) })
  }

  private tell(origin: Origin, message: MigrationMessage): void {
    if (origin.place === this.place) this.hear(this.place, message)
    else this.post(origin.place, message)
  }
}

const cannotLoad = (place: string, reason: string): NotMovable =>
  new NotMovable({ what: "a tasklet", reason: `${place} cannot load it: ${reason}` })

const throwing = (origin: Origin, error: Uint8Array | undefined): MigrationMessage => ({
  m: "throw",
  origin,
  ...error === undefined ? {} : { error }
})

/** Does something when what is under way has come, but waits no longer than that takes with nobody ill. */
const after = (before: Pending | undefined, f: () => void): void => {
  if (before === undefined || before.arrived) return f()
  let done = false
  const once = (): void => {
    clearTimeout(timer)
    if (done) return
    done = true
    f()
  }
  const timer = setTimeout(once, SETTLING)
  timer.unref()
  before.whenArrived(once)
}

const offeredBy = (place: string, id: number): string => `${id} ${place}`

/** It never goes on. */
const forget = (tasklet: Tasklet): void => depart(tasklet, () => undefined, undefined)

const keyOf = ({ id, place }: Origin): string => `${id} ${place}`

const throwInto = (tasklet: Tasklet, error: unknown): void => {
  Effect.runSync(tasklet.throw(error as Error, { pending: true }))
}

/** One that has come from elsewhere: its origin is told of its end. */
class Guest {
  readonly migration: Migration
  readonly tasklet: Tasklet
  readonly origin: Origin
  private cancel: () => void = () => {}

  constructor(migration: Migration, tasklet: Tasklet, origin: Origin) {
    this.migration = migration
    this.tasklet = tasklet
    this.origin = origin
  }

  remember(): void {
    this.migration.keep(this)
    this.cancel = whenEnded(this.tasklet, (exit) => {
      this.migration.drop(this)
      this.migration.ended(this, exit)
    })
  }

  forget(): void {
    this.migration.drop(this)
    this.cancel()
  }
}

/** What one that has gone leaves here: it waits for the end of the other one, and throws into that what is thrown into it. */
class Away extends Routine {
  readonly id: number
  /** Where the other one is. */
  place: string
  private readonly migration: Migration
  private exit: Exit.Exit<unknown, unknown> | undefined = undefined
  private resume: ((exit: Exit.Exit<unknown, unknown>) => void) | undefined = undefined

  constructor(migration: Migration, id: number, place: string) {
    super()
    this.migration = migration
    this.id = id
    this.place = place
  }

  over(exit: Exit.Exit<unknown, unknown>): void {
    this.exit = exit
    this.resume?.(exit)
  }

  "~resume"(mode: Mode, value: unknown): unknown {
    if (mode === THROW) {
      this.migration.recall(this, value)
      throw value
    }
    return this.pc === BEGIN ? this.at(2, this.result) : this.ends(value)
  }

  private readonly result: Effect.Effect<unknown, unknown> = Effect.callback((resume) => {
    if (this.exit !== undefined) return resume(this.exit)
    this.resume = resume
  })
}

for (const error of [NotMovable, PlaceLost, MachineUnreachable]) {
  persistent(`effect-stackless/cluster/${error.name}`, error)
}

// ---- ends -----------------------------------------------------------------------------------------------------------

const packExit = (exit: Exit.Exit<unknown, unknown>, who: string, signed: DumpOptions): PackedExit => {
  if (Exit.isSuccess(exit)) {
    try {
      return { failed: false, pickle: dumps(exit.value, signed) }
    } catch (error) {
      const reason = (error as Error).message
      return { failed: true, pickle: dumps(new NotMovable({ what: `the result of ${who}`, reason }), signed) }
    }
  }
  const error = Cause.squash(exit.cause)
  try {
    return { failed: true, pickle: dumps(error, signed) }
  } catch {
    // its message is what matters most, and where it was
    const plain = new Error(String(error))
    if (error instanceof Error && error.stack !== undefined) plain.stack = error.stack
    return { failed: true, pickle: dumps(plain, signed) }
  }
}

const unpackExit = ({ failed, pickle }: PackedExit, signed: LoadOptions): Exit.Exit<unknown, unknown> => {
  let value: unknown
  try {
    value = loads(pickle, signed)
  } catch (error) {
    return Exit.fail(new NotMovable({ what: "the result of a tasklet", reason: (error as Error).message }))
  }
  return failed ? Exit.fail(value) : Exit.succeed(value)
}

/** After so many moves the event loop has its turn: one takes as long as hundreds of switches. */
const MOVES = 32
let moved = 0

// ---- moving, as an operation ----------------------------------------------------------------------------------------

/** Moves a tasklet, or the one that performs it: that goes on elsewhere with what comes behind this. */
export class Move extends Operation<void, NotMovable | PlaceLost> {
  private readonly move: (tasklet: Tasklet, own: boolean) => void
  private readonly moving: Tasklet | undefined

  constructor(moving: Tasklet | undefined, move: (tasklet: Tasklet, own: boolean) => void) {
    super()
    this.moving = moving
    this.move = move
  }

  perform(performer: Microthread): Microthread {
    const mover = getcurrent()
    const { move, moving = mover } = this
    if (moving !== mover) {
      move(moving, false)
      return performer.give(undefined)
    }
    // it cannot be taken apart before it has left the ring
    makeTasklet(() => {
      // somebody has woken it, or thrown into it, meanwhile: it is its own again
      if (!moving.paused) return
      try {
        move(moving, true)
      } catch (error) {
        throwInto(moving, error)
      }
      if (++moved % MOVES === 0) mover.thread.takeTurn()
    })()
    return scheduleRemove(undefined).perform(performer)
  }

  override performOutside(): Effect.Effect<void, NotMovable | PlaceLost> {
    return Effect.suspend((): Effect.Effect<void, NotMovable | PlaceLost> => {
      const { move, moving } = this
      if (moving === undefined) {
        return Effect.fail(new NotMovable({ what: "the program outside", reason: "it is no tasklet" }))
      }
      try {
        move(moving, false)
      } catch (error) {
        return Effect.fail(error as NotMovable | PlaceLost)
      }
      return Effect.void
    })
  }
}
