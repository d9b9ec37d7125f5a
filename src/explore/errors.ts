/** What a search finds. */
import * as Data from "effect/Data"
import type { Tasklet } from "../stackless/index.ts"

/**
 * A schedule under which a program fails: the shortest that the search has come to. `cause` is what the program failed with.
 * `schedule` is for `replay`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ScheduleError extends Data.TaggedError("ScheduleError")<{
  readonly message: string
  readonly cause: unknown
  /** The schedule, as `replay` takes it. */
  readonly schedule: string
  /** Who ran after whom, where the schedule is not the scheduler's own. */
  readonly switches: ReadonlyArray<string>
  /** How many schedules were run until the first that fails was found. */
  readonly schedules: number
}> {}

/**
 * A program came to its end, and tasklets are blocked still: what they wait for was lost, or never sent.
 *
 * @category errors
 * @since 0.1.0
 */
export class LeftBlocked extends Data.TaggedError("LeftBlocked")<{
  readonly message: string
  readonly tasklets: ReadonlyArray<Tasklet>
}> {}

/**
 * A schedule does not fit the program: the tasklet that it names cannot run where it says. The program has changed, or does not
 * do the same each time it is run under the same schedule.
 *
 * @category errors
 * @since 0.1.0
 */
export class ScheduleMismatch extends Data.TaggedError("ScheduleMismatch")<{
  readonly message: string
}> {}
