/**
 * The tasklet: a microthread in the ring of a scheduler, in the queue of a channel, waiting outside, or paused.
 *
 * Carries `taskletobject.c` of Stackless 3.7.5. What upstream calls `tempval`, what a tasklet gets when it resumes, is
 * its inbox. Where it differs: `blocked` also says that a tasklet waits for a foreign Effect, as it can be made runnable
 * then by nobody but that Effect, or by `throw` and `kill`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as EffectScheduler from "effect/Scheduler"
import {
  type Body,
  bodyOf,
  contextOf,
  currentThread,
  depthOf,
  exitOf,
  fiberOf,
  frameOf,
  GreenletError,
  type GreenletFrame,
  isData,
  type Microthread,
  type NotAsync,
  Operation,
  type Plain,
  pushFrame,
  raisesInEffect,
  rebind,
  setContextOf,
  setFlag,
  surroundings,
  Thread,
  TRACED
} from "../greenlet/index.ts"
import { Bomb } from "./bomb.ts"
import { type ErrorValue, type NoClass, requireClass, RuntimeError, TaskletExit, thrownBy } from "./errors.ts"
import { hardened } from "./hard-body.ts"
import { Join, tellJoined } from "./join.ts"
import { callbacks, Scheduler } from "./scheduler.ts"
import * as schedulers from "./schedulers.ts"
import { BOUND, FAILED, JOINED, PENDING_IRQ, TaskletState } from "./tasklet-state.ts"
import { threadIdOf, threadOf } from "./threads.ts"
import { profileOf, setTrace, type TaskletTrace, traceOf } from "./tracing.ts"

/**
 * What can be said when throwing into a tasklet.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThrowOptions {
  /** Make the tasklet runnable, to get the error when its turn comes, instead of running it at once. */
  readonly pending?: boolean
}

// constants: what is imported is looked at anew at every use

declare const failures: unique symbol

/** The same type. An `any` in it is compared as what it is made of, and not by how that may vary. */
type Mapped<T> = { readonly [K in keyof T]: T[K] }

/**
 * A tasklet, whose body takes `Args`, returns an `A` and fails with an `E`.
 *
 * `new Tasklet(f)` is bound but has no arguments yet: `setup(...args)` gives it those and makes it runnable, as
 * `tasklet(f)(...args)` does in one go. Mirrors `stackless.tasklet`.
 *
 * @category models
 * @since 0.1.0
 */
export class Tasklet<out A = any, E = any, Args extends ReadonlyArray<any> = any> extends TaskletState {
  /** What it fails with, for the type check alone: one of unknown failures stands for one of any. */
  declare readonly [failures]: Mapped<{ readonly of: () => E | typeof failures }>

  /**
   * @param f what it runs
   * @param args its arguments, with which it is alive but not runnable yet
   *
   * Throws `TypeError` if `f` is no function, `RuntimeError` if there are arguments for none.
   */
  constructor(
    f?: Body<Args, A, E> & NotAsync<A> | null,
    args?: Readonly<NoInfer<Args>> | null,
    /** @internal */ thread?: Thread
  ) {
    super(f, thread)
    if (args != null) this.bind(undefined, args)
  }

  // ---- what it runs -----------------------------------------------------------------------------------------------

  /**
   * Binds it to a function, or, with `args`, to a function and its arguments, which makes it alive but not runnable.
   * Without `f` it keeps the one it has; `bind(null)` unbinds it. What it was in the middle of is dropped.
   *
   * Throws `RuntimeError` if it runs, is scheduled, is inside `run` or is the main tasklet, or has arguments to bind and no
   * function, or no thread any more;
   * `TypeError` if `f` is no function. Mirrors `tasklet.bind`.
   */
  bind<F extends Body<Args, A, E>>(f?: F & NotAsync<ReturnType<F>> | null, args?: Readonly<Args> | null): this {
    if (f != null && typeof f !== "function") {
      throw new TypeError(`a tasklet is bound to a function, or to null; got ${typeof f}`)
    }
    if (this.isCurrent) throw new RuntimeError("can't (re)bind the current tasklet")
    if (this.scheduled || this._waitsOutside) throw new RuntimeError("tasklet is scheduled")
    if (this.isMain) throw new RuntimeError("can't (un)bind the main tasklet")
    if (this._scheduler.runs(this)) throw new RuntimeError("tasklet is inside run")
    const body = f ?? (args == null || !this.unstarted ? undefined : bodyOf(this))
    if (args != null && body === undefined) throw notBound()
    if (args != null) this._requireThread()
    this._bindTo(body)
    if (args != null) this._supply(args)
    return this
  }

