/**
 * Types alone: what the files of this layer have to do with each other, named before it is there. Files import downward only; so
 * each of these is declared here, empty, and the file that it is named after adds to it what it is.
 */

/** A tasklet: tasklet.ts. */
export interface Tasklet {}

/** A channel: channel.ts. */
export interface Channel {}

/** The scheduler of a thread: scheduler.ts. */
export interface Scheduler {}

/** Who looks on: observer.ts. */
export interface Observer {}
