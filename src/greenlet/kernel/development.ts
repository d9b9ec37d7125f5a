/**
 * Development mode: finds operations that were made and never performed, as a forgotten `yield*` does, and notes where
 * in the source each greenlet is suspended, for `grFrame`.
 *
 * Nothing of it is paid for while it is off. It works by giving the class `Operation` another base while it is on, whose
 * constructor hears of every operation that is made, and by putting its own methods before the thread's.
 *
 * An operation counts as forgotten if a body made it, neither performed nor piped it, and then performed another one or
 * returned. One that is kept on purpose, to be performed later, is therefore to be made later. Effect's diagnostics for
 * TypeScript (`floatingEffect`) find most of these without running anything; this finds also what types do not show.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Utils from "effect/Utils"
import { runningThread, type Thread } from "./current.ts"
import { type DataFrame, isDataFrame } from "./data-frame.ts"
import { develop, KEPT } from "./developing.ts"
import { GreenletError } from "./errors.ts"
import { exits } from "./exit.ts"
import { type Frame, isEffectFrame } from "./frame.ts"
import { sites } from "./greenlet-frame.ts"
import { Loop } from "./loop.ts"
import { Microthread, Start } from "./microthread.ts"
import { iteratorOfAll as iterator, Operation, PERFORM, switchedOfAll } from "./operation.ts"
import { watchThread } from "./slow.ts"
import { UNSTARTED } from "./state.ts"
import { bare } from "./wrapper.ts"

/**
 * What is told of an operation that was forgotten: an error whose stack says where it was made, and the operation. What
 * it throws is thrown in the body.
 *
 * @category development
 * @since 0.1.0
 */
export type ReportForgotten = (error: GreenletError, operation: Operation<any, any, any>) => void

/**
 * What `developmentMode` is told.
 *
 * @category development
 * @since 0.1.0
 */
export interface DevelopmentOptions {
  /** Told of each forgotten operation; left out, its error is thrown in the body. */
  readonly report?: ReportForgotten
  /** For how long the thread may be held before that is told of; left out, for ever. */
  readonly slow?: Duration.Input
}

interface Made {
  readonly operation: Operation<any, any, any>
  readonly error: GreenletError
}

/** The methods of a thread that begin or end a body's turn. */
interface Turns {
  resume(g: Microthread): IteratorResult<unknown, unknown> | undefined
  returned(g: Microthread, value: unknown): Microthread
  threw(g: Microthread, error: unknown): Microthread
}

let leave: (() => void) | undefined

/**
 * Switches development mode on for all threads, and returns a function that switches it off again.
 *
 * With `slow`, a duration such as `"50 millis"`, it also tells of what holds the thread for longer, so that nothing else has a
 * turn: who it is, for how long, and in Node at which line it stands, in plain code as well. It does so by a warning in
 * Effect's log, and counts it in the metrics `stackless_held` and `stackless_held_millis`. Throws `TypeError` if
 * that is no duration.
 *
 * While it is on, a `run` of tasklets that comes back while some are blocked says who is, as `run({ report: true })` does: once
 * for each wait.
 *
 * @param options `report` is told of each forgotten operation; left out, its error is thrown in the body
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { developmentMode, getcurrent, greenlet } from "effect-stackless/greenlet"
 *
 * const off = developmentMode((error) => console.log(error.message.split(":")[0]))
 * const g = greenlet(function*() {
 *   void getcurrent().parent!.switch("forgotten")
 * })
 * await Effect.runPromise(g.switch())
 * // => an operation was made but not performed
 * off()
 * ```
 *
 * @category development
 * @since 0.1.0
 */
export const developmentMode = (options: ReportForgotten | DevelopmentOptions = {}): () => void => {
  const { report = raise, slow } = typeof options === "function" ? { report: options } : options
  const length = slow === undefined ? undefined : Option.getOrUndefined(Duration.fromInput(slow))
  if (slow !== undefined && !(length !== undefined && Duration.toMillis(length) > 0 && Duration.isFinite(length))) {
    throw new TypeError(`developmentMode takes { slow }, a Duration such as "50 millis"; got ${String(slow)}`)
  }
  leave?.()
  const off = enter(report)
  const stop = length === undefined ? undefined : watchThread(Duration.toMillis(length))
  return leave = () => {
    off()
    stop?.()
    if (leave !== undefined) leave = undefined
  }
}

const raise: ReportForgotten = (error) => {
  throw error
}

