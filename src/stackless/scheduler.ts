/**
 * The scheduler of a thread: the ring of runnables, who is next, what happens when nobody is.
 *
 * Carries `scheduling.c` and the ring of `taskletobject.c` of Stackless 3.7.5, whose order is what programs rely on. The
 * current tasklet is in the ring, at its head; `insert` appends at its end, which is just before the head. Where it
 * differs: a tasklet that waits for a foreign Effect leaves the ring, and while one does, a ring that runs empty is no
 * deadlock: the scheduler idles (see `Idle`) instead of reviving main.
 */
import {
  type Body,
  type DataFrame,
  developing,
  type Displaced,
  type Frame,
  ledOutOf,
  MainPolicy,
  type Microthread,
  type Policy,
  policyOf,
  rested,
  strayed,
  type Thread
} from "../greenlet/index.ts"
import { DeadlockError, RuntimeError, type Waiting } from "./errors.ts"
import { Idle } from "./idle.ts"
import { Waits } from "./leftover.ts"
import type { Meter } from "./meter.ts"
import { named } from "./names.ts"
import type { Channel, Observer, Tasklet } from "./ports.ts"
import { Ring } from "./ring.ts"
import { schedulerOf } from "./schedulers.ts"
import { TaskletState } from "./tasklet-state.ts"
import { register } from "./threads.ts"
import type { Timekeeper } from "./watch.ts"

/**
 * Told of every switch, before it happens: who leaves, and is the current one still, and who comes. It may insert
 * tasklets, take them out of the ring, or throw into them, pending. It must not switch: that throws `RuntimeError`. An
 * error that it throws is printed and ignored, as upstream does.
 *
 * @category models
 * @since 0.1.0
 */
export type ScheduleCallback = (prev: Tasklet | undefined, next: Tasklet | undefined) => void

export class Scheduler extends Ring {
  /** The program outside, as a tasklet. */
  readonly main: Tasklet
  /** The tasklet that is about to hand over, while the schedule callback is told: for the callback it still runs. */
  private leaving: Tasklet | undefined = undefined
  /** The tasklets inside `run`, the innermost last: who is revived when the ring runs empty. */
  readonly watchdogs: Array<Tasklet> = []
  /** How many tasklets wait for a foreign Effect, alone or while it goes on with something else that it waits for. */
  outside = 0
  /** The tasklet in `run` that waits for other threads when nobody is runnable. */
  threadblock: Tasklet | undefined = undefined
  /** What the current tasklet would have run, if it runs the frames of another one, and has not switched yet. */
  private kept: Displaced | undefined = undefined
  /** What another thread has thrown into the tasklet that runs, see `throwNext`. */
  private thrown: { readonly tasklet: Tasklet; readonly error: unknown } | undefined = undefined
  private readonly idle: Idle
  private trap = 0
  private timer: Timekeeper | undefined = undefined
  private counter: Meter | undefined = undefined
  private blocked: Waits | undefined = undefined
  private lock = false
  private chooser: Choose | undefined = undefined
  /** Was who looks on told that it idles? */
  private idled = false
  /**
   * Has a switch to be looked at: is one forbidden, or somebody told of it, or of what happens on channels? Asked at every
   * switch, so it is kept: asking after each takes a tenth of `schedule`.
   */
  watched = false

  constructor(thread: Thread, main: Tasklet) {
    super(thread)
    register(thread)
    this.main = main
    this.idle = new Idle(this)
    this.insert(this.main)
    if (developing.on) this.blocked = new Waits(developing)
    this.attend()
    thread.govern(new ProgramOutside(this))
  }

  protected override revived(): void {
    this.idle.wake()
  }

  // ---- what is looked at at every switch --------------------------------------------------------------------------

  /** While it is not 0, no switch takes place. */
  get switchTrap(): number {
    return this.trap
  }

  set switchTrap(level: number) {
    this.trap = level
    this.attend()
  }

  /** The watchdog of the outermost `run` with a timeout, or its slices. */
  get watch(): Timekeeper | undefined {
    return this.timer
  }

  set watch(watch: Timekeeper | undefined) {
    this.timer = watch
    this.attend()
  }

  /** Counts switches for the metrics. */
  get meter(): Meter | undefined {
    return this.counter
  }

  set meter(meter: Meter | undefined) {
    this.counter = meter
    this.attend()
  }

  /** Since when those are blocked who have blocked: for who wants to know who is left over. */
  get blockings(): Waits | undefined {
    return this.blocked
  }

  set blockings(blockings: Waits | undefined) {
    this.blocked = blockings
    this.attend()
  }

