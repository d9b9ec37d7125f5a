/**
 * Functions on worker threads, for what computes long or blocks. Carries `gevent.threadpool`.
 *
 * Where it differs: a function goes to its thread as source text, as JavaScript's threads share no objects. So it can use
 * nothing from outside of itself but globals and `import(…)`, and its arguments and result are copies. It may be async.
 * And a thread can be ended in the middle: `kill` breaks off what runs, where upstream waits for it.
 *
 * It stands on Node's `worker_threads`, not on `effect/workers`: what starts a thread and listens to it is just the part
 * that this leaves to a platform's package, and a thread that loads its runner is ready after 245 ms, instead of 35.
 */
import type * as Effect from "effect/Effect"
import { availableParallelism } from "node:os"
import { Script } from "node:vm"
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads"
import { type Body, call, hold, type Operation, type Plain, ValueError } from "../../../greenlet/index.ts"
import { InvalidThreadUseError, RuntimeError } from "../core/exceptions.ts"
import { Greenlet } from "../core/greenlet.ts"
import { describe, gethub, type Hub, Steps, Waits } from "../core/hub.ts"
import type { Timer } from "../core/loop.ts"
import { printed } from "../core/printed.ts"
import { AsyncResult, Event } from "../sync/event.ts"
import { IMap, IMapUnordered } from "../sync/imap.ts"
import { Semaphore } from "../sync/lock.ts"
import { type ImapOptions, itemsOf } from "../sync/pool.ts"

/** A function for another thread. */
export type Task<Args extends ReadonlyArray<any>, A> = (...args: Args) => A | Promise<A>

/** How a pool treats its threads. */
export interface ThreadPoolOptions {
  /** After how many seconds a thread that has nothing to do is ended; never, if it is left out. */
  readonly idleTaskTimeout?: number | undefined
}

/** Calls a function on threads with each item of an iterable, or with those of several together. */
interface Imap<Results> {
  <T, A>(f: Task<[T], A>, items: Iterable<T>, options?: ImapOptions): ResultsOf<Results, Awaited<A>>
  <T, U, A>(
    f: Task<[T, U], A>,
    items: Iterable<T>,
    others: Iterable<U>,
    options?: ImapOptions
  ): ResultsOf<Results, Awaited<A>>
}

type ResultsOf<Results, A> = Results extends "ordered" ? IMap<A> : IMapUnordered<A>

/**
 * A thread has ended before the function that it ran, or was to run: it was killed, or the function ended it.
 *
 * @category errors
 * @since 0.1.0
 */
export class ThreadEnded extends Error {
  override readonly name: string = "ThreadEnded"
  static {
    hold(this, "gevent.ThreadEnded")
  }
  /** What the thread ended with; `undefined` if it was killed. */
  readonly exitCode: number | undefined
  constructor(message: string, exitCode?: number) {
    super(message)
    this.exitCode = exitCode
  }
}

/** A function to run. */
interface Job {
  readonly id: number
  readonly f: Task<any, any>
  readonly source: string
  readonly args: ReadonlyArray<unknown>
  readonly result: AsyncResult<any>
}

/** What came of it. */
type Outcome = { readonly value: unknown } | { readonly error: unknown }

/** A job's number, whether it gave a value or an error, and which. */
type Answer = readonly [id: number, ended: "value" | "error", content: any]

interface Thread {
  readonly worker: Worker
  /** The jobs go this way, and come back: what a function posts to its parent itself is nobody's. */
  readonly port: MessagePort
  job: Job | undefined
  /** The error that it ends of. */
  failure: unknown
  /** Ends it, when it has had nothing to do for long enough. */
  expiry: Timer | undefined
}

/**
 * So many threads at the most, made as they are needed. A process of Node's ends while they are idle, and not while they
 * work. Mirrors `gevent.threadpool.ThreadPool`.
 *
 * @category models
 * @since 0.1.0
 */
