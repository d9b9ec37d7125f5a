/** A pool of workers: messages between two of them, beside bare `postMessage`; and what computes on two of them. */
import { Effect } from "effect"
import { type Pool, pool } from "effect-stackless/cluster"
import { run } from "effect-stackless/stackless"
import { MessageChannel, Worker } from "node:worker_threads"
import { median, seconds } from "../clock.ts"
import { compiledBodies } from "../compiled.ts"
import type { Measurement } from "../measurement.ts"

const MESSAGES = 64_000
const TRIPS = 3_000
/** How many tasklets send, and how many receive. */
const WIDTH = 64
/** How many tasklets compute, and how long each. */
const LOOPS = 8
const STEPS = 30_000_000
const RUNS = 5

const onPool = <A>(take: (workers: Pool) => Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.flatMap(pool({ size: 2, modules: [new URL("../bodies.compiled.js", import.meta.url)] }), take)
    ) as Effect.Effect<A>
  )

/** A worker of bare Node, and what it says when it is done. */
const bare = (consumer: string, producer: string, n: number): Promise<number> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    const workers = ([[consumer, port1], [producer, port2]] as const).map(([role, port]) =>
      new Worker(BARE, { eval: true, workerData: { role, port, n, frame: "x".repeat(100) }, transferList: [port] })
    )
    workers[0]!.on("message", (took: number) => {
      resolve(took)
      for (const worker of workers) void worker.terminate()
    })
  })

/** The seconds that so many bare threads take for all loops. */
const bareLoops = async (threads: number): Promise<number> => {
  const workers = Array.from(
    { length: threads },
    () => new Worker(BARE, { eval: true, workerData: { role: "compute" } })
  )
  const said = (worker: Worker): Promise<unknown> => new Promise((resolve) => worker.once("message", resolve))
  await Promise.all(workers.map(said))
  const took = await seconds(() => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
    for (const worker of workers) worker.postMessage(LOOPS / threads)
    return Promise.all(workers.map(said))
  }, 1)
  for (const worker of workers) void worker.terminate()
  return took
}

const BARE = `
const { parentPort, workerData: { frame, n, port, role } } = require("node:worker_threads")
let count = 0, start = 0
const took = () => parentPort.postMessage((performance.now() - start) / 1000)
const roles = {
  consume: () => port.on("message", () => {
    if (count++ === 0) start = performance.now()
    if (count === n) took()
  }),
  produce: () => {
    const some = () => {
      for (let i = 0; i < 256 && count < n; i++, count++) port.postMessage(frame)
      if (count < n) setImmediate(some)
    }
    some()
  },
  compute: () => {
    parentPort.on("message", (loops) => {
      let x = 0
      for (let k = 0; k < loops; k++) for (let i = 0; i < ${STEPS}; i++) x = x * 31 + i | 0
      parentPort.postMessage(x)
    })
    parentPort.postMessage("ready")
  },
  pong: () => port.on("message", (message) => port.postMessage(message)),
  ping: () => {
    port.on("message", (message) => ++count === n ? took() : port.postMessage(message))
    start = performance.now()
    port.postMessage(frame)
  }
}
roles[role]()
`

export const working: Record<string, Measurement> = {
  "workers.messages": {
    figures: [
      { name: "workers.messages.postMessage", unit: "/s", about: "bare postMessage between two workers, 100 bytes" },
      { name: "workers.messages", unit: "/s", about: "a channel between two workers: 64 send, 64 receive, 100 bytes" },
      { name: "workers.messages.ratio", unit: "×", about: "the second to the first" }
    ],
    take: () =>
      onPool((workers) =>
        Effect.gen(function*() {
          const { consumes, produces } = yield* Effect.promise(compiledBodies)
          const rates: Array<readonly [number, number]> = []
          for (let i = 0; i < RUNS; i++) {
            const plain = MESSAGES / (yield* Effect.promise(() => bare("consume", "produce", MESSAGES)))
            const way = workers.channel<any>()
            const taken = workers.workers[0]!.spawn(consumes)(workers, way, MESSAGES, WIDTH)
            workers.workers[1]!.spawn(produces)(way, MESSAGES, WIDTH)
            yield* run()
            rates.push([plain, MESSAGES / (yield* taken.join())])
          }
          const [plain, ours] = [median(rates.map(([plain]) => plain)), median(rates.map(([, ours]) => ours))]
          return [plain, ours, median(rates.map(([plain, ours]) => ours / plain))]
        })
      )
  },
  "workers.latency": {
    figures: [
      {
        name: "workers.latency.postMessage",
        unit: "µs",
        about: "a round trip of bare postMessage between two workers"
      },
      { name: "workers.latency", unit: "µs", about: "the same through two channels" }
    ],
    take: () =>
      onPool((workers) =>
        Effect.gen(function*() {
          const { answers, asks } = yield* Effect.promise(compiledBodies)
          const trips: Array<readonly [number, number]> = []
          for (let i = 0; i < RUNS; i++) {
            const plain = yield* Effect.promise(() => bare("ping", "pong", TRIPS))
            const way = workers.channel<any>()
            const taken = workers.workers[0]!.spawn(asks)(workers, way, TRIPS)
            workers.workers[1]!.spawn(answers)(workers, way, TRIPS)
            yield* run()
            trips.push([plain / TRIPS * 1e6, (yield* taken.join()) / TRIPS * 1e6])
          }
          return [median(trips.map(([plain]) => plain)), median(trips.map(([, ours]) => ours))]
        })
      )
  },
  "workers.parallel": {
    figures: [
      {
        name: "workers.parallel.threads",
        unit: "×",
        about: "eight loops that compute: one thread's time to that of two, bare worker threads"
      },
      { name: "workers.parallel", unit: "×", about: "the same in eight tasklets, on one worker of a pool and on two" }
    ],
    take: () =>
      onPool((workers) =>
        Effect.gen(function*() {
          const { computing } = yield* Effect.promise(compiledBodies)
          const on = (n: number) =>
            Effect.promise(() =>
              seconds(() => {
                for (let i = 0; i < LOOPS; i++) workers.workers[i % n]!.spawn(computing)(STEPS)
                return Effect.runPromise(run())
              }, 1)
            )
          const threads = (n: number) => Effect.promise(() => bareLoops(n))
          const ratios: Array<readonly [number, number]> = []
          for (let i = 0; i < RUNS; i++) {
            ratios.push([(yield* threads(1)) / (yield* threads(2)), (yield* on(1)) / (yield* on(2))])
          }
          return [median(ratios.map(([plain]) => plain)), median(ratios.map(([, ours]) => ours))]
        })
      )
  }
}
