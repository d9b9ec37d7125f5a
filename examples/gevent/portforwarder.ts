/**
 * Forwards a port to another address, and ends gracefully on SIGTERM or SIGINT: upstream's `examples/portforwarder.py`.
 *
 *     node .build/examples/gevent/portforwarder.js 127.0.0.1:8001 127.0.0.1:16000
 */
import { Effect } from "effect"
import {
  type Address,
  call,
  createConnection,
  joinall,
  type Listener,
  signalHandler,
  type Socket,
  SocketError,
  spawn,
  StreamServer
} from "effect-stackless/compat/gevent"
import { fileURLToPath } from "node:url"

/** A server that connects whoever comes with another address. */
export class PortForwarder extends StreamServer {
  readonly dest: Address

  constructor(listener: Listener, dest: Address) {
    super(listener, (source) => this.connecting(source), { spawn: 1000 })
    this.dest = dest
  }

  private *connecting(source: Socket) {
    let dest: Socket
    try {
      dest = yield* createConnection(this.dest, { timeout: 10 })
    } catch (error) {
      if (!(error instanceof SocketError)) throw error
      console.log(`failed to connect to ${String(this.dest)}: ${error.code}`)
      return
    }
    dest.settimeout(undefined)
    try {
      yield* joinall([spawn(forward, source, dest), spawn(forward, dest, source)])
    } finally {
      dest.close()
    }
  }
}

/** Passes on what comes, and the end of it. */
function* forward(source: Socket, dest: Socket) {
  try {
    for (;;) {
      const data = yield* source.recv()
      if (data.byteLength === 0) break
      yield* dest.sendall(data)
    }
  } catch (error) {
    if (!(error instanceof SocketError)) throw error
    source.close()
  }
  dest.shutdown("write")
}

const addressOf = (text: string): Address => {
  const [host, port] = text.split(":")
  return [host!, Number(port)]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [source, dest] = process.argv.slice(2)
  if (source === undefined || dest === undefined) {
    console.error("usage: portforwarder.js SOURCE-ADDRESS DESTINATION-ADDRESS")
    process.exit(2)
  }
  await Effect.runPromise(call(function*() {
    const server = new PortForwarder(addressOf(source), addressOf(dest))
    for (const signal of ["SIGTERM", "SIGINT"] as const) signalHandler(signal, () => server.close())
    yield* server.start()
    console.log(`Forwarding ${source} to ${dest}`)
    yield* server.serveForever()
  }))
}
