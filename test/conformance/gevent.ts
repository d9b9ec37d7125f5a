/**
 * The programs of the gevent layer.
 *
 * Times are in ticks, and so are the times in a trace. When the programs were recorded, every time jittered, and a program
 * was kept if four recordings agreed. So a quarter of them hang on a tie between two timers after all, that came out the
 * same four times: what the original did is then one of several traces that it can give. Hence `attempt`: the first runs
 * on times without jitter, every other one on times that jitter in another way.
 */
"use stackless"
import { Array, Hash, Order } from "effect"
import * as G from "effect-stackless/compat/gevent"
import { AttributeError } from "effect-stackless/greenlet"
import type { ProgramGear, Steps } from "./gear.ts"
import { Machine, type Returned } from "./machine.ts"
import type { Op, Ops, Program, Value } from "./program.ts"
import { AssertionError, type ErrorClass, KeyError, lookup, ZeroDivisionError } from "./python.ts"

/** `g` is the name of a greenlet, `x` of a thing; times are in ticks, `null` is for ever. */
type Ticks = number | null

export type GeventOp =
  | readonly ["timeout", Ticks, Ops<GeventOp>]
  | readonly ["spawn" | "spawn_raw", g: string]
  | readonly ["spawn_later", g: string, number]
  | readonly ["sleep", number]
  | readonly ["idle"]
  | readonly ["start", g: string]
  | readonly ["join" | "get", g: string, Ticks]
  | readonly ["joinall", gs: ReadonlyArray<string>, Ticks]
  | readonly ["wait", gs: ReadonlyArray<string>, Ticks, count: number | null]
  | readonly ["killall", gs: ReadonlyArray<string>]
  | readonly ["kill", g: string, error: string, block: 0 | 1]
  | readonly ["link" | "link_value" | "link_exception" | "inspect", g: string]
  | readonly ["set", x: string, value?: Value]
  | readonly ["set_exception", x: string, error: string]
  | readonly ["clear" | "task_done" | "release" | "locked" | "try_acquire" | "size", x: string]
  | readonly ["take_nowait" | "peek_nowait" | "pool_kill" | "pool_size", x: string]
  | readonly ["wait_for" | "result" | "take" | "queue_join" | "acquire" | "pool_join", x: string, Ticks]
  | readonly ["put", x: string, Value, Ticks]
  | readonly ["put_nowait", x: string, Value]
  | readonly ["pool_spawn", x: string, g: string]

type Thing =
  | G.Event
  | G.AsyncResult
  | G.Queue
  | G.Semaphore
  | G.RLock
  | G.Pool
  | G.Group

const errors = new Map<string, ErrorClass>([
  ["ValueError", G.ValueError],
  ["KeyError", KeyError],
  ["GreenletExit", G.GreenletExit],
  ["ZeroDivisionError", ZeroDivisionError],
  ["RuntimeError", G.RuntimeError],
  ["Timeout", G.Timeout as unknown as ErrorClass],
  ["LoopExit", G.LoopExit as unknown as ErrorClass],
  ["Empty", G.Empty],
  ["Full", G.Full],
  ["PoolFull", G.PoolFull]
])

/** How long a tick is by itself, in seconds. */
export const TICK = 0.02

/** How much a time jitters, in ticks. */
const jitter = 0.07

export class GeventMachine extends Machine<GeventOp> {
  protected readonly errors = errors
  private readonly greenlets = new Map<string, G.Greenlet | G.RawGreenlet>()
  private readonly names = new Map<unknown, string>()
  private readonly things: ReadonlyMap<string, Thing>
  private readonly hub = G.gethub()
  private readonly beginning = this.hub.now()
  private readonly random: () => number
  /** How long a tick is, in seconds. */
  private readonly tick: number

