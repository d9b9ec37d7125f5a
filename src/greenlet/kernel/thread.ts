/**
 * The thread: the loop (loop.ts), how the program outside takes part in it (main.ts), how it ends (ending.ts); and here where its
 * greenlets live, and who governs it.
 *
 * Upstream has one of these an OS thread (`ThreadState`). Here each JavaScript realm has a default one, and `Thread` is
 * a reference in Effect's context, so that a program or a test can have its own.
 */
import * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import type { Thread } from "./current.ts"
import { EndingThread } from "./ending.ts"
import { FiberGate, type Hard } from "./hard.ts"
import { Home } from "./home.ts"
import { MainPolicy } from "./policy.ts"
import type { MainGreenlet, Microthread } from "./ports.ts"
import { stepping } from "./step.ts"

const { step } = stepping

export class ThreadState extends EndingThread {
  /** @internal who answers for main */
  mainPolicy: MainPolicy
  /** @internal has a greenlet been moved to another thread? Unstarted ones below it are there as well, and say they are here. */
  left = false
  /** For schedulers: whoever governs the thread. `stackless` has its scheduler there: a map takes a twentieth of a message. */
  scheduler: unknown = undefined
  /** Where the last greenlet was made. */
  private lastHome: Home | undefined
  private readonly gates = new WeakMap<Scheduler.Scheduler, FiberGate>()

  constructor(willEnd: boolean, hard: Hard, makeMain: (thread: Thread) => MainGreenlet) {
    super(willEnd, hard, makeMain)
    this.mainPolicy = new MainPolicy(this.main)
  }

  /** For schedulers: `policy` answers for the main greenlet from now on. */
  govern(policy: MainPolicy): void {
    this.mainPolicy = policy
    this.main._switching = undefined
  }

  // ---- fibers -----------------------------------------------------------------------------------------------------

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
    return lastHome !== undefined && lastHome.context === context
      ? lastHome
      : this.lastHome = new Home(this, context)
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
}

/** Is it a thread? */
export const isThread = (u: unknown): u is Thread => u instanceof ThreadState

declare module "./ports.ts" {
  interface Thread extends ThreadState {}
}
