/**
 * Which thread is the current one, and how one is made where there is none yet.
 *
 * A thread is made of more than the kernel: its main is a greenlet, and its greenlets have fibers. So who has all of it
 * (../threads.ts) says how a thread is made, when it is loaded.
 */
import * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"
import type * as ports from "./ports.ts"
import { stepping } from "./step.ts"

const { step } = stepping

/**
 * A thread of greenlets.
 *
 * @category models
 * @since 0.1.0
 */
export type Thread = ports.Thread

let makeDefault: () => Thread = () => {
  throw new Error("threads are made by effect-stackless/greenlet, which is not loaded")
}

/** Says how the default thread is made. */
export const setDefaultThread = (make: () => Thread): void => {
  makeDefault = make
}

let made: Thread | undefined

const defaultThread = (): Thread => made ??= makeDefault()

/**
 * The thread that greenlets are made on and operations performed on: the realm's default one, unless the context has
 * another. Upstream's counterpart is the OS thread.
 *
 * @category references
 * @since 0.1.0
 */
export const Thread: Context.Reference<Thread> = Context.Reference("effect-stackless/Thread", {
  defaultValue: defaultThread
})

/** The thread of whoever calls: the one whose loop runs, else that of the current fiber, else the default one. */
export const currentThread = (): Thread => {
  const fiber = Fiber.getCurrent()
  const { thread } = step
  if (thread !== undefined && (fiber === undefined || thread.runsOn(fiber))) return thread
  return fiber?.getRef(Thread) ?? defaultThread()
}

/** @internal the thread whose loop is on the JavaScript stack */
export const runningThread = (): Thread | undefined => step.thread