export class ThreadPool {
  static {
    printed(this)
  }
  private readonly hub: Hub = gethub()
  private readonly idleTaskTimeout: number | undefined
  private limit = 0
  /** As upstream's it starts with 1: one more function is taken than there are threads. */
  private readonly room = new Semaphore(1)
  /** How often `room` is not to be released, as `maxsize` was made smaller. */
  private debt = 0
  private readonly threads = new Set<Thread>()
  private readonly idle: Array<Thread> = []
  /** How many threads are to end as soon as they have nothing to do. */
  private retiring = 0
  private readonly queued: Array<Job> = []
  private unfinished = 0
  private jobs = 0
  private readonly empty: Event = new Event(this)

  /** @param maxsize how many threads. Throws `ValueError` if it is negative or no integer. */
  constructor(maxsize: number, options?: ThreadPoolOptions) {
    this.idleTaskTimeout = options?.idleTaskTimeout
    this.maxsize = maxsize
    this.empty.set()
  }

  /** The pool of a hub, of 10 threads, which is made when it is first asked for. Mirrors `gevent.get_hub().threadpool`. */
  static ofHub(hub: Hub = gethub()): ThreadPool {
    let pool = pools.get(hub)
    if (pool === undefined) pools.set(hub, pool = new ThreadPool(10))
    return pool
  }

  /**
   * How many threads there may be. Can be set: threads that are too many end when they are idle; with 0, nothing runs until
   * it is set again. Throws `ValueError` if it is negative or no integer. Mirrors `ThreadPool.maxsize`.
   */
  get maxsize(): number {
    return this.limit
  }

  set maxsize(maxsize: number) {
    if (!Number.isInteger(maxsize)) throw new ValueError(`maxsize must be integer: ${maxsize}`)
    if (maxsize < 0) throw new ValueError(`maxsize must not be negative: ${maxsize}`)
    const more = maxsize - this.limit
    this.limit = maxsize
    for (let n = more; n < 0; n++) if (!this.room.tryAcquire()) this.debt++
    for (let n = more; n > 0; n--) this.leaves()
    this.adjust()
  }

  /**
   * How many threads there are. Can be set: starts threads, or ends idle ones now and others once they are idle. Throws
   * `ValueError` if it is negative or more than `maxsize`. Mirrors `ThreadPool.size`.
   */
  get size(): number {
    return this.threads.size
  }

  set size(size: number) {
    if (!(size >= 0)) throw new ValueError(`Size of the pool cannot be negative: ${size}`)
    if (size > this.limit) {
      throw new ValueError(`Size of the pool cannot be bigger than maxsize: ${size} > ${this.limit}`)
    }
    while (this.threads.size < size) this.rests(this.start())
    this.retiring = this.threads.size - size
    this.adjust()
  }

  /** How many functions have not ended. Mirrors `len(pool)`. */
  get length(): number {
    return this.unfinished
  }

  /**
   * Runs `f` on a thread; gives back the result to be. Waits while as many run as there may be threads, and one more is
   * taken. What `f` throws is reported to the hub, too. Dies with `TypeError` if it is nothing that a thread can run, with
   * `InvalidThreadUseError` if the pool was made on another thread of greenlets. Mirrors `ThreadPool.spawn`.
   */
  spawn<Args extends ReadonlyArray<any>, A>(f: Task<Args, A>, ...args: Args): Operation<AsyncResult<Awaited<A>>> {
    return new Steps(() => this.spawning(f, args))
  }

  /** @internal */
  *spawning(f: Task<any, any>, args: ReadonlyArray<unknown>): Generator<Effect.Effect<any>, AsyncResult<any>, any> {
    const source = sourceOf(f)
    if (gethub() !== this.hub) {
      throw new InvalidThreadUseError(`${this} belongs to another thread of greenlets: make it on the one that uses it`)
    }
    yield* this.room.acquire()
    const job: Job = { id: this.jobs++, f, source, args, result: new AsyncResult<any>() }
    this.unfinished++
    this.empty.clear()
    this.hub.ref()
    this.queued.push(job)
    this.adjust()
    return job.result
  }

