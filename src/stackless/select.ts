/**
 * Waiting on several channels at once.
 *
 * Upstream has no counterpart; it is Concurrent ML's `select` over channels, as Go's statement is. A case is an
 * operation that was made and not performed: `channel.receive()`, `channel.send(value)`, `tasklet.join()`. While nothing
 * can be done, each case has an offer in the queue of its channel. Whoever takes one takes them all: the others are
 * withdrawn in the same step, so no value is taken that is not given back, and none twice.
 *
 * Of several cases that can be done the one is done whose channel was not chosen for longest; so none waits for ever.
 *
 * A tasklet that waits is blocked on the selection, which is a channel of its own that nobody else knows; so killing it,
 * or throwing into it, withdraws its offers.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import {
  type Microthread,
  type Mode,
  Operation,
  Routine,
  type Starter,
  starterOf,
  type Thread,
  THROW,
  topFrameOf
} from "../greenlet/index.ts"
import { Channel } from "./channel.ts"
import { Composite } from "./composite.ts"
import { RuntimeError, ValueError, type Waiting } from "./errors.ts"
import { endOf, Join } from "./join.ts"
import { defectOf, OutsideWaiter, type Waiter } from "./outside-waiter.ts"
import type { Tasklet } from "./ports.ts"
import { carry, exchangeAsOutsider, meetsOn, notify, Receive, Send, taskletOf, wait } from "./rendezvous.ts"
import { callbacks } from "./scheduler.ts"
import { schedulerOf } from "./schedulers.ts"
import type { Direction } from "./wait-queue.ts"

/**
 * The cases of a selection: operations of channels, by names of one's own.
 *
 * @category models
 * @since 0.1.0
 */
export type Cases = Readonly<Record<string, Operation<any, any, any>>>

/**
 * What a selection gives back: the name of the case that was done, and its value.
 *
 * @category models
 * @since 0.1.0
 */
export type Selected<C extends Cases> = {
  [K in keyof C]-?: { readonly key: K; readonly value: Case<C, K> extends Operation<infer A, any, any> ? A : never }
}[keyof C]

/** A case, also where it is there at times only. */
type Case<C extends Cases, K extends keyof C = keyof C> = Exclude<C[K], undefined>
type Failure<C extends Cases> = Case<C> extends Operation<any, infer E, any> ? E : never
type Services<C extends Cases> = Effect.Services<Case<C>>

/**
 * The method of an operation of another layer that can be a case: it makes the whole selection, of all its cases.
 *
 * @category symbols
 * @since 0.2.0
 */
export const SELECTS: unique symbol = Symbol("effect-stackless/selects")

/**
 * An operation of another layer that can be a case of `select`: one that cannot be done in one turn of the ring, such as one of a
 * channel in a database. `select` leaves the selection to the first such case that it finds.
 *
 * @category models
 * @since 0.2.0
 */
export interface Selects {
  [SELECTS](cases: Cases, options: SelectOptions): Operation<any, any, any>
}

/**
 * What a selection does where none of its cases can be done.
 *
 * @category models
 * @since 0.2.0
 */
export interface SelectOptions {
  /** What is given back at once. */
  readonly default?: unknown
  /** For how long it waits. */
  readonly timeout?: Duration.Input
}

interface Selectable {
  readonly channel: Channel<any>
  readonly value: unknown
  readonly raising: boolean
  readonly direction: Direction
}

/**
 * Does one of several operations on channels, the first that can be done, and gives back which one and its value.
 *
 * @param cases operations that were not performed yet: `send`, `receive` and the like of channels, those of the cluster and durable
 * ones among them; `join` of tasklets
 * @param options `default` is given back at once, as `{ key: "default", value }`, if nothing can be done; after
 * `timeout`, it gives back `{ key: "timeout", value: undefined }`
 *
 * Who runs after it is for the preference of the channel to say. Dies as `send` and `receive` do, and with `ValueError`
 * if it would have to wait and one of the channels is closed. Throws `TypeError` if a case is something else,
 * `ValueError` if it sends and receives on the same channel.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { channel, run, select, tasklet } from "effect-stackless/stackless"
 *
 * const words = channel<string>()
 * const numbers = channel<number>()
 * let got: unknown
 * tasklet(function*() {
 *   got = yield* select({ word: words.receive(), number: numbers.receive() })
 * })()
 * tasklet(function*() {
 *   yield* numbers.send(7)
 * })()
 * await Effect.runPromise(run())
 * got // => { key: "number", value: 7 }
 * ```
 *
 * @category operations
 * @since 0.1.0
 */
