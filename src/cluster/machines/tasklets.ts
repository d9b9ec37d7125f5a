/**
 * Tasklets by key: each runs on the machine that has the shard of its key, is found from everywhere, and moves with its shard, in the
 * middle of whatever it does.
 *
 * They run on a thread of their own. What moves is a shard with all its tasklets, so that a machine has as many as it has memory for, and
 * the engine knows of none of them.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { dumps, loads, persistent, reduce, restore, UnpicklingError } from "../../pickle/index.ts"
import {
  depart,
  Relay,
  type Tasklet,
  tasklet as makeTasklet,
  TaskletExit,
  Thread,
  whenEnded
} from "../../stackless/index.ts"
import { CodeMismatch, Ended, KeyTaken, MachineUnreachable, NoSuchKey, NotMovable } from "../errors.ts"
import type { RemoteChannel } from "../exchange/remote-channel.ts"
import { servingThread } from "../thread.ts"
import { startMoves } from "./move.ts"
import { Failed, here, type Node } from "./node.ts"

/** What a tasklet by key can run. */
type Body<Args extends ReadonlyArray<any>, A, E> = (...args: Args) => Generator<Effect.Effect<any, E, any>, A, any>

/** How a tasklet has ended, as it goes over links. */
type End =
  | { readonly how: "value"; readonly value: Uint8Array }
  | { readonly how: Ended["how"]; readonly reason: string }

/** Why a machine refuses, as it goes over links. */
type Refusal =
  | { readonly why: "elsewhere" }
  | { readonly why: "no key" }
  | { readonly why: "taken" }
  | { readonly why: "code"; readonly reason: string }

/** A tasklet that this machine has. */
class Kept {
  readonly key: string
  /** Which call of `spawn` has made it. */
  readonly id: string
  readonly tasklet: Tasklet
  /** The keys of those that it is linked with. */
  readonly links: Set<string>
  readonly watchers = new Set<(end: Effect.Effect<End, Refusal>) => void>()
  /** Stops whatever waits for its end. */
  forget: () => void = () => {}
  constructor(key: string, id: string, tasklet: Tasklet, links: Iterable<string>) {
    this.key = key
    this.id = id
    this.tasklet = tasklet
    this.links = new Set(links)
  }
}

interface FrozenTasklet {
  readonly key: string
  readonly id: string
  readonly links: ReadonlyArray<string>
  readonly pickle: Uint8Array
}

/** How long to wait before an owner is looked for again, in milliseconds. */
const PAUSE = 30

/** How long a question must have been open, in milliseconds, not to count as one that failed at once. */
const LONG = 3000

/** How many ends are remembered. */
const REMEMBERED = 10_000

/** How long an owner may take to be found that is needed now, in milliseconds. */
const PATIENCE = 15_000

export class Tasklets {
  private readonly node: Node
  private readonly thread: Thread
  private readonly shards = new Map<number, Map<string, Kept>>()

  private constructor(node: Node, thread: Thread) {
    this.node = node
    this.thread = thread
    node.keepers.set("tasklets", {
      freeze: (shard) => this.freeze(shard),
      thaw: (shard, frozen: ReadonlyArray<FrozenTasklet>) => {
        for (const one of frozen) this.thaw(shard, one)
      },
      drop: (shard) => this.drop(shard)
    })
    node.answer(
      "spawn",
      (body: { key: string; id: string; pickle: Uint8Array }) =>
        this.owned(body.key, (kept, keep) => {
          if (kept !== undefined) return kept.id === body.id ? Effect.void : Effect.fail<Refusal>({ why: "taken" })
          return Effect.try({
            try: () => {
              const { args, body: f } = this.loads<{ body: Body<any, any, any>; args: Array<unknown> }>(body.pickle)
              keep(new Kept(body.key, body.id, makeTasklet(f)(...args), []))
            },
            catch: (error): Refusal => ({ why: "code", reason: (error as Error).message })
          })
        })
    )
    node.answer(
      "find",
      ({ key }: { key: string }) => this.owned(key, (kept) => kept === undefined ? absent : Effect.void)
    )
    node.answer(
      "known",
      ({ key }: { key: string }) =>
        this.owned(key, (kept) => kept === undefined && !this.ends.has(key) ? absent : Effect.void)
    )
    node.answer(
      "kill",
      ({ key }: { key: string }) =>
        this.owned(key, (kept) => kept === undefined ? absent : Effect.asVoid(kept.tasklet.kill({ pending: true })))
    )
    node.answer("watch", ({ key }: { key: string }) =>
      this.owned(key, (kept) => {
        const end = this.ends.get(key)
        return kept !== undefined ? this.watch(kept) : end === undefined ? absent : Effect.succeed(end)
      }))
    node.answer("link", ({ key, other }: { key: string; other: string }) =>
      this.owned(key, (kept) => {
        if (kept === undefined) return absent
        if (!kept.links.has(other)) {
          kept.links.add(other)
          this.follow(kept, other)
        }
        return Effect.void
      }))
  }

