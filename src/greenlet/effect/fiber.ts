/**
 * The hard side: a greenlet's own Effect fiber, and the gate that keeps it from running behind the loop's back.
 *
 * A fiber asks its scheduler `shouldYield` before its first step after any wake-up. `Gate` answers yes unless the loop
 * has opened it for just that fiber, and keeps the task that Effect then hands over; so a timer or a `Deferred` only
 * makes the greenlet ready, and the loop resumes it in its order. All of it is effect's public interface.
 *
 * The fiber of a greenlet is parked whenever the greenlet's frames run elsewhere. It is told what to run next through
 * the `resume` of the callback it is parked in: a foreign Effect, or the outcome of the operation it performed.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { errorOf, failureOf } from "../kernel/border.ts"
import type { DataFrame } from "../kernel/data-frame.ts"
import { GreenletError } from "../kernel/errors.ts"
import type { Frame } from "../kernel/frame.ts"
import { fuel as allFuel } from "../kernel/fuel.ts"
import { FiberGate } from "../kernel/hard.ts"
import type { Microthread, Operation, Thread } from "../kernel/ports.ts"
import { becomeWoken, RAISING, SUSPENDED, WAITING } from "../kernel/state.ts"
import { stepping } from "../kernel/step.ts"
import { evaluatorOf, type InterruptArguments, type NoteInterrupt, noteInterrupts } from "./beyond-public.ts"

const { countedDone, DEEP, Ended, depth, Yielded } = stepping
const fuel = allFuel

// ---- the fiber ------------------------------------------------------------------------------------------------------

/** The stages of an operation: there is none; it is performed, or another greenlet runs on top of the fiber; it has handed over. */
const NO_OPERATION = 0
const PERFORMING = 1
const LEFT = 2
type Stage = typeof NO_OPERATION | typeof PERFORMING | typeof LEFT

/** What came of a stretch that the loop let a fiber run. */
export type Outcome = "ended" | "performed" | "waiting" | "stopped"

/** A greenlet's fiber, from its first foreign Effect to its end. */
export class GreenletFiber {
  /** Whose it is. */
  greenlet: Microthread
  readonly gate: Gate
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** Is an Effect in progress on it? */
  busy = false
  /** For the Effects of frames above one that is in progress here: an interrupt of theirs must not interrupt that. */
  above: GreenletFiber | undefined = undefined
  private readonly below: GreenletFiber | undefined
  /** Set while the fiber is parked. */
  resume: ((effect: Effect.Effect<any, any>) => void) | undefined = undefined
  /** What the gate keeps: continues the fiber after a wake-up. */
  task: (() => void) | undefined = undefined
  /** See `exitWith`. */
  private itself: Exit.Exit<unknown> | undefined = undefined
  /** How the Effect in progress ended. */
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  /** Where an operation of its Effect is. */
  stage: Stage = NO_OPERATION
  /**
   * Was its fiber interrupted, be it in a place where it cannot be, or is what runs on it deep? Then its operations are
   * performed as steps of Effect. While it performs one it is how, as that comes when it is suspended in the operation, or the
   * operation is over.
   */
  interrupt: InterruptArguments | boolean = false
  /** A switch that a child fiber asked for while the greenlet's own ran, see `performOnFiber`. */
  proxy: Proxy | undefined = undefined
  /** The frames of its greenlet below the top one. */
  stack: Array<Frame | DataFrame> | undefined = undefined
  /** Did that push frames, as `call` does, and are they on the greenlet's stack above its Effect? */
  private calling = false
  /** What those frames end with, as the race or timeout around them was decided otherwise. */
  private unwinding: unknown = undefined
  /** Who wants to know when it goes on. */
  private waiters: Array<() => void> | undefined = undefined
  /** Its fuel is used up: it gives control back in the middle of its Effect. */
  stopped = false
  /** Was that how it last gave control back? */
  private held = false
  /** Has a body yielded its Effect? An exit that comes out of that ends it as a whole, whatever it catches. Otherwise it is a body. */
  foreign = false
  /** Has its fiber made a step since this was false? */
  moved = false
  /** What is left of a body that is an Effect, if its fiber was interrupted and it goes on: that runs on another one. */
  rest: Effect.Effect<unknown, unknown, any> | undefined = undefined
  /** An error that is to be thrown in the body once the interrupted Effect is done. */
  thrown: { readonly error: unknown } | undefined = undefined
  /** Interrupted from outside while its greenlet ran frames elsewhere: its next Effect is interrupted. */
  interrupting = false
  /** Interrupted: Effect would interrupt whatever ran on the fiber next, so the next Effect gets another fiber. */
  spent = false
  /** The spent fibers: they, and with them their children, live as long as the greenlet. */
  retired: Array<Fiber.Fiber<unknown, unknown>> | undefined = undefined
  /** Each ends a spent fiber. */
  endings: Array<() => void> | undefined = undefined