  /** Says at each step who runs, in place of the ring's order: see choice.ts. */
  get choose(): Choose | undefined {
    return this.chooser
  }

  set choose(choose: Choose | undefined) {
    this.chooser = choose
    this.attend()
  }

  /** While a callback runs, nothing may be scheduled. */
  get locked(): boolean {
    return this.lock
  }

  set locked(locked: boolean) {
    this.lock = locked
    // who sets it is told of something, so that it is watched anyway, unless a callback has taken itself away
    if (!locked && callbacks.channel === undefined && callbacks.schedule === undefined) this.attend()
  }

  /** Something that has to be looked at has changed. */
  attend(): void {
    this.watched = this.trap !== 0 || this.kept !== undefined || this.thrown !== undefined ||
      this.timer !== undefined || this.counter !== undefined || this.blocked !== undefined ||
      this.chooser !== undefined || this.lock ||
      callbacks.schedule !== undefined || callbacks.channel !== undefined || callbacks.observer !== undefined
  }

  /** Keeps what the current tasklet would have run up to its next switch. Gives back what was kept before. */
  keep(displaced: Displaced | undefined): Displaced | undefined {
    const { kept } = this
    this.kept = displaced
    this.attend()
    return kept
  }

  /** Does what the current tasklet does fail, or may it not switch? */
  get forbidding(): boolean {
    return this.trap !== 0 || this.lock || this.thrown !== undefined
  }

  /**
   * Another thread throws into the tasklet that runs. Its frames are on the JavaScript stack, and what its inbox brings would be
   * taken for the outcome of what it does next: so that, or its next wait, throws the error.
   */
  throwNext(tasklet: Tasklet, error: unknown): void {
    this.thrown = { tasklet, error }
    this.attend()
  }

  private throwInto(t: Tasklet): void {
    const { thrown } = this
    if (thrown === undefined || (thrown.tasklet !== t && thrown.tasklet.alive)) return
    this.thrown = undefined
    this.attend()
    if (thrown.tasklet === t) throw thrown.error
  }

  // ---- switching --------------------------------------------------------------------------------------------------

  /** The tasklet that runs, as everybody may see; none while idle. */
  get running(): Tasklet | undefined {
    const { current, ending } = this.thread
    if (ending && current instanceof TaskletState) return current._tasklet
    return this.leaving ?? this.head
  }

  /** The tasklet that performs an operation. */
  current(performer: Microthread): Tasklet {
    const { head } = this
    if (head !== undefined && (head === performer || (head === this.main && performer === this.thread.main))) {
      this.throwInto(head)
      return head
    }
    if (this.thread.ending && performer instanceof TaskletState) {
      throw new RuntimeError("the thread of this tasklet is ending: it cannot switch any more")
    }
    throw new RuntimeError(
      "only a tasklet can do this: what runs is a greenlet that the scheduler does not know"
    )
  }

  /** Hands control to a tasklet of this thread, which is at the head from now on. */
  to(t: Tasklet): Microthread {
    this.head = t
    return t === this.main ? this.toMain() : t
  }

  /**
   * Hands control from `prev` to `next`, which is brought into the ring if need be; with no `next`, to whoever has to
   * be woken. Throws, with everything as before, if a switch is not possible. `bound` says that a channel's preference
   * asks for it. Mirrors `slp_schedule_task`.
   */
  switch(prev: Tasklet, next: Tasklet | undefined, bound = false): Microthread {
    if (next === undefined) return this.block(prev)
    if (next.thread !== this.thread) return this.switchInterthread(prev, next)
    if (prev !== next) this.requireSwitch(next)
    if (next._right === undefined || next.blocked) {
      next._unblock()
      this.insert(next)
    }
    return this.pass(prev, next, bound)
  }

  /** The same where it is known to be possible, and `next` to be in the ring of this thread. */
  pass(prev: Tasklet, next: Tasklet, bound: boolean): Microthread {
    return this.to(this.watched ? this.tell(prev, next, bound) : next)
  }

  /** Throws if no switch to `next` is possible. */
  requireSwitch(next: Tasklet): void {
    if (next.thread !== this.thread) return
    if (this.switchTrap !== 0) throw new RuntimeError("switch_trap: switching is forbidden until switchTrap(-1)")
    if (this.locked) throw new RuntimeError("a callback must not switch tasklets")
  }

  /** The current tasklet has used up its time: who goes on, if not that. */
  preempted(t: Tasklet): Microthread | undefined {
    const { choose, watch } = this
    // it runs another one's frames up to its next switch, and an interrupt is none of its own
    if (this.kept !== undefined) {
      this.thread.allow(1)
      return undefined
    }
    if (choose !== undefined) return this.chosen(t, choose)
    const next = watch?.preempted(t)
    if (next === undefined) return undefined
    if (t === this.main) this.keepOfMain()
    return this.switch(t, next)
  }

