/**
 * The loop: what a switch is.
 *
 * It resumes the frame of the greenlet that runs. What that yields is an operation, which is performed and names the greenlet to run
 * next; or an Effect or another frame, which becomes a frame on top. Most operations are performed in place, in the first step of
 * `yield*`, and the greenlet that they name runs on top of the one that has named it, up to its own next switch: so of two that
 * hand over to each other only one is suspended.
 *
 * Upstream's counterpart is `g_switch` of `TGreenlet.cpp`, which exchanges the machine's stack.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { type Body, isFrame, notYieldable, requireResult, start } from "./body.ts"
import { errorOf } from "./border.ts"
import type { Thread } from "./current.ts"
import {
  BEGIN,
  completion,
  type DataFrame,
  DELEGATE,
  DONE,
  isDataFrame,
  type Mode,
  NEXT,
  PREEMPTED,
  RETURNED,
  RUNNING,
  STEPPED,
  THROW,
  THROWN,
  YIELDED
} from "./data-frame.ts"
import { developing } from "./developing.ts"
import { GreenletError } from "./errors.ts"
import { type Frame, generatorNext, isGenerator } from "./frame.ts"
import { fuel as allFuel, leaveFuel } from "./fuel.ts"
import type { Hard } from "./hard.ts"
import { Iteration, iterationOf } from "./iteration.ts"
import { ledTo } from "./lead.ts"
import { copies as allCopies, Operation, switchedOfAll } from "./operation.ts"
import { Place } from "./place.ts"
import type { MainGreenlet, Microthread } from "./ports.ts"
import {
  becomeLeftToLoop,
  becomeOutside,
  becomeResumed,
  becomeSoft,
  becomeStarted,
  DATA,
  DOOMED,
  FRESH,
  isSuspended,
  OUTSIDE,
  OUTSIDE_RAISING,
  RAISING,
  SOFT,
  STATES,
  SUSPENDED,
  TRACED,
  UNSTARTED,
  WAITING
} from "./state.ts"
import { forgetRequest, renewRequest, stepping } from "./step.ts"
import { type Surroundings, surroundings } from "./surroundings.ts"
import { explained, explainedIn } from "./unbound.ts"
import { bare, resumeFrame, Wrapper } from "./wrapper.ts"

// The loop's own names for what it imports: an import is loaded and checked at every use, an eighth of the loop's steps
const soft = SOFT
const fresh = FRESH
const suspended = SUSPENDED
// the state is taken out of its field on the spot: the getter is one call too many for what V8 inlines here
const states = STATES
const data = DATA
const traced = TRACED
const soften = becomeSoft
const plainly = NEXT
const resumeGenerator = generatorNext
const switched = switchedOfAll
const currentFiber = Fiber.getCurrent
const fuel = allFuel
const copies = allCopies
const { DEEP, depth, Ended, endedWithNothing, step } = stepping

/**
 * How much fuel the loop takes before it lets the JavaScript event loop have a turn, when the fiber that drives it
 * can wait. A millisecond or so: timers and sockets stay alive beside a busy program, at a cost below 1 %.
 */
const SLICE = 16_384

/**
 * How many operations a frame performs in place before it goes back to the loop, which sees how deep it is: so a recursion that
 * performs one at each level is seen in time.
 */
const STRETCH = 128

/** Not even a fiber: there operations are never performed in place. */
const nowhere = Symbol("nowhere")

/** Told of each switch of a thread: see trace.ts. */
export type Tracer = (event: "switch" | "throw", origin: Microthread, target: Microthread) => void

