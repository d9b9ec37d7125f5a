/** Two machines, each a process: messages, round trips and tasklets that move, beside bare RPC of Effect. */
import { Effect } from "effect"
import {
  channel,
  Machine,
  machine,
  type MachineError,
  moveTo,
  registry,
  type RemoteChannel,
  spawn
} from "effect-stackless/cluster"
import { persistent } from "effect-stackless/pickle"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { startPostgres } from "../../test/cluster/postgres.ts"
import { median } from "../clock.ts"
import { type Bodies, compiledBodies } from "../compiled.ts"
import type { Measurement } from "../measurement.ts"
import { client } from "../rpc.ts"

/** How many of each are under way at once, where it is not one. */
const WIDTH = 64
const RUNS = 3
const FRAME = "x".repeat(100)

/** Both machines, from the one that this process is. */
interface Two {
  readonly bodies: Bodies
  readonly home: string
  readonly there: string
  /** A key that a machine has: each time another one. */
  readonly keyAt: (address: string) => Effect.Effect<string>
  /** Bare RPC to the other process. */
  readonly ask: (frame: string) => Effect.Effect<string, unknown>
}

const onTwo = async <A>(take: (two: Two) => Effect.Effect<A, unknown>): Promise<A> => {
  const server = startPostgres()
  const database = server.newDatabase()
  const other = fork(fileURLToPath(new URL("../other-machine.js", import.meta.url)), [server.host, database])
  const told = new Promise<{ address: string; port: number }>((resolve, reject) => {
    other.once("message", resolve)
    other.once("exit", () => reject(new Error("the other machine has ended")))
  })
  const both = Effect.gen(function*() {
    const { address: home, locate } = yield* Machine
    const { address: there, port } = yield* Effect.promise(() => told)
    yield* settled(locate, [home, there])
    let keys = 0
    const keyAt = (address: string): Effect.Effect<string> =>
      Effect.suspend(() => {
        const key = `key ${++keys}`
        return Effect.flatMap(
          locate(key),
          (at) => at === address ? Effect.succeed(key) : Effect.delay(keyAt(address), 1)
        )
      })
    return yield* take({
      bodies: yield* Effect.promise(compiledBodies),
      home,
      there,
      keyAt,
      ask: yield* client(port)
    })
  })
  try {
    const here = machine({
      address: "127.0.0.1:0",
      registry: registry.postgres({ host: server.host, database, username: "postgres", maxConnections: 3 })
    })
    return await Effect.runPromise(Effect.scoped(Effect.provide(both, here)) as Effect.Effect<A, MachineError>)
  } finally {
    other.kill("SIGKILL")
    server.remove()
  }
}

persistent("bench: moveTo", moveTo)

/** Waits until both machines have shards, and these have stayed where they are for a while: what runs then is not moved. */
const settled = (
  locate: (key: string) => Effect.Effect<string>,
  machines: ReadonlyArray<string>
): Effect.Effect<void> =>
  Effect.gen(function*() {
    const look = Effect.forEach(Array.from({ length: 100 }, (_, i) => `look ${i}`), locate)
    for (let before = "";;) {
      const found = yield* look
      const now = String(found)
      if (now === before && machines.every((address) => found.includes(address))) return
      before = now
      yield* Effect.sleep("1 second")
    }
  })

/** The seconds that so many calls of RPC take. */
const calling = ({ ask }: Two, n: number, width: number): Effect.Effect<number, unknown> =>
  Effect.gen(function*() {
    const start = performance.now()
    yield* Effect.forEach(Array.from({ length: width }), () => repeated(ask(FRAME), n / width), {
      concurrency: "unbounded",
      discard: true
    })
    return (performance.now() - start) / 1000
  })

const repeated = <E>(what: Effect.Effect<unknown, E>, n: number): Effect.Effect<void, E> =>
  Effect.gen(function*() {
    for (let i = 0; i < n; i++) yield* what
  })

/** The seconds that so many messages take, each sent here and received there. */
const sending = ({ bodies, home, keyAt, there }: Two, n: number, width: number): Effect.Effect<number, unknown> =>
  Effect.gen(function*() {
    const key = yield* keyAt(there)
    const way = channel.named<string>(key)
    const taken = yield* spawn(key, bodies.takesAll)(way, n, width)
    yield* spawn(yield* keyAt(home), bodies.sendsAll)(way, n, width)
    return yield* taken.join()
  })

const asking = ({ bodies, home, keyAt, there }: Two, n: number, width: number): Effect.Effect<number, unknown> =>
  Effect.gen(function*() {
    const channels: Array<readonly [RemoteChannel<string>, RemoteChannel<string>]> = []
    for (let i = 0; i < width; i++) {
      channels.push([channel.named<string>(yield* keyAt(there)), channel.named<string>(yield* keyAt(home))])
    }
    yield* spawn(yield* keyAt(there), bodies.answersAll)(channels, n)
    const asked = yield* spawn(yield* keyAt(home), bodies.asksAll)(channels, n)
    return yield* asked.join()
  })