  /** Runs tasklets by key on this machine, as long as the scope lasts. */
  static readonly start = (node: Node): Effect.Effect<Tasklets, never, Scope.Scope> =>
    Effect.map(servingThread, (thread) => {
      const made = new Tasklets(node, thread)
      node.tasklets = made
      startMoves(node, thread)
      return made
    })

  // ---- what this machine has ----------------------------------------------------------------------------------------

  loads<A>(pickle: Uint8Array): A {
    return loads<A>(pickle, this.node.signed)
  }

  dumps(value: unknown): Uint8Array {
    return dumps(value, this.node.signed)
  }

  /** Does something with the tasklet of a key, on its thread, if this machine has the shard. */
  private owned<A>(
    key: string,
    f: (kept: Kept | undefined, keep: (kept: Kept) => void) => Effect.Effect<A, Refusal>
  ): Effect.Effect<A, Refusal> {
    return Effect.provideService(
      Effect.suspend(() => {
        const shard = this.node.placement.shardOf(key)
        if (!this.node.held.has(shard)) return Effect.fail<Refusal>({ why: "elsewhere" })
        return f(this.shards.get(shard)?.get(key), (kept) => this.keep(shard, kept))
      }),
      Thread,
      this.thread
    )
  }

  private keep(shard: number, kept: Kept): void {
    let tasklets = this.shards.get(shard)
    if (tasklets === undefined) this.shards.set(shard, tasklets = new Map())
    tasklets.set(kept.key, kept)
    this.ends.delete(kept.key)
    const cancel = whenEnded(kept.tasklet, (exit) => {
      tasklets.delete(kept.key)
      this.ended(kept, endOf(exit, (value) => this.dumps(value)))
    })
    kept.forget = cancel
    for (const other of kept.links) this.follow(kept, other)
  }

  private ended(kept: Kept, end: End): void {
    kept.forget()
    this.remember(kept.key, end)
    for (const watcher of kept.watchers) watcher(Effect.succeed(end))
    kept.watchers.clear()
  }

  private watch(kept: Kept): Effect.Effect<End, Refusal> {
    return Effect.callback<End, Refusal>((resume) => {
      kept.watchers.add(resume)
      return Effect.sync(() => void kept.watchers.delete(resume))
    })
  }

  /** Has a tasklet end when another one ends otherwise than with a value. */
  private follow(kept: Kept, other: string): void {
    const { forget } = kept
    const cancel = Effect.runCallback(Effect.exit(this.end(other)), {
      onExit: (exit) => {
        const end = Exit.isSuccess(exit) && Exit.isSuccess(exit.value) ? exit.value.value : undefined
        if (end?.how === "value" || kept.tasklet.dead) return
        const how = end?.how ?? "lost"
        const error = new Ended({ key: other, how, reason: end?.reason ?? "it is not there" })
        Effect.runSync(Effect.ignoreCause(kept.tasklet.throw(error, { pending: true })))
      }
    })
    kept.forget = () => {
      forget()
      cancel()
    }
  }

  // ---- shards that move ---------------------------------------------------------------------------------------------

  private freeze(shard: number): ReadonlyArray<FrozenTasklet> | undefined {
    const tasklets = this.shards.get(shard)
    if (tasklets === undefined || tasklets.size === 0) return undefined
    const frozen: Array<FrozenTasklet> = []
    for (const kept of tasklets.values()) {
      const { id, key, links, tasklet } = kept
      try {
        kept.forget()
        const pickle = depart(tasklet, () => this.dumps(tasklet), undefined)
        frozen.push({ key, id, links: [...links], pickle })
        for (const watcher of kept.watchers) watcher(Effect.fail({ why: "elsewhere" }))
        kept.watchers.clear()
      } catch (error) {
        this.ended(kept, { how: "unmovable", reason: (error as Error).message })
        Effect.runSync(Effect.ignoreCause(tasklet.kill({ pending: true })))
      }
    }
    this.shards.delete(shard)
    return frozen.length === 0 ? undefined : frozen
  }

