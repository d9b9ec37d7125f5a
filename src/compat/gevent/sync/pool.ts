/**
 * Groups and pools of greenlets. Carries `gevent.pool`.
 *
 * Where it differs: `spawn`, `start` and `add` of a pool may have to wait for room, so they are operations there; of a
 * group they are plain calls. So a `Pool` is no `Group`: the two have what they share in common.
 */
import type * as Effect from "effect/Effect"
import {
  type Body,
  call,
  getcurrent,
  type Greenlet as KernelGreenlet,
  type Operation,
  type Plain,
  ValueError
} from "../../../greenlet/index.ts"
import { Greenlet, joinall, kill, type KillOptions, type Spawn } from "../core/greenlet.ts"
import { Steps, Waits } from "../core/hub.ts"
import { printed } from "../core/printed.ts"
import { Deadline, type Limit } from "../core/timeout.ts"
import { Event } from "./event.ts"
import { IMap, IMapUnordered, isItems, type Items, type NextArguments, together } from "./imap.ts"
import { type AcquireOptions, DummySemaphore, Semaphore } from "./lock.ts"
import { Full } from "./queue.ts"

/** How to wait for a group. */
export interface GroupJoinOptions {
  /** How long, in seconds. */
  readonly timeout?: Limit
  /** Throw the error of one that dies? */
  readonly raiseError?: boolean
}

/** What makes the greenlets of a group. */
export type GreenletClass = new(run: Body, ...args: ReadonlyArray<any>) => Greenlet

/** A function to call in a greenlet: a generator function, one that returns an Effect, or a plain one. */
export type Called<Args extends ReadonlyArray<any>, A, E> = (
  ...args: Args
) => Generator<Effect.Effect<any, E, any>, A, any> | Effect.Effect<A, E, any> | A

/** Calls a function with the arguments in an array. */
interface Apply {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    f: (...args: Args) => Generator<Eff, A, never>,
    args?: Args
  ): Operation<A, Effect.Error<Eff>, call.Services<Eff>>
  <Args extends ReadonlyArray<any>, A, E, R>(
    f: (...args: Args) => Effect.Effect<A, E, R>,
    args?: Args
  ): Operation<A, E, call.Services<Effect.Effect<A, E, R>>>
  <Args extends ReadonlyArray<any>, A>(f: (...args: Args) => Plain<A>, args?: Args): Operation<A>
}

/** The same in a greenlet that is given back. */
interface ApplyAsync {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    f: (...args: Args) => Generator<Eff, A, never>,
    args?: Args,
    callback?: (result: A) => unknown
  ): Greenlet<A, Effect.Error<Eff>>
  <Args extends ReadonlyArray<any>, A, E, R>(
    f: (...args: Args) => Effect.Effect<A, E, R>,
    args?: Args,
    callback?: (result: A) => unknown
  ): Greenlet<A, E>
  <Args extends ReadonlyArray<any>, A>(
    f: (...args: Args) => Plain<A>,
    args?: Args,
    callback?: (result: A) => unknown
  ): Greenlet<A>
}

/** Calls a function with each item, in greenlets. */
interface Map {
  <T, Eff extends Effect.Effect<any, any, any>, A>(
    f: (item: T) => Generator<Eff, A, never>,
    items: Items<T>
  ): Operation<Array<A>, Effect.Error<Eff>, call.Services<Eff>>
  <T, A, E, R>(
    f: (item: T) => Effect.Effect<A, E, R>,
    items: Items<T>
  ): Operation<Array<A>, E, call.Services<Effect.Effect<A, E, R>>>
  <T, A>(f: (item: T) => Plain<A>, items: Items<T>): Operation<Array<A>>
}

/** The same in a greenlet that is given back. */
interface MapAsync {
  <T, Eff extends Effect.Effect<any, any, any>, A>(
    f: (item: T) => Generator<Eff, A, never>,
    items: Items<T>,
    callback?: (results: Array<A>) => unknown
  ): Greenlet<Array<A>, Effect.Error<Eff>>
  <T, A, E, R>(
    f: (item: T) => Effect.Effect<A, E, R>,
    items: Items<T>,
    callback?: (results: Array<A>) => unknown
  ): Greenlet<Array<A>, E>
  <T, A>(f: (item: T) => Plain<A>, items: Items<T>, callback?: (results: Array<A>) => unknown): Greenlet<Array<A>>
}

