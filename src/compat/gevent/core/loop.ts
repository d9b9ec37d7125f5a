/**
 * The loop under the hub: callbacks that run next, timers, and what runs when there is nothing else to do.
 *
 * Carries the order of `gevent.core` on libev: an iteration runs the callbacks until there are none, those included that
 * they add; then come the timers that are due, by priority and then by time; and watchers for idleness only if no timer
 * of their priority was. Where it differs: there are no watchers for I/O, as a greenlet waits for that as for any foreign Effect, and time
 * is that of Effect's `Clock`, in milliseconds.
 */
import * as Arr from "effect/Array"
import * as Order from "effect/Order"
import type { Microthread, Operation, Routine } from "../../../greenlet/index.ts"

/**
 * What a callback can do: nothing that switches; or an operation; or several, as a generator. A scheduler's own code also gives
 * a routine, or names a greenlet, having said what it resumes with.
 */
export type Turn = Microthread | Operation<unknown, unknown> | Routine | Generator<any, unknown, any> | void

/** Something to run in the hub. */
export interface Runnable {
  /** Is it still to be run? */
  readonly pending: boolean
  run(): Turn
}

// ---- callbacks ------------------------------------------------------------------------------------------------------

/** A function to be called by the hub, once, unless it is stopped before. Mirrors `gevent.core.callback`. */
export class Callback implements Runnable {
  /** @internal the one after it */
  next: Callback | undefined = undefined
  private f: (() => Turn) | undefined

  constructor(f: () => Turn) {
    this.f = f
  }

  get pending(): boolean {
    return this.f !== undefined
  }

  stop(): void {
    this.f = undefined
  }

  run(): Turn {
    const f = this.f!
    this.f = undefined
    return f()
  }
}

const nothing = (): void => {}

/** Resumes a greenlet that sleeps: without a closure of its own, a `sleep(0)` takes less. */
export class Wake<G extends Sleeper> extends Callback {
  private readonly greenlet: G
  constructor(greenlet: G) {
    super(nothing)
    this.greenlet = greenlet
  }
  override run(): Turn {
    const { greenlet } = this
    this.stop()
    greenlet._wakes = undefined
    return greenlet.give(undefined)
  }
}

/** A greenlet that something wakes. */
interface Sleeper extends Microthread {
  _wakes: { stop(): void } | undefined
}

/** The callbacks that wait to be run, the first come first. */
export class Callbacks {
  private head: Callback | undefined = undefined
  private tail: Callback | undefined = undefined

  get empty(): boolean {
    return this.head === undefined
  }

  push(callback: Callback): void {
    if (this.tail === undefined) this.head = callback
    else this.tail.next = callback
    this.tail = callback
  }

  shift(): Callback | undefined {
    const { head } = this
    if (head === undefined) return undefined
    this.head = head.next
    if (head.next === undefined) this.tail = undefined
    head.next = undefined
    return head
  }
}

// ---- timers ---------------------------------------------------------------------------------------------------------

/** A function to be called by the hub when its time has come. Mirrors `loop.timer(…)`. */
export class Timer implements Runnable {
  /** When it is due, by the hub's time in milliseconds. */
  due = 0
  /** Where it is in the heap of its loop; -1 if it is not. */
  index = -1
  /** Orders timers that are due at the same time: the one started first comes first. */
  order = 0
  private fired = false
  private f: (() => Turn) | undefined = undefined
  private readonly timers: Timers
  /** In seconds. */
  readonly seconds: number
  /** Of those that are due in one iteration, the higher runs first. */
  readonly priority: number
  private ref_: boolean

  constructor(timers: Timers, seconds: number, priority = 0, ref = true) {
    this.timers = timers
    this.seconds = seconds
    this.priority = priority
    this.ref_ = ref
  }

  /** Does the loop wait for it? Can be set at any time. */
  get ref(): boolean {
    return this.ref_
  }

  set ref(ref: boolean) {
    if (ref === this.ref_) return
    this.ref_ = ref
    if (this.index >= 0) this.timers.refs += ref ? 1 : -1
  }

  /** Is it started and has not been run? */
  get pending(): boolean {
    return this.index >= 0 || this.fired
  }

  start(f: () => Turn): void {
    this.stop()
    this.f = f
    this.timers.add(this)
  }

