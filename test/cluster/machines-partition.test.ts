/**
 * The network is cut, and there again: between two machines, which both reach the database all the while; and around one of them, which reaches
 * nobody any more.
 */
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Cluster, keyOf, SECRET, spread, startCluster, until } from "./machines/cluster.ts"
import { makeNetwork, type Network } from "./machines/network.ts"
import type { Process, RemoteError } from "./machines/process.ts"

let cluster: Cluster
let network: Network
let a: Process
let b: Process

beforeAll(async () => {
  cluster = await startCluster()
  network = await makeNetwork(cluster.socket)
  ;[a, b] = await Promise.all(
    network.sites.map(({ options, within }) =>
      cluster.start({ secret: SECRET, durable: true, ...options }, undefined, within)
    )
  ) as [Process, Process]
  await spread(a, b)
}, 120_000)
afterAll(async () => {
  await cluster.remove()
  network.remove()
})

const COMMUTERS = 20
const seconds = (n: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, n * 1000))

test(
  "a network between two machines that is cut for 4 s: what goes on, what is lost, and that nothing is doubled",
  async () => {
    const key = await keyOf(b, "market")
    await b.do("gather", key, 100)
    await a.do("pump", key, 100, 0)
    // they go to and fro all the while
    const travels: Promise<ReadonlyArray<number>> = a.do("commute", COMMUTERS, b.address, a.address)
    await until(async () => (await b.do("got")).length as number, (n) => n > 50)
    const cut = Date.now()
    network.cutLink()
    await seconds(4)
    network.heal()
    const before = (await b.do("got")).length as number
    await spread(a, b)
    await until(async () => (await b.do("got")).length as number, (n) => n > before + 50)
    const pause = Date.now() - cut
    await a.do("arrive")
    // none of them was lost, and none has run at two places at once
    const ends = await travels
    const stops: ReadonlyArray<string> = [...await a.do("stops"), ...await b.do("stops")]
    expect(new Set(stops).size).toBe(stops.length)
    expect(stops.length).toBe(ends.reduce((sum, n) => sum + n, 0))
    const { sent } = await a.do("stop") as { sent: ReadonlyArray<number> }
    const numbers = ((await b.do("got")) as ReadonlyArray<[number, number]>).map(([n]) => n)
    const lost = sent.filter((n) => !numbers.includes(n)).length
    expect(new Set(numbers).size).toBe(numbers.length)
    console.log(
      `link cut for 4 s by ${network.kind}: ${sent.length} sent, ${numbers.length} delivered, ${lost} lost, 0 doubled, messages went on ${
        pause - 4000
      } ms after it; ${COMMUTERS} tasklets made ${stops.length} moves, none lost, none doubled`
    )
  },
  120_000
)

test(
  "a machine that is cut off for 12 s: no tasklet runs twice at once, and durable messages are not lost",
  async () => {
    const key = await keyOf(b, "ticker")
    await a.do("tick", key)
    const lost: Promise<RemoteError> = a.do("join", key).catch((error) => error)
    for (const [machine, from] of [[a, 1_000_000], [b, 2_000_000]] as const) {
      await machine.do("pumpDurably", "jobs", from)
      await machine.do("gatherDurably", "jobs")
    }
    await until(async () => (await b.do("ticks")).length as number, (n) => n > 50)
    const cut = Date.now()
    network.cutOff()
    expect((await lost).message).toContain("lost")
    const told = Date.now() - cut
    await a.do("tick", key)
    const again = Date.now() - cut
    await seconds(Math.max(0, 12 - (Date.now() - cut) / 1000))
    network.heal()
    const healed = Date.now()
    await spread(a, b)
    const back = Date.now() - healed
    // the one of before has ended before the other one began
    const first: Ticks = await b.do("ticks")
    const second: Ticks = await a.do("ticks")
    const [ended, began] = [
      Math.max(...first.map(([, , time]) => time).filter((time) => time < healed)) - cut,
      second[0]![2] - cut
    ]
    const later: Ticks = await b.do("ticks")
    expect(ended).toBeLessThan(began)
    const before = first.filter(([, , time]) => time < healed)
    const last = before[before.length - 1]!
    expect(later.filter(([, n, time]) => n === last[1] && time < healed)).toHaveLength(1)
    // the one that came after it may have moved there since: each of its numbers was made once
    const made = [...second, ...later.filter(([, , time]) => time > healed)].map(([, n]) => n)
    expect(new Set(made).size).toBe(made.length)
    const numbers = async (): Promise<ReadonlyArray<number>> =>
      [...await a.do("got"), ...await b.do("got")].map(([n]) => n).filter((n) => n >= 1_000_000)
    await seconds(1)
    const sent: ReadonlyArray<number> = [...await a.do("sent"), ...await b.do("sent")].filter((n) => n >= 1_000_000)
    const got = await until(numbers, (got) => new Set(got).size >= new Set([...got, ...sent]).size)
    // whatever the one that is cut off was in the middle of holds the other one up for no longer than its lease
    const times = ((await a.do("got")) as Array<[number, number]>).map(([, time]) => time - cut)
    const pause = Math.max(...times.map((time, i) => i > 0 && time > 0 && time < 12_000 ? time - times[i - 1]! : 0))
    expect(pause).toBeGreaterThan(0)
    expect(pause).toBeLessThan(6000)
    expect(times.filter((time) => time > 6000 && time < 12_000).length).toBeGreaterThan(50)
    const doubled = got.length - new Set(got).size
    console.log(
      `a machine cut off for 12 s by ${network.kind}: its tasklet ended there after ${ended} ms, who joined it was told after ${told} ms, it ran elsewhere after ${again} ms; ` +
        `back ${back} ms after it was healed; ${sent.length} durable messages sent, 0 lost, ${doubled} doubled, the longest pause of those that are connected ${pause} ms`
    )
  },
  120_000
)

type Ticks = ReadonlyArray<readonly [name: string, n: number, time: number]>
