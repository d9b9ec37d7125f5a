/**
 * The channel: a rendezvous between senders and receivers.
 *
 * Carries `channelobject.c` of Stackless 3.7.5. Its queue holds either senders or receivers, and the balance says which
 * and how many. Who runs after a rendezvous is the preference's to say: the receiver (-1, the default), the sender (1),
 * or whoever acted (0). Where it differs: fibers that are no tasklets can take part (party.ts), and a waiter is taken
 * out of the middle of the queue at once, where upstream walks it.
 */
import { Effect, Exit, type Fiber, Predicate } from "effect"
import { type Body, call, Greenlet, type Microthread, Operation, starterOf, type Thread } from "../greenlet/index.ts"
import { Composite } from "./composite.ts"
import {
  type ErrorValue,
  type NoClass,
  requireClass,
  RuntimeError,
  StopIteration,
  thrownBy,
  ValueError,
  type Waiting
} from "./errors.ts"
import { hardened } from "./hard-body.ts"
import { nameProperty } from "./names.ts"
import { type Link, OutsideWaiter, type Waiter } from "./outside-waiter.ts"
import type { Tasklet } from "./ports.ts"
import { callbacks, type Scheduler } from "./scheduler.ts"
import { schedulerOf } from "./schedulers.ts"
import { TaskletState } from "./tasklet-state.ts"

// what is set of a channel
const PREFERS_SENDER = 1
const PREFERS_NOBODY = 2
const SCHEDULE_ALL = 4
/** `close` was called. */
const CLOSING = 8
/** @internal It has a capacity. */
export const TAKES_IN = 16

/** Which way an action goes: 1 sends, -1 receives. */
export type Direction = 1 | -1

/**
 * A channel of `T`. Mirrors `stackless.channel`.
 *
 * @category models
 * @since 0.1.0
 */
export class Channel<in out T = any> {
  /** @internal the first in the queue */
  right: Waiter | null = null
  /** @internal the last in the queue */
  left: Waiter | null = null
  /** @internal see `balance` */
  _balance = 0
  /** @internal what is set of it; where that is nothing, an action can take the short way */
  mode = 0
  private readonly receiving = new Receive<T>(this)
  /** A name, to be seen in errors and when it is printed. Without one it costs nothing. */
  declare name: string | undefined

  /**
   * Sends a value. If somebody waits to receive, that one gets it; with the default preference it runs at once, and the
   * sender right after. Otherwise the sender blocks.
   *
   * Dies with `RuntimeError` if it would block a tasklet that must not be, or the last one that runs; with `ValueError`
   * if it would block on a closed channel. Mirrors `channel.send`.
   */
  send(value: T): Operation<void> {
    return new Sending(this, value)
  }

  /**
   * Receives a value. If somebody waits to send, it is that one's, and the receiver goes on; otherwise it blocks. Dies
   * as `send` does, and with whatever error is sent. Mirrors `channel.receive`.
   */
  receive(): Operation<T> {
    return this.receiving
  }

  /**
   * Sends an error of a class, made with `args`: it is thrown in the receiver. Throws `TypeError` for what is no class: an
   * error that is made is for `sendThrow`. Mirrors `channel.send_exception`.
   */
  sendException<Args extends ReadonlyArray<any>>(
    ErrorClass: new(...args: Args) => unknown,
    ...args: Args
  ): Operation<void> {
    requireClass("sendException", "sendThrow(error)", ErrorClass)
    return new SendError(this, new ErrorClass(...args))
  }

  /**
   * Sends an error: it is thrown in the receiver. Throws `TypeError` at once for nothing, for a function that is no class of
   * errors, and for a value beside an error that is made. Mirrors `channel.send_throw`.
   *
   * @param error an error, or a class of errors, of which a new one is made
   * @param value of a class: what its constructor takes, an array of that, or an error of it
   */
  sendThrow<Args extends ReadonlyArray<any>, E extends Error>(
    ErrorClass: new(...args: Args) => E,
    value: ErrorValue<Args, E>
  ): Operation<void>
  sendThrow(ErrorClass: new() => Error): Operation<void>
  sendThrow<E>(error: NoClass<E>): Operation<void>
  sendThrow(error: unknown, value?: unknown): Operation<void> {
    return new SendError(this, thrownBy("sendThrow", error, value))
  }

