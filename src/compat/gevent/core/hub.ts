/**
 * The hub: the greenlet that every other one switches to when it has to wait.
 *
 * Carries `gevent.hub`: one hub a thread, a child of the main greenlet; it runs the loop (loop.ts) and switches to
 * whoever can go on, and when there is nothing left to wait for it throws `LoopExit` in the main greenlet. Where it
 * differs: a greenlet that waits for a foreign Effect (a promise, a stream, a request) switches to the hub as well, which
 * is what upstream needs monkey-patching for; and the hub itself waits for nothing but an Effect of its own, so that the
 * JavaScript event loop goes on beside it.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Scheduler from "effect/Scheduler"
import {
  BEGIN,
  type Body,
  call,
  currentThread,
  exitFor,
  Greenlet as KernelGreenlet,
  GreenletExit,
  MainPolicy,
  Microthread,
  type Mode,
  type NotAsync,
  Operation,
  originalContextOf,
  pushFrame,
  Routine,
  type Starter,
  starterOf,
  surroundings,
  type Thread,
  THROW
} from "../../../greenlet/index.ts"
import { config } from "./config.ts"
import {
  type Blocked,
  BlockingSwitchOutError,
  InvalidSwitchError,
  InvalidThreadUseError,
  LoopExit
} from "./exceptions.ts"
import { Callback, Callbacks, Idle, Idles, type Runnable, Timer, Timers, type Turn } from "./loop.ts"
import { noteSpawning, spawnerOf, spawningLinesOf } from "./spawning.ts"
import { WaitFrame } from "./wait-frame.ts"

/** How long callbacks may keep timers and the JavaScript event loop waiting, in milliseconds. Upstream's is the same. */
const PATIENCE = 5

/** How many callbacks run before the time is looked at. */
const CHECK = 64

/** That the JavaScript event loop is to have a turn, before anything else happens. */
const BREATHE = "breathe"

/** Where errors are written that nobody watches for. */
export interface ExceptionStream {
  write(text: string): unknown
}

/** Something that calls back: a timer that is not started, or anything else with these two methods. */
export interface Watcher {
  /** Has `callback` called in the hub, once it is time: what it returns is for the hub to perform. */
  start(callback: () => Turn): void
  /** It is not waited for any more. */
  stop(): void
}

/**
 * The hub of a thread; `gethub()` gives it.
 *
 * @category models
 * @since 0.1.0
 */
export class Hub extends KernelGreenlet {
  /** Errors that are an end asked for, and not worth a report. Mirrors `Hub.NOT_ERROR`. */
  static NOT_ERROR: ReadonlyArray<new(...args: any) => unknown> = [GreenletExit]
  /** Errors that are thrown in the main greenlet, besides being reported. Mirrors `Hub.SYSTEM_ERROR`. */
  static SYSTEM_ERROR: ReadonlyArray<new(...args: any) => unknown> = []

  /** Where reports of errors go; `undefined` silences them. Mirrors `Hub.exception_stream`. */
  exceptionStream: ExceptionStream | undefined = process.stderr

  private readonly callbacks = new Callbacks()
  private readonly timers = new Timers(() => this.now())
  private readonly idles = new Idles()
  /** What the timers or idleness brought in this iteration, and how much of it has run. */
  private events: ReadonlyArray<Timer | Idle> = []
  private cursor = 0
  /** What runs. */
  private running: Runnable | undefined = undefined

  /** The greenlets that wait for a foreign Effect; once that is over, with the callback that will resume them. */
  private readonly outside = new Map<Microthread, Callback | undefined>()
  /** What else can wake the hub: see `ref`. */
  private refs = 0
  /** How many greenlets were given an identity. */
  private idents = 0

  /** Set while the hub waits: ends the wait. */
  private wakeUp: (() => void) | undefined = undefined
  /** Is it about to be woken? */
  private waking = false
  private alarm: Fiber.Fiber<void> | undefined = undefined
  private alarmDue = 0
  /** Has the JavaScript event loop had a turn since something ran here? */
  private rested = false
  private lastRest = Date.now()
  private check = CHECK
  /** Have callbacks kept the timers and the JavaScript event loop waiting for too long? */
  private late = false

  private context_: Context.Context<never> | undefined = undefined
  private clock: Clock.Clock
  /** The clock's time at the hub's time 0. */
  private epoch = 0
  /** Can nothing wait here, as in `Effect.runSync`? */
  private sync = false
  private mainBlockedOn: unknown = undefined
  /** What listens to the world outside, and how it is closed. */
  private readonly listeners = new Map<Listens, () => void>()
  /** Do they keep the process from its end? */
  private holding = false

  constructor(thread: Thread) {
    super(undefined, thread.main)
    this.clock = Context.get(Context.empty(), Clock.Clock)
    this.epoch = this.clock.currentTimeMillisUnsafe()
    this.follow()
    thread.govern(new ProgramOutside(this))
  }

