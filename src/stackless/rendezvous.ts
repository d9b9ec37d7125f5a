/**
 * The rendezvous: what happens when somebody sends or receives.
 *
 * Carries `generic_channel_action` of `channelobject.c`. The rule stands in `exchangeFully`. The same is written out twice for what
 * happens most often: in `exchangeCommon`, and once more in the operations themselves. That random programs do the same all ways is
 * tested in test/stackless/random.test.ts.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { Greenlet, KEPT, type Microthread, Operation, starterOf, type Thread } from "../greenlet/index.ts"
import { RuntimeError, ValueError } from "./errors.ts"
import { OutsideWaiter, type Waiter } from "./outside-waiter.ts"
import type { Channel, Tasklet } from "./ports.ts"
import { callbacks, type Scheduler } from "./scheduler.ts"
import { schedulerOf } from "./schedulers.ts"
import { BLOCK_TRAP, TaskletState } from "./tasklet-state.ts"
import type { Direction } from "./wait-queue.ts"

// what is set of a channel
export const PREFERS_SENDER = 1
export const PREFERS_NOBODY = 2
export const SCHEDULE_ALL = 4
/** `close` was called. */
export const CLOSING = 8
/** @internal It has a capacity. */
export const TAKES_IN = 16

// constants: what is imported is looked at anew at every use
const blockTrap = BLOCK_TRAP

/**
 * A send. What happens most often is written out: a tasklet of this thread waits to receive, and nothing is out of the
 * ordinary. `exchangeCommon` would do the same; with what is written out in `Receive`, and in so few words that V8 has room for both
 * where they are performed, a message takes two thirds of the time (`compiled.channel`; `stackless.channel`: nine tenths). They take
 * 392 bytes of bytecode, and with 414 it had no room for short bodies beside them. So what has to do with main is left to others.
 */