  constructor(greenlet: Microthread, below?: GreenletFiber) {
    this.greenlet = greenlet
    this.below = below
    this.gate = below === undefined ? greenlet.thread.gateFor(greenlet.thread.contextOf(greenlet)) as Gate : below.gate
  }

  /** Where the innermost Effect is in progress. */
  get top(): GreenletFiber {
    let side: GreenletFiber = this
    while (side.above?.busy === true) side = side.above
    return side
  }

  /** Where the next Effect runs. */
  get free(): GreenletFiber {
    let side: GreenletFiber = this
    while (side.busy) side = side.above ??= new GreenletFiber(this.greenlet, side)
    return side
  }

  /** What its fiber inherits: the context of the Effect below, or of the greenlet's creator. */
  private get inherited(): Context.Context<never> {
    return this.below?.fiber?.context ?? this.greenlet.thread.contextOf(this.greenlet)
  }

  /**
   * The exit of an operation that gave `value`. There is one of those that give nothing, and one of those that give the
   * greenlet itself, as `schedule()` does: making one takes a twentieth of a switch.
   */
  exitWith(value: unknown): Exit.Exit<unknown> {
    if (value === undefined) return Exit.void
    return value === this.greenlet ? this.itself ??= Exit.succeed(value) : Exit.succeed(value)
  }

  /** What an operation has brought its greenlet, if that goes on at once. */
  takeOutcome(): Exit.Exit<unknown, unknown> | undefined {
    const { greenlet } = this
    const { _inbox: inbox, _state: state } = greenlet
    if (state !== SUSPENDED && state !== RAISING) return undefined
    greenlet._inbox = undefined
    becomeWoken(greenlet)
    return state === SUSPENDED ? this.exitWith(inbox) : failureOf(inbox)
  }

  /** It is `heir`'s from now on. */
  passTo(heir: Microthread): void {
    this.greenlet = heir
    this.itself = undefined
  }

  /** Has it been woken or stopped, and not gone on yet? */
  get woken(): boolean {
    return this.task !== undefined
  }

  /**
   * May its Effect have been decided, and not know it yet: was it woken, or one below, which gives it up; or does its greenlet
   * resume with an error?
   */
  get doubtful(): boolean {
    if (this.greenlet._policy.raising) return true
    for (let side: GreenletFiber | undefined = this; side !== undefined; side = side.below) {
      if (side.woken) return true
    }
    return false
  }

  /** Is it suspended in a switch or a call of a child fiber, which is no longer waited for? */
  get givenUp(): boolean {
    return this.task !== undefined && (this.calling || this.proxy?.performed === true)
  }

  /** The same of it, or of one whose Effect is above it. */
  get somethingGivenUp(): boolean {
    return this.givenUp || this.above?.somethingGivenUp === true
  }

  /** The loop has seen that it has handed over, and how deep. */
  leave(): void {
    this.stage = NO_OPERATION
    if (depth.levels > DEEP && this.interrupt === false) this.interrupt = true
    depth.levels = 0
  }

  /** Has it said how its Effect ended, or handed over? */
  get settled(): boolean {
    return this.exit !== undefined || this.stage === LEFT
  }

