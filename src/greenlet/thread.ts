/**
 * The thread: one loop, a current greenlet, a main greenlet.
 *
 * Upstream has one of these an OS thread (`ThreadState`). Here each JavaScript realm has a default one, and `Thread` is
 * a reference in Effect's context, so that a program or a test can have its own. The main greenlet is the program
 * outside: a fiber that is no greenlet and performs a `switch` stands for it until that returns, and drives the loop.
 */
import { Context, Effect, Exit, Fiber, Predicate, Scheduler, type Scope } from "effect"
import { EffectFrame } from "./effect-frame.ts"
import { GreenletError, GreenletExit } from "./errors.ts"
import { errorOf, failureOf, Gate, performByProxy } from "./fiber.ts"
import { type Frame, letErrorsIntoBodies, resumeGenerator } from "./frame.ts"
import { Greenlet, MainOf } from "./greenlet.ts"
import { type Body, isFrame, type Microthread, Start, start } from "./microthread.ts"
import { forgetAsked, Operation, renewAsked } from "./operation.ts"
import {
  DEAD,
  DOOMED,
  OUTSIDE,
  OUTSIDE_RAISING,
  RAISING,
  SOFT,
  SUSPENDED,
  suspendedOn,
  UNSTARTED,
  WAITING
} from "./state.ts"
import type { TraceFunction } from "./trace.ts"

/**
 * How many operations the loop performs before it lets the JavaScript event loop have a turn, when the fiber that drives it
 * can wait. A millisecond or so: timers and sockets stay alive beside a busy program, at a cost below 1 %.
 */
export const SLICE = 16_384

// The loop's own names for what it imports: an import is loaded and checked at every use, an eighth of the loop's steps
const soft = SOFT
const forget = forgetAsked
const resume = resumeGenerator
const Performed = Operation

/** How often a greenlet that ends with its thread may try to switch before its frames are dropped as they are. */
const PATIENCE = 100

/** The thread whose loop is on the JavaScript stack. */
let running: ThreadState | undefined

class ThreadState {
  /** The main greenlet: the program outside. */
  readonly main: Greenlet
  /** The greenlet that runs. */
  current: Microthread
  /** Has it ended? Its greenlets cannot be switched to any more. */
  ended = false
  /** @internal its greenlets are being ended */
  ending = false
  /** @internal has a greenlet been moved to another thread? Unstarted ones below it are there as well, and say they are here. */
  left = false
  /**
   * For schedulers: asked before each step that the fiber of a greenlet makes, while it runs. If it answers true, the
   * greenlet stops there, and its `preempted` says who runs. It costs nothing while there is none.
   */
  watch: ((greenlet: Microthread) => boolean) | undefined = undefined
  /** @internal for the stackless layer, whose scheduler every operation asks for: a map takes a twentieth of a message */
  scheduler: unknown = undefined
  /** @internal see trace.ts */
  tracer: TraceFunction | undefined = undefined
  /** The fiber that stands for main. */
  private host: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** The greenlet to go on with, while the loop is off the stack in the middle of main's operation. */
  private parked: Microthread | undefined = undefined
  /** @internal is its loop on the JavaScript stack? */
  looping = false
  /** Tells the host's fiber that main's turn has come. */
  private finish: (() => void) | undefined = undefined
  /** The host's fiber was interrupted while the loop ran: to be called when it has stopped, unless `finish` is. */
  private giveUp: (() => void) | undefined = undefined
  private budget = SLICE
  /** How many more switches the greenlet that is being ended may try. */
  private patience = PATIENCE
  /** The greenlets that took a switch back while the loop ran, see `reclaim`. */
  private readonly reclaiming: Array<Microthread> = []
  private readonly gates = new WeakMap<Scheduler.Scheduler, Gate>()
  /** The greenlets that have started and not ended: kept only by a thread that will end. */
  private readonly alive: Set<Microthread> | undefined

  constructor(willEnd: boolean) {
    letErrorsIntoBodies()
    this.alive = willEnd ? new Set() : undefined
    this.main = this.current = new Greenlet(undefined, new MainOf(this))
  }

  // ---- the loop ---------------------------------------------------------------------------------------------------

