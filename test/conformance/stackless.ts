/** The programs of the stackless layer. */
"use stackless"
import * as S from "effect-stackless/stackless"
import type { ProgramGear, Steps } from "./gear.ts"
import { Machine } from "./machine.ts"
import type { Program, Value } from "./program.ts"
import { AssertionError, type ErrorClass, KeyError, lookup, sorted, str, ZeroDivisionError } from "./python.ts"

/** `t` is the name of a tasklet, `c` of a channel. */
export type StacklessOp =
  | readonly ["spawn", t: string, ...args: ReadonlyArray<Value>]
  | readonly ["bind", t: string, ...args: ReadonlyArray<Value>]
  | readonly ["schedule"]
  | readonly ["schedule_remove"]
  | readonly ["schedule_value", Value]
  | readonly ["send", c: string, Value]
  | readonly ["receive", c: string]
  | readonly ["send_exception", c: string, error: string, ...args: ReadonlyArray<string>]
  | readonly ["send_throw", c: string, error: string, ...args: ReadonlyArray<string>]
  | readonly ["send_sequence", c: string, ReadonlyArray<Value>]
  | readonly ["iterate", c: string]
  | readonly ["close", c: string]
  | readonly ["open", c: string]
  | readonly ["preference", c: string, -1 | 0 | 1]
  | readonly ["schedule_all", c: string, 0 | 1]
  | readonly ["kill", t: string, pending: 0 | 1]
  | readonly ["throw", t: string, error: string, pending: 0 | 1]
  | readonly ["raise_exception", t: string, error: string]
  | readonly ["insert", t: string]
  | readonly ["remove", t: string]
  | readonly ["run_tasklet", t: string]
  | readonly ["switch", t: string]
  | readonly ["run"]
  | readonly ["block_trap", t: string, 0 | 1]
  | readonly ["my_block_trap", 0 | 1]
  | readonly ["switch_trap", change: number]
  | readonly ["set_atomic", 0 | 1]
  | readonly ["callbacks", on: 0 | 1]

export const errors = new Map<string, ErrorClass>([
  ["ValueError", S.ValueError],
  ["KeyError", KeyError],
  ["RuntimeError", S.RuntimeError],
  ["StopIteration", S.StopIteration],
  ["TaskletExit", S.TaskletExit],
  ["ZeroDivisionError", ZeroDivisionError]
])

/** No ring and no queue of a program is longer. */
const longest = 50

type Channel = S.Channel<unknown>

export class StacklessMachine extends Machine<StacklessOp> {
  protected readonly errors = errors

  /** The original has no class of its own for a deadlock. */
  protected override errorName(error: unknown): string {
    return error instanceof S.DeadlockError ? "RuntimeError" : super.errorName(error)
  }

  private readonly channels: ReadonlyMap<string, Channel>
  private readonly tasklets = new Map<string, S.Tasklet>()
  private readonly names = new Map<S.Tasklet, string>()

  /** In the gear preempted: after how many steps a tasklet is interrupted. */
  private readonly fuel: number | undefined
  /** The tasklets that some op names, to make them run, perhaps. */
  private readonly touched = new Set<string>()
  /** Who is in the middle of `run`: first the one with the timeout, then those whose calls are within it. */
  private readonly running: Array<S.Tasklet> = []
  /** Of those, the ones whose call was ended by an interrupt: they call it again. */
  private readonly again = new Set<S.Tasklet>()
  /** Of those, the ones that somebody has made runnable. */
  private readonly woken = new Set<S.Tasklet>()
  /** A tasklet is about to go on that was interrupted: so many switches nobody is told of. */
  private resuming = 0