/** What a thread does: it has one greenlet that runs, and switches. */
export abstract class Loop {
  /** The main greenlet: the program outside. */
  readonly main: MainGreenlet
  /** For schedulers: who runs, which every switch changes; and who is at the head of the ring. */
  place: Place
  /** Has it ended? Its greenlets cannot be switched to any more. */
  ended = false
  /** For schedulers: are its greenlets being ended? */
  ending = false
  /** For schedulers: is its loop on the JavaScript stack? */
  looping = false
  /** The fiber that stands for main. */
  protected host: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** The greenlet to go on with, while the loop is off the stack in the middle of main's operation. */
  protected parked: Microthread | undefined = undefined
  /** Tells the host's fiber that main's turn has come. */
  protected finish: (() => void) | undefined = undefined
  /** The host's fiber was interrupted while the loop ran: to be called when it has stopped, unless `finish` is. */
  protected giveUp: (() => void) | undefined = undefined
  private traceFunction: Tracer | undefined = undefined
  /** The fiber in which the loop runs, if any. */
  private loopFiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** The fiber in which operations are performed in place, if they are: code that runs in another one is no greenlet's own. */
  private performingFiber: Fiber.Fiber<unknown, unknown> | typeof nowhere | undefined = nowhere
  /** Does a greenlet run on top of another one, which is not suspended? */
  private nested = false
  /** Fuel: what it was given last, and what is left while its loop does not run. */
  private granted = SLICE
  private kept = SLICE
  /** How much of it may be taken until the event loop has its turn, and until the scheduler is asked; as of when it was given. */
  private turn = SLICE
  private allowance = Infinity
  /** The greenlets that took a switch back while the loop ran, see `reclaim`. */
  private readonly reclaiming: Array<Microthread> = []
  /** @internal the fibers of Effect */
  readonly hard: Hard

  constructor(hard: Hard, makeMain: (thread: Thread) => MainGreenlet) {
    this.hard = hard
    this.main = makeMain(this.itself)
    this.place = new Place(this.main, undefined)
  }

  /** The greenlet that runs. */
  get current(): Microthread {
    return this.place.current
  }

  set current(current: Microthread) {
    this.place.current = current
  }

  /** The same, as everybody knows it: thread.ts. */
  protected get itself(): Thread {
    return this as unknown as Thread
  }

  // ---- what is said elsewhere: ending.ts --------------------------------------------------------------------------

  /** For schedulers: `g` has begun to run its body, and is ended with the thread if it has not ended before. */
  abstract started(g: Microthread): void
  /** @internal */
  abstract drop(g: Microthread): Microthread | undefined
  /** @internal */
  abstract lingers(g: Microthread): Microthread
  protected abstract refuse(g: Microthread, next: Microthread): Microthread

  // ---- the loop ---------------------------------------------------------------------------------------------------