  /**
   * Gives it its arguments and makes it runnable, at the end of the ring. Throws `RuntimeError` if it is alive, or bound
   * to no function. Mirrors `tasklet.setup`, and calling the tasklet.
   */
  setup(...args: Args): this {
    this._requireThread()
    if (this.alive) throw new RuntimeError("tasklet is alive: it has its arguments already")
    const body = bodyOf(this)
    if (body === undefined) throw notBound()
    this._supply(args)
    this._scheduler.insert(this)
    callbacks.observer?.made(this, typeof body === "function" ? body.name : "")
    return this
  }

  private _supply(args: ReadonlyArray<unknown>): void {
    if (args.length === 1) this.give(args[0])
    else this["~inbox"] = args
    this["~bits"] |= BOUND
    if (surroundings.keeper !== undefined) surroundings.keeper.made(this)
  }

  // ---- the ring ---------------------------------------------------------------------------------------------------

  /**
   * Makes it runnable, at the end of the ring; nothing happens if it is. Throws `RuntimeError` if it is blocked, or not
   * alive. Mirrors `tasklet.insert`.
   */
  insert(): this {
    this._requireUnblocked()
    if (this._right !== undefined) return this
    this._requireThread()
    if (!this.alive) throw new RuntimeError("You cannot run an unbound(dead) tasklet")
    this._scheduler.insert(this)
    callbacks.observer?.inserted(this)
    return this
  }

  /**
   * Takes it out of the ring, so that it is paused; nothing happens if it is. Throws `RuntimeError` if it is blocked, or
   * the current tasklet. Mirrors `tasklet.remove`.
   */
  remove(): this {
    if (this.blocked) throw new RuntimeError("You cannot remove a blocked tasklet.")
    if (this.isCurrent) throw new RuntimeError("The current tasklet cannot be removed.")
    if (this._right !== undefined) this._scheduler.remove(this)
    return this
  }

  /**
   * Runs it at once; the current tasklet stays where it is in the ring. One that is not in the ring is inserted at its
   * end, and the ring is run from there. Dies with `RuntimeError` if it is blocked, not alive, or switching is trapped.
   * Mirrors `tasklet.run`.
   */
  run(): Operation<void> {
    return new Run(this, false)
  }

  /**
   * Runs it at once, and takes the current tasklet out of the ring, which is paused then. Dies as `run` does, and if it
   * belongs to another thread. Mirrors `tasklet.switch`.
   */
  switch(): Operation<void> {
    return new Run(this, true)
  }

  // ---- errors -----------------------------------------------------------------------------------------------------

  /**
   * Throws `error` in it, at once: it runs, out of whatever it was blocked on. `pending` makes it runnable instead. One
   * that waits for a foreign Effect has that interrupted first. In the current tasklet the error is simply thrown.
   *
   * Throws `TypeError` at once for nothing, for a function that is no class of errors, and for a value beside an error that
   * is made. Dies with `RuntimeError` if it is not alive, unless the error is a `TaskletExit` and its thread has not ended.
   * Mirrors `tasklet.throw`.
   *
   * @param error an error, or a class of errors, of which a new one is made
   * @param value of a class: what its constructor takes, an array of that, or an error of it
   */
  throw<Args extends ReadonlyArray<any>, E extends Error>(
    ErrorClass: new(...args: Args) => E,
    value: ErrorValue<Args, E>,
    options?: ThrowOptions
  ): Operation<void>
  throw(ErrorClass: new() => Error, options?: ThrowOptions): Operation<void>
  throw<E>(error: NoClass<E>, options?: ThrowOptions): Operation<void>
  throw(error: unknown, value?: unknown, options?: ThrowOptions): Operation<void> {
    if (options === undefined && isThrowOptions(value)) {
      options = value
      value = undefined
    }
    return new Throw(this, thrownBy("throw", error, value), options?.pending === true, false)
  }

