/**
 * The end of a thread: its suspended greenlets end with `GreenletExit`, one after another, and run their `finally` blocks. Each gets
 * a limited time, and a limited number of switches that it may try.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { Thread } from "./current.ts"
import { GreenletError } from "./errors.ts"
import { FiberGate, type Hard } from "./hard.ts"
import { MainThread } from "./main.ts"
import { Operation } from "./operation.ts"
import { programs, rested } from "./origin.ts"
import type { MainGreenlet, Microthread } from "./ports.ts"
import { becomeDead, becomeOutside } from "./state.ts"

/** How often a greenlet that ends with its thread may try to switch before its frames are dropped as they are. */
const TRIES = 100

/**
 * How long such a greenlet may go on, in milliseconds, before it gets another exit; at its next wait then it is dropped. Each
 * that is dropped halves this for those after it, so that a thread ends whatever its greenlets do.
 */
const PATIENCE = 2000

/** How a thread ends. */
export abstract class EndingThread extends MainThread {
  /** How many more switches the greenlet that is being ended may try. */
  private tries = TRIES
  /** How long the next one may go on. */
  private patience = PATIENCE
  /** Goes off when that is over. */
  private alarm: Fiber.Fiber<void> | undefined = undefined
  /** Has it? */
  private overdue = false
  /** Goes off when main has gone on for too long. */
  private mainAlarm: Fiber.Fiber<void> | undefined = undefined
  /** Has the greenlet got its second exit? */
  private hurried = false
  /** The greenlets that have started and not ended: kept only by a thread that will end. */
  private readonly alive: Set<Microthread> | undefined

  constructor(willEnd: boolean, hard: Hard, makeMain: (thread: Thread) => MainGreenlet) {
    super(hard, makeMain)
    this.alive = willEnd ? new Set() : undefined
  }

  /** For schedulers: `g` has begun to run its body. */
  started(g: Microthread): void {
    this.alive?.add(g)
  }

  /** For schedulers: `g` has ended, or left for another thread. */
  buried(g: Microthread): void {
    this.alive?.delete(g)
  }

  /**
   * Ends the thread: its suspended greenlets end with `GreenletExit`, in the order they started in, and their `finally`
   * blocks run. A block may wait for a foreign Effect, for two seconds in all, and use `call`; one that switches gets
   * `GreenletError`, as there is nobody left to switch to. A greenlet that goes on nevertheless is dropped in the end, which
   * is an error, and says which it was. This ends with the errors out of all blocks, each a defect of its cause, the first one in
   * front. Afterwards the main greenlet is dead, too.
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
        programs.delete(this.itself)
        this.main._policy.orphaned()
        becomeDead(this.main)
        rested()
        return errors.length === 0 ? Effect.void : Effect.failCause(Cause.fromReasons(errors.map(Cause.makeDieReason)))
      }
      this.tries = TRIES
      const end = new End(g)
      return Effect.matchCauseEffect(end, {
        onSuccess: endNext,
        onFailure: (cause) => {
          for (const reason of cause.reasons) {
            if (reason._tag === "Die") {
              if (reason.defect !== end.error && !g._hooks.isExit(reason.defect)) errors.push(reason.defect)
            } else if (reason._tag === "Fail") {
              errors.push(reason.error)
            }
          }
          return endNext()
        }
      }).pipe(Effect.provideService(Thread, this.itself))
    }
    return ungated(endNext())
  })

  /** @internal interrupts the fiber that stands for main, and waits until it has left, which it has to in two seconds */
  readonly dismissHost: Effect.Effect<void> = Effect.withFiber((fiber) => {
    const { host } = this
    if (host === undefined || this.runsOn(fiber)) return Effect.void
    host.interruptUnsafe(fiber.id)
    // it may be where it cannot be interrupted
    const late = Effect.andThen(Effect.sleep(PATIENCE), Effect.sync(() => this.host === host && this.expel()))
    return Effect.raceFirst(Effect.asVoid(Fiber.await(host)), Effect.interruptible(late))
  })

  /** On a thread that will end, a body that runs as main has two seconds to end. On any other it is nobody's who must not wait. */
  protected override dismiss(host: Fiber.Fiber<unknown, unknown>): void {
    if (this.alive === undefined) return
    const alarm = this.mainAlarm = Effect.runForkWith(host.context)(Effect.sleep(PATIENCE))
    alarm.addObserver((exit) => {
      if (this.mainAlarm === alarm && Exit.isSuccess(exit)) this.expel()
    })
  }

  protected override dismissedHostLeft(): void {
    const { mainAlarm: alarm } = this
    this.mainAlarm = undefined
    alarm?.interruptUnsafe()
  }

  /** A body that ran as main did not end when it had to. */
  private expel(): void {
    if (this.looping) {
      this.giveUp = () => this.expel()
      return
    }
    const { main } = this
    this.parked = undefined
    main._policy.abandoned()
    main._rebind(undefined)
    becomeOutside(main)
    this.current = main
    this.finish?.()
  }

  /** While the thread ends, main and the greenlet that ends are the only ones to run: `g` may not switch to `next`. */
  protected refuse(g: Microthread, next: Microthread): Microthread {
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
    const who = nameOf(g)
    g._bury()
    g._hooks.dropped()
    return this.main.raise(
      new GreenletError(`a greenlet did not end with its thread: it catches GreenletExit and switches on: ${who}`)
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
      return g.raise(
        g._hooks.exitWith("the thread of this greenlet has ended, and it has taken too long to end with it")
      )
    }
    this.patience /= 2
    const who = nameOf(g)
    g._bury()
    g._hooks.dropped()
    return this.main.raise(
      new GreenletError(
        `a greenlet did not end with its thread: it catches GreenletExit and goes on, or waits for too long: ${who}`
      )
    )
  }
}

/** As it prints itself, if it can: a subclass may have its own way. */
const nameOf = (g: Microthread): string => {
  try {
    return String(g)
  } catch {
    return g.constructor.name
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
