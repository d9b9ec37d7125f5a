/**
 * Waiting for several sockets at once: which of them can be received from, or sent to, without waiting.
 *
 * Carries `gevent.select`. Where it differs: there are no file descriptors, so what is waited for is a socket itself, or
 * anything else that is `Selectable`, and `poll` gives that back; `poll` reports errors and hang-ups, as Python's own
 * does and gevent's does not.
 */
import type * as Effect from "effect/Effect"
import { hold, type Operation, ValueError } from "../../../greenlet/index.ts"
import { gethub, type Hub, Steps } from "../core/hub.ts"
import { printed } from "../core/printed.ts"
import { sleep } from "../core/sleep.ts"
import { Waiter } from "../core/waiter.ts"
import { NodeEvent } from "./node-event.ts"
import { failing, notOpen, type SocketError, SocketTimeout } from "./socketerror.ts"

/** There is something to receive, or to accept: or the end of it. */
export const POLLIN = 1
/** Never comes, as Node tells nobody of urgent data. */
export const POLLPRI = 2
/** Sending would not wait. */
export const POLLOUT = 4
/** Something went wrong: always reported. */
export const POLLERR = 8
/** Both directions are shut: always reported. */
export const POLLHUP = 16
/** It is closed: always reported. */
export const POLLNVAL = 32

/** Something that `select` and `poll` can wait for: a socket, a pipe of a process, or one of your own. */
export interface Selectable {
  /** What it is ready for now: `POLLIN`, `POLLOUT` and the others, added up. */
  readiness(): number
  /** Has `changed` called whenever that may have changed, until the function that it returns is called. */
  watch(changed: () => void): () => void
}

/** Who wants to be told that something may have changed. */
export class Watchers {
  private readonly all = new Set<() => void>()

  add(changed: () => void): () => void {
    // each has its own place, whoever else has the same function
    const watcher = () => changed()
    this.all.add(watcher)
    return () => void this.all.delete(watcher)
  }

  tell(): void {
    for (const watcher of this.all) watcher()
  }
}

// ---- select ---------------------------------------------------------------------------------------------------------

/** What counts as readable, writable and exceptional. Linux's `select` has the same three sets. */
const READABLE = POLLIN | POLLHUP | POLLERR | POLLNVAL
const WRITABLE = POLLOUT | POLLERR | POLLNVAL
const EXCEPTIONAL = POLLPRI

/**
 * Waits until one of `rlist` can be received from or one of `wlist` be sent to, or `timeout` seconds have passed: for ever,
 * if that is `null`, and with 0 not at all. Gives back those that can, of each list. What fails or has ended counts as
 * both; nothing is ever in the third list.
 *
 * Dies with `ValueError` for a negative timeout or a closed socket, with `TypeError` for what cannot be waited for.
 * Mirrors `gevent.select.select`.
 *
 * @category operations
 * @since 0.1.0
 */
export const select = <R extends Selectable, W extends Selectable, X extends Selectable>(
  rlist: Iterable<R>,
  wlist: Iterable<W>,
  xlist: Iterable<X>,
  timeout?: number | null
): Operation<[Array<R>, Array<W>, Array<X>]> =>
  new Steps<[Array<R>, Array<W>, Array<X>]>(() => selecting(rlist, wlist, xlist, timeout))

function* selecting<R extends Selectable, W extends Selectable, X extends Selectable>(
  rlist: Iterable<R>,
  wlist: Iterable<W>,
  xlist: Iterable<X>,
  timeout: number | null | undefined
): Generator<Effect.Effect<any>, [Array<R>, Array<W>, Array<X>], any> {
  requireTime(timeout)
  if (timeout != null && timeout < 0) throw new ValueError("timeout must be non-negative")
  const [reading, writing, exceptional] = [listed(rlist), listed(wlist), listed(xlist)]
  const all = new Set<Selectable>([...reading, ...writing, ...exceptional])
  for (const member of all) {
    if (member.readiness() & POLLNVAL) {
      throw new ValueError(`${String(member)} is closed: take it out of the lists before you close it`)
    }
  }
  const ready = () => {
    const found: [Array<R>, Array<W>, Array<X>] = [
      reading.filter((member) => member.readiness() & READABLE),
      writing.filter((member) => member.readiness() & WRITABLE),
      exceptional.filter((member) => member.readiness() & EXCEPTIONAL)
    ]
    return found.some((members) => members.length > 0) ? found : undefined
  }
  return (yield* waiting("select()", all, timeout, ready)) ?? [[], [], []]
}

