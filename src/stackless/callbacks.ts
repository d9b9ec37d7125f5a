/** Who wants to be told of switches and of what happens on channels. One callback of each kind, for all threads. */
import { callbacks, type ChannelCallback, type ErrorHandler, type ScheduleCallback } from "./scheduler.ts"
import { eachScheduler } from "./threads.ts"

/**
 * Sets the channel callback, or removes it; returns the one before. Throws `TypeError` if it is no function. Mirrors
 * `stackless.set_channel_callback`.
 *
 * @category callbacks
 * @since 0.1.0
 */
export const setChannelCallback = (callback: ChannelCallback | null | undefined): ChannelCallback | undefined =>
  replace("channel", callback)

/**
 * The channel callback. Mirrors `stackless.get_channel_callback`.
 *
 * @category callbacks
 * @since 0.1.0
 */
export const getChannelCallback = (): ChannelCallback | undefined => callbacks.channel

/**
 * Sets the schedule callback, or removes it; returns the one before. Throws `TypeError` if it is no function. Mirrors
 * `stackless.set_schedule_callback`.
 *
 * @category callbacks
 * @since 0.1.0
 */
export const setScheduleCallback = (callback: ScheduleCallback | null | undefined): ScheduleCallback | undefined =>
  replace("schedule", callback)

/**
 * The schedule callback. Mirrors `stackless.get_schedule_callback`.
 *
 * @category callbacks
 * @since 0.1.0
 */
export const getScheduleCallback = (): ScheduleCallback | undefined => callbacks.schedule

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
export const setErrorHandler = (handler?: ErrorHandler | null): ErrorHandler | undefined => replace("error", handler)

const replace = <Kind extends "channel" | "schedule" | "error">(
  kind: Kind,
  callback: (typeof callbacks)[Kind] | null
): (typeof callbacks)[Kind] => {
  if (callback != null && typeof callback !== "function") {
    throw new TypeError(`a ${kind} callback is a function, or undefined for none; got ${typeof callback}`)
  }
  const before = callbacks[kind]
  callbacks[kind] = callback ?? undefined
  eachScheduler((scheduler) => scheduler.attend())
  return before
}