  /** Runs `f` on a thread and waits for what it returns. Dies with what it throws. Mirrors `ThreadPool.apply`. */
  apply<Args extends ReadonlyArray<any>, A>(f: Task<Args, A>, args?: Args): Operation<Awaited<A>> {
    return new Steps<any>(() => this.applying(f, args))
  }

  private *applying(f: Task<any, any>, args: ReadonlyArray<unknown> = []): Generator<Effect.Effect<any>, any, any> {
    return yield* (yield* this.spawning(f, args)).get()
  }

  /** As `apply`, in a greenlet that it returns; `callback` gets the result. Mirrors `ThreadPool.apply_async`. */
  applyAsync<Args extends ReadonlyArray<any>, A>(
    f: Task<Args, A>,
    args?: Args,
    callback?: (result: Awaited<A>) => unknown
  ): Greenlet<Awaited<A>> {
    return inGreenlet(() => this.applying(f, args), callback)
  }

  /** Runs `f` with each item; gives back the results in order. Mirrors `ThreadPool.map`. */
  map<T, A>(f: Task<[T], A>, items: Iterable<T>): Operation<Array<Awaited<A>>> {
    return new Waits<Array<any>>((current) => inGreenlet(() => this.mapping(f, items)).get().perform(current))
  }

  private *mapping(f: Task<any, any>, items: Iterable<unknown>): Generator<Effect.Effect<any>, Array<any>, any> {
    const results: Array<AsyncResult> = []
    for (const item of items) results.push(yield* this.spawning(f, [item]))
    const values: Array<unknown> = []
    for (const result of results) values.push(yield* result.get())
    return values
  }

  /** As `map`, in a greenlet that it returns; `callback` gets the results. Mirrors `ThreadPool.map_async`. */
  mapAsync<T, A>(
    f: Task<[T], A>,
    items: Iterable<T>,
    callback?: (results: Array<Awaited<A>>) => unknown
  ): Greenlet<Array<Awaited<A>>> {
    return inGreenlet(() => this.mapping(f, items), callback)
  }

  /** Runs `f` with each item; the results in order, one by one. Mirrors `ThreadPool.imap`. */
  readonly imap: Imap<"ordered"> = (f: Body, ...rest: ReadonlyArray<any>): any => this.iterating(IMap, f, rest)

  /** As `imap`, but the results as they come. Mirrors `ThreadPool.imap_unordered`. */
  readonly imapUnordered: Imap<"unordered"> = (f: Body, ...rest: ReadonlyArray<any>): any =>
    this.iterating(IMapUnordered, f, rest)

  private iterating(Results: typeof IMapUnordered, f: Body, rest: ReadonlyArray<unknown>): IMapUnordered {
    const [items, options] = itemsOf(rest)
    const results = new Results(this, f, items, options?.maxsize)
    results.start()
    return results
  }

  /** Waits until nothing runs; gives back whether that is so before `timeout`. Mirrors `ThreadPool.join`. */
  join(timeout?: number): Operation<boolean> {
    return this.empty.wait(timeout)
  }

  /**
   * Ends its threads. What runs is broken off, and its result is `ThreadEnded`, as is that of what has not begun. The pool
   * can be used again. Mirrors `ThreadPool.kill`.
   */
  kill(): void {
    for (const thread of this.threads) {
      const { job } = thread
      this.drops(thread)
      if (job !== undefined) this.settles(job, { error: new ThreadEnded("the thread was ended") })
    }
    for (const job of this.queued.splice(0)) {
      this.settles(job, { error: new ThreadEnded("the pool was killed before the function ran") })
    }
  }

  // ---- threads ----------------------------------------------------------------------------------------------------

  /** Has threads take what is queued, and those end that are too many. */
  private adjust(): void {
    while (this.queued.length > 0 && (this.idle.length > 0 || this.threads.size < this.limit)) {
      const job = this.queued.shift()!
      let thread: Thread
      try {
        thread = this.idle.pop() ?? this.start()
      } catch (error) {
        this.settles(job, { error })
        continue
      }
      this.takes(thread, job)
    }
    while (this.idle.length > 0 && (this.retiring > 0 || this.threads.size > this.limit)) this.drops(this.idle[0]!)
  }