  /** Who runs, as somebody says who is asked at each step. */
  private chosen(t: Tasklet, choose: Choose): Microthread | undefined {
    const next = t.isCurrent && !t.atomic && !this.forbidding ? chosenBy(choose, t, true) : t
    if (next === t) {
      this.thread.allow(1)
      return undefined
    }
    if (t === this.main) this.keepOfMain()
    return this.to(this.told(t, next))
  }

  /** Main is stopped, and keeps what it would have gone on with until its turn comes. */
  private keepOfMain(): void {
    const { main } = this
    const outside = this.thread.main
    if (outside.raising) main.raise(outside["~inbox"])
    else main.give(outside["~inbox"])
  }

  /** Tells all who watch of a switch; who runs in the end. */
  tell(prev: Tasklet, next: Tasklet, bound: boolean): Tasklet {
    if (this.watch !== undefined) next = this.watch.switching(prev, next, bound)
    const { choose } = this
    if (choose !== undefined && prev !== next && !this.lock) {
      try {
        next = chosenBy(choose, next, false)
      } catch (error) {
        // what `prev` does has been done
        next.raise(error)
      }
    }
    return this.told(prev, next)
  }

  private told(prev: Tasklet, next: Tasklet): Tasklet {
    if (this.choose !== undefined) this.thread.allow(1)
    if (prev !== next) {
      if (this.kept !== undefined) this.keep(undefined)?.discard()
      this.meter?.count(prev)
      this.blockings?.left(prev)
      if (callbacks.schedule !== undefined) this.notify(prev, next)
    }
    if (callbacks.observer !== undefined) this.show(prev, next)
    return next
  }

  /** Who looks on is told. While the thread idles, nobody runs. */
  private show(prev: Tasklet, next: Tasklet | undefined): void {
    const from = this.idled ? undefined : prev
    this.idled = next === undefined
    if (from !== next) callbacks.observer!.switched(from, next)
  }

  /** `next` belongs to another thread: it is made runnable there, and `prev` goes on. */
  private switchInterthread(prev: Tasklet, next: Tasklet): Microthread {
    const going = this.switch(prev, prev)
    next._unblock()
    if (next._right === undefined) schedulerOf(next.thread).insert(next)
    return going
  }

  /** `prev` leaves and nobody is runnable. Mirrors `schedule_task_block`. */
  private block(prev: Tasklet): Microthread {
    const wakeup = this.watchdog
    if (this.outside > 0 || (this.threadblock !== undefined && wakeup._right === undefined)) return this.idles(prev)
    if (wakeup._right === undefined) {
      // it is in `run`, or has just left the ring itself: it is revived, and passed nothing but an error
      if (prev !== wakeup && prev.raising) wakeup.raise(prev["~inbox"])
      return this.switch(prev, wakeup)
    }
    return this.thread.mayWait ? this.idles(prev, true) : this.deadlocked(prev)
  }

  /**
   * Nobody is left who could serve `prev`, which has blocked, left the ring or ended last, or main, if that is blocked: one of
   * them is told.
   */
  deadlocked(prev: Tasklet): Microthread {
    callbacks.observer?.deadlocked(this.waiting(prev))
    if (prev.thread === this.thread && prev.active) {
      // upstream takes the value of the one to be woken here, and so loses what main was blocked sending
      prev.raise(new DeadlockError("Deadlock: the last runnable tasklet cannot be blocked.", this.waiting(prev)))
      return this.switch(prev, prev)
    }
    const { watchdog } = this
    watchdog.raise(
      new DeadlockError(
        watchdog._channel!.balance < 0
          ? "the main tasklet is receiving without a sender available."
          : "the main tasklet is sending without a receiver available.",
        this.waiting(watchdog)
      )
    )
    return this.ends(prev, watchdog)
  }

  /** Is nobody left to run, and does who would be woken then wait on a channel itself? */
  get stuck(): boolean {
    return this.head === undefined && this.outside === 0 && this.watchdog._channel !== undefined
  }

  /** Does it wait for another thread? */
  get atRest(): boolean {
    return this.head === undefined && this.outside === 0
  }