  /**
   * Throws a new error of that class. Throws `TypeError` at once for what is no class: an error that is made is for `throw`.
   * Mirrors `tasklet.raise_exception`.
   */
  raiseException<Args extends ReadonlyArray<any>>(
    ErrorClass: new(...args: Args) => unknown,
    ...args: Args
  ): Operation<void> {
    requireClass("raiseException", "throw(error)", ErrorClass)
    return new Throw(this, new ErrorClass(...args), false, false)
  }

  /** Ends it: throws a `TaskletExit` in it, which ends it silently. Mirrors `tasklet.kill`. */
  kill(options?: ThrowOptions): Operation<void> {
    return new Throw(this, exitOf(TaskletExit), options?.pending === true, true)
  }

  /** The id of its thread, -1 if that has ended. Mirrors `tasklet.thread_id`. */
  get threadId(): number {
    return threadIdOf(this.thread)
  }

  /**
   * Moves it to another thread, given by itself, by its id, or the current one if left out. It can be moved while it is
   * paused or blocked on a channel, and while no Effect of it is on a fiber, which belongs to its thread.
   *
   * Throws `RuntimeError` if it is runnable, waits for an Effect, is the main tasklet, or has a fiber; `ValueError` if
   * there is no such thread, `TypeError` for what is none. Mirrors `tasklet.bind_thread`.
   */
  bindThread(thread: Thread | number = currentThread()): void {
    const target = threadOf(thread)
    if (target === this.thread) return
    if (this.thread.ended) {
      if (this.dead && this._bound) {
        throw new RuntimeError("tasklet cannot go on: it was dropped with its thread, when it did not end")
      }
      this.thread = target
      return
    }
    if (this.isMain) throw new RuntimeError("the main tasklet cannot be bound to another thread")
    if (this._waitsOutside || (this._right !== undefined && this._channel === undefined)) {
      throw new RuntimeError("can't (re)bind a runnable tasklet")
    }
    if (this._scheduler.runs(this)) throw new RuntimeError("tasklet is inside run")
    if (fiberOf(this) !== undefined) throw new RuntimeError("tasklet has a fiber, which cannot leave its thread")
    this.thread.buried(this)
    const from = this._scheduler
    this.thread = target
    this._channel?.rebound(from, this._scheduler)
    if (this.active) target.started(this)
  }

  // ---- what it is in the middle of --------------------------------------------------------------------------------

  /**
   * What it resumes with: the value that `schedule` or `receive` gives it back, or a `Bomb` if an error is thrown there.
   * Of one that is bound but has no arguments it is the function. It can be set while the tasklet does not run, which is
   * how one builds a way to wait of one's own on `scheduleRemove`.
   *
   * Setting it throws `RuntimeError` if the tasklet waits for an Effect; and if it is a `Bomb`, and the tasklet runs.
   * Mirrors `tasklet.tempval`.
   */
  get tempval(): unknown {
    if (this.raising) return new Bomb(this["~inbox"])
    if (this.unstarted) return this.alive ? undefined : bodyOf(this)
    return this.dead ? undefined : this["~inbox"]
  }

  set tempval(value: unknown) {
    if (this._waitsOutside || raisesInEffect(this)) {
      throw new RuntimeError("the tasklet waits for an Effect, which gives it its value: throw into it, or kill it")
    }
    if (value instanceof Bomb) {
      if (this.isCurrent) throw new RuntimeError("the current tasklet resumes with no error: throw it")
      this.raise(value.value)
    } else if (!this.unstarted) {
      this.give(value)
    } else if (!this.alive) {
      this.bind(value as Body | null)
    } else if (this.raising) {
      throw new RuntimeError("it ends of an error at its start, which cannot be taken back")
    }
  }