  constructor(program: Program<GeventOp>, gear: ProgramGear, trace: Array<string>, attempt: number, tick = TICK) {
    super(program, gear, trace)
    this.tick = tick
    this.random = attempt === 0 ? () => 0.5 : randomOf(attempt)
    this.names.set(G.getcurrent(), "main").set(this.hub, "hub")
    this.hub.exceptionStream = undefined
    this.things = new Map(Object.entries(program.things ?? {}).map(([name, spec]) => [name, make(spec)]))
  }

  protected me(): string {
    return this.nameOf(G.getcurrent())
  }

  protected override log(text: string): void {
    super.log(`@${Math.round((this.hub.now() - this.beginning) / 1000 / this.tick)} ${text}`)
  }

  protected state(): string {
    return ""
  }

  protected started(): string {
    return ""
  }

  protected ended(): string {
    return ""
  }

  protected override returns(name: string, returned: Returned): unknown {
    return returned === undefined ? name : returned.value
  }

  /** The original does not say that the main program has run. */
  protected override end(): void {}

  protected detach(): void {}

  /** Classes are told apart by name: `Full` does not catch `PoolFull`. */
  protected override catches(name: string, error: unknown): boolean {
    return name === "*" || name === this.errorName(error)
  }

  override *one(op: Op<GeventOp>): Steps<Returned> {
    if (op[0] !== "timeout") return yield* super.one(op)
    const [, ticks, ops] = op as TimeoutOp
    return yield* this.within(ticks, () => this.exec(ops))
  }

  override *within(ticks: Ticks, course: () => Steps<Returned>): Steps<Returned> {
    const timeout = new G.Timeout(this.seconds(ticks), false)
    let inTime = false
    let returned: Returned
    yield* timeout.within(function*(this: GeventMachine): Steps<void> {
      returned = yield* course()
      this.log("in time")
      inTime = true
    }.bind(this))
    if (!inTime) this.log("timed out")
    return returned
  }