  /**
   * Resumes `g`, whose frame performs operations in place, and goes on with whoever is current then; until that is a main
   * without frames, or one that has to wait. Afterwards `parked` says which of the two it was.
   */
  private loop(g: Microthread): void {
    for (;;) {
      try {
        for (;;) {
          const state = g["~bits"] & states
          if (state === data) {
            g = g === this.rareMain ? this.stepOfData(g) : this.loopOfData(g)
            // one that goes on in another way, in an Effect perhaps, gets on by a step
            if (fuel.left > 0 || (fuel.left === 0 && (g["~bits"] & states) !== data)) continue
            const going = this.usedUp(g)
            if (going === undefined) return
            g = going
            continue
          }
          let result: IteratorResult<unknown, unknown> | undefined
          fuel.stop = fuel.left > STRETCH ? fuel.left - STRETCH : 0
          if (state >= soft) {
            if (state !== soft) soften(g)
            const value = g["~inbox"]
            g["~inbox"] = undefined
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
          if (--fuel.left >= 0) continue
          const going = this.usedUp(g)
          if (going === undefined) return
          g = going
        }
      } catch (error) {
        g = this.fail(g, error)
      }
    }
  }

  /**
   * Main, where a scheduler has others run. It is of another class than they are: V8 looks at a microthread in a third of the
   * instructions where all are of one. With greenlets alone it is one of two that switch, and is as fast as they are.
   */
  private get rareMain(): Microthread | undefined {
    return this.itself.scheduler === undefined ? undefined : this.main
  }

  /**
   * The same as long as it is a frame of plain data that is resumed, and there is fuel; returns whoever is current. It is a method of
   * its own, so that V8 has room in it for the operations that are performed and the frames that are resumed: that takes a third
   * off a message of compiled tasklets. For V8 to leave it out of `loop`, where there is none, it has to be long itself. So calls and
   * returns of frames are written out in it.
   */
  private loopOfData(g: Microthread): Microthread {
    const main = this.rareMain
    let performing = false
    try {
      for (;;) {
        const value = g["~inbox"]
        g["~inbox"] = undefined
        const outcome = (g._code as DataFrame)["~resume"](plainly, value) as
          | Partial<Operation<any, any, any>>
          | undefined
          | null
        if (
          outcome !== undefined && outcome !== null && outcome["~perform"] !== undefined &&
          this.performingFiber !== nowhere && copies.count === 1
        ) {
          // a variable of its own: V8 keeps by the variable what it has seen of a name, and that it was `undefined` once
          const operation = outcome as Operation<any, any, any>
          performing = true
          const next = operation["~perform"](g, this as unknown as Thread)
          performing = false
          this.place.current = g = next
        } else {
          const rest = g._rest
          if (
            this.place.current !== g || (g["~bits"] & traced) !== 0 || developing.on ||
            (rest !== undefined && !Array.isArray(rest))
          ) {
            g = this.carryOut(g, outcome)
          } else if (outcome === RETURNED && rest !== undefined && isDataFrame(rest[rest.length - 1])) {
            g._code = rest.pop()
            g["~inbox"] = completion.value
          } else if (isDataFrame(outcome) && outcome.pc === BEGIN) {
            if (rest === undefined) g._rest = [g._code as DataFrame]
            else rest.push(g._code as DataFrame)
            g._code = outcome
          } else g = this.carryOut(g, outcome)
        }
        if (--fuel.left <= 0 || g === main || (g["~bits"] & states) !== data) return g
      }
    } catch (error) {
      return performing ? g.raise(error) : this.fail(g, error)
    }
  }

  /** The same of main where it is rare: one step. */
  private stepOfData(g: Microthread): Microthread {
    const value = g["~inbox"]
    g["~inbox"] = undefined
    const outcome = (g._code as DataFrame)["~resume"](plainly, value) as Operation<any, any, any> | undefined | null
    let next: Microthread
    if (
      outcome === undefined || outcome === null || outcome["~perform"] === undefined ||
      this.performingFiber === nowhere || copies.count !== 1
    ) next = this.carryOut(g, outcome)
    else {
      try {
        next = this.current = outcome["~perform"](g, this as unknown as Thread)
      } catch (error) {
        return g.raise(error)
      }
    }
    fuel.left--
    return next
  }

  /**
   * The same for who looks after surroundings: each stretch is run in those of the greenlet that is resumed, and nothing is
   * performed in place.
   */
  private loopWithin(g: Microthread, keeper: Surroundings): void {
    for (;;) {
      const inData = (g["~bits"] & states) === data
      fuel.stop = fuel.left > STRETCH ? fuel.left - STRETCH : 0
      const going = keeper.within(g, this)
      if (going === undefined) return
      g = going
      depth.levels = 0
      fuel.left--
      if (fuel.left > 0 || (fuel.left === 0 && !(inData && (g["~bits"] & states) === data))) continue
      const due = this.usedUp(g)
      if (due === undefined) return
      g = due
    }
  }

  /** @internal resumes `g` once, and returns who is current then. `undefined`: the loop has to stop here. */
  stretch(g: Microthread): Microthread | undefined {
    try {
      const state = g["~bits"] & states
      if (state !== data && state < soft) {
        const result = this.resume(g)
        return result === undefined ? undefined : this.proceed(g, result)
      }
      const value = g["~inbox"]
      g["~inbox"] = undefined
      if (state === data) return this.carryOut(g, (g._code as DataFrame)["~resume"](plainly, value))
      if (state !== soft) soften(g)
      forgetRequest(true)
      return this.proceed(g, resumeGenerator.call(g._code as Frame, value))
    } catch (error) {
      return this.fail(g, error)
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
    const next = operation["~perform"](g, this as unknown as Thread)
    if (next !== g) {
      this.current = next
      if (this.nested === true || (next["~bits"] & states) !== soft) return switched
      this.nested = true
      request.operation = undefined
      request.inPlace = true
      const value = next["~inbox"]
      next["~inbox"] = undefined
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
    if ((g["~bits"] & states) !== soft || --fuel.left <= fuel.stop) return switched
    request.inPlace = true
    const value = g["~inbox"]
    if (value === undefined) return endedWithNothing
    g["~inbox"] = undefined
    return new Ended(value)
  }

  /** @internal may `next` run on top of the fiber that has named it? */
  mayRunOnTop(next: Microthread): boolean {
    const state = next["~bits"] & states
    return !this.nested && (state === suspended || state === soft || state === fresh) &&
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
    return --fuel.left > fuel.stop
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
    if (this.current !== g) return result.value === switched ? this.current : this.ranOn(g, result)
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
    return this.current === g ? this.switchTo(g, this.threw(g, error)) : this.ranOn(g)
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
  protected switchTo(g: Microthread, next: Microthread): Microthread {
    if (next !== g) {
      this.current = next
      if (this.tracer !== undefined) this.trace(g, next)
    }
    return next
  }

  /** Resumes a greenlet that is not simply suspended in a generator. `undefined`: the loop has to stop here. */
  private resume(g: Microthread): IteratorResult<unknown, unknown> | undefined {
    const inbox = g["~inbox"]
    switch (g._state) {
      case SUSPENDED:
        g["~inbox"] = undefined
        forgetRequest(false)
        return (g._code as Frame).next(inbox)
      case DATA:
        // the loop resumes it
        return switched
      case SOFT:
      case FRESH:
        becomeSoft(g)
        g["~inbox"] = undefined
        forgetRequest(true)
        return resumeGenerator.call(g._code as Frame, inbox)
      case UNSTARTED:
        return this.start(g, g._hooks.begins(), inbox)
      case DOOMED:
        becomeStarted(g)
        throw inbox
      case RAISING: {
        const frame = g._code as Frame | DataFrame
        g["~inbox"] = undefined
        forgetRequest(becomeResumed(g, frame) === SOFT)
        return isDataFrame(frame) ? this.throwIntoData(g, frame, inbox) : frame.throw(inbox)
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

  /** `g` is resumed with an error in a frame that is plain data. What the frame throws is the loop's. */
  private throwIntoData(g: Microthread, frame: DataFrame, error: unknown): IteratorResult<unknown, unknown> {
    if (frame.pc === BEGIN) throw error
    ledTo(error, frame)
    this.carryOut(g, frame["~resume"](THROW, error))
    return switched
  }

  /** @internal calls the body of `g` */
  start(g: Microthread, body: Body, args: unknown): IteratorResult<unknown, unknown> {
    try {
      return this.begin(g, body, args)
    } catch (error) {
      throw explained(error, g._written(body))
    }
  }

  private begin(g: Microthread, body: Body, args: unknown): IteratorResult<unknown, unknown> {
    g._code = undefined
    g["~inbox"] = undefined
    becomeStarted(g)
    this.started(g)
    step.request.inPlace = false
    const made = start(body, g, args)
    if (isGenerator(made as Frame | undefined) && (g["~bits"] & traced) === 0) {
      // most bodies are. What follows would do the same; by the short way a tasklet is made, run and ended in half the time
      g._code = made as Frame
      soften(g)
      step.request.inPlace = true
      return resumeGenerator.call(made as Frame, undefined)
    }
    if (Effect.isEffect(made)) g._push(this.hard.frame(g, made, false))
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
    if (error instanceof TypeError && frame !== undefined) explainedIn(error, bare(frame as Frame | DataFrame))
    if (g._pop()) return g.raise(error)
    if (g === this.main) {
      becomeOutside(g)
      return g.raise(error)
    }
    const body = g._written(undefined)
    if (body !== undefined) explained(error, body)
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
    if (outcome === STEPPED) {
      const next = this.proceed(g, completion.value as IteratorResult<unknown, unknown>)
      depth.levels = 0
      return next
    }
    if (this.current !== g) return this.ranOn(g)
    if (outcome === THROWN) return this.fail(g, completion.value)
    const next = outcome === RETURNED
      ? this.returned(g, completion.value)
      : outcome === YIELDED
      ? this.yielded(g, completion.value)
      : outcome === PREEMPTED
      ? g
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
   * `g` has gone on though it had switched: its body steps a generator by itself and did not yield what that has yielded. Whoever is
   * current runs. When `g` is resumed, it finds an error where it stands, or ends with it.
   */
  private ranOn(g: Microthread, result?: IteratorResult<unknown, unknown>): Microthread {
    if (!g.dead) {
      const over = result === undefined || result.done === true
      g._replaceTop(new RanOnFrame(g, over ? ended : g._code as Frame | DataFrame))
    }
    return this.current
  }

  // ---- fuel -------------------------------------------------------------------------------------------------------

  /**
   * For schedulers: when `steps` more have been made, who would go on is asked, as `preempted`, who runs next; once, until
   * this is called again. Nobody is asked if it is `Infinity`, as at first. A step is what takes fuel: see fuel.ts.
   */
  allow(steps: number): void {
    this.settle()
    this.allowance = steps
    this.grant(steps > 0 ? 1 : 0)
  }

  /** For schedulers: how many of the steps that were allowed are left. */
  get allowed(): number {
    return this.allowance - this.granted + this.fuelLeft
  }

  /** For schedulers: the event loop has its turn as soon as somebody would go on; for what is asked in `preempted`. */
  takeTurn(): void {
    this.settle()
    this.turn = 0
    this.grant()
  }

  private get fuelLeft(): number {
    return step.thread === this.itself ? fuel.left : this.kept
  }

  /** Takes off what was used. */
  private settle(): void {
    const used = this.granted - this.fuelLeft
    this.granted -= used
    this.turn -= used
    this.allowance -= used
  }

  /** Fills up, to what is next due. */
  private grant(least = 1): void {
    const before = this.fuelLeft
    const left = this.granted = Math.max(least, Math.min(this.turn, this.allowance))
    if (step.thread !== this.itself) {
      this.kept = left
      return
    }
    fuel.stop = Math.max(0, fuel.stop + left - before)
    fuel.left = left
  }

  /** Its fuel is used up, and `g` would go on: finds out what is due. Returns who goes on; nobody, if the loop has to stop here. */
  private usedUp(g: Microthread): Microthread | undefined {
    renewRequest()
    this.place = new Place(this.place.current, this.place.head)
    this.settle()
    if (this.allowance <= 0 && this.current === g && !this.ending && mayBePreempted(g)) {
      this.allowance = Infinity
      g = this.preempt(g)
    }
    const stops = this.turn <= 0 && this.yieldToEventLoop(g)
    if (this.turn <= 0) this.turn = SLICE
    this.grant()
    return stops ? undefined : g
  }

  private preempt(g: Microthread): Microthread {
    let next: Microthread
    try {
      next = g._policy.preempted()
    } catch (error) {
      next = g.raise(error)
    }
    return this.switchTo(g, next)
  }

  // ---- who is told ------------------------------------------------------------------------------------------------

  /** For schedulers: who is told of each switch, see trace.ts. */
  get tracer(): Tracer | undefined {
    return this.traceFunction
  }

  set tracer(tracer: Tracer | undefined) {
    this.traceFunction = tracer
    this.choosePerformingFiber()
  }

  /** Who traces, or looks after surroundings, and whoever ends a thread, has to see each switch. */
  private choosePerformingFiber(): void {
    this.performingFiber = this.ending || this.traceFunction !== undefined || surroundings.keeper !== undefined
      ? nowhere
      : this.loopFiber
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

  protected enter(g: Microthread): void {
    const { request: { inPlace }, thread } = step
    const { left, stop } = fuel
    step.thread = this.itself
    fuel.left = this.kept
    fuel.driven = true
    this.looping = true
    this.place = new Place(this.place.current, this.place.head)
    this.nested = false
    this.loopFiber = currentFiber()
    this.choosePerformingFiber()
    const { keeper } = surroundings
    try {
      if (keeper === undefined) this.loop(g)
      else this.loopWithin(g, keeper)
    } finally {
      this.kept = fuel.left
      if (thread === undefined) leaveFuel()
      else {
        fuel.left = left
        fuel.stop = stop
      }
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
  protected pump(): void {
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
  protected flush(): void {
    for (let g = this.parked; g !== undefined; g = this.parked) {
      g._fiber?.gate.flush()
      if (g === this.parked && g._state === WAITING) return
      this.pump()
    }
  }
}

/** Is it in the middle of its body, and about to be resumed there? */
const mayBePreempted = ({ _state: state }: Microthread): boolean => isSuspended(state) || state === RAISING

/** In front of a frame that has gone on without having been resumed: the next resume finds an error there. */
class RanOnFrame extends Wrapper {
  private readonly microthread: Microthread
  constructor(microthread: Microthread, inner: Frame | DataFrame) {
    super(inner)
    this.microthread = microthread
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    const { inner } = this
    this.microthread._replaceTop(inner)
    const error = mode === THROW ? value : new GreenletError(
      "a generator that this body steps by itself has switched, and the body went on: yield what such a generator yields, or delegate to it with yield*"
    )
    return resumeFrame(inner, THROW, error)
  }
}

/** Stands for a frame that has ended. */
const ended: Frame = {
  next: () => ({ done: true, value: undefined }),
  throw(error) {
    throw error
  }
}
