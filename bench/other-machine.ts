/** The other machine of the bench, a process of its own; it serves bare RPC of Effect besides. */
import { Effect } from "effect"
import { Machine, machine, moveTo, registry } from "effect-stackless/cluster"
import { persistent } from "effect-stackless/pickle"
import { compiledBodies } from "./compiled.ts"
import { served } from "./rpc.ts"

const [host = "", database = ""] = process.argv.slice(2)

persistent("bench: moveTo", moveTo)
await compiledBodies()
const tell = Effect.gen(function*() {
  const { address } = yield* Machine
  const { port } = yield* served
  process.send!({ address, port })
  return yield* Effect.never
})
const here = machine({
  address: "127.0.0.1:0",
  registry: registry.postgres({ host, database, username: "postgres", maxConnections: 3 })
})
process.on("disconnect", () => process.exit())
await Effect.runPromise(Effect.scoped(Effect.provide(tell, here)))
