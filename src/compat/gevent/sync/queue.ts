/**
 * Queues. Carries `gevent.queue` as of 25.4: every queue has tasks, but for `SimpleQueue` and `Channel`. Who waits is served
 * by the hub, in turn. Where it differs: the error at a getter's or putter's timeout is made when time is over; and a
 * callback's `putNowait`, which upstream has switch to those who wait to get, finds the queue full instead.
 */
import {
  BEGIN,
  hold,
  type Microthread,
  type Mode,
  type NotAsync,
  type Operation,
  Routine,
  THROW,
  ValueError
} from "../../../greenlet/index.ts"
import {
  gethub,
  type Hub,
  HubOperation,
  isLeaving,
  postponed,
  requireNoTasklet,
  requireOwn,
  Steps,
  throwing,
  Waits
} from "../core/hub.ts"
import { type ErrorOf, Looping, type ServicesOf } from "../core/loop-body.ts"
import type { Callback } from "../core/loop.ts"
import { printed } from "../core/printed.ts"
import { Deadline, type Limit } from "../core/timeout.ts"
import { WaitFrame } from "../core/wait-frame.ts"
import { type Place, WaitQueue } from "../core/wait-queue.ts"
import { Event } from "./event.ts"

/**
 * There is nothing to get. Mirrors `queue.Empty`.
 *
 * @category errors
 * @since 0.1.0
 */
export class Empty extends Error {
  override readonly name: string = "Empty"
  static {
    hold(this, "gevent.Empty")
  }
}

/**
 * There is no room to put. Mirrors `queue.Full`.
 *
 * @category errors
 * @since 0.1.0
 */
export class Full extends Error {
  override readonly name: string = "Full"
  static {
    hold(this, "gevent.Full")
  }
}

/**
 * The queue was shut down. Mirrors `queue.ShutDown`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ShutDown extends Error {
  override readonly name: string = "ShutDown"
  static {
    hold(this, "gevent.ShutDown")
  }
}

/** How to put or get. */
export interface QueueOptions {
  /** Wait for it? `false` throws `Full` or `Empty` instead. */
  readonly block?: boolean
  /** How long to wait for it, in seconds. */
  readonly timeout?: Limit
}

/**
 * Ends an iteration over a queue, put into it. Mirrors `StopIteration`, put into a gevent queue.
 *
 * @category constants
 * @since 0.1.0
 */
export const StopIteration: unique symbol = Symbol.for("effect-stackless/compat/gevent/StopIteration")

/** What can be put: an item, or the end of the iteration, which `get` gives back as it is. */
type Item<T> = T | typeof StopIteration

/** A greenlet that waits to put or to get. */
abstract class QueueWait<out A> extends WaitFrame<A> {
  protected readonly queue: AbstractQueue<any>
  /** Who waits, as long as it does. */
  greenlet: Microthread | undefined
  private place: Place<unknown> | undefined = undefined
  private deadline: Deadline | undefined = undefined
  constructor(queue: AbstractQueue<any>, greenlet: Microthread) {
    super()
    this.queue = queue
    this.greenlet = greenlet
  }

  /** Waits in a line: who is next. The queue has said already that it is to serve. */
  waits(place: Place<unknown>, deadline: Deadline | undefined): Microthread {
    this.place = place
    this.deadline = deadline
    return this.parks(this.greenlet!, this.queue.hub, this.queue)
  }

  /** In the hub: what lets it go on. */
  brings(value: unknown): Operation<unknown> | undefined {
    return this.greenlet === undefined ? undefined : this.queue.hub.brings(this.greenlet, value)
  }

  /** The same with an error. */
  throws(error: unknown): Operation<unknown> | undefined {
    return this.greenlet === undefined ? undefined : throwing(this.greenlet, error)
  }

  protected leave(): void {
    this.greenlet = undefined
    this.deadline?.cancel()
    const { place } = this
    if (place !== undefined) (place.line as WaitQueue<unknown> | undefined)?.remove(place)
  }