  /**
   * Where it is suspended: its innermost frame, from which `back` leads outwards. It is there to be read by people;
   * print it. `undefined` if it has not started, is dead, or runs. Mirrors `tasklet.frame`.
   */
  get frame(): GreenletFrame | undefined {
    if (!this.active || this.thread.current === this || this.isMain) return undefined
    return frameOf(this, this.name ?? this.constructor.name)
  }

  /**
   * How many frames it has: 0 before its start and after its end, 1 in its body, one more in each `call` and each
   * Effect. What a plain `yield*` delegates to is part of the frame, unless it is compiled. Mirrors `tasklet.recursion_depth`.
   */
  get recursionDepth(): number {
    if (!this.active) return 0
    // of main it is the program outside, or what runs in its place; and a plain function has no frame while it runs
    return Math.max(1, depthOf(this.isMain ? this.thread.main : this).frames)
  }

  /**
   * Is all that it needs to go on in frames that are data, so that it can be pickled? The compiler makes such frames. What they
   * refer to may still be something that cannot be pickled. Mirrors `tasklet.restorable`.
   */
  get restorable(): boolean {
    return isData(this)
  }

  /**
   * Called for what its frames do: a frame is about to be resumed (`"resume"`, with what it gets; `"throw"`, with the
   * error), has performed something (`"yield"`, with the operation or Effect), has returned (`"return"`, with the value)
   * or thrown (`"exception"`, with the error). A plain function is resumed once. Of an Effect, as any body is while
   * `enableSoftswitch(false)` holds, it is not told what that performs. An error that it throws takes the place of what is
   * traced.
   *
   * Of the main tasklet it is told of the bodies that are run as main, and what those call; not of the program outside.
   *
   * Setting it on a tasklet that is not alive throws `RuntimeError`, and so does setting it on the current tasklet of
   * another thread. Costs nothing while unset. Mirrors `tasklet.trace_function`, which is told of lines of source.
   */
  get traceFunction(): TaskletTrace | undefined {
    return this._traced && this.alive ? traceOf(this) : undefined
  }

  set traceFunction(trace: TaskletTrace | undefined | null) {
    this._trace("trace", trace)
  }

  /**
   * The same, told only of calls and their ends: `"call"`, `"return"` and `"exception"`. Mirrors
   * `tasklet.profile_function`.
   */
  get profileFunction(): TaskletTrace | undefined {
    return this._traced && this.alive ? profileOf(this) : undefined
  }

  set profileFunction(profile: TaskletTrace | undefined | null) {
    this._trace("profile", profile)
  }

  private _trace(kind: "trace" | "profile", trace: TaskletTrace | undefined | null): void {
    if (trace != null && typeof trace !== "function") {
      throw new TypeError(`a ${kind} function is a function, or undefined for none; got ${typeof trace}`)
    }
    if (this.isCurrent && this.thread !== currentThread()) {
      throw new RuntimeError(`You cannot set the ${kind} function of the current tasklet of another thread`)
    }
    if (trace != null && !this.alive) throw new RuntimeError("tasklet is not alive")
    const any = setTrace(this, kind, trace ?? undefined)
    setFlag(this, TRACED, any)
    if (this.isMain) setFlag(this.thread.main, TRACED, any)
    if (any) this._observe()
  }

  // ---- its context ------------------------------------------------------------------------------------------------

  /**
   * Sets the context of Effect that its Effects run in: its services and references. It starts with its creator's.
   * Throws `RuntimeError` if the tasklet belongs to another thread and runs or is scheduled there, `TypeError` if it is
   * no context. Returns the tasklet. Mirrors `tasklet.set_context`.
   */
  setContext<R>(context: Context.Context<R>): this {
    if (!Context.isContext(context)) throw new TypeError(`a tasklet's context is a Context of Effect`)
    if (this.thread !== currentThread() && (this.isCurrent || this.scheduled)) {
      throw new RuntimeError("the tasklet is current or scheduled on another thread")
    }
    setContextOf(this._performer, context as Context.Context<any>)
    return this
  }

