/** Sections that the watchdog leaves alone. Carries the context manager `stackless.atomic`. */
import type * as Effect from "effect/Effect"
import {
  BEGIN,
  call,
  CallRoutine,
  currentThread,
  type Mode,
  type Operation,
  type Plain,
  Routine,
  THROW
} from "../greenlet/index.ts"
import { schedulerOf, type Tasklet } from "./tasklet.ts"

/**
 * Runs a body in the current tasklet while that is atomic, so that the watchdog does not interrupt it; the flag is put
 * back when the body returns, throws or is killed. Gives back what the body returns.
 *
 * The body may still switch: atomic is not a lock. Mirrors `with stackless.atomic()`.
 *
 * @category operations
 * @since 0.1.0
 */
export const atomic: {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    f: (...args: Args) => Generator<Eff, A, never>,
    ...args: Args
  ): Operation<A, Effect.Error<Eff>, call.Services<Eff>>
  <Args extends ReadonlyArray<any>, A, E, R>(
    f: (...args: Args) => Effect.Effect<A, E, R>,
    ...args: Args
  ): Operation<A, E, call.Services<Effect.Effect<A, E, R>>>
  <Args extends ReadonlyArray<any>, A>(f: (...args: Args) => Plain<A>, ...args: Args): Operation<A>
} = (f: (...args: ReadonlyArray<any>) => unknown, ...args: ReadonlyArray<unknown>): any => {
  if (typeof f !== "function") throw new TypeError(`atomic takes a function and its arguments; got ${typeof f}`)
  return new CallRoutine(() => new Atomically(f, args))
}

/** Runs a body while the tasklet is atomic. */
export class Atomically extends Routine {
  f: (...args: ReadonlyArray<any>) => unknown
  args: ReadonlyArray<unknown>
  tasklet: Tasklet | undefined = undefined
  before = false
  constructor(f: (...args: ReadonlyArray<any>) => unknown, args: ReadonlyArray<unknown>) {
    super()
    this.f = f
    this.args = args
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (this.pc === BEGIN) {
      const scheduler = schedulerOf(currentThread())
      this.tasklet = scheduler.running ?? scheduler.main
      this.before = this.tasklet.setAtomic(true)
      return this.at(2, call(this.f, ...this.args))
    }
    this.tasklet!.setAtomic(this.before)
    if (mode === THROW) throw value
    return this.ends(value)
  }
}
