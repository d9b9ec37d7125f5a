/** Who wants to be told of switches and of what happens on channels. One callback of each kind, for all threads. */
import { type ChannelCallback, channelCallbackNow, replaceChannelCallback } from "./channel.ts"
import { replaceScheduleCallback, type ScheduleCallback, scheduleCallbackNow } from "./scheduler.ts"

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

const functionOrNone = <F>(what: string, callback: F | null | undefined): F | undefined => {
  if (callback == null) return undefined
  if (typeof callback === "function") return callback
  throw new TypeError(`a ${what} callback is a function, or undefined for none; got ${typeof callback}`)
}
