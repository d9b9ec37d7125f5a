/**
 * The greenlet of gevent: started by the hub, killed, linked, and waited for.
 *
 * Carries `gevent.greenlet`. Where it differs: what it runs is the method `run` of a subclass, upstream's `_run`.
 */
import type * as Effect from "effect/Effect"
import {
  BEGIN,
  type Body,
  bodyOf,
  bury,
  call,
  CallRoutine,
  getcurrent,
  Greenlet as KernelGreenlet,
  GreenletExit,
  type Microthread,
  type Mode,
  type NotAsync,
  type Operation,
  originOf,
  type Plain,
  pushFrame,
  Routine,
  THROW
} from "../../../greenlet/index.ts"
import type { GetOptions } from "../sync/event.ts"
import {
  Cooperative,
  describe,
  gethub,
  type Hub,
  hubOf,
  HubOperation,
  isGenerator,
  RawGreenlet,
  Steps,
  Waits
} from "./hub.ts"
import {
  isLink,
  type Link,
  type LinkFunction,
  type LinkObject,
  LinkWait,
  requireCallable,
  Telling
} from "./linkable.ts"
import type { Callback, Timer } from "./loop.ts"
import { Deadline, errorOf, isErrorClass, type Limit, Timeout } from "./timeout.ts"
import { type Place, WaitQueue } from "./wait-queue.ts"
import { Collecting, iwait, waitables, waitFor } from "./wait.ts"
import { Waiter } from "./waiter.ts"

/** How to kill. */
export interface KillOptions {
  /** What to throw: an error or an error class. `GreenletExit` if left out. */
  readonly exception?: unknown
  /** Wait until the greenlet has ended? Yes, if left out. */
  readonly block?: boolean
  /** How long to wait for that, in seconds. */
  readonly timeout?: Limit
}

/** How a greenlet came to be started, or that it never will be. */
type Start = Callback | Timer | "cancelled" | "completed" | undefined

/**
 * A greenlet that the hub starts: its body returns an `A` and fails with an `E`.
 *
 * Subclass it with a `*run()` method, or make one with `spawn`. Mirrors `gevent.Greenlet`.
 *
 * @category models
 * @since 0.1.0
 */
export class Greenlet<out A = any, out E = any, Args extends ReadonlyArray<any> = any> extends Cooperative<A, E> {
  private _start: Start = undefined
  private _over = false
  private _result: A | undefined = undefined
  private _failed = false
  private _error: unknown = undefined
  private _args: ReadonlyArray<unknown>
  private readonly _links = new WaitQueue<Link>()
  private _notifier: Callback | undefined = undefined
  private _entry: Body | undefined = undefined
  private _ident: number | undefined = undefined
  private _name: string | undefined = undefined

  /**
   * @param run what it runs; a subclass that has a `run` method leaves it out
   * @param args the arguments for that
   */
  constructor(run?: Body<Args, A, E> & NotAsync<A>, ...args: Args) {
    super(run)
    if (run == null && "_run" in this && !hasRun(this)) {
      throw new TypeError("the body of a subclass is its method run: rename _run, which is the name in Python, to run")
    }
    this._args = args
  }

  /** Makes one and starts it. Mirrors `Greenlet.spawn`. */
  static spawn<G extends Greenlet, Args extends ReadonlyArray<any>, Given extends Args>(
    this: new(...args: Args) => G,
    ...args: Given & FirstNotAsync<Given>
  ): G {
    const greenlet = new this(...args as Given)
    greenlet.start()
    return greenlet
  }

  /** Makes one and starts it in `seconds`. Mirrors `Greenlet.spawn_later`. */
  static spawnLater<G extends Greenlet, Args extends ReadonlyArray<any>, Given extends Args>(
    this: new(...args: Args) => G,
    seconds: number,
    ...args: Given & FirstNotAsync<Given>
  ): G {
    const greenlet = new this(...args as Given)
    greenlet.startLater(seconds)
    return greenlet
  }

  // ---- its start --------------------------------------------------------------------------------------------------

