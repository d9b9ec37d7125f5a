/**
 * Hosts: who runs durable tasklets.
 *
 * A host takes up tasklets that nobody runs, on a thread of its own. Each time it takes one up, the tasklet's *epoch* goes up, and who
 * ran it before cannot write for it any more: its next step is refused, and it is dropped where it stands. So of a tasklet that runs
 * twice, as its first process was stopped for longer than its lease, only the second one has any effect on the storage.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { makeThread, type Microthread, Thread } from "../../greenlet/index.ts"
import { dumps, type LoadOptions, loads } from "../../pickle/index.ts"
import { Bomb, scheduleRemove } from "../../stackless/index.ts"
import type { StorageError } from "../storage/errors.ts"
import type { WholeTasklet } from "../storage/rows.ts"
import { type Case, type Outcome, type Step, UNOWNED, unpack } from "../storage/steps.ts"
import { Storage, type StorageState } from "../storage/storage.ts"
import { servingThread } from "../thread.ts"
import {
  Activity,
  type Choice,
  declared,
  type DurableOperation,
  performTimed,
  type Request,
  runBy,
  type Runner,
  valueOf
} from "./operation.ts"
import { type Ending, exitOf, frameOf, type Keeper, keptBy, type Standing, written } from "./tasklet.ts"

/**
 * How a host takes up tasklets.
 *
 * @category models
 * @since 0.2.0
 */
export interface DurableHostOptions {
  /** What becomes of frames of functions that have changed since: see `loads`. */
  readonly migrate?: LoadOptions["migrate"]
}

/** How many tasklets are claimed in one transaction. */
const CLAIM = 100

/** The request of an activity. */
const ofActivity: Request = {
  cases: [{ case: { _tag: "Now", value: new Uint8Array(0) }, channel: undefined, whole: false }],
  keys: undefined,
  acts: true
}

/** A tasklet that is run here. */
class Run implements Runner, Keeper {
  readonly host: Host
  readonly key: string
  readonly epoch: number
  readonly tasklet: Standing["tasklet"]
  step: number
  dropped = false

  constructor(host: Host, row: WholeTasklet, tasklet: Standing["tasklet"]) {
    this.host = host
    this.key = row.key
    this.epoch = row.epoch
    this.step = row.step
    this.tasklet = tasklet
    runBy(tasklet, this)
    keptBy(tasklet, this)
  }

  park(operation: DurableOperation<any, any, any>, performer: Microthread): Microthread {
    const next = scheduleRemove(undefined).perform(performer)
    if (!this.dropped) this.host.doing(this, this.make(operation))
    return next
  }

  ended(ending: Ending): void {
    if (this.dropped) return
    this.host.runs.delete(this.key)
    const step = this.step + 1
    const { epoch, key } = this
    const storing = this.host.storing({
      _tag: "End",
      tasklet: { key, epoch, step, frame: undefined },
      failed: ending.failed,
      result: written(ending)
    })
    this.host.doing(this, Effect.ensuring(storing, Effect.sync(() => this.host.storage.running.delete(key))))
  }

  /** Makes a step, and has the tasklet go on. What is wrong with the operation is thrown there. */
  private make(operation: DurableOperation<any, any, any>): Effect.Effect<void> {
    return operation instanceof Activity ? this.act(operation) : Effect.flatMap(Clock.currentTimeMillis, (now) => {
      let request: Request
      let frame: Uint8Array
      try {
        request = (operation as Choice<any>).request(now)
        frame = frameOf(this.key, { tasklet: this.tasklet, request })
      } catch (error) {
        return this.throws(error)
      }
      return this.store(request, request.cases.map(({ case: it }) => it), frame, this.step + 1)
    })
  }