  /** Is there one that can only be taken apart later: that runs, or waits for an Effect? */
  busy(shard: number): boolean {
    for (const { tasklet } of this.shards.get(shard)?.values() ?? []) if (!tasklet.restorable) return true
    return false
  }

  private thaw(shard: number, { id, key, links, pickle }: FrozenTasklet): void {
    // somebody has started it anew, as it was nowhere for so long
    if (this.shards.get(shard)?.has(key) === true) return
    const loaded = Effect.provideService(
      Effect.sync(() => {
        const tasklet = this.loads<Tasklet>(pickle)
        this.keep(shard, new Kept(key, id, tasklet, links))
        if (!tasklet.blocked) tasklet.insert()
      }),
      Thread,
      this.thread
    )
    const exit = Effect.runSyncExit(loaded)
    if (Exit.isSuccess(exit)) return
    const reason = (Cause.squash(exit.cause) as Error).message
    this.remember(key, { how: "unmovable", reason })
  }

  /** How those have ended that ended last, for who asks late. */
  private readonly ends = new Map<string, End>()

  private remember(key: string, end: End): void {
    this.ends.delete(key)
    this.ends.set(key, end)
    const [first] = this.ends.keys()
    if (this.ends.size > REMEMBERED) this.ends.delete(first!)
  }

  private drop(shard: number): void {
    for (const kept of this.shards.get(shard)?.values() ?? []) {
      kept.forget()
      for (const watcher of kept.watchers) watcher(Effect.fail({ why: "elsewhere" }))
      try {
        depart(kept.tasklet, () => undefined, undefined)
      } catch {
        Effect.runSync(Effect.ignoreCause(kept.tasklet.kill({ pending: true })))
      }
    }
    this.shards.delete(shard)
  }

  // ---- asking whoever has a key -------------------------------------------------------------------------------------

  /** Asks the machine that has a key, wherever it is by now. */
  ask(key: string, kind: string, body: object): Effect.Effect<any, Refusal | MachineUnreachable> {
    const { node } = this
    const shard = node.placement.shardOf(key)
    let started = 0
    let until = 0
    const again = (failure: MachineUnreachable): Effect.Effect<any, Refusal | MachineUnreachable> => {
      const now = Date.now()
      // a question that was open for long was with whoever had the key then
      if (until === 0 || now - started > LONG) until = now + PATIENCE
      return now > until ? Effect.fail(failure) : Effect.andThen(Effect.sleep(PAUSE), attempt)
    }
    const attempt: Effect.Effect<any, Refusal | MachineUnreachable> = Effect.suspend(() =>
      Effect.flatMap(
        node.placement.locate(shard),
        (address) => {
          started = Date.now()
          return Effect.catch(
            node.ask(address, kind, { key, ...body }),
            (failure): Effect.Effect<any, Refusal | MachineUnreachable> => {
              if (!(failure instanceof Failed)) return again(failure)
              const refusal = failure.error as Refusal
              return refusal.why === "elsewhere"
                ? again(new MachineUnreachable({ address, reason: "it does not have the key's shard yet" }))
                : Effect.fail(refusal)
            }
          )
        }
      )
    )
    return attempt
  }

  /** Waits for the end of a tasklet, wherever it moves. */
  end(key: string): Effect.Effect<End, Refusal | MachineUnreachable> {
    const first: Effect.Effect<End, Refusal | MachineUnreachable> = Effect.catch(
      this.ask(key, "watch", {}),
      (refusal) => {
        // it was there, and is not: its machine is lost, with what it had
        if (refusal instanceof MachineUnreachable || refusal.why !== "no key" || !known) return Effect.fail(refusal)
        return Effect.succeed<End>({ how: "lost", reason: "the machine that it was on is gone" })
      }
    )
    let known = false
    return Effect.andThen(
      Effect.tap(this.ask(key, "known", {}), () =>
        Effect.sync(() => {
          known = true
        })),
      first
    )
  }
}

const absent = Effect.fail<Refusal>({ why: "no key" })

