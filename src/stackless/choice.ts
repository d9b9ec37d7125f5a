/** Who runs next, for those who want to say it themselves: tools that run a program under many schedules. */
import { currentThread } from "../greenlet/index.ts"
import { RuntimeError } from "./errors.ts"
import type { Choose } from "./scheduler.ts"
import { schedulerOf } from "./tasklet.ts"

/**
 * Lets `choose` say at every step who runs on the current thread, in place of the scheduler's order. A tasklet that is atomic
 * is not interrupted, nor is anybody while switching is trapped. Returns a function that puts the scheduler's order back.
 *
 * An error that it throws comes out of what the tasklet does that would have run; so does a `RuntimeError` if it gives what is not
 * runnable. Throws `TypeError` if it is no function, `RuntimeError` if somebody chooses already.
 *
 * @category callbacks
 * @since 0.1.0
 */
export const chooseBy = (choose: Choose): () => void => {
  if (typeof choose !== "function") throw new TypeError(`chooseBy takes a function; got ${typeof choose}`)
  const scheduler = schedulerOf(currentThread())
  if (scheduler.choose !== undefined) throw new RuntimeError("somebody chooses already who runs on this thread")
  scheduler.choose = choose
  scheduler.thread.allow(1)
  return () => {
    if (scheduler.choose !== choose) return
    scheduler.choose = undefined
    scheduler.thread.allow(Infinity)
  }
}
