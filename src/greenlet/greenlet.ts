/**
 * The greenlet: a microthread that is switched to and from by hand.
 *
 * Carries the behaviour of upstream's `greenlet.greenlet` (`TGreenlet.cpp`, `TUserGreenlet.cpp`): a dead target stands
 * for its parent, an unstarted one is started, a return or an error goes to the parent, `GreenletExit` is a return.
 * Where it differs: a greenlet that nobody refers to any more is collected silently, its `finally` blocks not run, as
 * JavaScript has no safe moment for it; and a body is a generator function or a function that returns an Effect.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { letErrorsInto } from "./effect/beyond-public.ts"
import { EffectFrame } from "./effect/effect-frame.ts"
import { OperatingGate } from "./effect/perform.ts"
import { type Body, describe, type NotAsync, type Plain, requireFunction } from "./kernel/body.ts"
import { currentThread, setDefaultThread, type Thread } from "./kernel/current.ts"
import { AttributeError, GreenletError, GreenletExit, ValueError } from "./kernel/errors.ts"
import { exitOf } from "./kernel/exit.ts"
import { GreenletFrame, standsAt } from "./kernel/greenlet-frame.ts"
import type { Hard } from "./kernel/hard.ts"
import { Microthread, Start } from "./kernel/microthread.ts"
import { Operation } from "./kernel/operation.ts"
import type { Policy } from "./kernel/policy.ts"
import { becomeOutside, DEAD, RAISING, SOFT, SUSPENDED, UNSTARTED, WAITING } from "./kernel/state.ts"
import { ThreadState } from "./kernel/thread.ts"

/**
 * A greenlet: `Args` are what its body takes, `A` what it returns, `E` the typed failures it can end with.
 *
 * Subclass it with a `*run()` method, or make one with {@link greenlet}. Mirrors `greenlet.greenlet`.
 *
 * @category models
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging -- `run` is an accessor here and a method in subclasses
export class Greenlet<Args extends ReadonlyArray<any> = any, out A = any, out E = any> extends Microthread {
  /** @internal the parent; a tasklet, if one made this greenlet; none for a main greenlet */
  _up: Microthread | undefined
  /** @internal what it runs, for people to read */
  _origin: Body | undefined = undefined
  /** @internal A switch without arguments, which is always the same: it takes a tenth fewer steps than one that is made. */
  _switching: Operation<unknown> | undefined = undefined

  /**
   * @param run the body; a subclass that has a `run` method leaves it out
   * @param parent where its end and its errors go; the current greenlet if left out
   */
  constructor(run?: Body<Args, A, E> & NotAsync<A> | null, parent?: Greenlet | null)
  /** @internal */
  constructor(run: undefined, parent: MainOf)
  constructor(run?: Body<Args, A, E> | null, parent?: Greenlet | MainOf | null) {
    const outside = parent instanceof MainOf
    if (parent != null && !outside) requireGreenlet(parent)
    super(outside ? undefined : run, parent instanceof Greenlet ? threadOf(parent) : parent?.thread)
    if (outside) {
      this._up = undefined
      becomeOutside(this)
    } else {
      this._up = parent ?? this.thread.current
      this._origin = run ?? undefined
    }
  }

  /**
   * Where its end goes. A greenlet that has not started goes with its parent, also to another thread. Setting it throws
   * `ValueError` for a cycle, for a parent whose thread has ended, and, once the greenlet has started, for a parent on
   * another thread; `TypeError` for what is no greenlet; `AttributeError` on a main greenlet. The main greenlet's is
   * `undefined`.
   */
  get parent(): Greenlet | undefined {
    return this._up as Greenlet | undefined
  }

  set parent(parent: Greenlet) {
    requireGreenlet(parent)
    if (this._up === undefined) throw new AttributeError("the parent of a main greenlet cannot be set")
    for (let p: Microthread | undefined = parent; p !== undefined; p = parentOf(p)) {
      if (p === this) throw new ValueError("cyclic parent chain: the new parent is a descendant of this greenlet")
    }
    const thread = threadOf(parent)
    if (thread.ended) throw new ValueError("the parent's thread has ended")
    if (thread !== threadOf(this)) {
      if (this._state !== UNSTARTED) throw new ValueError("the parent of a started greenlet must be on its own thread")
      this.thread.left = true
      this.thread = thread
    }
    this._up = parent
  }

  /**
   * Where it is suspended: its innermost frame, from which `back` leads outwards. It is there to be read by people; print
   * it. `undefined` if the greenlet has not started, is dead, or runs. Mirrors `greenlet.gr_frame`.
   */
  get grFrame(): GreenletFrame | undefined {
    return this.active && this.thread.current !== this
      ? GreenletFrame.of(this, this._origin?.name || `${this.constructor.name}.run`)
      : undefined
  }

  /**
   * The context of Effect that it runs in: its services and references. It starts with its creator's; one that was made
   * outside of any Effect starts with that of the fiber that stands for main. Contexts do not change, so what a greenlet
   * sets, no other sees:
   *
   *     const me = getcurrent()
   *     me.grContext = Context.add(me.grContext, Name, "me")
   *
   * Setting it counts for the Effects that the greenlet begins from then on, and for greenlets that it makes; it ends with
   * the `Effect.provide…` that a hard greenlet may be in. `undefined` stands for an empty context.
   *
   * Setting it throws `TypeError` if it is no context; both throw `ValueError` on a greenlet that runs on another thread.
   * Mirrors `greenlet.gr_context`, which starts empty.
   */
  get grContext(): Context.Context<never> {
    this._requireContext()
    return this._contextInForce
  }

  set grContext(context: Context.Context<never> | undefined | null) {
    this._requireContext()
    if (context != null && !Context.isContext(context)) {
      throw new TypeError(`the context of a greenlet is a Context of Effect, or undefined; got ${describe(context)}`)
    }
    this._contextInForce = context ?? Context.empty()
  }

  private _requireContext(): void {
    const { thread } = this
    if (thread.current === this && thread !== currentThread() && !thread.ended) {
      throw new ValueError("the context of a greenlet that runs on another thread is not to be had")
    }
  }

  /**
   * Switches to it. The first switch starts it with `args`; a later one returns from the switch it is suspended in
   * with `undefined` for no argument, the value for one, the array for more. A dead greenlet stands for its parent.
   *
   * Gives back what the next switch to the current greenlet brings: what is passed to it, or what a greenlet whose
   * parent it is returns or throws. That need not be this greenlet's result, so name the type that you expect:
   * `yield* g.switch<string>(…)`.
   *
   * One that is suspended on a foreign Effect goes on when that has ended, with its result: what is passed is dropped.
   *
   * Dies with `GreenletError` if it belongs to another thread, with `AttributeError` if it has no body. Mirrors
   * `greenlet.switch`.
   */
  switch<B = A>(...args: Args | []): Operation<B, E>
  switch(..._: ReadonlyArray<any>): Operation<any, any> {
    // not of an array of them: none is made for one argument or none, which is a tenth of a switch
    const count = arguments.length
    if (this._up === undefined) {
      return governed(this, new Switch(this, count, count === 1 ? arguments[0] : [...arguments]))
    }
    if (count === 0) return this._switching ??= new Switch(this, 0, undefined)
    return new Switch(this, count, count === 1 ? arguments[0] : [...arguments])
  }

  /**
   * Switches to it and throws `error` there, a new `GreenletExit` if left out. One that has not started dies of it at
   * once; a dead one stands for its parent, and `GreenletExit` is then passed on as a value. One that is suspended on a
   * foreign Effect has that Effect interrupted, its finalizers run, before the error is thrown in its body. A body that
   * is an Effect itself is interrupted as a whole then, and the greenlet ends with the error.
   *
   * Gives back what `switch` does. Throws `TypeError` if `error` cannot be one: a string, a number, a function. Mirrors
   * `greenlet.throw`.
   *
   * @param error what is thrown: any object, or a class of errors
   * @param args if it is a class, what its constructor takes
   */
  throw<B = A>(error?: unknown, ...args: ReadonlyArray<unknown>): Operation<B, E> {
    requireMethod(this)
    return new Throw(this, thrownBy(error, args)) as Operation<B, any>
  }

  /** Its class and body, and its state in upstream's words. */
  override toString(): string {
    const name = this._origin?.name
    const state = stateOf(this)
    const words = state === "dead"
      ? this.thread.ended ? "(thread exited) dead" : "dead"
      : `${state}${state === "pending" ? "" : " active started"}${this._up === undefined ? " main" : ""}`
    return `<${this.constructor.name}${name ? ` ${name}` : ""} ${words}>`
  }

  /**
   * What `JSON.stringify` makes of it: its class, its body's name, its state, its parent, and where in the source it stands, as
   * far as that is known: of compiled frames, and in development mode.
   */
  toJSON(): GreenletDescription {
    return {
      type: this.constructor.name,
      name: this._origin?.name || undefined,
      state: stateOf(this),
      main: this._up === undefined,
      parent: this._up === undefined ? undefined : String(this._up),
      at: this.active && this.thread.current !== this ? standsAt(this) : undefined
    }
  }

  /** What Node prints. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString()
  }

  // ---- what the loop asks -----------------------------------------------------------------------------------------

  protected override begins(): Body {
    const { run } = this
    // a subclass may have anything in its place
    requireFunction(run)
    return run
  }

  /** @internal */
  override _written<Known extends Body | undefined>(body: Known): Body | Known {
    return this._origin ?? body
  }

  protected override receiver(body: Body): unknown {
    return body === this._origin ? undefined : this
  }

  /** @internal */
  override _unstart(): void {
    if (this._code instanceof Start) this._rebind(this._origin)
  }

  /** @internal */
  override get _policy(): Policy {
    return this._up === undefined ? this.thread.mainPolicy : this as unknown as Policy
  }

  override raise(error: unknown): this {
    if (this._up === undefined) this.thread.mainPolicy.raised()
    return super.raise(error)
  }

  protected override ends(value: unknown): Microthread {
    return deliver(this.thread, this._up!, "value", value, true)
  }

  protected override dies(error: unknown): Microthread {
    return deliver(this.thread, this._up!, error instanceof GreenletExit ? "exit" : "error", error, true)
  }

  protected override reclaims(): void {
    this.thread.reclaim(this)
  }

  protected override givesUp(): unknown {
    const error = this.interrupted()
    this.reclaims()
    return error
  }

  /** @internal throws if it cannot be switched to, see unswitchable.ts */
  requireSwitchable(): void {}
}

