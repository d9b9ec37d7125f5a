/**
 * The storage: what durable channels and tasklets are written to, and who waits there.
 *
 * Steps that are asked for while a transaction goes on are made together in the next one. A step that is blocked waits for
 * something to change, in the order of arrival. Where the database is gone, everybody waits until it is back, for as long as
 * `patience`.
 *
 * Each storage that is open is an *owner*, and says once in a while that it is there. An owner that is not heard of for `lease`
 * is buried by any other: what it has received and not acknowledged is free, and so are the tasklets that it ran. If it wakes
 * again, nothing that it writes for them is taken, and it goes on as a new owner.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { NameConflict } from "../errors.ts"
import { StorageError } from "./errors.ts"
import { EVERYTHING, type Tables, type WholeTasklet } from "./rows.ts"
import { awaitedBy, decide, type Outcome, type Step, wantedBy } from "./steps.ts"

/**
 * How a storage behaves.
 *
 * @category models
 * @since 0.2.0
 */
export interface StorageOptions {
  /**
   * After what time of silence a process counts as dead, `"2500 millis"` if left out. What it has received and not acknowledged,
   * and the tasklets that it ran, go to others then. It says that it is there four times as often.
   */
  readonly lease?: Duration.Input
  /** How long operations wait for a database that is gone before they fail with `StorageError`, `"30 seconds"` if left out. */
  readonly patience?: Duration.Input
}

/** What `lease` is if left out. */
export const LEASE: Duration.Input = "2500 millis"

/** Who waits for the outcome of a step; or, with none, for something to change. */
interface Entry {
  readonly step: Step | undefined
  readonly awaited: ReadonlyArray<string>
  readonly settle: (outcome: Exit.Exit<Outcome, StorageError>) => void
  state: "queued" | "under way" | "waiting"
  /** Was it interrupted in the middle of a transaction? Then it waits for the outcome, and for nothing else. */
  interrupted?: boolean
}

interface Acting extends Entry {
  readonly step: Step
}

/** How many steps are made in one transaction at most. */
const BATCH = 256

export class StorageState {
  private readonly tables: Tables
  private readonly scope: Scope.Scope
  private readonly services: Context.Context<never>
  private readonly lasts: number
  private readonly patience: number

  /** Who this is. Another one, once it was buried. */
  private owner = newOwner()
  private ownerIsNew = true
  /** When it has last said that it is there. */
  private beaten = 0
  private readonly lostListeners = new Set<() => void>()
  /** The keys of the tasklets that hosts of this storage run, up to where their ends are stored. */
  readonly running = new Set<string>()

  private readonly queue: Array<Acting> = []
  private busy = false
  private closed = false
  /** Those that are blocked, by what they wait for, in the order they came. */
  private readonly waiting = new Map<string, Set<Entry>>()
  /** How many of those who wait for something are asked at once, when it happens: the more, the more of them get something. */
  private readonly width = new Map<string, number>()
  /** What was told of while a transaction went on. */
  private toldMeanwhile: Set<string> | undefined = undefined
  private readonly declared = new Map<string, string>()

  constructor(
    tables: Tables,
    scope: Scope.Scope,
    services: Context.Context<never>,
    { lease = LEASE, patience = "30 seconds" }: StorageOptions
  ) {
    this.tables = tables
    this.scope = scope
    this.services = services
    this.lasts = Duration.toMillis(lease)
    this.patience = Duration.toMillis(patience)
  }

  get isClosed(): boolean {
    return this.closed
  }

  /** Calls `f` when this owner was buried, and what it ran is run elsewhere. */
  onLost(f: () => void): () => void {
    this.lostListeners.add(f)
    return () => this.lostListeners.delete(f)
  }

  /** A tasklet as it is stored. */
  readonly tasklet = (key: string): Effect.Effect<WholeTasklet | undefined, StorageError> =>
    Effect.suspend(() => this.patiently(this.tables.tasklet(key)))

  // ---- steps --------------------------------------------------------------------------------------------------------