  protected came(value: unknown): A {
    this.leave()
    return this.served(value)
  }

  protected failed(error: unknown): never {
    this.leave()
    throw error
  }

  /** It was brought `value`: gives what it waited for. */
  protected abstract served(value: unknown): A
}

class Putting<T> extends QueueWait<void> {
  readonly item: T
  constructor(queue: AbstractQueue<T>, greenlet: Microthread, item: T) {
    super(queue, greenlet)
    this.item = item
  }
  protected served(value: unknown): void {
    requireOwn(this.queue, this.queue, value)
  }
}

/** In the hub: serves those who wait, up to where nobody can be served. */
class Serving extends Routine<void> {
  private readonly queue: AbstractQueue<any>
  /** Is it the getters' turn, in this round? */
  getters = false
  /** Was somebody served in this round? */
  served = false
  /** Who is to be told next of what it has put. */
  putter: Putting<any> | undefined = undefined
  constructor(queue: AbstractQueue<any>) {
    super()
    this.queue = queue
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    try {
      if (mode === THROW) throw value
      const told = this.queue.unlock(this)
      if (told !== undefined) return this.at(2, told)
    } catch (error) {
      this.queue.unlocked()
      throw error
    }
    this.queue.unlocked()
    return this.ends(undefined)
  }
}

/** What all queues have in common. */
abstract class AbstractQueue<in out T> {
  static {
    printed(this)
  }
  protected readonly getters = new WaitQueue<QueueWait<unknown>>()
  protected readonly putters = new WaitQueue<Putting<T>>()
  /** The hub that serves those who wait. */
  readonly hub: Hub = gethub()
  private unlock_: Callback | undefined = undefined

  abstract get(options?: QueueOptions): Operation<T>

  /** Waits for the next item: `{ done, value }`. It is done when `StopIteration` was put. Mirrors `next(queue)`. */
  next(): Operation<IteratorResult<T, undefined>> {
    return new Steps<IteratorResult<T, undefined>>(() => new GettingNext(this))
  }

  /** Calls `body` with each item, in turn, until `StopIteration` comes. Mirrors `for item in queue`. */
  each<Made>(body: ((item: T) => Made) & NotAsync<Made>): Operation<void, ErrorOf<Made>, ServicesOf<Made>> {
    return new Steps<void, ErrorOf<Made>, ServicesOf<Made>>(() => new Looping(this, body))
  }

  /** @internal serves those who wait, one after another: gives what lets one of them go on, nothing if nobody can be served */
  abstract unlock(serving: Serving): Operation<unknown> | undefined

  /** @internal nobody more can be served */
  unlocked(): void {
    this.unlock_ = undefined
  }

  /** Has the hub serve those who wait. */
  protected scheduleUnlock(): void {
    if (this.unlock_ !== undefined) return
    this.unlock_ = this.hub.runCallback(() => new Serving(this))
  }

  /** Takes out of the front of a line who takes nothing any more, or perhaps: that one lines up again. */
  protected passOver<V extends QueueWait<unknown>>(line: WaitQueue<V>): void {
    for (let place = line.first; place !== undefined; place = line.first) {
      const { greenlet } = place.value
      const left = place
      const again = (): void => {
        line.rejoin(left)
        this.scheduleUnlock()
      }
      if (greenlet === undefined || !(isLeaving(greenlet) || postponed(greenlet, again))) return
      line.shift()
    }
  }
}

/** Gets the next item of an iteration. */
class GettingNext<T> extends Routine<IteratorResult<T, undefined>> {
  private readonly queue: AbstractQueue<T>
  constructor(queue: AbstractQueue<T>) {
    super()
    this.queue = queue
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (mode === THROW) throw value
    if (this.pc === BEGIN) return this.at(2, this.queue.get())
    return this.ends(value === StopIteration ? { done: true, value: undefined } : { done: false, value: value as T })
  }
}

/**
 * A queue: first in, first out. It has no tasks, and cannot be shut down. Mirrors `gevent.queue.SimpleQueue`.
 *
 * @category models
 * @since 0.1.0
 */