  private act(activity: Activity<any, any, any>): Effect.Effect<void> {
    const { key, tasklet } = this
    const standing: Standing = { tasklet, request: ofActivity }
    return Effect.suspend(() => {
      // who is not durable finds out before anything is done
      frameOf(key, standing)
      // its services are those of the host
      return Effect.flatMap(Effect.exit(activity.plainly as Effect.Effect<unknown, unknown>), (exit) => {
        if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) return Effect.interrupt
        const value = dumps(endingOf(exit))
        return this.store(ofActivity, [{ _tag: "Now", value }], frameOf(key, standing), this.step + 1)
      })
    }).pipe(Effect.catchDefect((error) => this.throws(error)))
  }

  /** Goes on with what it waits for, where somebody else has stored it. */
  resume(request: Request, result: Uint8Array | undefined): Effect.Effect<void> {
    return result === undefined
      ? this.store(request, request.cases.map(({ case: it }) => it), undefined, this.step)
      : this.goesOn(request, unpack(result))
  }

  private store(
    request: Request,
    cases: ReadonlyArray<Case>,
    frame: Uint8Array | undefined,
    step: number
  ): Effect.Effect<void> {
    const { epoch, host, key } = this
    return Effect.matchEffect(declared(host.storage, request), {
      onFailure: (error) =>
        error._tag === "StorageError" && error.temporary ? this.store(request, cases, frame, step) : this.throws(error),
      onSuccess: () =>
        Effect.flatMap(
          host.storing({ _tag: "Choose", cases, tasklet: { key, epoch, step, frame } }),
          (outcome) => {
            if (outcome === undefined || outcome._tag === "Fenced") return Effect.sync(() => host.drop(this))
            this.step = step
            return this.goesOn(request, outcome)
          }
        )
    })
  }

  private goesOn(request: Request, outcome: Outcome): Effect.Effect<void> {
    return Effect.suspend(() => {
      try {
        if (request.acts && outcome._tag === "Done") {
          const exit = exitOf({ ending: outcome.value! })
          if (Exit.isFailure(exit)) return this.throws(Cause.squash(exit.cause))
          return this.gets(exit.value)
        }
        return this.gets(valueOf(request, outcome))
      } catch (error) {
        return this.throws(error)
      }
    })
  }

  private gets(value: unknown): Effect.Effect<void> {
    return Effect.sync(() => {
      if (this.dropped) return
      this.tasklet.tempval = value
      this.tasklet.insert()
    })
  }

  private throws(error: unknown): Effect.Effect<void> {
    return this.gets(new Bomb(error))
  }
}

const endingOf = (exit: Exit.Exit<unknown, unknown>): Ending => {
  if (Exit.isSuccess(exit)) return { failed: false, value: exit.value }
  const typed = exit.cause.reasons.some((reason) => reason._tag === "Fail")
  return { failed: true, typed, error: Cause.squash(exit.cause) }
}

class Host {
  readonly storage: StorageState
  private readonly fork: (effect: Effect.Effect<unknown>) => void
  readonly runs = new Map<string, Run>()
  /** Tasklets that this program cannot load. */
  readonly refused = new Map<string, unknown>()
  private readonly options: LoadOptions
  /** Where tasklets are left that go on elsewhere: their `finally` blocks run there, and not here. */
  private readonly limbo: Thread

  constructor(
    storage: StorageState,
    fork: (effect: Effect.Effect<unknown>) => void,
    limbo: Thread,
    { migrate }: DurableHostOptions
  ) {
    this.storage = storage
    this.fork = fork
    this.limbo = limbo
    this.options = migrate === undefined ? {} : { migrate }
  }

  /** Does something for a tasklet. Where that cannot be done, it says so, and gives the tasklet back. */
  doing(run: Run, effect: Effect.Effect<unknown>): void {
    this.fork(
      Effect.catchCause(
        effect,
        (cause) => Cause.hasInterruptsOnly(cause) ? Effect.interrupt : this.giveBack(run, Cause.squash(cause))
      )
    )
  }

  private giveBack(run: Run, error: unknown): Effect.Effect<void> {
    const { epoch, key, step } = run
    const reason = error instanceof Error ? error.message : String(error)
    this.drop(run)
    this.refused.set(key, error)
    return Effect.andThen(
      Effect.logError(`the durable tasklet ${JSON.stringify(key)} is run no further here: ${reason}`),
      Effect.ignoreCause(this.storing({ _tag: "Refuse", tasklet: { key, epoch, step }, reason }))
    )
  }

  /** Makes a step, however long the storage is gone. Nothing if that is closed. Dies of what will not be over by itself. */
  storing(step: Step): Effect.Effect<Outcome | undefined> {
    const attempt: Effect.Effect<Outcome, StorageError> = step._tag === "Choose"
      ? performTimed(this.storage, step)
      : this.storage.attempt(step)
    return Effect.catch(attempt, (error) => {
      if (!error.temporary) return this.storage.isClosed ? Effect.succeed(undefined) : Effect.die(error)
      step.again = true
      return this.storing(step)
    })
  }