  /** Begins a foreign Effect. */
  begin(effect: Effect.Effect<unknown, unknown, any>): Outcome {
    this.busy = true
    if (this.spent) this.retire()
    if (this.interrupting) {
      this.interrupting = false
      this.exit = interrupted
      return "ended"
    }
    for (let { below } = this; below !== undefined; below = below.below) {
      if (!below.givenUp || below.unwinding !== undefined) continue
      // its frames ran on when that was decided
      below.unwinding = this.greenlet._exit(decided)
      this.thrown = { error: below.unwinding }
      this.exit = interrupted
      return "ended"
    }
    // What its services are is known only at run time, from the creator's context. An interrupt skips every handler of
    // an interruptible region, so the Effect has a region of its own inside the uninterruptible driver.
    const run = Effect.uninterruptible(
      Effect.flatMap(Effect.exit(Effect.interruptible(effect as Effect.Effect<unknown, unknown>)), settle)
    )
    const { gate } = this
    const open = gate.open
    try {
      if (this.fiber !== undefined) {
        // it may have been made in a call out of another Effect below
        if (this.below !== undefined && this.fiber.context !== this.inherited) this.fiber.setContext(this.inherited)
        gate.open = this
        this.unpark(run)
      } else {
        gate.adopts = this
        Effect.runForkWith(gate.contextFor(this.inherited))(run, {
          uninterruptible: true
        })
      }
    } finally {
      gate.adopts = undefined
      gate.open = open
    }
    return this.outcome()
  }

  /** Continues with the outcome of an operation, or, after a wait, with whatever ended the wait. */
  continue(exit: Exit.Exit<unknown, unknown>): Outcome {
    this.endCall()
    if (this.exit !== undefined) return this.outcome()
    const { gate } = this
    const open = gate.open
    gate.open = this
    try {
      if (this.task !== undefined) this.takeTask()()
      else if (this.proxy !== undefined) this.takeProxy().resume(exit)
      else if (this.resume !== undefined) this.unpark(exit)
    } finally {
      gate.open = open
    }
    return this.outcome()
  }

  /** Throws into it: at once where it performed an operation, else after interrupting the Effect in progress. */
  throw(error: unknown): Outcome {
    if (this.unwinding !== undefined && error === this.unwinding && this.givenUp) return this.continue(Exit.void)
    this.endCall()
    if (this.exit !== undefined) {
      this.thrown = { error }
      return this.outcome()
    }
    if (!this.woken && (this.resume !== undefined || this.proxy !== undefined)) {
      return this.greenlet._policy._isExit(error) ? this.throwExit(error) : this.continue(failureOf(error))
    }
    this.thrown = { error }
    const { gate, task } = this
    const open = gate.open
    gate.open = this
    try {
      this.fiber!.interruptUnsafe()
      // Where it cannot be interrupted it goes on to where it can; if it was, the task does nothing any more.
      if (task !== undefined && this.task === task) this.takeTask()()
    } finally {
      gate.open = open
    }
    return this.outcome()
  }

  /**
   * Throws an exit out of an operation of its Effect. In one that a body has yielded nothing may catch it, but that body
   * itself: it is interrupted. One that is a body may catch it, unless it is a child of it that has called what ended: then
   * it could go on waiting for something else, and is interrupted if it does.
   */
  private throwExit(error: unknown): Outcome {
    const { foreign, proxy, resume } = this
    const { gate } = this
    const { open } = gate
    gate.open = this
    this.proxy = this.resume = undefined
    try {
      if (foreign) this.interruptFor(error)
      // an operation that was interrupted takes nothing any more
      this.moved = false
      ;(resume ?? proxy!.resume)(failureOf(error))
      if (!foreign && !this.moved) this.interruptFor(error)
    } finally {
      gate.open = open
    }
    return this.outcome()
  }

  private interruptFor(error: unknown): void {
    this.thrown = { error }
    this.fiber!.interruptUnsafe()
  }

  /** The greenlet has ended: its fibers end, and Effect interrupts their children. */
  release(): void {
    this.above?.release()
    if (this.fiber !== undefined) this.retire()
    if (this.retired === undefined) return
    for (const fiber of this.retired) {
      this.gate.owners.delete(fiber)
      fiber.interruptUnsafe()
    }
    if (this.endings !== undefined) { for (const end of this.endings) end() }
  }

  /** Its fiber has turned out to be interrupted. */
  spend(): void {
    const { exit } = this
    // the Effect that was in progress had not made a step yet
    if (this.busy && exit === undefined) this.exit = interrupted
    // or it let nobody interrupt it
    else if (exit?._tag === "Success" && this.thrown === undefined) this.interrupting = true
    this.resume = undefined
    this.spent = true
  }

  /** What is left of the Effect that ended. */
  takeRest(): Effect.Effect<unknown, unknown, any> | undefined {
    const { rest } = this
    if (rest !== undefined) {
      this.rest = this.exit = undefined
      // it is told of an interrupt as it is, and would not begin otherwise
      this.interrupting = false
    }
    return rest
  }