  /** Sends the values of an iterable, one after another; gives back how many. Mirrors `channel.send_sequence`. */
  sendSequence(values: Iterable<T>): Operation<number> {
    return new Composite(sendingAll<T>, [this, values])
  }

  /**
   * Receives the next value of the iteration: `{ done, value }`. It is done when a `StopIteration` was sent, or the
   * channel is closed and nobody waits to send. Mirrors `channel.__next__`.
   */
  next(): Operation<IteratorResult<T, undefined>> {
    return new Composite(nextOf<T>, [this])
  }

  /**
   * Calls `body` with each value of the iteration, in turn; gives back how many there were. What the body returns is
   * performed if it is a generator or an Effect. Mirrors `for value in channel`.
   */
  each<Eff extends Effect.Effect<any, any, any>>(
    body: (value: T) => Generator<Eff, unknown, never>
  ): Operation<number, Effect.Error<Eff>, call.Services<Eff>>
  each<E, R>(
    body: (value: T) => Effect.Effect<unknown, E, R>
  ): Operation<number, E, call.Services<Effect.Effect<unknown, E, R>>>
  each(body: (value: T) => unknown): Operation<number>
  each(body: (value: T) => unknown): Operation<number, any, any> {
    return new Each(this, body)
  }

  /** The iteration from outside: each step receives as a foreign party. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    while (!(this.closing && this._balance <= 0)) {
      const exit = await Effect.runPromiseExit(this.receiving)
      if (exit._tag === "Success") yield exit.value
      else {
        const error = exit.cause.reasons.find((reason) => reason._tag === "Die")?.defect
        if (error instanceof StopIteration) return
        throw error
      }
    }
  }

  /** Lets nobody into the queue any more; who waits can still be served. Mirrors `channel.close`. */
  close(): void {
    this.mode |= CLOSING
  }

  /** Opens it again. Mirrors `channel.open`. */
  open(): void {
    this.mode &= ~CLOSING
  }

  /** How many wait to send (> 0) or to receive (< 0). Mirrors `channel.balance`. */
  get balance(): number {
    return this._balance
  }

  /** @internal was `close` called? It takes nobody into its queue any more. */
  get closing(): boolean {
    return (this.mode & CLOSING) !== 0
  }

  /** Is it closed, and its queue empty? */
  get closed(): boolean {
    return this.closing && this._balance === 0
  }

  /** -1 prefers the receiver (the default), 1 the sender, 0 whoever acts. Any other number counts by its sign. */
  get preference(): number {
    return (this.mode & PREFERS_SENDER) !== 0 ? 1 : (this.mode & PREFERS_NOBODY) !== 0 ? 0 : -1
  }

  set preference(preference: number) {
    if (typeof preference !== "number") throw new TypeError(`a preference is a number; got ${typeof preference}`)
    this.mode = this.mode & ~(PREFERS_SENDER | PREFERS_NOBODY) |
      (preference > 0 ? PREFERS_SENDER : preference < 0 ? 0 : PREFERS_NOBODY)
  }

  /** Whether every action schedules to the next runnable tasklet. Overrides `preference`. */
  get scheduleAll(): boolean {
    return (this.mode & SCHEDULE_ALL) !== 0
  }

  set scheduleAll(all: boolean) {
    this.mode = all ? this.mode | SCHEDULE_ALL : this.mode & ~SCHEDULE_ALL
  }

  /**
   * The first tasklet that waits; the next ones are its `next`. Others who wait, which the balance counts, are passed
   * over: fibers that are no tasklets, selections, and values in the queue of a channel with a capacity.
   */
  get queue(): Tasklet | undefined {
    let link: Link = this.right
    while (link instanceof OutsideWaiter) link = link._right
    return link instanceof TaskletState ? link : undefined
  }

  /** How many values it holds that nobody has received, while their senders go on: none, unless it was made with more. */
  get capacity(): number {
    return 0
  }