const endOf = (exit: Exit.Exit<unknown, unknown>, pack: (value: unknown) => Uint8Array): End => {
  if (Exit.isSuccess(exit)) {
    try {
      return { how: "value", value: pack(exit.value) }
    } catch (error) {
      return { how: "failed", reason: `its result cannot leave its machine: ${(error as Error).message}` }
    }
  }
  const error = Cause.squash(exit.cause)
  const killed = error instanceof Ended || error instanceof TaskletExit
  return {
    how: killed ? "killed" : "failed",
    reason: error instanceof Error ? error.message || error.name : String(error)
  }
}

// ---- for programs ---------------------------------------------------------------------------------------------------

const tasklets = (): Tasklets => here().tasklets as Tasklets

const failureOf = (key: string) => (refusal: Refusal | MachineUnreachable) => {
  if (refusal instanceof MachineUnreachable) return refusal
  switch (refusal.why) {
    case "taken":
      return new KeyTaken({ key })
    case "code":
      return new CodeMismatch({ address: `that has ${JSON.stringify(key)}`, reason: refusal.reason })
    default:
      return new NoSuchKey({ key })
  }
}

/**
 * A tasklet by its key, wherever it runs. It can be sent, and pickled.
 *
 * @category models
 * @since 0.2.0
 */
export class Keyed<out A = unknown> {
  readonly key: string
  /** What it ends with, for the type check alone. */
  declare readonly result: A

  /** The library makes them. */
  constructor(key: string) {
    this.key = key
  }

  /**
   * Waits for its end, wherever it moves, and gives its result. Fails with `Ended` if it has failed, was killed or is lost, with
   * `NoSuchKey` if there is none.
   */
  join(): Effect.Effect<A, Ended | NoSuchKey | MachineUnreachable> {
    const { key } = this
    return Effect.suspend(() => {
      const made = tasklets()
      return Effect.flatMap(Effect.mapError(made.end(key), failureOf(key)), (end) =>
        end.how === "value"
          ? Effect.sync(() => made.loads<A>(end.value))
          : Effect.fail(new Ended({ key, how: end.how, reason: end.reason })))
    }) as Effect.Effect<A, Ended | NoSuchKey | MachineUnreachable>
  }

  /** Ends it: throws `TaskletExit` in it. Fails with `NoSuchKey` if there is none. */
  kill(): Effect.Effect<void, NoSuchKey | MachineUnreachable> {
    return asked(this.key, "kill", {})
  }

  /** The address of the machine that it runs on. */
  where(): Effect.Effect<string> {
    return Effect.suspend(() => here().placement.locate(here().placement.shardOf(this.key)))
  }

  /** The tasklet by its key. */
  toString(): string {
    return `<tasklet ${JSON.stringify(this.key)} of the cluster>`
  }
}
persistent("effect-stackless/cluster/Keyed", Keyed)

const asked = (key: string, kind: string, body: object): Effect.Effect<void, NoSuchKey | MachineUnreachable> =>
  Effect.suspend(() =>
    Effect.asVoid(Effect.mapError(tasklets().ask(key, kind, body), failureOf(key)))
  ) as Effect.Effect<
    void,
    NoSuchKey | MachineUnreachable
  >

/**
 * Starts a tasklet on the machine that has the shard of the key. It moves with its shard when machines come and go, in the middle of
 * whatever it does: its body has to be compiled, and what it refers to must be such that it can be pickled.
 *
 * Fails with `KeyTaken` if a tasklet has that key, `NotMovable` if the body or its arguments cannot be pickled, `CodeMismatch` if the
 * machine has other code, `MachineUnreachable` if nobody has the shard for 15 s.
 *
 * @category constructors
 * @since 0.2.0
 */
