/**
 * `AsyncLocalStorage` follows greenlets and tasklets, as it follows promises and timers.
 *
 * Each gets an `AsyncResource` where it is made, and whatever runs of it runs in that. On Node 20 and 22 the resource holds
 * the stores, and one that a body enters stays in it. From Node 24 on, in Bun and in Deno, it only holds what was in force when it was made. So there
 * another one is made whenever the body stops.
 *
 * Upstream's counterpart is `gr_context`, which greenlet and Stackless exchange in the switch itself. Here that costs too much to be
 * done for everybody, so a program asks for it.
 */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks"
import { type Microthread, type Stretching, type Surroundings, surroundings, surroundWith } from "../greenlet/index.ts"

const resource = (): AsyncResource => new AsyncResource("effect-stackless", { requireManualDestroy: true })

/** Does a store that is entered in a resource stay there? */
const staysEntered = (): boolean => {
  const storage = new AsyncLocalStorage<boolean>()
  const probe = resource()
  probe.runInAsyncScope(() => storage.enterWith(true))
  const stays = probe.runInAsyncScope(() => storage.getStore() === true)
  storage.disable()
  return stays
}

class Follower implements Surroundings {
  private readonly resources = new WeakMap<Microthread, AsyncResource>()
  private readonly atFirst = resource()
  private readonly renews = !staysEntered()

  made(microthread: Microthread): void {
    this.resources.set(microthread, resource())
  }

  within(microthread: Microthread, loop: Stretching): Microthread | undefined {
    let own = this.resources.get(microthread)
    if (own === undefined) {
      // it was made before anybody followed
      own = resource()
      this.resources.set(microthread, own)
    }
    return this.renews
      ? own.runInAsyncScope(this.renewing, this, microthread, loop)
      : own.runInAsyncScope(loop.stretch, loop, microthread)
  }

  private renewing(microthread: Microthread, loop: Stretching): Microthread | undefined {
    const next = loop.stretch(microthread)
    this.resources.set(microthread, resource())
    return next
  }

  outside<A>(make: () => A): A {
    return this.atFirst.runInAsyncScope(make)
  }
}

/** How many have asked for it, and not stopped. */
let asked = 0

/**
 * Has every `AsyncLocalStorage` follow greenlets, tasklets and gevent's greenlets, on all threads. Each of them sees the stores that
 * were in force where it was made, or given its arguments, from its first line to its last; and after `enterWith`, the store
 * that it has entered itself. What others enter it does not see. The main greenlet sees the stores of the program outside, from
 * where that calls `run` or `switch`.
 *
 * One that was made before goes by the stores in force when it is next resumed. A callback in the hub of gevent, such as a
 * link, sees those in force where this was called.
 *
 * Switching is slower while it is on: see the guide. Off, it costs nothing. Returns what stops it.
 *
 * Throws `GreenletError` in a greenlet or a tasklet: call it before the program runs.
 *
 * @example
 * ```ts
 * import { AsyncLocalStorage } from "node:async_hooks"
 * import { Effect } from "effect"
 * import { followAsyncLocalStorage } from "effect-stackless/async-context"
 * import { run, schedule, tasklet } from "effect-stackless/stackless"
 *
 * const stop = followAsyncLocalStorage()
 * const request = new AsyncLocalStorage<string>()
 * const said: Array<string | undefined> = []
 * const handle = tasklet(function*() {
 *   yield* schedule()
 *   said.push(request.getStore())
 * })
 * request.run("first", handle)
 * request.run("second", handle)
 * await Effect.runPromise(run())
 * said // => ["first", "second"]
 * stop()
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const followAsyncLocalStorage = (): () => void => {
  if (surroundings.keeper === undefined) surroundWith(new Follower())
  asked++
  let stopped = false
  return () => {
    if (stopped) return
    if (asked === 1) surroundWith(undefined)
    asked--
    stopped = true
  }
}