  /**
   * Makes a step, and waits for as long as it is blocked. Whoever is interrupted while it waits has done nothing; in the
   * middle of a transaction an interrupt waits for the outcome, which `came` has then.
   */
  perform(step: Step, came: { outcome?: Outcome } = {}): Effect.Effect<Outcome, StorageError> {
    return Effect.callback<Outcome, StorageError>((resume) => {
      if (this.closed) return resume(Exit.fail(isClosed()))
      let interrupted: (() => void) | undefined
      const entry: Acting = {
        step,
        awaited: awaitedBy(step),
        state: "queued",
        settle: (exit) => {
          if (Exit.isSuccess(exit)) came.outcome = exit.value
          if (interrupted === undefined) resume(exit)
          else interrupted()
        }
      }
      this.enqueue(entry)
      return Effect.callback<void>((resume) => {
        if (entry.state === "under way") {
          entry.interrupted = true
          interrupted = () => resume(Exit.void)
        } else {
          this.withdraw(entry)
          resume(Exit.void)
        }
      })
    })
  }

  /** The same without waiting: what it comes to if it is not blocked. */
  attempt(step: Step): Effect.Effect<Outcome, StorageError> {
    return Effect.callback<Outcome, StorageError>((resume) => {
      if (this.closed) return resume(Exit.fail(isClosed()))
      this.enqueue({ step, awaited: [], state: "queued", settle: resume })
    })
  }

  /** Has a step looked at again that waits. */
  again(step: Step): void {
    for (const name of awaitedBy(step)) {
      for (const entry of this.waiting.get(name) ?? []) {
        if (entry.step === step && entry.state === "waiting") return this.enqueue(entry as Acting)
      }
    }
  }

  /** Says once what a channel is like. Fails if its name stands for another one. */
  declare(channel: string, capacity: number, codec: string): Effect.Effect<void, StorageError | NameConflict> {
    const as = `${capacity} ${codec}`
    return this.declared.get(channel) === as
      ? Effect.void
      : Effect.flatMap(this.attempt({ _tag: "Declare", channel, capacity, codec }), (outcome) => {
        if (outcome._tag === "Conflict") return Effect.fail(conflict(channel, outcome.codec, codec))
        this.declared.set(channel, as)
        return Effect.void
      })
  }

  /** Calls `f` once, when something of these names changes, or the storage is closed. Gives what calls it off. */
  onChange(names: ReadonlyArray<string>, f: () => void): () => void {
    const entry: Entry = { step: undefined, awaited: names, state: "waiting", settle: f }
    this.wait(entry)
    return () => this.unwait(entry)
  }

  /** Looks from now on whether something of that name changes: `changed` waits for it, until `stop`. */
  watch(name: string): { readonly changed: Effect.Effect<void>; readonly stop: () => void } {
    let seen = false
    let notify: (() => void) | undefined
    const stop = this.onChange([name], () => {
      seen = true
      notify?.()
    })
    const changed = Effect.callback<void>((resume) => {
      notify = () => resume(Exit.void)
      if (seen) notify()
    })
    return { changed, stop }
  }

  private enqueue(entry: Acting): void {
    entry.state = "queued"
    this.queue.push(entry)
    if (this.busy) return
    this.busy = true
    Effect.runForkWith(this.services)(Effect.andThen(Effect.yieldNow, this.work))
  }

  /** Makes what is asked for, transaction after transaction, until nothing is. */
  private readonly work: Effect.Effect<void> = Effect.suspend(() => {
    const entries = this.queue.splice(0, BATCH)
    if (entries.length === 0) {
      this.busy = false
      return Effect.void
    }
    for (const entry of entries) entry.state = "under way"
    return Effect.andThen(this.transact(entries), this.work)
  })

  private transact(entries: ReadonlyArray<Acting>): Effect.Effect<void> {
    const steps = entries.map(({ step }) => step)
    const once = Effect.suspend(() => {
      const { owner } = this
      let decision!: ReturnType<typeof decide>
      this.toldMeanwhile = new Set()
      const transacting = this.tables.transact(wantedBy(steps, owner, this.running), (rows) => {
        decision = decide(rows, steps, owner)
        return decision.changes
      })
      return Effect.map(transacting, () => decision)
    })
    const retried = this.patiently(once, () => {
      for (const step of steps) step.again = true
    })
    return Effect.map(Effect.exit(retried), (exit) => {
      const meanwhile = this.toldMeanwhile!
      this.toldMeanwhile = undefined
      for (const [i, entry] of entries.entries()) {
        delete entry.step.again
        if (Exit.isFailure(exit)) {
          this.unwait(entry)
          entry.settle(Exit.failCause(exit.cause))
        } else this.came(entry, exit.value.outcomes[i]!, meanwhile)
      }
      if (Exit.isSuccess(exit)) this.tell(exit.value.changes.told)
    })
  }

