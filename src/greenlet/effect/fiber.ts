/**
 * The hard side: a greenlet's own Effect fiber. The gate keeps it from running behind the loop's back (gate.ts), and it is parked
 * whenever the greenlet's frames run elsewhere (parking.ts).
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { errorOf, failureOf } from "../kernel/border.ts"
import type { DataFrame } from "../kernel/data-frame.ts"
import { GreenletError } from "../kernel/errors.ts"
import type { Frame } from "../kernel/frame.ts"
import { fuel as allFuel } from "../kernel/fuel.ts"
import { mayBeLed } from "../kernel/lead.ts"
import type { Microthread } from "../kernel/ports.ts"
import { becomeWoken, RAISING, SUSPENDED, WAITING } from "../kernel/state.ts"
import { stepping } from "../kernel/step.ts"
import type { InterruptArguments } from "./beyond-public.ts"
import { type FiberState, fiberStates } from "./fiber-state.ts"
import type { Gate, Proxy, Side } from "./gate.ts"
import { settle, switchedByHand } from "./parking.ts"

const { ENDED, HANDED_OVER, IDLE, PARKED, PERFORMS, RUNS, STOPPED, WAITS, WOKEN } = fiberStates
const { DEEP, depth, failing, failure } = stepping
const fuel = allFuel

/** What came of a stretch that the loop let a fiber run. */
export type Outcome = "ended" | "performed" | "waiting" | "stopped"

