/**
 * Pickling: a million tasklets that are blocked in their second call, with their channel; a list; a recursion. And beside it what
 * `v8.serialize` takes for a list that it survives, and what native Stackless 3.7.5 pickles: 1,000 tasklets of depth 10.
 */
import { Effect } from "effect"
import { dumps, loads } from "effect-stackless/pickle"
import { type Channel, channel, run, type Tasklet, tasklet } from "effect-stackless/stackless"
import { deserialize, serialize } from "node:v8"
import { median, seconds } from "../clock.ts"
import { compiledBodies } from "../compiled.ts"
import type { Measurement } from "../measurement.ts"
import { memory } from "../memory.ts"
import { onNativeStackless } from "../peers/programs.ts"

const MILLION = 1_000_000
const WARM = 20_000
const NODES = 5_000_000
const SMALL = 1_000

interface Node {
  readonly value: number
  readonly next: Node | undefined
}

const listOf = (n: number): Node | undefined => {
  let list: Node | undefined
  for (let value = 0; value < n; value++) list = { value, next: list }
  return list
}

const blocked = async (n: number): Promise<Channel<number>> => {
  const { waitingInside } = await compiledBodies()
  const on = channel<number>()
  const start = tasklet(waitingInside)
  for (let i = 0; i < n; i++) start(on)
  await Effect.runPromise(run())
  return on
}

const deep = async (n: number): Promise<Tasklet> => {
  const { pausing } = await compiledBodies()
  const t = tasklet(pausing)(n)
  await Effect.runPromise(run())
  return t
}

/** Microseconds to dump and to load each, and bytes each. */
const cost = async (value: unknown, n: number): Promise<ReadonlyArray<number>> => {
  let pickle: Uint8Array = new Uint8Array()
  const dumping = await seconds(() => {
    pickle = dumps(value)
  }, n)
  const loading = await seconds(() => {
    loads(pickle)
  }, n)
  return [dumping / n * 1e6, loading / n * 1e6, pickle.length / n]
}

const warm = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await cost(await blocked(WARM), WARM)
}

/** 1,000 tasklets in the middle of ten calls, which is what upstream's own tests pickle. */
const depth10 = async (): Promise<ReadonlyArray<number>> => {
  const tasklets: Array<Tasklet> = []
  for (let i = 0; i < SMALL; i++) tasklets.push(await deep(10))
  const taken: Array<ReadonlyArray<number>> = []
  for (let i = 0; i < 9; i++) taken.push(await cost(tasklets, SMALL))
  return [0, 1, 2].map((i) => median(taken.map((each) => each[i]!)))
}

const kindsOf = (name: string, what: string) =>
  [
    { name: `${name}.dump`, unit: "µs", about: `dumps of ${what}, each` },
    { name: `${name}.load`, unit: "µs", about: `loads of ${what}, each` },
    { name: `${name}.bytes`, unit: "bytes", about: `a pickle of ${what}, each` }
  ] as const

export const pickling: Record<string, Measurement> = {
  "pickle.tasklets": {
    figures: kindsOf("pickle.tasklets", "a million tasklets, blocked in their second call"),
    take: async () => {
      await warm()
      return cost(await blocked(MILLION), MILLION)
    }
  },
  "pickle.memory": {
    figures: [
      { name: "pickle.memory.alive", unit: "bytes", about: "a tasklet that is blocked in its second call" },
      {
        name: "pickle.memory.peak",
        unit: "bytes",
        about: "the process at its peak while it dumps a million of them, each"
      }
    ],
    take: async () => {
      const before = memory()
      const on = await blocked(MILLION)
      const alive = memory()
      dumps(on)
      return [(alive.heap - before.heap) / MILLION, (process.resourceUsage().maxRSS * 1024 - before.resident) / MILLION]
    }
  },
  "pickle.list": {
    figures: kindsOf("pickle.list", "a list of 5,000,000 nodes"),
    take: async () => {
      await warm()
      return cost(listOf(NODES), NODES)
    }
  },
  "pickle.recursion": {
    figures: kindsOf("pickle.recursion", "a tasklet 1,000,000 calls deep, a call"),
    take: async () => {
      await warm()
      return cost(await deep(MILLION), MILLION)
    }
  },
  "pickle.depth10": {
    figures: kindsOf("pickle.depth10", "1,000 tasklets of depth 10, a tasklet"),
    take: depth10
  },
  ...onNativeStackless !== undefined && {
    "pickle.stackless": {
      figures: [
        { name: "pickle.stackless.dump", unit: "×", about: "native Stackless's dumps of the same, in times of ours" },
        { name: "pickle.stackless.load", unit: "×", about: "its loads, in times of ours" },
        { name: "pickle.stackless.bytes", unit: "×", about: "the length of its pickle, in times of ours" }
      ],
      take: async () => {
        const ours = await depth10()
        return onNativeStackless!("stackless_pickle.py").map((theirs, i) => theirs / ours[i]!)
      }
    } satisfies Measurement
  },
  "pickle.v8": {
    figures: [
      { name: "pickle.v8.dump", unit: "×", about: "v8.serialize of 1,000 lists of 100 nodes, in times of dumps" },
      { name: "pickle.v8.load", unit: "×", about: "v8.deserialize of them, in times of loads" }
    ],
    take: async () => {
      const lists = Array.from({ length: SMALL }, () => listOf(100))
      const ratios: Array<readonly [number, number]> = []
      for (let i = 0; i < 9; i++) {
        const [dump, load] = await cost(lists, SMALL)
        let bytes: Uint8Array = new Uint8Array()
        const serializing = await seconds(() => {
          bytes = serialize(lists)
        }, SMALL)
        const deserializing = await seconds(() => {
          deserialize(bytes)
        }, SMALL)
        ratios.push([serializing * 1e6 / (dump! * SMALL), deserializing * 1e6 / (load! * SMALL)])
      }
      return [median(ratios.map(([dump]) => dump)), median(ratios.map(([, load]) => load))]
    }
  }
}