export class SimpleQueue<in out T = unknown> extends AbstractQueue<T> {
  private limit: number
  protected readonly store: Store<T>
  /** Was it shut down? */
  protected closed = false

  /**
   * @param maxsize how many items have room; any number, if it is left out
   * @param items what is in it from the beginning
   */
  constructor(maxsize?: number | null, items: Iterable<T> = []) {
    super()
    this.limit = maxsize != null && maxsize > 0 ? maxsize : -1
    this.store = this.createStore(items)
  }

  /** Makes what the items are in. Mirrors `_create_queue`. */
  protected createStore(items: Iterable<T>): Store<T> {
    return new Fifo(items)
  }

  /** Every item that is put goes through here: a subclass can override it. Mirrors `_put`. */
  protected _put(item: T): void {
    this.store.add(item)
  }

  /** Every item that is got comes from here, as above. Mirrors `_get`. */
  protected _get(): T {
    return this.store.take()
  }

  /** How many items have room; `undefined` for any number. */
  get maxsize(): number | undefined {
    return this.limit > 0 ? this.limit : undefined
  }

  set maxsize(maxsize: number | undefined) {
    this.limit = maxsize != null && maxsize > 0 ? maxsize : -1
  }

  /** How many items there are. */
  qsize(): number {
    return this.store.size
  }

  /** The same. Mirrors `len(queue)`. */
  get length(): number {
    return this.qsize()
  }

  empty(): boolean {
    return this.store.size === 0
  }

  full(): boolean {
    return this.limit > 0 && this.store.size >= this.limit
  }

  /**
   * Puts an item, waiting for room. Dies with `Full` if it does not wait or time is over; with `ShutDown` after
   * `shutdown`; with `ValueError` for a negative timeout, if there is room. Mirrors `Queue.put`.
   */
  put(item: Item<T>, options?: QueueOptions): Operation<void> {
    return new Put(this, item as T, options)
  }

  /** Puts an item, or throws `Full`. Mirrors `Queue.put_nowait`. */
  putNowait(item: Item<T>): void {
    if (!this.tryPut(item as T)) throw new Full("the queue is full")
  }

  /**
   * Gets an item, waiting for one. Dies with `Empty` if it does not wait or time is over; with `ShutDown` after
   * `shutdown`, once there are no more; with `ValueError` for a negative timeout, if there is none. Mirrors `Queue.get`.
   */
  get(options?: QueueOptions): Operation<T> {
    return new Get(this, options, false)
  }

  /** Gets an item, or throws `Empty`. Mirrors `Queue.get_nowait`. */
  getNowait(): T {
    return this.now(false)
  }

  /** As `get`, but leaves the item where it is. Mirrors `Queue.peek`. */
  peek(options?: QueueOptions): Operation<T> {
    return new Get(this, options, true)
  }

  /** As `getNowait`, but leaves the item where it is. Mirrors `Queue.peek_nowait`. */
  peekNowait(): T {
    return this.now(true)
  }

  /** A queue with the same items and the same room. Mirrors `Queue.copy`. */
  copy(): this {
    return this.copied()
  }

  /** Makes one with the same items, and what else a subclass's constructor takes. */
  protected copied(...rest: ReadonlyArray<unknown>): this {
    return new (this.constructor as new(...args: ReadonlyArray<unknown>) => this)(this.maxsize, this.store, ...rest)
  }

  /** @internal */
  tryPut(item: T): boolean {
    if (this.closed) throw shutDown()
    if (this.limit !== -1 && this.store.size >= this.limit) return false
    this._put(item)
    if (this.getters.size > 0) this.scheduleUnlock()
    return true
  }

  /** @internal */
  takeNow(peek: boolean): T {
    if (peek) return this.store.peek()
    if (this.putters.size > 0) this.scheduleUnlock()
    return this._get()
  }

  private now(peek: boolean): T {
    if (this.store.size === 0) this.fills()
    if (this.store.size > 0) return this.takeNow(peek)
    throw this.closed ? shutDown() : new Empty("the queue is empty")
  }

