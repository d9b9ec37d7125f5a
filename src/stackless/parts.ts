/**
 * What tasklets, channels and a thread's ring are made of, for who writes them down and makes them again elsewhere (the
 * pickler). Carries `tasklet_reduce`, `tasklet_setstate`, `channel_reduce` and `channel_setstate` of Stackless 3.7.5. Where it
 * differs: a tasklet that is blocked says on which channel, so that one is never without the other.
 */
import {
  assemble,
  currentThread,
  GreenletError,
  type Microthread,
  MICROTHREAD_FIELDS,
  type Parts,
  partsOf,
  type Routine,
  setFlag,
  type Thread
} from "../greenlet/index.ts"
import { Atomically } from "./atomic.ts"
import { BufferedChannel } from "./buffer.ts"
import { type Channel, ReceivingEach, ReceivingNext, SendingAll } from "./channel.ts"
import { RuntimeError } from "./errors.ts"
import { endOf, joinedEndOf } from "./join.ts"
import { OutsideWaiter } from "./outside-waiter.ts"
import { Running } from "./run.ts"
import type { Scheduler } from "./scheduler.ts"
import { schedulerOf } from "./schedulers.ts"
import { choseAt, chosenAt, notNeeded, Offer, Selecting, Selection, selectionOf } from "./select.ts"
import { ATOMIC, BLOCK_TRAP, BOUND, FAILED, IGNORE_NESTING } from "./tasklet-state.ts"
import { nothing, type Tasklet } from "./tasklet.ts"

/** The flags of a tasklet that are kept, each as a bit of a number that means the same in all versions. */
const FLAGS = [BOUND, BLOCK_TRAP, ATOMIC, IGNORE_NESTING, FAILED] as const

/**
 * @category models
 * @since 0.1.0
 */
export interface TaskletParts extends Parts {
  /** Its flags, of which each is a bit. */
  readonly flags: number
  /** The channel that it is blocked on, and whether it sends. */
  readonly channel: Channel | undefined
  readonly sending: boolean
  /** Is it in the middle of `select`? Then it is on no channel itself, but its offers are. */
  readonly selecting: boolean
  /** The channel on which others wait for its end. */
  readonly end: Channel | undefined
}

/** The fields that all tasklets have: others are those of a subclass, or of a program. */
export const TASKLET_FIELDS: ReadonlySet<PropertyKey> = new Set([
  ...MICROTHREAD_FIELDS,
  "_right",
  "_left",
  "_channel"
])

/** The same of channels. */
export const CHANNEL_FIELDS: ReadonlySet<PropertyKey> = new Set([
  "right",
  "left",
  "_balance",
  "mode",
  "receiving",
  "limit",
  "stored",
  "last",
  "taken"
])

/**
 * Takes a tasklet apart, which stays as it is. Throws `RuntimeError` if it is the current one or the main tasklet,
 * `GreenletError` if it is in the middle of an Effect.
 *
 * @category pickling
 * @since 0.1.0
 */
export const taskletParts = (tasklet: Tasklet): TaskletParts => {
  if (tasklet.isMain) throw new RuntimeError("the main tasklet is the program outside")
  if (tasklet.isCurrent && tasklet.active) throw new RuntimeError("it is the current tasklet, which runs")
  if (tasklet._waitsOutside) throw new GreenletError("it waits for an Effect")
  if (leaving !== undefined && leaving !== tasklet && tasklet.alive) {
    throw new RuntimeError("it is another one than the one that moves, and is alive: it would run twice")
  }
  const { below, code, inbox, state } = partsOf(tasklet as unknown as Microthread)
  const { "~bits": bits, _channel: waits } = tasklet
  const selecting = waits instanceof Selection
  const channel = selecting ? undefined : waits
  let flags = 0
  for (let i = 0; i < FLAGS.length; i++) if ((bits & FLAGS[i]!) !== 0) flags |= 1 << i
  return {
    state,
    inbox,
    code,
    below,
    flags,
    channel: channel as Channel | undefined,
    sending: channel !== undefined && (channel as Channel).balance > 0,
    selecting,
    end: joinedEndOf(tasklet)
  }
}

/** The only tasklet that may be taken apart. */
let leaving: Tasklet | undefined = undefined

/** @internal Calls `write`, in which no tasklet that is alive can be taken apart but this one. */
export const takeApartAlone = <A>(tasklet: Tasklet, write: () => A): A => {
  leaving = tasklet
  try {
    return write()
  } finally {
    leaving = undefined
  }
}

/**
 * Makes a new tasklet what `taskletParts` has said of another one. It is in no ring and in no queue.
 *
 * @category pickling
 * @since 0.1.0
 */