  private start(): Thread {
    const worker = new Worker(program, { eval: true })
    const { port1: port, port2: theirs } = new MessageChannel()
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
    worker.postMessage(theirs, [theirs])
    const thread: Thread = { worker, port, job: undefined, failure: undefined, expiry: undefined }
    this.threads.add(thread)
    port.on("message", (answer: Answer) => this.answers(thread, answer))
    port.on("messageerror", (error) => this.finishes(thread, { error }))
    // the worker is what keeps a process alive
    port.unref()
    worker.on("error", (error) => {
      thread.failure = error
    })
    worker.on("exit", (code) => this.exits(thread, code))
    return thread
  }

  private answers(thread: Thread, [id, ended, content]: Answer): void {
    if (thread.job?.id !== id) return
    this.finishes(thread, ended === "value" ? { value: content } : { error: unpacked(content) })
  }

  private takes(thread: Thread, job: Job): void {
    thread.job = job
    thread.expiry?.stop()
    thread.worker.ref()
    try {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
      thread.port.postMessage([job.id, job.source, job.args])
    } catch (error) {
      this.finishes(thread, { error })
    }
  }

  private finishes(thread: Thread, outcome: Outcome): void {
    const { job } = thread
    if (job === undefined) return
    thread.job = undefined
    this.settles(job, outcome)
    this.rests(thread)
    this.adjust()
  }

  /** It has nothing to do, and keeps no process alive. */
  private rests(thread: Thread): void {
    this.idle.push(thread)
    thread.worker.unref()
    if (this.idleTaskTimeout === undefined) return
    thread.expiry ??= this.hub.timer(this.idleTaskTimeout, { ref: false })
    thread.expiry.start(() => this.drops(thread))
  }

  private drops(thread: Thread): void {
    this.forgets(thread)
    void thread.worker.terminate()
  }

  private forgets(thread: Thread): void {
    this.threads.delete(thread)
    if (this.retiring > 0) this.retiring--
    const index = this.idle.indexOf(thread)
    if (index >= 0) this.idle.splice(index, 1)
    thread.job = undefined
    thread.expiry?.stop()
    thread.port.close()
  }

  /** It has ended, of its own accord or because it was dropped. */
  private exits(thread: Thread, code: number): void {
    if (!this.threads.has(thread)) return
    // an answer may still be on its way
    for (let last = receiveMessageOnPort(thread.port); last !== undefined; last = receiveMessageOnPort(thread.port)) {
      this.answers(thread, last.message)
    }
    const { failure, job } = thread
    this.forgets(thread)
    if (job !== undefined) {
      const error = failure ?? new ThreadEnded(`the thread was ended by what it ran, with exit code ${code}`, code)
      this.settles(job, { error })
    } else if (failure !== undefined) this.hub.arrives(() => this.hub.handleError(this, failure) as undefined)
    this.adjust()
  }

  /** Tells in the hub what came of a function, in upstream's order. */
  private settles(job: Job, outcome: Outcome): void {
    const { hub } = this
    hub.arrives(() => {
      this.unfinished--
      this.leaves()
      hub.unref()
      if (this.unfinished === 0) this.empty.set()
      if (!("error" in outcome)) return job.result.set(outcome.value) as undefined
      // that a thread was killed is no news
      if (!(outcome.error instanceof ThreadEnded) || outcome.error.exitCode !== undefined) {
        hub.handleError([this, job.f], outcome.error)
      }
      return job.result.setException(outcome.error) as undefined
    })
  }

  private leaves(): void {
    if (this.debt > 0) this.debt--
    else this.room.release()
  }

  toString(): string {
    return `<ThreadPool tasks=${this.length} size=${this.size} maxsize=${this.maxsize}>`
  }
}

const pools = new WeakMap<Hub, ThreadPool>()