  /** In the hub, which cannot wait: puts for somebody who waits for room that is there already. */
  private fills(): void {
    const { hub } = this
    this.passOver(this.putters)
    if (this.putters.size === 0 || this.closed || hub.thread.current !== hub) return
    const putter = this.putters.shift()!.value
    this._put(putter.item)
    hub.runCallback(() => putter.brings(this))
  }

  /** @internal waits for room */
  putting(current: Microthread, item: T, options: QueueOptions | undefined): Microthread {
    const wait = new Putting(this, current, item)
    const place = this.putters.push(wait)
    const deadline = Deadline.of(options?.timeout, () => new Full("the queue is full"))
    if (this.getters.size > 0) this.scheduleUnlock()
    return wait.waits(place, deadline)
  }

  /** @internal waits for an item */
  getting(current: Microthread, options: QueueOptions | undefined, peek: boolean): Microthread {
    if (this.closed) throw shutDown()
    requireNotNegative(options)
    const wait = new Getting<T>(this, current, peek)
    const deadline = Deadline.of(options?.timeout, () => new Empty("the queue is empty"))
    const place = this.getters.push(wait)
    if (this.putters.size > 0) this.scheduleUnlock()
    return wait.waits(place, deadline)
  }

  /** @internal takes what it was told is there */
  takeTold(peek: boolean): T {
    return peek ? this.store.peek() : this._get()
  }

  override unlock(serving: Serving): Operation<unknown> | undefined {
    for (;;) {
      if (!serving.getters) {
        serving.getters = true
        serving.served = false
        this.passOver(this.putters)
        if (this.putters.size > 0 && !this.full()) {
          serving.served = true
          const told = this.putsFor(this.putters.shift()!.value)
          if (told !== undefined) return told
        }
      }
      serving.getters = false
      this.passOver(this.getters)
      if (this.getters.size > 0 && this.store.size > 0) {
        serving.served = true
        const told = this.getters.shift()!.value.brings(this)
        if (told !== undefined) return told
      } else if (!serving.served) return undefined
    }
  }

  private putsFor(putter: Putting<T>): Operation<unknown> | undefined {
    try {
      this._put(putter.item)
    } catch (error) {
      return putter.throws(error)
    }
    return putter.brings(this)
  }

  override toString(): string {
    const parts = [
      this.maxsize === undefined ? "" : ` maxsize=${this.maxsize}`,
      this.getters.size === 0 ? "" : ` getters[${this.getters.size}]`,
      this.putters.size === 0 ? "" : ` putters[${this.putters.size}]`
    ]
    return `<${this.constructor.name} qsize=${this.store.size}${parts.join("")}>`
  }
}

class Getting<T> extends QueueWait<T> {
  private readonly source: SimpleQueue<T>
  private readonly peek: boolean
  constructor(queue: SimpleQueue<T>, greenlet: Microthread, peek: boolean) {
    super(queue, greenlet)
    this.source = queue
    this.peek = peek
  }
  protected served(value: unknown): T {
    requireOwn(this.source, this.source, value)
    return this.source.takeTold(this.peek)
  }
}

class Put<T> extends HubOperation<void> {
  readonly queue: SimpleQueue<T>
  readonly item: T
  readonly options: QueueOptions | undefined
  constructor(queue: SimpleQueue<T>, item: T, options: QueueOptions | undefined) {
    super()
    this.queue = queue
    this.item = item
    this.options = options
  }
  perform(current: Microthread): Microthread {
    const { item, options, queue } = this
    if (options !== undefined && !queue.full()) requireNotNegative(options)
    if (queue.tryPut(item)) return current.give(undefined)
    if (options?.block === false) throw new Full("the queue is full")
    requireNoTasklet(current)
    return queue.putting(current, item, options)
  }
}

