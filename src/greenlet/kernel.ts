/**
 * What of the kernel is public.
 *
 * How a thread is made is said in greenlet.ts, which the kernel does not import. A bundler that takes names straight from the
 * kernel's files would leave that out. So these names come from here, and what they are made with from there.
 */
import { bound } from "./greenlet.ts"
import * as calls from "./kernel/call.ts"
import * as current from "./kernel/current.ts"
import * as microthreads from "./kernel/microthread.ts"
import * as operations from "./kernel/operation.ts"

// Each has its documentation where it is made.

export const call: typeof calls.call = bound(calls.call)
export declare namespace call {
  export type Services<Eff> = calls.call.Services<Eff>
}

export const currentThread: typeof current.currentThread = bound(current.currentThread)

export const Microthread: typeof microthreads.Microthread = bound(microthreads.Microthread)
export type Microthread = microthreads.Microthread

export const Operation: typeof operations.Operation = bound(operations.Operation)
export type Operation<A, E = never, R = never> = operations.Operation<A, E, R>

export const Thread: typeof current.Thread = bound(current.Thread)
export type Thread = current.Thread
