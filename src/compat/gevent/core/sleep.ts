/** Giving way: `sleep` and `idle`. Carries those of `gevent.hub`. */
import type { Microthread, Operation } from "../../../greenlet/index.ts"
import { Cooperative, gethub, type Hub, hubOf, HubOperation, requireNoTasklet, Waits, watching } from "./hub.ts"
import { type Idle, Wake } from "./loop.ts"
import { WaitFrame } from "./wait-frame.ts"
import { Waiter } from "./waiter.ts"

/** How to sleep. */
export interface SleepOptions {
  /** Does the hub wait for it? `false`: if nothing else is left to wait for, the main greenlet gets `LoopExit`. */
  readonly ref?: boolean
}

/**
 * Lets the others run, for `seconds` at the least; with 0, once around. Mirrors `gevent.sleep`.
 *
 * @category operations
 * @since 0.1.0
 */
export const sleep = (seconds = 0, options?: SleepOptions): Operation<void> =>
  seconds <= 0 ? once : new Sleep(seconds, options?.ref !== false)

/** A greenlet of this layer sleeps without a frame. */
class Sleep extends HubOperation<void> {
  readonly seconds: number
  readonly ref: boolean
  constructor(seconds: number, ref: boolean) {
    super()
    this.seconds = seconds
    this.ref = ref
  }
  perform(current: Microthread): Microthread {
    const { ref, seconds } = this
    if (!(current instanceof Cooperative)) return sleeping(current, gethub(), seconds, ref)
    const hub = hubOf(current.thread)
    if (seconds <= 0) current._wakes = hub.runSoon(new Wake(current))
    else {
      const timer = hub.timer(seconds, { ref })
      timer.start(() => {
        current._wakes = undefined
        return current.give(undefined)
      })
      current._wakes = timer
    }
    return hub.parks(current, this)
  }
  override toString(): string {
    return `sleep(${this.seconds})`
  }
}

const once = new Sleep(0, true)

const sleeping = (current: Microthread, hub: Hub, seconds: number, ref: boolean): Microthread => {
  requireNoTasklet(current)
  const what = `sleep(${seconds})`
  if (seconds > 0) return watching(current, hub, hub.timer(seconds, { ref }), what)
  const waiter = new Waiter<void>(hub, what)
  hub.runCallback(() => waiter.switch())
  return waiter.get().perform(current)
}

/**
 * Lets the others run until nothing is left to do but wait for time to pass or for the outside. Mirrors `gevent.idle`.
 *
 * @category operations
 * @since 0.1.0
 */
export const idle = (priority = 0): Operation<void> =>
  new Waits((current) => {
    const hub = gethub()
    const wait = new Idling(current, hub, priority)
    return wait.parks(current, hub, "idle()")
  })

class Idling extends WaitFrame<void> {
  private readonly watcher: Idle
  constructor(greenlet: Microthread, hub: Hub, priority: number) {
    super()
    this.watcher = hub.idle(() => hub.brings(greenlet, undefined), priority)
  }
  protected came(): void {
    this.watcher.stop()
  }
  protected failed(error: unknown): void {
    this.watcher.stop()
    throw error
  }
}
