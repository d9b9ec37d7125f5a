/**
 * The channel: a rendezvous between senders and receivers.
 *
 * Carries `channelobject.c` of Stackless 3.7.5. Its queue holds either senders or receivers, and the balance says which
 * and how many. Who runs after a rendezvous is the preference's to say: the receiver (-1, the default), the sender (1),
 * or whoever acted (0). Where it differs: fibers that are no tasklets can take part (outside-waiter.ts), and a waiter is taken
 * out of the middle of the queue at once, where upstream walks it.
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import {
  BEGIN,
  type Body,
  call,
  CallRoutine,
  closeQuietly,
  type Cursor,
  cursor,
  developing,
  END,
  type Mode,
  NEXT,
  type NotAsync,
  type Operation,
  Routine,
  THROW
} from "../greenlet/index.ts"
import { Composite, outside } from "./composite.ts"
import { type ErrorValue, type NoClass, requireClass, StopIteration, thrownBy, type Waiting } from "./errors.ts"
import { hardened } from "./hard-body.ts"
import { nameProperty } from "./names.ts"
import { type Link, OutsideWaiter } from "./outside-waiter.ts"
import type { Tasklet } from "./ports.ts"
import { CLOSING, PREFERS_NOBODY, PREFERS_SENDER, Receive, SCHEDULE_ALL, Send, SendError } from "./rendezvous.ts"
import { TaskletState } from "./tasklet-state.ts"
import { WaitQueue } from "./wait-queue.ts"

/** A constant: what is imported is looked at anew at every use. */
const Sending = Send

/**
 * A channel of `T`. Mirrors `stackless.channel`.
 *
 * @category models
 * @since 0.1.0
 */
export class Channel<in out T = any> extends WaitQueue {
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
    return new Composite(() => new SendingAll(this, values))
  }

  /**
   * Receives the next value of the iteration: `{ done, value }`. It is done when a `StopIteration` was sent, or the
   * channel is closed and nobody waits to send. Mirrors `channel.__next__`.
   */
  next(): Operation<IteratorResult<T, undefined>> {
    return new Composite(() => new ReceivingNext(this))
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
  each<F extends (value: T) => unknown>(body: F & NotAsync<ReturnType<F>>): Operation<number>
  each(body: (value: T) => unknown): Operation<number, any, any> {
    return new Each(this, body)
  }

  /** The iteration from outside: each step receives as an outside waiter. */
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

  /** Was `close` called? It takes nobody into its queue any more. Mirrors `channel.closing`. */
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
  override toString(): string {
    const name = this.name === undefined ? "" : ` ${JSON.stringify(this.name)}`
    return `<channel${name}, balance ${this._balance}${this.closed ? ", closed" : this.closing ? ", closing" : ""}>`
  }

  /** What `JSON.stringify` makes of it. */
  toJSON(): ChannelDescription {
    const { closed, closing, name, preference } = this
    return { type: "channel", name, balance: this._balance, preference, closing, closed }
  }

  /** What Node prints. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString()
  }
}

/**
 * A channel, described for people.
 *
 * @category models
 * @since 0.1.0
 */
export interface ChannelDescription {
  readonly type: "channel"
  readonly name: string | undefined
  readonly balance: number
  readonly preference: number
  readonly closing: boolean
  readonly closed: boolean
}

Object.defineProperty(Channel.prototype, "name", nameProperty)

const { receive, send } = Channel.prototype
developing.followers.add((on) => {
  Channel.prototype.receive = on
    ? function(this: Channel) {
      return developing.made(new Receive(this))
    }
    : receive
  Channel.prototype.send = on
    ? function(this: Channel, value: unknown) {
      return developing.made(new Sending(this, value))
    }
    : send
})

type Self = Channel

declare module "./ports.ts" {
  interface Channel extends Self {}
}

// ---- sequences ------------------------------------------------------------------------------------------------------

/** Sends the values of an iterable. */
export class SendingAll extends Routine<number> {
  channel: Channel
  /** Once it has begun, where it stands in it. */
  values: Iterable<unknown> | Cursor
  count = 0
  constructor(channel: Channel, values: Iterable<unknown>) {
    super()
    this.channel = channel
    this.values = values
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (this.pc === BEGIN) this.values = cursor(this.values)
    else if (mode === THROW) {
      closeQuietly(this.values as Cursor)
      throw value
    } else this.count++
    const next = (this.values as Cursor).next()
    return next === END ? this.ends(this.count) : this.at(2, this.channel.send(next))
  }
}

/** Receives the next value of the iteration. */
export class ReceivingNext<T> extends Routine<IteratorResult<T, undefined>> {
  channel: Channel<T>
  constructor(channel: Channel<T>) {
    super()
    this.channel = channel
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (this.pc === BEGIN) return isOver(this.channel) ? this.ends(over) : this.at(2, this.channel.receive())
    if (mode === NEXT) return this.ends({ done: false, value: value as T })
    if (value instanceof StopIteration) return this.ends(over)
    throw value
  }
}

const isOver = (channel: Channel): boolean => channel.closing && channel._balance <= 0

const over: IteratorResult<never, undefined> = { done: true, value: undefined }

/** Receives the values of the iteration, and calls a body with each. */
export class ReceivingEach extends Routine<number> {
  channel: Channel
  body: Body
  count = 0
  constructor(channel: Channel, body: Body) {
    super()
    this.channel = channel
    this.body = body
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (this.pc === RECEIVING) {
      if (mode === NEXT) return this.at(CALLING, this.once(value))
      if (value instanceof StopIteration) return this.ends(this.count)
      throw value
    }
    if (mode === THROW) throw value
    if (this.pc === CALLING) this.count++
    return isOver(this.channel) ? this.ends(this.count) : this.at(RECEIVING, this.channel.receive())
  }
  protected once(value: unknown): Effect.Effect<unknown, unknown> {
    return call(this.body, value)
  }
}

const RECEIVING = 2
const CALLING = 4

/** Where `call` would have a fiber stand for main, which another one may do already, it performs the body itself. */
class ReceivingEachOutside extends ReceivingEach {
  protected override once(value: unknown): Effect.Effect<unknown, unknown> {
    const made: unknown = hardened(this.body)(value)
    if (Effect.isEffect(made)) return made as Effect.Effect<unknown>
    // of an async function, which `call` refuses
    return Predicate.isPromiseLike(made) ? call((): unknown => made) : Effect.void
  }
}

class Each extends CallRoutine<number, any> {
  private readonly channel: Channel
  private readonly body: Body
  constructor(channel: Channel, body: Body) {
    super(() => new ReceivingEach(channel, body))
    this.channel = channel
    this.body = body
  }
  override performOutside(): Effect.Effect<number, any> {
    return outside(new ReceivingEachOutside(this.channel, this.body))
  }
}
