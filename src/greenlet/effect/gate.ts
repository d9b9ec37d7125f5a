/**
 * The gate: the scheduler of the fibers of greenlets, which keeps them from running behind the loop's back.
 *
 * A fiber asks its scheduler `shouldYield` before its first step after any wake-up. The gate answers yes unless the loop
 * has opened it for just that fiber, and keeps the task that Effect then hands over; so a timer or a `Deferred` only
 * makes the greenlet ready, and the loop resumes it in its order. All of it is effect's public interface.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { Thread as CurrentThread } from "../kernel/current.ts"
import { FiberGate } from "../kernel/hard.ts"
import type { Microthread, Operation, Thread } from "../kernel/ports.ts"
import { type InterruptArguments, type NoteInterrupt, noteInterrupts } from "./beyond-public.ts"
import type { FiberState } from "./fiber-state.ts"

/** The side of a greenlet that is hard, as the gate and what parks its fiber know it: see fiber.ts. */
export interface Side {
  readonly greenlet: Microthread
  readonly fiber: Fiber.Fiber<unknown, unknown> | undefined
  readonly state: FiberState
  /** Its fiber has been made, and asks for the first time. */
  adopt(fiber: Fiber.Fiber<unknown, unknown>, interruptsAreNoted: boolean): void
  /** Its fiber, for which the gate is open, is about to make a step. May it? */
  goesOn(): boolean
  /** What continues its fiber, which has been woken or stopped. */
  wake(task: () => void): void
  /** Its fiber is being interrupted. True if that has to wait. */
  noteInterrupt(how: InterruptArguments): boolean
  /** Is its fiber parked in an operation that a generator has performed in place? */
  inGenerator: boolean
  /** Continues its fiber, which is parked. */
  resume: ((effect: Effect.Effect<any, any>) => void) | undefined
  /** Its Effect has ended. */
  settle(exit: Exit.Exit<unknown, unknown>): void
  /** Its fiber has turned out to be interrupted. Takes what ends that. */
  spend(): void
  endings: Array<() => void> | undefined
  /** A switch or a call of a child of its fiber. */
  proxy: Proxy | undefined
}

export interface Proxy {
  /** None if it has been performed by the greenlet itself. */
  readonly operation: Operation | undefined
  readonly resume: (effect: Effect.Effect<any, any>) => void
  performed: boolean
}

/** A greenlet's fiber is being interrupted. True if that has to wait. */
const noteInterrupt: NoteInterrupt = (fiber, how) =>
  (fiber.cache.scheduler as Gate).owners.get(fiber)?.noteInterrupt(how) === true

/** The scheduler of the fibers of a thread's greenlets. Their children are scheduled by `base`, as if it were not there. */
export abstract class Gate extends FiberGate {
  /** The greenlet's side whose fiber the loop lets run. */
  open: Side | undefined = undefined
  /** The greenlet's side whose fiber is about to be made: the next fiber to ask is it. */
  adopts: Side | undefined = undefined
  readonly owners = new WeakMap<Fiber.Fiber<unknown, unknown>, Side>()
  /** The fiber that was refused just now: the next task is its continuation. */
  private refused: Side | undefined = undefined
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
      if (open.goesOn()) return false
      this.refused = open
      return true
    }
    if (this.adopts !== undefined) {
      const side = this.adopts
      this.adopts = undefined
      side.adopt(fiber, noteInterrupts(fiber, noteInterrupt))
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
    if (Context.get(gated, CurrentThread) !== this.thread) gated = Context.add(gated, CurrentThread, this.thread)
    this.lastContext = context
    return this.lastGated = gated
  }
}
