/** A process that waits on a channel of the cluster, and is no machine; or becomes one; or was one. */
import { Effect, Fiber } from "effect"
import { channel, machine, registry } from "effect-stackless/cluster"

const market = channel.named<number>("market")
const alone = machine({ address: "127.0.0.1:0", registry: registry.memory })
const receiving = Effect.runFork(market.receive())

switch (process.argv[2]) {
  case "joins":
    await new Promise((resolve) => setTimeout(resolve, 300))
    await Effect.runPromise(Effect.provide(
      Effect.gen(function*() {
        yield* market.send(7)
        console.log(yield* Fiber.join(receiving))
        // longer than it would take to say it
        yield* Effect.sleep("4 seconds")
      }),
      alone
    ))
    break
  case "ends":
    await Effect.runPromise(Effect.provide(Effect.sleep(100), alone))
}