export const assembleTasklet = (tasklet: Tasklet, parts: Parts, flags: number, end: Channel | undefined): void => {
  assemble(tasklet as unknown as Microthread, parts)
  for (let i = 0; i < FLAGS.length; i++) if ((flags & 1 << i) !== 0) setFlag(tasklet, FLAGS[i]!, true)
  if (end !== undefined) endOf(tasklet, end)
}

// ---- the library's own frames ---------------------------------------------------------------------------------------

/**
 * A frame of the library's own, which a tasklet is in the middle of while it performs an operation that is made of others.
 *
 * @category models
 * @since 0.1.0
 */
export interface OwnFrameParts {
  readonly name: string
  readonly class: new(...args: ReadonlyArray<any>) => Routine
  /** Its fields, beside `pc`, and the values of `pc` at which it can stand. */
  readonly fields: ReadonlyArray<string>
  readonly places: ReadonlyArray<number>
}

/** All of them, always in this order. */
export const OWN_FRAMES: ReadonlyArray<OwnFrameParts> = [
  { name: "run", class: Running, fields: ["options", "caller", "watch"], places: [0, 2] },
  { name: "sendSequence", class: SendingAll, fields: ["channel", "values", "count"], places: [0, 2] },
  { name: "next", class: ReceivingNext, fields: ["channel"], places: [0, 2] },
  { name: "each", class: ReceivingEach, fields: ["channel", "body", "count"], places: [0, 2, 4] },
  { name: "atomic", class: Atomically, fields: ["f", "args", "tasklet", "before"], places: [0, 2] },
  { name: "select", class: Selecting, fields: ["cases", "options", "key"], places: [0, 2, 4] }
]

/** What the library has tasklets run. */
export const OWN_BODIES = { nothing } as const

/** What a `select` is told that need not wait. */
export const OWN_SYMBOLS = { notNeeded } as const

// ---- channels -------------------------------------------------------------------------------------------------------

/**
 * @category models
 * @since 0.1.0
 */
export interface ChannelParts {
  readonly preference: number
  readonly scheduleAll: boolean
  readonly closing: boolean
  /** How many values it takes in; 0 if none. */
  readonly capacity: number
  /** The values that it holds. */
  readonly stored: ReadonlyArray<{ readonly value: unknown; readonly raising: boolean }>
  /** Who waits, the first in front; all of them to send, or all to receive. */
  readonly queue: ReadonlyArray<Tasklet>
  readonly sending: boolean
  /** Of those who wait in a `select`, the key of their case. */
  readonly keys: ReadonlyMap<number, string>
  /** When `select` has chosen it, as a number that grows; 0 if it has not. */
  readonly chosen: number
}

/**
 * Takes a channel apart, which stays as it is. Throws `RuntimeError` if a fiber that is no tasklet waits in its queue.
 *
 * @category pickling
 * @since 0.1.0
 */
export const channelParts = (channel: Channel): ChannelParts => {
  const stored: Array<{ readonly value: unknown; readonly raising: boolean }> = []
  const queue: Array<Tasklet> = []
  let keys: Map<number, string> | undefined
  const buffered = channel instanceof BufferedChannel
  for (let waiter = channel.right; waiter !== null; waiter = waiter._right as typeof waiter) {
    if (!(waiter instanceof OutsideWaiter)) queue.push(waiter as Tasklet)
    else if (buffered && waiter.resume === channel.taken) {
      stored.push({ value: waiter["~inbox"], raising: waiter.raising })
    } else if (waiter instanceof Offer && waiter.tasklet !== undefined) {
      ;(keys ??= new Map()).set(queue.length, waiter.key)
      queue.push(waiter.tasklet as Tasklet)
    } else throw new RuntimeError("somebody waits on it who is no tasklet: a fiber")
  }
  return {
    preference: channel.preference,
    scheduleAll: channel.scheduleAll,
    closing: channel.closing,
    capacity: channel.capacity,
    stored,
    queue,
    sending: channel.balance > 0,
    keys: keys ?? noKeys,
    chosen: chosenAt(channel)
  }
}

const noKeys: ReadonlyMap<number, string> = new Map()

/**
 * Makes a new channel what `channelParts` has said of another one, but for its queue.
 *
 * @category pickling
 * @since 0.1.0
 */
export const assembleChannel = (
  channel: Channel,
  { chosen, closing, preference, scheduleAll, stored }: Omit<ChannelParts, "queue" | "keys">
): void => {
  if (chosen > 0) choseAt(channel, chosen)
  channel.preference = preference
  channel.scheduleAll = scheduleAll
  if (channel instanceof BufferedChannel) { for (const { raising, value } of stored) channel.store(value, raising) }
  if (closing) channel.close()
}

