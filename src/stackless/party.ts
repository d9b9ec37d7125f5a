/**
 * A foreign party: a fiber that is no tasklet, in the queue of a channel. It waits as long as its fiber does, and gives
 * its place up when the fiber is interrupted. It never runs the ring, and is no part of a deadlock.
 */
import type { Effect } from "effect"
import type { Channel } from "./channel.ts"
import type { Link } from "./tasklet.ts"

export class Party {
  right: Link = undefined
  left: Link = undefined
  channel: Channel<any> | undefined = undefined
  /** What a sender brings: a value, or an error if `raising`. */
  readonly inbox: unknown
  readonly raising: boolean
  /** Continues the fiber. */
  readonly resume: (effect: Effect.Effect<any>) => void

  constructor(inbox: unknown, raising: boolean, resume: (effect: Effect.Effect<any>) => void) {
    this.inbox = inbox
    this.raising = raising
    this.resume = resume
  }
}