/** How to iterate over results. */
export interface ImapOptions {
  /** How many results may be ready that nobody has taken yet; any number, if it is left out. */
  readonly maxsize?: number | undefined
}

/** Calls a function with each item of an iterable, or with those of two together; the results one by one. */
interface Imap {
  <T, Eff extends Effect.Effect<any, any, any>, A>(
    f: (item: T) => Generator<Eff, A, never>,
    items: Items<T>,
    options?: ImapOptions
  ): IMapUnordered<A, Effect.Error<Eff>>
  <T, A, E, R>(
    f: (item: T) => Effect.Effect<A, E, R>,
    items: Items<T>,
    options?: ImapOptions
  ): IMapUnordered<A, E>
  <T, A>(f: (item: T) => Plain<A>, items: Items<T>, options?: ImapOptions): IMapUnordered<A>
  <T, U, Eff extends Effect.Effect<any, any, any>, A>(
    f: (item: T, other: U) => Generator<Eff, A, never>,
    items: Items<T>,
    others: Items<U>,
    options?: ImapOptions
  ): IMapUnordered<A, Effect.Error<Eff>>
  <T, U, A>(
    f: (item: T, other: U) => Plain<A>,
    items: Items<T>,
    others: Items<U>,
    options?: ImapOptions
  ): IMapUnordered<A>
}

/** What groups and pools share. */
abstract class Gathering {
  static {
    printed(this)
  }
  /** What makes its greenlets. Mirrors `greenlet_class`. */
  greenletClass: GreenletClass = Greenlet
  /** The greenlets that are in it. */
  readonly greenlets = new Set<KernelGreenlet>()
  private readonly dying = new Set<KernelGreenlet>()
  private readonly emptyEvent: Event = new Event(this)
  private readonly discarding = (greenlet: KernelGreenlet): void => this.discarded(greenlet)

  constructor() {
    this.emptyEvent.set()
  }

  /** How many greenlets are in it. Mirrors `len(group)`. */
  get length(): number {
    return this.greenlets.size
  }

  /** Is that greenlet in it? Mirrors `greenlet in group`. */
  has(greenlet: KernelGreenlet): boolean {
    return this.greenlets.has(greenlet)
  }

  [Symbol.iterator](): Iterator<KernelGreenlet> {
    return this.greenlets[Symbol.iterator]()
  }

  /** @internal who keeps it from being empty */
  holders(): Iterable<KernelGreenlet> {
    return this.greenlets
  }

  /** Takes a greenlet out, whatever becomes of it. Mirrors `Group.discard`. */
  discard(greenlet: KernelGreenlet): void {
    this.discarded(greenlet)
    if (greenlet instanceof Greenlet) greenlet.unlink(this.discarding)
  }

  /** Would another greenlet have to wait? */
  abstract full(): boolean

  /** @internal makes a greenlet and starts it, waiting for room if need be */
  abstract spawning(f: Body, args: ReadonlyArray<unknown>): Generator<Effect.Effect<any, any>, Greenlet, any>

  /** Makes a greenlet and starts it: there is room. */
  protected abstract spawnNow(f: Body, args: ReadonlyArray<unknown>): Greenlet

  /** Waits until it is empty, for `timeout` seconds at the most; gives back whether it is. Mirrors `Group.join`. */
  join(options?: GroupJoinOptions): Operation<boolean> {
    return options?.raiseError === true
      ? new Steps(() => this.joining(options.timeout))
      : this.emptyEvent.wait(options?.timeout)
  }

  private *joining(timeout: Limit): Generator<Effect.Effect<any>, boolean, any> {
    const greenlets = [...this.greenlets]
    const result = yield* this.emptyEvent.wait(timeout)
    for (const greenlet of greenlets) {
      if (greenlet instanceof Greenlet && greenlet.exception !== undefined) throw greenlet.exception
    }
    return result
  }