export const spawn = <Args extends ReadonlyArray<any>, A, E>(key: string, body: Body<Args, A, E>) =>
(
  ...args: Args
): Effect.Effect<Keyed<A>, KeyTaken | NotMovable | CodeMismatch | MachineUnreachable> =>
  Effect.suspend((): Effect.Effect<Keyed<A>, KeyTaken | NotMovable | CodeMismatch | MachineUnreachable> => {
    if (typeof key !== "string" || key === "") throw new TypeError("a tasklet of the cluster has a key: a string")
    if (typeof body !== "function") throw new TypeError(`a tasklet runs a function; got ${typeof body}`)
    const made = tasklets()
    let pickle: Uint8Array
    try {
      pickle = made.dumps({ body, args })
    } catch (error) {
      return Effect.fail(
        new NotMovable({ what: `the tasklet ${JSON.stringify(key)}`, reason: (error as Error).message })
      )
    }
    const id = `${here().incarnation} ${++spawned}`
    const failed = failureOf(key) as (
      refusal: Refusal | MachineUnreachable
    ) => KeyTaken | CodeMismatch | MachineUnreachable
    return Effect.as(Effect.mapError(made.ask(key, "spawn", { id, pickle }), failed), new Keyed<A>(key))
  })

let spawned = 0

/**
 * Finds a tasklet by its key. Fails with `NoSuchKey` if there is none.
 *
 * @category inspection
 * @since 0.2.0
 */
export const find = <A = unknown>(key: string): Effect.Effect<Keyed<A>, NoSuchKey | MachineUnreachable> =>
  Effect.as(asked(key, "find", {}), new Keyed<A>(key))

/**
 * What a monitor is told: a tasklet has ended.
 *
 * @category models
 * @since 0.2.0
 */
export interface Down {
  readonly key: string
  /** `"value"` if it has returned, `"absent"` if there was none; else as `Ended` says. */
  readonly how: "value" | "absent" | Ended["how"]
  readonly reason: string
}

/**
 * Sends a message on a channel when a tasklet ends, wherever that is, or when its machine is lost. This machine watches; so if that is
 * lost, too, nobody is told. Mirrors Erlang's `monitor`.
 *
 * @category operations
 * @since 0.2.0
 */
export const monitor = (watched: Keyed<any> | string, channel: RemoteChannel<Down>): Effect.Effect<void> =>
  Effect.sync(() => {
    const key = typeof watched === "string" ? watched : watched.key
    Effect.runFork(Effect.flatMap(Effect.exit(tasklets().end(key)), (exit) => {
      const down: Down = Exit.isSuccess(exit)
        ? { key, how: exit.value.how, reason: exit.value.how === "value" ? "" : exit.value.reason }
        : absence(key, Cause.squash(exit.cause) as Refusal | MachineUnreachable)
      return channel.send(down)
    }))
  })

const absence = (key: string, failure: Refusal | MachineUnreachable): Down =>
  failure instanceof MachineUnreachable
    ? { key, how: "lost", reason: failure.message }
    : { key, how: "absent", reason: "no tasklet has that key" }

/**
 * Links two tasklets: when one ends otherwise than with a value, wherever that is, or its machine is lost, `Ended` is thrown in the other
 * one. Fails with `NoSuchKey` if there is none of one of the keys. Mirrors Erlang's `link`.
 *
 * @category operations
 * @since 0.2.0
 */
export const link = (
  one: Keyed<any> | string,
  other: Keyed<any> | string
): Effect.Effect<void, NoSuchKey | MachineUnreachable> => {
  const [a, b] = [one, other].map((keyed) => typeof keyed === "string" ? keyed : keyed.key) as [string, string]
  return Effect.andThen(asked(a, "link", { other: b }), asked(b, "link", { other: a }))
}

// ---- time -----------------------------------------------------------------------------------------------------------

/** A time that tasklets wait for. */
class Alarm extends Relay<void> {
  readonly until: number
  constructor(until: number) {
    super({
      changed: () => {
        if (this.balance >= 0 || this.set) return
        this.set = true
        setTimeout(() => {
          while (this.balance < 0) this.put(undefined)
        }, Math.max(0, until - Date.now()))
      },
      room: () => false,
      take: () => {}
    })
    this.until = until
  }
  private set = false
  static [reduce]({ until }: Alarm): number {
    return until
  }
  static [restore](until: number): Alarm {
    if (typeof until !== "number") throw new UnpicklingError("an alarm in a pickle has no time")
    return new Alarm(until)
  }
}
persistent("effect-stackless/cluster/Alarm", Alarm)

/**
 * Waits for a time. A tasklet that waits so can move: it waits on where it comes to. Time is that of the machines' clocks.
 *
 * @category operations
 * @since 0.2.0
 */
export const sleep = (duration: Duration.Input) =>
  new Alarm(Date.now() + Duration.toMillis(Duration.fromInputUnsafe(duration))).receive()