  /** @internal the fiber that stood for main was interrupted */
  abandons(): void {
    this.forget(this.thread.main)
    this.leavesToMain()
    // it looks for timers anew when somebody lets it
    this.wake()
  }

  override toString(): string {
    return "<Hub>"
  }

  // ---- what runs in it --------------------------------------------------------------------------------------------

  /**
   * Has `f` called by the hub, as soon as the greenlets that are in line before have run. It must not wait. May be called
   * from outside at any time, by a listener of an event emitter for example. Mirrors `hub.loop.run_callback`.
   */
  runCallback(f: () => Turn): Callback {
    return this.runSoon(new Callback(f))
  }

  /** @internal the same for one that is made */
  runSoon<C extends Callback>(callback: C): C {
    this.callbacks.push(callback)
    this.wake()
    return callback
  }

  /**
   * As `runCallback`, for what arrives from outside in numbers, such as data on sockets: the hub wakes once for all that
   * the JavaScript event loop brings in one turn.
   */
  arrives(f: () => Turn): void {
    this.callbacks.push(new Callback(f))
    if (this.wakeUp === undefined || this.waking) return
    this.waking = true
    setImmediate(() => {
      this.waking = false
      this.wake()
    })
  }

  /** A timer that is not started. Mirrors `hub.loop.timer`. */
  timer(seconds: number, options?: { readonly priority?: number; readonly ref?: boolean }): Timer {
    return new Timer(this.timers, seconds, options?.priority, options?.ref)
  }

  /** Has `f` called whenever there is nothing else to do, until it is stopped. Mirrors `hub.loop.idle`. */
  idle(f: () => Turn, priority = 0): Idle {
    return new Idle(this.idles, priority, f)
  }

  /** Keeps the hub waiting, while something outside of all greenlets is going to wake it. Mirrors `hub.loop.ref`. */
  ref(): void {
    this.refs++
  }

  /** Takes a `ref` back. Mirrors `hub.loop.unref`. */
  unref(): void {
    this.refs--
    this.wake()
  }

  /** The time of the thread's `Clock` in milliseconds, since the hub was made. Mirrors `hub.loop.now`. */
  now(): number {
    this.follow()
    return this.clock.currentTimeMillisUnsafe() - this.epoch
  }

  /** @internal the least number that no greenlet had before */
  nextIdent(): number {
    return this.idents++
  }

  // ---- errors -----------------------------------------------------------------------------------------------------

  /**
   * Told of every error that nobody watches for: of a greenlet that died, a link, a timer. Prints a report; one of
   * `SYSTEM_ERROR`, or one without a context, is thrown in the main greenlet besides. Replace it to report elsewhere.
   *
   * @param context what failed
   *
   * Mirrors `Hub.handle_error`.
   */
  handleError(context: unknown, error: unknown): void {
    const { NOT_ERROR, SYSTEM_ERROR } = this.constructor as typeof Hub
    if (!NOT_ERROR.some((Class) => error instanceof Class)) this.printException(context, error)
    if (context === undefined || SYSTEM_ERROR.some((Class) => error instanceof Class)) this.handleSystemError(error)
  }

  /** @internal the same for an error that was caught in the hub: unless the hub itself is to end of it */
  handleErrorInHub(context: unknown, error: unknown): void {
    if (this.thread.ending && error instanceof GreenletExit) throw error
    this.report(context, error)
  }

  /** @internal has an error handled; a handler that fails itself is reported, too, and stops nothing */
  report(context: unknown, error: unknown): void {
    try {
      this.handleError(context, error)
    } catch (failure) {
      try {
        this.printException("the handler of errors", failure)
      } catch {
        // it is the stream that fails
      }
    }
  }

  /** Throws an error in the main greenlet. Mirrors `Hub.handle_system_error`. */
  handleSystemError(error: unknown): void {
    this.runCallback(() => this.to(this.thread.main.raise(error)))
  }

  /** Writes the report of an error. Mirrors `Hub.print_exception`. */
  printException(context: unknown, error: unknown): void {
    const stream = this.exceptionStream
    if (stream === undefined) return
    const text = error instanceof Error ? error.stack ?? String(error) : String(error)
    const what = context === undefined ? "" : ` ${describe(context)} failed with ${nameOf(error)}`
    stream.write(`${text}\n${new Date().toISOString()}${what}\n\n`)
  }

  // ---- switching --------------------------------------------------------------------------------------------------

  /**
   * Switches to the hub: the current greenlet waits until somebody switches to it, and gets what that brings.
   *
   * Dies with `BlockingSwitchOutError` in the hub itself. Mirrors `hub.switch()`.
   */
  override switch<A = unknown>(): Operation<A> {
    return this.park<A>("a switch")
  }