/** A greenlet's fiber, from its first foreign Effect to its end. */
export class GreenletFiber implements Side {
  /** Whose it is. */
  greenlet: Microthread
  readonly gate: Gate
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** See fiber-state.ts. */
  state: FiberState = IDLE
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
  /**
   * Are its operations performed as steps of Effect? They are if its fiber was interrupted, be it in a place where it cannot be,
   * or if what runs on it is deep.
   */
  stepwise = false
  /** An interrupt that came while it performed an operation: it happens when it is suspended in that, or that is over. */
  private deferred: InterruptArguments | undefined = undefined
  /** A switch that a child fiber asked for while the greenlet's own ran, see `performForChild`. */
  proxy: Proxy | undefined = undefined
  /** The frames of its greenlet below the top one. */
  stack: Array<Frame | DataFrame> | undefined = undefined
  /** Did that push frames, as `call` does, and are they on the greenlet's stack above its Effect? */
  private calling = false
  /** What those frames end with, as the race or timeout around them was decided otherwise. */
  private unwinding: unknown = undefined
  /** Who wants to know when it goes on. */
  private waiters: Array<() => void> | undefined = undefined
  /** Has a body yielded its Effect? An exit that comes out of that ends it as a whole, whatever it catches. Otherwise it is a body. */
  foreign = false
  /** Has its fiber made a step since this was false? */
  moved = false
  inGenerator = false
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
    while (side.above !== undefined && side.above.state !== IDLE) side = side.above
    return side
  }

  /** Where the next Effect runs. */
  get free(): GreenletFiber {
    let side: GreenletFiber = this
    while (side.state !== IDLE) side = side.above ??= new GreenletFiber(this.greenlet, side)
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
    const { "~inbox": inbox, _state: state } = greenlet
    if (state !== SUSPENDED && state !== RAISING) return undefined
    greenlet["~inbox"] = undefined
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
    return isWoken(this.state)
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
    return this.woken && (this.calling || this.proxy?.performed === true)
  }

  /** The same of it, or of one whose Effect is above it. */
  get somethingGivenUp(): boolean {
    return this.givenUp || this.above?.somethingGivenUp === true
  }

  /** The loop has seen that it has handed over, and how deep; or that a child of it has. */
  leave(): void {
    if (this.state === HANDED_OVER) {
      this.state = this.exit !== undefined ? ENDED : this.resume !== undefined ? PARKED : WAITS
    }
    if (depth.levels > DEEP) this.stepwise = true
    depth.levels = 0
  }

  /** Is it in the middle of an Effect, and not in an operation of it? */
  get inEffect(): boolean {
    return this.state !== IDLE && this.resume === undefined && this.proxy === undefined
  }

  /** Has it said how its Effect ended, or handed over? */
  get settled(): boolean {
    return this.state === ENDED || this.state === HANDED_OVER
  }

  /** Begins a foreign Effect. */
  begin(effect: Effect.Effect<unknown, unknown, any>): Outcome {
    if (this.spent) this.retire()
    if (this.interrupting) {
      this.interrupting = false
      return this.endsInterrupted()
    }
    for (let { below } = this; below !== undefined; below = below.below) {
      if (!below.givenUp || below.unwinding !== undefined) continue
      // its frames ran on when that was decided
      below.unwinding = this.greenlet._hooks.exitWith(decided)
      this.thrown = { error: below.unwinding }
      return this.endsInterrupted()
    }
    // What its services are is known only at run time, from the creator's context. An interrupt skips every handler of
    // an interruptible region, so the Effect has a region of its own inside the uninterruptible driver.
    const run = Effect.uninterruptible(
      Effect.flatMap(Effect.exit(Effect.interruptible(effect as Effect.Effect<unknown, unknown>)), settle)
    )
    const { gate } = this
    const { open } = gate
    this.state = RUNS
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
    if (this.state === ENDED) return this.outcome()
    const { gate, state } = this
    const { open } = gate
    if (state === STOPPED) fuel.left += GOING_ON
    gate.open = this
    this.state = RUNS
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
    if (this.state === ENDED) {
      this.thrown = { error }
      return this.outcome()
    }
    if (!this.woken && (this.resume !== undefined || this.proxy !== undefined)) {
      if (this.greenlet._policy.isExit(error)) return this.throwExit(error)
      return this.inGenerator && this.resume !== undefined && this.proxy === undefined &&
          fuel.left > STEPS_TO_GENERATOR && mayBeLed(error)
        ? this.failInGenerator(error)
        : this.continue(failureOf(error))
    }
    this.thrown = { error }
    const { gate, state, task } = this
    const { open } = gate
    if (state === STOPPED) fuel.left += GOING_ON
    gate.open = this
    this.state = RUNS
    try {
      this.fiber!.interruptUnsafe()
      // Where it cannot be interrupted it goes on to where it can; if it was, the task does nothing any more.
      if (task !== undefined && this.task === task) this.takeTask()()
    } finally {
      gate.open = open
    }
    return this.outcome()
  }

  /** Fails an operation of its Effect in the generator that has performed it: so the error knows where that stands. */
  private failInGenerator(error: unknown): Outcome {
    const { gate } = this
    const { open } = gate
    const exit = failureOf(error)
    failure.error = error
    failure.effect = Effect.suspend(() => exit)
    gate.open = this
    this.state = RUNS
    try {
      this.unpark(Exit.succeed(failing))
      if (failure.effect !== undefined) {
        // whoever steps that generator by hand does not go on in it
        failure.error = failure.effect = undefined
        this.interruptFor(error)
      }
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
    this.state = RUNS
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

  /** Its Effect has ended. */
  settle(exit: Exit.Exit<unknown, unknown>): void {
    this.exit = exit
    if (this.state !== HANDED_OVER) this.state = ENDED
  }

  private endsInterrupted(): Outcome {
    this.settle(interrupted)
    return "ended"
  }

  /** Its fiber has turned out to be interrupted. */
  spend(): void {
    const { exit } = this
    // the Effect that was in progress had not made a step yet
    if (this.state !== IDLE && exit === undefined) this.settle(interrupted)
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
    this.state = IDLE
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

  /** Its fiber has been made. An interrupt that is not noted is seen by steps of Effect alone. */
  adopt(fiber: Fiber.Fiber<unknown, unknown>, interruptsAreNoted: boolean): void {
    this.fiber = fiber
    this.stepwise = !interruptsAreNoted
    this.deferred = undefined
  }

  /** Its fiber is about to make a step. May it, or does it give control back to the loop? */
  goesOn(): boolean {
    this.moved = true
    // one that has told what comes next is about to park
    return --fuel.left >= 0 || this.settled
  }

  /** The gate keeps its continuation: it was woken, or stopped. */
  wake(task: () => void): void {
    const { greenlet, state } = this
    this.task = task
    if (state === RUNS) {
      this.state = STOPPED
      return
    }
    // between its Effects it is spent, and no more
    if (state !== IDLE && state !== ENDED && state !== STOPPED) this.state = WOKEN
    // what was expected from outside has come
    if (this.calling && !isWoken(state)) greenlet._policy.expects(false)
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
    if (!this.woken) this.greenlet._policy.expects(false)
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

  /** What came of a stretch that it ran. */
  private outcome(): Outcome {
    if (this.waiters !== undefined && !this.woken) this.tellResumed()
    const { proxy } = this
    // nobody waits for that child on the spot
    if (this.settled && proxy?.performed === false) this.takeProxy().resume(Exit.die(new GreenletError(noGreenlet)))
    switch (this.state) {
      case ENDED:
        return "ended"
      case HANDED_OVER:
        return this.handsOver()
      case STOPPED:
        return "stopped"
    }
    this.state = WAITS
    return proxy?.performed === false ? this.performFor(proxy) : "waiting"
  }

  private handsOver(): Outcome {
    if (this.exit !== undefined || !this.parked) this.failSwitchedByHand()
    this.interruptNow()
    return "performed"
  }

  /** Performs what a child of it has asked for, for which it waits. */
  private performFor(proxy: Proxy): Outcome {
    proxy.performed = true
    const { greenlet } = this
    const frame = greenlet._code
    let next: Microthread
    try {
      next = proxy.operation!.perform(greenlet)
    } catch (error) {
      greenlet["~inbox"] = undefined
      return this.continue(failureOf(error))
    }
    this.calling = greenlet._code !== frame
    if (this.calling && !this.woken) greenlet._policy.expects(true)
    greenlet.thread.handOver(greenlet, next)
    return this.handsOver()
  }

  private unpark(effect: Effect.Effect<any, any>): void {
    const resume = this.resume!
    this.resume = undefined
    resume(effect)
  }

  /** Its fiber is being interrupted. True if that has to wait. */
  noteInterrupt(how: InterruptArguments): boolean {
    this.stepwise = true
    if (this.state !== PERFORMS) return false
    this.deferred = how
    return true
  }

  /** What had to wait happens. */
  interruptNow(): void {
    const { deferred } = this
    if (deferred === undefined) return
    this.deferred = undefined
    this.fiber?.interruptUnsafe(...deferred)
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
    this.state = IDLE
  }
}

const interrupted = Exit.interrupt()

const decided = "the race or timeout around the call was decided otherwise"

export const noGreenlet =
  "a fiber forked by a greenlet is no greenlet and cannot switch: switch from the body itself, or use a channel"

/**
 * The steps of a fiber that goes on after it was stopped: Effect's own, and the one that was refused. Were they counted, one
 * that is stopped after so few would never get on.
 */
const GOING_ON = 2

/** More than the steps of a fiber from where it is parked in an operation to the generator that has performed that. */
const STEPS_TO_GENERATOR = 16

/** Does the gate keep what continues it? */
const isWoken = (state: FiberState): boolean => state === WOKEN || state === STOPPED

type Self = GreenletFiber

declare module "../kernel/ports.ts" {
  interface GreenletFiber extends Self {}
}