/**
 * A greenlet, described for people.
 *
 * @category models
 * @since 0.1.0
 */
export interface GreenletDescription {
  /** Its class. */
  readonly type: string
  /** The name of its body. */
  readonly name: string | undefined
  readonly state: "pending" | "current" | "suspended" | "waiting" | "dead"
  /** Is it the main greenlet of its thread? */
  readonly main: boolean
  /** Its parent, as it is printed. */
  readonly parent: string | undefined
  /** Where its innermost frame stands, `at clerk (shop.ts:12:5)`. */
  readonly at: string | undefined
}

const stateOf = (greenlet: Greenlet<any, any, any>): GreenletDescription["state"] =>
  greenlet.unstarted
    ? "pending"
    : greenlet.dead
    ? "dead"
    : greenlet.thread.current === greenlet && greenlet.thread === currentThread()
    ? "current"
    : greenlet._state === WAITING
    ? "waiting"
    : "suspended"

/** Instead of a parent: makes the main greenlet of a thread. */
class MainOf {
  readonly thread: Thread
  constructor(thread: Thread) {
    this.thread = thread
  }
}

/** What is hard in a thread. */
const hard: Hard = {
  frame: (greenlet, effect, foreign) => new EffectFrame(greenlet, effect, foreign),
  gate: (thread, base) => new OperatingGate(thread, base),
  letErrorsInto
}

