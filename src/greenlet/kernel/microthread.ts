/**
 * The microthread: what greenlets, tasklets and a scheduler author's own kind have in common. It has a stack of frames,
 * a state, and an inbox; and it answers the questions that the loop cannot: who runs when it ends, when it waits, when its wait is
 * over, when it is interrupted (policy.ts).
 *
 * A greenlet answers them with its parent, a tasklet with its scheduler's ring. The two cannot be one class: `switch`,
 * `throw` and `run` mean different things to them.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { type Body, requireFunction } from "./body.ts"
import { currentThread, runningThread, type Thread } from "./current.ts"
import {
  completion,
  type DataFrame,
  isDataFrame,
  type Mode,
  NEXT,
  Outcome,
  RETURNED,
  STEPPED,
  THROW,
  THROWN
} from "./data-frame.ts"
import { GreenletError, GreenletExit } from "./errors.ts"
import { exitOf } from "./exit.ts"
import type { Frame } from "./frame.ts"
import type { Home } from "./home.ts"
import type { Policy } from "./policy.ts"
import type { GreenletFiber } from "./ports.ts"
import {
  becomeAgain,
  becomeDead,
  becomeGiven,
  becomeHeir,
  becomeOn,
  becomeRaising,
  becomeStarted,
  becomeUnstarted,
  DEAD,
  DOOMED,
  isSuspended,
  OUTSIDE,
  OUTSIDE_RAISING,
  RAISING,
  SOFT,
  type State,
  STATES,
  SUSPENDED,
  TRACED,
  UNSTARTED,
  WAITING
} from "./state.ts"
import { surroundings } from "./surroundings.ts"
import { resumeFrame, Wrapper } from "./wrapper.ts"

/**
 * Subclass it to build a scheduler: an operation's `perform` says with `give` or `raise` what a microthread resumes
 * with, and returns the one to run next. What the loop asks it are its `protected` methods, which a subclass overrides.
 *
 * @category models
 * @since 0.1.0
 */
export abstract class Microthread {
  /** For schedulers: its state, in the lowest bits, and the flags of its kind above them; see `BITS`. */
  "~bits": number = UNSTARTED
  /** For schedulers: what its next resume brings; see `INBOX`. */
  "~inbox": unknown = undefined
  /** @internal its thread and the context that it inherits */
  _home: Home
  /** @internal its body before the start, its top frame after it */
  _code: Body | Frame | DataFrame | undefined
  /** @internal the frames below the top one; once it is hard, its fiber, which has those */
  _rest: Array<Frame | DataFrame> | GreenletFiber | undefined = undefined

  /**
   * @param body what it runs
   * @param thread where; the current thread if left out
   *
   * Throws `TypeError` if `body` is no function, `GreenletError` if the thread has ended.
   */
  constructor(body: Body | null | undefined, thread: Thread = currentThread()) {
    if (body != null) requireFunction(body)
    if (thread.ended) throw new GreenletError("the thread has ended: nothing can be started on it")
    this._home = thread.homeIn(thread.creatorContext())
    this._code = body ?? undefined
    if (surroundings.keeper !== undefined) surroundings.keeper.made(this)
  }

  /** The thread it belongs to. */
  get thread(): Thread {
    return this._home.thread
  }

  set thread(thread: Thread) {
    this._home = thread.homeIn(this._home.context)
  }

  /** @internal see state.ts */
  get _state(): State {
    return (this["~bits"] & STATES) as State
  }

  /** @internal for the transitions in state.ts alone */
  _become(state: State): void {
    this["~bits"] = this["~bits"] & ~STATES | state
  }

  /** @internal what its fiber inherits: the context of its creator, if there was one */
  get _context(): Context.Context<never> | undefined {
    return this._home.context
  }

  /** @internal */
  set _context(context: Context.Context<never> | undefined) {
    this._home = this.thread.homeIn(context)
  }

  /** @internal the frames below the top one */
  get _stack(): Array<Frame | DataFrame> | undefined {
    const { _rest: rest } = this
    return rest === undefined || Array.isArray(rest) ? rest : rest.stack
  }

  /** @internal */
  set _stack(stack: Array<Frame | DataFrame> | undefined) {
    const { _rest: rest } = this
    if (rest === undefined || Array.isArray(rest)) this._rest = stack
    else rest.stack = stack
  }

  /** @internal its fiber, once it is hard */
  get _fiber(): GreenletFiber | undefined {
    const { _rest: rest } = this
    return rest === undefined || Array.isArray(rest) ? undefined : rest
  }

