/**
 * The thread: one loop, a current greenlet, a main greenlet.
 *
 * Upstream has one of these an OS thread (`ThreadState`). Here each JavaScript realm has a default one, and `Thread` is
 * a reference in Effect's context, so that a program or a test can have its own. The main greenlet is the program
 * outside: a fiber that is no greenlet and performs a `switch` stands for it until that returns, and drives the loop.
 */
import { Context, Effect, Exit, Fiber, Scheduler } from "effect"
import { type Body, isFrame, notYieldable, requireResult, start } from "./body.ts"
import { errorOf, failureOf } from "./border.ts"
import { Thread } from "./current.ts"
import {
  BEGIN,
  completion,
  type DataFrame,
  DELEGATE,
  DONE,
  isDataFrame,
  NEXT,
  PREEMPTED,
  RESUME,
  RETURNED,
  RUNNING,
  YIELDED
} from "./data-frame.ts"
import { Iteration, iterationOf, throwIntoFrame } from "./delegation.ts"
import { GreenletError, GreenletExit } from "./errors.ts"
import { type Frame, generatorNext, isGenerator } from "./frame.ts"
import { FiberGate, type Hard } from "./hard.ts"
import { Home } from "./home.ts"
import { Operation, switchedOfAll } from "./operation.ts"
import { type Origin, programs, rested } from "./origin.ts"
import { MainPolicy } from "./policy.ts"
import type { MainGreenlet, Microthread } from "./ports.ts"
import {
  becomeDead,
  becomeLeftToLoop,
  becomeOutside,
  becomeResumed,
  becomeSoft,
  becomeStarted,
  DATA,
  DOOMED,
  FRESH,
  OUTSIDE,
  OUTSIDE_RAISING,
  RAISING,
  SOFT,
  SUSPENDED,
  UNSTARTED,
  WAITING
} from "./state.ts"
import { forgetRequest, renewRequest, SLICE, stepping } from "./step.ts"

// The loop's own names for what it imports: an import is loaded and checked at every use, an eighth of the loop's steps
const soft = SOFT
const data = DATA
const soften = becomeSoft
const resumeData: typeof RESUME = RESUME
const Performable = Operation
const resumeGenerator = generatorNext
const switched = switchedOfAll
const currentFiber = Fiber.getCurrent
const { DEEP, depth, Ended, endedWithNothing, step } = stepping

/**
 * How many operations a frame performs in place before it goes back to the loop, which sees how deep it is: so a recursion that
 * performs one at each level is seen in time.
 */
const STRETCH = 128

/** How often a greenlet that ends with its thread may try to switch before its frames are dropped as they are. */
const TRIES = 100

/**
 * How long such a greenlet may go on, in milliseconds, before it gets another exit; at its next wait then it is dropped. Each
 * that is dropped halves this for those after it, so that a thread ends whatever its greenlets do.
 */
const PATIENCE = 2000

/** Not even a fiber: there operations are never performed in place. */
const nowhere = Symbol("nowhere")

/** Told of each switch of a thread: see trace.ts. */
export type Tracer = (event: "switch" | "throw", origin: Microthread, target: Microthread) => void

export class ThreadState {
  /** The main greenlet: the program outside. */
  readonly main: MainGreenlet
  /** @internal who answers for main */
  mainPolicy: MainPolicy
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
  /** @internal if `withThread` made it */
  origin: Origin | undefined = undefined
  /** Where the last greenlet was made. */
  private lastHome = new Home(this, undefined)
  private traceFunction: Tracer | undefined = undefined
  /** The fiber that stands for main. */
  private host: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** The greenlet to go on with, while the loop is off the stack in the middle of main's operation. */
  private parked: Microthread | undefined = undefined
  /** @internal is its loop on the JavaScript stack? */
  looping = false
  /** The fiber in which the loop runs, if any. */
  private loopFiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** The fiber in which operations are performed in place, if they are: code that runs in another one is no greenlet's own. */
  private performingFiber: Fiber.Fiber<unknown, unknown> | typeof nowhere | undefined = nowhere
  /** Does a greenlet run on top of another one, which is not suspended? */
  private nested = false
  /** Tells the host's fiber that main's turn has come. */
  private finish: (() => void) | undefined = undefined
  /** The host's fiber was interrupted while the loop ran: to be called when it has stopped, unless `finish` is. */
  private giveUp: (() => void) | undefined = undefined
  private budget = SLICE
  /** What is left of `STRETCH`. */
  private stretch = STRETCH
  /** How many more switches the greenlet that is being ended may try. */
  private tries = TRIES
  /** How long the next one may go on. */
  private patience = PATIENCE
  /** Goes off when that is over. */
  private alarm: Fiber.Fiber<void> | undefined = undefined
  /** Has it? */
  private overdue = false
  /** Has the greenlet got its second exit? */
  private hurried = false
  /** The greenlets that took a switch back while the loop ran, see `reclaim`. */
  private readonly reclaiming: Array<Microthread> = []
  private readonly gates = new WeakMap<Scheduler.Scheduler, FiberGate>()
  /** @internal the fibers of Effect */
  readonly hard: Hard
  /** The greenlets that have started and not ended: kept only by a thread that will end. */
  private readonly alive: Set<Microthread> | undefined