  /** The exit of the Effect that ended: its value, or its error thrown. */
  takeExit(): unknown {
    const exit = this.exit!
    this.exit = undefined
    this.busy = false
    const thrown = this.thrown
    if (thrown !== undefined) {
      this.thrown = undefined
      this.spent = true
      throw thrown.error
    }
    if (exit._tag === "Success") return exit.value
    if (Cause.hasInterrupts(exit.cause)) this.spent = true
    throw errorOf(exit.cause, this.greenlet)
  }

  /** The gate keeps its continuation: it was woken. */
  wake(task: () => void): void {
    // what was expected from outside has come
    if (this.calling && this.task === undefined) this.greenlet._policy.expects(false)
    this.task = task
    if (this.stopped) return
    const greenlet = this.greenlet
    if (this.calling) {
      this.giveUpCall()
    } else if (greenlet._state === WAITING && greenlet._fiber?.top === this) {
      becomeWoken(greenlet)
      greenlet.thread.wake(greenlet)
      greenlet._policy.waited()
    } else if (this.resume !== undefined) {
      // parked, so only an interrupt from outside can have woken it
      this.resume = undefined
      this.spent = true
      if (this.runs) this.interrupting = true
      else greenlet._policy.interrupted()
      greenlet.thread.wake(greenlet)
    } else if (this.givenUp) {
      greenlet._policy.reclaims()
    } else {
      // it was interrupted while the event loop had its turn
      greenlet.thread.wake(greenlet)
    }
  }

  /** Does its greenlet run, and not wait? */
  private get runs(): boolean {
    const { greenlet } = this
    return greenlet.thread.current === greenlet && greenlet._state !== WAITING
  }

  /** The frames that a child fiber's call has pushed are gone. */
  private endCall(): void {
    if (!this.calling) return
    this.calling = false
    this.unwinding = undefined
    if (this.task === undefined) this.greenlet._policy.expects(false)
  }

  /** Ends the frames that a child fiber's call has pushed: the child is no longer waited for. */
  private giveUpCall(): void {
    const { greenlet } = this
    const { thread } = greenlet
    // if they run, `begin` sees it
    if (this.unwinding !== undefined || (this.runs && thread.looping)) return
    this.unwinding = greenlet._policy.givesUp()
    thread.wake(greenlet)
  }

  /** Calls `f` when it has gone on, or been given up. */
  whenResumed(f: () => void): void {
    ;(this.waiters ??= []).push(f)
  }

  private tellResumed(): void {
    const { waiters } = this
    this.waiters = undefined
    for (const f of waiters!) f()
  }

  private outcome(): Outcome {
    if (this.waiters !== undefined && !this.woken) this.tellResumed()
    for (;;) {
      const { proxy } = this
      if (this.settled) {
        // nobody waits for that child on the spot
        if (proxy !== undefined && !proxy.performed) this.takeProxy().resume(Exit.die(new GreenletError(noGreenlet)))
        if (this.stage !== LEFT) return "ended"
        if (this.exit !== undefined || !this.parked) this.failSwitchedByHand()
        this.interruptNow()
        return "performed"
      }
      if (this.stopped) {
        this.stopped = false
        this.held = true
        return "stopped"
      }
      if (proxy === undefined || proxy.performed) return "waiting"
      proxy.performed = true
      const { greenlet } = this
      const frame = greenlet._code
      let next: Microthread
      try {
        next = proxy.operation!.perform(greenlet)
      } catch (error) {
        greenlet._inbox = undefined
        return this.continue(failureOf(error))
      }
      this.calling = greenlet._code !== frame
      if (this.calling && this.task === undefined) greenlet._policy.expects(true)
      this.stage = LEFT
      greenlet.thread.handOver(greenlet, next)
    }
  }

  private unpark(effect: Effect.Effect<any, any>): void {
    const resume = this.resume!
    this.resume = undefined
    resume(effect)
  }

  /** Its fiber is being interrupted. True if that has to wait. */
  noteInterrupt(how: InterruptArguments): boolean {
    const waits = this.stage === PERFORMING
    this.interrupt = waits ? how : true
    return waits
  }

  /** What had to wait happens. */
  interruptNow(): void {
    const { interrupt } = this
    if (typeof interrupt === "object") this.fiber?.interruptUnsafe(...interrupt)
  }