  /** Kills all that are in it, and those that they add meanwhile. Mirrors `Group.kill`. */
  kill(options?: KillOptions): Operation<void> {
    return new Steps(() => this.killing(options))
  }

  private *killing(options: KillOptions | undefined): Generator<Effect.Effect<any>, void, any> {
    const deadline = new Deadline(options?.timeout)
    try {
      while (this.greenlets.size > 0) {
        for (const greenlet of Array.from(this.greenlets)) {
          if (this.dying.has(greenlet)) continue
          kill(greenlet, options?.exception)
          this.dying.add(greenlet)
        }
        if (options?.block === false) return
        yield* joinall([...this.greenlets].filter((greenlet) => greenlet instanceof Greenlet))
      }
    } catch (error) {
      if (!deadline.threw(error)) throw error
    } finally {
      deadline.cancel()
    }
  }

  /** Kills one that is in it. Mirrors `Group.killone`. */
  killone(greenlet: Greenlet, options?: KillOptions): Operation<void> {
    return new Steps(() => this.killingOne(greenlet, options))
  }

  private *killingOne(greenlet: Greenlet, options: KillOptions | undefined): Generator<Effect.Effect<any>, void, any> {
    if (this.dying.has(greenlet) || !this.greenlets.has(greenlet)) return
    kill(greenlet, options?.exception)
    this.dying.add(greenlet)
    if (options?.block !== false) yield* greenlet.join(options?.timeout)
  }

  /**
   * Calls `f` in a greenlet of the group and waits for what it returns; in one that is in the group, calls it on the spot.
   * Mirrors `Group.apply`.
   */
  readonly apply: Apply = (f: Body, args: ReadonlyArray<unknown> = []): any => new Steps(() => this.applying(f, args))

  private *applying(f: Body, args: ReadonlyArray<unknown>): Generator<Effect.Effect<any, any>, any, any> {
    if (this.has(getcurrent())) return yield* call(f, ...args)
    const greenlet = yield* this.spawning(f, args)
    return yield* greenlet.get()
  }

  /**
   * Calls `f` in a greenlet of the group, which it returns; a greenlet of its own waits for room if there is none.
   * `callback` gets the result, in a greenlet. Mirrors `Group.apply_async`.
   */
  readonly applyAsync: ApplyAsync = (
    f: Body,
    args: ReadonlyArray<unknown> = [],
    callback?: (result: any) => unknown
  ): any => {
    if (this.full()) {
      return Greenlet.spawn<Greenlet, [Body], [Body]>(() => this.applyingCb(f, args, callback))
    }
    const greenlet = this.spawnNow(f, args)
    if (callback !== undefined) greenlet.linkValue((source) => callback(source.value))
    return greenlet
  }

  private *applyingCb(
    f: Body,
    args: ReadonlyArray<unknown>,
    callback: ((result: unknown) => unknown) | undefined
  ): Generator<Effect.Effect<any, any>, any, any> {
    const result = yield* this.applying(f, args)
    if (callback !== undefined) Greenlet.spawn(callback, result)
    return result
  }

  /** Calls `f` with each item, in greenlets of the group; gives back the results in order. Mirrors `Group.map`. */
  readonly map: Map = (f: Body, items: Items<unknown>): any =>
    new Waits<any, any>((current) =>
      Greenlet.spawn<Greenlet, [Body], [Body]>(() => this.mapping(f, items)).get().perform(current)
    )

  private *mapping(
    f: Body,
    items: Items<unknown>
  ): Generator<Effect.Effect<any, any>, Array<unknown>, any> {
    const greenlets: Array<Greenlet> = []
    const next = together([items])
    for (let args = yield* next(); args !== undefined; args = yield* next()) {
      greenlets.push(yield* this.spawning(f, args))
    }
    const results: Array<unknown> = []
    for (const greenlet of greenlets) results.push(yield* greenlet.get())
    return results
  }

