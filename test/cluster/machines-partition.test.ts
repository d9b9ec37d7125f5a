/** The network between two machines is cut, in both directions, and there again; the registry is reached by both all the while. */
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Cluster, keyOf, SECRET, spread, startCluster, until } from "./machines/cluster.ts"
import type { Process } from "./machines/process.ts"
import { Proxy } from "./machines/proxy.ts"

let cluster: Cluster
let proxies: ReadonlyArray<Proxy>
let a: Process
let b: Process

beforeAll(async () => {
  cluster = await startCluster()
  proxies = [await Proxy.make(), await Proxy.make()]
  ;[a, b] = await Promise.all(
    proxies.map(({ address, behind }) => cluster.start({ secret: SECRET, address, listen: behind }))
  ) as [Process, Process]
  await spread(a, b)
}, 120_000)
afterAll(async () => {
  await cluster.remove()
  for (const proxy of proxies) proxy.close()
})

const COMMUTERS = 20
const seconds = (n: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, n * 1000))

test("a network that is cut for 4 s: what goes on, what is lost, and that nothing is doubled", async () => {
  const key = await keyOf(b, "market")
  await b.do("gather", key, 100)
  await a.do("pump", key, 100, 0)
  // they go to and fro all the while
  const travels: Promise<ReadonlyArray<number>> = a.do("commute", COMMUTERS, b.address, a.address)
  await until(async () => (await b.do("got")).length as number, (n) => n > 50)
  const cut = Date.now()
  for (const proxy of proxies) proxy.cut()
  await seconds(4)
  for (const proxy of proxies) proxy.heal()
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
    `partition of 4 s: ${sent.length} sent, ${numbers.length} delivered, ${lost} lost, 0 doubled, messages went on ${
      pause - 4000
    } ms after it; ${COMMUTERS} tasklets made ${stops.length} moves, none lost, none doubled`
  )
}, 120_000)