class Get<T> extends HubOperation<T> {
  readonly queue: SimpleQueue<T>
  readonly options: QueueOptions | undefined
  readonly peek: boolean
  constructor(queue: SimpleQueue<T>, options: QueueOptions | undefined, peek: boolean) {
    super()
    this.queue = queue
    this.options = options
    this.peek = peek
  }
  perform(current: Microthread): Microthread {
    const { options, peek, queue } = this
    if (queue.qsize() > 0) return current.give(queue.takeNow(peek))
    if (options?.block === false) return current.give(peek ? queue.peekNowait() : queue.getNowait())
    requireNoTasklet(current)
    return queue.getting(current, options, peek)
  }
}

// ---- what queues keep their items in --------------------------------------------------------------------------------

/** Where the items of a queue are. */
export interface Store<T> extends Iterable<T> {
  readonly size: number
  add(item: T): void
  take(): T
  peek(): T
}

/** First in, first out. The front of the array is cut off when half of it is used up, so that taking is O(1). */
class Fifo<T> implements Store<T> {
  private items: Array<T>
  private head = 0
  constructor(items: Iterable<T>) {
    this.items = [...items]
  }
  get size(): number {
    return this.items.length - this.head
  }
  add(item: T): void {
    this.items.push(item)
  }
  take(): T {
    const item = this.items[this.head]!
    this.items[this.head++] = undefined as T
    if (this.head * 2 > this.items.length && this.head > 32) {
      this.items = this.items.slice(this.head)
      this.head = 0
    } else if (this.head === this.items.length) {
      this.items.length = this.head = 0
    }
    return item
  }
  peek(): T {
    return this.items[this.head]!
  }
  [Symbol.iterator](): Iterator<T> {
    return this.items.slice(this.head)[Symbol.iterator]()
  }
}

/** Last in, first out. */
class Lifo<T> implements Store<T> {
  private readonly items: Array<T>
  constructor(items: Iterable<T>) {
    this.items = [...items]
  }
  get size(): number {
    return this.items.length
  }
  add(item: T): void {
    this.items.push(item)
  }
  take(): T {
    return this.items.pop()!
  }
  peek(): T {
    return this.items.at(-1)!
  }
  [Symbol.iterator](): Iterator<T> {
    return this.items[Symbol.iterator]()
  }
}

/** The least first: a binary heap. Of equal items, any may come first, as upstream's `heapq` has it. */
class Heap<T> implements Store<T> {
  private readonly items: Array<T> = []
  private readonly isLess: (a: T, b: T) => boolean
  constructor(items: Iterable<T>, isLess: (a: T, b: T) => boolean) {
    this.isLess = isLess
    for (const item of items) this.add(item)
  }
  get size(): number {
    return this.items.length
  }
  add(item: T): void {
    const { items } = this
    let index = items.length
    while (index > 0) {
      const above = (index - 1) >> 1
      if (!this.isLess(item, items[above]!)) break
      items[index] = items[above]!
      index = above
    }
    items[index] = item
  }
  take(): T {
    const { items } = this
    const least = items[0]!
    const last = items.pop()!
    if (items.length === 0) return least
    let index = 0
    for (;;) {
      let below = 2 * index + 1
      if (below >= items.length) break
      if (below + 1 < items.length && this.isLess(items[below + 1]!, items[below]!)) below++
      if (!this.isLess(items[below]!, last)) break
      items[index] = items[below]!
      index = below
    }
    items[index] = last
    return least
  }
  peek(): T {
    return this.items[0]!
  }
  [Symbol.iterator](): Iterator<T> {
    return this.items[Symbol.iterator]()
  }
}

// ---- other queues ---------------------------------------------------------------------------------------------------

/**
 * A queue: first in, first out. Its items are tasks: `join` waits until `taskDone` was called for every item that was put.
 * Mirrors `gevent.queue.Queue`.
 *
 * @category models
 * @since 0.1.0
 */
export class Queue<in out T = unknown> extends SimpleQueue<T> {
  /** How many items were put for which `taskDone` was not called yet. */
  unfinishedTasks: number
  /** Those who have joined wait in it; it is made for the first of them. */
  private done: Event | undefined = undefined

