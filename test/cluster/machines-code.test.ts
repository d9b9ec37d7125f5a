/** A machine of old code and one of new code. */
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Cluster, keyOf, SECRET, spread, startCluster } from "./machines/cluster.ts"
import type { Process } from "./machines/process.ts"

let cluster: Cluster
let old: Process
let renewed: Process

beforeAll(async () => {
  cluster = await startCluster()
  // one function has another name, and another one does something else
  const program = await cluster.program((code) =>
    code.replaceAll(/\bcounter\b/g, "counting").replace("return process.pid", "return -process.pid")
  )
  ;[old, renewed] = await Promise.all([cluster.start(), cluster.start({ secret: SECRET }, program)])
  await spread(old, renewed)
}, 120_000)
afterAll(() => cluster.remove())

test("values go between old and new code", async () => {
  const key = await keyOf(renewed, "values")
  const receiving = renewed.do("receive", key, 1)
  await old.do("send", key, [{ a: 1 }])
  expect(await receiving).toEqual([{ a: 1 }])
})

test("a function that the other code does not have is not started there", async () => {
  await expect(old.do("spawn", await keyOf(renewed, "missing"), 0)).rejects.toMatchObject({ tag: "CodeMismatch" })
})

test("a tasklet does not go on in the middle of a function that has changed: it stays, and is told why", async () => {
  await expect(old.do("travel", renewed.address, old.address, false)).rejects.toMatchObject({
    tag: "NotMovable",
    message: expect.stringContaining("cannot load it")
  })
})

test("one whose shard comes to such a machine ends, and who watches is told why", async () => {
  const key = await keyOf(old, "moving")
  await old.do("spawn", key, 0)
  await renewed.do("monitor", key)
  old.signal("SIGTERM")
  expect(await renewed.do("receive", "downs", 1, 1000)).toMatchObject([{ key, how: "unmovable" }])
})
