/**
 * The tasklet: a microthread in the ring of a scheduler, in the queue of a channel, waiting outside, or paused.
 *
 * Carries `taskletobject.c` of Stackless 3.7.5. What upstream calls `tempval`, what a tasklet gets when it resumes, is
 * its inbox. Where it differs: `blocked` also says that a tasklet waits for a foreign Effect, as it can be made runnable
 * then by nobody but that Effect, or by `throw` and `kill`.
 */
import { Effect, type Fiber } from "effect"
import { type Body, Microthread, Operation, type Thread } from "../greenlet/index.ts"
import type { Channel } from "./channel.ts"
import { RuntimeError, TaskletExit } from "./errors.ts"
import type { Party } from "./party.ts"
import { type Scheduler, schedulerOf } from "./scheduler.ts"

/** Who can stand in a channel's queue. */
export type Waiter = Tasklet | Party

/** What a tasklet's links hold: its neighbours in the ring, or in the queue of a channel that both ends lead to. */
export type Link = Waiter | Channel<any> | undefined

// the flags
const BOUND = 1
const BLOCK_TRAP = 2
const ATOMIC = 4
const IGNORE_NESTING = 8
const WAITS_OUTSIDE = 16

/** What can be said when throwing into a tasklet. */
export interface ThrowOptions {
  /** Make the tasklet runnable, to get the error when its turn comes, instead of running it at once. */
  readonly pending?: boolean
}

/**
 * A tasklet, whose body returns an `A` and fails with an `E`.
 *
 * `new Tasklet(f)` is bound but has no arguments yet: `setup(...args)` gives it those and makes it runnable, as
 * `tasklet(f)(...args)` does in one go. Mirrors `stackless.tasklet`.
 *
 * @category models
 * @since 0.1.0
 */
export class Tasklet<out A = any, out E = any> extends Microthread {
  /** @internal the neighbour after it */
  right: Link = undefined
  /** @internal the neighbour before it */
  left: Link = undefined
  /** @internal the channel that it is blocked on */
  channel: Channel<any> | undefined = undefined
  private flags = 0

  constructor(f?: Body<any, A, E> | null, /** @internal */ thread?: Thread) {
    super(f, thread)
  }

  private get scheduler(): Scheduler {
    return schedulerOf(this.thread)
  }

  // ---- what it runs -----------------------------------------------------------------------------------------------

  /**
   * Binds it to a function, or, with `args`, to a function and its arguments, which makes it alive but not runnable.
   * Without `f` it keeps the one it has; `bind(null)` unbinds it. What it was in the middle of is dropped.
   *
   * Throws `RuntimeError` if it runs, is scheduled or is the main tasklet, or has arguments to bind and no function;
   * `TypeError` if `f` is no function. Mirrors `tasklet.bind`.
   */
  bind(f?: Body<any, A, E> | null, args?: ReadonlyArray<unknown>): this {
    if (f != null && typeof f !== "function") {
      throw new TypeError(`a tasklet is bound to a function, or to null; got ${typeof f}`)
    }
    if (this.isCurrent) throw new RuntimeError("can't (re)bind the current tasklet")
    if (this.scheduled || this.waitsOutside) throw new RuntimeError("tasklet is scheduled")
    if (this.isMain) throw new RuntimeError("can't (un)bind the main tasklet")
    const body = f ?? (args === undefined || !this.unstarted ? undefined : this.code as Body | undefined)
    if (args !== undefined && body === undefined) throw notBound()
    this.rebind(body)
    if (args !== undefined) this.supply(args)
    return this
  }

  /**
   * Gives it its arguments and makes it runnable, at the end of the ring. Throws `RuntimeError` if it is alive, or bound
   * to no function. Mirrors `tasklet.setup`, and calling the tasklet.
   */
  setup(...args: ReadonlyArray<any>): this {
    if (this.alive) throw new RuntimeError("tasklet is alive: it has its arguments already")
    if (this.code === undefined) throw notBound()
    this.supply(args)
    this.scheduler.insert(this)
    return this
  }

  private supply(args: ReadonlyArray<unknown>): void {
    this.inbox = args
    this.flags |= BOUND
  }

  // ---- the ring ---------------------------------------------------------------------------------------------------