  /**
   * Resumes `g`, performs what it yields, goes on with the greenlet that the operation names; until that is a main
   * without frames, or one that has to wait. Afterwards `parked` says which of the two it was.
   */
  private loop(g: Microthread): void {
    let budget = this.budget
    for (;;) {
      let operation: Operation<any, any, any> | undefined
      try {
        for (;;) {
          let result: IteratorResult<unknown, unknown> | undefined
          if (g._state === soft) {
            const value = g._inbox
            g._inbox = undefined
            forget()
            result = resume(g._code as Frame, value)
          } else {
            result = this.resume(g)
            if (result === undefined) {
              this.budget = budget
              return
            }
          }
          let next: Microthread
          if (result instanceof Performed) {
            operation = result
            next = operation.perform(g)
            operation = undefined
          } else {
            next = result.done === true ? this.returned(g, result.value) : this.yielded(g, result.value)
          }
          // not even whether it switches at all is asked where nothing depends on it
          if (--budget > 0 && this.tracer === undefined) {
            this.current = g = next
            continue
          }
          const over = budget <= 0
          if (over) {
            renewAsked()
            budget = this.ending ? 1 : SLICE
            if (this.ending && next !== g) next = this.refuse(g, next)
          }
          g = this.switchTo(g, next)
          if (over && this.yieldToEventLoop(g)) return
        }
      } catch (error) {
        if (operation !== undefined) {
          g.raise(error)
          if (this.ending) g = this.switchTo(g, this.drop(g) ?? g)
        } else {
          g = this.switchTo(g, this.threw(g, error))
        }
      }
    }
  }

  /** From `g` to `next`, which is told to whoever traces; returns `next`. */
  private switchTo(g: Microthread, next: Microthread): Microthread {
    if (next !== g) {
      this.current = next
      if (this.tracer !== undefined) this.trace(g, next)
    }
    return next
  }

  /** Resumes a greenlet that is not simply suspended in a generator. `undefined`: the loop has to stop here. */
  private resume(g: Microthread): IteratorResult<unknown, unknown> | undefined {
    const inbox = g._inbox
    switch (g._state) {
      case SUSPENDED:
        g._inbox = undefined
        forgetAsked()
        return (g._code as Frame).next(inbox)
      case UNSTARTED:
        return this.start(g, g._body(), inbox)
      case DOOMED:
        g._state = SUSPENDED
        throw inbox
      case RAISING: {
        const frame = g._code as Frame
        g._state = suspendedOn(frame)
        g._inbox = undefined
        forgetAsked()
        return frame.throw(inbox)
      }
      case WAITING:
        this.parked = g
        for (let r = this.reclaiming.pop(); r !== undefined; r = this.reclaiming.pop()) {
          if (r._fiber?.somethingGivenUp === true) this.reclaim(r, true)
        }
        return undefined
      case OUTSIDE:
      case OUTSIDE_RAISING:
        this.parked = undefined
        return undefined
      default:
        throw new GreenletError("an operation named a dead greenlet to run next")
    }
  }

  /** @internal calls the body of `g` */
  start(g: Microthread, body: Body, args: unknown): IteratorResult<unknown, unknown> {
    g._code = undefined
    g._inbox = undefined
    g._state = SUSPENDED
    this.alive?.add(g)
    const made = start(body, g, args)
    if (Effect.isEffect(made)) g._code = new EffectFrame(g, made)
    else if (isFrame(made)) g._push(made)
    else return { done: true, value: requireResult(made) }
    return (g._code as unknown as Frame).next(undefined)
  }

  /** The top frame of `g` returned. */
  private returned(g: Microthread, value: unknown): Microthread {
    if (g._pop()) return g.give(value)
    if (g === this.main) {
      g._state = OUTSIDE
      return g.give(value)
    }
    g._bury()
    return this.ending ? this.main.give(value) : g.ends(value)
  }

  /** The top frame of `g` threw. */
  private threw(g: Microthread, error: unknown): Microthread {
    if (g._pop()) return g.raise(error)
    if (g === this.main) {
      g._state = OUTSIDE
      return g.raise(error)
    }
    g._bury()
    if (this.ending) return this.main.raise(error)
    try {
      return g.dies(error)
    } catch (error) {
      return this.main.raise(error)
    }
  }

  /** A body yielded something by itself, without `yield*`, or an Effect. */
  private yielded(g: Microthread, value: unknown): Microthread {
    if (value instanceof Operation) {
      try {
        return value.perform(g)
      } catch (error) {
        return g.raise(error)
      }
    }
    if (!Effect.isEffect(value)) return g.raise(new TypeError(notYieldable(value)))
    if (Exit.isExit(value)) return Exit.isSuccess(value) ? g.give(value.value) : g.raise(errorOf(value.cause, g))
    g._push(new EffectFrame(g, value))
    return g
  }

  /** @internal tells the trace function */
  trace(origin: Microthread, target: Microthread): void {
    const { _state: state } = target
    const event = state === RAISING || state === DOOMED || state === OUTSIDE_RAISING ? "throw" : "switch"
    try {
      this.tracer!(event, origin as Greenlet, target as Greenlet)
    } catch (error) {
      this.tracer = undefined
      target.raise(error)
    }
  }