  /** @internal */
  set _fiber(fiber: GreenletFiber | undefined) {
    const { _stack: stack } = this
    if (fiber !== undefined) fiber.stack = stack
    this._rest = fiber ?? stack
  }

  /** Has it ended? */
  get dead(): boolean {
    return this._state === DEAD
  }

  /** Has it started and not ended? Python writes `bool(g)`, which JavaScript cannot overload: every object is true. */
  get active(): boolean {
    const { _state: state } = this
    return state !== UNSTARTED && state !== DOOMED && state !== DEAD
  }

  // ---- for schedulers: the inbox ----------------------------------------------------------------------------------

  /** It will resume with `value`. One that has not started takes it as its only argument. Returns it. */
  give(value: unknown): this {
    if (this._state === DEAD) return this
    const unstarted = becomeGiven(this, this._code as Frame | DataFrame | undefined)
    this["~inbox"] = unstarted ? only(value) : value
    return this
  }

  /**
   * It will resume with `error`, thrown. One that has not started ends of it without running. One that waits for a
   * foreign Effect has that Effect interrupted first. Returns it.
   */
  raise(error: unknown): this {
    if (becomeRaising(this)) this["~inbox"] = error
    return this
  }

  /** Does its fiber wait for a foreign Effect? */
  get waiting(): boolean {
    return this._state === WAITING
  }

  /** Is it an error that it will resume with? */
  get raising(): boolean {
    return (raisingStates >> this._state & 1) !== 0
  }

  /** @internal is it an error that ends an Effect for which it waited? */
  get _raisesInEffect(): boolean {
    return this._state === RAISING && this._fiber?.top.inEffect === true
  }

  /** Has it not been resumed yet? */
  get unstarted(): boolean {
    return this._state === UNSTARTED || this._state === DOOMED
  }

  /** @internal makes it unstarted again, with another body: a dead one, or one whose frames shall be dropped as they are. */
  _rebind(body: Body | undefined): void {
    this._drop()
    becomeUnstarted(this)
    this._code = body
  }

  /**
   * Hands its frames over to `heir`, as which they run from now on; it is left dead. The value in the heir's inbox stays
   * there: a later resume brings it. Gives back what the heir itself would have run.
   */
  bequeath(heir: Microthread): Displaced {
    const { _code: code, _fiber: fiber, "~inbox": inbox, _stack: stack } = this
    const kept = heir._state === SUSPENDED || heir._state >= SOFT ? heir["~inbox"] : undefined
    const displaced = new Displaced(heir)
    this._fiber = undefined
    this._bury()
    becomeHeir(heir)
    heir._replaceTop(
      kept === undefined ? code as Frame | DataFrame : new Inherited(code as Frame | DataFrame, heir, kept)
    )
    heir["~inbox"] = inbox
    heir._stack = stack
    heir._fiber = fiber
    for (let side = fiber; side !== undefined; side = side.above) side.passTo(heir)
    heir.thread.started(heir)
    return displaced
  }

  // ---- for schedulers: what the loop asks -------------------------------------------------------------------------

  /** @internal Who answers: itself, or whoever governs its thread, if it is a main greenlet. */
  get _policy(): Policy {
    return this as unknown as Policy
  }

  /** It is about to start: the body that it runs. */
  protected begins(): Body {
    return this._code as Body
  }

  /** @internal what its user has given as its body, of what runs as that; of one that has started, if it is still known */
  _written<Known extends Body | undefined>(body: Known): Body | Known {
    return body
  }

  /** What `this` is in its body: nothing in a function, itself in a method of its class. */
  protected receiver(_body: Body): unknown {
    return undefined
  }

  /** Its body returned `value`, and it is dead: names the one to run next. */
  protected abstract ends(value: unknown): Microthread

  /** Its body threw `error`, and it is dead: names the one to run next. */
  protected abstract dies(error: unknown): Microthread

  /**
   * Its fiber suspends on a foreign Effect: names the one to run next. Here itself, which stops the thread until the
   * wait is over, as a blocking call does upstream.
   */
  protected waits(): Microthread {
    return this
  }

  /**
   * Its body waits for an Effect, such as a timeout or a race, while what that has called goes on: something may come from
   * outside, whatever it waits for else. So it is from `true` to `false`.
   */
  protected expects(_something: boolean): void {}

  /** Its wait is over, and it can be resumed. */
  protected waited(): void {}

  /** The error that ends one of its kind silently: what it sees of an Effect that was interrupted. */
  protected exitWith(message: string): Error {
    return exitOf(GreenletExit, message)
  }

  /** Is it such an error, whoever made it? */
  protected isExit(error: unknown): boolean {
    return error instanceof GreenletExit
  }

