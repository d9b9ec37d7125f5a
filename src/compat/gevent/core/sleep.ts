/** Giving way: `sleep` and `idle`. Carries those of `gevent.hub`. */
import type * as Effect from "effect/Effect"
import type { Microthread, Operation } from "../../../greenlet/index.ts"
import { Cooperative, gethub, type Hub, hubOf, HubOperation, Steps, watching } from "./hub.ts"
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

/** A greenlet of this layer sleeps without a frame: 0.15 µs instead of 0.6 for `sleep(0)`. */
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
    if (!(current instanceof Cooperative)) return new Steps(() => sleeping(gethub(), seconds, ref)).perform(current)
    const hub = hubOf(current.thread)
    const wake = () => {
      current._wakes = undefined
      return current.give(undefined)
    }
    if (seconds <= 0) current._wakes = hub.runCallback(wake)
    else {
      const timer = hub.timer(seconds, { ref })
      timer.start(wake)
      current._wakes = timer
    }
    return hub.parks(current, this)
  }
  override toString(): string {
    return `sleep(${this.seconds})`
  }
}

const once = new Sleep(0, true)

function* sleeping(hub: Hub, seconds: number, ref: boolean): Generator<Effect.Effect<void>, void, any> {
  const what = `sleep(${seconds})`
  if (seconds > 0) return yield* watching(hub, hub.timer(seconds, { ref }), what)
  const waiter = new Waiter<void>(hub, what)
  hub.runCallback(() => waiter.switch())
  yield* waiter.wait()
}

/**
 * Lets the others run until nothing is left to do but wait for time to pass or for the outside. Mirrors `gevent.idle`.
 *
 * @category operations
 * @since 0.1.0
 */
export const idle = (priority = 0): Operation<void> => new Steps(() => idling(gethub(), priority))

function* idling(hub: Hub, priority: number): Generator<Effect.Effect<void>, void, any> {
  const waiter = new Waiter<void>(hub, "idle()")
  const watcher = hub.idle(() => waiter.switch(), priority)
  try {
    yield* waiter.wait()
  } finally {
    watcher.stop()
  }
}