const inGreenlet = (steps: () => Generator<any, any, any>, callback?: (result: any) => unknown): Greenlet =>
  Greenlet.spawn<Greenlet, [Body], [Body]>(function*(): Generator<Effect.Effect<any, any>, any, any> {
    const result = yield* steps()
    callback?.(result)
    return result
  })

// ---- what goes to a thread, and what comes back -----------------------------------------------------------------------

const sources = new WeakMap<Task<any, any>, string>()

/** An expression that gives the function in another realm. */
const sourceOf = (f: Task<any, any>): string => {
  if (typeof f !== "function") throw new TypeError(`a thread runs a function; got ${typeof f}`)
  const known = sources.get(f)
  if (known !== undefined) return known
  if (f.constructor.name.endsWith("GeneratorFunction")) {
    throw new TypeError(`${describe(f)} cannot run on a thread: it is a generator function, and there is no hub there`)
  }
  const text = Function.prototype.toString.call(f)
  const name = JSON.stringify(f.name)
  // an arrow function has its name of what it is assigned to; a method's text is one only inside of an object
  const source = [`({ [${name}]: ${text} })[${name}]`, `({ ${text} })[${name}]`].find(compiles)
  if (source === undefined) {
    throw new TypeError(
      `${
        describe(f)
      } cannot be sent to a thread: it is built in or bound, so it has no source text. Write a function ` +
        "that calls it there"
    )
  }
  sources.set(f, source)
  return source
}

const compiles = (source: string): boolean => {
  try {
    return new Script(source) instanceof Script
  } catch {
    return false
  }
}

/**
 * What a thread does. A copy of an error would lose its name, its code and the rest of its properties, unless it is of
 * JavaScript's own: so they are sent beside it.
 */
const program = `
// whether this is a module is for the arguments of the process to say
const { parentPort } = process.getBuiltinModule("node:worker_threads")

// esbuild, where it keeps names, has functions call this
globalThis.__name ??= (f) => f

const kinds = ["AggregateError", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"]

const packed = (value, seen = []) => {
  if (Array.isArray(value)) return { items: value.map((item) => packed(item, seen)) }
  if (!(value instanceof Error)) {
    try {
      return { value: structuredClone(value) }
    } catch {
      return { value: String(value) }
    }
  }
  if (seen.includes(value)) return { value: String(value) }
  const { message, name, stack } = value
  const properties = Object.getOwnPropertyNames(value)
    .filter((key) => key !== "message" && key !== "name" && key !== "stack")
    .map((key) => [key, packed(value[key], [...seen, value])])
  const kind = kinds.find((kind) => value instanceof globalThis[kind])
  return { error: { kind, message: String(message), name: String(name), stack: String(stack), properties } }
}

const runs = (post) => async ([id, source, args]) => {
  let answer
  try {
    answer = [id, "value", await (0, eval)(source)(...args)]
  } catch (error) {
    answer = [id, "error", packed(error)]
  }
  try {
    post(answer)
  } catch (error) {
    post([id, "error", packed(error)])
  }
}

parentPort.once("message", (port) => port.on("message", runs(port.postMessage.bind(port))))`

type Packed =
  | { readonly value: unknown }
  | { readonly items: ReadonlyArray<Packed> }
  | {
    readonly error: {
      readonly kind: string | undefined
      readonly message: string
      readonly name: string
      readonly stack: string
      readonly properties: ReadonlyArray<readonly [key: string, value: Packed]>
    }
  }

const kinds: Readonly<Record<string, ErrorConstructor>> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError
}

const unpacked = (content: Packed): unknown => {
  if ("items" in content) return content.items.map(unpacked)
  if ("value" in content) return content.value
  const { kind, message, name, properties, stack } = content.error
  const error = kind === "AggregateError" ? new AggregateError([], message) : new (kinds[kind ?? ""] ?? Error)(message)
  const hidden = (key: string, value: unknown) =>
    Object.defineProperty(error, key, { value, enumerable: false, configurable: true, writable: true })
  if (name !== error.name) hidden("name", name)
  hidden("stack", stack)
  for (const [key, value] of properties) {
    if (key === "cause" || key === "errors") hidden(key, unpacked(value))
    else {Object.defineProperty(error, key, {
        value: unpacked(value),
        enumerable: true,
        configurable: true,
        writable: true
      })}
  }
  return error
}