  /** Does its fiber wait for the outcome of an operation, or a child of it, or has it none any more? */
  private get parked(): boolean {
    return this.resume !== undefined || this.proxy !== undefined || this.fiber === undefined
  }

  /** Its Effect has performed an operation that handed over, and has ended or waits for something else. */
  private failSwitchedByHand(): void {
    this.thrown = { error: new GreenletError(switchedByHand) }
    if (this.exit === undefined) this.fiber!.interruptUnsafe()
  }

  private takeTask(): () => void {
    const task = this.task!
    this.task = undefined
    if (this.held) {
      this.held = false
      fuel.left += WAKING_UP
    }
    return task
  }

  private takeProxy(): Proxy {
    const proxy = this.proxy!
    this.proxy = undefined
    return proxy
  }

  private retire(): void {
    this.spent = false
    this.endCall()
    if (this.fiber === undefined) return
    this.proxy = undefined
    if (this.waiters !== undefined) queueMicrotask(() => this.tellResumed())
    ;(this.retired ??= []).push(this.fiber!)
    this.fiber = undefined
    this.resume = undefined
    this.task = undefined
  }
}

const interrupted = Exit.interrupt()

const decided = "the race or timeout around the call was decided otherwise"

const noGreenlet =
  "a fiber forked by a greenlet is no greenlet and cannot switch: switch from the body itself, or use a channel"

interface Proxy {
  /** None if it has been performed by the greenlet itself. */
  readonly operation: Operation | undefined
  readonly resume: (effect: Effect.Effect<any, any>) => void
  performed: boolean
}

/** Parks the fiber in an operation of its Effect, until that has its outcome. */
const park: Effect.Effect<any, any> = Effect.callback<any, any>(function(resume) {
  sideOf(this).resume = resume
})

/** The same in the step that finds out that the fiber has to park: what Effect would call next, for what is returned to it. */
const parkAtOnce = evaluatorOf(park) ?? (() => park)

/**
 * What an operation that has handed over gives a generator on a fiber to yield: it parks the fiber until the operation has its
 * outcome. Who steps that generator by itself may have a child fiber wait for it, as a timeout does.
 */
const parking: Effect.Effect<any, any> = Effectable.Prototype<Effect.Effect<any, any>>({
  label: "Parking",
  evaluate(fiber) {
    const gate = fiber.cache.scheduler
    const side = gate instanceof Gate ? gate.open : undefined
    if (side?.stage !== LEFT) return Exit.die(new GreenletError(switchedByHand))
    return side.fiber === fiber ? parkAtOnce(fiber) : parkChild(side)
  }
})

const parkChild = (side: GreenletFiber): Effect.Effect<any, any> =>
  Effect.callback((resume) => {
    const proxy = { operation: undefined, resume, performed: true }
    side.proxy = proxy
    return Effect.sync(() => {
      if (side.proxy === proxy) side.proxy = undefined
    })
  })

/** Does it wait for the outcome of an operation that a generator on a fiber has performed? */
export const isParking = (effect: Effect.Effect<unknown, unknown>): boolean => effect === parking

const switchedByHand =
  "a generator that is stepped by hand has switched: yield what it yields in the greenlet's own Effect, or delegate to it with yield*"

const parked: IteratorResult<unknown, unknown> = Object.defineProperty(new Yielded(parking), "done", countedDone)

/** A greenlet's fiber is being interrupted. True if that has to wait. */
const noteInterrupt: NoteInterrupt = (fiber, how) =>
  (fiber.cache.scheduler as Gate).owners.get(fiber)?.noteInterrupt(how) === true

/** Parks the fiber between Effects, until it gets another to run, or an outcome for the operation below. */
const parkDriver: Effect.Effect<any, any> = Effect.flatMap(
  Effect.exit(Effect.interruptible(Effect.callback<Effect.Effect<any, any>>(function(resume) {
    sideOf(this).resume = (effect) => resume(Exit.succeed(effect))
  }))),
  (exit): Effect.Effect<any, any> => Exit.isSuccess(exit) ? exit.value : parkSpent
)

/**
 * The Effect in progress has ended: says how, and parks the fiber. It finds out of whose fiber itself; a function of each
 * greenlet's own would take 100 bytes of it.
 */
