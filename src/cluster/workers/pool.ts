/**
 * A pool of worker threads that run tasklets.
 *
 * Upstream has one interpreter that computes at a time; "to use multiple CPU cores, one would still need to build an interprocess
 * communication system on top of Stackless Python processes". This is that for the cores of one machine. It stands on Node's
 * worker threads and not on Effect's: what a message costs there says port-link.ts.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { availableParallelism } from "node:os"
import { pathToFileURL } from "node:url"
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads"
import type { Operation } from "../../greenlet/index.ts"
import { persistent, reduce, restore, UnpicklingError } from "../../pickle/index.ts"
import { schedule, Tasklet } from "../../stackless/index.ts"
import { type NotMovable, PlaceLost, PoolError } from "../errors.ts"
import type { NamedOptions, RemoteChannel } from "../exchange/remote-channel.ts"
import { machineMigration } from "../machines/move.ts"
import { Move } from "../migration.ts"
import { MAIN, Places, places, setPlaces, workerName } from "./places.ts"

/**
 * What a pool is made with.
 *
 * @category models
 * @since 0.2.0
 */
export interface PoolOptions {
  /** How many workers; by default as many as this machine can run at once. */
  readonly size?: number
  /**
   * The modules that each worker loads, by their URLs or paths: those of the bodies that it runs, and of what these refer to. By
   * default the program itself: what only the program shall do stands there behind `isMainThread` of `node:worker_threads`.
   */
  readonly modules?: ReadonlyArray<string | URL>
}

type Starting = {
  <Args extends ReadonlyArray<any>, Eff extends Effect.Effect<any, any, any>, A>(
    body: (...args: Args) => Generator<Eff, A, never>
  ): (...args: Args) => Tasklet<A, Effect.Error<Eff> | NotMovable | PlaceLost>
  <Args extends ReadonlyArray<any>, A>(
    body: (...args: Args) => A
  ): (...args: Args) => Tasklet<A, NotMovable | PlaceLost>
}

/**
 * A place where tasklets run: a worker of a pool, or the program that has made it. It can be sent from place to place.
 *
 * @category models
 * @since 0.2.0
 */
export class Place {
  readonly name: string

  /** The library makes them. */
  constructor(name: string) {
    this.name = name
  }

  /** Is it this thread? */
  get here(): boolean {
    return places()?.name === this.name
  }

  /** Is it there still? */
  get alive(): boolean {
    return requirePlaces().lossOf(this.name) === undefined
  }

  /** As `pool.spawn`, at this place. */
  readonly spawn: Starting = (body: Body) => (...args: ReadonlyArray<any>): any => start(this.name, body, args)

  toString(): string {
    return `<${this.name}>`
  }

  static [reduce]({ name }: Place): string {
    return name
  }
  static [restore](name: string): Place {
    if (!requirePlaces().names.includes(name)) throw new UnpicklingError(`this pool has no place ${name}`)
    return new Place(name)
  }
}

/**
 * A pool. It can be sent from place to place: its workers can use it too.
 *
 * @category models
 * @since 0.2.0
 */
export class Pool {
  /** The program that has made the pool. */
  get main(): Place {
    return new Place(MAIN)
  }

  /** Its workers, those that have died among them. */
  get workers(): ReadonlyArray<Place> {
    return requirePlaces().names.filter((name) => name !== MAIN).map((name) => new Place(name))
  }

  /**
   * Starts a tasklet on a worker, each time on the next one. What is given back is a tasklet of this thread, which ends as that one
   * does: `join` gives the result, `run` waits for it, `kill` and `throw` reach it. It begins when this thread lets the event loop
   * have a turn, as `run` does.
   *
   * The body is compiled, and of a module that the workers load; it, its arguments and its result are pickled. Throws `NotMovable` at
   * once if they cannot be, and `PlaceLost` if there is no worker any more. The tasklet fails with `PlaceLost` if its worker dies.
   */
  readonly spawn: Starting = (body: Body) => (...args: ReadonlyArray<any>): any =>
    start(requirePlaces().next(), body, args)

  /**
   * Makes a channel that all places of the pool know, once it has been sent to them: as an argument, in a variable of a tasklet that
   * moves, or over another channel. Its queue is at the place where it is made.
   */
  channel<T = unknown>(options: NamedOptions = {}): RemoteChannel<T> {
    return requirePlaces().channel<T>(options)
  }

  static [reduce](): string {
    return MAIN
  }
  static [restore](): Pool {
    requirePlaces()
    return new Pool()
  }
}

persistent("effect-stackless/cluster/Place", Place)
persistent("effect-stackless/cluster/Pool", Pool)

type Body = (...args: ReadonlyArray<any>) => any

const start = (place: string, body: Body, args: ReadonlyArray<unknown>): Tasklet => {
  const started = new Tasklet(body, args)
  const here = requirePlaces()
  if (place === here.name) return started.insert()
  here.migration.send(started, place, false)
  return started
}

const requirePlaces = (): Places => {
  const these = places()
  if (these === undefined) throw new PlaceLost({ place: "the pool" })
  return these
}

/**
 * Moves a tasklet to another place, or to the machine of that address, where it goes on: by default the one that performs this, which
 * comes back from it there. Who has joined it waits on. Throws `NoMachine` for an address if this process is no machine.
 *
 * Its frames have to be data: it is compiled, of modules that the other place has loaded, and in the middle of no Effect. What it refers
 * to is copied, but for channels of the pool, and places. One that waits on a channel of the pool goes on waiting. Fails
 * with `NotMovable`, which says what cannot be pickled, and with `PlaceLost`; it stays where it is then, and goes on.
 *
 * @category operations
 * @since 0.2.0
 */