  /**
   * Makes it runnable, at the end of the ring; nothing happens if it is. Throws `RuntimeError` if it is blocked, or not
   * alive. Mirrors `tasklet.insert`.
   */
  insert(): this {
    this.requireUnblocked()
    if (this.right !== undefined) return this
    if (!this.alive) throw new RuntimeError("You cannot run an unbound(dead) tasklet")
    this.scheduler.insert(this)
    return this
  }

  /**
   * Takes it out of the ring, so that it is paused; nothing happens if it is. Throws `RuntimeError` if it is blocked, or
   * the current tasklet. Mirrors `tasklet.remove`.
   */
  remove(): this {
    if (this.blocked) throw new RuntimeError("You cannot remove a blocked tasklet.")
    if (this.isCurrent) throw new RuntimeError("The current tasklet cannot be removed.")
    if (this.right !== undefined) this.scheduler.remove(this)
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
   * Dies with `RuntimeError` if it is not alive, unless the error is a `TaskletExit`. Mirrors `tasklet.throw`.
   */
  throw(error: unknown, options?: ThrowOptions): Operation<void> {
    return new Throw(this, error, options?.pending === true)
  }

  /** Throws a new error of that class. Mirrors `tasklet.raise_exception`. */
  raiseException<Args extends ReadonlyArray<any>>(
    ErrorClass: new(...args: Args) => unknown,
    ...args: Args
  ): Operation<void> {
    return new Throw(this, new ErrorClass(...args), false)
  }

  /** Ends it: throws a `TaskletExit` in it, which ends it silently. Mirrors `tasklet.kill`. */
  kill(options?: ThrowOptions): Operation<void> {
    return this.throw(new TaskletExit(), options)
  }

  // ---- flags ------------------------------------------------------------------------------------------------------

  /** Has it something to run that has not ended? */
  get alive(): boolean {
    return this.active || (this.flags & BOUND) !== 0
  }

  /** Is it in the ring, or in the queue of a channel? */
  get scheduled(): boolean {
    return this.right !== undefined
  }

  /** Does it wait, on a channel or for a foreign Effect? */
  get blocked(): boolean {
    return this.channel !== undefined || (this.flags & WAITS_OUTSIDE) !== 0
  }

  /** Is it alive, but neither in the ring nor in a channel's queue? */
  get paused(): boolean {
    return this.alive && this.right === undefined
  }

  /** Is it the tasklet that runs on its thread? */
  get isCurrent(): boolean {
    return this.scheduler.head === this
  }

  /** Is it the main tasklet of its thread? */
  get isMain(): boolean {
    return this.scheduler.main === this
  }

  /** While set, anything that would block the tasklet throws `RuntimeError` instead. */
  get blockTrap(): boolean {
    return (this.flags & BLOCK_TRAP) !== 0
  }

  set blockTrap(on: boolean) {
    this.flag(BLOCK_TRAP, on)
  }

  /** Is it spared by the watchdog of `run`? */
  get atomic(): boolean {
    return (this.flags & ATOMIC) !== 0
  }

  /** Sets `atomic`; returns what it was. Mirrors `tasklet.set_atomic`. */
  setAtomic(on: boolean): boolean {
    const before = this.atomic
    this.flag(ATOMIC, on)
    return before
  }

  /** May the watchdog of `run` interrupt it while it is nested? */
  get ignoreNesting(): boolean {
    return (this.flags & IGNORE_NESTING) !== 0
  }

  /** Sets `ignoreNesting`; returns what it was. Mirrors `tasklet.set_ignore_nesting`. */
  setIgnoreNesting(on: boolean): boolean {
    const before = this.ignoreNesting
    this.flag(IGNORE_NESTING, on)
    return before
  }

  /** The tasklet after it, in the ring or in the queue that it stands in. */
  get next(): Tasklet | undefined {
    return this.right instanceof Tasklet ? this.right : undefined
  }

  /** The tasklet before it. */
  get prev(): Tasklet | undefined {
    return this.left instanceof Tasklet ? this.left : undefined
  }

  /** @internal does it wait for a foreign Effect? */
  get waitsOutside(): boolean {
    return (this.flags & WAITS_OUTSIDE) !== 0
  }

  set waitsOutside(on: boolean) {
    this.flag(WAITS_OUTSIDE, on)
  }

  private flag(flag: number, on: boolean): void {
    if (on) this.flags |= flag
    else this.flags &= ~flag
  }

  private requireUnblocked(): void {
    if (this.blocked) throw new RuntimeError("You cannot run a blocked tasklet")
  }

  // ---- what the loop asks -----------------------------------------------------------------------------------------

  override ends(): Microthread {
    this.flags &= ~BOUND
    return this.scheduler.end(this, false, undefined)
  }

  override dies(error: unknown): Microthread {
    this.flags &= ~BOUND
    return this.scheduler.end(this, true, error)
  }

  override waits(): Microthread {
    return this.scheduler.waits(this)
  }

  override ready(): void {
    this.scheduler.ready(this)
  }

  override interrupted(): void {
    this.raise(new TaskletExit("the fiber of this tasklet was interrupted"))
    if (!this.blocked && this.right !== undefined) return
    this.unblock()
    this.scheduler.insert(this)
  }

  /** @internal */
  override rebind(body: Body | undefined): void {
    super.rebind(body)
    this.flags &= ~BOUND
  }

  /** @internal takes it out of whatever it waits for */
  unblock(): void {
    if (this.channel !== undefined) this.channel.take(this)
    else if (this.waitsOutside) {
      this.waitsOutside = false
      this.scheduler.outside--
    }
  }
}

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
  <Args extends ReadonlyArray<any>, A>(f: (...args: Args) => A): (...args: Args) => Tasklet<A, never>
  (): Tasklet
} = (...[f]: ReadonlyArray<Body>): any => {
  if (f === undefined) return new Tasklet()
  if (typeof f !== "function") throw new TypeError(`a tasklet runs a function; got ${typeof f}`)
  return (...args: ReadonlyArray<unknown>) => new Tasklet(f).setup(...args)
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
    const inserted = tasklet.right === undefined
    tasklet.insert()
    if (remove && tasklet === current && current.right !== current) return this.toOneself(scheduler, current)
    if (remove) scheduler.remove(current)
    try {
      return scheduler.switch(current, tasklet)
    } catch (error) {
      if (remove && current.right === undefined) scheduler.restore(current)
      if (inserted && tasklet.right !== undefined) schedulerOf(tasklet.thread).remove(tasklet)
      throw error
    }
  }

  /**
   * A tasklet that switches to itself goes on as the next tasklet in the ring, whose own frames are lost, and stays in
   * the ring itself with nothing to run. Conformance program slp-0179 shows it. Upstream crashes if the next is main.
   */
  private toOneself(scheduler: Scheduler, current: Tasklet): Microthread {
    const heir = current.right as Tasklet
    if (heir.isMain) throw new RuntimeError("a tasklet cannot switch to itself: it would go on as the main tasklet")
    current.bequeath(heir)
    current.rebind(nothing)
    scheduler.remove(current)
    scheduler.insert(current)
    return scheduler.to(heir)
  }
}

