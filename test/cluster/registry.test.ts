/** Where machines and locks are written down, and what becomes of a shard that a machine loses and gets again. */
import { Effect, Exit, Fiber, Layer } from "effect"
import { channel, Machine, machine, MachineError, registry } from "effect-stackless/cluster"
import { join } from "node:path"
import { afterAll, expect, test } from "vitest"
import { Node } from "../../src/cluster/machines/node.ts"
import { listen } from "../../src/cluster/machines/sockets.ts"
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

// ---- shards ---------------------------------------------------------------------------------------------------------

const security = { secret: undefined, tls: undefined }

/** Machines that have shards in turn, and what they keep in them. */
const machines = Effect.fnUntraced(function*(...keeping: ReadonlyArray<Array<string>>) {
  let owner = ""
  const nodes: Array<Node> = []
  for (const kept of keeping) {
    const { port } = yield* listen({ host: "127.0.0.1", port: 0 }, security, (_, socket) => node.accept(socket))
    const node = new Node(`127.0.0.1:${port}`, security)
    yield* Effect.addFinalizer(() => Effect.sync(() => node.end()))
    node.placement = {
      shardOf: () => 1,
      leased: () => true,
      locate: () => Effect.succeed(owner),
      machines: Effect.sync(() => nodes.map(({ address }) => address)),
      gone: () => Effect.void
    }
    node.keepers.set("test", {
      freeze: () => kept.length === 0 ? undefined : kept.splice(0),
      thaw: (_, frozen: ReadonlyArray<string>) => void kept.push(...frozen),
      drop: () => {}
    })
    nodes.push(node)
  }
  /** A machine has the shard, until it loses it. */
  const holds = Effect.fnUntraced(function*(node: Node) {
    owner = node.address
    const holding = yield* Effect.forkChild(node.hold(1))
    yield* Effect.repeat(Effect.sleep(1), { until: () => node.held.has(1) })
    return { loses: Fiber.interrupt(holding) }
  })
  return { nodes, holds }
})

test("a machine that loses a shard, and gets it again, has what it had there", async () => {
  const kept = ["a tasklet"]
  await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const { holds, nodes: [node] } = yield* machines(kept)
    yield* (yield* holds(node!)).loses
    expect(kept).toEqual([])
    yield* holds(node!)
    expect(kept).toEqual(["a tasklet"])
  })))
})

test("what a machine has left of a shard comes late where it was taken to be gone, and once", async () => {
  const [here, there] = [["a tasklet"], [] as Array<string>]
  await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const { holds, nodes: [one, other] } = yield* machines(here, there)
    yield* (yield* holds(one!)).loses
    other!.gone.add(one!.address)
    yield* holds(other!)
    expect(there).toEqual([])
    yield* Effect.forkChild(one!.watch)
    yield* Effect.repeat(Effect.sleep(1), { until: () => there.length > 0 })
    yield* one!.handedOver
    expect([here, there]).toEqual([[], ["a tasklet"]])
  })))
})
