/**
 * A mail relay, as IronPort built them on Stackless: a network of components. One accepts mail by SMTP, one filters it, and some
 * deliver it to the next server; before and behind the filter stand queues that can be durable.
 *
 *     node .build/examples/mail-relay.js 2525 127.0.0.1:25
 *
 * The server is gevent's, on a thread of its own, beside that of the components.
 */
import { Cause, Effect, Exit, Fiber } from "effect"
import { component, type Network, network, port, wire, type WireOptions } from "effect-stackless/cluster"
import { call, createConnection, type Socket, StreamServer } from "effect-stackless/compat/gevent"
import { run, withThread } from "effect-stackless/stackless"
import { fileURLToPath } from "node:url"

/** A message, and whom it goes from and to. */
export interface Mail {
  readonly from: string
  readonly to: ReadonlyArray<string>
  /** As it came, with its headers, and CRLF at the ends of lines. */
  readonly data: string
}

// ---- accepting ------------------------------------------------------------------------------------------------------

/** The longest message, in characters. */
const LONGEST = 10_000_000

/** One connection: the commands of RFC 5321 that a relay needs. `accept` is done when the message is somebody else's to keep. */
function* session(
  socket: Socket,
  accept: (mail: Mail) => Effect.Effect<void>
): Generator<Effect.Effect<any, any>, void, any> {
  const lines = socket.makefile()
  const line = function*(): Generator<Effect.Effect<any, any>, string | undefined, any> {
    const bytes: Buffer = yield* lines.readline()
    return bytes.byteLength === 0 ? undefined : bytes.toString("latin1").replace(/\r?\n$/, "")
  }
  const say = (text: string) => socket.sendall(`${text}\r\n`)
  yield* say("220 effect-stackless relay")
  let from: string | undefined
  let to: Array<string> = []
  for (;;) {
    const command = yield* line()
    if (command === undefined) return
    const [, verb = "", rest = ""] = /^(\w+)\s*(.*)$/.exec(command) ?? []
    switch (verb.toUpperCase()) {
      case "HELO":
      case "EHLO":
      case "RSET":
        from = undefined
        to = []
        yield* say("250 at your service")
        break
      case "MAIL":
        from = address(rest)
        to = []
        yield* say(from === undefined ? "501 MAIL FROM:<address>" : "250 ok")
        break
      case "RCPT": {
        const recipient = address(rest)
        if (from === undefined) yield* say("503 MAIL comes first")
        else if (recipient === undefined) yield* say("501 RCPT TO:<address>")
        else {
          to.push(recipient)
          yield* say("250 ok")
        }
        break
      }
      case "DATA": {
        if (from === undefined || to.length === 0) {
          yield* say("503 MAIL and RCPT come first")
          break
        }
        yield* say("354 end with a dot alone")
        let data = ""
        for (;;) {
          const next = yield* line()
          if (next === undefined) return
          if (next === ".") break
          if (data.length <= LONGEST) data += `${next.replace(/^\./, "")}\r\n`
        }
        if (data.length > LONGEST) yield* say("552 too long")
        else {
          yield* accept({ from, to, data })
          yield* say("250 accepted")
        }
        from = undefined
        break
      }
      case "NOOP":
        yield* say("250 ok")
        break
      case "QUIT":
        yield* say("221 bye")
        return
      default:
        yield* say("502 not known here")
    }
  }
}

const address = (text: string): string | undefined => /<([^<>\s]*)>/.exec(text)?.[1]

/** Accepts mail by SMTP. A client hears that its message is accepted when the next component has it. */
export const acceptor = (server: { port: number }) =>
  component({ out: { mail: port<Mail>() } }, (_, { mail }) =>
    withThread(call(function*() {
      // a greenlet sends on a channel of tasklets by a fiber, which is none of either
      const accept = (message: Mail): Effect.Effect<void> =>
        Effect.flatMap(Effect.forkChild(mail.send(message)), (sending) => Fiber.join(sending))
      const smtp = new StreamServer(["127.0.0.1", server.port], (socket) => session(socket, accept))
      yield* smtp.start()
      server.port = smtp.serverPort
      yield* smtp.serveForever()
    })))

// ---- filtering ------------------------------------------------------------------------------------------------------

/** Passes on what is not refused. */
export const filter = (refuses: (mail: Mail) => boolean) =>
  component({ in: { mail: port<Mail>() }, out: { good: port<Mail>() } }, function*({ mail }, { good }) {
    yield* mail.each(function*(message: Mail) {
      if (!refuses(message)) yield* good.send(message)
    })
  })