  /** Has the hub start it; nothing happens if it was started before. Mirrors `Greenlet.start`. */
  start(): void {
    if (this._start !== undefined) return
    for (const callback of spawnCallbacks) callback(this)
    this._start = this.hub.runCallback(() => this._begins())
  }

  /** Has the hub start it in `seconds`. Mirrors `Greenlet.start_later`. */
  startLater(seconds: number): void {
    if (this._start !== undefined) return
    for (const callback of spawnCallbacks) callback(this)
    const timer = this.hub.timer(seconds)
    this._start = timer
    timer.start(() => this._begins())
  }

  /** The hub is about to switch to it for the first time. */
  private _begins(): this {
    this._start = "completed"
    return this
  }

  /** Has every greenlet told to `callback` that is started from now on. Mirrors `Greenlet.add_spawn_callback`. */
  static addSpawnCallback(callback: (greenlet: Greenlet) => void): void {
    spawnCallbacks.add(callback)
  }

  /** Takes that back. Mirrors `Greenlet.remove_spawn_callback`. */
  static removeSpawnCallback(callback: (greenlet: Greenlet) => void): void {
    spawnCallbacks.delete(callback)
  }

  protected override begins(): Body {
    this._entry = bodyOf(this) === undefined && !hasRun(this) ? nothing : super.begins()
    return launch
  }

  /** @internal it begins to run */
  _launch(): unknown {
    this._cancelStart()
    this._start = "completed"
    const { _args: args, _entry: entry } = this
    this._entry = undefined
    this._args = []
    return entry!.apply(this.receiver(entry!), args as Array<unknown>)
  }

  /** It will not be started any more. One that has never run is dead then. */
  private _cancelStart(): void {
    const start = this._start
    if (start === undefined) this._start = "cancelled"
    else if (typeof start === "object") start.stop()
  }

  private get _startAborted(): boolean {
    const start = this._start
    return start === "cancelled" || (typeof start === "object" && !start.pending && this.unstarted)
  }

  // ---- its state --------------------------------------------------------------------------------------------------

  /** Has it ended, or was it killed before it could start? */
  override get dead(): boolean {
    return super.dead || this._startAborted
  }

  /** Was it started, or is going to be, and has not ended? Python's `bool(g)` is the same. */
  get started(): boolean {
    return this._start !== undefined && !this._over
  }

  /** Has it ended, so that it can be got? */
  ready(): boolean {
    return this._over || this.dead
  }

  /** Did it end with a value, `GreenletExit` among them? */
  successful(): boolean {
    return this._over && !this._failed
  }

  /** What it returned, or the `GreenletExit` that it ended of; `undefined` until then. */
  get value(): A | undefined {
    return this._result
  }

  /** The error that it died of. */
  get exception(): unknown {
    return this._error
  }

  /** The class of that error and the error. Mirrors `exc_info`. */
  get excInfo(): readonly [type: unknown, error: unknown] | undefined {
    if (!this._failed) return undefined
    return [(this._error as object | null)?.constructor, this._error]
  }

  /** A small number of its own, among the greenlets of its hub. Mirrors `minimal_ident`. */
  get minimalIdent(): number {
    return this._ident ??= this.hub.nextIdent()
  }

  /** A name for it: can be set. */
  get name(): string {
    return this._name ?? `Greenlet-${this.minimalIdent}`
  }

  set name(name: string) {
    this._name = name
  }

  override toString(): string {
    const name = this._name === undefined && this._ident === undefined ? "" : ` "${this.name}"`
    const run = originOf(this)?.name
    return `<${this.constructor.name}${name}${run ? `: ${run}` : ""}>`
  }

  // ---- its end ----------------------------------------------------------------------------------------------------

  protected override ends(value: unknown): Microthread {
    this._reportResult(value as A)
    return super.ends(undefined)
  }

  protected override dies(error: unknown): Microthread {
    this._cancelStart()
    this._reportError(error)
    return super.ends(undefined)
  }

  private _reportResult(value: A): void {
    this._over = true
    this._result = value
    this._notify()
  }