  /**
   * @param maxsize how many items have room; any number, if it is left out
   * @param items what is in it from the beginning
   * @param unfinishedTasks as many as there are items, if it is left out
   */
  constructor(maxsize?: number | null, items?: Iterable<T>, unfinishedTasks?: number | null) {
    super(maxsize, items)
    this.unfinishedTasks = unfinishedTasks || this.qsize()
  }

  protected override _put(item: T): void {
    this.store.add(item)
    if (this.unfinishedTasks++ === 0) this.done?.clear()
  }

  protected override copied(): this {
    return super.copied(this.unfinishedTasks)
  }

  /** An item that was got is dealt with. Throws `ValueError` if there were not that many. Mirrors `Queue.task_done`. */
  taskDone(): void {
    if (this.unfinishedTasks <= 0) throw new ValueError("taskDone() called too many times")
    if (--this.unfinishedTasks === 0) this.done?.set()
  }

  /**
   * Waits until all items are dealt with, for `timeout` seconds at the most; gives back whether they are. Mirrors
   * `Queue.join`.
   */
  join(timeout?: Limit): Operation<boolean> {
    if (this.done === undefined) {
      this.done = new Event(this)
      if (this.unfinishedTasks === 0) this.done.set()
    }
    return this.done.wait(timeout)
  }

  /**
   * Lets nothing be put any more: that throws `ShutDown`, as does getting when there is nothing left. Whoever waits to put
   * or get is thrown it now. `immediate` drops what is left, and counts it as dealt with. Mirrors `Queue.shutdown`.
   */
  shutdown(immediate = false): void {
    this.closed = true
    if (immediate) {
      while (this.qsize() > 0) {
        this._get()
        if (this.unfinishedTasks > 0) this.taskDone()
      }
    }
    const waits: Array<QueueWait<unknown>> = []
    for (let place = this.getters.shift(); place !== undefined; place = this.getters.shift()) waits.push(place.value)
    for (let place = this.putters.shift(); place !== undefined; place = this.putters.shift()) waits.push(place.value)
    for (const wait of waits) this.hub.runCallback(() => wait.throws(shutDown()))
  }

  /** Was it shut down? Mirrors `Queue.is_shutdown`. */
  get isShutdown(): boolean {
    return this.closed
  }
}

/**
 * A `Queue`, by its former name. Mirrors `gevent.queue.JoinableQueue`.
 *
 * @category models
 * @since 0.1.0
 */
export const JoinableQueue = Queue
export type JoinableQueue<T = unknown> = Queue<T>

/**
 * A queue: last in, first out. Mirrors `gevent.queue.LifoQueue`.
 *
 * @category models
 * @since 0.1.0
 */
export class LifoQueue<in out T = unknown> extends Queue<T> {
  protected override createStore(items: Iterable<T>): Store<T> {
    return new Lifo(items)
  }
}

/** Is `a` less than `b`? Arrays are compared as Python compares tuples, everything else with `<`. */
const isLess = (a: unknown, b: unknown): boolean => {
  if (!Array.isArray(a) || !Array.isArray(b)) return (a as number) < (b as number)
  for (let index = 0; index < a.length && index < b.length; index++) {
    if (isLess(a[index], b[index])) return true
    if (isLess(b[index], a[index])) return false
  }
  return a.length < b.length
}

/**
 * A queue that gives the least item first. Items are compared with `<`, arrays item by item, so `[priority, item]` works
 * as Python's tuples do. Mirrors `gevent.queue.PriorityQueue`.
 *
 * @category models
 * @since 0.1.0
 */
export class PriorityQueue<in out T = unknown> extends Queue<T> {
  protected override createStore(items: Iterable<T>): Store<T> {
    return new Heap(items, isLess)
  }
}

/**
 * A queue without room: who puts waits for who gets. Mirrors `gevent.queue.Channel`.
 *
 * @category models
 * @since 0.1.0
 */
