/**
 * Main: how the program outside takes part. A fiber that is no greenlet and performs a `switch` stands for the main greenlet until
 * that returns, and drives the loop.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import { failureOf } from "./border.ts"
import type { Thread } from "./current.ts"
import { GreenletError, GreenletExit } from "./errors.ts"
import { FiberGate } from "./hard.ts"
import { Loop } from "./loop.ts"
import type { Operation } from "./operation.ts"
import { type Origin, rested } from "./origin.ts"
import type { Microthread } from "./ports.ts"
import { becomeOutside, OUTSIDE, OUTSIDE_RAISING } from "./state.ts"
import { surroundings } from "./surroundings.ts"

/** How the program outside takes part in a loop. */
export abstract class MainThread extends Loop {
  /** For schedulers: where `withThread` was called, if that has made it. */
  origin: Origin | undefined = undefined
  /** Was the fiber that stands for main interrupted? */
  private dismissed = false

  // ---- what is said elsewhere: ending.ts --------------------------------------------------------------------------

  /** The fiber that stands for main was interrupted, and a body that runs as main is about to end. */
  protected abstract dismiss(host: Fiber.Fiber<unknown, unknown>): void
  /** That fiber has left. */
  protected abstract dismissedHostLeft(): void

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

  /**
   * For schedulers: can its main greenlet wait for something that its own greenlets do not do? Not in `Effect.runSync`; and not
   * when it has been told to end, since it would not be told again.
   */
  get mayWait(): boolean {
    const { dismissed, host, main } = this
    return host !== undefined && !this.ending && host.cache.scheduler.executionMode === "async" && !dismissed &&
      main._fiber?.somethingGivenUp !== true
  }

  /** For schedulers: is `inner` a thread whose end it may wait for? */
  waitsFor(inner: Thread): boolean {
    for (let { origin } = inner; origin !== undefined; { origin } = origin.thread) {
      if (origin.fiber !== origin.thread.origin?.fiber && !origin.awaited) return false
      if (origin.thread === this.itself) return true
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
      surroundings.keeper?.made(main)
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
    const { "~inbox": inbox, _state: state } = main
    becomeOutside(main)
    main["~inbox"] = undefined
    main._fiber?.release()
    main._fiber = undefined
    this.finish = undefined
    this.giveUp = undefined
    this.host = undefined
    if (this.dismissed) {
      this.dismissed = false
      this.dismissedHostLeft()
    }
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
    this.dismissed = true
    this.dismiss(this.host!)
    main.raise(new GreenletExit("the fiber that stood for the main greenlet was interrupted"))
    if (before !== main && this.tracer !== undefined) this.trace(before, main)
    this.enter(main)
    if (this.parked === undefined) finish()
  }

  /** What a body that ran as main made of its end is of no interest any more, unless it is an error of its own. */
  private leaveAbandoned(): Exit.Exit<any, any> {
    const { "~inbox": inbox, _state: state } = this.main
    const left = this.leave()
    return state === OUTSIDE_RAISING && !(inbox instanceof GreenletExit) ? left : Exit.void
  }

  /**
   * @internal while the loop is on the stack: does this fiber do what a greenlet does? One that a body runs by itself,
   * with `Effect.runSync` or the like, does not.
   */
  runsOn(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (fiber === this.host) return true
    const gate = fiber.cache.scheduler
    return gate instanceof FiberGate && gate.thread === this.itself && gate.owns(fiber)
  }
}

const anotherStandsForMain = Effect.suspend(() =>
  Effect.die(
    new GreenletError(
      "another fiber stands for the main greenlet: only one may switch into a thread at a time; use a thread of your own (withThread), or a channel"
    )
  )
)
