/** Pickles that go from machine to machine are signed, where the machines have a secret. */
import { Effect } from "effect"
import { loads, persistent } from "effect-stackless/pickle"
import { tasklet } from "effect-stackless/stackless"
import { expect, test } from "vitest"
import type { FromParty } from "../../src/cluster/exchange/home.ts"
import { named, setConnector } from "../../src/cluster/exchange/remote-channel.ts"
import { Migration, type MigrationMessage } from "../../src/cluster/migration.ts"

const body = (): number => 1
persistent("signed test: body", body)
const key = new Uint8Array(16).fill(7)

test("values on a channel are signed, and others are not taken", async () => {
  const said: Array<FromParty> = []
  setConnector(({ party }) => party.join((messages) => said.push(...messages)), "signed ", undefined, { key })
  const channel = named<object>("signed channel", undefined, { capacity: 1 })
  const { party } = channel
  Effect.runFork(channel.send({ a: 1 }))
  // it is at its home in a microtask
  await Promise.resolve()
  party.hear({ k: "grant", n: 1 })
  const items = said.find((message) => message.k === "items")
  const [flag, ...pickle] = items!.v[0] as Uint8Array
  expect(() => loads(Uint8Array.from(pickle))).toThrow("the pickle is signed")
  expect(loads(Uint8Array.from(pickle), { key })).toEqual({ a: 1 })

  const receive = (value: Uint8Array) => {
    const receiving = Effect.runPromiseExit(channel.receive())
    party.hear({ k: "values", v: [value] })
    return receiving
  }
  expect(await receive(Uint8Array.from([flag!, ...pickle]))).toMatchObject({ value: { a: 1 } })
  const forged = Uint8Array.from([flag!, ...pickle])
  forged[forged.length - 1]! ^= 1
  expect(String(await receive(forged))).toMatch("CodeMismatch")
})

test("what was sent before anybody knew the key is signed when it leaves its sender", async () => {
  const channel = named<object>("late channel")
  Effect.runFork(channel.send({ a: 1 }))
  const failing = Effect.runPromise(channel.sendThrow(new RangeError("b")))
  const said: Array<FromParty> = []
  setConnector(({ party }) => party.join((messages) => said.push(...messages)), "late ", undefined, { key })
  await Promise.resolve()
  channel.party.hear({ k: "grant", n: 2 })
  await failing
  const items = said.flatMap((message) => message.k === "items" ? message.v as ReadonlyArray<Uint8Array> : [])
  expect(items.map((item) => String(loads(item.slice(1), { key })))).toEqual(["[object Object]", "RangeError: b"])
  const received = [Effect.runPromiseExit(channel.receive()), Effect.runPromiseExit(channel.receive())]
  channel.party.hear({ k: "values", v: items })
  expect(await received[0]).toMatchObject({ value: { a: 1 } })
  expect(String(await received[1])).toMatch("RangeError: b")
})

test("tasklets that move are signed", () => {
  const said: Array<MigrationMessage> = []
  const here = new Migration("here", (_, message) => said.push(message) > 0, () => undefined, () => {}, {
    signed: { key }
  })
  here.send(tasklet(body)(), "there", false)
  const [arrive] = said
  expect(arrive!.m === "arrive" && (() => loads((arrive as { pickle: Uint8Array }).pickle))).toThrow(
    "the pickle is signed"
  )
})
