/**
 * Functions on worker threads, for what computes long. Carries `gevent.threadpool`.
 *
 * Where it differs: a function goes to its thread as source text, as JavaScript's threads share no objects. So it can use
 * nothing from outside of itself but globals and `import(…)`, and its arguments and result are copies. It may be async.
 */
import type { Effect } from "effect"
import { Worker } from "node:worker_threads"
import { type Operation, ValueError } from "../../greenlet/index.ts"
import { AsyncResult, Event } from "./event.ts"
import { gethub, type Hub, Steps } from "./hub.ts"
import { Semaphore } from "./lock.ts"

/** A function for another thread. */
export type Task<Args extends ReadonlyArray<any>, A> = (...args: Args) => A | Promise<A>

interface Job {
  readonly source: string
  readonly args: ReadonlyArray<unknown>
  readonly result: AsyncResult<any>
}

/** What a thread answers. */
type Answer = { readonly value: unknown } | { readonly error: unknown }

const program = `
const { parentPort } = require("node:worker_threads")
parentPort.on("message", async ({ source, args }) => {
  let answer
  try {
    answer = { value: await (0, eval)("(" + source + ")")(...args) }
  } catch (error) {
    answer = { error }
  }
  try {
    parentPort.postMessage(answer)
  } catch (error) {
    parentPort.postMessage({ error })
  }
})`

/**
 * So many threads at the most, made as they are needed. Mirrors `gevent.threadpool.ThreadPool`.
 *
 * @category models
 * @since 0.1.0
 */
export class ThreadPool {
  readonly maxsize: number
  private readonly hub: Hub = gethub()
  private readonly room: Semaphore
  private readonly idle: Array<Worker> = []
  private readonly jobs = new Map<Worker, Job>()
  private readonly empty: Event = new Event(this)

  /** @param maxsize how many threads. Throws `ValueError` if it is no positive integer. */
  constructor(maxsize: number) {
    if (!Number.isInteger(maxsize) || maxsize <= 0) throw new ValueError("maxsize must be a positive integer")
    this.maxsize = maxsize
    this.room = new Semaphore(maxsize)
    this.empty.set()
  }

  /** How many threads there are. Mirrors `ThreadPool.size`. */
  get size(): number {
    return this.idle.length + this.jobs.size
  }

  /** How many functions run. Mirrors `len(pool)`. */
  get length(): number {
    return this.jobs.size
  }

  /** Runs `f` on a thread, waiting for one that is free; gives back the result to be. Mirrors `ThreadPool.spawn`. */
  spawn<Args extends ReadonlyArray<any>, A>(f: Task<Args, A>, ...args: Args): Operation<AsyncResult<Awaited<A>>> {
    return new Steps(() => this.spawning(f, args))
  }

  private *spawning(
    f: Task<any, any>,
    args: ReadonlyArray<unknown>
  ): Generator<Effect.Effect<any>, AsyncResult<any>, any> {
    if (typeof f !== "function") throw new TypeError(`a thread runs a function; got ${typeof f}`)
    yield* this.room.acquire()
    const job: Job = { source: String(f), args, result: new AsyncResult<any>() }
    const worker = this.idle.pop() ?? this.start()
    worker.ref()
    this.jobs.set(worker, job)
    this.empty.clear()
    this.hub.ref()
    try {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
      worker.postMessage({ source: job.source, args })
    } catch (error) {
      this.ends(worker, { error })
    }
    return job.result
  }

  /** Runs `f` on a thread and waits for what it returns. Dies with what it throws. Mirrors `ThreadPool.apply`. */
  apply<Args extends ReadonlyArray<any>, A>(f: Task<Args, A>, args: Args): Operation<Awaited<A>> {
    return new Steps<any>(() => this.applying(f, args))
  }

  private *applying(f: Task<any, any>, args: ReadonlyArray<unknown>): Generator<Effect.Effect<any>, any, any> {
    return yield* (yield* this.spawning(f, args)).get()
  }

  /** Runs `f` with each item; gives back the results in order. Mirrors `ThreadPool.map`. */
  map<T, A>(f: Task<[T], A>, items: Iterable<T>): Operation<Array<Awaited<A>>> {
    return new Steps<Array<any>>(() => this.mapping(f, items))
  }

  private *mapping(f: Task<any, any>, items: Iterable<unknown>): Generator<Effect.Effect<any>, Array<any>, any> {
    const results: Array<AsyncResult> = []
    for (const item of items) results.push(yield* this.spawning(f, [item]))
    const values: Array<unknown> = []
    for (const result of results) values.push(yield* result.get())
    return values
  }

  /** Waits until nothing runs. Mirrors `ThreadPool.join`. */
  join(timeout?: number): Operation<boolean> {
    return this.empty.wait(timeout)
  }

  /** Ends its threads: what runs is broken off, its result an error. Mirrors `ThreadPool.kill`. */
  kill(): void {
    for (const worker of this.idle.splice(0)) void worker.terminate()
    for (const worker of this.jobs.keys()) void worker.terminate()
  }

  private start(): Worker {
    const worker = new Worker(program, { eval: true })
    worker.on("message", (answer: Answer) => {
      this.idle.push(worker)
      // an idle thread keeps no process alive
      worker.unref()
      this.ends(worker, answer)
    })
    worker.on("error", (error) => this.ends(worker, { error }))
    worker.on("exit", () => this.ends(worker, { error: new Error("the thread was ended") }))
    return worker
  }

  private ends(worker: Worker, answer: Answer): void {
    const job = this.jobs.get(worker)
    if (job === undefined) return
    this.jobs.delete(worker)
    if ("error" in answer) job.result.setException(answer.error)
    else job.result.set(answer.value)
    if (this.jobs.size === 0) this.empty.set()
    this.room.release()
    this.hub.unref()
  }

  toString(): string {
    return `<ThreadPool ${this.length}/${this.size}/${this.maxsize}>`
  }
}