  /** @internal the same; `what` is what a report says is waited for */
  park<A>(what: unknown): Operation<A> {
    return new Park<A>(this, what)
  }

  /**
   * Waits for one thing: an Effect or a promise, whose value it gives back, or a watcher, such as a timer that is not
   * started. Stops the watcher at the end.
   *
   * Dies with the failure of the Effect or the promise; with `InvalidSwitchError` if somebody switches to the greenlet
   * meanwhile; with `BlockingSwitchOutError` in the hub itself; with `TypeError` for anything else than the three. Mirrors
   * `hub.wait(watcher)`.
   */
  wait(watcher: Watcher): Operation<void>
  wait<A, E, R>(effect: Effect.Effect<A, E, R>): Operation<A, E, R>
  wait<A>(promise: PromiseLike<A>): Operation<A>
  wait(awaited: Watcher | Effect.Effect<any, any, any> | PromiseLike<any>): Operation<any, any> {
    // it may fail before its turn to be waited for comes, which is no reason to end the process
    if (Predicate.isPromiseLike(awaited)) awaited.then(undefined, () => {})
    return new Waits((current) => waiting(current, this, awaited))
  }

  /**
   * Waits until nothing is left to wait for, or `timeout` seconds have passed; gives back whether it was the former. Only
   * the main greenlet can. Mirrors `Hub.join`.
   */
  join(timeout?: number): Operation<boolean> {
    return new JoinHub(this, timeout)
  }

  /** @internal the current greenlet waits: who is next */
  parks(current: Microthread, what: unknown): Microthread {
    if (current === this) {
      throw new BlockingSwitchOutError("Impossible to call blocking function in the event loop callback")
    }
    if (current.thread !== this.thread) {
      throw new InvalidThreadUseError(
        `${describe(what)} belongs to another thread of greenlets: make it on the thread that waits for it`
      )
    }
    if (current instanceof Cooperative) current.blockedOn = what
    else if (current === this.thread.main) this.mainBlockedOn = what
    else if (!(current instanceof KernelGreenlet)) throw mixing()
    return this
  }

  /** @internal the hub hands over */
  to(target: Microthread): Microthread {
    if (target === this.thread.main) {
      this.mainBlockedOn = undefined
      this.leavesToMain()
    }
    return target
  }

  /** @internal in the hub: what switches to a greenlet that waits, and brings it a value. Nothing, if that is dead */
  brings(greenlet: Microthread, brought: unknown): Operation<unknown> | undefined {
    if (greenlet.dead) return undefined
    destination = this.goesOn(greenlet, brought)
    return jump
  }

  /** @internal the same to be performed now: who is next */
  goesOn(greenlet: Microthread, brought: unknown): Microthread {
    if (!isLeaving(greenlet)) return this.to(greenlet.give(brought))
    return this.to(greenlet.raising ? greenlet : greenlet.raise(new GreenletExit()))
  }

  /** @internal does `g` wait for a foreign Effect, or has that ended and `g` not gone on yet? */
  hasOutside(g: Microthread): boolean {
    return this.outside.size > 0 && this.outside.has(g)
  }

  // ---- waiting for foreign Effects --------------------------------------------------------------------------------

  /** @internal the fiber of `g` suspends */
  waitsOutside(g: Microthread): Microthread {
    this.outside.set(g, undefined)
    return this.parks(g, "a foreign Effect")
  }

  /** @internal the kernel calls it when the wait of `g` is over; nothing happens if somebody else does at another time */
  isWoken(g: Microthread): void {
    if (this.outside.size === 0 || g.waiting || !this.outside.has(g) || this.outside.get(g) !== undefined) return
    this.outside.set(
      g,
      this.runCallback(() => {
        this.outside.delete(g)
        return this.to(g)
      })
    )
  }

  /** @internal the fiber of `g` was interrupted from outside while it was parked */
  interrupts(g: Microthread): unknown {
    const error = exitFor(g, "the fiber of this greenlet was interrupted")
    g.raise(error)
    this.runCallback(() => g.raising ? this.to(g) : undefined)
    return error
  }

  /** @internal `g` gets an error: what it waited for must not resume it any more */
  forget(g: Microthread): void {
    if (!this.hasOutside(g)) return
    this.outside.get(g)?.stop()
    this.outside.delete(g)
  }

  // ---- its body ---------------------------------------------------------------------------------------------------

  protected override begins(): Body {
    return () => new Course(this) as unknown as Generator<Effect.Effect<void>, never>
  }

  /** @internal a link returned an Effect that is not over at once */
  protected override waits(): Microthread {
    if (this.wakeUp !== undefined) return this
    throw new BlockingSwitchOutError("Impossible to wait in the event loop callback: spawn a greenlet there")
  }