/** @internal makes a thread, of the kernel's loop, the fibers of Effect and a main greenlet: here the three meet */
export const newThread = (willEnd: boolean): Thread => {
  letErrorsInto(Effect.void)
  return new ThreadState(willEnd, hard, (thread) => new Greenlet(undefined, new MainOf(thread)))
}

setDefaultThread(() => newThread(false))

/** @internal The same. What goes through here is kept together with how a thread is made, see kernel.ts. */
export const bound = <T>(it: T): T => it

type Self = Greenlet

declare module "./kernel/ports.ts" {
  interface MainGreenlet extends Self {}
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
    if (!this.unstarted) {
      throw new AttributeError("run is gone once the greenlet has started")
    }
    if (this._code === undefined) {
      throw new AttributeError("this greenlet has nothing to run: pass a body, set run, or give the class a run method")
    }
    return this._code as Body
  },
  set(this: Greenlet, body: Body) {
    if (this._state !== UNSTARTED) throw new AttributeError("run cannot be set after the start of the greenlet")
    requireFunction(body)
    this._code = this._origin = body
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
  <Args extends ReadonlyArray<any>, A>(run: (...args: Args) => Plain<A>, parent?: Greenlet): Greenlet<Args, A, never>
  (): Greenlet<any, any, any>
} = (run?: Body, parent?: Greenlet): any => new Greenlet(run, parent)

