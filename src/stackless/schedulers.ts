/**
 * The scheduler of a thread, made when it is first asked for.
 *
 * A scheduler has a main tasklet, and a tasklet has a scheduler. So who has both (tasklet.ts) says how one is made, when it
 * is loaded.
 */
import type { Thread } from "../greenlet/index.ts"
import type { Scheduler } from "./ports.ts"

let make: (thread: Thread) => Scheduler = () => {
  throw new Error("schedulers are made by effect-stackless/stackless, which is not loaded")
}

/** Says how one is made. */
export const setMaker = (maker: (thread: Thread) => Scheduler): void => {
  make = maker
}

/** The scheduler of a thread. */
export const schedulerOf = (thread: Thread): Scheduler =>
  (thread.scheduler as Scheduler | undefined) ?? (thread.scheduler = make(thread) as Scheduler)