  // ---- the queue --------------------------------------------------------------------------------------------------

  /** @internal lines a waiter up, before another one that waits, or last */
  line(waiter: Waiter, direction: Direction, before: Waiter | null = null): void {
    const left = before === null ? this.left : before._left as Waiter | null
    waiter._left = left
    waiter._right = before
    if (left === null) this.right = waiter
    else left._right = waiter
    if (before === null) this.left = waiter
    else before._left = waiter
    waiter._channel = this
    this._balance += direction
  }

  /** @internal lines a waiter up as the last one */
  append(waiter: Waiter, direction: Direction): void {
    const { left } = this
    waiter._left = left
    waiter._right = null
    if (left === null) this.right = waiter
    else left._right = waiter
    this.left = waiter
    waiter._channel = this
    this._balance += direction
  }

  /** @internal takes the first one out, for whom somebody acts: it goes into a ring at once, and its links are not cleared */
  shift(waiter: Waiter, direction: Direction): void {
    const right = waiter._right as Waiter | null
    if (right === null) {
      this.right = this.left = null
    } else {
      this.right = right
      right._left = null
    }
    waiter._channel = undefined
    this._balance += direction
  }

  /** @internal takes a waiter out; returns who stood behind it */
  take(waiter: Waiter): Waiter | null {
    const { _left: left, _right: right } = waiter as { _left: Waiter | null; _right: Waiter | null }
    if (left === null) this.right = right
    else left._right = right
    if (right === null) this.left = left
    else right._left = left
    waiter._left = waiter._right = waiter._channel = undefined
    this._balance -= this._balance > 0 ? 1 : -1
    return right
  }

  /** @internal may a sender leave its value and go on? */
  get room(): boolean {
    return false
  }

  /** @internal takes a value in, if there is room */
  store(_value: unknown, _raising: boolean): void {}

  /** @internal for `DeadlockError`: what a tasklet in its queue waits for */
  waitingOf(tasklet: Tasklet): ReadonlyArray<Waiting> {
    return [{ tasklet, channel: this, direction: this._balance > 0 ? "send" : "receive" }]
  }

  /** The channel by its name. */
  toString(): string {
    const name = this.name === undefined ? "" : ` ${JSON.stringify(this.name)}`
    return `<channel${name}, balance ${this._balance}${this.closed ? ", closed" : this.closing ? ", closing" : ""}>`
  }

