/**
 * A tasklet that goes on elsewhere: on another thread of the processor, on another machine. Upstream pickles a tasklet and leaves it to
 * the program that the copy alone goes on.
 *
 * The tasklet that stays behind keeps its identity: who knows it can still join it, or kill it. It runs a frame of the author's who
 * carries it away, which waits for what becomes of it there.
 */
import * as Exit from "effect/Exit"
import { enlist, failureOf, type Microthread, type Routine } from "../greenlet/index.ts"
import { RuntimeError, TaskletExit } from "./errors.ts"
import { endOf, hideEnd, joinedEndOf } from "./join.ts"
import { OutsideWaiter } from "./outside-waiter.ts"
import { assembleTasklet, takeApartAlone } from "./parts.ts"
import { Relay } from "./relay.ts"
import { schedulerOf } from "./schedulers.ts"
import { Selection } from "./select.ts"
import type { Tasklet } from "./tasklet.ts"

/**
 * Takes a tasklet away. `write` writes it down as it is, but for those who wait for its end; what it gives is given back. After that
 * the tasklet runs `rest`, and is runnable; without one it is dead.
 *
 * If `write` throws, nothing has happened. Throws `RuntimeError` if the tasklet is the current one, or main, or not alive; if it waits on
 * a channel whose other side is here; and, out of `write`, if another tasklet that is alive would be written down with it.
 *
 * @category pickling
 * @since 0.2.0
 */
export const depart = <A>(tasklet: Tasklet, write: () => A, rest: Routine | undefined): A => {
  if (!tasklet.alive) throw new RuntimeError("it is not alive")
  const waitsOn = tasklet._channel
  const channels = waitsOn instanceof Selection ? waitsOn.offers.map(({ target }) => target) : [waitsOn]
  for (const channel of channels) {
    if (channel === undefined || channel instanceof Relay) continue
    throw new RuntimeError(
      `it waits on ${
        channel.name === undefined ? "a channel" : JSON.stringify(channel.name)
      } whose other side stays here`
    )
  }
  if (schedulerOf(tasklet.thread).runs(tasklet)) throw new RuntimeError("it is inside run")
  const showEnd = hideEnd(tasklet)
  try {
    const written = takeApartAlone(tasklet, write)
    tasklet._unblock()
    tasklet.remove()
    tasklet._bindTo(undefined)
    const parts = { inbox: undefined, code: rest, below: [] }
    if (rest === undefined) assembleTasklet(tasklet, { ...parts, state: "dead" }, 0, undefined)
    else {
      assembleTasklet(tasklet, { ...parts, state: "suspended" }, 0, undefined)
      enlist(tasklet as unknown as Microthread)
      tasklet.insert()
    }
    return written
  } finally {
    showEnd()
  }
}

/**
 * Calls `f` with what a tasklet ends with: a `TaskletExit`, if it was killed. An error does not come out of `run` then. Gives back what
 * takes that back.
 *
 * @category pickling
 * @since 0.2.0
 */
export const whenEnded = (tasklet: Tasklet, f: (exit: Exit.Exit<unknown, unknown>) => void): () => void => {
  const waiter = new OutsideWaiter(
    undefined,
    false,
    () => {
      const { _failed: failed, "~inbox": inbox } = tasklet
      f(failed ? failureOf(inbox ?? new TaskletExit()) : Exit.succeed(inbox))
    },
    undefined
  )
  endOf(tasklet).line(waiter, -1)
  return () => waiter.leave()
}

/**
 * Does somebody wait for the end of a tasklet?
 *
 * @category pickling
 * @since 0.2.0
 */
export const isJoined = (tasklet: Tasklet): boolean => joinedEndOf(tasklet) !== undefined
