/** The mail relay of the examples, with a client from the registry, and against a second server. */
import { Effect, Fiber } from "effect"
import { component, network, port, wire } from "effect-stackless/cluster"
import { run } from "effect-stackless/stackless"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { createTransport } from "nodemailer"
import { expect, test, vi } from "vitest"
import { acceptor, type Mail, relay } from "../../examples/mail-relay.ts"
import { bundle, makeDirectory } from "../bundle.ts"

/** A server at the end: it keeps what comes. */
const startLast = async () => {
  const got: Array<Mail> = []
  const server = { port: 0 }
  const collector = component({ in: { mail: port<Mail>() } }, function*({ mail }) {
    yield* mail.each((message) => {
      got.push(message)
    })
  })
  const { stop } = network("last", { accept: acceptor(server), collector }, ({ accept, collector }) => [
    wire(accept.out.mail, collector.in.mail)
  ]).start()
  const running = Effect.runFork(run())
  await vi.waitFor(() => expect(server.port).not.toBe(0), 30_000)
  return {
    got,
    port: server.port,
    stop: async (others: ReadonlyArray<{ readonly stop: () => void }> = []) => {
      for (const network of [{ stop }, ...others]) network.stop()
      await Effect.runPromise(Fiber.interrupt(running))
    }
  }
}

test("a relay accepts, filters, queues and delivers", async () => {
  const said: Array<string> = []
  const last = await startLast()
  const { got } = last
  const first = { port: 0 }

  const relaying = relay({
    server: first,
    next: ["127.0.0.1", last.port],
    refuses: ({ data }) => data.includes("lottery"),
    log: ({ to }, error) => {
      said.push(`${to.join(", ")}: ${error ?? "delivered"}`)
    }
  })
  const relayed = relaying.start()
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
  await last.stop([relayed])
})

test("a relay with durable queues that is killed loses no mail that it has accepted", async () => {
  const directory = makeDirectory()
  const program = `${directory.path}/relay.mjs`
  await bundle("cluster/mail/relay.ts", program)
  const last = await startLast()
  const start = async () => {
    // not as the program itself: that of the example would start
    const evaluated = ["--input-type=module", "--eval", `await import(${JSON.stringify(program)})`]
    const child = spawn(process.execPath, [...evaluated, `${directory.path}/mail.sqlite`, String(last.port)], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    const [line] = await once(createInterface({ input: child.stdout }), "line")
    const client = createTransport({ host: "127.0.0.1", port: Number(line), ignoreTLS: true })
    return { child, client }
  }
  const accepted: Array<string> = []
  const send = async (client: ReturnType<typeof createTransport>, subject: string): Promise<void> => {
    await client.sendMail({ from: "me@example.org", to: "you@example.org", subject, text: "hello" })
    accepted.push(subject)
  }

  const first = await start()
  for (let n = 0; n < 5; n++) await send(first.client, `first ${n}`)
  // in the middle of ten more
  const sending = Array.from({ length: 10 }, (_, n) => send(first.client, `more ${n}`))
  await Promise.race(sending)
  first.child.kill("SIGKILL")
  await Promise.allSettled(sending)
  const second = await start()
  for (let n = 0; n < 5; n++) await send(second.client, `second ${n}`)

  const delivered = () => new Set(last.got.map(({ data }) => /^Subject: (.*)\r$/m.exec(data)?.[1]))
  await vi.waitFor(() => expect(accepted.filter((subject) => !delivered().has(subject))).toEqual([]), 60_000)
  expect(accepted.length).toBeGreaterThan(10)
  second.child.kill("SIGKILL")
  await once(second.child, "exit")
  await last.stop()
  directory.remove()
}, 120_000)
