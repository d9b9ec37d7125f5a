/**
 * The threads and their numbers, and what runs on each. Carries `get_thread_info` and `getthreads` of
 * `stacklessmodule.c`. A thread is known here from when a tasklet is first made or asked for on it, to its end.
 */
import { currentThread, isThread, programs, type Thread, ValueError } from "../greenlet/index.ts"
import { RuntimeError } from "./errors.ts"
import type { Scheduler, Tasklet } from "./ports.ts"
import { schedulerOf } from "./schedulers.ts"

const ids = new WeakMap<Thread, number>()
const threadsById = new Map<number, WeakRef<Thread>>()
let lastId = 0
/** At how many entries those of threads that have ended are looked for: twice as many as were alive the last time. */
let limit = 16

/** Gives a thread its number. */
export const register = (thread: Thread): void => {
  ids.set(thread, ++lastId)
  threadsById.set(lastId, new WeakRef(thread))
  if (threadsById.size > limit) limit = Math.max(16, 2 * threadsAlive().length)
}

/** The threads that have not ended, the oldest first. Forgets the others. */
const threadsAlive = (): Array<Thread> => {
  const alive: Array<Thread> = []
  for (const [id, ref] of threadsById) {
    const thread = ref.deref()
    if (thread === undefined || thread.ended) threadsById.delete(id)
    else alive.push(thread)
  }
  return alive
}

export const threadIdOf = (thread: Thread): number => thread.ended ? -1 : ids.get(thread) ?? -1

/** The thread that is meant; throws `ValueError` if there is none, `TypeError` for what is none. */
export const threadOf = (thread: Thread | number): Thread => {
  if (typeof thread !== "number" && !isThread(thread)) {
    throw new TypeError(`a thread is given by itself or by its id; got ${typeof thread}`)
  }
  const found = typeof thread === "number" ? threadsById.get(thread)?.deref() : thread
  if (found === undefined || found.ended) throw new ValueError("bad thread: it has ended, or never was")
  schedulerOf(found)
  return found
}

/**
 * Can another thread still do something, so that who waits on this one may be served? One can whose tasklets run, or wait for
 * something else than the end of this thread; and one whose program is at something else. Mirrors `check_for_deadlock`.
 */
export const othersCanRun = (thread: Thread): boolean => {
  for (const other of new Set([...programs, ...threadsAlive()])) {
    if (other === thread || other.ended) continue
    const scheduler = other.scheduler as Scheduler | undefined
    if (other.hosted) {
      if (scheduler?.atRest === true) continue
      if (scheduler !== undefined && scheduler.head !== undefined) return true
    } else if (other.origin === undefined) {
      continue
    }
    if (!other.waitsFor(thread)) return true
  }
  return false
}

/** Calls `f` with the scheduler of each thread that has one. */
export const eachScheduler = (f: (scheduler: Scheduler) => void): void => {
  for (const { scheduler } of threadsAlive()) {
    if (scheduler !== undefined) f(scheduler as Scheduler)
  }
}

/**
 * The ids of the threads that have tasklets, the oldest first. Mirrors `stackless.getthreads`, and the attribute
 * `stackless.threads`.
 *
 * @category inspection
 * @since 0.1.0
 */
export const getthreads = (): Array<number> => threadsAlive().map(threadIdOf)

/**
 * The main tasklet of a thread, its current one (none while it idles), and its run count.
 *
 * @param thread a thread or its id; the current one if left out
 *
 * Throws `RuntimeError` if there is no such thread. Mirrors `stackless.get_thread_info`.
 *
 * @category inspection
 * @since 0.1.0
 */
export const getThreadInfo = (
  thread: Thread | number = currentThread()
): readonly [main: Tasklet, current: Tasklet | undefined, runcount: number] => {
  let found: Thread
  try {
    found = threadOf(thread)
  } catch (error) {
    if (error instanceof TypeError) throw error
    throw new RuntimeError("Thread id not found")
  }
  const { head, main, runcount } = schedulerOf(found)
  return [main, head, runcount]
}