/**
 * Lines a tasklet up in the queue of a channel, as the last one.
 *
 * Throws `RuntimeError` if it waits somewhere already, or has nothing to go on with, or those who wait there wait for the other
 * direction.
 *
 * @category pickling
 * @since 0.1.0
 */
export const lineUp = (channel: Channel, tasklet: Tasklet, sending: boolean): void => {
  if (tasklet._channel !== undefined || tasklet._right !== undefined) {
    throw new RuntimeError("the tasklet waits already")
  }
  if (!tasklet.active || tasklet.isMain) throw new RuntimeError("the tasklet is not in the middle of anything")
  if (sending ? channel.balance < 0 : channel.balance > 0) {
    throw new RuntimeError("a channel has senders in its queue, or receivers, and never both")
  }
  channel.line(tasklet, sending ? 1 : -1)
}

/**
 * Has a tasklet in the middle of a `select` make its offer on a channel, by the key of its case, as the last one in the queue.
 *
 * Throws `RuntimeError` if it is in none, or has made that offer already, or those who wait there wait for the other direction.
 *
 * @category pickling
 * @since 0.1.0
 */
export const lineUpOffer = (channel: Channel, tasklet: Tasklet, key: string): void => {
  const offer = selectionOf(tasklet).offers.find((offer) => offer.key === key && offer.target === channel)
  if (offer === undefined || offer._channel !== undefined) throw new RuntimeError("there is no such offer to be made")
  if (offer.direction > 0 ? channel.balance < 0 : channel.balance > 0) {
    throw new RuntimeError("a channel has senders in its queue, or receivers, and never both")
  }
  channel.line(offer, offer.direction)
}

/**
 * The offers that a tasklet in the middle of a `select` has not made. Throws `RuntimeError` if it is in none.
 *
 * @category pickling
 * @since 0.1.0
 */
export const missingOffers = (
  tasklet: Tasklet
): ReadonlyArray<{ readonly channel: Channel; readonly key: string }> =>
  selectionOf(tasklet).offers
    .filter(({ _channel: waits }) => waits === undefined)
    .map(({ key, target }) => ({ channel: target, key }))

// ---- the ring -------------------------------------------------------------------------------------------------------

/**
 * The tasklets that are runnable on a thread: all that a scheduler has to say of where they stand.
 *
 * @category models
 * @since 0.1.0
 */
export class Snapshot {
  /** Those that are runnable, in the order in which they will run. Main, and whoever has asked, is not among them. */
  readonly runnable: ReadonlyArray<Tasklet>
  /** Those that are in the middle of `run`, the innermost last: who wakes when nobody is runnable. */
  readonly running: ReadonlyArray<Tasklet>

  /** The library makes them. */
  constructor(runnable: ReadonlyArray<Tasklet>, running: ReadonlyArray<Tasklet>) {
    this.runnable = runnable
    this.running = running
  }

  /**
   * Makes them runnable on the current thread, in their order, after those that are. Throws `RuntimeError` if one of them is
   * runnable or blocked, or not alive.
   */
  restore(): this {
    for (const tasklet of [...this.runnable, ...this.running]) {
      if (tasklet.blocked || tasklet.scheduled || !tasklet.alive) {
        throw new RuntimeError(
          `${String(tasklet)} cannot be made runnable: a snapshot is restored once, before its tasklets run`
        )
      }
    }
    for (const tasklet of this.runnable) tasklet.insert()
    for (const tasklet of this.running) (schedulerOf(currentThread()) as Scheduler).watchdogs.push(tasklet)
    return this
  }
}

/**
 * What is runnable on the current thread, to be pickled all at once: with everything that those tasklets refer to, and with
 * everybody who is blocked on a channel that one of them knows. Who is known to nobody but the program outside is dumped
 * together with it: `dumps([snapshot(), channel])`.
 *
 * @category pickling
 * @since 0.1.0
 */
export const snapshot = (): Snapshot => {
  const scheduler = schedulerOf(currentThread()) as Scheduler
  const { head, main, watchdogs } = scheduler
  const runnable: Array<Tasklet> = []
  for (let t = head?._right as Tasklet | undefined; t !== undefined && t !== head; t = t._right as Tasklet) {
    if (t !== main) runnable.push(t)
  }
  return new Snapshot(runnable, watchdogs.filter((t) => t !== main))
}

/**
 * The main tasklet of a thread, if it has tasklets at all.
 *
 * @category pickling
 * @since 0.1.0
 */
export const mainTaskletOf = (thread: Thread): Tasklet | undefined =>
  (thread.scheduler as Scheduler | undefined)?.main as Tasklet | undefined
