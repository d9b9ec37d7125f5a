/** The mail relay of the examples, with a client from the registry, and against a second server. */
import { Effect, Fiber } from "effect"
import { component, network, port, wire } from "effect-stackless/cluster"
import { run } from "effect-stackless/stackless"
import { createTransport } from "nodemailer"
import { expect, test, vi } from "vitest"
import { acceptor, type Mail, relay } from "../../examples/mail-relay.ts"

test("a relay accepts, filters, queues and delivers", async () => {
  const got: Array<Mail> = []
  const said: Array<string> = []
  const last = { port: 0 }
  const first = { port: 0 }
  const collector = component({ in: { mail: port<Mail>() } }, function*({ mail }) {
    yield* mail.each((message) => {
      got.push(message)
    })
  })
  const servers = [
    network("last", { accept: acceptor(last), collector }, ({ accept, collector }) => [
      wire(accept.out.mail, collector.in.mail)
    ]).start()
  ]
  const running = Effect.runFork(run())
  await vi.waitFor(() => expect(last.port).not.toBe(0), 30_000)

  const relaying = relay({
    server: first,
    next: ["127.0.0.1", last.port],
    refuses: ({ data }) => data.includes("lottery"),
    log: ({ to }, error) => {
      said.push(`${to.join(", ")}: ${error ?? "delivered"}`)
    }
  })
  servers.push(relaying.start() as never)
  await vi.waitFor(() => expect(first.port).not.toBe(0), 30_000)

  const client = createTransport({
    host: "127.0.0.1",
    port: first.port,
    ignoreTLS: true,
    pool: true,
    maxConnections: 3
  })
  await Promise.all(["one", "two", "three", "lottery", "four"].map((subject, i) =>
    client.sendMail({
      from: "me@example.org",
      to: [`you${i}@example.org`, "all@example.org"],
      subject,
      text: `.a line that begins with a dot\r\nand ${subject}`
    })
  ))
  client.close()
  await vi.waitFor(() => expect([got.length, said.length]).toEqual([4, 4]), 30_000)
  expect(new Set(said)).toEqual(new Set([0, 1, 2, 4].map((i) => `you${i}@example.org, all@example.org: delivered`)))
  for (const { data, from } of got) {
    expect(from).toBe("me@example.org")
    expect(data).toMatch(/^\.a line that begins with a dot\r\nand \w+\r\n/m)
  }
  for (const { stop } of servers) stop()
  await Effect.runPromise(Fiber.interrupt(running))
})