const settle = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<any, any> =>
  Effect.withFiber((fiber) => {
    const side = (fiber.cache.scheduler as Gate).owners.get(fiber)
    if (side !== undefined) side.exit = exit
    return parkDriver
  })

/** Parks an interrupted fiber for good: it runs nothing more, but its children live as long as the greenlet. */
const parkSpent: Effect.Effect<void> = Effect.withFiber((fiber) => {
  const gate = fiber.cache.scheduler as Gate
  const side = gate.owners.get(fiber)
  if (side === undefined) return Effect.void
  side.spend()
  return Effect.callback((resume) => {
    ;(side.endings ??= []).push(() => resume(Exit.void))
  })
})

/**
 * The steps of a fiber that goes on after it was stopped: Effect's own, and the one that was refused. Were they counted, one
 * that is stopped after so few would never get on.
 */
const WAKING_UP = 2

const sideOf = (scheduler: Scheduler.Scheduler): GreenletFiber => (scheduler as Gate).open!

// ---- the gate -------------------------------------------------------------------------------------------------------

/** The scheduler of the fibers of a thread's greenlets. Their children are scheduled by `base`, as if it were not there. */
export class Gate extends FiberGate {
  /** The greenlet's side whose fiber the loop lets run. */
  open: GreenletFiber | undefined = undefined
  /** The greenlet's side whose fiber is about to be made: the next fiber to ask is it. */
  adopts: GreenletFiber | undefined = undefined
  readonly owners = new WeakMap<Fiber.Fiber<unknown, unknown>, GreenletFiber>()
  /** The fiber that was refused just now: the next task is its continuation. */
  private refused: GreenletFiber | undefined = undefined
  private readonly dispatcher: Scheduler.SchedulerDispatcher
  private lastContext: Context.Context<never> | undefined = undefined
  private lastGated: Context.Context<never> | undefined = undefined

  constructor(thread: Thread, base: Scheduler.Scheduler) {
    super(thread, base)
    const inner = base.makeDispatcher()
    this.dispatcher = {
      scheduleTask: (task, priority) => {
        const refused = this.refused
        if (refused === undefined) return inner.scheduleTask(task, priority)
        this.refused = undefined
        refused.wake(task)
      },
      flush: () => inner.flush()
    }
  }

  /** Runs what is scheduled, now. */
  flush(): void {
    this.dispatcher.flush()
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    const { open } = this
    if (open !== undefined && open.fiber === fiber) {
      open.moved = true
      // it has told what comes next, and is about to park
      if (open.settled) return false
      if (--fuel.left >= 0) return false
      open.stopped = true
      this.refused = open
      return true
    }
    if (this.adopts !== undefined) {
      const side = this.adopts
      this.adopts = undefined
      side.fiber = fiber
      // an interrupt that is not noted is seen by steps of Effect alone
      side.interrupt = !noteInterrupts(fiber, noteInterrupt)
      this.open = side
      this.owners.set(fiber, side)
      return false
    }
    const owner = this.owners.get(fiber)
    if (owner === undefined) return this.base.shouldYield(fiber)
    this.refused = owner
    return true
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this.dispatcher
  }

  perform(operation: Operation, fiber: Fiber.Fiber<any, any>): Effect.Effect<any, any, any> {
    const { open } = this
    return open?.fiber === fiber
      ? performHard(operation, open, fiber)
      : operation.performOutside(this.thread, fiber)
  }

  performInPlace(operation: Operation, fiber: Fiber.Fiber<any, any>): IteratorResult<unknown, unknown> | undefined {
    return performOnOwnFiber(operation, this, fiber)
  }

  performForChild(operation: Operation): Effect.Effect<any, any> {
    return performByProxy(operation, this)
  }

  /** The context for the fiber of a greenlet: its creator's, behind this gate. */
  contextFor(context: Context.Context<never>): Context.Context<never> {
    if (context === this.lastContext) return this.lastGated!
    let gated = Context.get(context, Scheduler.Scheduler) === this
      ? context
      : Context.add(context, Scheduler.Scheduler, this)
    // a fiber that never asks cannot be gated
    if (Context.get(gated, Scheduler.PreventSchedulerYield)) {
      gated = Context.add(gated, Scheduler.PreventSchedulerYield, false)
    }
    this.lastContext = context
    return this.lastGated = gated
  }
}

// ---- operations as Effects ------------------------------------------------------------------------------------------

