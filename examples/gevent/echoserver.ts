/**
 * Sends back every line that it gets, until somebody says `quit`: upstream's `examples/echoserver.py`.
 *
 *     node .build/examples/gevent/echoserver.js
 *     telnet 127.0.0.1 16000
 */
import { Effect } from "effect"
import { type Address, call, type Handle, type Socket, StreamServer } from "effect-stackless/compat/gevent"
import { fileURLToPath } from "node:url"

/** Runs in a greenlet for each connection. */
export const echo: Handle<[socket: Socket, address: Address]> = function*(socket, address) {
  console.log(`New connection from ${String(address)}`)
  yield* socket.sendall("Welcome to the echo server! Type quit to exit.\r\n")
  const lines = socket.makefile()
  for (;;) {
    const line = yield* lines.readline()
    if (line.byteLength === 0) {
      console.log("client disconnected")
      return
    }
    if (String(line).trim().toLowerCase() === "quit") {
      console.log("client quit")
      return
    }
    yield* socket.sendall(line)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await Effect.runPromise(call(function*() {
    console.log("Starting echo server on port 16000")
    yield* new StreamServer(["127.0.0.1", 16_000], echo).serveForever()
  }))
}