  /**
   * Runs an Effect, or a body with its arguments, in the context of this tasklet; who performs it is the caller. Mirrors
   * `tasklet.context_run`. Throws `TypeError` for what is neither.
   */
  contextRun<A, E>(effect: Effect.Effect<A, E, any>): Effect.Effect<A, E>
  contextRun<Args extends ReadonlyArray<any>, A, E = never>(
    f: (...args: Args) => Generator<Effect.Effect<any, E, any>, A, any> | Effect.Effect<A, E, any> | A,
    ...args: Args
  ): Effect.Effect<A, E>
  contextRun(what: Effect.Effect<any, any, any> | Body, ...args: ReadonlyArray<unknown>): Effect.Effect<any, any> {
    if (!Effect.isEffect(what) && typeof what !== "function") {
      throw new TypeError(`contextRun takes an Effect, or a body and its arguments; got ${typeof what}`)
    }
    const context = contextOf(this._performer)
    const effect = Effect.isEffect(what) ? what as Effect.Effect<any, any> : Effect.suspend(() => {
      const made: unknown = hardened(what as Body)(...args)
      return Effect.isEffect(made) ? made as Effect.Effect<unknown> : Effect.succeed(made)
    })
    return Effect.updateContext(
      effect,
      (outer: Context.Context<never>) =>
        context.pipe(
          Context.add(EffectScheduler.Scheduler, Context.get(outer, EffectScheduler.Scheduler)),
          Context.add(Thread, Context.get(outer, Thread))
        )
    ) as Effect.Effect<any, any>
  }

  // ---- its end ----------------------------------------------------------------------------------------------------

  /**
   * Waits for its end, and gives back what its body returned; an error that it died of is thrown here, and does not come
   * out of `run` if somebody waits in `join` when it happens. Of one that has ended it gives the result at once. Upstream
   * has no counterpart.
   *
   * Dies with `RuntimeError` if the tasklet was killed.
   */
  join<Failure = E>(): Operation<A, NoInfer<Failure>> {
    return new Join<A, any>(this)
  }

  private _requireThread(): void {
    if (this.thread.ended) throw noThread()
  }

  private _requireUnblocked(): void {
    if (this.blocked) throw new RuntimeError("You cannot run a blocked tasklet")
  }

  // ---- what the loop asks -----------------------------------------------------------------------------------------

  protected override ends(value: unknown): Microthread {
    this["~bits"] &= ~BOUND
    this["~inbox"] = value
    if ((this["~bits"] & JOINED) !== 0) this._tellJoined()
    return this._scheduler.end(this, false, undefined)
  }

  protected override dies(error: unknown): Microthread {
    this["~bits"] = this["~bits"] & ~BOUND | FAILED
    this["~inbox"] = error
    let failed = true
    if ((this["~bits"] & JOINED) !== 0) failed = !this._tellJoined()
    return this._scheduler.end(this, failed, error)
  }

  /** Was there anybody? */
  private _tellJoined(): boolean {
    this["~bits"] &= ~JOINED
    return tellJoined(this)
  }

  protected override orphaned(): unknown {
    this._unblock()
    if (this._right !== undefined) this._scheduler.remove(this)
    this["~bits"] = this["~bits"] & ~BOUND | FAILED
    const error = this.exitWith("the thread of this tasklet has ended")
    this.raise(error)
    if ((this["~bits"] & JOINED) !== 0) this._tellJoined()
    return error
  }

  /** It has not run to its end: as upstream, an exit that is thrown into it is an error, and only `kill` lets go of it. */
  protected override dropped(): void {
    this["~bits"] |= BOUND
  }

  /** @internal makes it unstarted, with a body; what it was in the middle of is dropped */
  _bindTo(body: Body | undefined): void {
    rebind(this, body)
    if ((this["~bits"] & JOINED) !== 0) {
      this["~bits"] |= FAILED
      this._tellJoined()
    }
    this["~bits"] &= ~(BOUND | PENDING_IRQ | FAILED)
    if (this._traced) {
      setTrace(this, "trace", undefined)
      setFlag(this, TRACED, setTrace(this, "profile", undefined))
    }
  }
}

