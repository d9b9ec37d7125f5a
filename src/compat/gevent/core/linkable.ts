/**
 * What can be linked: events, results, semaphores. They tell whoever has linked itself, and whoever waits, in the hub.
 *
 * Carries `gevent._abstract_linkable`, whose order is what programs rely on: a notification tells those who were there
 * when it began, and who waits on an object that is ready while one is under way lines up behind them. Where it differs:
 * there is one hub to an object, that of the thread that runs.
 */
import * as Effect from "effect/Effect"
import { call, getcurrent, type Microthread } from "../../../greenlet/index.ts"
import { gethub, type Hub, isLeaving, postponed, requireOwn, Resume } from "./hub.ts"
import type { Callback } from "./loop.ts"
import { printed } from "./printed.ts"
import { Deadline, type Limit } from "./timeout.ts"
import { type Place, WaitQueue } from "./wait-queue.ts"

/**
 * What is told of an event, in the hub: a function, which must not wait. It may return an operation or a generator, which
 * the hub performs.
 */
export type LinkFunction<in Source> = (source: Source) => unknown

/** A link that is more than a function. */
export interface LinkObject {
  /** The function that it was made of: `unlink` takes that as well. */
  readonly callback?: unknown
  notify(source: unknown): unknown
}

export type Link = LinkFunction<any> | LinkObject

/** The link of a greenlet that waits: it is switched to with the source. */
export class Switch implements LinkObject {
  readonly greenlet: Microthread = getcurrent()
  notify(source: unknown): unknown {
    return new Resume(this.greenlet, source)
  }
}

/** Tells a link; what it returns is performed. */
export function* notifying(link: Link, source: unknown): Generator<Effect.Effect<any, any>, void, any> {
  const turn = typeof link === "function" ? link(source) : link.notify(source)
  if (turn === undefined) return
  if (Effect.isEffect(turn)) yield* turn as Effect.Effect<unknown, unknown>
  else if (typeof (turn as { throw?: unknown } | null)?.throw === "function") yield* call(() => turn)
}

/** Is that the link, or was it made of that function? */
export const isLink = (meant: unknown) => (link: Link): boolean =>
  link === meant || (typeof link !== "function" && link.callback !== undefined && link.callback === meant)

export const requireCallable = (u: unknown): void => {
  if (typeof u !== "function") throw new TypeError(`a link is a function; got ${typeof u}`)
}

/** A notification that the hub is going to make, and who lined up for it since. */
interface Notifier {
  readonly callback: Callback
  readonly arrived: WaitQueue<Link>
}

export abstract class AbstractLinkable {
  static {
    printed(this)
  }
  private readonly links = new WaitQueue<Link>()
  private notifier: Notifier | undefined = undefined
  private hub_: Hub | undefined = undefined
  /** Do all that wait hear of it, or only as many as it is ready for? */
  protected readonly notifyAll: boolean = true

  /** Does it have what those who wait, wait for? */
  abstract ready(): boolean

  /** The hub that it uses: that of the thread it was first used on, as long as there is that thread. */
  protected get hub(): Hub {
    if (this.hub_ === undefined || this.hub_.thread.ended) this.hub_ = gethub()
    return this.hub_
  }

  /** How many links it has, those of greenlets that wait counted. Mirrors `linkcount`. */
  linkcount(): number {
    return this.links.size
  }

  /**
   * Has `callback` called with this object, in the hub, as soon as it is ready. Throws `TypeError` if it is no function.
   * Mirrors `rawlink`.
   */
  rawlink(callback: LinkFunction<this>): void {
    requireCallable(callback)
    this.addLink(callback)
  }

  /** Takes a link back; nothing happens if there is none. Mirrors `unlink`. */
  unlink(callback: LinkFunction<this>): void {
    const place = this.links.find(isLink(callback))
    if (place !== undefined) this.removeLink(place)
  }

