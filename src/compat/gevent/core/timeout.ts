/**
 * The timeout: an error that is thrown in a greenlet when its time is over, whatever it waits for.
 *
 * Carries `gevent.timeout`. What Python writes as `with Timeout(…):` is `timeout.within(function*() { … })`.
 */
import type * as Effect from "effect/Effect"
import {
  BEGIN,
  type Body,
  call,
  CallRoutine,
  exitOf,
  getcurrent,
  GreenletExit,
  hold,
  type Microthread,
  type Mode,
  type Operation,
  passesOn,
  type Plain,
  Routine,
  THROW
} from "../../../greenlet/index.ts"
import { AssertionError } from "./exceptions.ts"
import { describe, gethub, throwing } from "./hub.ts"
import type { Timer } from "./loop.ts"

/** A block: a generator function, a function that returns an Effect, or a plain one. */
export type Block<A, E> = () => Generator<Effect.Effect<any, E, any>, A, any> | Effect.Effect<A, E, any> | A

/**
 * Thrown in the greenlet that started it when `seconds` are over.
 *
 * Nested ones are told apart by identity: `catch (error) { if (error !== timeout) throw error }`. Mirrors
 * `gevent.Timeout`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { call } from "effect-stackless/greenlet"
 * import { sleep, Timeout } from "effect-stackless/compat/gevent"
 *
 * await Effect.runPromise(call(function*() {
 *   const timeout = new Timeout(0.01)
 *   try {
 *     yield* timeout.within(() => sleep(10))
 *     return "slept"
 *   } catch (error) {
 *     return error === timeout ? "too slow" : "something else"
 *   }
 * })) // => "too slow"
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export class Timeout extends Error {
  override readonly name: string = "Timeout"
  static {
    hold(this, "gevent.Timeout")
    passesOn(this, "timeout")
  }
  readonly seconds: number | undefined
  readonly exception: unknown
  private timer: Timer | undefined = undefined

  /**
   * @param seconds after which time; with `undefined` or `null`, never
   * @param exception what is thrown in its place: an error or an error class. `false` has `within` swallow the timeout; a
   * string is part of the message. Throws `TypeError` for anything else
   */
  constructor(seconds?: number | null, exception?: unknown) {
    super(messageOf(seconds, exception))
    if (exception === true || !(throwable.has(typeof exception) || isErrorClass(exception))) {
      throw new TypeError(
        `a Timeout throws an error, an error class, or itself, with false or a string; got ${describe(exception)}`
      )
    }
    this.seconds = seconds ?? undefined
    this.exception = exception ?? undefined
  }

  /** A timeout that has started already. Mirrors `Timeout.start_new`. */
  static startNew(timeout?: number | null | Timeout, exception?: unknown): Timeout {
    const started = timeout instanceof Timeout ? timeout : new this(timeout, exception)
    if (!started.pending) started.start()
    return started
  }

  /** Starts it, for the current greenlet. Throws `AssertionError` if it has started. Mirrors `Timeout.start`. */
  start(): void {
    if (this.pending) throw new AssertionError("this timeout is already started; to restart it, cancel it first")
    if (this.seconds === undefined) return
    const { exception } = this
    const greenlet: Microthread = getcurrent()
    const timer = this.timer ??= gethub().timer(this.seconds, { priority: -1 })
    timer.start(() =>
      throwing(
        greenlet,
        exception === undefined || exception === false || typeof exception === "string" ? this : errorOf(exception)
      )
    )
  }

  /** Has it started, and can still be thrown? */
  get pending(): boolean {
    return this.timer?.pending === true
  }

  /** Stops it; it can be started again. Mirrors `Timeout.cancel`. */
  cancel(): void {
    this.timer?.stop()
  }

  /** Stops it for good. Mirrors `Timeout.close`. */
  close(): void {
    this.cancel()
  }

  /**
   * Runs a block with it, with the timeout started before and closed after it. If this very timeout is thrown out of the block,
   * and was made with `false`, the result is `undefined`. Mirrors `with timeout as t:`.
   */
  within<Eff extends Effect.Effect<any, any, any>, A>(
    block: (timeout: this) => Generator<Eff, A, never>
  ): Operation<A | undefined, Effect.Error<Eff>, call.Services<Eff>>
  within<A, E, R>(
    block: (timeout: this) => Effect.Effect<A, E, R>
  ): Operation<A | undefined, E, call.Services<Effect.Effect<A, E, R>>>
  within<A>(block: (timeout: this) => Plain<A>): Operation<A | undefined>
  within(block: Body): Operation<any, any> {
    return new CallRoutine(() => new Within(this, block))
  }

  /** Its message, as Python's `str` has it: empty if it never comes. */
  override toString(): string {
    return this.message
  }
}

/** A block under a timeout, which is started before it. */
abstract class UnderTimeout extends Routine {
  protected readonly block: Body
  private timeout: Timeout | undefined = undefined
  constructor(block: Body) {
    super()
    this.block = block
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (this.pc === BEGIN) {
      const timeout = this.timeout = this.starts()
      try {
        return this.at(2, this.calls(timeout))
      } catch (error) {
        mode = THROW
        value = error
      }
    }
    const timeout = this.timeout!
    timeout.close()
    return this.ends(mode === THROW ? this.failed(value, timeout) : value)
  }
  protected abstract starts(): Timeout
  protected abstract calls(timeout: Timeout): Operation<unknown, any>
  /** The block has thrown: what is given back instead, if the error is not to be seen. */
  protected abstract failed(error: unknown, timeout: Timeout): unknown
}