  private came(entry: Acting, outcome: Outcome, meanwhile: ReadonlySet<string>): void {
    if (outcome._tag !== "Blocked" || entry.awaited.length === 0 || entry.interrupted === true) {
      this.unwait(entry)
      for (const name of entry.awaited) this.served(name)
      return entry.settle(Exit.succeed(outcome))
    }
    const { step } = entry
    // its frames are stored now
    if (step._tag === "Choose" && step.tasklet !== undefined) step.tasklet.frame = undefined
    if (isDue(step)) this.enqueue(entry)
    else if (meanwhile.size > 0 && (meanwhile.has(EVERYTHING) || entry.awaited.some((name) => meanwhile.has(name)))) {
      this.enqueue(entry)
    } else {
      this.wait(entry)
    }
  }

  /** Tries for as long as the database may come back. An attempt that does not end by itself is given up then. */
  private patiently<A>(
    effect: Effect.Effect<A, StorageError>,
    beforeAgain?: () => void
  ): Effect.Effect<A, StorageError> {
    const end = Date.now() + this.patience
    const attempt = (pause: number): Effect.Effect<A, StorageError> =>
      Effect.catch(limited(effect, end - Date.now()), (error) => {
        if (!error.temporary || this.closed || Date.now() >= end) return Effect.fail(error)
        beforeAgain?.()
        return Effect.andThen(Effect.sleep(pause), Effect.suspend(() => attempt(Math.min(pause * 2, 500))))
      })
    return attempt(20)
  }

  // ---- waiting ------------------------------------------------------------------------------------------------------

  private wait(entry: Entry): void {
    entry.state = "waiting"
    for (const name of entry.awaited) {
      let entries = this.waiting.get(name)
      if (entries === undefined) this.waiting.set(name, entries = new Set())
      entries.add(entry)
    }
  }

  private unwait(entry: Entry): void {
    for (const name of entry.awaited) {
      const entries = this.waiting.get(name)
      if (entries === undefined) continue
      entries.delete(entry)
      if (entries.size === 0) {
        this.waiting.delete(name)
        this.width.delete(name)
      }
    }
  }

  private withdraw(entry: Acting): void {
    this.unwait(entry)
    const at = this.queue.indexOf(entry)
    if (at >= 0) this.queue.splice(at, 1)
  }

  /** Something has changed: the first of those who wait for it look again. */
  private tell(names: ReadonlyArray<string>): void {
    for (const name of names) {
      if (name === EVERYTHING) {
        this.tell([...this.waiting.keys()])
        continue
      }
      this.toldMeanwhile?.add(name)
      this.width.set(name, 1)
      this.ask(name)
    }
  }

  /** One who waited for it has got it: there may be more. */
  private served(name: string): void {
    const width = this.width.get(name)
    if (width === undefined || !this.waiting.has(name)) return
    this.width.set(name, width * 2)
    this.ask(name)
  }

  private ask(name: string): void {
    const entries = this.waiting.get(name)
    if (entries === undefined) {
      this.width.delete(name)
      return
    }
    // who only wants to know of it is no rival of the others
    let left = this.width.get(name) ?? 1
    for (const entry of entries) {
      if (entry.state !== "waiting") continue
      if (entry.step === undefined) {
        this.unwait(entry)
        entry.settle(changed)
      } else if (left-- > 0) this.enqueue(entry as Acting)
    }
  }

  // ---- being there --------------------------------------------------------------------------------------------------

  /** Says that it is there, and listens, until the scope closes. */
  readonly live: Effect.Effect<void, StorageError> = Effect.suspend(() => {
    const beating = Effect.forever(Effect.andThen(Effect.sleep(this.lasts / 4), Effect.ignoreCause(this.beat)))
    const listening = this.tables.listen((names) => {
      this.toldMeanwhile?.add(EVERYTHING)
      this.tell(names)
    })
    const { pollEvery } = this.tables
    const polling = pollEvery === undefined
      ? Effect.void
      : Effect.forever(Effect.andThen(Effect.sleep(pollEvery), Effect.sync(() => this.tell([EVERYTHING]))))
    return this.beat.pipe(
      Effect.andThen(Effect.forkIn(beating, this.scope)),
      Effect.andThen(Effect.forkIn(listening, this.scope)),
      Effect.andThen(Effect.forkIn(polling, this.scope)),
      Effect.asVoid
    )
  })