  private enter(g: Microthread): void {
    const outer = running
    running = this
    this.looping = true
    try {
      this.loop(g)
    } finally {
      running = outer
      this.looping = false
    }
  }

  // ---- waiting ----------------------------------------------------------------------------------------------------

  /** @internal the wait of `g` is over */
  wake(g: Microthread): void {
    if (g === this.parked) queueMicrotask(() => this.pump())
  }

  /** Goes on where the loop was parked. */
  private pump(): void {
    const g = this.parked
    if (g === undefined || g._state === WAITING || this.looping) return
    this.enter(g)
    if (this.parked === undefined) this.finish?.()
    else this.giveUp?.()
  }

  private yieldToEventLoop(g: Microthread): boolean {
    const host = this.host!
    // a greenlet that waits stops the loop, which is a turn as well
    if (g._state === WAITING || this.ending || host.cache.scheduler.executionMode === "sync") return false
    this.parked = g
    this.budget = SLICE
    host.currentDispatcher.scheduleTask(() => this.pump(), 0)
    return true
  }

  /**
   * @internal `g` is suspended in a switch, and the race or timeout around it was decided otherwise: it takes the switch
   * back, and goes on in place of the greenlet that the thread has stopped at. As long as the loop runs, that is nobody.
   */
  reclaim(g: Microthread, stopped = !this.looping): void {
    if (this.parked === undefined || !stopped) {
      if (this.looping) this.reclaiming.push(g)
      return
    }
    const before = this.current
    this.parked = this.current = g
    if (g === this.main) g.abandoned()
    if (before !== g && this.tracer !== undefined) this.trace(before, g)
    queueMicrotask(() => this.pump())
  }

  /** Runs what waits on nothing but a scheduler that `Effect.runSync` would flush: of a fiber that cannot wait. */
  private flush(): void {
    for (let g = this.parked; g !== undefined; g = this.parked) {
      g._fiber?.gate.flush()
      if (g === this.parked && g._state === WAITING) return
      this.pump()
    }
  }

  // ---- main -------------------------------------------------------------------------------------------------------

  /** May `fiber` stand for main now? No greenlet's fiber may, no child of one, and nobody while another one does. */
  mayStandForMain(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    const gate = fiber.cache.scheduler
    if (gate instanceof Gate) return false
    this.dropForsakenHost(gate)
    return this.host === undefined
  }

  /**
   * Performs an operation for main, for which `fiber` stands until it is done; or does what `otherwise` says, if another
   * fiber stands for main. For `Operation.performOutside`.
   *
   * All of it is one step of the fiber: who runs meanwhile may interrupt it, and Effect forgets what a step of an
   * interrupted fiber has returned, but not what it has left to be undone.
   */
  standForMain<A, E, R>(
    operation: Operation<A, E, R>,
    fiber: Fiber.Fiber<unknown, unknown>,
    otherwise: Effect.Effect<A, E, R> = anotherStandsForMain
  ): Effect.Effect<A, E, R> {
    const gate = fiber.cache.scheduler
    if (gate instanceof Gate) return performByProxy(operation, gate)
    return Effect.callback<A, E, R>((resume) => {
      if (this.ended) return resume(Effect.die(new GreenletError("the thread of this operation has ended")))
      if (!this.mayStandForMain(fiber)) return resume(otherwise)
      const { main } = this
      this.host = fiber
      main._context = fiber.context
      let next: Microthread
      try {
        next = operation.perform(main)
      } catch (error) {
        this.host = undefined
        return resume(failureOf(error))
      }
      this.enter(this.switchTo(main, next))
      if (this.parked !== undefined && gate.executionMode === "sync") this.flush()
      if (this.parked === undefined) return resume(this.leave())
      this.finish = () => resume(this.leave())
      return Effect.callback<any, any>((resume) => this.abandon(resume)) as Effect.Effect<void>
    })
  }

  /** `Effect.runSync` gives up on a fiber that has to wait, and tells nobody: it is done with as if interrupted. */
  private dropForsakenHost(scheduler: Scheduler.Scheduler): void {
    const { host } = this
    if (host === undefined || this.parked === undefined || this.looping) return
    const forsaken = host.cache.scheduler
    if (forsaken.executionMode === "sync" && forsaken !== scheduler) host.interruptUnsafe()
  }

