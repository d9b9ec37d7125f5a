/** Machines that are processes, with a PostgreSQL where they are written down. */
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Cluster, countedBy, keyOf, spread, startCluster, until } from "./machines/cluster.ts"
import type { Process } from "./machines/process.ts"

let cluster: Cluster
let a: Process
let b: Process
let c: Process

beforeAll(async () => {
  cluster = await startCluster()
  ;[a, b, c] = await Promise.all([cluster.start(), cluster.start(), cluster.start()])
  await spread(a, b, c)
}, 120_000)
afterAll(() => cluster.remove())

test("a channel is one on all machines: rendezvous, capacity, closing", async () => {
  const key = await keyOf(c, "market")
  const receiving = b.do("receive", key, 3)
  await a.do("send", key, [1, { two: 2 }, "three"])
  expect(await receiving).toEqual([1, { two: 2 }, "three"])
  await a.do("send", "box", [1, 2, 3], 10)
  await b.do("close", "box", 10)
  expect(await c.do("drain", "box", 10)).toEqual([1, 2, 3])
})

test("values are checked by the schema, and a name is one channel's", async () => {
  await expect(a.do("checked", "numbers", "no number")).rejects.toMatchObject({ tag: "InvalidValue" })
  await a.do("send", "one name", ["first"], 7)
  await expect(b.do("receive", "one name", 1, 5)).rejects.toMatchObject({ tag: "NameConflict" })
})

test("a tasklet runs where its key is, and is found, joined and killed from everywhere", async () => {
  const key = await keyOf(b, "player")
  await a.do("spawn", key, 0)
  expect(await c.do("where", key)).toBe(b.address)
  expect(await c.do("find", key)).toBe(key)
  await expect(c.do("spawn", key, 0)).rejects.toMatchObject({ tag: "KeyTaken" })
  const joining = c.do("join", key)
  await a.do("send", `orders of ${key}`, ["go", "stop"])
  expect(await joining).toBe(2)
  await expect(a.do("find", key)).rejects.toMatchObject({ tag: "NoSuchKey" })

  await a.do("spawn", key, 0)
  const killed = c.do("join", key).catch((error) => error.message)
  await c.do("kill", key)
  expect(await killed).toMatch("was killed")
})

test("who watches is told how a tasklet ends, and who is linked ends with it", async () => {
  const [one, other] = [await keyOf(a, "linked"), await keyOf(b, "linked")]
  await c.do("spawn", one, 0)
  await c.do("spawn", other, 0)
  await c.do("link", one, other)
  await a.do("monitor", other)
  await c.do("send", `orders of ${one}`, ["fail"])
  expect(await b.do("receive", "downs", 1, 1000)).toMatchObject([{ key: other, how: "killed" }])
})

test("a tasklet moves to another machine and back; what cannot be pickled, or would go nowhere, stays and says why", async () => {
  const [here, there] = [a.child.pid, b.child.pid]
  expect(await a.do("travel", b.address, a.address, false)).toEqual([here, there, here])
  const [pid, why] = await a.do("travel", b.address, a.address, true)
  expect([pid, why]).toEqual([here, expect.stringContaining("a promise cannot be pickled")])
  expect((await a.do("travel", "127.0.0.1:1", a.address, true))[1]).toMatch(/cannot be pickled|is gone/)
  await expect(a.do("travel", "127.0.0.1:1", a.address, false)).rejects.toMatchObject({ tag: "PlaceLost" })
  await expect(a.do("spawnUnmovable", "unmovable")).rejects.toMatchObject({ tag: "NotMovable" })
})

test("what tasklets send while they move to and fro comes in their order, none lost and none doubled", async () => {
  const [ofA, ofB] = ["a", "b"].map((home) => Array.from({ length: 10 }, (_, i) => `${home} ${i}`)) as [
    Array<string>,
    Array<string>
  ]
  const numbers = Array.from({ length: 50 }, (_, i) => i + 1)
  for (const home of [a, b, c]) {
    const road = await keyOf(home, "road")
    const receiving = c.do("take", road, (ofA.length + ofB.length) * numbers.length, 100)
    const [fromA, fromB] = await Promise.all([
      a.do("sendOnTheWay", ofA, numbers.length, road, b.address, a.address),
      b.do("sendOnTheWay", ofB, numbers.length, road, a.address, b.address)
    ])
    expect([fromA, fromB]).toEqual([ofA, ofB])
    const got: ReadonlyArray<{ name: string; n: number; at: number }> = await receiving
    for (const name of [...ofA, ...ofB]) {
      const its = got.filter((it) => it.name === name)
      expect([name, its.map(({ n }) => n)]).toEqual([name, numbers])
      expect(new Set(its.map(({ at }) => at))).toEqual(new Set([a.child.pid, b.child.pid]))
    }
  }
})

