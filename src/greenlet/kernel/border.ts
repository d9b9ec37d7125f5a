/** Errors across the border: what a body sees of a cause of Effect, and what Effect sees of an error that a body threw. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { ledThrough } from "./lead.ts"
import type { Microthread } from "./ports.ts"

/**
 * The errors that were typed failures when they entered a body. One that a body lets pass, or throws again, is a typed
 * failure when it leaves; everything else that a body throws is a defect.
 */
const failures = new WeakSet<object>()

/** The same of strings, numbers and the like, which have no identity: the last few are remembered. */
const plainFailures = new Set<unknown>()

const rememberFailure = (error: unknown): void => {
  if (isObject(error)) {
    failures.add(error)
    return
  }
  plainFailures.delete(error)
  plainFailures.add(error)
  if (plainFailures.size > 64) plainFailures.delete(plainFailures.values().next().value)
}

const isObject = (u: unknown): u is object => (typeof u === "object" && u !== null) || typeof u === "function"

/** What the body of `g` sees of a cause: the failure, else the defect, itself; an interrupt is an exit of its kind. */
export const errorOf = (cause: Cause.Cause<unknown>, g: Microthread): unknown => {
  for (const reason of cause.reasons) {
    if (Cause.isFailReason(reason)) {
      rememberFailure(reason.error)
      ledThrough(reason.error, reason)
      return reason.error
    }
  }
  for (const reason of cause.reasons) {
    if (Cause.isDieReason(reason)) {
      ledThrough(reason.defect, reason)
      return reason.defect
    }
  }
  return g._hooks.exitWith("interrupted")
}

/** What Effect sees of an error that a body threw. */
export const failureOf = (error: unknown): Exit.Exit<never, any> =>
  (isObject(error) ? failures.has(error) : plainFailures.has(error)) ? Exit.fail(error) : Exit.die(error)

/** The typed failures that went to somebody whose type knows nothing of them. */
const strays = new WeakSet<object>()

/** For schedulers: an error goes to somebody who did not ask for it, for whom a typed failure is a defect. */
export const strayed = (error: unknown): void => {
  if (!isObject(error)) plainFailures.delete(error)
  else if (failures.delete(error)) strays.add(error)
}

/** For schedulers: it goes to somebody who did, and is what it was. */
export const expected = (error: unknown): void => {
  if (isObject(error) && strays.has(error)) failures.add(error)
}
