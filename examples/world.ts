/**
 * A world as EVE has them: a hundred solar systems on two machines, and ten thousand ships that jump between them.
 *
 * A system is a tasklet with a key; the cluster decides which machine runs it. A ship is a tasklet, too. What it has is in its local
 * variables: nobody writes it down before a jump, or reads it after one. It moves to the other machine in the middle of its
 * function, and goes on there.
 *
 *     node --import effect-stackless/register examples/world.ts
 */
"use stackless"

import { Effect, Layer } from "effect"
import { channel, Machine, machine, moveTo, registry, spawn } from "effect-stackless/cluster"
import { run, tasklet } from "effect-stackless/stackless"
import { fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const SYSTEMS = 100
const JUMPS = 10

/** A leg of a ship's route: a system, and the machine that has it. */
interface Leg {
  readonly system: string
  readonly machine: string
}

/** What a ship tells the system that it has come to. */
interface Visit {
  readonly ship: string
  readonly ore: number
}

/** A solar system: it hears of the ships that come, until its channel is closed. */
function* solarSystem(name: string) {
  let visits = 0
  let ore = 0
  yield* channel.named<Visit>(name).each((visit) => {
    visits++
    ore += visit.ore
  })
  return { visits, ore }
}

/** A ship: it flies its route, and comes home with what it has mined. */
function* ship(name: string, route: ReadonlyArray<Leg>) {
  let hull = 100
  let cargo = 0
  let jumps = 0
  for (const { machine, system } of route) {
    yield* moveTo(machine)
    jumps++
    if (jumps % 3 === 0) hull -= 5
    cargo += yield* mine(name, system, hull)
  }
  return { hull, cargo, jumps }
}

/** Mines as much as the hull can bear. */
function* mine(ship: string, system: string, hull: number) {
  const ore = Math.floor(hull / 10)
  yield* channel.named<Visit>(system).send({ ship, ore })
  return ore
}

/** Starts the systems, and finds them once each machine has some. */
const systems = Effect.gen(function*() {
  const { locate, machines } = yield* Machine
  yield* Effect.repeat(Effect.delay(machines, 50), { until: ({ length }) => length === 2 })
  const names = Array.from({ length: SYSTEMS }, (_, n) => `system/${n + 1}`)
  const started = yield* Effect.forEach(names, (name) => spawn(name, solarSystem)(name))
  const look = Effect.forEach(names, (system) => Effect.map(locate(system), (machine): Leg => ({ system, machine })))
  const chart = yield* Effect.repeat(Effect.delay(look, 50), {
    until: (legs) => new Set(legs.map(({ machine }) => machine)).size === 2
  })
  return { started, chart }
})

/** Lets so many ships fly, and prints what has become of them. */
const world = Effect.fnUntraced(function*(ships: number) {
  const { chart, started } = yield* systems
  const fleet = Array.from({ length: ships }, (_, n) => {
    const route = Array.from({ length: JUMPS }, (_, leg) => chart[(n + leg * 37) % SYSTEMS]!)
    return tasklet(ship)(`ship ${n + 1}`, route)
  })

  const start = performance.now()
  yield* run()
  const seconds = (performance.now() - start) / 1000

  let jumps = 0
  let cargo = 0
  for (const each of fleet) {
    const log = yield* each.join()
    jumps += log.jumps
    cargo += log.cargo
  }
  let visits = 0
  let ore = 0
  for (const system of started) {
    channel.named<Visit>(system.key).close()
    const seen = yield* system.join()
    visits += seen.visits
    ore += seen.ore
  }
  console.log(`${fleet.length} ships have made ${jumps} jumps, and the systems have seen ${visits}`)
  console.log(`the ships have ${cargo} tons of ore, and the systems have lost ${ore}`)
  console.log(`${Math.round(jumps / seconds)} jumps a second`)
})

// ---- the two machines -----------------------------------------------------------------------------------------------

const [, , argument = "10000"] = process.argv

const joined = (filename: string) => machine({ address: "127.0.0.1:0", registry: registry.sqlite({ filename }) })

if (process.send === undefined) {
  // the first machine starts the other one
  const directory = mkdtempSync(join(tmpdir(), "world-"))
  const filename = join(directory, "registry.sqlite")
  const other = fork(fileURLToPath(import.meta.url), [filename])
  try {
    await Effect.runPromise(Effect.provide(world(Number(argument)), joined(filename)))
  } finally {
    other.kill()
    rmSync(directory, { recursive: true })
  }
} else {
  // which ends with it
  process.on("disconnect", () => process.exit())
  await Effect.runPromise(Layer.launch(joined(argument)))
}
