/** Processes that are killed while they receive, and while they run a durable tasklet. */
import { Effect, Fiber, type Layer } from "effect"
import { durable, durableChannel, postgres, sqlite, type Storage, type StorageError } from "effect-stackless/cluster"
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { bundle, makeDirectory } from "../bundle.ts"
import { type Server, startPostgres } from "./postgres.ts"
import { doubles, doubling, numbers } from "./programs/orders.ts"

// processes are started that do nothing at first but load their modules: on a busy machine that takes long
vi.setConfig({ testTimeout: 150_000 })

const directory = makeDirectory()
const program = join(directory.path, "process.mjs")
let server: Server

beforeAll(async () => {
  await bundle("cluster/programs/process.ts", program)
  server = startPostgres()
}, 120_000)
afterAll(() => {
  server.remove()
  directory.remove()
})

interface Place {
  readonly args: ReadonlyArray<string>
  readonly storage: Layer.Layer<Storage, StorageError>
}

const places: Readonly<Record<string, () => Place>> = {
  SQLite: () => {
    const filename = join(directory.path, `${Math.random()}.db`)
    return { args: [filename], storage: sqlite({ filename }) }
  },
  PostgreSQL: () => {
    const database = server.newDatabase()
    return { args: [server.host, database], storage: postgres({ host: server.host, username: "postgres", database }) }
  }
}

const TOTAL = 30
const EACH = 10
const all = Array.from({ length: TOTAL }, (_, i) => i + 1)

/** A process, and what it prints, a line each. */
const start = (what: string, { args }: Place, line: (text: string) => void): ChildProcess => {
  const child = spawn(process.execPath, [program, what, ...args], { stdio: ["ignore", "pipe", "inherit"] })
  createInterface({ input: child.stdout! }).on("line", line)
  return child
}

const killed = (child: ChildProcess, signal: NodeJS.Signals): Promise<void> =>
  new Promise((resolve) => {
    child.once("close", () => resolve())
    child.kill(signal)
  })

describe.each(Object.entries(places))("%s", (name, make) => {
  test("a receiver that is killed again and again loses nothing", async () => {
    const place = make()
    const delivered: Array<number> = []
    const jobs = durableChannel<number>("killed: jobs", { capacity: 8 })
    await Effect.runPromise(
      Effect.gen(function*() {
        const sending = yield* Effect.forkChild(Effect.forEach(all, (n) => jobs.send(n), { discard: true }))
        while (new Set(delivered).size < TOTAL) {
          yield* Effect.promise(async () => {
            const until = delivered.length + EACH
            await new Promise<void>((resolve) => {
              const child = start("receive", place, (line) => {
                delivered.push(Number(line))
                if (delivered.length < until && new Set(delivered).size < TOTAL) return
                void killed(child, "SIGKILL").then(resolve)
              })
            })
          })
        }
        yield* Fiber.join(sending)
      }).pipe(Effect.provide(place.storage))
    )
    const lost = all.filter((n) => !delivered.includes(n))
    console.log(`${name}: sent ${TOTAL}, delivered ${delivered.length}, lost ${lost.length}`)
    expect(lost).toEqual([])
    // in their order, but for what is delivered again
    const firsts = delivered.filter((n, i) => delivered.indexOf(n) === i)
    expect(firsts).toEqual(all)
  })

  test("a durable tasklet whose process is killed goes on in another one, and does each step once", async () => {
    const place = make()
    const children = new Map<number, ChildProcess>()
    const spare = (): Promise<void> =>
      new Promise((resolve) => {
        const child = start("host", place, () => resolve())
        children.set(child.pid!, child)
      })
    const got: Array<number> = []
    const pauses: Array<string> = []
    try {
      // the one that runs it, and one for each that is killed
      await Promise.all([spare(), spare(), spare()])
      await Effect.runPromise(
        Effect.gen(function*() {
          const it = yield* durable("killed", doubling)(TOTAL)
          const sending = yield* Effect.forkChild(Effect.forEach(all, (n) => numbers.send(n), { discard: true }))
          for (let n = 0; n < TOTAL; n++) {
            const signal = n === 2 * EACH ? "SIGTERM" : "SIGKILL"
            if (n % EACH === 0 && n > 0) {
              const { epoch, owner } = yield* it.status
              const pid = Number(/^\d+/.exec(owner!)![0])
              const since = performance.now()
              const child = children.get(pid)!
              children.delete(pid)
              yield* Effect.promise(() => killed(child, signal))
              while ((yield* it.status).epoch === epoch) yield* Effect.sleep(10)
              pauses.push(`${signal} ${Math.round(performance.now() - since)} ms`)
            }
            got.push(yield* Effect.scoped(doubles.receive()))
          }
          yield* Fiber.join(sending)
          expect(yield* it.join).toBe(all.join())
          expect((yield* doubles.state).held).toBe(0)
        }).pipe(Effect.provide(place.storage))
      )
    } finally {
      await Promise.all([...children.values()].map((child) => killed(child, "SIGKILL")))
    }
    console.log(`${name}: taken up by another one after ${pauses.join(", ")}`)
    expect(got).toEqual(all.map((n) => 2 * n))
  })
})