const enter = (report: ReportForgotten): () => void => {
  /** Whose frames run. While the kernel performs an operation it is nobody, so that what that makes does not count. */
  let turn: Microthread | undefined
  const made = new WeakMap<Microthread, Array<Made>>()

  const begin = (): void => {
    turn = runningThread()?.current
  }
  /** `g` performs another operation, or returns. */
  const check = (g: Microthread, except?: unknown): void => {
    const list = made.get(g)
    if (list === undefined) return
    made.delete(g)
    for (const { error, operation } of list) if (operation !== except) report(error, operation)
  }
  const used = (g: Microthread, operation: unknown): void => {
    const list = made.get(g)
    if (list === undefined) return
    const left = list.filter((m) => m.operation !== operation)
    if (left.length === 0) made.delete(g)
    else made.set(g, left)
  }

  // ---- operations -------------------------------------------------------------------------------------------------

  const Base = Object.getPrototypeOf(Operation) as new() => Operation<any, any, any>
  /** Instead of `Base`. */
  const Watched = function(this: Operation<any, any, any>): void {
    if ((this.constructor as { [KEPT]?: boolean })[KEPT] !== true) note(this)
  }
  const note = (operation: Operation<any, any, any>): void => {
    const maker = turn
    const error = new GreenletError(
      "an operation was made but not performed: yield* is missing in front of it, at the place that the stack shows"
    )
    error.stack = `${error.name}: ${error.message}\n${outsideLines(error).map((line) => `    ${line}`).join("\n")}`
    if (maker !== undefined) {
      const list = made.get(maker)
      if (list === undefined) made.set(maker, [{ operation, error }])
      else list.push({ operation, error })
    }
    // where a class has a short way, the long one goes through it
    const key = operation["~perform"] === Operation.prototype["~perform"] ? "perform" : PERFORM
    define(operation, key, (perform) =>
      function(this: Operation<any, any, any>, current: Microthread, thread: Thread) {
        turn = undefined
        if (maker !== undefined) used(maker, this)
        check(current, this)
        const frame = current._code as Frame | DataFrame | undefined
        if (frame !== undefined) {
          sites.set(bare(frame), { operation: this, callee: calleeOf(this), lines: outsideLines(error) })
        }
        const next = perform.call(this, current, thread)
        if (isData(next._code)) turn = next
        return next
      })
    for (const key of ["performOutside", "pipe"] as const) {
      define(operation, key, (method) =>
        function(this: Operation<any, any, any>, ...args: Array<any>) {
          if (maker !== undefined) used(maker, this)
          return method.apply(this, args)
        })
    }
  }
  exits.traced = true
  develop(true, note)
  Watched.prototype = Base.prototype
  Object.setPrototypeOf(Operation, Watched)

  // ---- turns ------------------------------------------------------------------------------------------------------

  const effects = Utils.SingleShotGen.prototype
  const thread = Loop.prototype as unknown as Turns
  const undo = [
    ...[iterator, effects as Pick<Frame, "next">].map((steps) =>
      patch(steps, "next", (next) =>
        function(this: unknown, value) {
          const result = next.call(this as Frame, value)
          if (result.done) begin()
          // where it has handed over, it may have entered a frame, whose turn it is
          else if (result !== switchedOfAll) turn = undefined
          return result
        })
    ),
    patch(iterator, "throw", (method) =>
      function(this: unknown, error) {
        begin()
        return method.call(this as Frame, error)
      }),
    patch(Microthread.prototype, "_push", (push) =>
      function(this: Microthread, frame) {
        if (!isEffectFrame(frame)) turn = this
        // what makes operations then is the Effect
        else if (isData(this._code)) turn = undefined
        push.call(this, frame)
      }),
    patch(thread, "resume", (resume) =>
      function(this: Thread, g) {
        turn = g._state === UNSTARTED || g._code instanceof Start || isData(g._code) ? g : undefined
        return resume.call(this as unknown as Turns, g)
      }),
    patch(thread, "returned", (returned) =>
      function(this: Thread, g, value) {
        turn = undefined
        // an operation may be given to an Effect first, and be performed after it, unless that was the body
        if (!isEffectFrame(g._code) || (g._stack?.length ?? 0) === 0) check(g)
        const next = returned.call(this as unknown as Turns, g, value)
        if (isData(next._code)) turn = next
        return next
      }),
    patch(thread, "threw", (threw) =>
      function(this: Thread, g, error) {
        turn = undefined
        made.delete(g)
        return threw.call(this as unknown as Turns, g, error)
      })
  ]

  return () => {
    exits.traced = false
    develop(false, () => {})
    Object.setPrototypeOf(Operation, Base)
    for (const restore of undo) restore()
  }
}

/** Is it a frame that is plain data, with a wrapper in front of it or without? */
const isData = (code: unknown): boolean => isDataFrame(code) && isDataFrame(bare(code))

type Method = (...args: Array<any>) => any

const patch = <T, K extends keyof T>(target: T, key: K, wrap: (method: T[K]) => T[K]): () => void => {
  const method = target[key]
  target[key] = wrap(method)
  return () => {
    target[key] = method
  }
}

/** Puts a method before the one of the object's class, invisibly. */
const define = (object: any, key: PropertyKey, wrap: (method: Method) => Method): void => {
  Object.defineProperty(object, key, { configurable: true, writable: true, value: wrap(object[key]) })
}

const calleeOf = (operation: Operation<any, any, any>): string | undefined =>
  "body" in operation && typeof operation.body === "function" ? operation.body.name || undefined : undefined

/** The folder of the package, unless it is bundled with the program. */
const here = /\/greenlet\/kernel\/[^/]*$/.test(import.meta.url) ? new URL("../..", import.meta.url).pathname : "\0"

/** The lines of a stack that are the program's. */
const outsideLines = (error: Error): Array<string> => {
  return (error.stack ?? "").split("\n").map((line) => line.trim()).filter((line) =>
    line.startsWith("at ") && !line.includes(here) && !line.includes("/node_modules/effect/")
  )
}
