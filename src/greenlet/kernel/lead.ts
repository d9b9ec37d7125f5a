/**
 * The way from an error to the user's line.
 *
 * An error that comes out of a wait was made elsewhere, and its stack has lines of this library and of Node alone. Where it
 * is thrown into a body, that body is on the JavaScript stack; so are those that have delegated to it. Their lines are put
 * in front of the others, and behind those of bodies that the error has come through before, as in Python's traceback.
 *
 * Nothing is paid for it before there is an error. Of an exit nobody wants to know where it was.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type { StackFrame } from "effect/References"
import { isExit } from "./brand.ts"
import { type DataFrame, DESCRIBE, lineOf } from "./data-frame.ts"

/** How many lines of bodies an error is given: one that comes out of a deep recursion would have them all. */
const LIMIT = 50

/** How many lines of a stack are looked at. Each generator that delegates takes two. */
const DEPTH = 24

/** The errors that have as many as they get. */
const full = new WeakSet<Error>()

/** How many times a second lines are looked for: each takes some 50 µs, and a program that throws a million errors reads few. */
const RATE = 1_000

const spent = { since: 0, left: RATE }

const affordable = (): boolean => {
  const now = Date.now()
  if (Math.abs(now - spent.since) >= 1_000) {
    spent.since = now
    spent.left = RATE
  }
  return spent.left-- > 0
}

/** Is it an error that lines may be put into? What it takes to find them is worth while then. */
export const mayBeLed = (error: unknown): error is Error =>
  error instanceof Error && !isExit(error) && !full.has(error) && (spent.left > 0 || Date.now() - spent.since >= 1_000)

/** Puts the lines of the bodies that are on the stack, above `below`, into the stack of an error. Returns the error. */
export const led = (error: unknown, below: (...args: Array<any>) => unknown): unknown => {
  if (!(error instanceof Error) || isExit(error) || full.has(error) || !affordable()) return error
  return withLines(error, linesAbove(below))
}

/** Puts the line where a compiled frame stands into the stack of an error that is about to be thrown there. */
export const ledTo = (error: unknown, frame: DataFrame): void => {
  if (!(error instanceof Error) || isExit(error) || full.has(error) || !affordable()) return
  const described = frame[DESCRIBE]?.()
  const line = described === undefined ? undefined : lineOf(described)
  if (line !== undefined) withLines(error, [`    ${line}`])
}

/**
 * Puts into the stack of an error where the Effects were called that it has come through, as `Effect.fn` and spans know it. The
 * `Effect.gen` that has performed the operation which failed has its own line (`failing` in step.ts); one around it is ended without
 * being resumed, and only its generator knows where it stands.
 */
export const ledThrough = (error: unknown, reason: Cause.Reason<unknown>): void => {
  if (reason.annotations.size === 0 || !(error instanceof Error) || isExit(error) || full.has(error)) return
  let frame: StackFrame | undefined = Context.getOrUndefined(Cause.reasonAnnotations(reason), Cause.StackTrace)
  if (frame === undefined || !affordable()) return
  const { stack } = error
  const lines: Array<string> = []
  for (; frame !== undefined && lines.length < LIMIT; frame = frame.parent) {
    const place = frame.stack()?.match(/\((.*)\)/)?.[1] ?? frame.stack()?.replace(/^\s*at /, "")
    const line = `${AT}${frame.name}${place === undefined ? "" : ` (${place})`}`
    // a body is called here; and what the error has come through before knows its callers, too
    if (isOfUser(line) && stack?.includes(line) !== true) lines.push(line)
  }
  withLines(error, lines)
}

/** Says in the stack of an error whose it was. */
export const ledOutOf = (error: unknown, who: string): void => {
  if (error instanceof Error && !full.has(error) && affordable()) withLines(error, [`    in ${who}`])
}

const withLines = (error: Error, lines: ReadonlyArray<string>): Error => {
  const { stack } = error
  if (lines.length === 0 || typeof stack !== "string") return error
  // an engine that writes it otherwise says it as it does
  let end = stack.startsWith(AT) ? 0 : stack.indexOf(`\n${AT}`) + 1
  if (end === 0 && !stack.startsWith(AT)) return error
  let count = lines.length
  while (end < stack.length) {
    const next = stack.indexOf("\n", end)
    const line = next < 0 ? stack.slice(end) : stack.slice(end, next)
    if (!isOfUser(line)) break
    count++
    if (next < 0) return error
    end = next + 1
  }
  if (count > LIMIT) full.add(error)
  try {
    error.stack = `${stack.slice(0, end)}${lines.join("\n")}\n${stack.slice(end)}`
  } catch {
    // it is frozen
  }
  return error
}

const linesAbove = (below: (...args: Array<any>) => unknown): Array<string> => {
  const lines: Array<string> = []
  const { stackTraceLimit } = Error
  if (typeof Error.captureStackTrace !== "function" || !(stackTraceLimit > 0)) return lines
  const holder: { stack?: string } = {}
  try {
    Error.stackTraceLimit = DEPTH
    Error.captureStackTrace(holder, below)
    Error.stackTraceLimit = stackTraceLimit
  } catch {
    // the language's own objects are frozen
    return lines
  }
  for (const line of String(holder.stack).split("\n")) {
    if (line.includes(KERNEL) || line.includes(EFFECT)) break
    if (line.startsWith(AT) && isOfUser(line)) lines.push(line)
  }
  return lines
}

const isOfUser = (line: string): boolean =>
  (line.startsWith(AT) || line.startsWith(IN)) &&
  !line.includes(LIBRARY) && !line.includes(EFFECT) && !line.includes("node:") && !line.includes("(<anonymous>)")

const AT = "    at "
const IN = "    in "
const EFFECT = "/node_modules/effect/"
const here = new URL(import.meta.url).pathname
/** The folder of these files, if they are where they were: bundled with a program they cannot be told from it. */
const KERNEL = /\/greenlet\/kernel\/lead\.\w+$/.test(here) ? here.slice(0, here.lastIndexOf("/") + 1) : "\0"
const LIBRARY = KERNEL.replace(/greenlet\/kernel\/$/, "")
