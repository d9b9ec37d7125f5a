/**
 * Search over schedules: a program is run under many orders of its tasklets' steps, until one is found under which it fails.
 * None of the originals has it.
 *
 * @since 0.1.0
 */
export { LeftBlocked, ScheduleError, ScheduleMismatch } from "./errors.ts"
export { explore, type Explored, type ExploreOptions, replay } from "./explore.ts"
export type { Program } from "./trial.ts"