const nothing = (): void => {}

class Throw extends Operation<void> {
  readonly tasklet: Tasklet
  readonly error: unknown
  readonly pending: boolean
  constructor(tasklet: Tasklet, error: unknown, pending: boolean) {
    super()
    this.tasklet = tasklet
    this.error = error
    this.pending = pending
  }
  perform(performer: Microthread): Microthread {
    const scheduler = schedulerOf(performer.thread)
    const current = scheduler.current(performer)
    const { error, pending, tasklet } = this
    if (tasklet === current) throw error
    if (this.isOver()) return performer.give(undefined)
    if (pending) {
      this.throwPending()
      return performer.give(undefined)
    }
    const { inbox, raising } = tasklet
    tasklet.raise(error)
    try {
      return scheduler.switch(current, tasklet)
    } catch (refused) {
      if (raising) tasklet.raise(inbox)
      else tasklet.give(undefined).inbox = inbox
      throw refused
    }
  }

  /** A fiber that is no tasklet may make one runnable, which is no switch. */
  override performOutside(thread: Thread, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> {
    if (!this.pending) return super.performOutside(thread, fiber)
    return Effect.sync(() => {
      if (!this.isOver()) this.throwPending()
    })
  }

  /** Is there nothing left to throw into? That is what `TaskletExit` wants; any other error would be lost. */
  private isOver(): boolean {
    if (this.tasklet.alive) return false
    if (!(this.error instanceof TaskletExit)) throw new RuntimeError("You cannot throw to a dead tasklet")
    this.tasklet.remove()
    return true
  }

  private throwPending(): void {
    const { tasklet } = this
    tasklet.unblock()
    tasklet.raise(this.error)
    tasklet.insert()
  }
}

const notBound = (): RuntimeError => new RuntimeError("the tasklet was not bound to a function")
