/**
 * A foreign party: whoever stands in the queue of a channel and is no tasklet. Most are fibers, which wait as long as
 * they live and give their place up when they are interrupted; others stand for a value in the queue of a channel with a
 * capacity, or for one of the channels of a selection. None of them runs the ring, or is part of a deadlock.
 */
import type { Effect } from "effect"
import type { Channel } from "./channel.ts"
import type { Link, Tasklet } from "./tasklet.ts"

export class Party {
  right: Link = undefined
  left: Link = undefined
  channel: Channel<any> | undefined = undefined
  /** What a sender brings: a value, or an error if `raising`. */
  readonly inbox: unknown
  readonly raising: boolean
  /** Told what it waited for: continues the fiber. */
  readonly resume: (effect: Effect.Effect<any>) => void

  constructor(inbox: unknown, raising: boolean, resume: (effect: Effect.Effect<any>) => void) {
    this.inbox = inbox
    this.raising = raising
    this.resume = resume
  }

  /** The tasklet behind it, if there is one. */
  get tasklet(): Tasklet | undefined {
    return undefined
  }
}