  /** @internal one step of its body: what to yield */
  step(): Effect.Effect<any, any> | Routine {
    for (;;) {
      const event = this.nextEvent()
      if (event === undefined) return this.rests()
      if (event === BREATHE) {
        this.rested = true
        return this.breath
      }
      this.running = event
      let turn: Turn
      try {
        turn = event.run()
      } catch (error) {
        this.reports(error)
        continue
      }
      if (turn === undefined) continue
      if (turn instanceof Microthread) {
        destination = this.to(turn)
        return jump
      }
      if (turn instanceof Routine) return turn
      if (Effect.isEffect(turn)) return turn as Operation<unknown>
      if (isGenerator(turn)) return call(() => turn as Generator<never, unknown>)
    }
  }

  /** @internal an error reached its body: of what it ran, or of a greenlet that it is the parent of */
  reports(error: unknown): void {
    this.report(this.running, error)
  }

  private nextEvent(): Runnable | typeof BREATHE | undefined {
    for (;;) {
      while (this.cursor < this.events.length) {
        const event = this.events[this.cursor++]!
        if (event.pending) return this.runs(event)
      }
      if (!this.late) {
        const callback = this.callbacks.shift()
        if (callback !== undefined) {
          if (--this.check <= 0) this.late = this.overdue()
          if (callback.pending) return this.runs(callback)
          continue
        }
      } else if (!this.rested && !this.sync) {
        return BREATHE
      }
      this.late = false
      this.cursor = 0
      if (!this.idles.empty && !this.rested && !this.sync) return BREATHE
      const due = this.timers.earliest === undefined ? nothing : this.timers.take(this.now())
      this.events = this.idles.empty || !this.callbacks.empty ? due : [...this.idles.take(due[0]), ...due]
      if (this.events.length === 0 && this.callbacks.empty) return undefined
    }
  }

  private runs(event: Runnable): Runnable {
    this.rested = false
    return event
  }

  /** Has the JavaScript event loop waited too long? */
  private overdue(): boolean {
    this.check = CHECK
    const now = Date.now()
    if (now - this.lastRest < PATIENCE) return false
    this.lastRest = now
    return true
  }

  // ---- resting ----------------------------------------------------------------------------------------------------

  /** There is nothing to run: waits, or gives up. */
  private rests(): Effect.Effect<any> {
    if (this.expectant) return this.rest
    this.running = undefined
    destination = this.to(this.parent!.raise(new LoopExit(this.blocked())))
    return jump
  }

  /** Is there anything to wait for? */
  private get expectant(): boolean {
    return this.timers.refs > 0 || this.outside.size > 0 || this.refs > 0
  }

  private readonly rest: Effect.Effect<void> = Effect.callback<void>((resume) => {
    // the thread may have let the event loop have a turn on the way here
    if (!this.callbacks.empty || !this.expectant) return resume(Exit.void)
    this.wakeUp = () => {
      this.wakeUp = undefined
      this.rested = true
      this.check = CHECK
      this.lastRest = Date.now()
      resume(Exit.void)
    }
    this.arm()
    if (!this.holding && this.listeners.size > 0) this.hold(true)
    return Effect.sync(() => {
      this.wakeUp = undefined
    })
  })

  /** Gives the JavaScript event loop a turn. */
  private readonly breath: Effect.Effect<void> = Effect.callback<void>((resume) => {
    const immediate = setImmediate(() => this.wakeUp?.())
    this.wakeUp = () => {
      clearImmediate(immediate)
      this.wakeUp = undefined
      this.check = CHECK
      this.lastRest = Date.now()
      resume(Exit.void)
    }
    return Effect.sync(() => {
      clearImmediate(immediate)
      this.wakeUp = undefined
    })
  })

  private wake(): void {
    this.wakeUp?.()
  }

  /** Sets the alarm to the earliest timer. One that is set to an earlier time stays: it only wakes the hub in vain. */
  private arm(): void {
    const due = this.timers.earliest
    if (due === undefined) return
    const now = this.now()
    if (this.alarm !== undefined) {
      if (this.alarmDue <= due) return
      this.disarm()
    }
    this.alarmDue = due
    const context = this.context_ ?? Context.empty()
    const alarm = Effect.runForkWith(context)(this.clock.sleep(Duration.millis(Math.max(0, due - now))))
    this.alarm = alarm
    alarm.addObserver(() => {
      if (this.alarm !== alarm) return
      this.alarm = undefined
      this.wake()
    })
  }

  /** Where the main greenlet goes on, the program may end: nothing here must keep the process from it. */
  private leavesToMain(): void {
    this.disarm()
    if (this.holding) this.hold(false)
  }

  private hold(on: boolean): void {
    this.holding = on
    for (const it of this.listeners.keys()) {
      if (on) it.ref()
      else it.unref()
    }
  }

  /** @internal `it` listens from now on. It keeps the process from its end while the hub waits, and is closed when the thread ends. */
  listens(it: Listens, close: () => void): void {
    this.listeners.set(it, close)
    if (!this.holding) it.unref()
  }