/**
 * The greenlet that runs; the main greenlet of the thread when called from outside. Throws `GreenletError` in a tasklet.
 * Mirrors `greenlet.getcurrent`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const getcurrent = (): Greenlet => {
  const { current } = currentThread()
  if (current instanceof Greenlet) return current
  throw new GreenletError("what runs is a tasklet, not a greenlet: ask stackless.getcurrent()")
}

// constants, as the loop has them: see thread.ts
const soft = SOFT

// ---- switching ------------------------------------------------------------------------------------------------------

const Switch = class extends Operation<unknown> {
  readonly target: Greenlet
  /** How many arguments there are. */
  readonly count: number
  /** What they bring: nothing, the only one, or an array of all. */
  readonly passed: unknown
  constructor(target: Greenlet, count: number, passed: unknown) {
    super()
    this.target = target
    this.count = count
    this.passed = passed
  }
  perform(current: Microthread): Microthread {
    const { passed, target } = this
    requireReachable(current, target)
    if ((target._state >= soft || target._state === SUSPENDED) && target !== current) {
      target["~inbox"] = passed
      return target
    }
    const real = standIn(current.thread, target)
    const body = resumable(current.thread, real)
    if (body !== undefined) {
      if (this.count === 1) real.give(passed)
      else real["~inbox"] = passed
      real._starts(body)
      return real
    }
    // it was interrupted meanwhile: that is what it resumes with
    if (real._state === RAISING) return arrived(current, real)
    return arrived(current, real.give(passed))
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
  perform(current: Microthread): Microthread {
    const { error, target } = this
    requireReachable(current, target)
    const as = target._state === DEAD && error instanceof GreenletExit ? "exit" : "error"
    return arrived(current, deliver(current.thread, target, as, error, false))
  }
}

const requireReachable = (current: Microthread, target: Greenlet): void => {
  if (current.thread !== target.thread) requireOn(current.thread, target)
}

const requireOn = (thread: Thread, target: Microthread): void => {
  requireMethod(target)
  const its = threadOf(target)
  if (its === thread) return
  if (its.ended) {
    throw new GreenletError("cannot switch to a greenlet of another thread, which happens to have ended")
  }
  throw new GreenletError(
    "cannot switch to a greenlet of another thread: perform the switch on its own, with withThread or Thread"
  )
}

