/**
 * The arrival: lets a greenlet wait for what Node brings, an event of an emitter or a callback, for some time at the most.
 *
 * Takes the place of the watchers of `hub.loop.io` and of `hub.wait`. Every socket and server waits in one of these.
 */
import type * as Effect from "effect/Effect"
import type { Operation } from "../../../greenlet/index.ts"
import { gethub, type Hub, requireOwn } from "../core/hub.ts"
import { Deadline } from "../core/timeout.ts"
import { Waiter } from "../core/waiter.ts"

export class NodeEvent {
  private readonly hub: Hub
  private readonly waiter: Waiter<unknown>
  private told = false

  /** @param what it is waited for, as a report names it */
  constructor(what: unknown, hub: Hub = gethub()) {
    this.hub = hub
    this.waiter = new Waiter<unknown>(hub, what)
  }

  /**
   * Waits for it, for `timeout` seconds at the most. Has it come? Throws `InvalidSwitchError` if somebody switches to the
   * greenlet meanwhile.
   */
  *within(timeout: number | null | undefined): Generator<Effect.Effect<any>, boolean, any> {
    const deadline = new Deadline(timeout)
    // it comes from outside: the hub has something to wait for
    this.hub.ref()
    try {
      requireOwn(this.waiter.what, this, yield* (this.waiter.get() as Operation<unknown>))
      return true
    } catch (error) {
      if (deadline.threw(error)) return false
      throw error
    } finally {
      this.hub.unref()
      deadline.cancel()
    }
  }

  /** Waits for it. */
  *wait(): Generator<Effect.Effect<any>, void, any> {
    yield* this.within(undefined)
  }

  /** It has come: may be called at any time and more than once, and be a listener itself. */
  readonly comes = (): void => {
    if (this.told) return
    this.told = true
    this.hub.arrives(() => this.waiter.switch(this))
  }
}