  constructor(willEnd: boolean, hard: Hard, makeMain: (thread: Thread) => MainGreenlet) {
    this.hard = hard
    this.alive = willEnd ? new Set() : undefined
    this.main = this.current = makeMain(this)
    this.mainPolicy = new MainPolicy(this.main)
  }

  /** For schedulers: `policy` answers for the main greenlet from now on. */
  govern(policy: MainPolicy): void {
    this.mainPolicy = policy
    this.main._switching = undefined
  }

  // ---- the loop ---------------------------------------------------------------------------------------------------

  /**
   * Resumes `g`, whose frame performs operations in place, and goes on with whoever is current then; until that is a main
   * without frames, or one that has to wait. Afterwards `parked` says which of the two it was.
   */
  private loop(g: Microthread): void {
    let performing = false
    for (;;) {
      try {
        for (;;) {
          const state = g._state
          if (state === data) {
            const value = g._inbox
            g._inbox = undefined
            const outcome = (g._code as DataFrame)[resumeData](NEXT, value)
            if (outcome instanceof Performable && this.performingFiber !== nowhere) {
              performing = true
              const next = outcome.perform(g)
              performing = false
              if (next !== g) this.current = g = next
            } else g = this.carryOut(g, outcome)
            if (--this.budget > 0) continue
            this.budget = SLICE
            renewRequest()
            if (this.yieldToEventLoop(g)) return
            continue
          }
          let result: IteratorResult<unknown, unknown> | undefined
          this.stretch = STRETCH
          if (state >= soft) {
            if (state !== soft) soften(g)
            const value = g._inbox
            g._inbox = undefined
            const { request } = step
            request.operation = undefined
            request.inPlace = true
            result = resumeGenerator.call(g._code as Frame, value)
          } else {
            result = this.resume(g)
            if (result === undefined) return
          }
          g = result === switched && depth.levels <= DEEP ? this.current : this.proceed(g, result)
          depth.levels = 0
          if ((this.budget -= STRETCH + 1 - this.stretch) > 0) continue
          this.budget = SLICE
          renewRequest()
          if (this.yieldToEventLoop(g)) return
        }
      } catch (error) {
        if (performing) {
          performing = false
          g = g.raise(error)
        } else g = this.fail(g, error)
      }
    }
  }

  /**
   * @internal the first step of `yield* operation`, in a frame of the greenlet that runs. It ends the iteration if the
   * greenlet goes on at once.
   *
   * Another one that is suspended in a generator runs here, on top of that frame, up to its own next switch. If it comes back,
   * as with two that hand over to each other, only one of the two has been suspended: that makes 1.4 times as many switches.
   */
  performInPlace(operation: Operation<any, any, any>): IteratorResult<unknown, unknown> {
    if (currentFiber() !== this.performingFiber) return operation as unknown as IteratorResult<unknown, unknown>
    const { request } = step
    request.inPlace = false
    const g = this.current
    const next = operation.perform(g)
    if (next !== g) {
      this.current = next
      if (this.nested === true || next._state !== soft) return switched
      this.nested = true
      request.operation = undefined
      request.inPlace = true
      const value = next._inbox
      next._inbox = undefined
      try {
        const result = resumeGenerator.call(next._code as Frame, value)
        if (result !== switched || depth.levels > DEEP) this.proceed(next, result)
        depth.levels = 0
      } catch (error) {
        this.fail(next, error)
      }
      this.nested = false
      if (this.current !== g) return switched
    }
    if (g._state !== soft || --this.stretch <= 0) return switched
    request.inPlace = true
    const value = g._inbox
    if (value === undefined) return endedWithNothing
    g._inbox = undefined
    return new Ended(value)
  }

