/**
 * What can be linked: events, results, semaphores. They tell whoever has linked itself, and whoever waits, in the hub.
 *
 * Carries `gevent._abstract_linkable`, whose order is what programs rely on: a notification tells those who were there
 * when it began, and who waits on an object that is ready while one is under way lines up behind them. Where it differs:
 * there is one hub to an object, that of the thread that runs.
 */
import * as Effect from "effect/Effect"
import { call, type Microthread, type Mode, type Operation, Routine, THROW } from "../../../greenlet/index.ts"
import { gethub, type Hub, invalidSwitch, isLeaving, postponed, Waits } from "./hub.ts"
import type { Callback } from "./loop.ts"
import { printed } from "./printed.ts"
import { Deadline, type Limit } from "./timeout.ts"
import { WaitFrame } from "./wait-frame.ts"
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

/** Tells a link; gives what is to be performed. */
const tell = (link: Link, source: unknown): Operation<unknown> | Effect.Effect<any, any> | undefined => {
  const turn = typeof link === "function" ? link(source) : link.notify(source)
  if (turn === undefined) return undefined
  if (Effect.isEffect(turn)) return turn as Effect.Effect<unknown, unknown>
  return typeof (turn as { throw?: unknown } | null)?.throw === "function" ? call(() => turn) : undefined
}

/** Tells links, in the hub, one after another. An error of one is reported, and the next is told. */
export abstract class Telling extends Routine<void> {
  protected readonly source: unknown
  private readonly hub: Hub
  private link: Link | undefined = undefined
  constructor(source: unknown, hub: Hub) {
    super()
    this.source = source
    this.hub = hub
  }

  "~resume"(mode: Mode, value: unknown): unknown {
    try {
      if (mode === THROW) this.hub.handleErrorInHub([this.link, this.source], value)
      for (let link = this.next(); link !== undefined; link = this.next()) {
        this.link = link
        const turn = this.tell(link)
        if (turn !== undefined) return this.at(2, turn)
      }
    } catch (error) {
      this.over(false)
      throw error
    }
    this.over(true)
    return this.ends(undefined)
  }

  private tell(link: Link): Operation<unknown> | Effect.Effect<any, any> | undefined {
    try {
      return tell(link, this.source)
    } catch (error) {
      this.hub.handleErrorInHub([link, this.source], error)
      return undefined
    }
  }

  /** The link to tell next; none at the end. */
  protected abstract next(): Link | undefined

  /** All were told; or an error has come through, as the hub ends. */
  protected abstract over(allTold: boolean): void
}

/** What has links of greenlets that wait. */
interface Source {
  /** @internal */
  readonly hub: Hub
  /** @internal */
  addLink(link: Link): Place<Link>
  /** @internal */
  removeLink(place: Place<Link>): void
}

/** A greenlet waits as a link: it is switched to with the source. */
export abstract class LinkWait<out S extends Source, out A> extends WaitFrame<A> implements LinkObject {
  protected readonly source: S
  readonly greenlet: Microthread
  private readonly what: unknown
  private place: Place<Link> | undefined = undefined
  private deadline: Deadline | undefined = undefined
  constructor(source: S, greenlet: Microthread, what: unknown = source) {
    super()
    this.source = source
    this.greenlet = greenlet
    this.what = what
  }

  /** Waits for `seconds` at the most: who is next. */
  waits(seconds?: Limit): Microthread {
    const { source } = this
    this.deadline = Deadline.of(seconds)
    this.place = this.lineUp()
    return this.parks(this.greenlet, source.hub, this.what)
  }

  notify(source: unknown): unknown {
    return this.source.hub.brings(this.greenlet, source)
  }

  protected lineUp(): Place<Link> {
    return this.source.addLink(this)
  }

  protected came(value: unknown): A {
    if (value !== this.source) return this.failed(invalidSwitch(this.what))
    this.deadline?.cancel()
    return this.told()
  }

  protected failed(error: unknown): A {
    const { deadline, place } = this
    if (place !== undefined) this.source.removeLink(place)
    deadline?.cancel()
    if (deadline?.threw(error) === true) return this.timedOut(error)
    throw error
  }

  /** What it gives once it was told. */
  protected abstract told(): A