  /** What Node prints. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString()
  }
}

Object.defineProperty(Channel.prototype, "name", nameProperty)

type Self = Channel

declare module "./ports.ts" {
  interface Channel extends Self {}
}

// ---- sequences ------------------------------------------------------------------------------------------------------

function* sendingAll<T>(channel: Channel<T>, values: Iterable<T>): Generator<Effect.Effect<void>, number, any> {
  let count = 0
  for (const value of values) {
    yield* channel.send(value)
    count++
  }
  return count
}

function* nextOf<T>(channel: Channel<T>): Generator<Effect.Effect<T>, IteratorResult<T, undefined>, any> {
  if (channel.closing && channel._balance <= 0) return { done: true, value: undefined }
  try {
    return { done: false, value: yield* channel.receive() }
  } catch (error) {
    if (error instanceof StopIteration) return { done: true, value: undefined }
    throw error
  }
}

function* eachOf<T>(
  channel: Channel<T>,
  once: (value: T | undefined) => Effect.Effect<any, any, any>
): Generator<Effect.Effect<any, any, any>, number, any> {
  for (let count = 0;; count++) {
    const { done, value } = yield* nextOf(channel)
    if (done) return count
    yield* once(value)
  }
}

/** Where `call` would have a fiber stand for main, which another one may do already, it performs the body itself. */
class Each<T> extends Composite<number, any, Parameters<typeof eachOf<T>>> {
  private readonly channel: Channel<T>
  private readonly body: Body
  constructor(channel: Channel<T>, body: Body) {
    super(eachOf<T>, [channel, (value) => call(body, value)])
    this.channel = channel
    this.body = body
  }
  override performOutside(): Effect.Effect<number, any> {
    const { body } = this
    const once = (value: T | undefined): Effect.Effect<unknown, unknown> => {
      const made: unknown = hardened(body)(value)
      if (Effect.isEffect(made)) return made as Effect.Effect<unknown>
      // of an async function, which `call` refuses
      return Predicate.isPromiseLike(made) ? call((): unknown => made) : Effect.void
    }
    return hardened(eachOf<T>)(this.channel, once)
  }
}

// ---- the actions ----------------------------------------------------------------------------------------------------

/**
 * A send. What happens most often is written out: a tasklet of this thread waits to receive, and nothing is out of the
 * ordinary. `act` would do the same; with that of `Receive` it saves an eighth of a message.
 *
 * @internal
 */
export class Send<T> extends Operation<void> {
  readonly channel: Channel<T>
  readonly sent: unknown
  constructor(channel: Channel<T>, sent: unknown) {
    super()
    this.channel = channel
    this.sent = sent
  }
  /** Is it an error that is sent? */
  get raising(): boolean {
    return false
  }
  perform(performer: Microthread): Microthread {
    const { channel, sent } = this
    const { thread } = performer
    const scheduler = thread.scheduler as Scheduler | undefined
    if (channel.mode === 0 && channel._balance < 0 && scheduler !== undefined && scheduler.head === performer) {
      const target = channel.right as Tasklet
      // a party belongs to no thread
      if (target.thread === thread && scheduler.watched === false) {
        channel.shift(target, 1)
        performer._inbox = undefined
        target._inbox = sent
        scheduler.insertBefore((performer as Tasklet)._right as Tasklet, target)
        return scheduler.to(target)
      }
    }
    return exchangeCommon(channel, performer, sent, 1)
  }
  override performOutside(_thread: Thread, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> {
    return actOutside(this.channel, this.sent, this.raising, 1, fiber)
  }
}

/** The same as a constant, see thread.ts. */
const Sending = Send

/**
 * A class of its own, so that `Send` is as small as can be: most messages are no errors.
 *
 * @internal
 */
export class SendError<T> extends Send<T> {
  override get raising(): boolean {
    return true
  }
  override perform(performer: Microthread): Microthread {
    return exchangeFully(this.channel, performer, this.sent, true, 1)
  }
}

/**
 * A receive. Written out is that nobody waits to send, and another tasklet runs.
 *
 * @internal
 */
export class Receive<T> extends Operation<T> {
  readonly channel: Channel<T>
  constructor(channel: Channel<T>) {
    super()
    this.channel = channel
  }
  perform(performer: Microthread): Microthread {
    const { channel } = this
    const scheduler = performer.thread.scheduler as Scheduler | undefined
    if (channel.mode === 0 && channel._balance <= 0 && scheduler !== undefined && scheduler.head === performer) {
      const source = performer as Tasklet
      if (scheduler.runcount > 1 && !source.blockTrap && scheduler.watched === false) {
        source._inbox = undefined
        const next = scheduler.unlink(source)
        channel.append(source, -1)
        return scheduler.to(next)
      }
    }
    return exchangeCommon(channel, performer, undefined, -1)
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
  channel: Channel<any>,
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
        source._inbox = value
        const next = scheduler.head = scheduler.unlink(source)
        channel.line(source, direction)
        return scheduler.pass(source, next, false)
      }
    } else {
      const target = channel.right as Tasklet
      // a party belongs to no thread
      if (target.thread !== thread || target.raising) {
        return exchangeFully(channel, performer, value, false, direction, told)
      }
      if (!tells) {
        channel.shift(target, direction)
        source._inbox = target._inbox
        target._inbox = value
        // a sender prefers its receiver with -1, which is nothing set
        if (channel.mode === (direction > 0 ? 0 : PREFERS_SENDER)) {
          scheduler.insertNext(target)
          return scheduler.pass(source, target, true)
        }
        scheduler.insert(target)
        return scheduler.pass(source, source, true)
      }
    }
    source._inbox = value
    try {
      notify(channel, source, direction, willblock)
    } finally {
      source._inbox = undefined
    }
    // the callback may have changed how it goes on
  }
}

