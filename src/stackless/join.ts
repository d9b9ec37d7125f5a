/**
 * Waiting for the end of a tasklet, for its result. Upstream has no counterpart: there one sends the result on a channel.
 *
 * So does this. A tasklet that somebody joins gets a channel, on which all who join it receive, in the order they came;
 * what waits there is what waits on any channel: it can be killed, timed out, and found in a deadlock.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { expected, failureOf, GreenletExit, type Microthread, Operation, type Thread } from "../greenlet/index.ts"
import { Channel } from "./channel.ts"
import { RuntimeError, TaskletExit } from "./errors.ts"
import { named } from "./names.ts"
import { OutsideWaiter, type Waiter } from "./outside-waiter.ts"
import type { Tasklet } from "./ports.ts"
import { serve, witness } from "./rendezvous.ts"

const ends = new WeakMap<Tasklet, Channel>()

export class Join<A, E> extends Operation<A, E> {
  readonly tasklet: Tasklet
  constructor(tasklet: Tasklet) {
    super()
    this.tasklet = tasklet
  }

  perform(performer: Microthread): Microthread {
    const { tasklet } = this
    if (!tasklet.dead) return endOf(tasklet).receive().perform(performer)
    if (tasklet._failed) throw errorOf(tasklet)
    return performer.give(tasklet["~inbox"])
  }

  override performOutside(thread: Thread, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A, E> {
    return Effect.suspend((): Effect.Effect<A, E> => {
      const { tasklet } = this
      if (tasklet.dead) return tasklet._failed ? failureOf(errorOf(tasklet)) : Effect.succeed(tasklet["~inbox"] as A)
      const received = endOf(tasklet).receive().performOutside(thread, fiber) as Effect.Effect<A>
      return Effect.catchDefect(received, failureOf) as Effect.Effect<A, E>
    })
  }
}

/** The channel on which others wait for the end of a tasklet, if any do. */
export const joinedEndOf = (tasklet: Tasklet): Channel | undefined => {
  const end = ends.get(tasklet)
  return end === undefined || end.balance === 0 ? undefined : end
}

/** The same, made if there is none yet: the one that is given, or a new one. */
export const endOf = (tasklet: Tasklet, given = new Channel()): Channel => {
  let end = ends.get(tasklet)
  if (end === undefined) {
    end = given
    end.name = `the end of ${named("tasklet", tasklet)}`
    ends.set(tasklet, end)
    tasklet._joined()
  }
  return end
}

/**
 * Takes the channel of its end from a tasklet, for a while in which nobody shall find it. Gives back what puts it in place again.
 */
export const hideEnd = (tasklet: Tasklet): () => void => {
  const end = joinedEndOf(tasklet)
  ends.delete(tasklet)
  return () => {
    if (end !== undefined) endOf(tasklet, end)
  }
}

/** The tasklet has ended: all who joined it get its result. Was there anybody? */
export const tellJoined = (tasklet: Tasklet): boolean => {
  const end = ends.get(tasklet)
  if (end === undefined || end.balance === 0) return false
  ends.delete(tasklet)
  const { _failed: failed } = tasklet
  const result = failed ? errorOf(tasklet) : tasklet["~inbox"]
  while (end.balance < 0) {
    const waiter = end.right as Waiter
    end.take(waiter)
    witness(end, tasklet, waiter instanceof OutsideWaiter ? waiter.tasklet : waiter as Tasklet, 1)
    serve(waiter, result, failed)
  }
  return true
}

/** A `TaskletExit` would end those who join as silently as it ended the tasklet. */
const errorOf = (tasklet: Tasklet): unknown => {
  const { "~inbox": inbox } = tasklet
  expected(inbox)
  return inbox === undefined || inbox instanceof TaskletExit || inbox instanceof GreenletExit
    ? new RuntimeError(`${named("tasklet", tasklet)} was killed, and has no result to join`, { cause: inbox })
    : inbox
}
