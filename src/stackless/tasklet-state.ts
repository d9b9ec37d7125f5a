/**
 * What a tasklet is in: the ring, the queue of a channel, a wait outside, or nothing. The scheduler, the channels and the
 * watchdog know a tasklet as this; what one can do with it is above them (tasklet.ts).
 */
import {
  type Body,
  type DataFrame,
  depthOf,
  exitOf,
  FLAG,
  type Frame,
  Microthread,
  setFlag,
  standsAt,
  TRACED,
  wrapFrames
} from "../greenlet/index.ts"
import { TaskletExit } from "./errors.ts"
import { hardened, softswitch } from "./hard-body.ts"
import { nameProperty } from "./names.ts"
import { type Link, OutsideWaiter } from "./outside-waiter.ts"
import type { Channel, Scheduler, Tasklet } from "./ports.ts"
import { schedulerOf } from "./schedulers.ts"
import { isObserved, observed, observedCall, tracedBody } from "./tracing.ts"

/** A constant: what is imported is looked at anew at every use. */

// the flags
export const BOUND = FLAG
export const BLOCK_TRAP = 2 * FLAG
export const ATOMIC = 4 * FLAG
export const IGNORE_NESTING = 8 * FLAG
export const WAITS_OUTSIDE = 16 * FLAG
/** The watchdog wants to interrupt it, and could not yet. */
export const PENDING_IRQ = 32 * FLAG
/** It died of the error in its inbox. */
export const FAILED = 64 * FLAG
/** Somebody waits for its end. */
export const JOINED = 128 * FLAG

export abstract class TaskletState extends Microthread {
  /** @internal the neighbour after it */
  _right: Link = undefined
  /** @internal the neighbour before it */
  _left: Link = undefined
  /** @internal the channel that it is blocked on */
  _channel: Channel | undefined = undefined
  /**
   * A name, to be seen in errors and when it is printed. Without one it costs nothing. A subclass may have a field of
   * its own by that name.
   */
  declare name: string | undefined

  /** @internal the scheduler of its thread */
  get _scheduler(): Scheduler {
    return schedulerOf(this.thread)
  }

  /** @internal The same, as everybody knows it: there are no others. */
  get _tasklet(): Tasklet {
    return this as unknown as Tasklet
  }

  // ---- flags ------------------------------------------------------------------------------------------------------

  /** Has it something to run that has not ended? */
  get alive(): boolean {
    return this.active || ((this["~bits"] & BOUND) !== 0 && !this.thread.ended)
  }

  /** Is it in the ring, or in the queue of a channel? */
  get scheduled(): boolean {
    return this._right !== undefined
  }

  /** Does it wait, on a channel or for a foreign Effect? */
  get blocked(): boolean {
    return this._channel !== undefined || (this["~bits"] & WAITS_OUTSIDE) !== 0
  }

  /** Is it alive, but neither in the ring nor in a channel's queue? */
  get paused(): boolean {
    return this.alive && this._right === undefined
  }

  /** Is it the tasklet that runs on its thread? */
  get isCurrent(): boolean {
    return this._scheduler.running === this._tasklet
  }

  /** Is it the main tasklet of its thread? */
  get isMain(): boolean {
    return this._scheduler.main === this._tasklet
  }

  /** While set, anything that would block the tasklet throws `RuntimeError` instead. */
  get blockTrap(): boolean {
    return (this["~bits"] & BLOCK_TRAP) !== 0
  }

  set blockTrap(on: boolean) {
    setFlag(this, BLOCK_TRAP, on)
  }

  /** Is it spared by the watchdog of `run`? */
  get atomic(): boolean {
    return (this["~bits"] & ATOMIC) !== 0
  }

  /** Sets `atomic`; returns what it was. Mirrors `tasklet.set_atomic`. */
  setAtomic(on: boolean): boolean {
    const before = this.atomic
    setFlag(this, ATOMIC, on)
    if (this._pendingIrq) this._scheduler.watch?.retry(this._tasklet)
    return before
  }

  /** May the watchdog of `run` interrupt it while it is nested? */
  get ignoreNesting(): boolean {
    return (this["~bits"] & IGNORE_NESTING) !== 0
  }

  /** Sets `ignoreNesting`; returns what it was. Mirrors `tasklet.set_ignore_nesting`. */
  setIgnoreNesting(on: boolean): boolean {
    const before = this.ignoreNesting
    setFlag(this, IGNORE_NESTING, on)
    if (this._pendingIrq) this._scheduler.watch?.retry(this._tasklet)
    return before
  }

  /** @internal has the watchdog tried to interrupt it in vain? */
  get _pendingIrq(): boolean {
    return (this["~bits"] & PENDING_IRQ) !== 0
  }

  /** @internal */
  set _pendingIrq(on: boolean) {
    setFlag(this, PENDING_IRQ, on)
  }

  // ---- where it is ------------------------------------------------------------------------------------------------

  /** The tasklet after it, in the ring or in the queue that it stands in. */
  get next(): Tasklet | undefined {
    let link = this._right
    while (link instanceof OutsideWaiter) link = link._right
    return link instanceof TaskletState ? link as Tasklet : undefined
  }

  /** The tasklet before it. */
  get prev(): Tasklet | undefined {
    let link = this._left
    while (link instanceof OutsideWaiter) link = link._left
    return link instanceof TaskletState ? link as Tasklet : undefined
  }

  /**
   * How many Effects it is in the middle of, a body that is one not counted. While it is not 0, the watchdog does not
   * interrupt the tasklet unless it is told to ignore it. Mirrors `tasklet.nesting_level`, which counts interpreters
   * that have C code between them.
   */
  get nestingLevel(): number {
    return this.active ? depthOf(this).effects : 0
  }