/**
 * What an operation means to a greenlet's own fiber, which evaluates it: it performs it for its greenlet.
 *
 * A child that a greenlet's fiber starts and waits for on the spot, as `Effect.timeout` and `Effect.race` do, performs
 * it for that greenlet too, as soon as the greenlet itself waits. Any other fiber forked by a greenlet is none, and may
 * not switch.
 */
const performHard = (
  operation: Operation,
  side: GreenletFiber,
  fiber: Fiber.Fiber<any, any>
): Effect.Effect<any, any> => {
  const current = side.greenlet
  const { thread } = current
  const frame = current._code
  if (side.stage === LEFT) return Exit.die(new GreenletError(switchedByHand))
  let next: Microthread
  side.stage = PERFORMING
  try {
    next = operation.perform(current)
  } catch (error) {
    const dropped = thread.ending ? thread.drop(current) : undefined
    next = dropped ?? current.raise(error)
  }
  side.stage = NO_OPERATION
  if (thread.handOver(current, next) === current && frame === current._code) {
    const exit = side.takeOutcome()
    if (exit !== undefined) {
      side.interruptNow()
      return exit
    }
  }
  side.stage = LEFT
  return parkAtOnce(fiber)
}

/**
 * The same in the first step of `yield* operation`, in a generator that the greenlet's own fiber runs as `Effect.gen` does: it
 * ends the iteration if the greenlet goes on at once, and otherwise parks the fiber. Undefined in any other place.
 *
 * The greenlet that is switched to runs on top of the fiber up to its own next switch; if control comes back then, the fiber
 * has not been suspended. That makes 1.7 times as many switches of two that hand over to each other.
 */
const performOnOwnFiber = (
  operation: Operation,
  gate: Gate,
  fiber: Fiber.Fiber<any, any>
): IteratorResult<unknown, unknown> | undefined => {
  const { open: side, thread } = gate
  if (side === undefined || side.fiber !== fiber || side.settled || side.proxy !== undefined) return undefined
  if (side.interrupt !== false || thread.ending) return undefined
  const current = side.greenlet
  const frame = current._code
  let next: Microthread
  side.stage = PERFORMING
  try {
    next = operation.perform(current)
  } catch (error) {
    next = current.raise(error)
  }
  thread.handOver(current, next)
  // its own frames may be those of the one that it names, now
  if (next !== current && side.greenlet === current && thread.mayRunOnTop(next)) {
    gate.open = undefined
    thread.runOnTop()
    gate.open = side
  }
  side.stage = NO_OPERATION
  if (thread.current === current && frame === current._code) {
    if (current._state === SUSPENDED && side.interrupt === false) {
      if (thread.goesOn()) {
        const value = current._inbox
        current._inbox = undefined
        return new Ended(value)
      }
    } else {
      // an error fails the generator, and an interrupt is seen by a step of Effect
      const exit = side.takeOutcome()
      if (exit !== undefined) {
        side.interruptNow()
        return new Yielded(Effect.suspend(() => exit))
      }
    }
  }
  side.stage = LEFT
  return parked
}

/** Who has started a child fiber of a greenlet's, and waits for it on the spot, as a race or a timeout does. */
export interface Starter {
  /** May that have been decided otherwise, so that what the child waits for would be lost? */
  readonly doubtful: boolean
  /** Calls `f` as soon as it has gone on. */
  whenResumed(f: () => void): void
}

/** Who has just started `fiber`, which performs its first operation. */
export const starterOf = (fiber: Fiber.Fiber<unknown, unknown>): Starter | undefined => {
  const gate = fiber.cache.scheduler
  return gate instanceof Gate && gate.open?.fiber !== fiber ? gate.open : undefined
}

/** A child of a greenlet's fiber wants to switch. */
const performByProxy = (operation: Operation, gate: Gate): Effect.Effect<any, any> =>
  Effect.callback((resume) => {
    const side = gate.open
    if (side === undefined || side.proxy !== undefined) return resume(Exit.die(new GreenletError(noGreenlet)))
    const proxy = { operation, resume, performed: false }
    side.proxy = proxy
    return Effect.sync(() => {
      if (side.proxy === proxy) side.proxy = undefined
    })
  })

type Self = GreenletFiber

declare module "../kernel/ports.ts" {
  interface GreenletFiber extends Self {}
}
