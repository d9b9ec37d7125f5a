/**
 * A channel whose other side is elsewhere: on another thread, on another machine, in a table.
 *
 * Upstream has no counterpart. Who sends or receives here waits in its queue as in that of any channel, and can be killed there,
 * timed out, pickled, or be in a `select`. Nobody meets in it: an author, who carries the values, is told that its queue has changed, takes
 * what senders bring with `pull`, and gives receivers with `put` what has come. One relay carries one direction.
 *
 * A tasklet that waits here waits on the outside, as for an Effect: `run` goes on meanwhile, and it is no deadlock.
 */
import * as Exit from "effect/Exit"
import { Channel } from "./channel.ts"
import { defectOf, OutsideWaiter, type Waiter } from "./outside-waiter.ts"
import type { Tasklet } from "./ports.ts"
import { exchangeAsOutsider, partyOf, serve, TAKES_IN, witness } from "./rendezvous.ts"
import type { Scheduler } from "./scheduler.ts"
import { schedulerOf } from "./schedulers.ts"
import { TaskletState } from "./tasklet-state.ts"
import type { Direction } from "./wait-queue.ts"

/**
 * The author of a relay. None of these may switch, or act on the relay.
 *
 * @category models
 * @since 0.2.0
 */
export interface Carrier {
  /** Somebody has lined up, or left. */
  readonly changed: () => void
  /** May a sender go on at once, as its value is taken? */
  readonly room: () => boolean
  /** Takes it. */
  readonly take: (value: any, raising: boolean) => void
}

/**
 * A channel to or from elsewhere.
 *
 * @category models
 * @since 0.2.0
 */
export class Relay<in out T = any> extends Channel<T> {
  private readonly carrier: Carrier
  /** How many values are left in the queue that `put` has brought. */
  private kept = 0
  /** Who is served while `advance` looks. */
  private served: Array<Tasklet> | undefined
  /** The schedulers of the tasklets whose selections wait. */
  private readonly schedulers = new Map<Waiter, Scheduler>()

  constructor(carrier: Carrier) {
    super()
    this.carrier = carrier
    this.mode = TAKES_IN
  }

  /** How many values `put` has brought that nobody has received. */
  get stored(): number {
    return this.kept
  }

  /** Gives a value, or throws an error, to the first who waits to receive, or leaves it to the next one who does. */
  put(value: T, raising = false): void {
    const { right } = this
    // most are tasklets, and nobody is doubtful then
    if (this._balance < 0 && right instanceof TaskletState) return this.meet(right as Tasklet, value, raising, 1)
    this.note()
    const waiter = new OutsideWaiter(value, raising, this.received, undefined)
    if (exchangeAsOutsider(this, waiter, 1)) return
    this.kept++
    this.line(waiter, 1)
  }

  /** Takes what the first sender brings, who goes on. Nothing, if nobody waits to send. */
  pull(): { readonly value: T; readonly raising: boolean } | undefined {
    let pulled: { readonly value: T; readonly raising: boolean } | undefined
    const { right } = this
    if (this.kept === 0 && this._balance > 0 && right instanceof TaskletState) {
      pulled = { value: right["~inbox"] as T, raising: right.raising }
      this.meet(right as Tasklet, undefined, false, -1)
      return pulled
    }
    this.note()
    const waiter = new OutsideWaiter(undefined, false, (effect) => {
      const exit = effect as Exit.Exit<T>
      pulled = Exit.isSuccess(exit)
        ? { value: exit.value, raising: false }
        : { value: defectOf(exit) as T, raising: true }
    }, undefined)
    exchangeAsOutsider(this, waiter, -1)
    return pulled
  }

  /** Tasklets that `f` serves, by `put` and `pull`, run next, each on its thread, in their order. Else they come last. */
  advance(f: () => void): void {
    const served: Array<Tasklet> = this.served = []
    try {
      f()
    } finally {
      this.served = undefined
    }
    // where nobody was runnable, they run next as they stand
    const [first] = served
    const resting = first !== undefined && schedulerOf(first.thread).head === first ? first.thread : undefined
    for (let i = served.length - 1; i >= 0; i--) {
      const tasklet = served[i]!
      const { thread } = tasklet
      if (thread !== resting && tasklet._right !== undefined && tasklet._channel === undefined) {
        schedulerOf(thread).advance(tasklet)
      }
    }
  }

  /** Throws an error in the first who waits to send, whose value is lost to nobody but itself. */
  fail(error: unknown): void {
    const { right } = this
    if (this.kept > 0 || this._balance <= 0 || right === null) return
    this.take(right)
    serve(right, error, true)
  }

  /** Takes out what `put` has left, the first in front. */
  unput(): Array<T> {
    const values: Array<T> = []
    while (this.kept > 0) {
      const waiter = this.right as OutsideWaiter
      this.take(waiter)
      this.kept--
      values.push(waiter["~inbox"] as T)
    }
    return values
  }

  private meet(target: Tasklet, value: unknown, raising: boolean, direction: Direction): void {
    this.served?.push(target)
    this.take(target)
    witness(this, undefined, target, direction)
    serve(target, value, raising)
  }

  /** A tasklet may be served that waits in a selection. */
  private note(): void {
    if (this.served === undefined || this.right === null) return
    const tasklet = partyOf(this.right as Waiter)
    if (tasklet !== undefined) this.served.push(tasklet)
  }

  override get room(): boolean {
    return !this.closing && this.carrier.room()
  }

  override store(value: unknown, raising: boolean): void {
    // a value that `put` brings stays in the queue
    this.carrier.take(value, raising)
  }

  override line(waiter: Waiter, direction: Direction, before: Waiter | null = null): void {
    super.line(waiter, direction, before)
    if (waiter instanceof TaskletState) schedulerOf(waiter.thread).outside++
    else if (waiter.behind !== undefined) {
      const scheduler = schedulerOf(waiter.behind.thread)
      scheduler.outside++
      this.schedulers.set(waiter, scheduler)
    }
    this.carrier.changed()
  }

  override take(waiter: Waiter): Waiter | null {
    const behind = super.take(waiter)
    if (waiter instanceof TaskletState) schedulerOf(waiter.thread).outside--
    else {
      const scheduler = this.schedulers.get(waiter)
      if (scheduler !== undefined) {
        scheduler.outside--
        this.schedulers.delete(waiter)
      }
    }
    this.carrier.changed()
    return behind
  }

  override rebound(from: Scheduler, to: Scheduler): void {
    from.outside--
    to.outside++
  }

  private readonly received = (): void => {
    if (this.kept > 0) this.kept--
  }
}