  /**
   * `t` has ended, with an error or without: who is next. Mirrors `slp_tasklet_end`. The end of a tasklet is a switch
   * that nothing can forbid: upstream aborts when a trap is set or a callback runs.
   */
  end(t: Tasklet, failed: boolean, error: unknown): Microthread {
    if (failed && policyOf(t).isExit(error)) failed = false
    if (failed) ledOutOf(error, named("tasklet", t))
    if (failed && callbacks.error !== undefined) {
      try {
        callbacks.error(error, t)
        failed = false
      } catch (another) {
        error = another
      }
    }
    this.remove(t)
    // its frames were lost to another tasklet that switched to itself, and with them the end of its `run`
    for (let i = this.watchdogs.lastIndexOf(t); i >= 0; i = this.watchdogs.lastIndexOf(t)) {
      this.watchdogs.splice(i, 1)
      this.leftRun(t)
    }
    let next = this.head
    if (next === undefined) {
      if (this.outside > 0 && !failed) return this.idles(t)
      next = this.watchdog
      if (next._channel !== undefined && !failed) {
        return this.thread.mayWait ? this.idles(t, true) : this.deadlocked(t)
      }
    }
    if (failed) {
      next = this.watchdog
      strayed(error)
      next.raise(error)
    }
    return this.ends(t, next)
  }

  /** From one that has ended to `next`: no trap forbids it. */
  private ends(t: Tasklet, next: Tasklet): Microthread {
    const { switchTrap } = this
    if (switchTrap === 0) return this.switch(t, next)
    this.switchTrap = 0
    try {
      return this.switch(t, next)
    } finally {
      this.switchTrap = switchTrap
    }
  }

  /** Is `t` inside `run`? */
  runs(t: Tasklet): boolean {
    return this.watchdogs.includes(t)
  }

  /** `t` is inside `run` no more. */
  leftRun(t: Tasklet): void {
    if (this.threadblock === t) this.threadblock = undefined
    if (this.watch?.watchdog === t) this.watch.remove()
    if (this.blockings?.asker === t) this.blockings = undefined
  }

  /** Who is woken when the ring runs empty: the innermost tasklet in `run`, or main. */
  get watchdog(): Tasklet {
    const { watchdogs } = this
    return watchdogs.length === 0 ? this.main : watchdogs[watchdogs.length - 1]!
  }

  // ---- waiting for foreign Effects --------------------------------------------------------------------------------

  /** The current tasklet's fiber suspends: it leaves the ring, and the others go on. */
  waits(t: Tasklet): Microthread {
    this.throwInto(t)
    if (t.blockTrap) throw new RuntimeError("this tasklet does not like to be blocked: it may not wait for an Effect")
    this.remove(t)
    t._waitsOutside = true
    this.outside++
    try {
      return this.switch(t, this.head)
    } catch (error) {
      t._unblock()
      this.restore(t)
      throw error
    }
  }

  /** Its wait is over: it lines up again. */
  ready(t: Tasklet): void {
    if (!t._waitsOutside) return
    t._unblock()
    if (this.watch === undefined) this.insert(t)
    else this.watch.ready(t)
    callbacks.observer?.inserted(t)
  }

  /** @param doubting is it a deadlock, unless somebody outside comes within a turn of the event loop, or another thread runs? */
  private idles(prev: Tasklet, doubting = false): Microthread {
    this.blockings?.left(prev)
    if (callbacks.observer !== undefined) this.show(prev, undefined)
    this.idle.prev = prev
    this.idle.doubting = doubting
    // it may be waiting still, if main was interrupted meanwhile
    if (doubting) this.idle.wake()
    else rested()
    return this.idle
  }

  // ---- main -------------------------------------------------------------------------------------------------------

  /** Hands control to main, which is at the head. */
  toMain(): Microthread {
    const { main } = this
    const outside = this.thread.main
    if (main.raising) outside.raise(main["~inbox"])
    else outside.give(main["~inbox"])
    main.give(undefined)
    return outside
  }

  /** The fiber that stood for main was interrupted: whatever main was in, it is current again. */
  abandoned(): void {
    const { main } = this
    this.watchdogs.length = 0
    this.threadblock = undefined
    this.watch?.remove()
    if (this.blockings?.asker instanceof TaskletState) this.blockings = undefined
    if (main._right === undefined || main.blocked) {
      main._unblock()
      this.insert(main)
    }
    main.give(undefined)
    this.head = main
  }

  /** The thread has ended: those that have not begun leave the ring. */
  orphaned(): void {
    const { main } = this
    while (main._right !== main && main._right !== undefined) this.remove(main._right as Tasklet)
  }

  // ---- what others are told ---------------------------------------------------------------------------------------