  private _reportError(error: unknown): void {
    if (error instanceof GreenletExit) return this._reportResult(error as A)
    this._over = true
    this._failed = true
    this._error = error
    this._notify()
    this.hub.report(this, error)
  }

  /** It will never run: it ends of what it was killed with. */
  private _reportDeathBeforeStart(error: unknown): void {
    if (this._over || !this.dead) return
    if (!super.dead) bury(this)
    this._reportError(error)
  }

  /**
   * Throws an error in it, at once: for hubs and schedulers. Use `kill`. Mirrors `Greenlet.throw`.
   */
  override throw<B = A>(error: unknown = GreenletExit, ...args: ReadonlyArray<unknown>): Operation<B, E> {
    if (args.length > 0 && !isErrorClass(error)) return super.throw(error, ...args)
    const thrown = errorOf(error, ...args)
    return new Throw(this, thrown, super.throw(thrown)) as unknown as Operation<B, E>
  }

  /** @internal */
  _throwBeforeStart(error: unknown): boolean {
    this._cancelStart()
    if (!this.dead) return false
    this._reportDeathBeforeStart(error)
    return true
  }

  /**
   * Has an error thrown in it by the hub, `GreenletExit` if left out, and waits until it has ended. One that has not
   * started will not be. One that waits for a foreign Effect has that interrupted, and its finalizers run. Mirrors
   * `Greenlet.kill`.
   */
  kill(options?: KillOptions): Operation<void> {
    return new Waits((current) => this._kills(current, options))
  }

  private _kills(current: Microthread, options: KillOptions | undefined): Microthread {
    const error = errorOf(options?.exception ?? GreenletExit)
    if (this._throwBeforeStart(error) || this.ready()) return current.give(undefined)
    const { hub } = this
    const waiter = options?.block === false ? undefined : new Waiter<unknown>(hub, this)
    hub.runCallback(() => new KillingInHub(hub, [this], error, waiter))
    if (waiter === undefined) return current.give(undefined)
    pushFrame(current, new Killing(this, waiter, options?.timeout))
    return current
  }

  // ---- waiting for it ---------------------------------------------------------------------------------------------

  /**
   * Waits until it has ended, and gives back what it returned. Dies with the error that it died of, or with a `Timeout`.
   * Mirrors `Greenlet.get`.
   */
  get(options?: GetOptions): Operation<A, E> {
    return new Waits<A, E>((current) => this._gets(current, options))
  }

  private _gets(current: Microthread, options: GetOptions | undefined): Microthread {
    if (this.ready()) return current.give(this._take())
    if (options?.block === false) throw new Timeout()
    return new GetGreenlet<A>(this, current).waits(options?.timeout)
  }

  /** @internal what it returned; throws what it died of */
  _take(): A {
    if (this._failed) throw this._error
    return this._result as A
  }

  /** Waits until it has ended, for `timeout` seconds at the most. Mirrors `Greenlet.join`. */
  join(timeout?: Limit): Operation<void> {
    return new Waits((current) =>
      this.ready() ? current.give(undefined) : new JoinGreenlet(this, current).waits(timeout)
    )
  }

  /**
   * Runs a block with it, and waits for the greenlet at its end; an error in the block kills the greenlet. Mirrors
   * `with greenlet as g:`.
   */
  within<Eff extends Effect.Effect<any, any, any>, B>(
    block: (greenlet: this) => Generator<Eff, B, never>
  ): Operation<B, Effect.Error<Eff>, call.Services<Eff>>
  within<B, E2, R>(
    block: (greenlet: this) => Effect.Effect<B, E2, R>
  ): Operation<B, E2, call.Services<Effect.Effect<B, E2, R>>>
  within<B>(block: (greenlet: this) => Plain<B>): Operation<B>
  within(block: Body): Operation<any, any> {
    return new CallRoutine(() => new Within(this as Greenlet, block))
  }

  // ---- links ------------------------------------------------------------------------------------------------------

  /** Has it any links? */
  hasLinks(): boolean {
    return this._links.size > 0
  }