  /** @internal may `next` run on top of the fiber that has named it? */
  mayRunOnTop(next: Microthread): boolean {
    return !this.nested && (next._state === SUSPENDED || next._state === SOFT || next._state === FRESH) &&
      this.performingFiber !== nowhere
  }

  /** @internal runs the current greenlet, which may run on top of the fiber that has named it, up to its own next switch */
  runOnTop(): void {
    const { current } = this
    this.nested = true
    try {
      const result = this.resume(current)!
      if (result !== switched || depth.levels > DEEP) this.proceed(current, result)
    } catch (error) {
      this.fail(current, error)
    }
    depth.levels = 0
    this.nested = false
  }

  /** @internal may the greenlet that runs perform another operation before it goes back to the loop? */
  goesOn(): boolean {
    return --this.stretch > 0
  }

  /** `g` is deep: until its top frame is another one, its operations are not performed in place. Returns who is current. */
  private leaveToLoop(g: Microthread): Microthread {
    becomeLeftToLoop(g)
    return this.current
  }

  /** `g` has yielded an operation that was not performed in place, or anything else, or has returned: goes on with the next. */
  private proceed(g: Microthread, result: IteratorResult<unknown, unknown>): Microthread {
    step.request.inPlace = false
    if (result === switched) return this.leaveToLoop(g)
    if (this.current !== g) return result.value === switched ? this.current : this.strayed(g, result)
    return this.handOver(
      g,
      result instanceof Operation
        ? this.perform(g, result)
        : result.done === true
        ? this.returned(g, result.value)
        : this.yielded(g, result.value)
    )
  }

  /** @internal `g`, which is current, hands over to `next`, if it may; returns who is current now */
  handOver(g: Microthread, next: Microthread): Microthread {
    return this.switchTo(g, this.ending && next !== g ? this.refuse(g, next) : next)
  }

  /** A frame of `g` threw: goes on with the next. */
  private fail(g: Microthread, error: unknown): Microthread {
    step.request.inPlace = false
    return this.current === g ? this.switchTo(g, this.threw(g, error)) : this.strayed(g)
  }

