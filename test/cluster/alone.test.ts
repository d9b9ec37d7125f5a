/** One machine alone. */
import { Effect, Layer } from "effect"
import {
  channel,
  Machine,
  machine,
  MachineError,
  MachineUnreachable,
  PlaceLost,
  registry
} from "effect-stackless/cluster"
import { call, tasklet, withThread } from "effect-stackless/stackless"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { bundle, makeDirectory } from "../bundle.ts"
import { goes } from "./programs/moving.ts"

const alone = machine({ address: "127.0.0.1:0", registry: registry.memory })

test("a channel of the cluster works on one machine", async () => {
  const market = channel.named<{ readonly price: number }>("market")
  const got = await Effect.runPromise(
    Effect.gen(function*() {
      const { machines, address, locate } = yield* Machine
      expect(yield* locate("market")).toBe(address)
      expect(yield* machines).toEqual([address])
      const [, got] = yield* Effect.all([market.send({ price: 7 }), market.receive()], { concurrency: 2 })
      return got
    }).pipe(Effect.provide(alone))
  )
  expect(got).toEqual({ price: 7 })
})

test("a tasklet that goes where nobody answers stays, and is told", async () => {
  const told = await Effect.runPromise(
    withThread(call(function*() {
      const told: Array<readonly [string, unknown]> = []
      for (const address of ["127.0.0.1:1", "no.such.host.invalid:7000", "nowhere"]) {
        const t = tasklet(goes)(address)
        told.push(yield* t.join())
      }
      return told
    })).pipe(Effect.provide(alone))
  )
  expect(told.map(([kept]) => kept)).toEqual(["to 127.0.0.1:1", "to no.such.host.invalid:7000", "to nowhere"])
  for (const [, error] of told) {
    expect(error).toBeInstanceOf(PlaceLost)
    expect((error as PlaceLost).cause).toBeInstanceOf(MachineUnreachable)
  }
  expect(told.map(([, error]) => (error as Error).message)).toEqual([
    "127.0.0.1:1 is gone: the machine 127.0.0.1:1 does not answer: ECONNREFUSED",
    expect.stringMatching(/^no\.such\.host\.invalid:7000 is gone: the machine .* does not answer: E/),
    expect.stringMatching(/^nowhere is gone: the machine nowhere does not answer: /)
  ])
})

test("an error that is sent is looked at as by any channel", () => {
  const market = channel.named("market of errors")
  expect(() => market.sendThrow(undefined)).toThrow(TypeError)
  expect(() => market.sendThrow((() => 1) as never)).toThrow(TypeError)
})

test("what others can reach needs a secret, and a process is one machine", async () => {
  const open = machine({ address: "0.0.0.0:0", registry: registry.memory })
  const refused = await Effect.runPromise(Effect.flip(Effect.provide(Machine, open)))
  expect(refused).toMatchObject({ _tag: "InsecureAddressError" })
  // layers are remembered, and this is another machine
  const second = Effect.provide(
    Effect.flip(Layer.build(machine({ address: "127.0.0.1:0", registry: registry.memory }))),
    alone
  )
  expect(await Effect.runPromise(Effect.scoped(second))).toBeInstanceOf(MachineError)
  const nowhere = Layer.effectContext(Effect.fail(new MachineError({ message: "the registry cannot be reached" })))
  const without = machine({ address: "127.0.0.1:0", registry: nowhere })
  expect(await Effect.runPromise(Effect.flip(Effect.provide(Machine, without)))).toBeInstanceOf(MachineError)
  for (const address of ["here", "host:99999", ""]) {
    expect(
      await Effect.runPromise(Effect.flip(Effect.provide(Machine, machine({ address, registry: registry.memory }))))
    )
      .toBeInstanceOf(MachineError)
  }
})

describe("in a process that is no machine", () => {
  const directory = makeDirectory()
  const program = join(directory.path, "nowhere.mjs")
  beforeAll(() => bundle("cluster/programs/nowhere.ts", program), 120_000)
  afterAll(directory.remove)

  const output = (what: string): string =>
    spawnSync(process.execPath, [program, what], { encoding: "utf8", timeout: 60_000 }).stdout

  test("who waits on a channel of the cluster is told what is missing, before the process ends", () => {
    expect(output("stays")).toMatch(
      /WARN.*somebody waits on the channel "market", and this process is no machine of a cluster: provide the layer machine\(/
    )
  })

  test("who waits on one gets a value when the process becomes a machine, without a word", () => {
    expect(output("joins")).toBe("7\n")
  })

  test("who is left waiting when the machine has ended keeps no process", () => {
    expect(output("ends")).toBe("")
  })
})