const listed = <S extends Selectable>(list: Iterable<S>): Array<S> => {
  if (typeof (list as Partial<Iterable<S>> | null)?.[Symbol.iterator] !== "function") {
    throw new TypeError("the first three arguments of select are lists of sockets")
  }
  return Array.from(list, requireSelectable)
}

// ---- poll -----------------------------------------------------------------------------------------------------------

/**
 * Sockets that are waited for again and again. Mirrors `gevent.select.poll`.
 *
 * @category models
 * @since 0.1.0
 */
export class Poll<in out S extends Selectable = Selectable> {
  static {
    printed(this)
  }
  private readonly masks = new Map<S, number>()

  /**
   * Has `poll` report those events of a socket that are in `eventmask`: receiving and sending, if it is left out. Throws
   * `ValueError` for what is no socket. Mirrors `poll.register`.
   */
  register(socket: S, eventmask: number = POLLIN | POLLPRI | POLLOUT): void {
    if (!isSelectable(socket)) throw new ValueError(`Invalid file object: ${String(socket)}`)
    if (!Number.isInteger(eventmask)) throw new TypeError(`an event mask is a sum of POLLIN and the like: ${eventmask}`)
    this.masks.set(socket, eventmask)
  }

  /** Changes which events are reported. Mirrors `poll.modify`. */
  modify(socket: S, eventmask: number): void {
    this.register(socket, eventmask)
  }

  /** Reports a socket no more. Throws `KeyError` if it is not registered. Mirrors `poll.unregister`. */
  unregister(socket: S): void {
    if (!this.masks.delete(socket)) throw new KeyError(`${String(socket)} is not registered`)
  }

  /**
   * Waits until there is an event, or `timeout` _milliseconds_ have passed: for ever, if that is `null` or negative, and
   * with 0 not at all. Gives back the sockets that have events, and which. Mirrors `poll.poll`.
   */
  poll(timeout?: number | null): Operation<Array<readonly [socket: S, events: number]>> {
    return new Steps<Array<readonly [socket: S, events: number]>>(() => this.polling(timeout))
  }

  private *polling(
    timeout: number | null | undefined
  ): Generator<Effect.Effect<any>, Array<readonly [S, number]>, any> {
    requireTime(timeout)
    const masks = [...this.masks]
    const ready = () => {
      const found: Array<readonly [S, number]> = []
      for (const [socket, mask] of masks) {
        const events = socket.readiness() & (mask | POLLERR | POLLHUP | POLLNVAL)
        if (events !== 0) found.push([socket, events])
      }
      return found.length > 0 ? found : undefined
    }
    const seconds = timeout == null || timeout < 0 ? undefined : timeout / 1000
    return (yield* waiting(this, masks.map(([socket]) => socket), seconds, ready)) ?? []
  }

  toString(): string {
    return `<Poll of ${this.masks.size}>`
  }
}

/**
 * A `Poll`. Mirrors `gevent.select.poll()`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const poll = <S extends Selectable = Selectable>(): Poll<S> => new Poll<S>()

/**
 * Something is not there that was to be taken out. Mirrors Python's `KeyError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class KeyError extends Error {
  override readonly name: string = "KeyError"
  static {
    hold(this, "gevent.KeyError")
  }
}

// ---- one socket ------------------------------------------------------------------------------------------------------

/**
 * Waits until a socket can be received from: data has come, or the end of it, or an error. Dies with `SocketTimeout`, or
 * with `timeoutExc`, after `timeout` seconds; with `SocketError`, `EBADF`, if it is closed. Mirrors
 * `gevent.socket.wait_read`.
 *
 * @category operations
 * @since 0.1.0
 */