  /** Has `callback` called with it in the hub, once it has ended: it must not wait. Mirrors `Greenlet.rawlink`. */
  rawlink(callback: LinkFunction<this>): void {
    requireCallable(callback)
    this.addLink(callback)
  }

  /** Has `callback` called with it, in a greenlet of its own, once it has ended. Mirrors `Greenlet.link`. */
  link(callback: Body<[this]>): void {
    this.addLink(new SpawnedLink(callback, "always"))
  }

  /** The same, if it ends with a value. Mirrors `Greenlet.link_value`. */
  linkValue(callback: Body<[this]>): void {
    this.addLink(new SpawnedLink(callback, "value"))
  }

  /** The same, if it dies of an error. Mirrors `Greenlet.link_exception`. */
  linkException(callback: Body<[this]>): void {
    this.addLink(new SpawnedLink(callback, "exception"))
  }

  /** Takes a link back. Mirrors `Greenlet.unlink`. */
  unlink(callback: Body<[this]>): void {
    const place = this._links.find(isLink(callback))
    if (place !== undefined) this._links.remove(place)
  }

  /** Takes all links back, those of greenlets that wait for it among them. Mirrors `Greenlet.unlink_all`. */
  unlinkAll(): void {
    this._links.clear()
  }

  /** @internal */
  addLink(link: Link): Place<Link> {
    const place = this._links.push(link)
    if (this.ready()) this._notify()
    return place
  }

  /** @internal */
  removeLink(place: Place<Link>): void {
    this._links.remove(place)
  }

  private _notify(): void {
    if (this._links.size === 0 || this._notifier !== undefined) return
    this._notifier = this.hub.runCallback(() => new TellingEnd(this, this.hub))
  }

  /** @internal the next link to be told of its end */
  _shiftLink(): Link | undefined {
    return this._links.shift()?.value
  }

  /** @internal all were told */
  _notified(): void {
    this._notifier = undefined
  }
}

class GetGreenlet<A> extends LinkWait<Greenlet<A>, A> {
  protected told(): A {
    return this.source._take()
  }
}

class JoinGreenlet extends LinkWait<Greenlet, void> {
  protected told(): void {}
  protected override timedOut(): void {}
}

/** In the hub: tells the links of a greenlet that it has ended. */
class TellingEnd extends Telling {
  private readonly greenlet: Greenlet
  constructor(greenlet: Greenlet, hub: Hub) {
    super(greenlet, hub)
    this.greenlet = greenlet
  }
  protected next(): Link | undefined {
    return this.greenlet._shiftLink()
  }
  protected over(allTold: boolean): void {
    if (allTold) this.greenlet._notified()
  }
}

/** Arguments of which the first is no async function, as that cannot be a body. */
type FirstNotAsync<Args extends ReadonlyArray<any>> = Args extends
  readonly [(...args: any) => infer Made, ...ReadonlyArray<any>] ? NotAsync<Made> : unknown

const nothing: Body = () => undefined

/** Has a subclass a method `run`? */
const hasRun = (greenlet: Greenlet): boolean => {
  let prototype: object = Object.getPrototypeOf(greenlet)
  while (prototype !== KernelGreenlet.prototype && !Object.hasOwn(prototype, "run")) {
    prototype = Object.getPrototypeOf(prototype)
  }
  return prototype !== KernelGreenlet.prototype
}

function launch(this: Greenlet): unknown {
  return this._launch()
}

const spawnCallbacks = new Set<(greenlet: Greenlet) => void>()

/** A link that is called in a greenlet of its own. */
class SpawnedLink implements LinkObject {
  readonly callback: Body
  private readonly when: "always" | "value" | "exception"
  constructor(callback: Body, when: "always" | "value" | "exception") {
    requireCallable(callback)
    this.callback = callback
    this.when = when
  }
  notify(source: Greenlet): unknown {
    if (this.when === "value" ? !source.successful() : this.when === "exception" && source.successful()) {
      return undefined
    }
    return new RawGreenlet(this.callback, source.hub).switch(source)
  }
}