  /** What it gives when time is over. */
  protected timedOut(error: unknown): A {
    throw error
  }
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

  /** @internal the hub that it uses: that of the thread it was first used on, as long as there is that thread. */
  get hub(): Hub {
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
    ;(place.line as WaitQueue<Link> | undefined)?.remove(place)
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
    const callback = this.hub.runCallback(() => this.notifies(arrived))
    this.notifier = { callback, arrived }
  }

  private notifies(arrived: WaitQueue<Link>): Routine | undefined {
    if (this.notifier !== undefined) return new Notifying(this, this.hub, this.links, arrived)
    this.checkAndNotify()
    return undefined
  }

  /** @internal the next in a line to be told; nobody, if it is ready for no more */
  shiftLink(line: WaitQueue<Link>): Place<Link> | undefined {
    return this.notifyAll || this.ready() ? line.shift() : undefined
  }

  /** @internal is it to be told of nothing now? */
  leavesOut(place: Place<Link>): boolean {
    const { value: link } = place
    return !this.notifyAll && link instanceof LinkWait && this.passesOver(link, place)
  }

  /** @internal the notification is over; who lined up for it and was not told stays in line */
  notified(left: WaitQueue<Link> | undefined): void {
    if (left !== undefined) {
      for (let place = left.shift(); place !== undefined; place = left.shift()) this.links.push(place.value)
    }
    this.notifier = undefined
    if (left !== undefined) this.checkAndNotify()
  }

  /** @internal lines up behind those who are about to be told */
  addArrived(link: Link): Place<Link> {
    return this.notifier!.arrived.push(link)
  }

  /** Does who waits take nothing any more, or perhaps? */
  private passesOver({ greenlet }: LinkWait<any, unknown>, place: Place<Link>): boolean {
    return isLeaving(greenlet) || postponed(greenlet, () => {
      this.links.rejoin(place)
      this.checkAndNotify()
    })
  }

  /** Waits until it is ready, or time is over; gives back whether it is. `what` is what a report says is waited for. */
  protected waitCore(seconds: Limit, what: unknown): Operation<boolean> {
    return new Waits((current) => new UntilReady(this, current, what).waits(seconds))
  }

  /** Is a notification under way? */
  protected get notifying(): boolean {
    return this.notifier !== undefined
  }
}

/** Tells those that are in line now, and then those who lined up for that; a function that is in a line twice is told once. */
class Notifying extends Telling {
  private readonly linkable: AbstractLinkable
  private readonly arrived: WaitQueue<Link>
  private line: WaitQueue<Link>
  private last: Place<Link> | undefined
  /** Was the last told? */
  private lastTold = false
  private done: Set<Link> | undefined = undefined
  constructor(linkable: AbstractLinkable, hub: Hub, line: WaitQueue<Link>, arrived: WaitQueue<Link>) {
    super(linkable, hub)
    this.linkable = linkable
    this.arrived = arrived
    this.line = line
    this.last = line.last
  }
  protected next(): Link | undefined {
    for (;;) {
      const place = this.lastTold ? undefined : this.linkable.shiftLink(this.line)
      if (place === undefined) {
        if (this.line === this.arrived || this.arrived.size === 0) return undefined
        this.line = this.arrived
        this.last = this.arrived.last
        this.lastTold = false
        this.done = undefined
        continue
      }
      this.lastTold = place === this.last
      const link = place.value
      if (typeof link === "function") {
        if (this.done?.has(link) === true) continue
        ;(this.done ??= new Set()).add(link)
      } else if (this.linkable.leavesOut(place)) continue
      return link
    }
  }
  protected over(allTold: boolean): void {
    this.linkable.notified(allTold ? this.arrived : undefined)
  }
}

/** Waits until it is ready: was it, in time? */
export class UntilReady extends LinkWait<AbstractLinkable, boolean> {
  protected told(): boolean {
    return true
  }
  protected override timedOut(): boolean {
    return false
  }
}

/** A greenlet waits behind those who are about to be told, though what it waits for is there. */
export abstract class OthersFirst<out S extends AbstractLinkable, out A> extends LinkWait<S, A> {
  protected override lineUp(): Place<Link> {
    return this.source.addArrived(this)
  }
}