  /** Runs a tasklet no further here. */
  drop(run: Run): void {
    run.dropped = true
    if (this.runs.get(run.key) === run) {
      this.runs.delete(run.key)
      this.storage.running.delete(run.key)
    }
    const { tasklet } = run
    if (tasklet.isCurrent || tasklet.blocked) return
    if (tasklet.scheduled) tasklet.remove()
    // one that has a fiber ends with its thread
    if (tasklet.alive && tasklet.restorable) tasklet.bindThread(this.limbo)
  }

  dropAll(): void {
    for (const run of this.runs.values()) this.drop(run)
  }

  /** Takes up what nobody runs, for ever. */
  readonly claiming: Effect.Effect<never> = Effect.forever(Effect.suspend(() => {
    const watching = this.storage.watch(UNOWNED)
    return Effect.gen({ self: this }, function*() {
      const outcome = yield* this.storing({ _tag: "Claim", limit: CLAIM, except: [...this.refused.keys()] })
      if (outcome === undefined) return yield* Effect.never
      if (outcome._tag !== "Claimed") return
      for (const row of outcome.tasklets) yield* this.takeUp(row)
      if (outcome.tasklets.length < CLAIM) yield* watching.changed
    }).pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.andThen(
          Effect.logError("no durable tasklets can be taken up", Cause.squash(cause)),
          Effect.sleep(1000)
        )
      ),
      Effect.ensuring(Effect.sync(watching.stop))
    )
  }))

  private takeUp(row: WholeTasklet): Effect.Effect<void> {
    return Effect.suspend(() => {
      let standing: Standing
      try {
        standing = loads<Standing>(row.frame, this.options)
      } catch (error) {
        this.refused.set(row.key, error)
        const { epoch, key, step } = row
        const reason = (error as Error).message
        return Effect.andThen(
          Effect.logWarning(`the durable tasklet ${JSON.stringify(key)} cannot be loaded by this program: ${reason}`),
          this.storing({ _tag: "Refuse", tasklet: { key, epoch, step }, reason })
        )
      }
      const { request, tasklet } = standing
      const run = new Run(this, row, tasklet)
      this.runs.set(row.key, run)
      this.storage.running.add(row.key)
      if (request === undefined) tasklet.insert()
      else this.doing(run, run.resume(request, row.result))
      return Effect.void
    })
  }
}

const left: Effect.Effect<void> = Effect.callback((resume) => queueMicrotask(() => resume(Exit.void)))

/**
 * A host of durable tasklets.
 *
 * @category services
 * @since 0.2.0
 */
export class DurableHost extends Context.Service<DurableHost, {
  /** The keys of the tasklets that it runs. */
  readonly running: Effect.Effect<ReadonlyArray<string>>
  /** The keys of those that it could not load, and the errors: `UnpicklingError` where the code has changed. */
  readonly refused: Effect.Effect<ReadonlyMap<string, unknown>>
}>()("effect-stackless/cluster/DurableHost") {}

/**
 * Runs durable tasklets of the storage in this process, for as long as the layer is: those that are started, and those whose process
 * has died. Where it ends, they stay as they are stored, and other hosts take them up at once.
 *
 * @category layers
 * @since 0.2.0
 */
export const durableHost = (options: DurableHostOptions = {}): Layer.Layer<DurableHost, never, Storage> =>
  Layer.effect(
    DurableHost,
    Effect.gen(function*() {
      const storage = yield* Storage
      const thread = yield* servingThread
      const limbo = yield* Scope.provide(makeThread, yield* Scope.make())
      const onThread = Effect.provideService(Thread, thread)
      const fork = yield* FiberSet.makeRuntime<Storage>()
      // not before the tasklet has been left that asks for it
      const host = new Host(storage, (effect) => fork(onThread(Effect.andThen(left, effect))), limbo, options)
      const stop = storage.onLost(() => host.dropAll())
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          stop()
          host.dropAll()
        })
      )
      yield* Effect.forkScoped(onThread(host.claiming))
      return {
        running: Effect.sync(() => [...host.runs.keys()]),
        refused: Effect.sync(() => new Map(host.refused))
      }
    })
  )