/** Mirrors `generic_channel_action`. */
const exchangeFully = (
  channel: Channel<any>,
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
const meet = (channel: Channel<any>, source: Tasklet, target: Tasklet, direction: Direction): Microthread => {
  const scheduler = schedulerOf(source.thread)
  const behind = channel.take(target)
  exchange(source, target)
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
  channel: Channel<any>,
  source: Tasklet,
  target: Waiter,
  direction: Direction
): Microthread => {
  const scheduler = schedulerOf(source.thread)
  const chooser = choosing(target, source.thread)
  const yields = chooser !== undefined && (channel.scheduleAll || channel.preference === -direction)
  if (yields) scheduler.requireSwitch(chooser)
  channel.take(target)
  const { _inbox: inbox, raising } = source
  carry(source, target._inbox, target.raising)
  scheduler.head = source
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
const putIn = (channel: Channel<any>, source: Tasklet): Microthread => {
  const scheduler = schedulerOf(source.thread)
  const next = channel.scheduleAll ? source._right as Tasklet : source
  if (next !== source) scheduler.requireSwitch(next)
  channel.store(source._inbox, source.raising)
  source.give(undefined)
  return scheduler.switch(source, next)
}

/** Nobody waits: the tasklet does. */
export const wait = (channel: Channel<any>, source: Tasklet, direction: Direction): Microthread => {
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
  channel: Channel<any>,
  value: unknown,
  raising: boolean,
  direction: Direction,
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<any> => {
  const owner = starterOf(fiber)
  return Effect.callback<any>((resume) => {
    const party = new OutsideWaiter(value, raising, resume, owner)
    if (exchangeAsParty(channel, party, direction)) return
    if (channel.closing) return resume(Effect.die(new ValueError("Send/receive operation on a closed channel")))
    channel.line(party, direction)
    return Effect.sync(() => party.leave())
  })
}

/** A party gets what it wants if somebody waits to give it, or there is room. */
export const exchangeAsParty = (channel: Channel<any>, party: OutsideWaiter, direction: Direction): boolean => {
  if (meetsOn(channel, direction)) {
    const target = channel.right as Waiter
    channel.take(target)
    const { _inbox: inbox, raising } = target
    serve(target, party._inbox, party.raising)
    party.resume(raising ? Exit.die(inbox) : Exit.succeed(inbox))
    return true
  }
  if (direction < 0 || !channel.room) return false
  channel.store(party._inbox, party.raising)
  party.resume(Exit.void)
  return true
}

/** Does somebody wait for who acts in that direction? */
export const meetsOn = (channel: Channel<any>, direction: Direction): boolean => {
  for (;;) {
    if (direction > 0 ? channel._balance >= 0 : channel._balance <= 0) return false
    const { right } = channel
    if (!(right instanceof OutsideWaiter && right.doubtful)) return true
    withhold(channel, right)
  }
}

/**
 * Takes a doubtful party out of its queue until its fiber has had its turn: what it were given might be lost. If it still
 * waits then, it is served, or lines up again. Returns true.
 */
export const withhold = (channel: Channel<any>, party: OutsideWaiter): true => {
  const direction = channel._balance > 0 ? 1 : -1
  channel.take(party)
  party.withheld = true
  party.owner!.whenResumed(() => {
    if (!party.withheld) return
    party.withheld = false
    if (!exchangeAsParty(channel, party, direction)) channel.line(party, direction)
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
  const { _inbox: inbox, raising } = a
  carry(a, b._inbox, b.raising)
  carry(b, inbox, raising)
}

/** Tells the callback. */
export const notify = (channel: Channel<any>, source: Tasklet, direction: Direction, willblock: boolean): void => {
  const scheduler = schedulerOf(source.thread)
  if (scheduler.locked) throw new RuntimeError("Recursive channel call due to callbacks!")
  scheduler.locked = true
  try {
    callbacks.channel!(channel, source, direction > 0, willblock)
  } finally {
    scheduler.locked = false
  }
}