// ---- the executor -----------------------------------------------------------------------------------------------------

/** How to shut an executor down. */
export interface ShutdownOptions {
  /** Wait until all that was submitted has ended? Yes, if left out. */
  readonly wait?: boolean
}

/**
 * A pool of threads with the names of Python's `concurrent.futures`. Its futures are `AsyncResult`s, which have `result`,
 * `done` and `cancel`, too, and `rawlink` for `add_done_callback`. Mirrors `gevent.threadpool.ThreadPoolExecutor`.
 *
 * @category models
 * @since 0.1.0
 */
export class ThreadPoolExecutor {
  static {
    printed(this)
  }
  private readonly pool: ThreadPool
  private down = false

  /** @param maxWorkers how many threads; 4 more than the machine has processors, 32 at the most, if it is left out */
  constructor(maxWorkers: number = Math.min(32, availableParallelism() + 4), options?: ThreadPoolOptions) {
    this.pool = new ThreadPool(maxWorkers, options)
  }

  /**
   * Runs `f` on a thread; gives back the result to be. Waits as `ThreadPool.spawn` does. Dies with `RuntimeError` after
   * `shutdown`. Mirrors `ThreadPoolExecutor.submit`.
   */
  submit<Args extends ReadonlyArray<any>, A>(f: Task<Args, A>, ...args: Args): Operation<AsyncResult<Awaited<A>>> {
    return new Steps(() => this.submitting(f, args))
  }

  private *submitting(
    f: Task<any, any>,
    args: ReadonlyArray<unknown>
  ): Generator<Effect.Effect<any>, AsyncResult<any>, any> {
    this.requireUp()
    return yield* this.pool.spawning(f, args)
  }

  /** Runs `f` with each item; the results in order, one by one. Mirrors `ThreadPoolExecutor.map`. */
  readonly map: Imap<"ordered"> = (f: Body, ...rest: ReadonlyArray<any>): any => {
    this.requireUp()
    return (this.pool.imap as (f: Body, ...rest: ReadonlyArray<any>) => unknown)(f, ...rest)
  }

  private requireUp(): void {
    if (this.down) throw new RuntimeError("cannot schedule new futures after shutdown")
  }

  /** Takes nothing more, and ends its threads once they have nothing to do. Mirrors `ThreadPoolExecutor.shutdown`. */
  shutdown(options?: ShutdownOptions): Operation<void> {
    return new Steps(() => this.shuttingDown(options))
  }

  private *shuttingDown(options: ShutdownOptions | undefined): Generator<Effect.Effect<any>, void, any> {
    this.down = true
    if (options?.wait !== false) yield* this.pool.join()
    this.pool.size = 0
  }

  /** Runs a block, and shuts down after it. Mirrors `with ThreadPoolExecutor(…) as executor:`. */
  within<Eff extends Effect.Effect<any, any, any>, A>(
    block: (executor: this) => Generator<Eff, A, never>
  ): Operation<A, Effect.Error<Eff>, call.Services<Eff>>
  within<A, E, R>(
    block: (executor: this) => Effect.Effect<A, E, R>
  ): Operation<A, E, call.Services<Effect.Effect<A, E, R>>>
  within<A>(block: (executor: this) => Plain<A>): Operation<A>
  within(block: Body): Operation<any, any> {
    return new Steps(() => this.runningWithin(block))
  }

  private *runningWithin(block: Body): Generator<Effect.Effect<any, any>, any, any> {
    try {
      return yield* call(block, this)
    } finally {
      yield* this.shuttingDown(undefined)
    }
  }

  toString(): string {
    return `<ThreadPoolExecutor ${this.pool}>`
  }
}