class Throw extends HubOperation<unknown> {
  readonly greenlet: Greenlet
  readonly error: unknown
  readonly operation: Operation<unknown, any>
  constructor(greenlet: Greenlet, error: unknown, operation: Operation<unknown, any>) {
    super()
    this.greenlet = greenlet
    this.error = error
    this.operation = operation
  }
  perform(current: Microthread): Microthread {
    if (this.greenlet._throwBeforeStart(this.error)) return current.give(undefined)
    return this.operation.perform(current)
  }
}

/** Waits until an error was thrown in a greenlet, and then for its end. */
class Killing extends Routine<void> {
  private readonly greenlet: Greenlet
  private readonly thrown: Waiter<unknown>
  private readonly timeout: Limit
  constructor(greenlet: Greenlet, thrown: Waiter<unknown>, timeout: Limit) {
    super()
    this.greenlet = greenlet
    this.thrown = thrown
    this.timeout = timeout
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (mode === THROW) throw value
    if (this.pc === BEGIN) return this.at(2, this.thrown.get())
    return this.pc === 2 ? this.at(4, this.greenlet.join(this.timeout)) : this.ends(undefined)
  }
}

/** In the hub: throws in greenlets, and tells who waits for that which of them have not ended of it. */
class KillingInHub extends Routine<void> {
  private readonly hub: Hub
  private readonly greenlets: ReadonlyArray<KernelGreenlet>
  private readonly error: unknown
  private readonly waiter: Waiter<any> | undefined
  private readonly diehards: Array<KernelGreenlet> = []
  private index = 0
  constructor(
    hub: Hub,
    greenlets: ReadonlyArray<KernelGreenlet>,
    error: unknown,
    waiter: Waiter<any> | undefined
  ) {
    super()
    this.hub = hub
    this.greenlets = greenlets
    this.error = error
    this.waiter = waiter
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    const { diehards, greenlets, waiter } = this
    if (this.pc === TELLING) {
      if (mode === THROW) throw value
      return this.ends(undefined)
    }
    if (this.pc === THROWING) {
      const greenlet = greenlets[this.index++]!
      if (mode === THROW) this.hub.handleErrorInHub(greenlet, value)
      if (!greenlet.dead) diehards.push(greenlet)
    }
    while (this.index < greenlets.length && greenlets[this.index]!.dead) this.index++
    if (this.index < greenlets.length) return this.at(THROWING, greenlets[this.index]!.throw(this.error))
    const told = waiter?.switch(diehards)
    return told === undefined ? this.ends(undefined) : this.at(TELLING, told)
  }
}

const THROWING = 2
const TELLING = 4

/** A block with a greenlet. */
class Within extends Routine {
  private readonly greenlet: Greenlet
  private readonly block: Body
  private result: unknown = undefined
  private failure: { readonly error: unknown } | undefined = undefined
  constructor(greenlet: Greenlet, block: Body) {
    super()
    this.greenlet = greenlet
    this.block = block
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    switch (this.pc) {
      case BEGIN:
        try {
          return this.at(IN_BLOCK, call(this.block, this.greenlet))
        } catch (error) {
          return this.kills(error)
        }
      case IN_BLOCK:
        if (mode === THROW) return this.kills(value)
        this.result = value
        return this.at(JOINING, this.greenlet.join())
      case JOINING:
        if (mode === THROW) this.failure = { error: value }
        return this.at(ENDING, this.greenlet.kill())
    }
    if (mode === THROW) throw value
    if (this.failure !== undefined) throw this.failure.error
    return this.ends(this.result)
  }
  private kills(error: unknown): unknown {
    this.failure = { error }
    return this.at(ENDING, this.greenlet.kill({ exception: error }))
  }
}

const IN_BLOCK = 2
const JOINING = 4
const ENDING = 6

// ---- spawning -------------------------------------------------------------------------------------------------------

