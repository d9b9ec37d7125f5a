/**
 * The queue of a channel: who waits there, in order, and the balance that says how many and for what.
 *
 * The links are in those who wait, so that each can be taken out of the middle at once; upstream walks the queue.
 */
import type { Waiter } from "./outside-waiter.ts"
import type { Channel, Scheduler } from "./ports.ts"

/** Which way an action goes: 1 sends, -1 receives. */
export type Direction = 1 | -1

export class WaitQueue {
  /** @internal the first in the queue */
  right: Waiter | null = null
  /** @internal the last in the queue */
  left: Waiter | null = null
  /** @internal see `balance` */
  _balance = 0

  /** @internal lines a waiter up, before another one that waits, or last */
  line(waiter: Waiter, direction: Direction, before: Waiter | null = null): void {
    const left = before === null ? this.left : before._left as Waiter | null
    waiter._left = left
    waiter._right = before
    if (left === null) this.right = waiter
    else left._right = waiter
    if (before === null) this.left = waiter
    else before._left = waiter
    waiter._channel = this as unknown as Channel
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

  /** @internal a tasklet that waits here belongs to another scheduler from now on */
  rebound(_from: Scheduler, _to: Scheduler): void {}

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
}