export const select: {
  <const C extends Cases>(cases: C): Operation<Selected<C>, Failure<C>, Services<C>>
  <const C extends Cases, D>(
    cases: C,
    options: { readonly default: D }
  ): Operation<Selected<C> | { readonly key: "default"; readonly value: D }, Failure<C>, Services<C>>
  <const C extends Cases>(
    cases: C,
    options: { readonly timeout: Duration.Input }
  ): Operation<Selected<C> | { readonly key: "timeout"; readonly value: undefined }, Failure<C>, Services<C>>
} = (cases: Cases, options: SelectOptions = {}): any => {
  const directions = new Map<Channel<any>, Direction>()
  for (const [key, operation] of Object.entries(cases)) {
    if (isForeign(operation)) return operation[SELECTS](cases, options)
    const { channel, direction } = selectable(key, operation)
    if (directions.get(channel) === -direction) {
      throw new ValueError("a selection cannot both send and receive on the same channel: it would meet itself")
    }
    directions.set(channel, direction)
  }
  return new Composite(() => new Selecting(cases, options))
}

const isForeign = (operation: object): operation is Selects => SELECTS in operation

/** Does the first case that can be done, and waits until one can. */
export class Selecting extends Routine {
  cases: Cases
  options: SelectOptions
  /** The case that is being done. */
  key: string | undefined = undefined
  constructor(cases: Cases, options: SelectOptions) {
    super()
    this.cases = cases
    this.options = options
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (mode === THROW) throw value
    if (this.pc === DOING) return this.ends({ key: this.key, value })
    if (this.pc === WAITING && value !== notNeeded) return this.ends(value)
    const { cases, options } = this
    const key = this.key = choose(cases)
    if (key !== undefined) return this.at(DOING, cases[key])
    if ("default" in options) return this.ends({ key: "default", value: options.default })
    const select = new Select(cases)
    return this.at(WAITING, options.timeout === undefined ? select : within(select, options.timeout))
  }
}

const DOING = 2
const WAITING = 4

const within = (select: Select, timeout: Duration.Input): Effect.Effect<unknown, any> =>
  Effect.map(
    Effect.timeoutOption(select, timeout),
    Option.getOrElse((): unknown => ({ key: "timeout", value: undefined }))
  )

/** What a `Select` gives that need not wait, as one of its cases can be done. */
export const notNeeded = Symbol()

// ---- fairness -------------------------------------------------------------------------------------------------------

/** When a channel was last chosen among several. */
const chosen = new WeakMap<Channel<any>, number>()
let choices = 0

/** @internal when it was, for who writes it down; 0 if it was not */
export const chosenAt = (channel: Channel<any>): number => chosen.get(channel) ?? 0

/** @internal says when it was */
export const choseAt = (channel: Channel<any>, when: number): void => {
  chosen.set(channel, when)
  choices = Math.max(choices, when)
}

/** The case to do at once, if any can be done. */
const choose = (cases: Cases): string | undefined => {
  let best: { readonly key: string; readonly channel: Channel<any>; readonly when: number } | undefined
  let several = false
  for (const [key, operation] of Object.entries(cases)) {
    const { channel, direction } = selectable(key, operation)
    if (operation instanceof Join ? !operation.tasklet.dead : !possible(channel, direction)) continue
    const when = chosen.get(channel) ?? 0
    several ||= best !== undefined
    if (best === undefined || when < best.when) best = { key, channel, when }
  }
  if (several) chosen.set(best!.channel, ++choices)
  return best?.key
}

const possible = (channel: Channel<any>, direction: Direction): boolean =>
  meetsOn(channel, direction) || (direction > 0 && channel.room)

const selectable = (key: string, operation: Operation<any, any, any>): Selectable => {
  if (operation instanceof Send) {
    const { channel, raising, sent } = operation
    return { channel, value: sent, raising, direction: 1 }
  }
  if (operation instanceof Receive) {
    return { channel: operation.channel, value: undefined, raising: false, direction: -1 }
  }
  if (operation instanceof Join) {
    return { channel: endOf(operation.tasklet), value: undefined, raising: false, direction: -1 }
  }
  throw new TypeError(`select takes send and receive of channels, and join of tasklets; ${key} is something else`)
}

// ---- waiting --------------------------------------------------------------------------------------------------------

/**
 * What a tasklet that selects is blocked on; for a fiber that is none it only holds the offers.
 *
 * @internal
 */
export class Selection extends Channel<any> {
  readonly offers: Array<Offer> = []
  /** Continues a fiber that is no tasklet. */
  resume: ((effect: Effect.Effect<any>) => void) | undefined = undefined

  /** The tasklet that is about to wait. */
  source: Tasklet | undefined = undefined

  /** See `OutsideWaiter`. */
  readonly owner: Starter | undefined