  /** @internal it does not any more */
  listensNoMore(it: Listens): void {
    this.listeners.delete(it)
  }

  /** @internal its thread has ended */
  orphans(): void {
    for (const close of this.listeners.values()) close()
    this.listeners.clear()
    this.disarm()
  }

  private disarm(): void {
    const { alarm } = this
    if (alarm === undefined) return
    this.alarm = undefined
    alarm.interruptUnsafe()
  }

  /** The clock is that of the program that the main greenlet is; its time goes on where that of the last one was. */
  private follow(): void {
    const context = originalContextOf(this.thread.main)
    if (context === this.context_ || context === undefined) return
    this.context_ = context
    this.sync = Context.get(context, Scheduler.Scheduler).executionMode === "sync"
    const clock = Context.get(context, Clock.Clock)
    if (clock === this.clock) return
    const now = this.clock.currentTimeMillisUnsafe() - this.epoch
    this.disarm()
    this.clock = clock
    this.epoch = clock.currentTimeMillisUnsafe() - now
  }

  // ---- who waits on what ------------------------------------------------------------------------------------------

  private blocked(): ReadonlyArray<Blocked> {
    const blocked: Array<Blocked> = []
    const seen = new Set<unknown>()
    const visit = (greenlet: string, on: unknown): void => {
      if (on === undefined || blocked.length >= 20) return
      blocked.push({ greenlet, on: Array.isArray(on) ? on.map(describe).join(", ") : describe(on) })
      const next = Array.isArray(on) ? on : isHolder(on) ? on.holders() : [on]
      for (const thing of next) {
        if (!(thing instanceof Cooperative) || thing.dead || seen.has(thing)) continue
        seen.add(thing)
        visit(describe(thing), thing.blockedOn)
      }
    }
    visit("the main greenlet", this.mainBlockedOn)
    return blocked
  }
}

const nothing: ReadonlyArray<Timer> = []

/** A handle of Node's that connections or datagrams come from. */
interface Listens {
  ref(): unknown
  unref(): unknown
}

/** The program outside, which the main greenlet is: it waits as the greenlets of the hub do. */
class ProgramOutside extends MainPolicy {
  private readonly hub: Hub
  constructor(hub: Hub) {
    super(hub.thread.main)
    this.hub = hub
  }
  override waits(): Microthread {
    return this.hub.waitsOutside(this.main)
  }
  override expects(something: boolean): void {
    if (something) this.hub.ref()
    else this.hub.unref()
  }
  override waited(): void {
    this.hub.isWoken(this.main)
  }
  override interrupted(): unknown {
    return this.hub.interrupts(this.main)
  }
  override givesUp(): unknown {
    return this.hub.interrupts(this.main)
  }
  override abandoned(): void {
    this.hub.abandons()
  }
  override orphaned(): unknown {
    this.hub.orphans()
    return super.orphaned()
  }
  override raised(): void {
    this.hub.forget(this.main)
  }
  override switching(operation: Operation<any, any>): Operation<any, any> {
    return new SwitchTo(this.main, operation)
  }
}

/** Something that greenlets keep from being done, such as a pool that is waited for to run empty. */
interface Holder {
  holders(): Iterable<unknown>
}

const isHolder = (u: unknown): u is Holder => typeof (u as Partial<Holder> | null)?.holders === "function"

export const isGenerator = (u: unknown): boolean =>
  typeof (u as { next?: unknown } | null)?.next === "function" &&
  typeof (u as { throw?: unknown } | null)?.throw === "function"

/** @internal how an object is named in a report */
export const describe = (u: unknown): string => {
  if (Array.isArray(u)) return `(${u.map(describe).join(", ")})`
  if (typeof u === "function") return `function ${u.name || "(anonymous)"}`
  if (typeof u === "object" && u !== null && u.toString === Object.prototype.toString) {
    return `<${u.constructor?.name ?? "object"}>`
  }
  return String(u)
}

/** @internal what an error is called */
export const nameOf = (error: unknown): string => error instanceof Error ? error.name : typeof error

/** The body of the hub: it runs what is to be run, and does nothing itself but switch and wait. */
class Course extends Routine<never> {
  private readonly hub: Hub
  constructor(hub: Hub) {
    super()
    this.hub = hub
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (mode === THROW) {
      // its thread ends, or somebody ends the hub
      if (value instanceof GreenletExit) throw value
      this.hub.reports(value)
    }
    return this.at(2, this.hub.step())
  }
}

/** Where the hub hands over to. */
let destination: Microthread

class Jump extends Operation<unknown> {
  perform(): Microthread {
    return destination
  }
}

const jump = new Jump()