export const waitRead = (
  socket: Selectable,
  timeout?: number | null,
  timeoutExc?: unknown
): Operation<void, SocketError> => waitFor(socket, READABLE, timeout, timeoutExc)

/**
 * Waits until a socket can be sent to without waiting. Dies as `waitRead` does. Mirrors `gevent.socket.wait_write`.
 *
 * @category operations
 * @since 0.1.0
 */
export const waitWrite = (
  socket: Selectable,
  timeout?: number | null,
  timeoutExc?: unknown
): Operation<void, SocketError> => waitFor(socket, WRITABLE, timeout, timeoutExc)

/**
 * Waits until a socket can be received from or sent to. Dies as `waitRead` does. Mirrors `gevent.socket.wait_readwrite`.
 *
 * @category operations
 * @since 0.1.0
 */
export const waitReadwrite = (
  socket: Selectable,
  timeout?: number | null,
  timeoutExc?: unknown
): Operation<void, SocketError> => waitFor(socket, READABLE | WRITABLE, timeout, timeoutExc)

const waitFor = (
  socket: Selectable,
  events: number,
  timeout: number | null | undefined,
  timeoutExc: unknown
): Operation<void, SocketError> =>
  new Steps<void, SocketError>(function*(): Generator<Effect.Effect<any, any>, void, any> {
    requireTime(timeout)
    requireSelectable(socket)
    const found = yield* waiting(socket, [socket], timeout, () => socket.readiness() & events || undefined)
    if (found === undefined && timeoutExc !== undefined) throw timeoutExc
    if (found === undefined) yield* failing(new SocketTimeout())
    else if (found & POLLNVAL) yield* failing(notOpen())
  })

// ---- waiting --------------------------------------------------------------------------------------------------------

/** Waits until `ready` has something, for `timeout` seconds at the most. */
function* waiting<A>(
  what: unknown,
  members: Iterable<Selectable>,
  timeout: number | null | undefined,
  ready: () => A | undefined
): Generator<Effect.Effect<any>, A | undefined, any> {
  const hub = gethub()
  const now = ready()
  if (now !== undefined || timeout === 0) {
    // one that always finds something lets the others run all the same
    yield* sleep(0)
    return now
  }
  const end = timeout == null || timeout === Infinity ? undefined : hub.now() + timeout * 1000
  let arrival: NodeEvent | undefined
  const unwatch = Array.from(members, (member) => member.watch(() => arrival?.comes()))
  if (unwatch.length === 0) return yield* waitingForNothing(hub, what, timeout)
  try {
    for (;;) {
      arrival = new NodeEvent(what, hub)
      const came = yield* arrival.within(end === undefined ? undefined : (end - hub.now()) / 1000)
      const found = ready()
      if (found !== undefined || !came) return found
    }
  } finally {
    for (const stop of unwatch) stop()
  }
}

function* waitingForNothing(
  hub: Hub,
  what: unknown,
  timeout: number | null | undefined
): Generator<Effect.Effect<any>, undefined, any> {
  yield* timeout == null || timeout === Infinity ? (new Waiter(hub, what).get() as Operation<unknown>) : sleep(timeout)
  return undefined
}

const requireTime = (timeout: number | null | undefined): void => {
  if (timeout == null || (typeof timeout === "number" && !Number.isNaN(timeout))) return
  throw new TypeError(`a timeout is a number or null; got ${String(timeout)}`)
}

const isSelectable = (u: unknown): u is Selectable =>
  typeof (u as Partial<Selectable> | null)?.readiness === "function" &&
  typeof (u as Partial<Selectable>).watch === "function"

const requireSelectable = <S extends Selectable>(member: S): S => {
  if (isSelectable(member)) return member
  throw new TypeError(`what is waited for is a socket, or has the methods readiness and watch; got ${String(member)}`)
}