class Within extends UnderTimeout {
  private readonly own: Timeout
  constructor(timeout: Timeout, block: Body) {
    super(block)
    this.own = timeout
  }
  protected starts(): Timeout {
    if (!this.own.pending) this.own.start()
    return this.own
  }
  protected calls(timeout: Timeout): Operation<unknown, any> {
    return call(this.block, timeout)
  }
  protected failed(error: unknown, timeout: Timeout): unknown {
    if (error === timeout && timeout.exception === false) return undefined
    throw error
  }
}

/**
 * How long to wait: in seconds, or, if there is none, as long as it takes; or a timeout of one's own, which is started then,
 * unless it has been, and is what the wait ends with.
 */
export type Limit = number | Timeout | null | undefined

/** What `withTimeout` can be told. */
export interface WithTimeoutOptions<B> {
  /** What to give back when time is over, instead of the timeout being thrown. */
  readonly timeoutValue?: B
}

/**
 * Calls `f`, for `seconds` at the most: then a `Timeout` is thrown, or `timeoutValue` given back if there is one. Mirrors
 * `gevent.with_timeout`.
 *
 * @category operations
 * @since 0.1.0
 */
export const withTimeout: {
  <Eff extends Effect.Effect<any, any, any>, A, B = never>(
    seconds: Limit,
    f: () => Generator<Eff, A, never>,
    options?: WithTimeoutOptions<B>
  ): Operation<A | B, Effect.Error<Eff>, call.Services<Eff>>
  <A, E, R, B = never>(
    seconds: Limit,
    f: () => Effect.Effect<A, E, R>,
    options?: WithTimeoutOptions<B>
  ): Operation<A | B, E, call.Services<Effect.Effect<A, E, R>>>
  <A, B = never>(seconds: Limit, f: () => Plain<A>, options?: WithTimeoutOptions<B>): Operation<A | B>
} = (seconds: Limit, f: Block<any, any>, options?: WithTimeoutOptions<any>): any =>
  new CallRoutine(() => new WithTimeout(seconds, f, options))

class WithTimeout extends UnderTimeout {
  private readonly seconds: Limit
  private readonly options: WithTimeoutOptions<any> | undefined
  constructor(seconds: Limit, block: Body, options: WithTimeoutOptions<any> | undefined) {
    super(block)
    this.seconds = seconds
    this.options = options
  }
  protected starts(): Timeout {
    return Timeout.startNew(this.seconds)
  }
  protected calls(): Operation<unknown, any> {
    return call(this.block)
  }
  protected failed(error: unknown, timeout: Timeout): unknown {
    const { options } = this
    if (error === timeout && options !== undefined && "timeoutValue" in options) return options.timeoutValue
    throw error
  }
}

const messageOf = (seconds: number | null | undefined, exception: unknown): string => {
  if (seconds == null) return ""
  const after = `${seconds} second${seconds === 1 ? "" : "s"}`
  if (exception == null) return after
  if (exception === false) return `${after} (silent)`
  const what = exception instanceof Error ? exception.message : isErrorClass(exception) ? exception.name : exception
  return `${after}: ${describe(what)}`
}

/** What a `Timeout` can be made with: none, `false`, a string, an error. */
const throwable: ReadonlySet<string> = new Set(["undefined", "boolean", "string", "object"])

export const isErrorClass = (u: unknown): u is new(...args: ReadonlyArray<unknown>) => Error =>
  typeof u === "function" && u.prototype instanceof Error

/** An error, or one made of a class and what its constructor takes, as Python raises both. */
export const errorOf = (exception: unknown, ...args: ReadonlyArray<unknown>): unknown => {
  if (exception === GreenletExit && args.length === 0) return exitOf(GreenletExit)
  return isErrorClass(exception) ? new exception(...args) : exception
}

/** A time limit inside an operation: the error that it throws is made when it is needed, as most are not. */
export class Deadline {
  /** What was thrown, if time was over. */
  error: unknown = undefined
  private readonly timer: Timer | Timeout | undefined

  constructor(seconds: Limit, makeError?: () => unknown) {
    if (seconds == null) return
    if (seconds instanceof Timeout) {
      this.error = this.timer = Timeout.startNew(seconds)
      return
    }
    const greenlet: Microthread = getcurrent()
    const timer = gethub().timer(seconds, { priority: -1 })
    timer.start(() => throwing(greenlet, this.error = makeError === undefined ? new Timeout(seconds) : makeError()))
    this.timer = timer
  }

  /** Nothing, where time does not matter: most waits have none. */
  static of(seconds: Limit, makeError?: () => unknown): Deadline | undefined {
    return seconds == null ? undefined : new Deadline(seconds, makeError)
  }

  /** Is that the error it threw? */
  threw(error: unknown): boolean {
    return this.error !== undefined && this.error === error
  }

  cancel(): void {
    const { timer } = this
    if (timer instanceof Timeout) timer.close()
    else timer?.stop()
  }
}
