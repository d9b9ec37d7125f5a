/**
 * An outside waiter: whoever stands in the queue of a channel and is no tasklet. Most are fibers, which wait as long as
 * they live and give their place up when they are interrupted; others stand for a value in the queue of a channel with a
 * capacity, or for one of the channels of a selection. None of them runs the ring, or is part of a deadlock.
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { Starter } from "../greenlet/index.ts"
import type { Channel, Tasklet } from "./ports.ts"

/** Who can stand in a channel's queue. */
export type Waiter = Tasklet | OutsideWaiter

/** What a waiter's links hold: its neighbours in the ring or in a queue, null at the ends of a queue; nothing if in neither. */
export type Link = Waiter | null | undefined

export class OutsideWaiter {
  _right: Link = undefined
  _left: Link = undefined
  _channel: Channel | undefined = undefined
  /** What a sender brings: a value, or an error if `raising`. */
  readonly "~inbox": unknown
  readonly raising: boolean
  /** Told what it waited for: continues the fiber. */
  readonly resume: (effect: Effect.Effect<any>) => void

  /** Taken out of its queue for now, see `withhold` in channel.ts. */
  withheld = false
  /** The fiber of a tasklet, or main, that has started this one and waits for it, as in a timeout. */
  readonly owner: Starter | undefined

  constructor(
    inbox: unknown,
    raising: boolean,
    resume: (effect: Effect.Effect<any>) => void,
    owner: Starter | undefined
  ) {
    this["~inbox"] = inbox
    this.raising = raising
    this.resume = resume
    this.owner = owner
  }

  /** May it be that it has lost a race or run into a timeout, and its fiber has not heard of it yet? */
  get doubtful(): boolean {
    return this.owner?.doubtful === true
  }

  /** It waits no more. */
  leave(): void {
    this.withheld = false
    if (this._channel !== undefined) this._channel.take(this)
  }

  /** The tasklet behind it, if there is one. */
  get tasklet(): Tasklet | undefined {
    return undefined
  }

  /** The same, also while it is only about to wait. */
  get behind(): Tasklet | undefined {
    return undefined
  }
}

/** What is thrown in whoever waited, by the exit that a waiter is told of. */
export const defectOf = (exit: Exit.Failure<unknown, unknown>): unknown => {
  const reason = exit.cause.reasons[0]
  return reason?._tag === "Die" ? reason.defect : reason
}