// ---- delivering -----------------------------------------------------------------------------------------------------

/** How often a message is tried, and how long it waits in between, at first, in milliseconds. */
const TRIES = 5
const PAUSE = 200

/** Delivers to the next server, and tells `done` what has come of each message. */
export const deliverer = (next: readonly [host: string, port: number]) =>
  component(
    { in: { mail: port<Mail>() }, out: { done: port<{ readonly mail: Mail; readonly error: string | undefined }>() } },
    function*({ mail }, { done }) {
      yield* mail.each(function*(message: Mail) {
        let error: string | undefined
        for (let tries = 1; tries <= TRIES; tries++) {
          const exit = yield* Effect.exit(withThread(call(() => delivering(message, next))))
          error = Exit.isSuccess(exit) ? undefined : String(Cause.squash(exit.cause))
          if (error === undefined) break
          yield* Effect.sleep(PAUSE * 2 ** tries)
        }
        yield* done.send({ mail: message, error })
      })
    }
  )

/** The client's side of RFC 5321. */
function* delivering({ data, from, to }: Mail, next: readonly [string, number]) {
  const socket = yield* createConnection([...next], { timeout: 10 })
  try {
    const lines = socket.makefile()
    const expect = function*(code: number, command: string) {
      if (command !== "") yield* socket.sendall(`${command}\r\n`)
      let line: string
      do line = (yield* lines.readline()).toString("latin1")
      while (line[3] === "-")
      if (!line.startsWith(String(code))) throw new Error(`the next server says ${line.trim()} to ${command || "us"}`)
    }
    yield* expect(220, "")
    yield* expect(250, "EHLO relay")
    yield* expect(250, `MAIL FROM:<${from}>`)
    for (const recipient of to) yield* expect(250, `RCPT TO:<${recipient}>`)
    yield* expect(354, "DATA")
    yield* socket.sendall(Buffer.from(data.replace(/^\./gm, ".."), "latin1"))
    yield* expect(250, ".")
    yield* expect(221, "QUIT")
  } finally {
    socket.close()
  }
}

// ---- the relay ------------------------------------------------------------------------------------------------------

/** What a relay is told. */
export interface RelayOptions {
  /** Where it listens; 0 for any port, which stands here once it does. */
  readonly server: { port: number }
  readonly next: readonly [host: string, port: number]
  readonly refuses?: (mail: Mail) => boolean
  /** What has come of a message. */
  readonly log?: (mail: Mail, error: string | undefined) => void
  /**
   * The channels before and behind the filter. With `durableChannel("inbox")` and `durableChannel("outbox")` a message that a client was
   * told is accepted is delivered, even if the relay is killed; it may be delivered twice then.
   */
  readonly inbox?: WireOptions<Mail>
  readonly queue?: WireOptions<Mail>
}

/** A relay with two deliverers. */
export const relay = (
  { inbox = {}, log = () => {}, next, queue = { capacity: 1000 }, refuses = () => false, server }: RelayOptions
): Network<any> => {
  const logger = component(
    { in: { done: port<{ readonly mail: Mail; readonly error: string | undefined }>() } },
    function*({ done }) {
      yield* done.each(({ error, mail }) => log(mail, error))
    }
  )
  return network("mail relay", {
    accept: acceptor(server),
    filter: filter(refuses),
    "deliver 1": deliverer(next),
    "deliver 2": deliverer(next),
    log: logger
  }, ({ accept, "deliver 1": one, "deliver 2": two, filter, log }) => [
    wire(accept.out.mail, filter.in.mail, inbox),
    wire(filter.out.good, one.in.mail, queue),
    wire(filter.out.good, two.in.mail, queue),
    wire(one.out.done, log.in.done),
    wire(two.out.done, log.in.done)
  ])
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , listen = "2525", next = "127.0.0.1:25"] = process.argv
  const [host = "127.0.0.1", nextPort = "25"] = next.split(":")
  const mails = relay({
    server: { port: Number(listen) },
    next: [host, Number(nextPort)],
    log: ({ from, to }, error) => console.log(`${from} → ${to.join(", ")}: ${error ?? "delivered"}`)
  })
  console.log(mails.toMermaid())
  mails.start()
  await Effect.runPromise(run())
}
