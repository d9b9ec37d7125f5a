/** Waiting for several things at once. Carries `wait` and `iwait` of `gevent.hub`. */
import { type Microthread, type Mode, type NotAsync, type Operation, Routine, THROW } from "../../../greenlet/index.ts"
import { ConcurrentObjectUseError } from "./exceptions.ts"
import { describe, gethub, type Hub, Steps, Waits } from "./hub.ts"
import type { Link } from "./linkable.ts"
import { type ErrorOf, Looping, type ServicesOf } from "./loop-body.ts"
import type { Timer, Turn } from "./loop.ts"
import { WaitFrame } from "./wait-frame.ts"
import type { Place, WaitQueue } from "./wait-queue.ts"

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
  private readonly what: unknown
  /** What is ready and was not taken yet; this itself when time is over. */
  private readonly things: Array<unknown> = []
  private greenlet: Microthread | undefined = undefined
  private objects: ReadonlyArray<Waitable>
  private places: Array<Place<Link>> = []
  private readonly timeout: number | null | undefined
  private timer: Timer | undefined = undefined
  private begun = false
  private left: number

  constructor(objects: ReadonlyArray<T & Waitable>, options: WaitOptions | undefined) {
    this.objects = objects
    this.what = objects
    this.timeout = options?.timeout
    this.left = Math.min(options?.count ?? objects.length, objects.length)
  }

  /** Waits for the next thing: `{ done, value }`. It is done when time is over, or there were as many as were wanted. */
  next(): Operation<IteratorResult<T, undefined>> {
    return new Waits<IteratorResult<T, undefined>>((current) => this.nextFor(current))
  }

  /** Calls `body` with each thing, in turn. Mirrors `for thing in gevent.iwait(…)`. */
  each<Made>(body: ((thing: T) => Made) & NotAsync<Made>): Operation<void, ErrorOf<Made>, ServicesOf<Made>> {
    return new Steps<void, ErrorOf<Made>, ServicesOf<Made>>(() => new LoopingAndClosing(this, body))
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

  private nextFor(current: Microthread): Microthread {
    this.begin()
    if (this.left === 0) {
      this.close()
      return current.give(over)
    }
    this.left--
    if (this.things.length > 0) return current.give(this.taken())
    if (this.greenlet !== undefined) {
      this.close()
      throw new ConcurrentObjectUseError("this Waiter is already used by a greenlet")
    }
    this.greenlet = current
    return new NextThing<T>(this).parks(current, this.hub, this.what)
  }

  private brings(thing: unknown): Turn {
    this.things.push(thing)
    return this.greenlet === undefined ? undefined : this.hub.brings(this.greenlet, undefined)
  }

  /** @internal takes what has come */
  taken(): IteratorResult<T, undefined> {
    this.greenlet = undefined
    const thing = this.things.shift()
    if (thing !== this) return { done: false, value: thing as T }
    this.close()
    return over
  }

  /** @internal an error came instead */
  failed(): void {
    this.greenlet = undefined
    this.close()
  }

  private begin(): void {
    if (this.begun) return
    this.begun = true
    for (const object of this.objects) {
      this.places.push(object.addLink({ notify: (source) => this.brings(source) }))
    }
    if (this.timeout == null) return
    this.timer = this.hub.timer(this.timeout, { priority: -1 })
    this.timer.start(() => this.brings(this))
  }
}

const over: IteratorResult<never, undefined> = { done: true, value: undefined }

class NextThing<T> extends WaitFrame<IteratorResult<T, undefined>> {
  private readonly iterator: WaitIterator<T>
  constructor(iterator: WaitIterator<T>) {
    super()
    this.iterator = iterator
  }
  protected came(): IteratorResult<T, undefined> {
    return this.iterator.taken()
  }
  protected failed(error: unknown): never {
    this.iterator.failed()
    throw error
  }
}

class LoopingAndClosing extends Looping {
  private readonly iterator: WaitIterator<unknown>
  constructor(iterator: WaitIterator<unknown>, body: (thing: any) => unknown) {
    super(iterator, body)
    this.iterator = iterator
  }
  protected override over(): void {
    this.iterator.close()
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
  new Steps<Array<T>>(() => new Collecting(new WaitIterator<T>(things, options)))

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

/** @internal puts what is ready into an array, up to the end */
export class Collecting<T> extends Routine<Array<T>> {
  protected readonly iterator: WaitIterator<T>
  private readonly ready: Array<T> = []
  constructor(iterator: WaitIterator<T>) {
    super()
    this.iterator = iterator
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (mode === THROW) throw value
    if (this.pc === 2) {
      const result = value as IteratorResult<T, undefined>
      if (result.done === true) return this.ends(this.ready)
      this.takes(result.value)
    }
    return this.at(2, this.iterator.next())
  }
  protected takes(thing: T): void {
    this.ready.push(thing)
  }
}
