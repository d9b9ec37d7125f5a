/** A program made of random steps, after each of which it checks that the scheduler is in order. */
import { Deferred, Effect, Fiber } from "effect"
import {
  call,
  type Channel,
  channel,
  getcurrent,
  getmain,
  getruncount,
  run,
  schedule,
  scheduleRemove,
  select,
  setChannelCallback,
  setScheduleCallback,
  sleep,
  switchTrap,
  Tasklet
} from "effect-stackless/stackless"
import { expect } from "vitest"
import { check } from "./invariants.ts"
import type { Steps } from "./program.ts"

/** What a tasklet may do that always has the same effect. */
export const timelessSteps = [
  "schedule",
  "scheduleRemove",
  "send",
  "send",
  "receive",
  "receive",
  "sendThrow",
  "next",
  "close",
  "open",
  "preference",
  "scheduleAll",
  "spawn",
  "spawn",
  "insert",
  "remove",
  "run",
  "switch",
  "kill",
  "killPending",
  "throw",
  "throwPending",
  "blockTrap",
  "switchTrap",
  "nestedRun",
  "select",
  "selectDefault",
  "join",
  "bind",
  "setAtomic",
  "return",
  "fail"
] as const

/** What tasklets may do, and have others do to them, whose order a clock has a part in, or which attaches something. */
export const steps = [
  ...timelessSteps,
  "watchdog",
  "callbacks",
  "throwingCallbacks",
  "meddlingCallbacks",
  "sleep",
  "foreign",
  "timeout",
  "callInTime",
  "many",
  "outsider",
  "wakeOutsider",
  "interrupt",
  "interruptMain"
] as const

export type Step = readonly [what: typeof steps[number], a: number, b: number]

interface HasFiber {
  readonly _fiber: { readonly fiber: Fiber.Fiber<unknown, unknown> | undefined } | undefined
}

/** Interrupts its fiber, which it has if it has run an Effect. */
const interrupt = (t: Tasklet): void => (t as unknown as HasFiber)._fiber?.fiber?.interruptUnsafe()

class Oops extends Error {}

/** Nothing that is set of a channel. */
const UNKNOWN = 1 << 10

/** Every tasklet runs the list of steps from a place of its own. */
export class Program {
  readonly channels: ReadonlyArray<Channel<number>>
  readonly tasklets: Array<Tasklet> = []
  /** What was done and what came of it: by who is current and how many are runnable, too. */
  readonly trace: Array<string> = []
  private left = 120
  private meddled = 0
  private mainsFiber: Fiber.Fiber<unknown, unknown> | undefined
  private readonly outsiders: Array<Fiber.Fiber<unknown, unknown>> = []
  private readonly steps: ReadonlyArray<Step>
  private readonly checks: boolean

  /**
   * @param options `checks` whether the scheduler is in order after each step; `general` has each rendezvous go the general
   * way, which the short ways have to agree with
   */
  constructor(
    steps: ReadonlyArray<Step>,
    { checks = false, general = false }: { readonly checks?: boolean; readonly general?: boolean }
  ) {
    this.steps = steps
    this.checks = checks
    this.channels = [channel<number>(), channel<number>(), channel<number>({ capacity: 2 })]
    // a channel of which anything is set that they do not know is none for the short ways
    if (general) { for (const c of this.channels) c.mode |= UNKNOWN }
  }

  check(): void {
    if (this.checks) check(this.channels, this.tasklets)
  }

  body = (from: number): Steps<number> => this.work(from)

  private *work(from: number): Steps<number> {
    for (let i = 0; i < this.steps.length && this.left-- > 0; i++) {
      const [what, a, b] = this.steps[(from + i) % this.steps.length]!
      this.check()
      if (what === "return") return from
      if (what === "fail") throw new Oops("fail")
      this.note(from, what)
      try {
        this.note(from, "gave", yield* this.perform(what, a, b))
      } catch (error) {
        this.note(from, "threw", error)
        this.check()
        if (b === 0) throw error
      }
      this.check()
    }
    return -1
  }

  private note(who: number, what: string, value?: unknown): void {
    const balances = this.channels.map(({ balance }) => balance).join(" ")
    const current = this.tasklets.indexOf(getcurrent())
    this.trace.push(`${who} ${what} ${String(value)}; ${current} of ${getruncount()} runs; ${balances}`)
  }