  constructor(cases: Cases, owner: Starter | undefined) {
    super()
    this.owner = owner
    for (const [key, operation] of Object.entries(cases)) {
      this.offers.push(new Offer(this, key, selectable(key, operation)))
    }
  }

  /** Nobody may begin to wait on a closed channel. */
  requireOpen(): this {
    if (this.offers.some(({ target }) => target.closing)) {
      throw new ValueError("Send/receive operation on a closed channel")
    }
    return this
  }

  get tasklet(): Tasklet | undefined {
    return this.queue
  }

  offer(): void {
    for (const offer of this.offers) offer.target.line(offer, offer.direction)
  }

  withdraw(): void {
    // also one that is withheld, or it would line up again for a selection that is over
    for (const offer of this.offers) offer.leave()
  }

  override take(waiter: Waiter): Waiter | null {
    this.withdraw()
    return super.take(waiter)
  }

  override waitingOf(tasklet: Tasklet): ReadonlyArray<Waiting> {
    return this.offers.map(({ direction, target }) => ({
      tasklet,
      channel: target,
      direction: direction > 0 ? "send" : "receive"
    }))
  }

  /** One of the offers was taken: the selection is over. */
  done(key: string, exit: Exit.Exit<unknown>): void {
    const { tasklet } = this
    const result = Exit.map(exit, (value) => ({ key, value }))
    if (tasklet === undefined) {
      this.withdraw()
      return this.resume!(result)
    }
    this.take(tasklet)
    if (Exit.isSuccess(result)) carry(tasklet, result.value, false)
    else carry(tasklet, defectOf(result), true)
    schedulerOf(tasklet.thread).insert(tasklet)
  }
}

/**
 * What a selection has in the queue of a channel.
 *
 * @internal
 */
export class Offer extends OutsideWaiter {
  readonly target: Channel<any>
  readonly direction: Direction
  readonly key: string
  private readonly selection: Selection

  constructor(selection: Selection, key: string, { channel, direction, raising, value }: Selectable) {
    super(value, raising, (effect) => selection.done(key, effect as Exit.Exit<unknown>), selection.owner)
    this.selection = selection
    this.key = key
    this.target = channel
    this.direction = direction
  }

  override get tasklet(): Tasklet | undefined {
    return this.selection.tasklet
  }

  override get behind(): Tasklet | undefined {
    return this.selection.source ?? this.selection.tasklet
  }
}

class Select extends Operation<unknown, any> {
  private readonly cases: Cases
  constructor(cases: Cases) {
    super()
    this.cases = cases
  }

  perform(performer: Microthread): Microthread {
    const source = taskletOf(performer)
    const selection = new Selection(this.cases, undefined).requireOpen()
    if (callbacks.channel !== undefined) {
      const { offers } = selection
      for (const { direction, target } of offers) notify(target, source, direction, true)
      // the callback may have changed what can be done
      if (offers.some(({ direction, target }) => target.closing || possible(target, direction))) {
        return performer.give(notNeeded)
      }
    }
    selection.source = source
    selection.offer()
    try {
      return wait(selection, source, -1)
    } catch (error) {
      selection.withdraw()
      throw error
    }
  }

  override performOutside(_thread: Thread, fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<unknown, any> {
    const { cases } = this
    const owner = starterOf(fiber)
    return Effect.callback<unknown, any>((resume) => {
      const key = choose(cases)
      if (key !== undefined) {
        return this.doAtOnce(key, (effect) => resume(Effect.map(effect, (value) => ({ key, value }))))
      }
      let selection: Selection
      try {
        selection = new Selection(cases, owner).requireOpen()
      } catch (error) {
        return resume(Effect.die(error))
      }
      selection.resume = resume
      selection.offer()
      return Effect.sync(() => selection.withdraw())
    })
  }

  private doAtOnce(key: string, resume: (effect: Effect.Effect<any, any>) => void): void {
    const operation = this.cases[key]!
    if (operation instanceof Join) return resume(operation)
    const { channel, direction, raising, value } = selectable(key, operation)
    exchangeAsOutsider(channel, new OutsideWaiter(value, raising, resume, undefined), direction)
  }
}

// ---- taken apart and put together -----------------------------------------------------------------------------------

/** @internal a tasklet that is in the middle of a `Selecting` waits again; it has made no offer yet. Throws if it is in none */
export const selectionOf = (tasklet: Tasklet): Selection => {
  const { _channel: waits } = tasklet
  const code = topFrameOf(tasklet)
  if (waits instanceof Selection) return waits
  if (waits !== undefined || tasklet._right !== undefined || !(code instanceof Selecting) || code.pc !== WAITING) {
    throw new RuntimeError("the tasklet is not in the middle of a selection")
  }
  const selection = new Selection(code.cases, undefined)
  selection.line(tasklet, -1)
  return selection
}