type Self = Tasklet

declare module "./ports.ts" {
  interface Tasklet extends Self {}
}

/**
 * The program outside: `thread.main` is what the loop resumes, this is what the ring and the channels hold. It is alive as
 * long as it has its frame, which nothing resumes. A class of its own would be asked for wherever a tasklet is.
 */
const mainTasklet = (thread: Thread): Tasklet => {
  const main = new Tasklet(undefined, undefined, thread)
  pushFrame(main, { next: unreachable, throw: unreachable })
  return main
}

const unreachable = (): never => {
  throw new RuntimeError("the main tasklet has no frame")
}

schedulers.setMaker((thread) => new Scheduler(thread, mainTasklet(thread)))

/** @internal The same. What goes through here is kept together with how a scheduler is made, which a bundler might leave out. */
export const bound = <T>(it: T): T => it

/** @internal the scheduler of a thread */
export const schedulerOf = bound(schedulers.schedulerOf)

/**
 * Binds a function; calling what comes back with its arguments makes a tasklet that is runnable. `tasklet()` makes one
 * that is bound to nothing.
 *
 * Throws `TypeError` if `f` is no function. Mirrors `stackless.tasklet(f)(*args)`; where Python keeps the tasklet that
 * has no arguments yet, write `new Tasklet(f)`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { run, tasklet } from "effect-stackless/stackless"
 *
 * const said: Array<string> = []
 * tasklet(function*(name: string) {
 *   said.push(`hello ${name}`)
 * })("world")
 * await Effect.runPromise(run())
 * said // => ["hello world"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const tasklet: {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    f: (...args: Args) => Generator<Eff, A, never>
  ): (...args: Args) => Tasklet<A, Effect.Error<Eff>>
  <Args extends ReadonlyArray<any>, A, E, R>(
    f: (...args: Args) => Effect.Effect<A, E, R>
  ): (...args: Args) => Tasklet<A, E>
  <Args extends ReadonlyArray<any>, A>(f: (...args: Args) => Plain<A>): (...args: Args) => Tasklet<A, never>
  (): Tasklet
} = (...bodies: ReadonlyArray<Body>): any => {
  if (bodies.length === 0) return new Tasklet()
  const [f] = bodies
  if (typeof f !== "function") throw new TypeError(`a tasklet runs a function; got ${f === null ? "null" : typeof f}`)
  return function(argument: unknown) {
    // no array is made for one argument: creating takes a third less memory
    return arguments.length === 1 ? new Tasklet(f).setup(argument) : new Tasklet(f).setup(...arguments)
  }
}

// ---- operations -----------------------------------------------------------------------------------------------------

class Run extends Operation<void> {
  readonly tasklet: Tasklet
  readonly remove: boolean
  constructor(tasklet: Tasklet, remove: boolean) {
    super()
    this.tasklet = tasklet
    this.remove = remove
  }
  perform(performer: Microthread): Microthread {
    const { remove, tasklet } = this
    const scheduler = schedulerOf(performer.thread)
    const current = scheduler.current(performer)
    if (remove && tasklet.thread !== performer.thread) throw new RuntimeError("can't switch to a different thread.")
    const inserted = tasklet._right === undefined
    tasklet.insert()
    if (inserted && tasklet.thread !== performer.thread) schedulerOf(tasklet.thread).advance(tasklet)
    if (remove && tasklet === current && current._right !== current) return this.toOneself(scheduler, current)
    if (remove) scheduler.remove(current)
    try {
      return scheduler.switch(current, tasklet)
    } catch (error) {
      if (remove && current._right === undefined) scheduler.restore(current)
      if (inserted && tasklet._right !== undefined) schedulerOf(tasklet.thread).remove(tasklet)
      throw error
    }
  }

  /**
   * A tasklet that switches to itself goes on as the next tasklet in the ring, and stays in the ring itself with nothing
   * to run. Conformance program slp-0179 shows it. What the other one would have run is lost at the next switch; if it
   * switches to itself before, it has that again, and the frames go on as yet another one. Upstream crashes if the next is
   * main, or main itself does it.
   */
  private toOneself(scheduler: Scheduler, current: Tasklet): Microthread {
    const heir = current._right as Tasklet
    if (heir.isMain) throw new RuntimeError("a tasklet cannot switch to itself: it would go on as the main tasklet")
    if (current.isMain) {
      throw new RuntimeError(
        "the main tasklet cannot switch to itself while others are runnable: it would go on as one of them"
      )
    }
    const own = scheduler.keep(current.bequeath(heir))
    if (own?.heir === current) own.reinstate()
    else current._bindTo(nothing)
    scheduler.remove(current)
    scheduler.insert(current)
    return scheduler.to(heir)
  }
}

