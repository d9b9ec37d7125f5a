/**
 * The hard side, as the kernel knows it: Effects that run as frames, and the schedulers of the fibers that they run on.
 *
 * Both are in ../effect, which is above the kernel. A thread is given them when it is made.
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import { Thread as CurrentThread } from "./current.ts"
import type { Frame } from "./frame.ts"
import type { Microthread, Operation, Thread } from "./ports.ts"

/** What a thread is given. */
export interface Hard {
  /** The frame of an Effect, which runs on the fiber of `greenlet`. If it is not `foreign`, it is a body itself. */
  frame(greenlet: Microthread, effect: Effect.Effect<any, any, any>, foreign: boolean): Frame
  /** The gate for fibers that `base` would schedule. */
  gate(thread: Thread, base: Scheduler.Scheduler): FiberGate
  /** Lets an error be thrown into a body that waits in `yield* effect`. */
  letErrorsInto(effect: Effect.Effect<any, any, any>): void
}

/** How a gate is known: `instanceof` takes a tenth of a hard switch (`greenlet.switch.hard`). */
const GATE: unique symbol = Symbol("gate")

/** Is a scheduler one for the fibers of greenlets? */
export const isGate = (scheduler: Scheduler.Scheduler | undefined): scheduler is FiberGate =>
  (scheduler as Partial<FiberGate> | undefined)?.[GATE] === true

/** The scheduler of the fibers of a thread's greenlets. A fiber that has one is a greenlet's, or a child of one. */
export abstract class FiberGate implements Scheduler.Scheduler {
  readonly [GATE] = true
  readonly thread: Thread
  /** The scheduler without it. */
  readonly base: Scheduler.Scheduler
  readonly executionMode: "sync" | "async"

  constructor(thread: Thread, base: Scheduler.Scheduler) {
    this.thread = thread
    this.base = base
    this.executionMode = base.executionMode
  }

  /** The last context of a fiber that was looked at, and belongs to this thread. */
  private own: Context.Context<never> | undefined = undefined

  /** Is what `fiber` does part of this thread? Not where another one is provided to it, as its `Thread`. */
  owns(fiber: Fiber.Fiber<any, any>): boolean {
    const { context } = fiber
    if (context === this.own) return true
    if (fiber.getRef(CurrentThread) !== this.thread) return false
    this.own = context
    return true
  }

  abstract shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean
  abstract makeDispatcher(): Scheduler.SchedulerDispatcher

  /** Runs what is scheduled, now. */
  abstract flush(): void

  /** What an operation means to one of its fibers, which evaluates it as an Effect. */
  abstract perform(operation: Operation, fiber: Fiber.Fiber<any, any>): Effect.Effect<any, any, any>

  /** The first step of `yield* operation` in a generator on a greenlet's own fiber; undefined in any other place. */
  abstract performInPlace(
    operation: Operation,
    fiber: Fiber.Fiber<any, any>
  ): IteratorResult<unknown, unknown> | undefined

  /** A child of a greenlet's fiber wants to switch: the greenlet does it for it. */
  abstract performForChild(operation: Operation): Effect.Effect<any, any>
}
