/**
 * A chat: what a client says in a line, all clients hear. Each client has a greenlet that reads and one that writes, with
 * a queue in between, so that a slow client holds nobody up.
 *
 *     node .build/examples/gevent/chat.js                    the server
 *     node .build/examples/gevent/chat.js 2000 PORT 5        2,000 clients, of whom 5 speak; prints figures
 */
import { Effect } from "effect"
import {
  type Address,
  call,
  createConnection,
  joinall,
  Queue,
  type Socket,
  SocketError,
  spawn,
  StreamServer
} from "effect-stackless/compat/gevent"
import { fileURLToPath } from "node:url"

/** A chat room: the queues of those who are in it. */
export class Room {
  readonly members = new Set<Queue<Buffer>>()
  messages = 0

  get size(): number {
    return this.members.size
  }

  *handle(socket: Socket, _address: Address) {
    const outbox = new Queue<Buffer>()
    this.members.add(outbox)
    const writer = spawn(function*() {
      for (;;) yield* socket.sendall(yield* outbox.get())
    })
    try {
      yield* socket.sendall("welcome\n")
      yield* socket.makefile().each((line) => {
        this.messages++
        for (const member of this.members) member.putNowait(line)
      })
    } catch (error) {
      if (!(error instanceof SocketError)) throw error
    } finally {
      this.members.delete(outbox)
      yield* writer.kill()
    }
  }
}

/** So many clients at once, of whom some speak; waits until everybody has heard everything. */
export function* clients(count: number, address: Address, speakers: number) {
  const began = Date.now()
  const heard: Array<number> = []
  let connected = 0
  const everybody = new Queue<void>()
  const client = function*(n: number) {
    const socket = yield* createConnection(address)
    const lines = socket.makefile()
    yield* lines.readline()
    if (++connected === count) { for (let i = 0; i < speakers; i++) everybody.putNowait() }
    if (n < speakers) {
      yield* everybody.get()
      yield* socket.sendall(`client ${n} says hello\n`)
    }
    const messages = new Set<string>()
    while (messages.size < speakers) messages.add(String(yield* lines.readline()))
    heard[n] = messages.size
    socket.close()
  }
  yield* joinall(Array.from({ length: count }, (_, n) => spawn(client, n)), { raiseError: true })
  const delivered = heard.reduce((sum, n) => sum + n, 0)
  return { clients: count, delivered, lost: count * speakers - delivered, milliseconds: Date.now() - began }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [count, port, speakers] = process.argv.slice(2).map(Number)
  if (count === undefined) {
    await Effect.runPromise(call(function*() {
      const room = new Room()
      const server = new StreamServer(["127.0.0.1", 16_001], (socket, address) => room.handle(socket, address))
      yield* server.start()
      console.log(`Chatting on ${String(server.address)}`)
      yield* server.serveForever()
    }))
  } else {
    console.log(JSON.stringify(await Effect.runPromise(call(clients, count, ["127.0.0.1", port!] as const, speakers!))))
  }
}
