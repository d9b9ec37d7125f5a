/**
 * Stackless: tasklets, channels and a scheduler, as in Stackless Python 3.7.
 *
 * @since 0.1.0
 */
export {
  call,
  currentThread,
  developmentMode,
  type DevelopmentOptions,
  makeThread,
  type ReportForgotten,
  rethrow,
  Thread,
  withThread
} from "../greenlet/index.ts"
export { atomic } from "./atomic.ts"
export { Bomb, bomb } from "./bomb.ts"
export { channel, type ChannelOptions } from "./buffer.ts"
export {
  getChannelCallback,
  getScheduleCallback,
  setChannelCallback,
  setErrorHandler,
  setScheduleCallback
} from "./callbacks.ts"
export type { ChannelDescription } from "./channel.ts"
export { Channel } from "./channels.ts"
export { chooseBy } from "./choice.ts"
export { depart, isJoined, whenEnded } from "./departure.ts"
export {
  DeadlockError,
  type ErrorValue,
  type NoClass,
  RuntimeError,
  StopIteration,
  TaskletExit,
  thrownBy,
  ValueError,
  type Waiting
} from "./errors.ts"
export { enableSoftswitch } from "./hard-body.ts"
export { isolated } from "./isolated.ts"
export { LeftBehind, type Leftover } from "./leftover.ts"
export { metrics } from "./metrics.ts"
export { stackless } from "./module.ts"
export { blockedOn, hasFailed, isInRun, isSelection, observe, type Observer } from "./observer.ts"
export {
  assembleChannel,
  assembleTasklet,
  CHANNEL_FIELDS,
  type ChannelParts,
  channelParts,
  lineUp,
  lineUpOffer,
  mainTaskletOf,
  missingOffers,
  OWN_BODIES,
  OWN_FRAMES,
  OWN_SYMBOLS,
  type OwnFrameParts,
  Snapshot,
  snapshot,
  TASKLET_FIELDS,
  type TaskletParts,
  taskletParts
} from "./parts.ts"
export { type Carrier, Relay } from "./relay.ts"
export { getcurrent, getmain, getruncount, run, schedule, scheduleRemove, sleep, switchTrap } from "./run.ts"
export type { ChannelCallback, Choose, ErrorHandler, ScheduleCallback } from "./scheduler.ts"
export { type Cases, select, type Selected, type SelectOptions, SELECTS, type Selects } from "./select.ts"
export { fromQueue, fromStream, toQueue, toStream } from "./stream.ts"
export type { TaskletDescription } from "./tasklet-state.ts"
export { Tasklet, tasklet, type ThrowOptions } from "./tasklet.ts"
export { getThreadInfo, getthreads } from "./threads.ts"
export type { TaskletTrace } from "./tracing.ts"
export type { RunOptions } from "./watch.ts"
