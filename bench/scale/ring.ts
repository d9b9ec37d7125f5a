/** The ring: what a switch, a new tasklet, and one taken out of the middle cost, by how many are in it. */
import { Effect } from "effect"
import { call, channel, run, schedule, type Tasklet, tasklet } from "effect-stackless/stackless"
import { collect } from "../memory.ts"
import { nanoseconds, powers, type Series, shuffled } from "./series.ts"

const SWITCHES = 3_000_000
const CREATED = 1_000_000
const TAKEN_OUT = 200_000

interface Going {
  going: boolean
}

function* circling(until: Going) {
  while (until.going) yield* schedule()
}

/** A ring of `n`, with the one that is called. Each has started when `body` begins, and ends when it is done. */
const inRing = (n: number, body: (others: ReadonlyArray<Tasklet>) => Generator<any, void, any>): Promise<unknown> => {
  const until = { going: true }
  const start = tasklet(circling)
  return Effect.runPromise(call(function*() {
    const others = Array.from({ length: n - 1 }, () => start(until))
    yield* schedule()
    yield* call(body, others)
    until.going = false
    yield* run()
  }))
}

// ---- switches -------------------------------------------------------------------------------------------------------

const switches = async (
  n: number,
  order: (ring: ReadonlyArray<Tasklet>) => ReadonlyArray<Tasklet>
): Promise<number> => {
  const laps = Math.ceil(SWITCHES / n)
  let taken = 0
  await inRing(n, function*(others) {
    for (const one of others) one.remove()
    for (const one of order(others)) one.insert()
    collect()
    yield* schedule()
    const start = performance.now()
    for (let lap = 0; lap < laps; lap++) yield* schedule()
    taken = performance.now() - start
  })
  return taken * 1e6 / (laps * n)
}

function* stepping(): Generator<undefined, void, undefined> {
  for (;;) yield
}

/** What the machine alone makes of so many: generators without anything around them. */
const steps = (n: number): Promise<number> => {
  const all = shuffled(Array.from({ length: n }, stepping))
  for (const one of all) one.next()
  collect()
  const laps = Math.ceil(SWITCHES / n)
  return nanoseconds(laps * n, () => {
    for (let lap = 0; lap < laps; lap++) {
      for (const one of all) one.next()
    }
  })
}

// ---- creating -------------------------------------------------------------------------------------------------------

function* ending() {}

const creating = async (n: number): Promise<number> => {
  const times = Math.ceil(CREATED / n)
  const start = tasklet(ending)
  let taken = 0
  for (let i = 0; i < times; i++) {
    taken += await nanoseconds(n, () => {
      for (let i = 0; i < n; i++) start()
    })
    await Effect.runPromise(run())
  }
  return taken / times
}

// ---- taking out of the middle ---------------------------------------------------------------------------------------

/** Of `n`, some that stand anywhere: few enough that their number does not matter. */
const some = (all: ReadonlyArray<Tasklet>): ReadonlyArray<Tasklet> => shuffled(all).slice(0, Math.ceil(all.length / 10))

const repeatedly = async (n: number, take: () => Promise<number>): Promise<number> => {
  const times = Math.ceil(TAKEN_OUT / n)
  let taken = 0
  for (let i = 0; i < times; i++) taken += await take()
  return taken / times
}

const removing = (n: number): Promise<number> =>
  repeatedly(n, async () => {
    let taken = 0
    await inRing(n, function*(others) {
      const leaving = some(others)
      const start = performance.now()
      for (const one of leaving) one.remove()
      taken = (performance.now() - start) * 1e6 / leaving.length
      for (const one of leaving) one.insert()
    })
    return taken
  })

const killing = (n: number): Promise<number> =>
  repeatedly(n, async () => {
    let taken = 0
    await inRing(n, function*(others) {
      const leaving = some(others)
      const start = performance.now()
      // Killed in its place it would hand over to the one behind it, and half a ring would run before the next.
      for (const one of leaving) yield* one.remove().kill()
      taken = (performance.now() - start) * 1e6 / leaving.length
    })
    return taken
  })

const killingBlocked = (n: number): Promise<number> =>
  repeatedly(n, () =>
    Effect.runPromise(call(function*() {
      const c = channel<void>()
      const start = tasklet(function*() {
        yield* c.receive()
      })
      const blocked = Array.from({ length: n }, () => start())
      yield* run()
      const leaving = some(blocked)
      const began = performance.now()
      for (const one of leaving) yield* one.kill()
      return (performance.now() - began) * 1e6 / leaving.length
    })) as Promise<number>)

const LIVE = [...powers(10, 1_000_000), 3_000_000]

export const ring: Record<string, Series> = {
  "switch": {
    unit: "ns",
    about: "a switch, by live tasklets, in the order they were created in",
    sizes: LIVE,
    take: (n) => switches(n, (ring) => ring)
  },
  "switch.shuffled": {
    unit: "ns",
    about: "a switch, by live tasklets, in random order",
    sizes: LIVE,
    take: (n) => switches(n, shuffled)
  },
  "raw.shuffled": {
    unit: "ns",
    about: "a step of one of so many bare generators, in random order",
    sizes: LIVE,
    take: steps
  },
  "create": { unit: "ns", about: "to create a tasklet, by how many", sizes: LIVE, take: creating },
  "remove": {
    unit: "ns",
    about: "remove() from anywhere in a ring, by its length",
    sizes: powers(1000, 1_000_000),
    take: removing
  },
  "kill": {
    unit: "ns",
    about: "remove() and kill() from anywhere in a ring, by its length",
    sizes: powers(1000, 1_000_000),
    take: killing
  },
  "kill.blocked": {
    unit: "ns",
    about: "kill() from anywhere in a channel's queue, by its length",
    sizes: powers(1000, 1_000_000),
    take: killingBlocked
  }
}