  /** As `map`, in a greenlet that it returns. Mirrors `Group.map_async`. */
  readonly mapAsync: MapAsync = (
    f: Body,
    items: Items<unknown>,
    callback?: (results: any) => unknown
  ): any => Greenlet.spawn<Greenlet, [Body], [Body]>(() => this.mappingCb(f, items, callback))

  private *mappingCb(
    f: Body,
    items: Items<unknown>,
    callback: ((results: unknown) => unknown) | undefined
  ): Generator<Effect.Effect<any, any>, unknown, any> {
    const results = yield* (yield* this.spawnedMap(f, items)).get()
    callback?.(results)
    return results
  }

  private *spawnedMap(f: Body, items: Items<unknown>): Generator<Effect.Effect<any>, Greenlet, any> {
    return Greenlet.spawn<Greenlet, [Body], [Body]>(() => this.mapping(f, items))
  }

  /** Calls `f` with each item, in greenlets of the group; the results in order, one by one. Mirrors `Group.imap`. */
  readonly imap: Imap = (f: Body, ...rest: ReadonlyArray<any>): any => {
    const [items, options] = itemsOf(rest)
    return start(new IMap(this, f, items, options?.maxsize))
  }

  /** As `imap`, but the results as they come. Mirrors `Group.imap_unordered`. */
  readonly imapUnordered: Imap = (f: Body, ...rest: ReadonlyArray<any>): any => {
    const [items, options] = itemsOf(rest)
    return start(new IMapUnordered(this, f, items, options?.maxsize))
  }

  protected included(greenlet: KernelGreenlet): void {
    if (greenlet instanceof Greenlet) greenlet.rawlink(this.discarding)
    this.greenlets.add(greenlet)
    this.emptyEvent.clear()
  }

  protected discarded(greenlet: KernelGreenlet): void {
    this.greenlets.delete(greenlet)
    this.dying.delete(greenlet)
    if (this.greenlets.size === 0) this.emptyEvent.set()
  }

  toString(): string {
    return `<${this.constructor.name} of ${this.greenlets.size}>`
  }
}

const start = <G extends Greenlet>(greenlet: G): G => {
  greenlet.start()
  return greenlet
}

/** @internal the arguments for each call, and the options behind the items */
export const itemsOf = (rest: ReadonlyArray<any>): [NextArguments, ImapOptions | undefined] => {
  const last = rest.at(-1)
  return isItems(last) ? [together(rest), undefined] : [together(rest.slice(0, -1)), last as ImapOptions | undefined]
}

/**
 * Greenlets that are waited for and killed together. Mirrors `gevent.pool.Group`.
 *
 * @category models
 * @since 0.1.0
 */
export class Group extends Gathering {
  constructor(greenlets: Iterable<Greenlet> = []) {
    super()
    for (const greenlet of greenlets) this.included(greenlet)
  }

  /** Makes a greenlet of the group and starts it. Mirrors `Group.spawn`. */
  readonly spawn: Spawn = (f: Body, ...args: ReadonlyArray<unknown>): any => this.spawnNow(f, args)

  /** Takes a greenlet in and starts it. Mirrors `Group.start`. */
  start(greenlet: Greenlet): void {
    this.included(greenlet)
    greenlet.start()
  }

  /** Takes a greenlet in. Mirrors `Group.add`. */
  add(greenlet: KernelGreenlet): void {
    this.included(greenlet)
  }

  /** It never is. */
  full(): boolean {
    return false
  }

  protected spawnNow(f: Body, args: ReadonlyArray<unknown>): Greenlet {
    const greenlet = new this.greenletClass(f, ...args)
    this.start(greenlet)
    return greenlet
  }

  *spawning(f: Body, args: ReadonlyArray<unknown>): Generator<Effect.Effect<any>, Greenlet, any> {
    return this.spawnNow(f, args)
  }
}

/**
 * A pool that has no room, and was not to wait for it. Mirrors `gevent.pool.PoolFull`.
 *
 * @category errors
 * @since 0.1.0
 */
export class PoolFull extends Full {
  override readonly name: string = "PoolFull"
}

