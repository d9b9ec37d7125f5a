/** A mail relay whose queues are in a file of SQLite: it prints its port, and goes on until it is killed. */
import { Effect } from "effect"
import { durableChannel, sqlite } from "effect-stackless/cluster"
import { run } from "effect-stackless/stackless"
import { type Mail, relay } from "../../../examples/mail-relay.ts"

const [, filename, next] = process.argv
const server = { port: 0 }

const program = Effect.suspend(() => {
  relay({
    server,
    next: ["127.0.0.1", Number(next)],
    inbox: { channel: durableChannel<Mail>("inbox") },
    queue: { channel: durableChannel<Mail>("outbox") }
  }).start()
  return run()
})

const listening = setInterval(() => {
  if (server.port === 0) return
  clearInterval(listening)
  console.log(server.port)
}, 10)

await Effect.runPromise(Effect.provide(program, sqlite({ filename: filename! })))