class Sending {
  readonly channel: Channel
  readonly sent: unknown
  constructor(channel: Channel, sent: unknown) {
    this.channel = channel
    this.sent = sent
  }
  /** Is it an error that is sent? */
  get raising(): boolean {
    return false
  }
  perform(performer: Microthread): Microthread {
    return this["~perform"](performer, performer.thread)
  }
  "~perform"(performer: Microthread, thread: Thread): Microthread {
    const channel = this.channel
    const place = thread.place
    // there is one where there is a head
    const scheduler = thread.scheduler as Scheduler
    const balance = channel._balance
    if (!channel.mode && balance < 0 && place.head === performer && !scheduler.watched) {
      const target = channel.right as Tasklet
      // an outside waiter belongs to no thread
      if (target.thread === thread && target !== scheduler.main) {
        const right = target._right as Waiter | null
        channel.right = right
        if (right === null) channel.left = right
        else right._left = null
        target._channel = undefined
        channel._balance = balance + 1
        performer["~inbox"] = undefined
        target["~inbox"] = this.sent
        const next = (performer as Tasklet)._right as Tasklet
        target._left = performer as Tasklet
        target._right = next
        ;(performer as Tasklet)._right = next._left = target
        scheduler.runcount++
        place.head = target
        return target
      }
    }
    return this.exchange(performer)
  }
  /** What happens less often. */
  exchange(performer: Microthread): Microthread {
    return exchangeCommon(this.channel, performer, this.sent, 1)
  }
  performOutside(_thread: Thread, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> {
    return actOutside(this.channel, this.sent, this.raising, 1, fiber)
  }
}

/**
 * The operation. Its class is put under that of operations afterwards: a constructor that calls the one above it takes an eighth of
 * a message on Node 20.
 *
 * @internal
 */
export const Send: new(channel: Channel, sent: unknown) => Sending & Operation<void> = (() => {
  Object.setPrototypeOf(Sending.prototype, Operation.prototype)
  return Sending as never
})()

/**
 * A class of its own, so that `Send` is as small as can be: most messages are no errors.
 *
 * @internal
 */
export class SendError extends Send {
  override get raising(): boolean {
    return true
  }
  override "~perform"(performer: Microthread): Microthread {
    return exchangeFully(this.channel, performer, this.sent, true, 1)
  }
}

/**
 * A receive. Written out is that nobody waits to send, and another tasklet runs.
 *
 * @internal
 */
export class Receive<T> extends Operation<T> {
  /** A channel makes one for all who receive. */
  static readonly [KEPT] = true
  readonly channel: Channel
  constructor(channel: Channel) {
    super()
    this.channel = channel
  }
  perform(performer: Microthread): Microthread {
    return this["~perform"](performer as Tasklet, performer.thread)
  }
  override "~perform"(source: Tasklet, thread: Thread): Microthread {
    const channel = this.channel
    const place = thread.place
    const scheduler = thread.scheduler as Scheduler
    const balance = channel._balance
    let next: Tasklet
    if (
      !channel.mode && balance <= 0 && place.head === source && (next = source._right as Tasklet) !== source &&
      next !== scheduler.main && !scheduler.watched && !(source["~bits"] & blockTrap)
    ) {
      source["~inbox"] = undefined
      const before = source._left as Tasklet
      before._right = next
      next._left = before
      scheduler.runcount--
      const last = channel.left
      source._left = last
      source._right = null
      if (last === null) channel.right = source
      else last._right = source
      channel.left = source
      source._channel = channel
      channel._balance = balance - 1
      place.head = next
      return next
    }
    return this.exchange(source)
  }
  /** What happens less often. */
  private exchange(performer: Microthread): Microthread {
    return exchangeCommon(this.channel, performer, undefined, -1)
  }
  override performOutside(_thread: Thread, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<T> {
    return actOutside(this.channel, undefined, false, -1, fiber)
  }
}

/**
 * An action that sends no error. Where nothing is out of the ordinary but, perhaps, the preference, and that somebody is
 * told, it is done here: the other one is a tasklet of the same thread that does not send an error; or there is none, and
 * another one runs. A hop round a ring takes two thirds of the time so.
 */
const exchangeCommon = (
  channel: Channel,
  performer: Microthread,
  value: unknown,
  direction: Direction
): Microthread => {
  const { thread } = performer
  const scheduler = thread.scheduler as Scheduler | undefined
  if (scheduler === undefined) return exchangeFully(channel, performer, value, false, direction)
  for (let told = false;; told = true) {
    const { watched } = scheduler
    if (channel.mode >= SCHEDULE_ALL || scheduler.head !== performer || (watched && scheduler.forbidding)) {
      return exchangeFully(channel, performer, value, false, direction, told)
    }
    const source = performer as Tasklet
    const tells = watched && !told && callbacks.channel !== undefined
    const willblock = direction > 0 ? channel._balance >= 0 : channel._balance <= 0
    if (willblock) {
      if (scheduler.runcount <= 1 || source.blockTrap) {
        return exchangeFully(channel, performer, value, false, direction, told)
      }
      if (!tells) {
        source["~inbox"] = value
        const next = scheduler.head = scheduler.unlink(source)
        channel.line(source, direction)
        return scheduler.pass(source, next, false)
      }
    } else {
      const target = channel.right as Tasklet
      // an outside waiter belongs to no thread
      if (target.thread !== thread || target.raising) {
        return exchangeFully(channel, performer, value, false, direction, told)
      }
      if (!tells) {
        channel.shift(target, direction)
        source["~inbox"] = target["~inbox"]
        target["~inbox"] = value
        if (watched) witness(channel, source, target, direction)
        // a sender prefers its receiver with -1, which is nothing set
        if (channel.mode === (direction > 0 ? 0 : PREFERS_SENDER)) {
          scheduler.insertNext(target)
          return scheduler.pass(source, target, true)
        }
        scheduler.insert(target)
        return scheduler.pass(source, source, true)
      }
    }
    source["~inbox"] = value
    try {
      notify(channel, source, direction, willblock)
    } finally {
      source["~inbox"] = undefined
    }
    // the callback may have changed how it goes on
  }
}

/** Mirrors `generic_channel_action`. */
const exchangeFully = (
  channel: Channel,
  performer: Microthread,
  value: unknown,
  raising: boolean,
  direction: Direction,
  told = false
): Microthread => {
  const tells = !told && callbacks.channel !== undefined
  const source = taskletOf(performer)
  const meets = meetsOn(channel, direction)
  const takesIn = !meets && direction > 0 && channel.room
  const target = meets ? channel.right as Waiter : undefined
  const foreign = target !== undefined && !(target instanceof TaskletState && target.thread === performer.thread)
  // upstream tells late of what crosses threads
  const late = foreign && choosing(target, performer.thread) === undefined
  carry(source, value, raising)
  try {
    if (tells && !late) {
      notify(channel, source, direction, !meets && !takesIn)
      // the callback may have changed whom it meets
      return exchangeFully(channel, performer, value, raising, direction, true)
    }
    const next = takesIn
      ? putIn(channel, source)
      : target === undefined
      ? wait(channel, source, direction)
      : foreign
      ? meetOutside(channel, source, target, direction)
      : meet(channel, source, target as Tasklet, direction)
    if (tells && late) notify(channel, source, direction, false)
    return next
  } catch (error) {
    source.give(undefined)
    throw error
  }
}

/**
 * The tasklet that acts. A greenlet is none, and its thread, which may be gevent's, gets no scheduler of it: that would take
 * its main over.
 */
export const taskletOf = (performer: Microthread): Tasklet => {
  if (performer instanceof Greenlet && performer !== performer.thread.main) {
    throw new RuntimeError(
      "greenlets, gevent's among them, and tasklets do not mix on one thread, and what runs is a greenlet: use the channel in a fiber that it forks, as in Effect.flatMap(Effect.forkChild(channel.receive()), Fiber.join), with the tasklets on a thread of their own (withThread)"
    )
  }
  return schedulerOf(performer.thread).current(performer)
}

/** Somebody waits: they exchange what they have, and the preference says who runs. */
const meet = (channel: Channel, source: Tasklet, target: Tasklet, direction: Direction): Microthread => {
  const scheduler = schedulerOf(source.thread)
  const behind = channel.take(target)
  exchange(source, target)
  witness(channel, source, target, direction)
  let next = source
  if (channel.scheduleAll) {
    scheduler.insert(target)
    next = source._right as Tasklet
  } else if (channel.preference === -direction) {
    scheduler.insertNext(target)
    next = target
  } else {
    scheduler.insert(target)
  }
  try {
    return scheduler.switch(source, next, !channel.scheduleAll)
  } catch (error) {
    scheduler.remove(target)
    scheduler.head = source
    channel.line(target, -direction as Direction, behind)
    exchange(source, target)
    throw error
  }
}

/**
 * A tasklet of another thread waits, or a fiber that is none: it gets what it waits for, and the tasklet goes on. Of a
 * selection it may be a tasklet of this thread, which the preference counts for.
 */
const meetOutside = (
  channel: Channel,
  source: Tasklet,
  target: Waiter,
  direction: Direction
): Microthread => {
  const scheduler = schedulerOf(source.thread)
  const chooser = choosing(target, source.thread)
  const yields = chooser !== undefined && (channel.scheduleAll || channel.preference === -direction)
  if (yields) scheduler.requireSwitch(chooser)
  channel.take(target)
  const { "~inbox": inbox, raising } = source
  carry(source, target["~inbox"], target.raising)
  scheduler.head = source
  witness(channel, source, partyOf(target), direction)
  serve(target, inbox, raising)
  if (!yields) return scheduler.to(source)
  if (channel.scheduleAll) return scheduler.switch(source, source._right as Tasklet)
  scheduler.remove(chooser)
  scheduler.insertNext(chooser)
  return scheduler.switch(source, chooser, true)
}

/** The tasklet of this thread that is behind the offer of a selection. */
const choosing = (target: Waiter, thread: Thread): Tasklet | undefined => {
  const tasklet = target instanceof OutsideWaiter ? target.tasklet : undefined
  return tasklet?.thread === thread ? tasklet : undefined
}

/** Nobody waits, but there is room for the value. */
const putIn = (channel: Channel, source: Tasklet): Microthread => {
  const scheduler = schedulerOf(source.thread)
  const next = channel.scheduleAll ? source._right as Tasklet : source
  if (next !== source) scheduler.requireSwitch(next)
  channel.store(source["~inbox"], source.raising)
  witness(channel, source, undefined, 1)
  source.give(undefined)
  return scheduler.switch(source, next)
}

/** Nobody waits: the tasklet does. */
export const wait = (channel: Channel, source: Tasklet, direction: Direction): Microthread => {
  if (source.blockTrap) throw new RuntimeError("this tasklet does not like to be blocked.")
  if (channel.closing) throw new ValueError("Send/receive operation on a closed channel")
  const scheduler = schedulerOf(source.thread)
  scheduler.remove(source)
  channel.line(source, direction)
  try {
    return scheduler.switch(source, scheduler.head)
  } catch (error) {
    if (source._channel === channel) channel.take(source)
    scheduler.restore(source)
    throw error
  }
}

/** The same for a fiber that is no tasklet. It lines up in the same step, or somebody might come between. */
const actOutside = (
  channel: Channel,
  value: unknown,
  raising: boolean,
  direction: Direction,
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<any> => {
  const owner = starterOf(fiber)
  return Effect.callback<any>((resume) => {
    const waiter = new OutsideWaiter(value, raising, resume, owner)
    if (exchangeAsOutsider(channel, waiter, direction)) return
    if (channel.closing) return resume(Effect.die(new ValueError("Send/receive operation on a closed channel")))
    channel.line(waiter, direction)
    return Effect.sync(() => waiter.leave())
  })
}

/** An outside waiter gets what it wants if somebody waits to give it, or there is room. */
export const exchangeAsOutsider = (channel: Channel, waiter: OutsideWaiter, direction: Direction): boolean => {
  if (meetsOn(channel, direction)) {
    const target = channel.right as Waiter
    channel.take(target)
    witness(channel, undefined, partyOf(target), direction)
    const { "~inbox": inbox, raising } = target
    serve(target, waiter["~inbox"], waiter.raising)
    waiter.resume(raising ? Exit.die(inbox) : Exit.succeed(inbox))
    return true
  }
  if (direction < 0 || !channel.room) return false
  channel.store(waiter["~inbox"], waiter.raising)
  witness(channel, undefined, undefined, 1)
  waiter.resume(Exit.void)
  return true
}

/** Does somebody wait for who acts in that direction? */
export const meetsOn = (channel: Channel, direction: Direction): boolean => {
  for (;;) {
    if (direction > 0 ? channel._balance >= 0 : channel._balance <= 0) return false
    const { right } = channel
    if (!(right instanceof OutsideWaiter && right.doubtful)) return true
    withhold(channel, right)
  }
}

/**
 * Takes a doubtful waiter out of its queue until its fiber has had its turn: what it were given might be lost. If it still
 * waits then, it is served, or lines up again. Returns true.
 */
export const withhold = (channel: Channel, waiter: OutsideWaiter): true => {
  const direction = channel._balance > 0 ? 1 : -1
  channel.take(waiter)
  waiter.withheld = true
  waiter.owner!.whenResumed(() => {
    if (!waiter.withheld) return
    waiter.withheld = false
    if (!exchangeAsOutsider(channel, waiter, direction)) channel.line(waiter, direction)
  })
  return true
}

/** Gives a waiter what it waited for, and lets it go on: a tasklet when its turn comes. */
export const serve = (waiter: Waiter, value: unknown, raising: boolean): void => {
  if (waiter instanceof TaskletState) {
    carry(waiter, value, raising)
    schedulerOf(waiter.thread).insert(waiter)
  } else {
    waiter.resume(raising ? Exit.die(value) : Exit.succeed(value))
  }
}

export const carry = (t: Tasklet, value: unknown, raising: boolean): void => {
  if (raising) t.raise(value)
  else t.give(value)
}

const exchange = (a: Tasklet, b: Tasklet): void => {
  const { "~inbox": inbox, raising } = a
  carry(a, b["~inbox"], b.raising)
  carry(b, inbox, raising)
}

/** The tasklet that waits, itself or in a selection; none, if it is a fiber or a value. */
export const partyOf = (waiter: Waiter): Tasklet | undefined =>
  waiter instanceof TaskletState ? waiter as Tasklet : (waiter as OutsideWaiter).tasklet

/** Who looks on is told that somebody has met `target` on a channel. */
export const witness = (
  channel: Channel,
  source: Tasklet | undefined,
  target: Tasklet | undefined,
  direction: Direction
): void => {
  const { observer } = callbacks
  if (observer === undefined) return
  if (direction > 0) observer.passed(channel, source, target)
  else observer.passed(channel, target, source)
}

/** Tells the callback. */
export const notify = (channel: Channel, source: Tasklet, direction: Direction, willblock: boolean): void => {
  const scheduler = schedulerOf(source.thread)
  if (scheduler.locked) throw new RuntimeError("Recursive channel call due to callbacks!")
  scheduler.locked = true
  try {
    callbacks.channel!(channel, source, direction > 0, willblock)
  } finally {
    scheduler.locked = false
  }
}
