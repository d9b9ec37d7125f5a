/** A rolling restart of three machines under load. */
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Cluster, countedBy, type Got, keyOf, spread, startCluster, until } from "./machines/cluster.ts"
import type { Process } from "./machines/process.ts"

let cluster: Cluster
/** The one that sends, receives and counts; it stays. */
let outside: Process
let machines: Array<Process>

beforeAll(async () => {
  cluster = await startCluster()
  ;[outside, ...machines] = await Promise.all([1, 2, 3, 4].map(() => cluster.start())) as [Process, ...Array<Process>]
  await spread(outside, ...machines)
}, 120_000)
afterAll(() => cluster.remove())

test("three machines are restarted one after the other, and nothing is lost or doubled", async () => {
  const keys: Array<string> = []
  for (const machine of machines) for (let i = 0; i < 4; i++) keys.push(await keyOf(machine, `counter ${i}`))
  const load = await keyOf(machines[0]!, "load")
  for (const key of keys) await outside.do("spawn", key, 50)
  await outside.do("gather", "log", 100_000)
  await outside.do("gather", load, 100)
  await outside.do("pump", load, 100, 0)
  const counted = async (): Promise<Got> => await outside.do("got")
  const all = (got: Got, n: number): boolean => keys.every((key) => countedBy(got, key).numbers.length >= n)
  await until(counted, (got) => all(got, 5))
  for (let i = 0; i < 3; i++) {
    machines[i]!.signal("SIGTERM")
    expect(await machines[i]!.exited).toBe(0)
    machines[i] = await cluster.start()
    await spread(outside, ...machines)
  }
  const before = await counted()
  const longest = Math.max(...keys.map((key) => countedBy(before, key).numbers.length))
  await until(counted, (got) => all(got, longest + 5))
  const sent: ReadonlyArray<number> = await outside.do("sent")
  const pumped = (got: Got): ReadonlyArray<number> => got.map(([n]) => n).filter((n) => typeof n === "number")
  const got = await until(counted, (got) => new Set(pumped(got)).size >= sent.length)
  const numbers = pumped(got)
  expect(new Set(numbers).size).toBe(numbers.length)
  expect(sent.filter((n) => !numbers.includes(n))).toEqual([])
  let messages = numbers.length
  let pause = 0
  for (const key of keys) {
    const counter = countedBy(got, key)
    expect(new Set(counter.numbers)).toEqual(new Set(counter.numbers.map((_, i) => i + 1)))
    messages += counter.numbers.length
    pause = Math.max(pause, counter.pause)
  }
  console.log(`rolling restart: ${messages} messages delivered, 0 lost, 0 doubled; the longest pause was ${pause} ms`)
}, 120_000)
