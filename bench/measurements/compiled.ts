/** The same as stackless.ts and million.ts measure, with bodies that the compiler has made frames of. */
import { type Channel, channel, run, tasklet } from "effect-stackless/stackless"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as generators from "../bodies.ts"
import { median, rate, seconds } from "../clock.ts"
import { type Bodies, compiledBodies, uncheckedBodies } from "../compiled.ts"
import type { Figure, Measurement, Unit } from "../measurement.ts"
import { memory } from "../memory.ts"
import { killed } from "./million.ts"

const SWITCHES = 5_000_000
const MESSAGES = 2_000_000
const MILLION = 1_000_000
const DEEP = 5_000_000
const WARM = 20_000
const ITERATIONS = 50_000_000
const SIEVED = 5_000_000

export const scheduling = (bodies: Bodies) => (n: number): Promise<unknown> => {
  const start = tasklet(bodies.scheduling)
  start(n / 2)
  start(n / 2)
  return Effect.runPromise(run())
}

export const talking = (bodies: Bodies) => (n: number): Promise<unknown> => {
  const c = channel<number>()
  tasklet(bodies.receiving)(c, n)
  tasklet(bodies.sending)(c, n)
  return Effect.runPromise(run())
}

const computing = (bodies: Bodies) => (n: number): Promise<unknown> => {
  tasklet(bodies.computing)(n)
  return Effect.runPromise(run())
}

const sieving = (bodies: Bodies) => (n: number): Promise<unknown> => {
  tasklet(bodies.sieving)(n)
  return Effect.runPromise(run())
}

/** Both in one process, in turn: how many times as many the compiled bodies make as others, generators if it is not said. */
const inTurn = async (
  work: (bodies: Bodies) => (n: number) => Promise<unknown>,
  n: number,
  others: Bodies = generators
): Promise<number> => {
  const both = [work(await compiledBodies()), work(others)] as const
  for (const each of both) await seconds(each, n / 4)
  const ratios: Array<number> = []
  for (let i = 0; i < 5; i++) {
    const compiled = await seconds(both[0], n)
    ratios.push(await seconds(both[1], n) / compiled)
  }
  return median(ratios)
}

const figure = (name: string, unit: Unit, about: string): Figure => ({ name, unit, about })

const block = async (bodies: Bodies, c: Channel<number>, n: number): Promise<void> => {
  const start = tasklet(bodies.waiting)
  for (let i = 0; i < n; i++) start(c)
  await Effect.runPromise(run())
}

const level = async (bodies: Bodies, n: number): Promise<number> => {
  let heap = 0
  const before = memory().heap
  tasklet(bodies.recursion)(n, () => heap = memory().heap)
  await Effect.runPromise(run())
  return (heap - before) / n
}

/** The 99th percentile, in microseconds, of so many waits that take milliseconds, beside 100 tasklets that compute for ever in slices. */
const latencyBesideComputing = async (times: number, wait: () => Promise<number>): Promise<ReadonlyArray<number>> => {
  const bodies = await compiledBodies()
  for (let i = 0; i < 100; i++) tasklet(bodies.computing)(Infinity)
  const fiber = Effect.runFork(run({ slice: "5 millis" }))
  const waits: Array<number> = []
  for (let i = 0; i < times; i++) waits.push(await wait())
  await Effect.runPromise(Fiber.interrupt(fiber))
  waits.sort((a, b) => a - b)
  return [waits[Math.floor(waits.length * 0.99)]! * 1000]
}

export const compiled: Record<string, Measurement> = {
  "compiled.schedule": {
    figures: [figure("compiled.schedule", "/s", "two compiled tasklets that call schedule() in a loop")],
    take: async () => [await rate(scheduling(await compiledBodies()), SWITCHES)]
  },
  "compiled.channel": {
    figures: [figure("compiled.channel", "/s", "messages from one compiled sender to one compiled receiver")],
    take: async () => [await rate(talking(await compiledBodies()), MESSAGES)]
  },
  "compiled.schedule.times": {
    figures: [
      figure("compiled.schedule.times", "×", "schedules of compiled tasklets to those of generators, in one process")
    ],
    take: async () => [await inTurn(scheduling, SWITCHES)]
  },
  "compiled.channel.times": {
    figures: [
      figure("compiled.channel.times", "×", "messages of compiled tasklets to those of generators, in one process")
    ],
    take: async () => [await inTurn(talking, MESSAGES)]
  },
  "compiled.loop.times": {
    figures: [
      figure("compiled.loop.times", "×", "iterations of a loop without a yield*, compiled, to those of a generator")
    ],
    take: async () => [await inTurn(computing, ITERATIONS)]
  },
  "compiled.fuel": {
    figures: [
      figure("compiled.fuel.times", "×", "iterations of that loop to those of one that cannot be preempted"),
      figure("compiled.fuel.nested.times", "×", "the same of a sieve, whose inner loops are short")
    ],
    take: async () => {
      const unchecked = await uncheckedBodies()
      return [await inTurn(computing, ITERATIONS, unchecked), await inTurn(sieving, SIEVED, unchecked)]
    }
  },
  "compiled.slice": {
    figures: [
      figure(
        "compiled.slice.latency",
        "µs",
        "99th percentile of a timer's delay beside 100 tasklets that compute, sliced"
      )
    ],
    take: () =>
      latencyBesideComputing(500, async () => {
        const before = performance.now()
        await new Promise((resolve) => setTimeout(resolve, 1))
        return performance.now() - before - 1
      })
  },
  "compiled.serve": {
    figures: [
      figure(
        "compiled.serve.p99",
        "µs",
        "99th percentile of a web server's answers beside 100 tasklets that compute, sliced"
      )
    ],
    take: async () => {
      const server = createServer((_, response) => response.end("here"))
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      const latency = await latencyBesideComputing(1000, async () => {
        const before = performance.now()
        await (await fetch(url)).text()
        return performance.now() - before
      })
      server.close()
      server.closeAllConnections()
      return latency
    }
  },
  "compiled.block": {
    figures: [
      figure("compiled.block.bytes", "bytes", "heap of a compiled tasklet that is blocked on a channel, frame and all"),
      figure("compiled.block.process.mb", "MB", "the whole process with a million of them")
    ],
    take: async () => {
      const bodies = await compiledBodies()
      await block(bodies, channel<number>(), WARM)
      const before = memory().heap
      const c = channel<number>()
      await block(bodies, c, MILLION)
      const blocked = memory()
      // whoever waits on a channel that nobody refers to is collected with it
      if (c.balance !== -MILLION) throw new Error("not all are blocked")
      return [(blocked.heap - before) / MILLION, blocked.resident / 1_000_000]
    }
  },
  "compiled.kill": {
    figures: [figure("compiled.kill.us", "µs", "to kill a compiled tasklet that is blocked on a channel")],
    take: async () => [await killed((await compiledBodies()).waiting)]
  },
  "compiled.depth": {
    figures: [figure("compiled.depth.bytes", "bytes", "heap of a level of a plain yield*, five million deep")],
    take: async () => {
      const bodies = await compiledBodies()
      for (let i = 0; i < 10; i++) await level(bodies, 1_000)
      return [await level(bodies, DEEP)]
    }
  }
}
