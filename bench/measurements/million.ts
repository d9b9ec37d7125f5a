/**
 * A million tasklets: created, then run until each blocks on one channel, then drained with preference 1.
 *
 * Time and memory are taken by different processes: a collection between the steps would take work out of the timed
 * part that a program has to pay for.
 */
import { call, type Channel, channel, run, type Tasklet, tasklet } from "effect-stackless/stackless"
import * as Effect from "effect/Effect"
import { waiting } from "../bodies.ts"
import { median } from "../clock.ts"
import type { Measurement } from "../measurement.ts"
import { collect, memory } from "../memory.ts"

const MILLION = 1_000_000
const WARM = 20_000
/** Hard ones are larger; so many tell as well. */
const HARD = 200_000

const waitingHard = Effect.fnUntraced(function*(on: Channel<number>) {
  return yield* on.receive()
})

const makeChannel = (): Channel<number> => {
  const c = channel<number>()
  c.preference = 1
  return c
}

const create = (on: Channel<number>, n: number): void => {
  const start = tasklet(waiting)
  for (let i = 0; i < n; i++) start(on)
}

function* killing(tasklets: ReadonlyArray<Tasklet>) {
  for (const t of tasklets) yield* t.kill()
}

const createHard = (on: Channel<number>, n: number): void => {
  const start = tasklet(waitingHard)
  for (let i = 0; i < n; i++) start(on)
}

const block = (): Promise<unknown> => Effect.runPromise(run())

function* draining(c: Channel<number>, n: number) {
  for (let i = 0; i < n; i++) yield* c.send(i)
  yield* run()
}

const drain = (c: Channel<number>, n: number): Promise<unknown> => Effect.runPromise(call(draining, c, n))

const microseconds = async (work: () => unknown): Promise<number> => {
  const start = performance.now()
  await work()
  return (performance.now() - start) * 1000
}

const warmUp = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) {
    const c = makeChannel()
    create(c, WARM)
    await block()
    await drain(c, WARM)
  }
  collect()
}

/** How long it takes to kill a tasklet that is blocked on a channel in such a body. */
export const killed = async (body: typeof waiting): Promise<number> => {
  const c = makeChannel()
  const times: Array<number> = []
  for (let round = 0; round < 5; round++) {
    const tasklets = Array.from({ length: WARM }, () => tasklet(body)(c))
    await block()
    times.push(await microseconds(() => Effect.runPromise(call(killing, tasklets))) / WARM)
  }
  return median(times)
}

const megabytes = (bytes: number): number => bytes / 1_000_000

export const million: Record<string, Measurement> = {
  "stackless.million.time": {
    figures: [
      { name: "stackless.create.us", unit: "µs", about: "to create a tasklet, of a million" },
      { name: "stackless.block.us", unit: "µs", about: "to start it and run it until it blocks" },
      { name: "stackless.drain.us", unit: "µs", about: "to send to it and run it to its end" },
      { name: "stackless.million.peak.mb", unit: "MB", about: "the most that the process had resident in all this" }
    ],
    take: async () => {
      await warmUp()
      const c = makeChannel()
      const created = await microseconds(() => create(c, MILLION))
      const blocked = await microseconds(block)
      const drained = await microseconds(() => drain(c, MILLION))
      return [
        ...[created, blocked, drained].map((time) => time / MILLION),
        megabytes(process.resourceUsage().maxRSS * 1024)
      ]
    }
  },
  "stackless.million.memory": {
    figures: [
      { name: "stackless.create.bytes", unit: "bytes", about: "heap of a tasklet that is created, of a million" },
      { name: "stackless.create.rss", unit: "bytes", about: "its part of the resident size" },
      { name: "stackless.block.bytes", unit: "bytes", about: "heap of a tasklet that is blocked on a channel" },
      { name: "stackless.block.rss", unit: "bytes", about: "its part of the resident size" },
      { name: "stackless.block.process.mb", unit: "MB", about: "the whole process with a million blocked tasklets" }
    ],
    take: async () => {
      await warmUp()
      const c = makeChannel()
      const before = memory()
      create(c, MILLION)
      const created = memory()
      await block()
      const blocked = memory()
      await drain(c, MILLION)
      return [
        (created.heap - before.heap) / MILLION,
        (created.resident - before.resident) / MILLION,
        (blocked.heap - before.heap) / MILLION,
        (blocked.resident - before.resident) / MILLION,
        megabytes(blocked.resident)
      ]
    }
  },
  "stackless.kill": {
    figures: [{ name: "stackless.kill.us", unit: "µs", about: "to kill a tasklet that is blocked on a channel" }],
    take: async () => [await killed(waiting)]
  },
  "stackless.million.hard": {
    figures: [
      { name: "stackless.block.bytes.hard", unit: "bytes", about: "heap of a blocked tasklet that is an Effect" },
      { name: "stackless.block.rss.hard", unit: "bytes", about: "its part of the resident size" }
    ],
    take: async () => {
      const warm = makeChannel()
      createHard(warm, WARM)
      await block()
      await drain(warm, WARM)
      const c = makeChannel()
      const before = memory()
      createHard(c, HARD)
      await block()
      const blocked = memory()
      await drain(c, HARD)
      return [(blocked.heap - before.heap) / HARD, (blocked.resident - before.resident) / HARD]
    }
  }
}
