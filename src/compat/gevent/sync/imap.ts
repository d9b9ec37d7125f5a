/** The results of calls in greenlets, one by one. Carries `gevent._imap`. */
import * as Effect from "effect/Effect"
import type { Body, NotAsync, Operation } from "../../../greenlet/index.ts"
import { Greenlet } from "../core/greenlet.ts"
import { describe, Steps } from "../core/hub.ts"
import type { LinkFunction } from "../core/linkable.ts"
import { eachTime, type ErrorOf, type ServicesOf } from "../core/loop-body.ts"
import type { Source } from "./event.ts"
import { Semaphore } from "./lock.ts"
import { Queue } from "./queue.ts"

/** What a call will come to: a greenlet, or the result of a thread. */
interface Pending extends Source<any> {
  rawlink(callback: LinkFunction<any>): void
}

/** What makes the calls: a group, a pool, or a pool of threads. */
export interface Spawner {
  spawning(f: Body, args: ReadonlyArray<unknown>): Generator<Effect.Effect<any, any>, Pending, any>
}

/** What to call with: anything that JavaScript iterates over; or a queue, or the results of an `imap`, which can wait. */
export type Items<T> = Iterable<T> | { next(): Operation<IteratorResult<T, undefined>, any> }

const isIterable = (u: unknown): u is Iterable<unknown> =>
  typeof (u as Iterable<unknown> | null | undefined)?.[Symbol.iterator] === "function"

/** @internal */
export const isItems = (u: unknown): u is Items<unknown> =>
  isIterable(u) || typeof (u as { next?: unknown } | null | undefined)?.next === "function"

/** Brings the arguments of the next call; `undefined` if there is none. */
export type NextArguments = () => Generator<Effect.Effect<any, any>, ReadonlyArray<unknown> | undefined, any>

/** The first items of all, then the second ones, until one has no more. */
export const together = (all: ReadonlyArray<Items<unknown>>): NextArguments => {
  const sources = all.map((items) => {
    if (!isItems(items)) {
      throw new TypeError(`items are an iterable, a queue or the results of an imap; got ${describe(items)}`)
    }
    return isIterable(items) ? items[Symbol.iterator]() : items
  })
  return function*() {
    const args: Array<unknown> = []
    for (const source of sources) {
      const next = source.next()
      const { done, value } = Effect.isEffect(next) ? yield* next as Operation<IteratorResult<unknown>> : next
      if (done === true) return undefined
      args.push(value)
    }
    return args
  }
}

/** What came of a call. Its index is that of its item; the end comes behind all of them. */
type Outcome<A> =
  | { readonly kind: "value"; readonly index: number; readonly value: A }
  | { readonly kind: "error"; readonly index: number; readonly error: unknown }
  | { readonly kind: "end"; readonly index: number }

/**
 * The results in the order in which they come: itself a greenlet, which makes the calls. Mirrors
 * `gevent.pool.IMapUnordered`.
 *
 * @category models
 * @since 0.1.0
 */
export class IMapUnordered<out A = any, out E = any> extends Greenlet<void, E> {
  private readonly spawner: Spawner
  private readonly f: Body
  private readonly nextArguments: NextArguments
  private readonly results: Queue<any> = new Queue()
  private readonly room: Semaphore | undefined
  private outstanding = 0
  private highest = -1
  private finished = false
  private exhausted = false

  constructor(spawner: Spawner, f: Body, nextArguments: NextArguments, maxsize: number | undefined) {
    super()
    this.spawner = spawner
    this.f = f
    this.nextArguments = nextArguments
    this.room = maxsize ? new Semaphore(maxsize) : undefined
  }

  /**
   * Waits for the next result: `{ done, value }`. Dies with the error of a call that failed; the iteration can go on
   * after that.
   */
  next(): Operation<IteratorResult<A, undefined>, E> {
    return new Steps<IteratorResult<A, undefined>, E>(() => this.stepping())
  }

  /** Calls `body` with each result, in turn. Mirrors `for result in pool.imap(…)`. */
  each<Made>(body: ((result: A) => Made) & NotAsync<Made>): Operation<void, E | ErrorOf<Made>, ServicesOf<Made>> {
    return new Steps<void, E | ErrorOf<Made>, ServicesOf<Made>>(() => this.looping(body))
  }

  private *looping(body: (result: A) => unknown): Generator<Effect.Effect<any, any, any>, void, any> {
    for (;;) {
      const { done, value } = yield* this.stepping()
      if (done) return
      yield* eachTime(body, value)
    }
  }

  private *stepping(): Generator<Effect.Effect<any, any>, IteratorResult<A, undefined>, any> {
    if (this.exhausted) return { done: true, value: undefined }
    this.room?.release()
    const outcome = yield* this.following()
    if (outcome.kind === "value") return { done: false, value: outcome.value }
    if (outcome.kind === "error") throw outcome.error
    this.exhausted = true
    return { done: true, value: undefined }
  }

  /** The outcome that is next. */
  protected *following(): Generator<Effect.Effect<any, any>, Outcome<A>, any> {
    return yield* this.results.get()
  }

  override *run(): Generator<Effect.Effect<any, any>, void, any> {
    try {
      const { nextArguments } = this
      for (let args = yield* nextArguments(); args !== undefined; args = yield* nextArguments()) {
        const index = ++this.highest
        if (this.room !== undefined) yield* this.room.acquire()
        this.outstanding++
        const pending = yield* this.spawner.spawning(this.f, args)
        pending.rawlink((source: Pending) => this.onResult(source, index))
      }
    } catch (error) {
      if (!this.finished) this.finishes({ kind: "error", index: this.highest + 1, error })
      throw error
    }
    if (!this.finished && this.outstanding <= 0) this.finishes({ kind: "end", index: this.highest + 1 })
  }

  private onResult(source: Pending, index: number): void {
    this.outstanding--
    this.results.putNowait(
      source.successful()
        ? { kind: "value", index, value: source.value }
        : { kind: "error", index, error: source.exception }
    )
    if (this.ready() && this.outstanding <= 0 && !this.finished) this.finishes({ kind: "end", index: this.highest + 1 })
  }

  private finishes(outcome: Outcome<A>): void {
    this.finished = true
    this.results.putNowait(outcome)
  }
}

/**
 * The results in the order of the items. Mirrors `gevent.pool.IMap`.
 *
 * @category models
 * @since 0.1.0
 */
export class IMap<out A = any, out E = any> extends IMapUnordered<A, E> {
  private index = 0
  /** The outcomes that came too early. */
  private readonly early = new Map<number, Outcome<any>>()

  protected override *following(): Generator<Effect.Effect<any, any>, Outcome<A>, any> {
    for (;;) {
      const outcome = this.early.get(this.index)
      if (outcome !== undefined) {
        this.early.delete(this.index++)
        return outcome
      }
      const next = yield* super.following()
      this.early.set(next.index, next)
    }
  }
}