export const moveTo = (place: Place | string, moving?: Tasklet): Operation<void, NotMovable | PlaceLost> => {
  if (typeof place === "string") {
    const { address, migration } = machineMigration()
    return place === address
      ? schedule<any>(undefined)
      : new Move(moving, (tasklet, own) => migration.send(tasklet, place, own))
  }
  if (!(place instanceof Place)) {
    throw new TypeError(`moveTo takes a place, as pool.workers has them, or a machine's address; got ${typeof place}`)
  }
  // at its own place it lets others run, as it would have
  if (place.here) return schedule<any>(undefined)
  const { migration } = requirePlaces()
  return new Move(moving, (tasklet, own) => migration.send(tasklet, place.name, own))
}

// ---- making one -----------------------------------------------------------------------------------------------------

/** What a worker is told at its start. */
export interface WorkerStart {
  readonly pool: "effect-stackless"
  readonly name: string
  readonly names: ReadonlyArray<string>
  readonly modules: ReadonlyArray<string>
  /** The ports to the other workers. */
  readonly ports: ReadonlyArray<readonly [name: string, port: MessagePort]>
}

/** What it says before anything else: nothing, if it has loaded its modules. */
export interface WorkerReady {
  readonly error?: unknown
}

/**
 * Makes a pool of workers, each a thread of the processor, which ends with the scope: its workers are ended then, with whatever they are
 * in the middle of. A process has one pool at a time. While nobody here waits for one of its tasklets, or on one of its channels, a pool keeps no process alive.
 *
 * Fails with `PoolError` if the size is no number of workers, if a worker cannot load a module, and if there is a pool already: so it
 * does in a worker, where the program is loaded as a module, if that does not look at `isMainThread`.
 *
 * @category constructors
 * @since 0.2.0
 */
export const pool = (
  { modules, size = availableParallelism() }: PoolOptions = {}
): Effect.Effect<Pool, PoolError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      if (!Number.isInteger(size) || size < 1) {
        return Effect.fail(new PoolError({ message: `a pool has 1 worker or more; got ${String(size)}` }))
      }
      const these = places()
      if (these !== undefined) {
        const message = these.name === MAIN
          ? "this process has a pool already"
          : `${these.name} loads a module that makes a pool: put what only the program does behind \`if (isMainThread)\`, which is of node:worker_threads, or give pool({ modules })`
        return Effect.fail(new PoolError({ message }))
      }
      return startWorkers(size, urlsOf(modules))
    }),
    ({ stop }) => stop
  ).pipe(Effect.map(({ made }) => made))

/** The URLs of the modules that workers load. */
const urlsOf = (modules: ReadonlyArray<string | URL> | undefined): ReadonlyArray<string> => {
  const [, program] = process.argv
  const given = modules ?? (program === undefined ? [] : [program])
  return given.map((module) =>
    /^[a-z][a-z+.-]+:/i.test(String(module)) ? String(module) : pathToFileURL(String(module)).href
  )
}

interface Started {
  readonly made: Pool
  readonly stop: Effect.Effect<void>
}

const startWorkers = (size: number, modules: ReadonlyArray<string>): Effect.Effect<Started, PoolError> =>
  Effect.callback((resume) => {
    const names = [MAIN, ...Array.from({ length: size }, (_, i) => workerName(i + 1))]
    const ports = names.map((): Array<readonly [string, MessagePort]> => [])
    for (let i = 1; i < names.length; i++) {
      for (let j = i + 1; j < names.length; j++) {
        const { port1, port2 } = new MessageChannel()
        ports[i]!.push([names[j]!, port1])
        ports[j]!.push([names[i]!, port2])
      }
    }
    const workers: Array<Worker> = []
    const here = new Places(MAIN, names, (busy) => {
      for (const worker of workers) {
        if (busy) worker.ref()
        else worker.unref()
      }
    }, () => {})
    setPlaces(here)
    const stop = Effect.promise(async () => {
      for (const name of names) if (name !== MAIN) here.lose(name, new Error("the pool has ended"))
      // nothing else keeps the process there until they have ended
      const waiting = setInterval(() => {}, 60_000)
      await Promise.all(workers.map((worker) => worker.terminate()))
      clearInterval(waiting)
      setPlaces(undefined)
    })
    let missing = size
    const fail = (name: string, cause: unknown): void => {
      const reason = cause instanceof Error ? cause.message : String(cause)
      const error = new PoolError({ message: `${name} cannot start: ${reason}`, cause })
      resume(Effect.andThen(stop, Effect.fail(error)))
    }
    names.forEach((name, i) => {
      if (i === 0) return
      const workerData: WorkerStart = { pool: "effect-stackless", name, names, modules, ports: ports[i]! }
      const worker = new Worker(new URL("./worker.js", import.meta.url), {
        workerData,
        transferList: ports[i]!.map(([, port]) => port)
      })
      workers.push(worker)
      let cause: unknown
      worker.on("error", (error) => {
        cause = error
        if (missing > 0) fail(name, error)
      })
      worker.on("exit", (code) => {
        here.lose(name, cause ?? new Error(`it has ended with code ${code}`))
        if (missing > 0) fail(name, cause ?? new Error(`it has ended with code ${code}`))
      })
      worker.once("message", ({ error }: WorkerReady) => {
        if (error !== undefined) return fail(name, error)
        here.connect(name, worker)
        missing--
        if (missing > 0) return
        for (const each of workers) each.unref()
        resume(Effect.succeed({ made: new Pool(), stop }))
      })
    })
    return stop
  })