  constructor(program: Program<StacklessOp>, gear: ProgramGear, trace: Array<string>, fuel = 1) {
    super(program, gear, trace)
    this.fuel = gear === "preempted" ? fuel : undefined
    const touching = /\["(?:insert|kill|raise_exception|remove|run_tasklet|switch|throw)","(\w+)"/g
    for (const [, name] of JSON.stringify(program).matchAll(touching)) this.touched.add(name!)
    this.channels = new Map(program.channels?.map((name) => [name, S.channel<unknown>()]))
    this.names.set(S.getcurrent(), "main")
  }

  protected me(): string {
    return this.nameOf(S.getcurrent())
  }

  /** The run count, the ring from the current tasklet on, each tasklet's flags, and each channel with its queue. */
  protected state(): string {
    return [
      `run=${S.getruncount()}`,
      `ring=${this.ring().join(",")}`,
      ...sorted(this.tasklets).map(([name, tasklet]) => `${name}=${flags(tasklet)}`),
      ...sorted(this.channels).map(([name, channel]) =>
        `${name}=${channel.balance}[${this.queue(channel).join(",")}]` +
        `${channel.closing ? "closing" : ""}${channel.closed ? "closed" : ""}`
      )
    ].join(" ")
  }

  protected started(args: ReadonlyArray<unknown>): string {
    return args.length === 0 ? "" : ` ${args.map(str).join(",")}`
  }

  protected ended(): string {
    return ""
  }

  private attached = false

  private attach(): void {
    this.attached = true
    S.setChannelCallback((channel, tasklet, sending, blocks) => this.called(channel, tasklet, sending, blocks))
    S.setScheduleCallback((prev, next) => this.scheduled(prev, next))
  }

  protected detach(): void {
    this.attached = false
    S.setChannelCallback(undefined)
    S.setScheduleCallback(undefined)
  }

  protected *perform(op: StacklessOp): Steps<Value> {
    switch (op[0]) {
      case "spawn": {
        const [, name, ...args] = op
        const tasklet = new S.Tasklet(this.body(name))
        this.adopt(name, tasklet)
        tasklet.setup(...args)
        return name
      }
      case "bind": {
        const [, name, ...args] = op
        const tasklet = new S.Tasklet()
        this.adopt(name, tasklet)
        tasklet.bind(this.body(name), args)
        return name
      }
      case "schedule":
        return this.value(yield* S.schedule())
      case "schedule_remove":
        return this.value(yield* S.scheduleRemove())
      case "schedule_value":
        return this.value(yield* S.schedule(op[1]))
      case "send":
        return this.value(yield* this.channel(op[1]).send(op[2]))
      case "receive":
        return this.value(yield* this.channel(op[1]).receive())
      case "send_exception": {
        const [, channel, error, ...args] = op
        return this.value(yield* this.channel(channel).sendException(this.error(error), ...args))
      }
      case "send_throw": {
        const [, channel, error, ...args] = op
        return this.value(yield* this.channel(channel).sendThrow(new (this.error(error))(...args)))
      }
      case "send_sequence":
        return this.value(yield* this.channel(op[1]).sendSequence(op[2]))
      case "iterate":
        return yield* this.iterate(this.channel(op[1]))
      case "close":
        return this.value(this.channel(op[1]).close())
      case "open":
        return this.value(this.channel(op[1]).open())
      case "preference":
        this.channel(op[1]).preference = op[2]
        return this.channel(op[1]).preference
      case "schedule_all":
        this.channel(op[1]).scheduleAll = Boolean(op[2])
        return Number(this.channel(op[1]).scheduleAll)
      case "kill":
        return this.value(yield* this.tasklet(op[1]).kill({ pending: Boolean(op[2]) }))
      case "throw": {
        const error = new (this.error(op[2]))("thrown")
        return this.value(yield* this.tasklet(op[1]).throw(error, { pending: Boolean(op[3]) }))
      }
      case "raise_exception":
        return this.value(yield* this.tasklet(op[1]).raiseException(this.error(op[2]), "raised"))
      case "insert":
        return this.value(this.tasklet(op[1]).insert())
      case "remove":
        return this.value(this.tasklet(op[1]).remove())
      case "run_tasklet":
        return this.value(yield* this.tasklet(op[1]).run())
      case "switch":
        return this.value(yield* this.tasklet(op[1]).switch())
      case "run":
        return this.value(yield* this.runs())
      case "block_trap":
        this.tasklet(op[1]).blockTrap = Boolean(op[2])
        return Number(this.tasklet(op[1]).blockTrap)
      case "my_block_trap":
        S.getcurrent().blockTrap = Boolean(op[1])
        return op[1]
      case "switch_trap":
        return S.switchTrap(op[1])
      case "set_atomic":
        return Number(S.getcurrent().setAtomic(Boolean(op[1])))
      case "callbacks":
        if (op[1]) this.attach()
        else this.detach()
        return op[1] ? "on" : "off"
      default:
        throw new AssertionError(op[0])
    }
  }

  leave() {
    const main = S.getmain()
    return {
      snapshot: S.snapshot(),
      trap: S.switchTrap(0),
      blockTrap: main.blockTrap,
      atomic: main.atomic
    }
  }

  arrive({ atomic, blockTrap, snapshot, trap }: ReturnType<StacklessMachine["leave"]>): void {
    const main = S.getmain()
    main.blockTrap = blockTrap
    main.setAtomic(atomic)
    S.switchTrap(trap)
    if (this.attached) this.attach()
    snapshot.restore()
  }

  /** Takes off the traps, and runs what can still run: the budget of steps is an end to all of it. */
  *settle(): Steps<void> {
    S.getcurrent().setAtomic(false)
    S.getcurrent().blockTrap = false
    S.switchTrap(-S.switchTrap(0))
    for (let left = longest; left > 0 && S.getruncount() > 1; left--) {
      try {
        yield* S.run()
      } catch {
        // a tasklet died of it
      }
      // what ran may have set it again
      S.switchTrap(-S.switchTrap(0))
    }
  }

  /** `for value in channel`: it ends when the channel is closing and nobody sends, or when `StopIteration` arrives. */
  private *iterate(channel: Channel): Steps<number> {
    for (let n = 0;; n++) {
      if (channel.closing && channel.balance <= 0) return n
      let value: unknown
      try {
        value = yield* channel.receive()
      } catch (error) {
        if (error instanceof S.StopIteration) return n
        throw error
      }
      this.log(`next ${this.value(value)}`)
    }
  }

  private called(channel: unknown, tasklet: S.Tasklet, sending: boolean, blocks: boolean): void {
    const [name] = [...this.channels].find(([, known]) => known === channel)!
    this.trace.push(
      `cb channel ${name} ${this.nameOf(tasklet)} ${sending ? "send" : "receive"}${blocks ? " blocks" : ""}`
    )
  }

  private *runs(): Steps<unknown> {
    const current = S.getcurrent()
    if (this.fuel === undefined) return yield* S.run()
    if (this.running.length > 0) return yield* this.runWithin(current)
    // An interrupt switches to who called `run`. If somebody else makes it runnable, it would have gone on later.
    return this.touched.has(this.nameOf(current)) ? yield* S.run() : yield* this.runPreempting(current, this.fuel)
  }

  /**
   * Runs the tasklets. Who is interrupted goes on before anybody else, and no callback is seen to be told of that. An interrupt ends
   * the calls of `run` that are within this one, as upstream; they are made again first.
   */
  private *runPreempting(current: S.Tasklet, timeout: number): Steps<S.Tasklet | undefined> {
    this.running.push(current)
    try {
      for (;;) {
        const interrupted: S.Tasklet | undefined = yield* S.run({ timeout })
        if (interrupted === undefined) return undefined
        const within = this.running.slice(1).filter((t) => t !== interrupted && !this.woken.has(t))
        if (this.attached) {
          if (this.trace.at(-1) === `cb schedule ${this.nameOf(interrupted)} ${this.nameOf(current)}`) this.trace.pop()
          this.resuming = within.length + 1
        }
        const others: Array<S.Tasklet> = []
        for (let t = current.next; t !== undefined && t !== current; t = t.next) others.push(t)
        // one that is dead could not be put back
        const waiting = others.filter(({ alive }) => alive)
        for (const t of waiting) t.remove()
        for (const t of within) {
          this.again.add(t)
          t.insert()
        }
        interrupted.insert()
        for (const t of waiting) if (!within.includes(t)) t.insert()
      }
    } finally {
      this.running.splice(this.running.indexOf(current), 1)
    }
  }

  private *runWithin(current: S.Tasklet): Steps<undefined> {
    this.running.push(current)
    // it must not be interrupted on its way back into the call
    const atomic = current.setAtomic(true)
    try {
      do yield* S.run()
      while (this.again.delete(current))
    } finally {
      current.setAtomic(atomic)
      this.woken.delete(current)
      this.running.splice(this.running.indexOf(current), 1)
    }
  }

  private scheduled(prev: S.Tasklet | undefined, next: S.Tasklet | undefined): void {
    if (this.resuming > 0) {
      this.resuming--
      return
    }
    this.trace.push(`cb schedule ${this.nameOf(prev)} ${this.nameOf(next)}`)
  }

  private ring(): Array<string> {
    const first = S.getcurrent()
    const names = [this.nameOf(first)]
    for (let t = first.next; t && t !== first && names.length < longest; t = t.next) names.push(this.nameOf(t))
    return names
  }

  private queue(channel: Channel): Array<string> {
    const first = channel.queue
    const names: Array<string> = []
    for (let t = first; t && names.length < longest;) {
      names.push(this.nameOf(t))
      t = t.next
      if (t === first) break
    }
    return names
  }

  private tasklet(name: string): S.Tasklet {
    const tasklet = lookup(this.tasklets, name)
    if (this.running.includes(tasklet)) this.woken.add(tasklet)
    return tasklet
  }

  private channel(name: string): Channel {
    return lookup(this.channels, name)
  }

  /** A name stands for the last tasklet made under it; those before keep it too. */
  private adopt(name: string, tasklet: S.Tasklet): void {
    this.tasklets.set(name, tasklet)
    this.names.set(tasklet, name)
  }

  private nameOf(tasklet: S.Tasklet | undefined): string {
    return tasklet ? this.names.get(tasklet) ?? "?" : "-"
  }

  private value(value: unknown): string {
    if (value instanceof S.Tasklet) return `<${this.nameOf(value)}>`
    if (value === undefined || value === null) return "none"
    if (value instanceof Error) return this.errorName(value)
    if (value instanceof S.Channel) return "<channel>"
    return str(value)
  }
}

/** A program that shows that the thread it runs on works. */
export const stacklessProbe: Program<StacklessOp> = {
  name: "probe",
  channels: ["a"],
  bodies: { t1: [["receive", "a"]], t2: [["send", "a", 1]] },
  main: [["spawn", "t1"], ["spawn", "t2"], ["run"]],
  trace: [
    "main spawn t1",
    "main spawn t1 -> t1",
    "main spawn t2",
    "main spawn t2 -> t2",
    "main run",
    "t1 start",
    "t1 receive a",
    "t2 start",
    "t2 send a 1",
    "t1 receive a -> 1",
    "t1 ends",
    "t2 send a 1 -> none",
    "t2 ends",
    "main run -> none",
    "main end run=1 ring=main t1= t2= a=0[]"
  ]
}

const flags = (tasklet: S.Tasklet): string => {
  const set = [
    tasklet.alive && "a",
    tasklet.scheduled && "s",
    tasklet.blocked && "b",
    tasklet.paused && "p",
    tasklet.isCurrent && "c",
    tasklet.isMain && "m",
    tasklet.blockTrap && "t"
  ]
  return set.filter(Boolean).join("")
}