  private *perform(what: typeof steps[number], a: number, b: number): Steps<unknown> {
    const c = this.channels[a % this.channels.length]!
    const t = this.tasklets[a % Math.max(1, this.tasklets.length)] ?? getcurrent()
    switch (what) {
      case "schedule":
        return void (yield* schedule())
      case "scheduleRemove":
        return void (yield* scheduleRemove())
      case "send":
        return yield* c.send(b)
      case "receive":
        return yield* c.receive()
      case "sendThrow":
        return yield* c.sendThrow(new Oops("sent"))
      case "next":
        return void (yield* c.next())
      case "close":
        return c.close()
      case "open":
        return c.open()
      case "preference":
        c.preference = b - 1
        return
      case "scheduleAll":
        c.scheduleAll = b === 0
        return
      case "spawn":
        if (this.tasklets.length < 12) this.tasklets.push(new Tasklet(this.body).setup(a + b))
        return
      case "insert":
        return void t.insert()
      case "remove":
        return void t.remove()
      case "run":
        return yield* t.run()
      case "switch":
        return yield* t.switch()
      case "kill":
        return yield* t.kill()
      case "killPending":
        return yield* t.kill({ pending: true })
      case "throw":
        return yield* t.throw(new Oops("thrown"))
      case "throwPending":
        return yield* t.throw(new Oops("thrown"), { pending: true })
      case "blockTrap":
        getcurrent().blockTrap = b === 0
        return
      case "switchTrap":
        return void switchTrap(b === 0 ? 1 : -switchTrap())
      case "nestedRun":
        return void (yield* run())
      case "watchdog":
        return void (yield* run({ timeout: 1 + a, soft: b === 0, totaltimeout: b === 1, ignoreNesting: b === 2 }))
      case "callbacks":
        setScheduleCallback(b === 0 ? null : () => {})
        setChannelCallback(b === 0 ? null : () => {})
        return
      case "throwingCallbacks":
        setChannelCallback(() => {
          throw new Oops("callback")
        })
        return
      case "sleep":
        return yield* sleep(0)
      case "foreign":
        return yield* Effect.promise(() => Promise.resolve())
      case "timeout":
        return void (yield* Effect.timeoutOption(c.receive(), 0))
      case "callInTime": {
        const steps = this.work(a)
        return void (yield* Effect.timeoutOption(call(() => steps), b))
      }
      case "select":
        return void (yield* select({ x: this.channels[0]!.receive(), y: this.channels[1]!.send(b) }))
      case "selectDefault":
        return void (yield* select({ x: c.receive() }, { default: 0 }))
      case "join":
        return void (yield* t.join())
      case "bind":
        return void t.bind(this.body, [a])
      case "setAtomic":
        return void getcurrent().setAtomic(b === 0)
      case "many":
        // so many that the event loop has a turn in between
        for (let i = 0; i < 17_000; i++) yield* schedule()
        return
      case "outsider":
        this.fork(Effect.andThen(Effect.repeat(Effect.sleep(0), { times: a }), this.meddling(b, t)))
        return
      case "wakeOutsider": {
        // it runs at once, while the tasklet still does
        const deferred = Deferred.makeUnsafe<void>()
        this.fork(Effect.andThen(Deferred.await(deferred), this.meddling(b, getcurrent(), t)))
        return yield* Deferred.succeed(deferred, undefined)
      }
      case "interrupt":
        return interrupt(t)
      case "interruptMain":
        return void this.mainsFiber?.interruptUnsafe()
      case "meddlingCallbacks":
        setScheduleCallback((from, to) => this.meddle(b, from ?? t, to ?? t))
        setChannelCallback((_, current) => this.meddle(b, current, t))
        return
    }
  }

  readonly main: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    for (let i = 0; i < 3; i++) this.tasklets.push(new Tasklet(this.body).setup(i))
    for (let i = 0; i < 4; i++) {
      this.mainsFiber = yield* Effect.forkChild(i % 2 === 0 ? run() : call(this.body, i))
      // whatever comes of it, it must leave things in order
      yield* Fiber.await(this.mainsFiber)
      expect(getcurrent()).toBe(getmain())
      this.check()
    }
    yield* Effect.orDie(call(() => this.settle()))
  })

  /** What an outsider does to one of some tasklets, or to any other one, or to main. */
  private meddle(how: number, ...among: ReadonlyArray<Tasklet>): void {
    const n = this.meddled++
    if (n > 300) return
    const t = among[n % 3] ?? this.tasklets[n % this.tasklets.length]!
    const c = this.channels[n % this.channels.length]!
    try {
      if (n % 7 === 6) this.mainsFiber?.interruptUnsafe()
      else if (how === 0) interrupt(t)
      else if (how === 1) this.fork(t.kill({ pending: true }))
      else if (how === 2) this.fork(n % 2 === 0 ? c.receive() : c.send(n))
      else if (n % 2 === 0) t.insert()
      else t.remove()
    } catch {
      // it is not possible just now
    }
  }

  private fork(effect: Effect.Effect<unknown, unknown>): void {
    this.outsiders.push(Effect.runFork(effect))
  }

  private meddling(how: number, ...among: ReadonlyArray<Tasklet>): Effect.Effect<void> {
    return Effect.sync(() => this.meddle(how, ...among))
  }

  /** It works: two tasklets exchange a value. */
  private *settle(): Steps<void> {
    setChannelCallback(null)
    setScheduleCallback(null)
    switchTrap(-switchTrap())
    const me = getmain()
    me.blockTrap = false
    me.setAtomic(false)
    this.left = 0
    for (const outsider of this.outsiders) outsider.interruptUnsafe()
    try {
      yield* schedule()
    } catch {
      // one of them has killed main, which is told of it now
    }
    for (const t of this.tasklets) {
      t.blockTrap = false
      for (let tries = 0; t.alive && tries < 10 && !t.isMain; tries++) {
        try {
          yield* t.kill()
        } catch {
          // an error of its own
        }
        this.check()
      }
    }
    for (let tries = 0; tries < 20 && getruncount() > 1; tries++) {
      try {
        yield* run()
      } catch {
        // an error of its own
      }
    }
    this.check()
    const c = channel<string>()
    let got: string | undefined
    new Tasklet(function*() {
      got = yield* c.receive()
    }).setup()
    new Tasklet(function*() {
      yield* c.send("works")
    }).setup()
    yield* run()
    expect(got).toBe("works")
    if (this.checks) check([...this.channels, c], this.tasklets)
    expect(getruncount()).toBe(1)
  }
}
