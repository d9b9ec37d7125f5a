/**
 * Stackless: tasklets, channels and a scheduler, as in Stackless Python 3.7.
 *
 * @since 0.1.0
 */
export { call } from "../greenlet/index.ts"
export { getChannelCallback, getScheduleCallback, setChannelCallback, setScheduleCallback } from "./callbacks.ts"
export { Channel, channel, type ChannelCallback } from "./channel.ts"
export { DeadlockError, RuntimeError, StopIteration, TaskletExit, ValueError, type Waiting } from "./errors.ts"
export { getcurrent, getmain, getruncount, run, schedule, scheduleRemove, switchTrap } from "./run.ts"
export type { ScheduleCallback } from "./scheduler.ts"
export { Tasklet, tasklet, type ThrowOptions } from "./tasklet.ts"