/** Takes both in turn: gives the medians of what they take, and of the second to the first. */
const inTurn = (
  plain: Effect.Effect<number, unknown>,
  ours: Effect.Effect<number, unknown>
): Effect.Effect<readonly [plain: number, ours: number, ratio: number], unknown> =>
  Effect.gen(function*() {
    const taken: Array<readonly [number, number]> = []
    for (let i = 0; i <= RUNS; i++) taken.push([yield* plain, yield* ours])
    // the first one is for warm-up
    const runs = taken.slice(1)
    return [median(runs.map(([p]) => p)), median(runs.map(([, o]) => o)), median(runs.map(([p, o]) => p / o))]
  })

const ALONE = 500
const WIDE_CALLS = 3_200
const WIDE = 32_000
const MOVES = 3_200

const rates = (name: string, what: string, calls: string) =>
  [
    { name: `${name}.rpc`, unit: "/s", about: `bare RPC of Effect between two processes, ${calls}` },
    { name, unit: "/s", about: what },
    { name: `${name}.ratio`, unit: "×", about: "the second to the first" }
  ] as const

export const machines: Record<string, Measurement> = {
  "machines.alone": {
    figures: rates(
      "machines.alone",
      "messages on a channel from one machine to another, one at a time, 100 bytes",
      "one call at a time"
    ),
    take: () =>
      onTwo((two) =>
        Effect.map(
          inTurn(calling(two, ALONE, 1), sending(two, ALONE, 1)),
          ([plain, ours, ratio]) => [ALONE / plain, ALONE / ours, ratio]
        )
      )
  },
  "machines.wide": {
    figures: rates("machines.wide", "the same: 64 send, 64 receive", "64 calls at once"),
    take: () =>
      onTwo((two) =>
        Effect.map(
          inTurn(calling(two, WIDE_CALLS, WIDTH), sending(two, WIDE, WIDTH)),
          ([plain, ours, ratio]) => [WIDE_CALLS / plain, WIDE / ours, ratio * WIDE / WIDE_CALLS]
        )
      )
  },
  "machines.latency": {
    figures: [
      { name: "machines.latency.rpc", unit: "µs", about: "a call of bare RPC of Effect between two processes" },
      { name: "machines.latency", unit: "µs", about: "a message and its answer, over two channels of two machines" }
    ],
    take: () =>
      onTwo((two) =>
        Effect.map(
          inTurn(calling(two, ALONE, 1), asking(two, ALONE, 1)),
          ([plain, ours]) => [plain / ALONE * 1e6, ours / ALONE * 1e6]
        )
      )
  },
  "machines.answers": {
    figures: rates(
      "machines.answers",
      "messages and their answers, over 64 pairs of channels at once",
      "64 calls at once"
    ),
    take: () =>
      onTwo((two) =>
        Effect.map(
          inTurn(calling(two, WIDE_CALLS, WIDTH), asking(two, WIDE, WIDTH)),
          ([plain, ours, ratio]) => [WIDE_CALLS / plain, WIDE / ours, ratio * WIDE / WIDE_CALLS]
        )
      )
  },
  "machines.stream": {
    figures: [{
      name: "machines.stream",
      unit: "/s",
      about: "a stream of messages from one machine to another: one sends, one iterates"
    }],
    take: () =>
      onTwo((two) =>
        Effect.gen(function*() {
          const { bodies, home, keyAt, there } = two
          const taken: Array<number> = []
          for (let i = 0; i < RUNS; i++) {
            const key = yield* keyAt(there)
            const way = channel.named<string>(key)
            const taking = yield* spawn(key, bodies.takesStream)(way, WIDE)
            yield* spawn(yield* keyAt(home), bodies.sendsAll)(way, WIDE, 1)
            taken.push(yield* taking.join())
          }
          return [WIDE / median(taken)]
        })
      )
  },
  "machines.moves": {
    figures: [
      { name: "machines.moves.alone", unit: "/s", about: "moves of one tasklet between two machines" },
      { name: "machines.moves", unit: "/s", about: "moves of 64 tasklets between two machines" }
    ],
    take: () =>
      onTwo(({ bodies, home, keyAt, there }) =>
        Effect.gen(function*() {
          const rate = (n: number, width: number) =>
            Effect.gen(function*() {
              const taken: Array<number> = []
              for (let i = 0; i < RUNS; i++) {
                const travels = yield* spawn(yield* keyAt(home), bodies.travelsAll)(n, width, there, home, moveTo)
                taken.push(yield* travels.join())
              }
              return n / median(taken)
            })
          return [yield* rate(ALONE, 1), yield* rate(MOVES, WIDTH)]
        })
      )
  }
}