  /**
   * Its fiber was interrupted from outside while it was suspended in an operation. Here it resumes with its `_exit` when
   * somebody next resumes it. Returns the error that it resumes with.
   */
  protected interrupted(): unknown {
    const error = this.exitWith("the fiber of this greenlet was interrupted")
    this.raise(error)
    return error
  }

  /**
   * Its body has put a call under a timeout or in a race, that was decided otherwise, and what was called is suspended: it
   * resumes with an error, to end. Returns the error.
   */
  protected givesUp(): unknown {
    return this.interrupted()
  }

  /**
   * It is suspended in a switch that its body has put under a timeout or in a race, and that was decided: it need not be
   * switched to any more to go on. Here it goes on when somebody next resumes it.
   */
  protected reclaims(): void {}

  /** It has made as many steps as `thread.allow` says: names the one to run next. Here it goes on. */
  protected preempted(): Microthread {
    return this
  }

  /** Its thread ends, and it has not: the error to end it with. */
  protected orphaned(): unknown {
    return this.exitWith("the thread of this greenlet has ended")
  }

  /** It has not ended with its thread, and is dead: its frames are gone. */
  protected dropped(): void {}

  /** Of a main greenlet: the fiber that stood for it was interrupted, and it is the current one again. */
  protected abandoned(): void {}

  /** A frame of one that is traced (`TRACED`), behind one that tells of it. */
  protected tracedFrame(frame: Frame | DataFrame): Frame | DataFrame {
    return frame
  }

  /** A body of one that is traced, which tells of its call. */
  protected tracedBody(body: Body): Body {
    return body
  }

  // ---- its context ------------------------------------------------------------------------------------------------

  /** @internal the context in force, if it has one of its own: that of the innermost Effect in progress comes first. */
  get _ownContext(): Context.Context<never> | undefined {
    return this._fiber?.top.fiber?.context ?? this._context
  }

  /**
   * @internal The context in force: what its next Effect runs in, and what it makes inherits. That of a main greenlet whose
   * program outside runs is its fiber's. Setting it counts for all Effects in progress, each up to its own end.
   */
  get _contextInForce(): Context.Context<never> {
    return (this._isOutside() ? Fiber.getCurrent()?.context : this._ownContext) ?? this.thread.contextOf(this)
  }

  /** @internal */
  set _contextInForce(context: Context.Context<never>) {
    this._context = context
    if (this._isOutside()) Fiber.getCurrent()?.setContext(context)
    for (let side = this._fiber; side !== undefined; side = side.above) {
      side.fiber?.setContext(side.gate.contextFor(context))
    }
  }

  /** Is it a main greenlet, and does the program outside run? */
  private _isOutside(): boolean {
    return (this._state === OUTSIDE || this._state === OUTSIDE_RAISING) && this.thread.current === this
  }

  // ---- frames -----------------------------------------------------------------------------------------------------

  /** @internal what it is asked by the loop alone */
  get _hooks(): Hooks {
    return this as unknown as Hooks
  }

  /** @internal it is the next to run, for the first time, with the arguments in its inbox: its body is known from now on */
  _starts(body: Body): void {
    this._code = new Start(body)
    becomeStarted(this)
  }

  /** @internal it was about to start and may not: a greenlet can still be started on another thread */
  _unstart(): void {}

  /** @internal puts a frame on top, to be resumed next */
  _push(frame: Frame | DataFrame): void {
    if ((this["~bits"] & TRACED) !== 0) frame = this._policy.tracedFrame(frame)
    if (this._code !== undefined) (this._stack ??= []).push(this._code as Frame | DataFrame)
    this._code = frame
    becomeOn(this, frame)
    this["~inbox"] = undefined
  }

  /** @internal puts another frame in the place of the top one */
  _replaceTop(frame: Frame | DataFrame | undefined): void {
    this._code = frame
    if (isSuspended(this._state)) becomeOn(this, frame)
  }

  /** @internal takes the top frame off; false if none is left */
  _pop(): boolean {
    const { _rest: rest } = this
    const below = rest === undefined ? undefined : Array.isArray(rest) ? rest.pop() : rest.stack?.pop()
    this._code = below
    if (below === undefined) return false
    becomeOn(this, below)
    return true
  }

  /** @internal the transition to DEAD */
  _bury(): void {
    this._drop()
    becomeDead(this)
  }

  private _drop(): void {
    this._code = undefined
    this["~inbox"] = undefined
    this._stack = undefined
    const { _fiber: fiber } = this
    if (fiber !== undefined) {
      this._fiber = undefined
      fiber.release()
    }
    this.thread.buried(this)
  }
}