test("a network has some of its components on one machine, and the others on another one", async () => {
  await expect(a.do("part", ["low", "middle"])).rejects.toMatchObject({ tag: "NetworkError" })
  // what is not there yet is waited for
  const first = a.do("part", ["low", "squaring"])
  const [[all], ends] = await Promise.all([b.do("part", ["collecting"]), first, c.do("part", ["high"])])
  expect(ends).toEqual([null, null])
  expect(new Set(all.map(({ n }: { n: number }) => n))).toEqual(
    new Set(Array.from({ length: 200 }, (_, i) => i * i))
  )
  expect(all).toHaveLength(200)
  expect(new Set(all.map(({ at }: { at: number }) => at))).toEqual(new Set([a.child.pid]))
})

test("a tasklet goes on in the middle of what it does when its machine is told to end, and nothing is lost or doubled", async () => {
  const key = await keyOf(c, "moving")
  await b.do("spawn", key, 20)
  await a.do("gather", "log", 100_000)
  await a.do("monitor", key)
  await until(async () => countedBy(await a.do("got"), key).numbers.length, (n) => n > 10)
  const { pid } = c.child
  c.signal("SIGTERM")
  const moved = await until(async () => countedBy(await a.do("got"), key), ({ processes }) => processes.length === 2)
  await until(async () => countedBy(await a.do("got"), key).numbers.length, (n) => n > moved.numbers.length + 10)
  const { numbers, pause, processes } = countedBy(await a.do("got"), key)
  expect(numbers).toEqual(numbers.map((_, i) => i + 1))
  expect(processes[0]).toBe(pid)
  console.log(`SIGTERM: a tasklet went on after ${pause} ms`)
  expect(await c.exited).toBe(0)
  await spread(a, b)
})

test("kill -9 of the machine that has a channel and a tasklet: who watches is told, and others go on", async () => {
  c = await cluster.start()
  await spread(a, b, c)
  const [there, key] = [await keyOf(c, "there"), await keyOf(c, "lost")]
  await a.do("spawn", key, 0)
  await a.do("monitor", key)
  await a.do("pump", there, 100, 0)
  await b.do("gather", there, 100)
  await until(async () => (await b.do("got")).length as number, (n) => n > 100)
  const killed = Date.now()
  await c.kill()
  const before = (await b.do("got")).length as number
  // a tasklet of the tests before may be watched, and have been there, too
  const downs = await until(() => a.do("receive", "downs", 1, 1000), ([down]) => down?.key === key)
  expect(downs).toMatchObject([{ how: "lost" }])
  const told = Date.now() - killed
  await until(async () => (await b.do("got")).length as number, (n) => n > before + 100)
  const { sent } = await a.do("stop")
  await new Promise((resolve) => setTimeout(resolve, 500))
  const { got } = await b.do("stop") as { got: ReadonlyArray<[number, number]> }
  const numbers = got.map(([n]) => n)
  const lost = (sent as Array<number>).filter((n) => !numbers.includes(n)).length
  expect(new Set(numbers).size).toBe(numbers.length)
  // at most what was in the channel and on its way
  expect(lost).toBeLessThanOrEqual(100 + 64 + 64)
  console.log(
    `kill -9: ${sent.length} sent, ${numbers.length} delivered, ${lost} lost, 0 doubled; told after ${told} ms`
  )
})

test("a machine that stops loses its shards, and its tasklets have ended once it is back", async () => {
  await spread(a, b)
  const key = await keyOf(b, "frozen")
  await a.do("spawn", key, 20)
  await a.do("gather", "log", 100_000)
  await until(async () => countedBy(await a.do("got"), key).numbers.length, (n) => n > 5)
  b.signal("SIGSTOP")
  const stopped = Date.now()
  await a.do("monitor", key)
  // the shard is this machine's now, and nobody has the key
  await until(() => a.do("where", key), (address) => address === a.address)
  console.log(`SIGSTOP: the shard has another machine after ${Date.now() - stopped} ms`)
  await a.do("spawn", key, 20)
  const pids = async () => countedBy(await a.do("got"), key).processes
  await until(pids, (processes) => processes.includes(a.child.pid!))
  const before = (await a.do("got")).length as number
  b.signal("SIGCONT")
  await spread(a, b)
  const { got } = await a.do("stop")
  // a tasklet there is one that has moved there since, with its shard
  const late = got.slice(before).filter(([{ at, name }]: [{ at: number; name: string }]) =>
    name === key && at === b.child.pid
  )
  const successor = await a.do("where", key)
  expect(successor === b.address || late.length === 0).toBe(true)
})