  stop(): void {
    this.f = undefined
    this.fired = false
    if (this.index >= 0) this.timers.remove(this)
  }

  /** @internal it is due, and out of the heap */
  fire(): void {
    this.fired = true
  }

  run(): Turn {
    const f = this.f!
    this.f = undefined
    this.fired = false
    return f()
  }
}

/** The timers that are started: a binary heap by the time they are due. */
export class Timers {
  private readonly heap: Array<Timer> = []
  private readonly now: () => number
  private count = 0
  /** How many of them the loop waits for. */
  refs = 0

  constructor(now: () => number) {
    this.now = now
  }

  /** When the earliest is due. */
  get earliest(): number | undefined {
    return this.heap[0]?.due
  }

  add(timer: Timer): void {
    timer.due = this.now() + Math.max(0, timer.seconds) * 1000
    timer.order = this.count++
    if (timer.ref) this.refs++
    this.heap.push(timer)
    this.up(timer, this.heap.length - 1)
  }

  remove(timer: Timer): void {
    const { heap } = this
    const { index } = timer
    const last = heap.pop()!
    if (last !== timer) {
      this.up(last, index)
      this.down(last, last.index)
    }
    timer.index = -1
    if (timer.ref) this.refs--
  }

  /** Takes out the timers that are due, in the order in which they are to be run. */
  take(now: number): ReadonlyArray<Timer> {
    const taken: Array<Timer> = []
    for (let timer = this.heap[0]; timer !== undefined && timer.due <= now; timer = this.heap[0]) {
      this.remove(timer)
      timer.fire()
      taken.push(timer)
    }
    // the sort is stable: within a priority they stay as they came out of the heap
    return taken.length > 1 ? Arr.sort(taken, byPriority) : taken
  }

  private up(timer: Timer, index: number): void {
    const { heap } = this
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = heap[above]!
      if (!before(timer, parent)) break
      this.put(parent, index)
      index = above
    }
    this.put(timer, index)
  }

  private down(timer: Timer, index: number): void {
    const { heap } = this
    for (;;) {
      let below = 2 * index + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && before(heap[below + 1]!, heap[below]!)) below++
      const child = heap[below]!
      if (!before(child, timer)) break
      this.put(child, index)
      index = below
    }
    this.put(timer, index)
  }

  private put(timer: Timer, index: number): void {
    this.heap[index] = timer
    timer.index = index
  }
}

/** The highest first. */
const byPriority: Order.Order<Timer> = Order.mapInput(Order.Number, (timer) => -timer.priority)

const before = (a: Timer, b: Timer): boolean => a.due < b.due || (a.due === b.due && a.order < b.order)

// ---- idleness -------------------------------------------------------------------------------------------------------

/** A function to be called when there is nothing else to do. Mirrors `loop.idle()`. */
export class Idle implements Runnable {
  private f: (() => Turn) | undefined
  private readonly idles: Idles
  readonly priority: number

  constructor(idles: Idles, priority: number, f: () => Turn) {
    this.idles = idles
    this.priority = priority
    this.f = f
    idles.add(this)
  }

  get pending(): boolean {
    return this.f !== undefined
  }

  stop(): void {
    this.f = undefined
    this.idles.remove(this)
  }

  run(): Turn {
    return this.f!()
  }
}

/**
 * The watchers for idleness. Their order is libev's: the one started last is called first, and the place of one that
 * stops is taken by the last.
 */
export class Idles {
  private readonly watchers: Array<Idle> = []

  get empty(): boolean {
    return this.watchers.length === 0
  }

  add(idle: Idle): void {
    this.watchers.push(idle)
  }

  remove(idle: Idle): void {
    const index = this.watchers.indexOf(idle)
    if (index < 0) return
    const last = this.watchers.pop()!
    if (last !== idle) this.watchers[index] = last
  }

  /**
   * Those of the highest priority, in the order in which they are to be run: unless a timer is due that has no lower one.
   */
  take(due: Timer | undefined): ReadonlyArray<Idle> {
    const highest = Math.max(...this.watchers.map((idle) => idle.priority))
    if (due !== undefined && due.priority >= highest) return []
    return Arr.reverse(this.watchers.filter((idle) => idle.priority === highest))
  }
}
