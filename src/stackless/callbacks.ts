/** Who wants to be told of switches and of what happens on channels. One callback of each kind, for all threads. */
import { type ChannelCallback, channelCallbackNow, replaceChannelCallback } from "./channel.ts"
import {
  type ErrorHandler,
  replaceErrorHandler,
  replaceScheduleCallback,
  type ScheduleCallback,
  scheduleCallbackNow
} from "./scheduler.ts"

/**
 * Sets the channel callback, or removes it; returns the one before. Throws `TypeError` if it is no function. Mirrors
 * `stackless.set_channel_callback`.
 *
 * @category callbacks
 * @since 0.1.0
 */
export const setChannelCallback = (callback: ChannelCallback | null | undefined): ChannelCallback | undefined =>
  replaceChannelCallback(functionOrNone("channel", callback))

/**
 * The channel callback. Mirrors `stackless.get_channel_callback`.
 *
 * @category callbacks
 * @since 0.1.0
 */
export const getChannelCallback = (): ChannelCallback | undefined => channelCallbackNow()

/**
 * Sets the schedule callback, or removes it; returns the one before. Throws `TypeError` if it is no function. Mirrors
 * `stackless.set_schedule_callback`.
 *
 * @category callbacks
 * @since 0.1.0
 */
export const setScheduleCallback = (callback: ScheduleCallback | null | undefined): ScheduleCallback | undefined =>
  replaceScheduleCallback(functionOrNone("schedule", callback))

/**
 * The schedule callback. Mirrors `stackless.get_schedule_callback`.
 *
 * @category callbacks
 * @since 0.1.0
 */
export const getScheduleCallback = (): ScheduleCallback | undefined => scheduleCallbackNow()

/**
 * Sets what is called with each error that a tasklet did not catch, in place of throwing it at whoever is in `run`; or
 * removes it. Returns the one before. An error that the handler throws is thrown there instead. `TaskletExit` is none of
 * its business, nor is an error that somebody waits for in `join`.
 *
 * Throws `TypeError` if it is no function. Mirrors `stackless.set_error_handler`.
 *
 * @category callbacks
 * @since 0.1.0
 */
export const setErrorHandler = (handler?: ErrorHandler | null): ErrorHandler | undefined =>
  replaceErrorHandler(functionOrNone("error", handler))

const functionOrNone = <F>(what: string, callback: F | null | undefined): F | undefined => {
  if (callback == null) return undefined
  if (typeof callback === "function") return callback
  throw new TypeError(`a ${what} callback is a function, or undefined for none; got ${typeof callback}`)
}
