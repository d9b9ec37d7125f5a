/**
 * The greenlet: a frame stack that is switched to and from by hand.
 *
 * Carries the behaviour of upstream's `greenlet.greenlet` (`TGreenlet.cpp`, `TUserGreenlet.cpp`): a dead target stands
 * for its parent, an unstarted one is started, a return or an error goes to the parent, `GreenletExit` is a return.
 * Where it differs: a greenlet that nobody refers to any more is collected silently, its `finally` blocks not run, as
 * JavaScript has no safe moment for it; and a body is a generator function or a function that returns an Effect.
 */
import { Context, type Effect } from "effect"
import { AttributeError, GreenletError, GreenletExit, ValueError } from "./errors.ts"
import type { GreenletFiber } from "./fiber.ts"
import type { Frame } from "./frame.ts"
import { Operation } from "./operation.ts"
import { DEAD, DOOMED, OUTSIDE, OUTSIDE_RAISING, RAISING, type State, SUSPENDED, UNSTARTED, WAITING } from "./state.ts"
import { currentThread, type Thread } from "./thread.ts"

/**
 * What a greenlet runs: a generator function (soft: it switches without a fiber), a function that returns an Effect
 * (hard: it runs on a fiber of its own), or a plain function that never switches.
 *
 * @category models
 * @since 0.1.0
 */
export type Body<Args extends ReadonlyArray<any> = any, A = any, E = any> = (
  ...args: Args
) => Generator<Effect.Effect<any, E, any>, A, any> | Effect.Effect<A, E, any> | A

/**
 * A greenlet: `Args` are what its body takes, `A` what it returns, `E` the typed failures it can end with.
 *
 * Subclass it with a `*run()` method, or make one with {@link greenlet}. Mirrors `greenlet.greenlet`.
 *
 * @category models
 * @since 0.1.0
 */
export class Greenlet<Args extends ReadonlyArray<any> = any, out A = any, out E = any> {
  /** The thread it belongs to. */
  thread: Thread
  /** @internal see state.ts */
  state: State = UNSTARTED
  /** @internal what the next resume brings: a value, an error, or the arguments of the start */
  inbox: unknown = undefined
  /** @internal its body before the start, its top frame after it */
  code: Body | Frame | undefined
  /** @internal the frames below the top one */
  stack: Array<Frame> | undefined = undefined
  /** @internal its fiber, once it is hard */
  fiber: GreenletFiber | undefined = undefined
  /** @internal what its fiber inherits: the context of its creator */
  context: Context.Context<never>
  /** @internal */
  up: Greenlet | undefined

  /**
   * @param run the body; a subclass that has a `run` method leaves it out
   * @param parent where its end and its errors go; the current greenlet if left out
   */
  constructor(run?: Body<Args, A, E> | null, parent?: Greenlet, /** @internal */ mainOf?: Thread) {
    if (mainOf !== undefined) {
      this.thread = mainOf
      this.state = OUTSIDE
      this.code = undefined
      this.context = Context.empty()
      this.up = undefined
      return
    }
    if (run != null && typeof run !== "function") {
      throw new TypeError(
        `a greenlet runs a function: pass a generator function, or one that returns an Effect; got ${describe(run)}`
      )
    }
    if (parent !== undefined && !(parent instanceof Greenlet)) {
      throw new TypeError(`the parent must be a greenlet; got ${describe(parent)}`)
    }
    const thread = parent === undefined ? currentThread() : parent.thread
    thread.requireAlive()
    this.thread = thread
    this.code = run ?? undefined
    this.context = thread.creatorContext()
    this.up = parent ?? thread.current
  }

  /** Has it ended? */
  get dead(): boolean {
    return this.state === DEAD
  }

  /**
   * Has it started and not ended? Python writes `bool(g)`, which JavaScript cannot overload: every object is true.
   */
  get active(): boolean {
    const state = this.state
    return state !== UNSTARTED && state !== DOOMED && state !== DEAD
  }

  /**
   * Where its end goes. Setting it throws `ValueError` for a cycle, for a parent whose thread has ended, and, once the
   * greenlet has started, for a parent on another thread; `TypeError` for what is no greenlet; `AttributeError` on a
   * main greenlet. The main greenlet's is `undefined`.
   */
  get parent(): Greenlet | undefined {
    return this.up
  }

  set parent(parent: Greenlet) {
    if (!(parent instanceof Greenlet)) throw new TypeError(`the parent must be a greenlet; got ${describe(parent)}`)
    if (this.up === undefined) throw new AttributeError("the parent of a main greenlet cannot be set")
    for (let p: Greenlet | undefined = parent; p !== undefined; p = p.up) {
      if (p === this) throw new ValueError("cyclic parent chain: the new parent is a descendant of this greenlet")
    }
    if (parent.thread.ended) throw new ValueError("the parent's thread has ended")
    if (parent.thread !== this.thread) {
      if (this.state !== UNSTARTED) throw new ValueError("the parent of a started greenlet must be on its own thread")
      this.thread = parent.thread
    }
    this.up = parent
  }