/** Waits in the main greenlet until nothing is left to wait for. */
class JoinHub extends Operation<boolean> {
  private readonly hub: Hub
  private readonly timeout: number | undefined
  constructor(hub: Hub, timeout: number | undefined) {
    super()
    this.hub = hub
    this.timeout = timeout
  }
  perform(current: Microthread): Microthread {
    const { hub, timeout } = this
    if (current !== hub.thread.main) throw new TypeError("hub.join is only possible from the main greenlet")
    if (hub.dead) return current.give(true)
    const timer = timeout === undefined ? undefined : hub.timer(timeout, { ref: false })
    timer?.start(() => hub.to(current.give(undefined)))
    return new Joining(timer).parks(current, hub, "all that is left")
  }
}

class Joining extends WaitFrame<boolean> {
  private readonly timer: Timer | undefined
  constructor(timer: Timer | undefined) {
    super()
    this.timer = timer
  }
  protected came(): boolean {
    this.timer?.stop()
    return false
  }
  protected failed(error: unknown): boolean {
    this.timer?.stop()
    if (error instanceof LoopExit) return true
    throw error
  }
}

const waiting = (
  current: Microthread,
  hub: Hub,
  awaited: Watcher | Effect.Effect<any, any, any> | PromiseLike<any>
): Microthread => {
  if (Effect.isEffect(awaited) || Predicate.isPromiseLike(awaited)) {
    pushFrame(current, new WaitingOutside(awaited))
    return current
  }
  const watcher = awaited as Watcher
  if (typeof watcher?.start !== "function" || typeof watcher.stop !== "function") {
    throw new TypeError(
      `hub.wait takes an Effect, a promise, or a watcher with start and stop methods; got ${describe(awaited)}`
    )
  }
  return watching(current, hub, watcher, watcher)
}

/** Waits for an Effect or a promise. */
class WaitingOutside extends Routine {
  private readonly awaited: Effect.Effect<any, any, any> | PromiseLike<any>
  constructor(awaited: Effect.Effect<any, any, any> | PromiseLike<any>) {
    super()
    this.awaited = awaited
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    const { awaited } = this
    if (mode === THROW) throw value
    if (this.pc !== BEGIN) return this.ends(value)
    return this.at(2, Effect.isEffect(awaited) ? awaited : Effect.promise(() => awaited as PromiseLike<any>))
  }
}

/** `current` waits for a watcher: who is next. `what` is what a report says is waited for. */
export const watching = (current: Microthread, hub: Hub, watcher: Watcher, what: unknown): Microthread => {
  const wait = new Watching(current, hub, watcher, what)
  watcher.start(() => wait.calls())
  return wait.parks(current, hub, what)
}

class Watching extends WaitFrame<void> {
  private readonly greenlet: Microthread
  private readonly hub: Hub
  private readonly watcher: Watcher
  private readonly what: unknown
  private over = false
  constructor(greenlet: Microthread, hub: Hub, watcher: Watcher, what: unknown) {
    super()
    this.greenlet = greenlet
    this.hub = hub
    this.watcher = watcher
    this.what = what
  }
  /** The watcher calls back, in the hub. */
  calls(): Turn {
    return this.over ? undefined : this.hub.brings(this.greenlet, this.watcher)
  }
  protected came(value: unknown): void {
    this.stop()
    requireOwn(this.what, this.watcher, value)
  }
  protected failed(error: unknown): void {
    this.stop()
    throw error
  }
  private stop(): void {
    this.over = true
    this.watcher.stop()
  }
}

/** Throws `InvalidSwitchError` if a greenlet that waited for `what` got anything else than what that brings. */
export const requireOwn = (what: unknown, brought: unknown, got: unknown): void => {
  if (got !== brought) throw invalidSwitch(what)
}

export const invalidSwitch = (what: unknown): InvalidSwitchError =>
  new InvalidSwitchError(
    `invalid switch into a greenlet that waits for ${describe(what)}: let it be woken by that, or throw an error in it`
  )

// ---- operations -----------------------------------------------------------------------------------------------------

/**
 * An operation of this layer. A greenlet performs it as upstream does. Outside, the first fiber that does stands for the
 * main greenlet; any other, and any that a greenlet forks, has a greenlet of its own perform it: so `Effect.timeout` and
 * `Effect.race` work around all of them, and take them back.
 */