test("while PostgreSQL is stopped again and again, everybody waits, and nothing is lost or done twice", async () => {
  const database = server.newDatabase()
  const place: Place = {
    args: [server.host, database],
    storage: postgres({ host: server.host, username: "postgres", database })
  }
  let child: ChildProcess | undefined
  const got: Array<number> = []
  try {
    await new Promise<void>((resolve) => {
      child = start("host", place, () => resolve())
    })
    await Effect.runPromise(
      Effect.gen(function*() {
        const it = yield* durable("stopped", doubling)(TOTAL)
        const sending = yield* Effect.forkChild(Effect.forEach(all, (n) => numbers.send(n), { discard: true }))
        // in the middle of whatever goes on
        const stops = new Map([[5, 300], [EACH, 5000], [15, 300], [20, 2000], [25, 300]])
        for (let n = 0; n < TOTAL; n++) {
          const pause = stops.get(n)
          if (pause !== undefined) {
            yield* Effect.sleep(Math.random() * 20)
            server.stop()
            yield* Effect.sleep(pause)
            server.start()
          }
          const item = yield* Effect.scoped(doubles.receiveItem())
          if (item.attempts === 1) got.push(item.value)
          else if (!got.includes(item.value)) got.push(item.value)
        }
        yield* Fiber.join(sending)
        expect(yield* it.join).toBe(all.join())
      }).pipe(Effect.provide(place.storage))
    )
  } finally {
    await killed(child!, "SIGKILL")
  }
  expect(got).toEqual(all.map((n) => 2 * n))
})

test("a storage whose connections are lost, or whose database is gone, is closed soon", async () => {
  const database = server.newDatabase()
  const storage = postgres({ host: server.host, username: "postgres", database })
  const closing = async (before: () => void): Promise<number> => {
    let since = 0
    await Effect.runPromise(
      Effect.andThen(
        numbers.send(1),
        Effect.sync(() => {
          before()
          since = performance.now()
        })
      ).pipe(Effect.provide(storage))
    )
    return performance.now() - since
  }
  const lost = await closing(() => {
    server.stop()
    server.start()
  })
  let gone: number
  try {
    gone = await closing(server.stop)
  } finally {
    server.start()
  }
  // with its patience, each would take 30 s
  expect([lost < 12_000, gone < 12_000]).toEqual([true, true])
})

test("an operation fails for a storage that is gone for longer than its patience", async () => {
  const database = server.newDatabase()
  const storage = postgres({ host: server.host, username: "postgres", database, patience: 300 })
  const error = await Effect.runPromise(
    Effect.gen(function*() {
      yield* numbers.send(1)
      yield* Effect.acquireRelease(Effect.sync(server.stop), () => Effect.sync(server.start))
      return yield* Effect.flip(numbers.send(2))
    }).pipe(Effect.scoped, Effect.provide(storage))
  )
  expect(error).toMatchObject({ _tag: "StorageError", temporary: true })
  expect(error.message).toMatch(/the storage (in PostgreSQL cannot be used|does not answer)/)
})