  /** Main's turn has come: its fiber goes on with what it brings. */
  private leave(): Exit.Exit<any, any> {
    const { main } = this
    const { _inbox: inbox, _state: state } = main
    main._state = OUTSIDE
    main._inbox = undefined
    main._fiber?.release()
    main._fiber = undefined
    this.finish = undefined
    this.giveUp = undefined
    this.host = undefined
    return state === OUTSIDE ? Exit.succeed(inbox) : failureOf(inbox)
  }

  /**
   * The fiber that stood for main was interrupted. Main is current again as soon as the loop does not run; a body that
   * runs as main sees `GreenletExit`, and the fiber ends when the body has.
   */
  private abandon(resume: (exit: Exit.Exit<any, any>) => void): void {
    const { main } = this
    const finish = this.finish = () => resume(this.leaveAbandoned())
    if (this.looping) {
      this.giveUp = () => this.abandon(resume)
      return
    }
    const before = this.current
    this.giveUp = undefined
    this.parked = undefined
    main.abandoned()
    this.current = main
    if (main._code === undefined) {
      main._state = OUTSIDE
      return finish()
    }
    main.raise(new GreenletExit("the fiber that stood for the main greenlet was interrupted"))
    if (before !== main && this.tracer !== undefined) this.trace(before, main)
    this.enter(main)
    if (this.parked === undefined) finish()
  }

  /** What a body that ran as main made of its end is of no interest any more, unless it is an error of its own. */
  private leaveAbandoned(): Exit.Exit<any, any> {
    const { _inbox: inbox, _state: state } = this.main
    const left = this.leave()
    return state === OUTSIDE_RAISING && !(inbox instanceof GreenletExit) ? left : Exit.void
  }

  // ---- fibers -----------------------------------------------------------------------------------------------------

  /**
   * @internal while the loop is on the stack: does this fiber do what a greenlet does? One that a body runs by itself,
   * with `Effect.runSync` or the like, does not.
   */
  runsOn(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (fiber === this.host) return true
    const gate = fiber.cache.scheduler
    return gate instanceof Gate && gate.thread === this
  }

  /**
   * @internal the context that a greenlet made now inherits: that of the greenlet that runs, or of the fiber that does.
   * There is none in plain code outside of any Effect.
   */
  creatorContext(): Context.Context<never> | undefined {
    if (running === this) {
      const { current } = this
      return current._fiber?.top.fiber?.context ?? current._context
    }
    return Fiber.getCurrent()?.context
  }

  /** @internal the context that a greenlet runs in: one that was made in plain code inherits main's. */
  contextOf(g: Microthread): Context.Context<never> {
    return g._context ?? this.main._context ?? Context.empty()
  }

  /** @internal the gate for the fibers of greenlets made in `context` */
  gateFor(context: Context.Context<never>): Gate {
    let base = Context.get(context, Scheduler.Scheduler)
    if (base instanceof Gate) {
      if (base.thread === this) return base
      base = base.base
    }
    let gate = this.gates.get(base)
    if (gate === undefined) this.gates.set(base, gate = new Gate(this, base))
    return gate
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  /** @internal */
  started(g: Microthread): void {
    this.alive?.add(g)
  }

  /** @internal */
  buried(g: Microthread): void {
    this.alive?.delete(g)
  }

  /**
   * Ends the thread: its suspended greenlets end with `GreenletExit`, in the order they started in, and their `finally`
   * blocks run. A block may wait for a foreign Effect, and use `call`; one that switches gets `GreenletError`, as there is
   * nobody left to switch to, and a greenlet that goes on trying is dropped in the end. Errors out of the blocks are
   * collected: the first is the defect this ends with. Afterwards the main greenlet is dead, too.
   */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    if (this.ended || this.ending) return Effect.void
    if (this.host !== undefined) {
      return Effect.die(new GreenletError("a thread cannot be ended while a fiber stands for its main greenlet"))
    }
    this.ending = true
    this.budget = 1
    const errors: Array<unknown> = []
    const endNext = (): Effect.Effect<void> => {
      const [g] = this.alive ?? []
      if (g === undefined) {
        this.ended = true
        this.main.orphaned()
        this.main._state = DEAD
        return errors.length === 0 ? Effect.void : Effect.die(errors[0])
      }
      this.patience = PATIENCE
      const end = new End(g)
      return Effect.matchCauseEffect(end, {
        onSuccess: endNext,
        onFailure: (cause) => {
          for (const reason of cause.reasons) {
            if (reason._tag === "Die") {
              if (reason.defect !== end.error && !(reason.defect instanceof GreenletExit)) errors.push(reason.defect)
            } else if (reason._tag === "Fail") {
              errors.push(reason.error)
            }
          }
          return endNext()
        }
      }).pipe(Effect.provideService(Thread, this))
    }
    return endNext()
  })

  /** @internal interrupts the fiber that stands for main, and waits until it has left */
  readonly dismissHost: Effect.Effect<void> = Effect.withFiber((fiber) =>
    this.host === undefined || this.runsOn(fiber) ? Effect.void : Fiber.interrupt(this.host)
  )

  /** While the thread ends, main and the greenlet that ends are the only ones to run: `g` may not switch to `next`. */
  private refuse(g: Microthread, next: Microthread): Microthread {
    if (g === this.main || g.dead) return next
    // it can still be started, on another thread
    if (next instanceof Greenlet && next._code instanceof Start) next._rebind(next._origin)
    return this.drop(g) ??
      g.raise(new GreenletError("the thread of this greenlet is ending: it cannot switch any more"))
  }

  /**
   * @internal `g` has tried to do what it cannot do while its thread ends. If it has done so too often, it is dropped, and
   * main runs.
   */
  drop(g: Microthread): Microthread | undefined {
    if (g === this.main || --this.patience > 0) return undefined
    g._bury()
    return this.main.raise(
      new GreenletError("a greenlet did not end with its thread: it catches GreenletExit and switches on")
    )
  }
}