export abstract class HubOperation<out A, out E = never, out R = never> extends Operation<A, E, R> {
  override performOutside(thread: Thread, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A, E, R> {
    if (!(thread.current instanceof KernelGreenlet)) return Effect.die(mixing())
    const byDeputy = this.performByDeputy(thread, fiber)
    return thread.mayStandForMain(fiber) ? thread.standForMain(this, fiber, byDeputy) : byDeputy
  }

  private performByDeputy(thread: Thread, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<A, E, R> {
    return Effect.callback<A, E, R>((resume) => {
      const hub = hubOf(thread)
      const deputy = new Deputy(
        () => Effect.map(Effect.exit(this), resume),
        hub,
        starterOf(fiber)
      )
      const begins = (): Callback => hub.runCallback(() => postponed(deputy, begins) ? undefined : deputy)
      const start = begins()
      return Effect.sync(() => {
        deputy.dismissed = true
        if (start.pending) start.stop()
        else if (deputy.active) hub.runCallback(() => deputy.dead ? undefined : deputy.raise(new GreenletExit()))
      })
    })
  }
}

/** An operation that takes several steps. */
export class Steps<out A, out E = never, out R = never> extends HubOperation<A, E, R> {
  private readonly steps: () => Generator<Effect.Effect<any, any, any>, unknown, any> | Routine
  constructor(steps: () => Generator<Effect.Effect<any, any, any>, A, any> | Routine<A>) {
    super()
    this.steps = steps
  }
  perform(current: Microthread): Microthread {
    requireNoTasklet(current)
    return call(this.steps as Body).perform(current)
  }
}

/** An operation that waits as `waits` says, which names the greenlet to run next, or goes on at once. */
export class Waits<out A, out E = never, out R = never> extends HubOperation<A, E, R> {
  private readonly waits: (current: Microthread) => Microthread
  constructor(waits: (current: Microthread) => Microthread) {
    super()
    this.waits = waits
  }
  perform(current: Microthread): Microthread {
    requireNoTasklet(current)
    return this.waits(current)
  }
}

/** Throws `InvalidThreadUseError` if it is a tasklet that would wait. */
export const requireNoTasklet = (current: Microthread): void => {
  if (!(current instanceof KernelGreenlet)) throw mixing()
}

class Park<A> extends Operation<A> {
  readonly hub: Hub
  readonly what: unknown
  constructor(hub: Hub, what: unknown) {
    super()
    this.hub = hub
    this.what = what
  }
  perform(current: Microthread): Microthread {
    return this.hub.parks(current, this.what)
  }
}

/** In the hub: switches to a greenlet that waits in `park`. */
export class Resume extends Operation<void> {
  readonly greenlet: Microthread
  readonly brought: unknown
  constructor(greenlet: Microthread, brought: unknown) {
    super()
    this.greenlet = greenlet
    this.brought = brought
  }
  perform(current: Microthread): Microthread {
    const { brought, greenlet } = this
    return greenlet.dead ? current.give(undefined) : hubOf(current.thread).goesOn(greenlet, brought)
  }
}

/**
 * Switches to a greenlet that may wait without a frame that could see what it gets: in a `sleep`, or for a foreign
 * Effect. Then that is an invalid switch.
 */
class SwitchTo<out A> extends Operation<A> {
  readonly target: Microthread
  readonly operation: Operation<unknown, any>
  constructor(target: Microthread, operation: Operation<unknown, any>) {
    super()
    this.target = target
    this.operation = operation
  }
  perform(current: Microthread): Microthread {
    const { target } = this
    const next = this.operation.perform(current)
    if (next !== target || target === current) return next
    const wakes = target instanceof Cooperative ? target._wakes : undefined
    if (wakes === undefined && !hubOf(target.thread).hasOutside(target)) return next
    if (wakes instanceof Callback) {
      // `sleep(0)` just ends, as upstream's does
      wakes.stop()
      ;(target as Cooperative)._wakes = undefined
      return target.give(undefined)
    }
    return target.raise(invalidSwitch(target instanceof Cooperative ? target.blockedOn : "a foreign Effect"))
  }
}

/** In the hub: throws in a greenlet, whatever that waits for. */
export const throwing = (greenlet: Microthread, error: unknown): Operation<unknown> => new ThrowInto(greenlet, error)

class ThrowInto extends Operation<unknown> {
  readonly greenlet: Microthread
  readonly error: unknown
  constructor(greenlet: Microthread, error: unknown) {
    super()
    this.greenlet = greenlet
    this.error = error
  }
  perform(current: Microthread): Microthread {
    const { error, greenlet } = this
    // what is thrown in a dead greenlet ends up in its parent
    if (greenlet.dead) throw error
    return hubOf(current.thread).to(greenlet.raise(error))
  }
}

// ---- greenlets of a hub ---------------------------------------------------------------------------------------------

/** What the greenlets of this layer have in common: they switch to the hub when they wait for a foreign Effect. */
export abstract class Cooperative<out A = any, out E = any> extends KernelGreenlet<any, A, E> {
  /** @internal what will resume it out of a wait that has no frame of its own to clean up */
  _wakes: { stop(): void } | undefined = undefined
  /** @internal what it waits for */
  blockedOn: unknown = undefined
  private _locals: Record<string, unknown> | undefined = undefined

  /** How many lines `spawningStack` has at the most. Mirrors `Greenlet.spawning_stack_limit`. */
  static spawningStackLimit = 10

  constructor(run: Body<any, A, E> & NotAsync<A> | undefined, hub: Hub = gethub()) {
    super(run, hub)
    const spawner = this.thread.current
    if (spawner instanceof Cooperative) this._locals = spawner.spawnTreeLocals
    if (config.trackGreenletTree) {
      noteSpawning(this, spawner, (this.constructor as typeof Cooperative).spawningStackLimit)
    }
  }

  /**
   * What the greenlets of one spawn tree share: the object of the greenlet that spawned this one, or a new one. Mirrors
   * `Greenlet.spawn_tree_locals`.
   */
  get spawnTreeLocals(): Record<string, unknown> {
    return this._locals ??= {}
  }

  set spawnTreeLocals(locals: Record<string, unknown>) {
    this._locals = locals
  }

  /**
   * The greenlet that made this one, which it does not keep from being collected; `undefined` then, and if this one was
   * made while `config.trackGreenletTree` was not set. Mirrors `Greenlet.spawning_greenlet`.
   */
  spawningGreenlet(): Microthread | undefined {
    return spawnerOf(this)
  }

  /**
   * The lines that it was made on, the innermost first, to be read by people; none if this one was made while
   * `config.trackGreenletTree` was not set. Mirrors `Greenlet.spawning_stack`.
   */
  get spawningStack(): ReadonlyArray<string> {
    return spawningLinesOf(this)
  }

  /** The hub of its thread. */
  get hub(): Hub {
    return hubOf(this.thread)
  }

  override switch<B = A>(...args: any): Operation<B, E> {
    return new SwitchTo<B>(this, super.switch(...args)) as Operation<B, any>
  }

  override raise(error: unknown): this {
    if (this._wakes !== undefined) {
      this._wakes.stop()
      this._wakes = undefined
    }
    this.hub.forget(this)
    return super.raise(error)
  }

  protected override waits(): Microthread {
    return this.hub.waitsOutside(this)
  }

  protected override expects(something: boolean): void {
    if (something) this.hub.ref()
    else this.hub.unref()
  }

  protected override waited(): void {
    this.hub.isWoken(this)
  }

  protected override interrupted(): unknown {
    return this.hub.interrupts(this)
  }

  protected override givesUp(): unknown {
    return this.interrupted()
  }
}

/**
 * A greenlet without links and without a result to wait for; `spawnRaw` makes one. Mirrors the `greenlet.greenlet` that
 * upstream's `spawn_raw` returns.
 *
 * @category models
 * @since 0.1.0
 */
export class RawGreenlet<out A = any, out E = any> extends Cooperative<A, E> {
  override toString(): string {
    return "<RawGreenlet>"
  }
}

/** Performs an operation for a fiber that is no greenlet. */
class Deputy extends RawGreenlet<void> {
  /** Does nobody wait for that fiber any more? */
  dismissed = false
  readonly starter: Starter | undefined
  constructor(body: () => Effect.Effect<void, never, any>, hub: Hub, starter: Starter | undefined) {
    super(body, hub)
    this.starter = starter
  }
}

/** @internal Is it about to end its wait with an error, so that it takes nothing any more? */
export const isLeaving = (g: Microthread): boolean => g.raising || (g instanceof Deputy && g.dismissed)

/**
 * @internal Acts it for a fiber of a race or a timeout that may have been decided? What it were given would be lost. If it goes
 * on to wait, `again` is called.
 */
export const postponed = (g: Microthread, again: () => void): boolean => {
  if (!(g instanceof Deputy) || g.starter?.doubtful !== true) return false
  g.starter.whenResumed(() => {
    if (!g.dead && !isLeaving(g)) again()
  })
  return true
}

// ---- one a thread ---------------------------------------------------------------------------------------------------

const hubs = new WeakMap<Thread, Hub>()
let last: Hub | undefined

/** @internal the hub of a thread */
export const hubOf = (thread: Thread): Hub => {
  if (last !== undefined && last.thread === thread) return last
  let hub = hubs.get(thread)
  if (hub === undefined) {
    const { keeper } = surroundings
    hub = keeper === undefined ? new Hub(thread) : keeper.outside(() => new Hub(thread))
    hubs.set(thread, hub)
  }
  return last = hub
}

/**
 * The hub of the current thread. Throws `InvalidThreadUseError` in a tasklet. Mirrors `gevent.get_hub`.
 *
 * @category inspection
 * @since 0.1.0
 */
export const gethub = (): Hub => {
  const thread = currentThread()
  if (!(thread.current instanceof KernelGreenlet)) throw mixing()
  return hubOf(thread)
}

/** A hub on a thread of tasklets would take their main over from the scheduler. */
const mixing = (): InvalidThreadUseError =>
  new InvalidThreadUseError(
    "gevent's greenlets and stackless tasklets do not mix on one thread, and this one runs tasklets: use gevent from outside of them, in a fiber on a thread of its own (withThread)"
  )
