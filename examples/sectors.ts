/**
 * A small world: ships that move through sectors and report to the beacon of theirs, each ship and each beacon a
 * tasklet, each sector's radio a channel. It runs twice: once to count the switches, once to take the time.
 */
import { Effect } from "effect"
import { type Channel, channel, run, schedule, setScheduleCallback, tasklet } from "effect-stackless/stackless"

export interface Size {
  readonly ships: number
  readonly sectors: number
  readonly rounds: number
}

interface Report {
  readonly ship: number
  readonly x: number
  readonly y: number
}

interface Tally {
  messages: number
  nearest: number
}

function* ship(id: number, rounds: number, radio: Channel<Report | undefined>) {
  let x = id % 1000
  let y = Math.floor(id / 1000)
  const course = id * 0.7
  yield* schedule() // all ships are launched before the first one moves
  for (let round = 0; round < rounds; round++) {
    x += Math.cos(course)
    y += Math.sin(course)
    yield* radio.send({ ship: id, x, y })
    yield* schedule()
  }
  yield* radio.send(undefined)
}

function* beacon(ships: number, radio: Channel<Report | undefined>, tally: Tally) {
  while (ships > 0) {
    const report = yield* radio.receive()
    tally.messages++
    if (report === undefined) ships--
    else tally.nearest = Math.min(tally.nearest, Math.hypot(report.x, report.y))
  }
}

/** Makes the world: tasklets that are runnable, and have not run. */
const launch = ({ rounds, sectors, ships }: Size): Tally => {
  const tally: Tally = { messages: 0, nearest: Infinity }
  for (let sector = 0; sector < sectors; sector++) {
    const radio = channel<Report | undefined>()
    const mine = Math.floor((ships + sectors - 1 - sector) / sectors)
    tasklet(beacon)(mine, radio, tally)
    for (let n = 0; n < mine; n++) tasklet(ship)(n * sectors + sector, rounds, radio)
  }
  return tally
}

/** Runs the world and prints what it cost. */
export const sectors = Effect.fnUntraced(function*(size: Size) {
  const tasklets = size.ships + size.sectors

  const before = heapInUse()
  let bytes: number | undefined
  let switches = 0
  setScheduleCallback(() => {
    switches++
  })
  launch(size)
  tasklet(() => {
    // every tasklet has started, and none has ended
    const now = heapInUse()
    if (before !== undefined && now !== undefined) bytes = (now - before) / tasklets
  })()
  yield* run()
  setScheduleCallback(undefined)

  const tally = launch(size)
  const started = process.hrtime.bigint()
  yield* run()
  const seconds = Number(process.hrtime.bigint() - started) / 1e9

  print([
    ["tasklets", count(tasklets)],
    ["switches", count(switches)],
    ["messages", count(tally.messages)],
    ["seconds", seconds.toFixed(2)],
    ["switches per second", count(switches / seconds)],
    ["bytes per tasklet", bytes === undefined ? "run with --expose-gc to see them" : count(bytes)]
  ])
})

const heapInUse = (): number | undefined => {
  if (globalThis.gc === undefined) return undefined
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

const count = (n: number): string => Math.round(n).toLocaleString("en-US")

const print = (rows: ReadonlyArray<readonly [name: string, value: string]>): void => {
  const left = Math.max(...rows.map(([name]) => name.length))
  const right = Math.max(...rows.map(([, value]) => value.length))
  for (const [name, value] of rows) console.log(`${name.padEnd(left)}  ${value.padStart(right)}`)
}