/** Ends one greenlet of a thread that ends. */
class End extends Operation<unknown> {
  readonly greenlet: Microthread
  /** What it is ended with: no error if that is all that comes of it. */
  error: unknown = undefined
  constructor(greenlet: Microthread) {
    super()
    this.greenlet = greenlet
  }
  perform(): Microthread {
    this.error = this.greenlet.orphaned()
    return this.greenlet.raise(this.error)
  }
}

/**
 * A thread of greenlets.
 *
 * @category models
 * @since 0.1.0
 */
export type Thread = ThreadState

const anotherStandsForMain = Effect.suspend(() =>
  Effect.die(
    new GreenletError(
      "another fiber stands for the main greenlet: only one may switch into a thread at a time; use a thread of your own (withThread), or a channel"
    )
  )
)

let defaultThread: ThreadState | undefined

/**
 * The thread that greenlets are made on and operations performed on: the realm's default one, unless the context has
 * another. Upstream's counterpart is the OS thread.
 *
 * @category references
 * @since 0.1.0
 */
export const Thread: Context.Reference<Thread> = Context.Reference("effect-stackless/Thread", {
  defaultValue: () => (defaultThread ??= new ThreadState(false))
})

/**
 * A thread that ends with its scope: its suspended greenlets end with `GreenletExit` and run their `finally` blocks. A
 * fiber that stands for its main greenlet is interrupted first.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeThread: Effect.Effect<Thread, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => new ThreadState(true)),
  (thread) => Effect.andThen(thread.dismissHost, thread.end)
)

/**
 * Runs an Effect on a thread of its own, which ends with it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withThread = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.scoped(Effect.flatMap(makeThread, (thread) => Effect.provideService(effect, Thread, thread))) as Effect.Effect<
    A,
    E,
    R
  >

/** The thread of whoever calls: the one whose loop runs, else that of the current fiber, else the default one. */
export const currentThread = (): Thread => {
  const fiber = Fiber.getCurrent()
  if (running !== undefined && (fiber === undefined || running.runsOn(fiber))) return running
  return fiber?.getRef(Thread) ?? (defaultThread ??= new ThreadState(false))
}

/** @internal */
export const isThread = (u: unknown): u is Thread => u instanceof ThreadState

/** @internal the thread whose loop is on the JavaScript stack */
export const runningThread = (): Thread | undefined => running

/** The result of a plain function as a body: anything but what nobody would wait for, a promise or its likes. */
export const requireResult = (value: unknown): unknown => {
  if (typeof value === "object" && value !== null && Symbol.asyncIterator in value && "throw" in value) {
    throw new TypeError(
      "an async generator cannot be a body: write a generator function, and yield* Effect.promise(() => …) in it"
    )
  }
  if (Predicate.isPromiseLike(value)) {
    throw new TypeError(
      "an async function cannot be a body: write a generator function, and yield* Effect.promise(() => …) in it"
    )
  }
  return value
}

const notYieldable = (value: unknown): string => {
  const rule = "a body yields operations and Effects"
  if (Predicate.isPromiseLike(value)) {
    return `${rule}; got a promise: write yield* Effect.promise(() => …)`
  }
  if (isFrame(value)) {
    return `${rule}; got a generator: write yield* in front of its call, or yield* call(f, …)`
  }
  if (typeof value === "function") return `${rule}; got a function: call it, as in yield* ${value.name || "f"}(…)`
  return `${rule}; got ${value === null ? "null" : typeof value}: a plain value needs no yield`
}