  notify(prev: Tasklet | undefined, next: Tasklet): void {
    if (this.locked) throw new RuntimeError("Recursive scheduler call due to callbacks!")
    this.locked = true
    this.leaving = prev
    try {
      callbacks.schedule!(prev, next)
    } catch (error) {
      // oxlint-disable-next-line no-console -- upstream prints it and goes on
      console.error("Error in scheduling callback:", error)
    } finally {
      this.locked = false
      this.leaving = undefined
      // it runs, even if the callback has taken it out of the ring
      if (next._right === undefined) this.insert(next)
    }
  }

  /** Who waits on what: `t`, who is to be woken, and all who stand in the same queues. */
  private waiting(t: Tasklet): ReadonlyArray<Waiting> {
    const found = new Set<Tasklet>()
    for (const { _channel: channel } of [t, this.watchdog]) {
      if (channel !== undefined) { for (let w = channel.queue; w !== undefined; w = w.next) found.add(w) }
    }
    return [...found].flatMap((tasklet) => {
      const { _channel: channel } = tasklet
      return channel === undefined ? [] : channel.waitingOf(tasklet)
    })
  }
}

type Self = Scheduler

declare module "./ports.ts" {
  interface Scheduler extends Self {}
}

/** The program outside, which the main greenlet is: its tasklet answers for it. */
class ProgramOutside extends MainPolicy {
  private readonly scheduler: Scheduler
  constructor(scheduler: Scheduler) {
    super(scheduler.thread.main)
    this.scheduler = scheduler
  }
  private get tasklet(): Policy {
    return policyOf(this.scheduler.main)
  }
  override get raising(): boolean {
    return this.scheduler.main.raising || super.raising
  }
  override waits(): Microthread {
    return this.tasklet.waits()
  }
  override expects(something: boolean): void {
    this.tasklet.expects(something)
  }
  override waited(): void {
    this.tasklet.waited()
  }
  override interrupted(): unknown {
    return this.tasklet.interrupted()
  }
  override isExit(error: unknown): boolean {
    return this.tasklet.isExit(error)
  }
  override givesUp(): unknown {
    return this.tasklet.interrupted()
  }
  override reclaims(): void {
    this.tasklet.reclaims()
  }
  override abandoned(): void {
    this.scheduler.abandoned()
  }
  override preempted(): Microthread {
    return this.scheduler.preempted(this.scheduler.main) ?? super.preempted()
  }
  override orphaned(): void {
    this.scheduler.orphaned()
  }
  override tracedFrame(frame: Frame | DataFrame): Frame | DataFrame {
    return this.tasklet.tracedFrame(frame)
  }
  override tracedBody(body: Body): Body {
    return this.tasklet.tracedBody(body)
  }
}

/**
 * Says who runs next: `next`, or another one of those that are runnable, which are given in the order of the ring, `next` first.
 * Asked at each switch, which names `next`; and, `stopping` what runs, before it goes on from one operation to another, and
 * at the turn of a loop in compiled code. It must not act on tasklets or channels.
 *
 * @category models
 * @since 0.1.0
 */
export type Choose = (next: Tasklet, runnable: ReadonlyArray<Tasklet>, stopping: boolean) => Tasklet

/** Whom `choose` gives, of `next` and all that are runnable with it. */
const chosenBy = (choose: Choose, next: Tasklet, stopping: boolean): Tasklet => {
  const ring = [next]
  for (let t = next._right as Tasklet; t !== next; t = t._right as Tasklet) ring.push(t)
  const chosen = choose(next, ring, stopping)
  if (!ring.includes(chosen)) {
    throw new RuntimeError(`who chooses gives one of those that are runnable; got ${String(chosen)}`)
  }
  return chosen
}

// ---- what others are told of ----------------------------------------------------------------------------------------

/**
 * Told of an error that a tasklet did not catch, and of the tasklet, which is the current one still.
 *
 * @category models
 * @since 0.1.0
 */
export type ErrorHandler = (error: unknown, tasklet: Tasklet) => void

/**
 * Told of every action on a channel, before it happens: who acts, whether it sends, and whether it will block. It must
 * not act on channels itself: that throws `RuntimeError`. An error that it throws is thrown in whoever acts.
 *
 * @category models
 * @since 0.1.0
 */
export type ChannelCallback = (
  channel: Channel,
  tasklet: Tasklet,
  sending: boolean,
  willblock: boolean
) => void

/** Who is told: one of each kind for all threads, as upstream has one an interpreter. */
export const callbacks: {
  schedule: ScheduleCallback | undefined
  channel: ChannelCallback | undefined
  error: ErrorHandler | undefined
  observer: Observer | undefined
} = { schedule: undefined, channel: undefined, error: undefined, observer: undefined }