  /** @internal */
  addLink(link: Link): Place<Link> {
    const place = this.links.push(link)
    this.checkAndNotify()
    return place
  }

  /** @internal */
  removeLink(place: Place<Link>): void {
    this.links.remove(place)
    this.stopIfUnlinked()
  }

  /** Those who have lined up behind the links are not told either then, as upstream forgets them, too. */
  private stopIfUnlinked(): void {
    if (this.links.size > 0 || this.notifier?.callback.pending !== true) return
    this.notifier.callback.stop()
    this.notifier = undefined
  }

  /** Tells the links, if there is something to tell and nobody does so already. */
  protected checkAndNotify(): void {
    if (!this.ready() || this.links.size === 0 || this.notifier !== undefined) return
    const arrived = new WaitQueue<Link>()
    const callback = this.hub.runCallback(() => this.notifyLinks(arrived))
    this.notifier = { callback, arrived }
  }

  private *notifyLinks(arrived: WaitQueue<Link>): Generator<Effect.Effect<any, any>, void, any> {
    const { notifier } = this
    if (notifier === undefined) return this.checkAndNotify()
    try {
      yield* this.notifyLine(this.links)
      if (arrived.size > 0) {
        yield* this.notifyLine(arrived)
        for (let place = arrived.shift(); place !== undefined; place = arrived.shift()) this.links.push(place.value)
      }
    } finally {
      this.notifier = undefined
    }
    this.checkAndNotify()
  }

  /** Tells those that are in line now; a function that is in it twice is told once. */
  private *notifyLine(line: WaitQueue<Link>): Generator<Effect.Effect<any, any>, void, any> {
    const last = line.last
    let done: Set<Link> | undefined
    while (line.size > 0) {
      if (!this.notifyAll && !this.ready()) return
      const place = line.shift()!
      const link = place.value
      const takesNothing = !this.notifyAll && link instanceof Switch && this.passesOver(link, place)
      if (!takesNothing && (typeof link !== "function" || done?.has(link) !== true)) {
        if (typeof link === "function") (done ??= new Set()).add(link)
        try {
          yield* notifying(link, this)
        } catch (error) {
          this.hub.handleErrorInHub([link, this], error)
        }
      }
      if (place === last) return
    }
  }

  /** Does who waits take nothing any more, or perhaps? */
  private passesOver({ greenlet }: Switch, place: Place<Link>): boolean {
    return isLeaving(greenlet) || postponed(greenlet, () => {
      this.links.rejoin(place)
      this.checkAndNotify()
    })
  }

  /**
   * Waits until it is ready, or time is over; gives back whether it is. `what` is what a report says is waited for.
   */
  protected *waitCore(seconds: Limit, what: unknown): Generator<Effect.Effect<any>, boolean, any> {
    const deadline = new Deadline(seconds)
    try {
      yield* this.waitToBeNotified(true, what)
      return true
    } catch (error) {
      if (!deadline.threw(error)) throw error
      return false
    } finally {
      deadline.cancel()
    }
  }

  /** As it was ready already: lets those that wait go first, if they are about to be told. */
  protected *letOthersGoFirst(): Generator<Effect.Effect<any>, void, any> {
    if (this.notifier !== undefined) yield* this.waitToBeNotified(false, this)
  }

  /** Is a notification under way? */
  protected get notifying(): boolean {
    return this.notifier !== undefined
  }

  /** Waits, as a link or behind those who are about to be told. */
  protected *waitToBeNotified(link: boolean, what: unknown): Generator<Effect.Effect<any>, void, any> {
    const me = new Switch()
    const { notifier } = this
    const place = link ? this.addLink(me) : notifier!.arrived.push(me)
    try {
      requireOwn(what, this, yield* this.hub.park(what))
    } catch (error) {
      if (place.line === this.links) this.removeLink(place)
      else {
        ;(place.line as WaitQueue<Link> | undefined)?.remove(place)
        this.stopIfUnlinked()
      }
      throw error
    }
  }
}
