/**
 * WebSockets in a WSGI application: after `101`, `wsgi.input` and `write` are the connection itself. What speaks RFC 6455 over
 * them is here whole; the application sends back what it is sent.
 *
 *     node .build/examples/gevent/websocket.js
 */
import { Effect } from "effect"
import { type Application, call, type Input, type StartResponse, WSGIServer } from "effect-stackless/compat/gevent"
import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"

type Steps<A> = Generator<Effect.Effect<any, any>, A, any>

const CONTINUED = 0
const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10

/** The longest message, in bytes: one that is longer ends the connection. */
const LONGEST = 1 << 20

/** One side of a WebSocket, the server's. */
class WebSocket {
  private readonly input: Input
  private readonly write: ReturnType<StartResponse>
  constructor(input: Input, write: ReturnType<StartResponse>) {
    this.input = input
    this.write = write
  }

  /** Sends a message. */
  send(message: string | Uint8Array): Effect.Effect<void, any> {
    return this.sends(typeof message === "string" ? TEXT : BINARY, Buffer.from(message as string))
  }

  /** Waits for a message; `undefined` when the other side is done. Answers pings in between. */
  *receive(): Steps<string | Buffer | undefined> {
    const parts: Array<Buffer> = []
    let kind = TEXT
    for (let size = 0; size <= LONGEST;) {
      const frame = yield* this.frame()
      if (frame === undefined) return undefined
      const { isLast, opcode, payload } = frame
      if (opcode === CLOSE) {
        yield* this.sends(CLOSE, payload)
        return undefined
      }
      if (opcode === PING) yield* this.sends(PONG, payload)
      if (opcode > BINARY) continue
      if (opcode !== CONTINUED) kind = opcode
      size += payload.byteLength
      parts.push(payload)
      if (isLast) return kind === TEXT ? String(Buffer.concat(parts)) : Buffer.concat(parts)
    }
    return undefined
  }

  private *frame(): Steps<{ isLast: boolean; opcode: number; payload: Buffer } | undefined> {
    const head = yield* this.input.read(2)
    if (head.byteLength < 2) return undefined
    const [first, second] = head as Buffer & [number, number]
    let size = second & 127
    if (size === 126) size = (yield* this.input.read(2)).readUInt16BE()
    else if (size === 127) size = Number((yield* this.input.read(8)).readBigUInt64BE())
    if (size > LONGEST) return undefined
    // what a client sends is masked
    const mask = yield* this.input.read(4)
    const payload = Buffer.from(yield* this.input.read(size))
    if (payload.byteLength < size) return undefined
    for (let i = 0; i < size; i++) payload[i]! ^= mask[i % 4]!
    return { isLast: first >= 128, opcode: first & 15, payload }
  }

  private sends(opcode: number, payload: Buffer): Effect.Effect<void, any> {
    const size = payload.byteLength
    const head = Buffer.alloc(size < 126 ? 2 : size < 65_536 ? 4 : 10)
    head[0] = 128 | opcode
    head[1] = size < 126 ? size : size < 65_536 ? 126 : 127
    if (size >= 65_536) head.writeBigUInt64BE(BigInt(size), 2)
    else if (size >= 126) head.writeUInt16BE(size, 2)
    return this.write(Buffer.concat([head, payload]))
  }
}

/** What RFC 6455 has a server append to a client's key. */
const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

export const echo: Application = function*(environ, startResponse) {
  const { HTTP_SEC_WEBSOCKET_KEY: key, HTTP_UPGRADE: upgrade } = environ
  if (upgrade?.toLowerCase() !== "websocket" || key === undefined) {
    startResponse("426 Upgrade Required", [["Upgrade", "websocket"], ["Content-Type", "text/plain"]])
    return ["Come with a WebSocket"]
  }
  const write = startResponse("101 Switching Protocols", [
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Accept", createHash("sha1").update(key + MAGIC).digest("base64")]
  ])
  const socket = new WebSocket(environ["wsgi.input"], write)
  for (;;) {
    const message = yield* socket.receive()
    if (message === undefined) return
    yield* socket.send(message)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await Effect.runPromise(call(function*() {
    console.log("Serving on ws://127.0.0.1:8089/")
    yield* new WSGIServer(["127.0.0.1", 8089], echo).serveForever()
  }))
}