/** Spawns what is given: a generator function, a function that returns an Effect, or a plain one; with its arguments. */
export interface Spawn {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    run: (...args: Args) => Generator<Eff, A, never>,
    ...args: Args
  ): Greenlet<A, Effect.Error<Eff>>
  <Args extends ReadonlyArray<any>, A, E, R>(
    run: (...args: Args) => Effect.Effect<A, E, R>,
    ...args: Args
  ): Greenlet<A, E>
  <Args extends ReadonlyArray<any>, A>(run: (...args: Args) => Plain<A>, ...args: Args): Greenlet<A, never>
}

/**
 * Makes a greenlet and has the hub start it. Mirrors `gevent.spawn`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { call } from "effect-stackless/greenlet"
 * import { sleep, spawn } from "effect-stackless/compat/gevent"
 *
 * const adding = function*(a: number, b: number) {
 *   yield* sleep(0.001)
 *   return a + b
 * }
 * await Effect.runPromise(call(function*() {
 *   const greenlet = spawn(adding, 1, 2)
 *   return yield* greenlet.get()
 * })) // => 3
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const spawn: Spawn = (run: Body, ...args: ReadonlyArray<unknown>): any => {
  requireBody("spawn takes a function and its arguments", run)
  const greenlet = new Greenlet(run, ...args)
  greenlet.start()
  return greenlet
}

/** As `Spawn`, in some seconds. */
export interface SpawnLater {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    seconds: number,
    run: (...args: Args) => Generator<Eff, A, never>,
    ...args: Args
  ): Greenlet<A, Effect.Error<Eff>>
  <Args extends ReadonlyArray<any>, A, E, R>(
    seconds: number,
    run: (...args: Args) => Effect.Effect<A, E, R>,
    ...args: Args
  ): Greenlet<A, E>
  <Args extends ReadonlyArray<any>, A>(
    seconds: number,
    run: (...args: Args) => Plain<A>,
    ...args: Args
  ): Greenlet<A, never>
}

/**
 * Makes a greenlet and has the hub start it in `seconds`. Mirrors `gevent.spawn_later`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const spawnLater: SpawnLater = (seconds: number, run: Body, ...args: ReadonlyArray<unknown>): any => {
  requireBody("spawnLater takes seconds, a function and its arguments", run)
  const greenlet = new Greenlet(run, ...args)
  greenlet.startLater(seconds)
  return greenlet
}

/** As `Spawn`, for a greenlet that has no links. */
export interface SpawnRaw {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    run: (...args: Args) => Generator<Eff, A, never>,
    ...args: Args
  ): RawGreenlet<A, Effect.Error<Eff>>
  <Args extends ReadonlyArray<any>, A, E, R>(
    run: (...args: Args) => Effect.Effect<A, E, R>,
    ...args: Args
  ): RawGreenlet<A, E>
  <Args extends ReadonlyArray<any>, A>(run: (...args: Args) => Plain<A>, ...args: Args): RawGreenlet<A, never>
}

/**
 * Makes a greenlet without links or result, which costs less, and has the hub start it. Mirrors `gevent.spawn_raw`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const spawnRaw: SpawnRaw = (run: Body, ...args: ReadonlyArray<unknown>): any => {
  requireBody("spawnRaw takes a function and its arguments", run)
  const hub = gethub()
  const greenlet = new RawGreenlet(run, hub)
  const starting = greenlet.switch(...args)
  hub.runCallback(() => starting)
  return greenlet
}

const requireBody = (rule: string, run: unknown): void => {
  if (typeof run === "function") return
  throw new TypeError(`${rule}; got ${isGenerator(run) ? "a generator: leave the call to it" : describe(run)}`)
}

// ---- several --------------------------------------------------------------------------------------------------------

/** How to wait for several. */
export interface JoinallOptions {
  /** How long, in seconds. */
  readonly timeout?: number | null | undefined
  /** Throw the error of one that dies? */
  readonly raiseError?: boolean
  /** For how many of them; all, if left out. */
  readonly count?: number | null | undefined
}

/**
 * Waits for greenlets to end; gives back those that have. Throws `TypeError` if one cannot be waited for. Mirrors
 * `gevent.joinall`.
 *
 * @category operations
 * @since 0.1.0
 */