  private readonly beat: Effect.Effect<void, StorageError> = Effect.suspend(() => {
    const now = Date.now()
    // who was silent itself does not bury others, who may have been silent for the same reason
    const bury = now - this.beaten < this.lasts
    return Effect.flatMap(
      this.attempt({ _tag: "Beat", lasts: this.lasts, bury, first: this.ownerIsNew }),
      (outcome) => {
        this.beaten = now
        if (outcome._tag === "Lost") {
          this.owner = newOwner()
          this.ownerIsNew = true
          for (const f of this.lostListeners) f()
          return this.beat
        }
        if (this.ownerIsNew) {
          this.ownerIsNew = false
          // it may take something again
          this.tell([EVERYTHING])
        }
        return Effect.void
      }
    )
  })

  /** Frees what it has, unless the storage is gone for so long that others do it, and lets nobody in any more. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    const leaving = Effect.interruptible(
      Effect.raceFirst(Effect.ignore(this.attempt({ _tag: "Leave" })), Effect.sleep(this.lasts))
    )
    return Effect.andThen(
      leaving,
      Effect.sync(() => {
        this.closed = true
        const left = new Set<Entry>(this.queue)
        for (const entries of this.waiting.values()) for (const entry of entries) left.add(entry)
        for (const entry of left) entry.settle(Exit.fail(isClosed()))
        this.queue.length = 0
        this.waiting.clear()
      })
    )
  })
}

/**
 * The storage of durable channels and tasklets.
 *
 * @category services
 * @since 0.2.0
 */
export class Storage extends Context.Service<Storage, StorageState>()("effect-stackless/cluster/Storage") {}

/** The storages that are open in this process, the last one last. */
const open: Array<StorageState> = []

/** The storage of whoever asks: that of its context, or else the one that was opened last in this process. */
export const currentStorage: Effect.Effect<StorageState, StorageError> = Effect.withFiber((fiber) => {
  const storage = Context.getOption(fiber.context, Storage)
  const found = storage._tag === "Some" ? storage.value : open.at(-1)
  return found === undefined
    ? Effect.fail(
      new StorageError({
        temporary: false,
        message:
          "there is no storage: provide one, such as sqlite({ filename }), to the program that uses durable channels"
      })
    )
    : Effect.succeed(found)
})

/** A storage over tables, for as long as the layer is. */
export const layerOf = <E>(
  tables: Effect.Effect<Tables, E, Scope.Scope>,
  options: StorageOptions
): Layer.Layer<Storage, E | StorageError> =>
  Layer.effect(
    Storage,
    Effect.gen(function*() {
      const scope = yield* Scope.Scope
      const services = yield* Effect.context<never>()
      // who leaves may have to connect once more, which a scope that closes lets nobody do
      const below = yield* Scope.make()
      yield* Effect.addFinalizer((exit) => Scope.close(below, exit))
      const state = new StorageState(yield* Scope.provide(tables, below), scope, services, options)
      yield* Effect.acquireRelease(
        Effect.sync(() => open.push(state)),
        () =>
          Effect.andThen(
            Effect.sync(() => open.splice(open.indexOf(state), 1)),
            state.leave
          )
      )
      yield* state.live
      return state
    })
  )

/** An Effect that has so many milliseconds, even if it cannot be interrupted at once. */
const limited = <A>(effect: Effect.Effect<A, StorageError>, millis: number): Effect.Effect<A, StorageError> =>
  Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), (fiber) => {
    const late = Effect.fail(new StorageError({ message: "the storage does not answer", temporary: true }))
    return Effect.ensuring(
      Effect.raceFirst(Fiber.join(fiber), Effect.andThen(Effect.sleep(Math.max(millis, 0)), late)),
      Effect.sync(() => fiber.interruptUnsafe())
    )
  })

/** Has the time come that it waits for, while it was looked at? */
const isDue = (step: Step): boolean =>
  step._tag === "Choose" && step.cases.some((it) => it._tag === "Until" && it.due === true)

const changed = Exit.succeed<Outcome>({ _tag: "Blocked" })

const newOwner = (): string => `${process.pid}-${crypto.randomUUID()}`

const isClosed = (): StorageError => new StorageError({ message: "the storage was closed", temporary: false })

const conflict = (name: string, there: string, here: string): NameConflict =>
  new NameConflict({ name, here: `written as ${here}`, there: `written as ${there}, and has items` })