  protected *perform(op: GeventOp): Steps<Value> {
    switch (op[0]) {
      case "spawn":
        return this.adopt(op[1], G.spawn(this.body(op[1])))
      case "spawn_later":
        return this.adopt(op[1], G.spawnLater(this.seconds(op[2])!, this.body(op[1])))
      case "spawn_raw":
        return this.adopt(op[1], G.spawnRaw(this.body(op[1])))
      case "sleep":
        return this.value(yield* G.sleep(this.seconds(op[1])!))
      case "idle":
        return this.value(yield* G.idle())
      case "start":
        return this.value(this.greenlet(op[1]).start())
      case "join":
        return this.value(yield* this.greenlet(op[1]).join(this.seconds(op[2])))
      case "joinall":
        return this.sorted(yield* G.joinall(this.all(op[1]), { timeout: this.seconds(op[2]) }))
      case "wait":
        return this.sorted(yield* G.wait(this.all(op[1]), { timeout: this.seconds(op[2]), count: op[3] }))
      case "killall":
        return this.value(yield* G.killall(this.any(op[1])))
      case "get":
        return this.value(yield* this.greenlet(op[1]).get({ timeout: this.seconds(op[2]) }))
      case "kill":
        return this.value(
          yield* this.greenlet(op[1]).kill({ exception: this.error(op[2]), block: Boolean(op[3]) })
        )
      case "link":
        return this.value(this.greenlet(op[1]).link((g) => this.linked("linked", op[1], g)))
      case "link_value":
        return this.value(this.greenlet(op[1]).linkValue((g) => this.linked("linked value", op[1], g)))
      case "link_exception":
        return this.value(this.greenlet(op[1]).linkException((g) => this.linked("linked exception", op[1], g)))
      case "inspect":
        return this.inspected(this.greenlet(op[1]))
      case "set":
        return this.value((this.thing(op[1], G.AsyncResult, G.Event) as G.AsyncResult).set(op[2]))
      case "set_exception":
        return this.value(this.thing(op[1], G.AsyncResult).setException(new (this.error(op[2]))("set")))
      case "clear":
        return this.value(this.thing(op[1], G.Event).clear())
      case "wait_for":
        return this.value(yield* this.thing(op[1], G.AsyncResult, G.Event).wait(this.seconds(op[2])))
      case "result":
        return this.value(yield* this.thing(op[1], G.AsyncResult).get({ timeout: this.seconds(op[2]) }))
      case "put":
        return this.value(yield* this.thing(op[1], G.Queue).put(op[2], { timeout: this.seconds(op[3]) }))
      case "put_nowait":
        return this.value(this.thing(op[1], G.Queue).putNowait(op[2]))
      case "take":
        return this.value(yield* this.thing(op[1], G.Queue).get({ timeout: this.seconds(op[2]) }))
      case "take_nowait":
        return this.value(this.thing(op[1], G.Queue).getNowait())
      case "peek_nowait":
        return this.value(this.thing(op[1], G.Queue).peekNowait())
      case "size": {
        const queue = this.thing(op[1], G.Queue)
        return `${queue.qsize()} empty=${Number(queue.empty())} full=${Number(queue.full())}`
      }
      case "task_done":
        return this.value(this.thing(op[1], G.JoinableQueue).taskDone())
      case "queue_join":
        return this.value(yield* this.thing(op[1], G.JoinableQueue).join(this.seconds(op[2])))
      case "acquire":
        return this.value(yield* this.thing(op[1], G.Semaphore, G.RLock).acquire({ timeout: this.seconds(op[2]) }))
      case "try_acquire":
        return this.value(yield* this.thing(op[1], G.Semaphore, G.RLock).acquire(false))
      case "release":
        return this.thing(op[1], G.Semaphore, G.RLock).release() === undefined ? "none" : "released"
      case "locked":
        // the release of the recordings has no `locked` for an RLock
        return Number(this.thing(op[1], G.Semaphore).locked())
      case "pool_spawn": {
        const group = this.thing(op[1], G.Group, G.Pool)
        const body = this.body(op[2])
        return this.adopt(op[2], group instanceof G.Pool ? yield* group.spawn(body) : group.spawn(body))
      }
      case "pool_join":
        return this.value(yield* this.thing(op[1], G.Group, G.Pool).join({ timeout: this.seconds(op[2]) }))
      case "pool_kill": {
        const group = this.thing(op[1], G.Group, G.Pool)
        this.reorder(group.greenlets)
        return this.value(yield* group.kill())
      }
      case "pool_size":
        return this.thing(op[1], G.Group, G.Pool).length
      default:
        throw new AssertionError(op[0])
    }
  }

  /** A hub waits for timers: it is not pickled. */
  leave(): undefined {}

  arrive(_left: undefined): void {}

  *settle(): Steps<void> {}

  /** A time that jitters; none stays none. */
  private seconds(ticks: Ticks): number | undefined {
    if (ticks === null) return undefined
    return ticks === 0 ? 0 : (ticks + (2 * this.random() - 1) * jitter) * this.tick
  }

  /** Python's sets are in no order, so a group kills its greenlets in any: another one in each attempt. */
  private reorder(greenlets: Set<unknown>): void {
    const ranked = Array.map([...greenlets], (greenlet) => ({ greenlet, rank: this.random() }))
    greenlets.clear()
    for (const { greenlet } of Array.sortWith(ranked, ({ rank }) => rank, Order.Number)) greenlets.add(greenlet)
  }

  private linked(what: string, name: string, greenlet: G.Greenlet): void {
    this.log(`${what} ${name} ${this.resultOf(greenlet)}`)
  }

  private inspected(g: G.Greenlet): string {
    const flags = { ready: g.ready(), ok: g.successful(), started: g.started, dead: g.dead }
    return `${Object.entries(flags).map(([name, on]) => `${name}=${Number(on)}`).join(" ")} ${this.resultOf(g)}`
  }