export const joinall = <G extends Greenlet>(
  greenlets: Iterable<G>,
  options?: JoinallOptions
): Operation<Array<G>> => {
  const things = waitables("joinall", greenlets)
  if (options?.raiseError !== true) return waitFor(things, options)
  return new Steps<Array<G>>(() => new JoiningAll<G>(iwait(things, options)))
}

/** Waits for greenlets up to the first that dies, whose error it throws. */
class JoiningAll<G extends Greenlet> extends Collecting<G> {
  protected override takes(greenlet: G): void {
    if (greenlet.exception !== undefined) {
      this.iterator.close()
      throw greenlet.exception
    }
    super.takes(greenlet)
  }
}

/**
 * Kills greenlets, raw ones among them; waits until they have ended unless told otherwise. Throws `TypeError` for what is
 * no greenlet. Mirrors `gevent.killall`.
 *
 * @category operations
 * @since 0.1.0
 */
export const killall = (greenlets: Iterable<KernelGreenlet>, options?: KillOptions): Operation<void> => {
  const all = [...greenlets]
  for (const greenlet of all) requireGreenlet("killall takes greenlets", greenlet)
  return new Waits((current) => killingAll(current, all, options))
}

const requireGreenlet = (rule: string, u: unknown): void => {
  if (!(u instanceof KernelGreenlet)) throw new TypeError(`${rule}; got ${describe(u)}`)
}

const killingAll = (
  current: Microthread,
  greenlets: ReadonlyArray<KernelGreenlet>,
  options: KillOptions | undefined
): Microthread => {
  const error = errorOf(options?.exception ?? GreenletExit)
  const alive = greenlets.filter((g) => !(g instanceof Greenlet && g._throwBeforeStart(error)))
  if (alive.length === 0) return current.give(undefined)
  const hub = hubOf(alive[0]!.thread)
  const waiter = options?.block === false ? undefined : new Waiter<Array<KernelGreenlet>>(hub, alive)
  hub.runCallback(() => new KillingInHub(hub, alive, error, waiter))
  if (waiter === undefined) return current.give(undefined)
  pushFrame(current, new KillingAll(waiter, Deadline.of(options?.timeout)))
  return current
}

/** Waits until an error was thrown in greenlets, and then for the end of those that it has not ended. */
class KillingAll extends Routine<void> {
  private readonly thrown: Waiter<Array<KernelGreenlet>>
  private readonly deadline: Deadline | undefined
  constructor(thrown: Waiter<Array<KernelGreenlet>>, deadline: Deadline | undefined) {
    super()
    this.thrown = thrown
    this.deadline = deadline
  }
  "~resume"(mode: Mode, value: unknown): unknown {
    if (this.pc === BEGIN) return this.at(2, this.thrown.get())
    if (mode !== THROW && this.pc === 2) {
      const diehards = (value as Array<KernelGreenlet>).filter((g) => g instanceof Greenlet)
      if (diehards.length > 0) return this.at(4, joinall(diehards))
    }
    this.deadline?.cancel()
    if (mode === THROW) throw value
    return this.ends(undefined)
  }
}

/**
 * Has the hub throw an error in a greenlet of any kind, without waiting for what comes of it. Throws `TypeError` for what
 * is no greenlet. Mirrors `gevent.kill`.
 *
 * @category operations
 * @since 0.1.0
 */
export const kill = (greenlet: KernelGreenlet, exception: unknown = GreenletExit): void => {
  requireGreenlet("kill takes a greenlet", greenlet)
  if (greenlet.dead) return
  const error = errorOf(exception)
  if (greenlet instanceof Greenlet && greenlet._throwBeforeStart(error)) return
  hubOf(greenlet.thread).runCallback(() =>
    new KillingInHub(greenlet instanceof Cooperative ? greenlet.hub : gethub(), [greenlet], error, undefined)
  )
}

/**
 * The greenlet that runs. Mirrors `gevent.getcurrent`.
 *
 * @category inspection
 * @since 0.1.0
 */
export { getcurrent }