export class Channel<in out T = unknown> extends AbstractQueue<T> {
  constructor(maxsize = 1) {
    super()
    if (maxsize !== 1) throw new ValueError("Channels have a maxsize of 1")
  }

  /** How many wait to put, less how many wait to get. */
  get balance(): number {
    return this.putters.size - this.getters.size
  }

  qsize(): number {
    return 0
  }

  empty(): boolean {
    return true
  }

  full(): boolean {
    return true
  }

  /** Puts an item, waiting until somebody gets it. Dies with `Full` as `Queue.put` does. */
  put(item: Item<T>, options?: QueueOptions): Operation<void> {
    return new Waits((current) => this.putting(current, item as T, options))
  }

  /** Puts an item if somebody waits for one, else dies with `Full`. A callback of the hub returns it. */
  putNowait(item: Item<T>): Operation<void> {
    return this.put(item, { block: false })
  }

  /** Gets an item, waiting until somebody puts one. Dies with `Empty` as `Queue.get` does. */
  get(options?: QueueOptions): Operation<T> {
    return new Waits((current) => this.getting(current, options))
  }

  /** Gets an item if somebody waits to put one, else dies with `Empty`. */
  getNowait(): Operation<T> {
    return this.get({ block: false })
  }

  private putting(current: Microthread, item: T, options: QueueOptions | undefined): Microthread {
    const { hub } = this
    // the hub itself cannot wait
    if (hub.thread.current === hub) {
      this.passOver(this.getters)
      if (this.getters.size === 0) throw new Full("nobody gets it")
      const told = this.getters.shift()!.value.brings(item)
      return told === undefined ? current.give(undefined) : told.perform(current.give(undefined))
    }
    const wait = new Putting(this, current, item)
    const place = this.putters.push(wait)
    const deadline = Deadline.of(secondsOf(options), () => new Full("nobody gets it"))
    if (this.getters.size > 0) this.scheduleUnlock()
    return wait.waits(place, deadline)
  }

  private getting(current: Microthread, options: QueueOptions | undefined): Microthread {
    const { hub } = this
    if (hub.thread.current === hub) {
      this.passOver(this.putters)
      if (this.putters.size === 0) throw new Empty("nobody puts anything")
      const putter = this.putters.shift()!.value
      hub.runCallback(() => putter.brings(this))
      return current.give(putter.item)
    }
    const wait = new GettingFromChannel<T>(this, current)
    const deadline = Deadline.of(secondsOf(options), () => new Empty("nobody puts anything"))
    const place = this.getters.push(wait)
    if (this.putters.size > 0) this.scheduleUnlock()
    return wait.waits(place, deadline)
  }

  override unlock(serving: Serving): Operation<unknown> | undefined {
    for (;;) {
      const { putter } = serving
      if (putter !== undefined) {
        serving.putter = undefined
        const told = putter.brings(this)
        if (told !== undefined) return told
      }
      this.passOver(this.putters)
      this.passOver(this.getters)
      if (this.putters.size === 0 || this.getters.size === 0) return undefined
      const getter = this.getters.shift()!.value
      serving.putter = this.putters.shift()!.value
      const told = getter.brings(serving.putter.item)
      if (told !== undefined) return told
    }
  }

  override toString(): string {
    return `<Channel getters[${this.getters.size}] putters[${this.putters.size}]>`
  }
}

/** It is brought the item itself. */
class GettingFromChannel<T> extends QueueWait<T> {
  protected served(value: unknown): T {
    return value as T
  }
}

/** Not to wait is to wait for no time, which gives the other side a turn. */
const secondsOf = (options: QueueOptions | undefined): Limit => options?.block === false ? 0 : options?.timeout

const shutDown = (): ShutDown => new ShutDown("the queue was shut down")

/** As Python's own queues, it waits for no less than no time. */
const requireNotNegative = (options: QueueOptions | undefined): void => {
  if (options?.block !== false && typeof options?.timeout === "number" && options.timeout < 0) {
    throw new ValueError("'timeout' must be a non-negative number")
  }
}
