/** A process of the tests: it receives, or hosts durable tasklets, until it is killed. */
import { Effect, Fiber, Layer } from "effect"
import { durableChannel, durableHost, postgres, sqlite } from "effect-stackless/cluster"
import * as orders from "./orders.ts"

const [what, where, database] = process.argv.slice(2) as [string, string, string | undefined]

const storage = database === undefined
  ? sqlite({ filename: where })
  : postgres({ host: where, username: "postgres", database })

const jobs = durableChannel<number>("killed: jobs", { capacity: 8 })

const program = what === "receive"
  ? Effect.provide(jobs.each((n) => Effect.sync(() => console.log(n))), storage)
  : Effect.provide(
    Effect.andThen(Effect.sync(() => console.log("ready", Object.keys(orders).length)), Effect.never),
    Layer.provideMerge(durableHost(), storage)
  )

const fiber = Effect.runFork(program)
fiber.addObserver(() => process.exit())
process.on("SIGTERM", () => Effect.runFork(Fiber.interrupt(fiber)))
