/** Waiting for several things at once. Carries `wait` and `iwait` of `gevent.hub`. */
import type * as Effect from "effect/Effect"
import type { NotAsync, Operation } from "../../../greenlet/index.ts"
import { describe, gethub, type Hub, Steps } from "./hub.ts"
import type { Link } from "./linkable.ts"
import { eachTime, type ErrorOf, type ServicesOf } from "./loop-body.ts"
import type { Timer } from "./loop.ts"
import type { Place, WaitQueue } from "./wait-queue.ts"
import { MultipleWaiter } from "./waiter.ts"

/** What can be waited for: greenlets, events, results, semaphores. */
export interface Waitable {
  /** @internal */
  addLink(link: Link): Place<Link>
  /** @internal */
  removeLink(place: Place<Link>): void
}

/** How to wait for several things. */
export interface WaitOptions {
  /** How long, in seconds. */
  readonly timeout?: number | null | undefined
  /** For how many of them; all, if left out. */
  readonly count?: number | null | undefined
}

/** The things in the order in which they are ready; `iwait` makes one. */
export class WaitIterator<out T> {
  private readonly hub: Hub = gethub()
  private readonly waiter: MultipleWaiter<any>
  private objects: ReadonlyArray<Waitable>
  private places: Array<Place<Link>> = []
  private readonly timeout: number | null | undefined
  private timer: Timer | undefined = undefined
  private begun = false
  private left: number

  constructor(objects: ReadonlyArray<T & Waitable>, options: WaitOptions | undefined) {
    this.objects = objects
    this.waiter = new MultipleWaiter(this.hub, objects)
    this.timeout = options?.timeout
    this.left = Math.min(options?.count ?? objects.length, objects.length)
  }

  /** Waits for the next thing: `{ done, value }`. It is done when time is over, or there were as many as were wanted. */
  next(): Operation<IteratorResult<T, undefined>> {
    return new Steps<IteratorResult<T, undefined>>(() => this.stepping())
  }

  /** Calls `body` with each thing, in turn. Mirrors `for thing in gevent.iwait(…)`. */
  each<Made>(body: ((thing: T) => Made) & NotAsync<Made>): Operation<void, ErrorOf<Made>, ServicesOf<Made>> {
    return new Steps<void, ErrorOf<Made>, ServicesOf<Made>>(() => this.looping(body))
  }

  /** Waits no more. Mirrors leaving `with gevent.iwait(…)`. */
  close(): void {
    this.timer?.stop()
    const { objects, places } = this
    this.objects = []
    this.places = []
    places.forEach((place, index) => {
      if ((place.line as WaitQueue<Link> | undefined) !== undefined) objects[index]!.removeLink(place)
    })
  }

  /** @internal */
  *stepping(): Generator<Effect.Effect<any>, IteratorResult<T, undefined>, any> {
    this.begin()
    if (this.left === 0) {
      this.close()
      return { done: true, value: undefined }
    }
    this.left--
    try {
      const thing = yield* this.waiter.wait()
      if (thing !== this) return { done: false, value: thing }
      this.close()
      return { done: true, value: undefined }
    } catch (error) {
      this.close()
      throw error
    }
  }

  private *looping(body: (thing: T) => unknown): Generator<Effect.Effect<any, any, any>, void, any> {
    try {
      for (;;) {
        const { done, value } = yield* this.stepping()
        if (done) return
        yield* eachTime(body, value)
      }
    } finally {
      this.close()
    }
  }

  private begin(): void {
    if (this.begun) return
    this.begun = true
    for (const object of this.objects) {
      this.places.push(object.addLink({ notify: (source) => this.waiter.switch(source) }))
    }
    if (this.timeout == null) return
    this.timer = this.hub.timer(this.timeout, { priority: -1 })
    this.timer.start(() => this.waiter.switch(this))
  }
}

/**
 * The things in the order in which they are ready. Throws `TypeError` if one cannot be waited for. Mirrors
 * `gevent.iwait`.
 *
 * @category operations
 * @since 0.1.0
 */
export const iwait = <T>(objects: Iterable<T & Waitable>, options?: WaitOptions): WaitIterator<T> =>
  new WaitIterator<T>(waitables("iwait", objects), options)

/**
 * Waits until things are ready; gives back those that are, in that order. Without any, waits in the main greenlet until
 * nothing is left to wait for, and gives back whether that is so. Throws `TypeError` if one cannot be waited for. Mirrors
 * `gevent.wait`.
 *
 * @category operations
 * @since 0.1.0
 */
export const wait: {
  <T>(objects: Iterable<T & Waitable>, options?: WaitOptions): Operation<Array<T>>
  (objects?: undefined, options?: WaitOptions): Operation<boolean>
} = (objects?: Iterable<Waitable>, options?: WaitOptions): Operation<any> => {
  if (objects === undefined) return gethub().join(options?.timeout ?? undefined)
  return waitFor(waitables("wait", objects), options)
}

/** @internal the same for what `waitables` has looked at */
export const waitFor = <T>(things: ReadonlyArray<T & Waitable>, options?: WaitOptions): Operation<Array<T>> =>
  new Steps<Array<T>>(() => waiting(new WaitIterator<T>(things, options)))

/** @internal the things in an array; throws `TypeError` if one cannot be waited for */
export const waitables = <T>(name: string, objects: Iterable<T>): Array<T & Waitable> => {
  const rule = `${name} takes an iterable of what can be waited for: greenlets, events, results, semaphores`
  if (!isIterable(objects)) throw new TypeError(`${rule}; got ${describe(objects)}: put it into an array`)
  const things = [...objects]
  const wrong = things.findIndex((thing) => typeof (thing as Partial<Waitable> | null)?.addLink !== "function")
  if (wrong >= 0) throw new TypeError(`${rule}; got ${describe(things[wrong])}`)
  return things as Array<T & Waitable>
}

const isIterable = (u: unknown): boolean =>
  typeof (u as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] === "function"

function* waiting<T>(iterator: WaitIterator<T>): Generator<Effect.Effect<any>, Array<T>, any> {
  const ready: Array<T> = []
  for (;;) {
    const { done, value } = yield* iterator.stepping()
    if (done) return ready
    ready.push(value as T)
  }
}