/** What a tasklet runs that has nothing to run. */
export const nothing = (): void => {}

class Throw extends Operation<void> {
  readonly tasklet: Tasklet
  readonly error: unknown
  readonly pending: boolean
  /** Is it `kill`, which also ends what no thread has any more? */
  readonly kill: boolean
  constructor(tasklet: Tasklet, error: unknown, pending: boolean, kill: boolean) {
    super()
    this.tasklet = tasklet
    this.error = error
    this.pending = pending
    this.kill = kill
  }
  perform(performer: Microthread): Microthread {
    const scheduler = schedulerOf(performer.thread)
    const current = scheduler.current(performer)
    const { error, pending, tasklet } = this
    if (tasklet === current) throw error
    if (this.isOver()) return performer.give(undefined)
    if (pending || tasklet.isCurrent) {
      this.throwPending()
      return performer.give(undefined)
    }
    scheduler.requireSwitch(tasklet)
    tasklet.raise(error)
    return scheduler.switch(current, tasklet)
  }

  /** A fiber that is no tasklet may make one runnable, which is no switch. */
  override performOutside(thread: Thread, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> {
    if (!this.pending) return thread.standForMain(this, fiber, anotherStandsForMain)
    return Effect.sync(() => {
      if (!this.isOver()) this.throwPending()
    })
  }

  /**
   * Is there nothing left to throw into? That is what `TaskletExit` wants; any other error would be lost. One whose thread
   * has ended could go on on another one: only `kill` ends that.
   */
  private isOver(): boolean {
    const { error, tasklet } = this
    if (tasklet.alive) return false
    const { ended } = tasklet.thread
    if (!(error instanceof TaskletExit) || (ended && !this.kill && tasklet._bound)) {
      throw ended ? noThread() : new RuntimeError("You cannot throw to a dead tasklet")
    }
    if (ended) tasklet._bindTo(undefined)
    else tasklet.remove()
    return true
  }

  private throwPending(): void {
    const { error, tasklet } = this
    // it runs, below who throws; and what main resumes with it is given by the ring
    if (tasklet.isCurrent && (tasklet.thread.looping || tasklet.isMain)) {
      return tasklet._scheduler.throwNext(tasklet, error)
    }
    tasklet._unblock()
    tasklet.raise(error)
    tasklet.insert()
  }
}

const anotherStandsForMain = Effect.suspend(() =>
  Effect.die(
    new GreenletError(
      "another fiber stands for the main greenlet, so that nothing can be thrown at once: kill({ pending: true }) and throw(error, { pending: true }) work from any fiber"
    )
  )
)

const noThread = (): RuntimeError =>
  new RuntimeError("tasklet has no thread: its own has ended, and bindThread() moves it to the current one")

/** Options, where the value of an error may stand. */
const isThrowOptions = (u: unknown): u is ThrowOptions =>
  typeof u === "object" && u !== null && Object.getPrototypeOf(u) === Object.prototype &&
  Object.keys(u).every((key) => key === "pending")

const notBound = (): RuntimeError => new RuntimeError("the tasklet was not bound to a function")