  /**
   * Switches to it. The first switch starts it with `args`; a later one returns from the switch it is suspended in
   * with `undefined` for no argument, the value for one, the array for more. A dead greenlet stands for its parent.
   *
   * Gives back what the next switch to the current greenlet brings: what is passed to it, or what a greenlet whose
   * parent it is returns or throws. That need not be this greenlet's result, so name the type that you expect:
   * `yield* g.switch<string>(…)`.
   *
   * Dies with `GreenletError` if it belongs to another thread, with `AttributeError` if it has no body. Mirrors
   * `greenlet.switch`.
   */
  switch<B = A>(...args: Args | []): Operation<B, E> {
    return new Switch(this, args) as Operation<B, any>
  }

  /**
   * Switches to it and throws `error` there, a new `GreenletExit` if left out. One that has not started dies of it at
   * once; a dead one stands for its parent, and `GreenletExit` is then passed on as a value. One that is suspended on a
   * foreign Effect has that Effect interrupted, its finalizers run, before the error is thrown in its body.
   *
   * Gives back what `switch` does. Mirrors `greenlet.throw`.
   */
  throw<B = A>(error: unknown = new GreenletExit()): Operation<B, E> {
    return new Throw(this, error) as Operation<B, any>
  }

  // ---- for schedulers ---------------------------------------------------------------------------------------------

  /**
   * For an operation's `perform`: this greenlet will resume with `value`. Returns it. One that has not started takes it
   * as its only argument.
   */
  give(value: unknown): this {
    const state = this.state
    if (state === SUSPENDED || state === OUTSIDE) this.inbox = value
    else if (state === UNSTARTED) this.inbox = [value]
    else if (state === OUTSIDE_RAISING) {
      this.state = OUTSIDE
      this.inbox = value
    } else if (state === RAISING) {
      this.state = SUSPENDED
      this.inbox = value
    }
    return this
  }

  /** For an operation's `perform`: this greenlet will resume with `error`, thrown. Returns it. */
  raise(error: unknown): this {
    this.inbox = error
    switch (this.state) {
      case UNSTARTED:
        this.state = DOOMED
        break
      case OUTSIDE:
        this.state = OUTSIDE_RAISING
        break
      case SUSPENDED:
      case WAITING:
        this.state = RAISING
    }
    return this
  }

  /**
   * Its body returned `value`: names the greenlet to run next. A scheduler's greenlet overrides it; here the parent
   * does, and resumes with the value.
   */
  ends(value: unknown): Greenlet {
    return handOver(this.up!, false, value, true)
  }

  /** Its body threw `error`: names the greenlet to run next. Here the parent, in which it is thrown. */
  dies(error: unknown): Greenlet {
    return error instanceof GreenletExit
      ? handOver(this.up!, false, error, true)
      : handOver(this.up!, true, error, true)
  }

  /**
   * Its fiber suspends on a foreign Effect: names the greenlet to run next. Here itself, which stops the thread until
   * the wait is over, as a blocking call does upstream. A scheduler's greenlet overrides it to let others run.
   */
  waits(): Greenlet {
    return this
  }

  /** Its wait is over, and it can be resumed. A scheduler's greenlet overrides it to line up again. */
  ready(): void {}

  /**
   * Its fiber was interrupted from outside while it was suspended in a switch. Here it resumes with `GreenletExit` when
   * it is next switched to. A scheduler's greenlet overrides it to line up for that.
   */
  interrupted(): void {
    this.raise(new GreenletExit("the fiber of this greenlet was interrupted"))
  }

  /**
   * Of a main greenlet: the fiber that stood for it was interrupted, and main is the current greenlet again. A scheduler
   * overrides it on its thread's main to take main out of whatever it was queued in.
   */
  abandoned(): void {}

  // ---- frames -----------------------------------------------------------------------------------------------------

  /** @internal puts a frame on top, to be resumed next */
  push(frame: Frame): void {
    if (this.code !== undefined) (this.stack ??= []).push(this.code as Frame)
    this.code = frame
    this.state = SUSPENDED
    this.inbox = undefined
  }

  /** @internal takes the top frame off; false if none is left */
  pop(): boolean {
    const below = this.stack?.pop()
    this.code = below
    return below !== undefined
  }

  /** @internal the transition to DEAD */
  bury(): void {
    this.state = DEAD
    this.code = undefined
    this.inbox = undefined
    this.stack = undefined
    this.fiber?.release()
    this.thread.buried(this)
  }
}

// `run` is an accessor that a subclass may replace by a method, which TypeScript's classes cannot say of one member.
export interface Greenlet<Args extends ReadonlyArray<any> = any, out A = any, out E = any> {
  /**
   * The body. It can be set until the start; reading it after the start throws `AttributeError`, as does setting it.
   */
  run(...args: Args): ReturnType<Body<Args, A, E>>
}