  private perform(g: Microthread, operation: Operation<any, any, any>): Microthread {
    try {
      return operation.perform(g)
    } catch (error) {
      g.raise(error)
      return this.ending ? this.drop(g) ?? g : g
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
        forgetRequest(false)
        return (g._code as Frame).next(inbox)
      case DATA:
        // the loop resumes it
        return switched
      case SOFT:
      case FRESH:
        becomeSoft(g)
        g._inbox = undefined
        forgetRequest(true)
        return resumeGenerator.call(g._code as Frame, inbox)
      case UNSTARTED:
        return this.start(g, g._body(), inbox)
      case DOOMED:
        becomeStarted(g)
        throw inbox
      case RAISING: {
        const frame = g._code as Frame | DataFrame
        g._inbox = undefined
        forgetRequest(becomeResumed(g, frame) === SOFT)
        return throwIntoFrame(frame, inbox)
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
    becomeStarted(g)
    this.alive?.add(g)
    step.request.inPlace = false
    const made = start(body, g, args)
    if (Effect.isEffect(made)) g._code = this.hard.frame(g, made, false)
    else if (isFrame(made)) g._push(made)
    else return { done: true, value: requireResult(made) }
    const frame = g._code as unknown as Frame | DataFrame
    becomeResumed(g, frame)
    // the loop resumes it
    if (isDataFrame(frame)) return switched
    // a body may return the iterator of an operation, which is not to be forgotten
    step.request.inPlace = g._state === SOFT
    return frame.next(undefined)
  }

  /** The top frame of `g` returned. */
  private returned(g: Microthread, value: unknown): Microthread {
    if (g._pop()) return g.give(value)
    if (g === this.main) {
      becomeOutside(g)
      return g.give(value)
    }
    g._bury()
    return this.ending ? this.main.give(value) : g._policy.ends(value)
  }

  /** The top frame of `g` threw. */
  private threw(g: Microthread, error: unknown): Microthread {
    const { _code: frame } = g
    if (isDataFrame(frame)) frame.pc = DONE
    if (g._pop()) return g.raise(error)
    if (g === this.main) {
      becomeOutside(g)
      return g.raise(error)
    }
    g._bury()
    if (this.ending) return this.main.raise(error)
    try {
      return g._policy.dies(error)
    } catch (error) {
      return this.main.raise(error)
    }
  }

  /** `g` has been resumed in a frame that is plain data, which has brought something else than an operation to be performed here. */
  private carryOut(g: Microthread, outcome: unknown): Microthread {
    if (this.current !== g) return this.strayed(g)
    const next = outcome === RETURNED
      ? this.returned(g, completion.value)
      : outcome === YIELDED
      ? this.yielded(g, completion.value)
      : outcome === PREEMPTED
      ? g._policy.preempted()
      : this.delegate(g, outcome)
    return this.handOver(g, next)
  }

  /** @internal `g` goes on when what stands behind its `yield*` is done, which becomes a frame on top of its own. */
  delegate(g: Microthread, to: unknown): Microthread {
    if (to instanceof Operation) return this.perform(g, to)
    if (isDataFrame(to)) {
      if (to.pc === DONE) return g.give(undefined)
      if (to.pc === RUNNING) return g.raise(new TypeError("Generator is already running"))
      g._push(to)
      // it was stepped by hand, in the middle of a `yield*` of its own
      const inner = to.pc > BEGIN && (to.pc & 1) === 0 ? to[DELEGATE]?.() : undefined
      if (isDataFrame(inner) || isGenerator(inner as Frame | undefined)) return this.delegate(g, inner)
      if (inner !== undefined) g._push(new Iteration(inner))
    } else if (Effect.isEffect(to)) return this.yielded(g, to)
    else if (isGenerator(to as Frame | undefined)) g._push(to as Frame)
    else {
      try {
        g._push(iterationOf(to))
      } catch (error) {
        return g.raise(error)
      }
    }
    return g
  }

  /** A body yielded something by itself, without `yield*`, or an Effect. */
  private yielded(g: Microthread, value: unknown): Microthread {
    if (value instanceof Operation) return this.perform(g, value)
    if (!Effect.isEffect(value)) return g.raise(new TypeError(notYieldable(value)))
    this.hard.letErrorsInto(value)
    if (Exit.isExit(value)) return Exit.isSuccess(value) ? g.give(value.value) : g.raise(errorOf(value.cause, g))
    g._push(this.hard.frame(g, value, true))
    return g
  }

  /**
   * `g` has gone on though it was away: its body steps a generator by itself and did not yield what that has yielded. Whoever is
   * current runs. When `g` is resumed, it finds an error where it stands, or ends with it.
   */
  private strayed(g: Microthread, result?: IteratorResult<unknown, unknown>): Microthread {
    if (!g.dead) {
      g._replaceTop(
        new RanOnFrame(g, result === undefined || result.done === true ? undefined : g._code as Frame | DataFrame)
      )
    }
    return this.current
  }

  /** @internal see trace.ts */
  get tracer(): Tracer | undefined {
    return this.traceFunction
  }

  set tracer(tracer: Tracer | undefined) {
    this.traceFunction = tracer
    this.choosePerformingFiber()
  }

  /** Who traces, and whoever ends a thread, has to see each switch. */
  private choosePerformingFiber(): void {
    this.performingFiber = this.ending || this.traceFunction !== undefined ? nowhere : this.loopFiber
  }

  /** @internal tells the trace function */
  trace(origin: Microthread, target: Microthread): void {
    const { _state: state } = target
    const event = state === RAISING || state === DOOMED || state === OUTSIDE_RAISING ? "throw" : "switch"
    try {
      this.tracer!(event, origin, target)
    } catch (error) {
      this.tracer = undefined
      target.raise(error)
    }
  }

  private enter(g: Microthread): void {
    const { request: { inPlace }, thread } = step
    step.thread = this
    this.looping = true
    this.nested = false
    this.loopFiber = currentFiber()
    this.choosePerformingFiber()
    try {
      this.loop(g)
    } finally {
      step.thread = thread
      forgetRequest(inPlace)
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
    if (g._state === WAITING || host.cache.scheduler.executionMode === "sync") return false
    this.parked = g
    if (this.ending) this.parked = this.current = this.lingers(g)
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
    if (g === this.main) g._policy.abandoned()
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
    if (gate instanceof FiberGate) return false
    this.dropForsakenHost(gate)
    return this.host === undefined
  }

  /** For schedulers: does a fiber stand for its main greenlet? */
  get hosted(): boolean {
    return this.host !== undefined
  }

  /** For schedulers: can its main greenlet wait for something that its own greenlets do not do? Not in `Effect.runSync`. */
  get mayWait(): boolean {
    const { host } = this
    return host !== undefined && !this.ending && host.cache.scheduler.executionMode === "async"
  }

  /** For schedulers: is `inner` a thread whose end it may wait for? */
  waitsFor(inner: Thread): boolean {
    for (let { origin } = inner; origin !== undefined; { origin } = origin.thread) {
      if (origin.fiber !== origin.thread.origin?.fiber && !origin.awaited) return false
      if (origin.thread === this) return true
    }
    return false
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
    if (gate instanceof FiberGate) return gate.performForChild(operation)
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
    becomeOutside(main)
    main._inbox = undefined
    main._fiber?.release()
    main._fiber = undefined
    this.finish = undefined
    this.giveUp = undefined
    this.host = undefined
    rested()
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
    main._policy.abandoned()
    this.current = main
    if (main._code === undefined) {
      becomeOutside(main)
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
    return gate instanceof FiberGate && gate.thread === this
  }

  /**
   * @internal the context that a greenlet made now inherits: that of the greenlet that runs, or of the fiber that does.
   * There is none in plain code outside of any Effect.
   */
  creatorContext(): Context.Context<never> | undefined {
    return step.thread === this ? this.current._ownContext : Fiber.getCurrent()?.context
  }

  /** @internal the home of a greenlet that inherits `context` */
  homeIn(context: Context.Context<never> | undefined): Home {
    const { lastHome } = this
    return lastHome.context === context ? lastHome : this.lastHome = new Home(this, context)
  }

  /** @internal the context that a greenlet starts in: one that was made in plain code inherits main's. */
  contextOf(g: Microthread): Context.Context<never> {
    return g._context ?? this.main._context ?? Context.empty()
  }

  /** @internal the gate for the fibers of greenlets made in `context` */
  gateFor(context: Context.Context<never>): FiberGate {
    let base = Context.get(context, Scheduler.Scheduler)
    if (base instanceof FiberGate) {
      if (base.thread === this) return base
      base = base.base
    }
    let gate = this.gates.get(base)
    if (gate === undefined) this.gates.set(base, gate = this.hard.gate(this, base))
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
   * blocks run. A block may wait for a foreign Effect, for two seconds in all, and use `call`; one that switches gets
   * `GreenletError`, as there is nobody left to switch to. A greenlet that goes on nevertheless is dropped in the end, which
   * is an error. Errors out of the blocks are collected: the first is the defect this ends with. Afterwards the main greenlet
   * is dead, too.
   */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    if (this.ended || this.ending) return Effect.void
    if (this.host !== undefined) {
      return Effect.die(new GreenletError("a thread cannot be ended while a fiber stands for its main greenlet"))
    }
    this.ending = true
    const errors: Array<unknown> = []
    const endNext = (): Effect.Effect<void> => {
      const [g] = this.alive ?? []
      this.alarm?.interruptUnsafe()
      this.alarm = undefined
      this.overdue = this.hurried = false
      if (g === undefined) {
        this.ended = true
        programs.delete(this)
        this.main._policy.orphaned()
        becomeDead(this.main)
        rested()
        return errors.length === 0 ? Effect.void : Effect.die(errors[0])
      }
      this.tries = TRIES
      const end = new End(g)
      return Effect.matchCauseEffect(end, {
        onSuccess: endNext,
        onFailure: (cause) => {
          for (const reason of cause.reasons) {
            if (reason._tag === "Die") {
              if (reason.defect !== end.error && !g._isExit(reason.defect)) errors.push(reason.defect)
            } else if (reason._tag === "Fail") {
              errors.push(reason.error)
            }
          }
          return endNext()
        }
      }).pipe(Effect.provideService(Thread, this))
    }
    return ungated(endNext())
  })

  /** @internal interrupts the fiber that stands for main, and waits until it has left, which it has to in two seconds */
  readonly dismissHost: Effect.Effect<void> = Effect.withFiber((fiber) => {
    const { host } = this
    if (host === undefined || this.runsOn(fiber)) return Effect.void
    host.interruptUnsafe(fiber.id)
    const late = Effect.andThen(Effect.sleep(PATIENCE), Effect.sync(() => this.expel(host)))
    return Effect.raceFirst(Effect.asVoid(Fiber.await(host)), Effect.interruptible(late))
  })

  /** A body that ran as main did not end when it had to. */
  private expel(host: Fiber.Fiber<unknown, unknown>): void {
    const { main } = this
    if (this.host !== host) return
    this.parked = undefined
    main.abandoned()
    main._rebind(undefined)
    becomeOutside(main)
    this.current = main
    this.finish?.()
  }

  /** While the thread ends, main and the greenlet that ends are the only ones to run: `g` may not switch to `next`. */
  private refuse(g: Microthread, next: Microthread): Microthread {
    if (g === this.main || g.dead) return next
    next._unstart()
    return this.drop(g) ??
      g.raise(new GreenletError("the thread of this greenlet is ending: it cannot switch any more"))
  }

  /**
   * @internal `g` has tried to do what it cannot do while its thread ends. If it has done so too often, it is dropped, and
   * main runs.
   */
  drop(g: Microthread): Microthread | undefined {
    if (g === this.main || --this.tries > 0) return undefined
    g._bury()
    return this.main.raise(
      new GreenletError("a greenlet did not end with its thread: it catches GreenletExit and switches on")
    )
  }

  /** @internal `g` waits, or goes on for long, while its thread may be ending: not for ever. Names the one to run next. */
  lingers(g: Microthread): Microthread {
    if (!this.ending || g === this.main) return g
    if (this.overdue) return this.hurry(g)
    this.alarm ??= this.setAlarm()
    return g
  }

  private setAlarm(): Fiber.Fiber<void> {
    const alarm = Effect.runForkWith(this.host!.context)(Effect.sleep(this.patience))
    alarm.addObserver((exit) => {
      if (this.alarm !== alarm || Exit.isFailure(exit)) return
      this.overdue = true
      const { parked } = this
      if (parked === undefined || parked === this.main || this.looping) return
      this.parked = this.current = this.hurry(parked)
      queueMicrotask(() => this.pump())
    })
    return alarm
  }

  private hurry(g: Microthread): Microthread {
    if (!this.hurried) {
      this.hurried = true
      return g.raise(g._exit("the thread of this greenlet has ended, and it has taken too long to end with it"))
    }
    this.patience /= 2
    g._bury()
    return this.main.raise(
      new GreenletError(
        "a greenlet did not end with its thread: it catches GreenletExit and goes on, or waits for too long"
      )
    )
  }
}

/** In front of a frame that has gone on without having been resumed: the next resume finds an error there. */
class RanOnFrame implements Frame {
  private readonly microthread: Microthread
  private readonly frame: Frame | DataFrame | undefined
  constructor(microthread: Microthread, frame: Frame | DataFrame | undefined) {
    this.microthread = microthread
    this.frame = frame
  }
  next(): IteratorResult<unknown, unknown> {
    return this.throw(
      new GreenletError(
        "a generator that this body steps by itself has switched, and the body went on: yield what such a generator yields, or delegate to it with yield*"
      )
    )
  }
  throw(error: unknown): IteratorResult<unknown, unknown> {
    const { frame } = this
    if (frame === undefined) throw error
    this.microthread._replaceTop(frame)
    return throwIntoFrame(frame, error)
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
    this.error = this.greenlet._policy.orphaned()
    return this.greenlet.raise(this.error)
  }
}

const anotherStandsForMain = Effect.suspend(() =>
  Effect.die(
    new GreenletError(
      "another fiber stands for the main greenlet: only one may switch into a thread at a time; use a thread of your own (withThread), or a channel"
    )
  )
)

/**
 * @internal On the fiber of a greenlet, or on one that was forked there, an Effect is part of what that greenlet's thread does. Runs
 * it in a child fiber that is not.
 */
export const ungated = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const gate = fiber.cache.scheduler
    if (!(gate instanceof FiberGate)) return effect
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        Effect.forkChild(Effect.provideService(restore(effect), Scheduler.Scheduler, gate.base), {
          startImmediately: true
        }),
        (child) => Effect.onInterrupt(restore(Fiber.join(child)), () => Fiber.interrupt(child))
      )
    )
  })

/** @internal */
export const isThread = (u: unknown): u is Thread => u instanceof ThreadState

declare module "./ports.ts" {
  interface Thread extends ThreadState {}
}