  private resultOf(greenlet: G.Greenlet): string {
    if (!greenlet.ready()) return "pending"
    if (greenlet.successful()) return `value=${this.value(greenlet.value)}`
    return `exception=${greenlet.exception === undefined ? "NoneType" : this.errorName(greenlet.exception)}`
  }

  private greenlet(name: string): G.Greenlet {
    return requireLinks(lookup(this.greenlets, name))
  }

  private all(names: ReadonlyArray<string>): ReadonlyArray<G.Greenlet> {
    return this.any(names).map(requireLinks)
  }

  /** Raw ones among them. */
  private any(names: ReadonlyArray<string>): ReadonlyArray<G.Greenlet | G.RawGreenlet> {
    return names.map((name) => lookup(this.greenlets, name))
  }

  /** The thing of that name, which has to be one of those classes to have the method. */
  private thing<T extends ReadonlyArray<abstract new(...args: any) => Thing>>(
    name: string,
    ...Classes: T
  ): InstanceType<T[number]> {
    const thing = lookup(this.things, name)
    if (Classes.some((Class) => thing instanceof Class)) return thing as InstanceType<T[number]>
    throw new AttributeError(`${name} has no such method`)
  }

  /** A name stands for the last greenlet made under it; those before keep it too. */
  private adopt(name: string, greenlet: G.Greenlet | G.RawGreenlet): string {
    this.greenlets.set(name, greenlet)
    this.names.set(greenlet, name)
    return name
  }

  private nameOf(greenlet: unknown): string {
    return this.names.get(greenlet) ?? "?"
  }

  private sorted(greenlets: ReadonlyArray<G.Greenlet>): string {
    return `[${Array.sort(greenlets.map((g) => this.nameOf(g)), Order.String).join(",")}]`
  }

  private value(value: unknown): string {
    if (value instanceof G.Greenlet) return `<${this.nameOf(value)}>`
    if (value === undefined || value === null) return "none"
    if (value instanceof Error) return this.errorName(value)
    return String(value)
  }
}

const requireLinks = (greenlet: G.Greenlet | G.RawGreenlet): G.Greenlet => {
  if (greenlet instanceof G.Greenlet) return greenlet
  throw new AttributeError("a raw greenlet has none of this")
}

type TimeoutOp = Extract<GeventOp, readonly ["timeout", ...ReadonlyArray<unknown>]>

const make = ([kind, ...args]: readonly [string, ...ReadonlyArray<number>]): Thing => {
  const Class = lookup(kinds, kind)
  return new Class(...args)
}

const kinds = new Map<string, new(...args: ReadonlyArray<any>) => Thing>([
  ["Event", G.Event],
  ["AsyncResult", G.AsyncResult],
  ["Queue", G.Queue],
  ["LifoQueue", G.LifoQueue],
  ["PriorityQueue", G.PriorityQueue],
  ["JoinableQueue", G.JoinableQueue],
  ["Semaphore", G.Semaphore],
  ["BoundedSemaphore", G.BoundedSemaphore],
  ["RLock", G.RLock],
  ["Pool", G.Pool],
  ["Group", G.Group]
])

/** Random numbers from 0 to 1, the same ones for the same attempt: mulberry32. */
const randomOf = (attempt: number): () => number => {
  let state = Hash.number(attempt)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** A program that shows that the thread it runs on works. */
export const geventProbe: Program<GeventOp> = {
  name: "probe",
  things: { e: ["Event"] },
  bodies: { g1: [["wait_for", "e", null]] },
  main: [["spawn", "g1"], ["sleep", 1], ["set", "e"], ["get", "g1", null]],
  trace: [
    "main @0 spawn g1",
    "main @0 spawn g1 -> g1",
    "main @0 sleep 1",
    "g1 @0 start",
    "g1 @0 wait_for e null",
    "main @1 sleep 1 -> none",
    "main @1 set e",
    "main @1 set e -> none",
    "main @1 get g1 null",
    "g1 @1 wait_for e null -> true",
    "g1 @1 ends",
    "main @1 get g1 null -> g1"
  ]
}