Object.defineProperty(Greenlet.prototype, "run", {
  configurable: true,
  get(this: Greenlet): Body {
    if (this.state !== UNSTARTED && this.state !== DOOMED) {
      throw new AttributeError("run is gone once the greenlet has started")
    }
    if (this.code === undefined) {
      throw new AttributeError("this greenlet has nothing to run: pass a body, set run, or give the class a run method")
    }
    return this.code as Body
  },
  set(this: Greenlet, body: Body) {
    if (this.state !== UNSTARTED) throw new AttributeError("run cannot be set after the start of the greenlet")
    if (typeof body !== "function") throw new TypeError(`run must be a function; got ${describe(body)}`)
    this.code = body
  }
})

/**
 * Makes a greenlet; it runs when it is first switched to.
 *
 * @param run the body: a generator function, a function that returns an Effect, or a plain function
 * @param parent where its end and its errors go; the current greenlet if left out
 *
 * Throws `TypeError` if `run` is no function or `parent` no greenlet. Mirrors `greenlet.greenlet(run, parent)`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { greenlet } from "effect-stackless/greenlet"
 *
 * const adder = greenlet(function*(a: number, b: number) {
 *   return a + b
 * })
 * await Effect.runPromise(adder.switch(1, 2)) // => 3
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const greenlet: {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    run: (...args: Args) => Generator<Eff, A, never>,
    parent?: Greenlet
  ): Greenlet<Args, A, Effect.Error<Eff>>
  <Args extends ReadonlyArray<any>, A, E, R>(
    run: (...args: Args) => Effect.Effect<A, E, R>,
    parent?: Greenlet
  ): Greenlet<Args, A, E>
  <Args extends ReadonlyArray<any>, A>(run: (...args: Args) => A, parent?: Greenlet): Greenlet<Args, A, never>
  (): Greenlet<any, any, any>
} = (run?: Body, parent?: Greenlet): any => new Greenlet(run, parent)

/**
 * The greenlet that runs; the main greenlet of the thread when called from outside. Mirrors `greenlet.getcurrent`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const getcurrent = (): Greenlet => currentThread().current

// ---- switching ------------------------------------------------------------------------------------------------------

class Switch extends Operation<unknown> {
  readonly target: Greenlet
  readonly args: ReadonlyArray<unknown>
  constructor(target: Greenlet, args: ReadonlyArray<unknown>) {
    super()
    this.target = target
    this.args = args
  }
  perform(current: Greenlet): Greenlet {
    const target = this.target
    requireReachable(current, target)
    const args = this.args
    if (target.state === SUSPENDED) {
      target.inbox = args.length === 1 ? args[0] : args.length === 0 ? undefined : args
      return target
    }
    const real = living(target)
    if (real.state === UNSTARTED) {
      void real.run // throws if there is no body
      real.inbox = args
      return real
    }
    return real.give(args.length === 1 ? args[0] : args.length === 0 ? undefined : args)
  }
}

class Throw extends Operation<unknown> {
  readonly target: Greenlet
  readonly error: unknown
  constructor(target: Greenlet, error: unknown) {
    super()
    this.target = target
    this.error = error
  }
  perform(current: Greenlet): Greenlet {
    const { error, target } = this
    requireReachable(current, target)
    return handOver(target, !(target.state === DEAD && error instanceof GreenletExit), error, false)
  }
}

const requireReachable = (current: Greenlet, target: Greenlet): void => {
  if (current.thread === target.thread) return
  if (target.thread.ended) {
    throw new GreenletError("cannot switch to a greenlet of another thread, which happens to have ended")
  }
  throw new GreenletError(
    "cannot switch to a greenlet of another thread: perform the switch on its own, with withThread or Thread"
  )
}

/** A dead greenlet stands for its parent. A main greenlet does not die while its thread runs. */
const living = (target: Greenlet): Greenlet => {
  while (target.state === DEAD) target = target.up!
  return target
}

/**
 * Resumes `target`, or whoever stands for it, with a value or an error. One that has nothing to run cannot be started:
 * that error goes to the caller, or, if the hand-over is the end of a greenlet (`ending`), on to the next parent.
 */
const handOver = (target: Greenlet, failed: boolean, value: unknown, ending: boolean): Greenlet => {
  for (;;) {
    const real = living(target)
    if (real.state === UNSTARTED) {
      try {
        void real.run
      } catch (error) {
        if (!ending) throw error
        target = real.up!
        failed = true
        value = error
        continue
      }
    }
    return failed ? real.raise(value) : real.give(value)
  }
}

const describe = (u: unknown): string => u === null ? "null" : typeof u === "object" ? "an object" : `${typeof u} ${u}`