  // ---- what is noted of it ------------------------------------------------------------------------------------------

  /** @internal has it a trace or profile function? */
  get _traced(): boolean {
    return (this["~bits"] & TRACED) !== 0
  }

  /** @internal puts the frames that it has behind frames that trace */
  _observe(): void {
    const { _performer: performer } = this
    if (!performer.active) return
    wrapFrames(performer, (frame) => isObserved(frame) ? frame : observed(this._tasklet, frame, true))
  }

  /** @internal Who has its frames: the main greenlet, of the main tasklet. */
  get _performer(): Microthread {
    return this.isMain ? this.thread.main : this
  }

  /** @internal somebody waits in `join` */
  _joined(): void {
    this["~bits"] |= JOINED
  }

  /** @internal has it arguments for its start? */
  get _bound(): boolean {
    return (this["~bits"] & BOUND) !== 0
  }

  /** @internal what it ended with */
  get _failed(): boolean {
    return (this["~bits"] & FAILED) !== 0
  }

  /** @internal does it wait for a foreign Effect? */
  get _waitsOutside(): boolean {
    return (this["~bits"] & WAITS_OUTSIDE) !== 0
  }

  /** @internal */
  set _waitsOutside(on: boolean) {
    setFlag(this, WAITS_OUTSIDE, on)
  }

  // ---- what the loop asks -----------------------------------------------------------------------------------------

  protected override begins(): Body {
    const body = softswitch ? super.begins() : hardened(super.begins())
    return this._traced ? this.tracedBody(body) : body
  }

  /** A hardened body has to know whose it is, and does not pass it on. */
  protected override receiver(): unknown {
    return softswitch ? undefined : this
  }

  protected override tracedFrame(frame: Frame | DataFrame): Frame | DataFrame {
    return observedCall(this._tasklet, frame)
  }

  protected override tracedBody(body: Body): Body {
    return tracedBody(this._tasklet, body)
  }

  protected override preempted(): Microthread {
    return this._scheduler.preempted(this._tasklet) ?? this
  }

  protected override reclaims(): void {
    if (this._right !== undefined && !this.blocked) return
    this._unblock()
    this._scheduler.insert(this._tasklet)
  }

  protected override waits(): Microthread {
    return this._scheduler.waits(this._tasklet)
  }

  protected override expects(something: boolean): void {
    this._scheduler.outside += something ? 1 : -1
  }

  protected override waited(): void {
    this._scheduler.ready(this._tasklet)
  }

  protected override exitWith(message: string): Error {
    return exitOf(TaskletExit, message)
  }

  protected override isExit(error: unknown): boolean {
    return error instanceof TaskletExit || super.isExit(error)
  }

  protected override interrupted(): unknown {
    const error = this.exitWith("the fiber of this tasklet was interrupted")
    this.raise(error)
    this.reclaims()
    return error
  }

  /** @internal takes it out of whatever it waits for */
  _unblock(): void {
    if (this._channel !== undefined) this._channel.take(this._tasklet)
    else if (this._waitsOutside) {
      this._waitsOutside = false
      this._scheduler.outside--
    }
  }

  /** The tasklet by its name, and its state. */
  override toString(): string {
    const name = this.isMain ? " main" : this.name === undefined ? "" : ` ${JSON.stringify(this.name)}`
    return `<tasklet${name}, ${stateOf(this)}>`
  }

  /**
   * What `JSON.stringify` makes of it: its name, its state, what it waits for, and where in the source it stands, as far as
   * that is known: of compiled frames, and in development mode.
   */
  toJSON(): TaskletDescription {
    return {
      type: "tasklet",
      name: this.isMain ? "main" : this.name,
      state: stateOf(this),
      waitsFor: waitsFor(this),
      at: this.active && !this.isMain && !this.isCurrent ? standsAt(this) : undefined
    }
  }

  /** What Node prints. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    const { at, waitsFor } = this.toJSON()
    const wait = waitsFor === undefined ? "" : `: ${waitsFor.join(", ")}`
    return `${this.toString().slice(0, -1)}${wait}${at === undefined ? "" : ` ${at}`}>`
  }
}

/**
 * A tasklet, described for people.
 *
 * @category models
 * @since 0.1.0
 */
export interface TaskletDescription {
  readonly type: "tasklet"
  readonly name: string | undefined
  readonly state: "current" | "blocked" | "scheduled" | "paused" | "dead"
  /** What it is blocked in, `receive on "orders"`; one entry for each case of a `select`. */
  readonly waitsFor: ReadonlyArray<string> | undefined
  /** Where its innermost frame stands, `at clerk (shop.ts:12:5)`. */
  readonly at: string | undefined
}

const stateOf = (tasklet: TaskletState): TaskletDescription["state"] =>
  tasklet.isCurrent
    ? "current"
    : tasklet.blocked
    ? "blocked"
    : tasklet.scheduled
    ? "scheduled"
    : tasklet.alive
    ? "paused"
    : "dead"

const waitsFor = (tasklet: TaskletState): ReadonlyArray<string> | undefined => {
  if (!tasklet.blocked) return undefined
  const { _channel: channel } = tasklet
  return channel === undefined
    ? ["an Effect"]
    : channel.waitingOf(tasklet._tasklet).map((waiting) =>
      `${waiting.direction} on ${
        waiting.channel.name === undefined ? "a channel" : JSON.stringify(waiting.channel.name)
      }`
    )
}

Object.defineProperty(TaskletState.prototype, "name", nameProperty)
