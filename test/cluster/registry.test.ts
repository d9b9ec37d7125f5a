/** Where machines and locks are written down, and what becomes of a shard that a machine loses and gets again. */
import { Effect, Exit, Fiber, Layer } from "effect"
import { channel, Machine, machine, MachineError, registry } from "effect-stackless/cluster"
import { join } from "node:path"
import { afterAll, expect, test } from "vitest"
import { Node } from "../../src/cluster/machines/node.ts"
import { makeDirectory } from "../bundle.ts"

const directory = makeDirectory()
afterAll(directory.remove)

const alone = (filename: string) => machine({ address: "127.0.0.1:0", registry: registry.sqlite({ filename }) })

test("a registry in a file of SQLite knows its machines, and forgets one that has ended", async () => {
  const filename = join(directory.path, "registry.sqlite")
  const program = Effect.gen(function*() {
    const { address, locate, machines } = yield* Machine
    expect(yield* locate("here")).toBe(address)
    const here = channel.named<number>("here", { capacity: 1 })
    yield* here.send(1)
    expect(yield* here.receive()).toBe(1)
    return yield* machines
  })
  const first = await Effect.runPromise(Effect.provide(program, alone(filename)))
  const second = await Effect.runPromise(Effect.provide(program, alone(filename)))
  expect([first.length, second.length]).toEqual([1, 1])
})

test("a registry whose file cannot be opened says why", async () => {
  const exit = await Effect.runPromiseExit(
    Effect.scoped(Layer.build(alone(join(directory.path, "missing", "registry.sqlite"))))
  )
  expect(exit).toMatchObject(Exit.fail({ _tag: "MachineError", message: expect.stringMatching(/cannot be opened/) }))
  expect(Exit.isFailure(exit) && exit.cause.reasons[0]).toMatchObject({ error: expect.any(MachineError) })
})

test("a machine that loses a shard, and gets it again, has what it had there", async () => {
  const node = new Node("127.0.0.1:1", { secret: undefined, tls: undefined })
  node.placement = {
    shardOf: () => 1,
    leased: () => true,
    locate: () => Effect.succeed(node.address),
    machines: Effect.succeed([node.address]),
    gone: () => Effect.void
  }
  const kept = ["a tasklet"]
  node.keepers.set("test", {
    freeze: () => kept.splice(0),
    thaw: (_, frozen: ReadonlyArray<string>) => void kept.push(...frozen),
    drop: () => {}
  })
  for (let times = 0; times < 2; times++) {
    const holding = Effect.runFork(node.hold(1))
    await Effect.runPromise(Effect.repeat(Effect.yieldNow, { until: () => node.held.has(1) }))
    expect(kept).toEqual(["a tasklet"])
    await Effect.runPromise(Fiber.interrupt(holding))
    expect(kept).toEqual([])
  }
})