/** Throws if what a method was called on is none of ours. */
const requireMethod = (u: unknown): void => {
  if (!(u instanceof Microthread)) throw new TypeError(`this method must be called on a greenlet; got ${describe(u)}`)
}

/** Who governs main may have something else performed. What is no greenlet is refused when the switch is performed. */
const governed = (g: Greenlet, operation: Operation<unknown>): Operation<any> =>
  g instanceof Greenlet ? g.thread.mainPolicy.switching(operation) as Operation<any> : operation

/** A switch to oneself is traced as any other, though the loop sees none. */
const arrived = (current: Microthread, target: Microthread): Microthread => {
  if (target === current && current.thread.tracer !== undefined) current.thread.trace(current, target)
  return target
}

/** A tasklet has no parent: what ends below a dead one goes to main. */
const parentOf = (m: Microthread): Microthread | undefined => m instanceof Greenlet ? m._up : m.thread.main

/** The thread that it is on. One that has not started goes with its parent, which may have been moved meanwhile. */
const threadOf = (m: Microthread): Thread => {
  if (!m.thread.left) return m.thread
  let above = m
  while (above.unstarted && above instanceof Greenlet) above = above._up!
  return m.thread = above.thread
}

/**
 * A dead greenlet stands for its parent. A main greenlet does not die while its thread runs. The parent may be on another
 * thread, if it was moved there before its start: then it is the one, dead or not.
 */
const standIn = (thread: Thread, target: Microthread): Microthread => {
  while (target.dead && target.thread === thread) target = parentOf(target)!
  return target
}

/**
 * The body of one that has not started. Throws if it cannot be resumed: it is on another thread, or unswitchable, or has
 * nothing to run.
 */
const resumable = (thread: Thread, real: Microthread): Body | undefined => {
  requireOn(thread, real)
  if (real instanceof Greenlet) real.requireSwitchable()
  if (real._state !== UNSTARTED) return undefined
  const body = real._hooks.begins()
  // a `run` that is a getter may have moved it
  requireOn(thread, real)
  return body
}

/**
 * Resumes `target`, or whoever stands for it, with a value or an error, or with a `GreenletExit` that was thrown and
 * arrives as a value. If it cannot be resumed, that error goes to the caller, or, if the hand-over is the end of a greenlet
 * (`ending`), on to the next parent.
 */
const deliver = (
  thread: Thread,
  target: Microthread,
  as: "value" | "exit" | "error",
  value: unknown,
  ending: boolean
): Microthread => {
  for (;;) {
    const real = standIn(thread, target)
    let body: Body | undefined
    try {
      body = resumable(thread, real)
    } catch (error) {
      if (!ending) throw error
      // the parents of one on another thread are there, too
      target = threadOf(real) === thread ? parentOf(real)! : thread.main
      as = "error"
      value = error
      continue
    }
    if (body !== undefined) {
      // upstream packs a returned value into the arguments of the start, but not one that was thrown (g_handle_exit)
      if (as === "value") real.give(value)
      else real["~inbox"] = undefined
      real._starts(body)
      if (as !== "error") return real
    }
    return as === "error" ? real.raise(value) : real.give(value)
  }
}

/** What `throw` is to throw. Python knows only classes and instances of exceptions; here any object may be an error. */
const thrownBy = (error: unknown, args: ReadonlyArray<unknown>): unknown => {
  if (error === undefined) return exitOf(GreenletExit)
  if (typeof error === "function") {
    if (error === Error || error.prototype instanceof Error) {
      return new (error as new(...args: ReadonlyArray<unknown>) => Error)(...args)
    }
  } else if (typeof error === "object" && error !== null) {
    if (args.length === 0) return error
    throw new TypeError("an error that is an instance takes no arguments of its own")
  }
  throw new TypeError(`what is thrown is an error, or a class of errors; got ${describe(error)}`)
}

const requireGreenlet = (u: unknown): void => {
  if (!(u instanceof Greenlet)) throw new TypeError(`the parent must be a greenlet; got ${describe(u)}`)
}