/** Makes a greenlet and starts it, waiting for room. */
export interface SpawnInPool {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    run: (...args: Args) => Generator<Eff, A, never>,
    ...args: Args
  ): Operation<Greenlet<A, Effect.Error<Eff>>, never, call.Services<Eff>>
  <Args extends ReadonlyArray<any>, A, E, R>(
    run: (...args: Args) => Effect.Effect<A, E, R>,
    ...args: Args
  ): Operation<Greenlet<A, E>, never, call.Services<Effect.Effect<A, E, R>>>
  <Args extends ReadonlyArray<any>, A>(run: (...args: Args) => Plain<A>, ...args: Args): Operation<Greenlet<A, never>>
}

/**
 * A group of so many greenlets at the most: who wants to add another waits. Mirrors `gevent.pool.Pool`.
 *
 * @category models
 * @since 0.1.0
 */
export class Pool extends Gathering {
  /** How many greenlets it has room for; `undefined` for any number. */
  readonly size: number | undefined
  private readonly semaphore: Semaphore | DummySemaphore

  /** @param size how many; any number, if it is left out. Throws `ValueError` if it is negative. */
  constructor(size?: number | null, greenletClass?: GreenletClass) {
    super()
    if (size != null && size < 0) throw new ValueError(`size must not be negative: ${size}`)
    this.size = size ?? undefined
    if (greenletClass !== undefined) this.greenletClass = greenletClass
    this.semaphore = size == null ? new DummySemaphore() : new Semaphore(size)
  }

  /** Makes a greenlet of the pool and starts it, waiting for room. Mirrors `Pool.spawn`. */
  readonly spawn: SpawnInPool = (f: Body, ...args: ReadonlyArray<unknown>): any =>
    new Steps(() => this.spawning(f, args))

  /** Takes a greenlet in and starts it, waiting for room. Mirrors `Pool.start`. */
  start(greenlet: Greenlet, options?: AcquireOptions | boolean): Operation<void> {
    return new Steps(() => this.starting(greenlet, options))
  }

  /** Takes a greenlet in, waiting for room. Dies with `PoolFull` if it does not wait or time is over. */
  add(greenlet: KernelGreenlet, options?: AcquireOptions | boolean): Operation<void> {
    return new Steps(() => this.adding(greenlet, options))
  }

  /** Waits until there is room, without using it. Mirrors `Pool.wait_available`. */
  waitAvailable(timeout?: Limit): Operation<number> {
    return this.semaphore.wait(timeout)
  }

  full(): boolean {
    return this.freeCount() <= 0
  }

  /** How many greenlets there is room for; 1 if for any number. Mirrors `Pool.free_count`. */
  freeCount(): number {
    return this.size === undefined ? 1 : Math.max(0, this.size - this.length)
  }

  *spawning(f: Body, args: ReadonlyArray<unknown>): Generator<Effect.Effect<any>, Greenlet, any> {
    const greenlet = new this.greenletClass(f, ...args)
    yield* this.starting(greenlet, undefined)
    return greenlet
  }

  protected spawnNow(f: Body, args: ReadonlyArray<unknown>): Greenlet {
    const greenlet = new this.greenletClass(f, ...args)
    if (!this.semaphore.tryAcquire()) throw new PoolFull("the pool is full")
    this.included(greenlet)
    greenlet.start()
    return greenlet
  }

  private *starting(
    greenlet: Greenlet,
    options: AcquireOptions | boolean | undefined
  ): Generator<Effect.Effect<any>, void, any> {
    yield* this.adding(greenlet, options)
    greenlet.start()
  }

  private *adding(
    greenlet: KernelGreenlet,
    options: AcquireOptions | boolean | undefined
  ): Generator<Effect.Effect<any>, void, any> {
    if (!(yield* this.semaphore.acquire(options))) throw new PoolFull("the pool is full")
    this.included(greenlet)
  }

  protected override discarded(greenlet: KernelGreenlet): void {
    super.discarded(greenlet)
    this.semaphore.release()
  }
}