/** What the loop asks of each microthread, whoever governs its thread. */
interface Hooks {
  begins(): Body
  receiver(body: Body): unknown
  exitWith(message: string): Error
  isExit(error: unknown): boolean
  dropped(): void
}

const raisingStates = 1 << RAISING | 1 << DOOMED | 1 << OUTSIDE_RAISING

/**
 * Stands for the body of a greenlet that is about to start. To a trace function that has started, and `run`,
 * which may be a getter, is asked for once.
 *
 * It is as plain as a `DataFrame`, and pickled like one. But it is resumed like a generator: were the body called by the loop of
 * plain data, a greenlet would take 1.1 times as many instructions to start, and 2.6 times as many where an Effect starts it.
 */
export class Start implements Frame {
  body: Body
  constructor(body: Body) {
    this.body = body
  }
  next(args: unknown): IteratorResult<unknown, unknown> {
    const thread = runningThread()!
    return thread.start(thread.current, this.body, args)
  }
  throw(error: unknown): IteratorResult<unknown, unknown> {
    throw error
  }
}

/**
 * A frame that changed hands, up to its next operation: from its resume on the inbox holds what the heir had in it before. Frames
 * that are plain data call and return through the loop, where each call empties the inbox. So those are resumed here up to then.
 * It is in a microthread that runs next, for one resume: nobody sees one suspended in it.
 */
class Inherited extends Wrapper {
  private readonly heir: Microthread
  private readonly kept: unknown
  constructor(inner: Frame | DataFrame, heir: Microthread, kept: unknown) {
    super(inner)
    this.heir = heir
    this.kept = kept
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    const { heir } = this
    heir._replaceTop(this.inner)
    for (;;) {
      heir["~inbox"] = this.kept
      let outcome: unknown
      try {
        outcome = resumeFrame(heir._code as Frame | DataFrame, mode, value)
      } catch (error) {
        outcome = THROWN
        completion.value = error
      }
      if (this.leavesForData(outcome)) {
        mode = outcome === THROWN ? THROW : NEXT
        value = completion.value
      } else if (outcome instanceof Outcome || Effect.isEffect(outcome)) return outcome
      else {
        heir.thread.delegate(heir, outcome)
        mode = heir.raising ? THROW : NEXT
        value = heir["~inbox"]
        if (mode === THROW) heir.give(undefined)
      }
    }
  }
  /** Has the top frame ended, and is the one below it plain data? Takes it off then. */
  private leavesForData(outcome: unknown): boolean {
    if (outcome === STEPPED) {
      const result = completion.value as IteratorResult<unknown, unknown>
      if (result.done !== true || !this.pops()) return false
      completion.value = result.value
      return true
    }
    return (outcome === RETURNED || outcome === THROWN) && this.pops()
  }
  private pops(): boolean {
    const { heir } = this
    return isDataFrame(heir._stack?.at(-1)) && heir._pop()
  }
}

/**
 * What an heir would have run, while it runs the frames of another one.
 *
 * @category models
 * @since 0.1.0
 */
export class Displaced {
  /** Whose it is. */
  readonly heir: Microthread
  private readonly state: State
  private readonly inbox: unknown
  private readonly code: Body | Frame | DataFrame | undefined
  private readonly stack: Array<Frame | DataFrame> | undefined
  private readonly fiber: GreenletFiber | undefined

  constructor(heir: Microthread) {
    this.heir = heir
    this.state = heir._state
    this.inbox = heir["~inbox"]
    this.code = heir._code
    this.stack = heir._stack
    this.fiber = heir._fiber
  }

  /** The heir, which has handed on what it inherited, runs it after all. */
  reinstate(): void {
    const { heir, state } = this
    becomeAgain(heir, state)
    heir._code = this.code
    heir._stack = this.stack
    heir._fiber = this.fiber
    // what a started one had there is with the frames that it inherited
    heir["~inbox"] = state === UNSTARTED || state === DOOMED || state === RAISING ? this.inbox : undefined
    if (heir.active) heir.thread.started(heir)
  }

  /** It is never to run. */
  discard(): void {
    this.fiber?.release()
  }
}

/**
 * The arguments of a start as the inbox holds them: nothing for none, an array for several; one as it is, unless it could
 * be taken for all of them. So what waits for its start with one argument takes a third less memory.
 */
const only = (value: unknown): unknown => value === undefined || Array.isArray(value) ? [value] : value

type Self = Microthread

declare module "./ports.ts" {
  interface Microthread extends Self {}
}
