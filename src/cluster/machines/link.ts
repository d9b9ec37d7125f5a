/**
 * A link: what carries messages from one machine to another one, in their order, each once, until it closes.
 *
 * What is posted within one turn goes in one frame, up to 256 messages, so that many small ones cost as much as one. A frame is its length, in
 * four bytes, and an array of messages as V8 writes it. An empty frame is a heartbeat: who is not heard of for `SILENCE`
 * is gone or has stopped, and its link is closed, so that nothing of what it says later is heard.
 */
import type { Socket } from "node:net"
import { deserialize, serialize } from "node:v8"

/** How often a machine shows that it is there, in milliseconds. */
const HEARTBEAT = 500

/** After how long a silence a machine is taken to be gone, in milliseconds. */
const SILENCE = 2000

/** How many messages a frame has at most: who hears ten thousand in one turn says nothing meanwhile. */
const MOST = 256

/** The longest frame. A longer one is nobody's of ours. */
const LONGEST = 2 ** 30

export class SocketLink {
  /** The address of the machine at the other end, once it has said it. */
  name: string
  /** Which process of that machine it is. */
  incarnation = ""
  closed = false
  private readonly socket: Socket
  private posted: Array<unknown> = []
  private chunks: Array<Uint8Array> = []
  private received = 0
  private wanted = 4
  private header = true
  private heard = Date.now()
  private looked = Date.now()
  private written = Date.now()
  private readonly timer: NodeJS.Timeout
  private readonly listeners: Array<(message: unknown) => void> = []
  private readonly closing = new Set<() => void>()

  constructor(name: string, socket: Socket) {
    this.name = name
    this.socket = socket
    socket.on("close", this.ended)
    this.timer = setInterval(this.look, HEARTBEAT)
    this.timer.unref()
  }

  /** Sends a message: whatever can be cloned. It is lost if the link closes first, of which those who listen are told. */
  post(message: unknown): void {
    if (this.closed) return
    this.posted.push(message)
    if (this.posted.length === 1) queueMicrotask(this.flush)
    else if (this.posted.length >= MOST) this.flush()
  }

  /** Calls `f` with each message. What comes before anybody listens waits. */
  onMessage(f: (message: any) => void): void {
    this.listeners.push(f)
    if (this.listeners.length > 1) return
    const { socket } = this
    socket.on("data", this.read)
    // what has come with the first byte
    if (socket.readableLength > 0) this.read(socket.read() as Uint8Array)
    socket.resume()
  }

  /** Calls `f` when it closes; at once, if it is closed. Gives back what takes that back. */
  onClose(f: () => void): () => void {
    if (this.closed) f()
    else this.closing.add(f)
    return () => void this.closing.delete(f)
  }

  close(): void {
    this.socket.destroy()
    this.ended()
  }

  /** Sends what is posted, and closes then. */
  end(): void {
    this.flush()
    this.socket.end()
    this.ended()
  }

  private readonly flush = (): void => {
    const { posted } = this
    if (posted.length === 0 || this.closed) return
    this.posted = []
    this.write(serialize(posted))
  }

  private write(bytes: Uint8Array): void {
    this.written = Date.now()
    const header = new Uint8Array(4)
    new DataView(header.buffer).setUint32(0, bytes.length)
    this.socket.cork()
    this.socket.write(header)
    if (bytes.length > 0) this.socket.write(bytes)
    this.socket.uncork()
  }

  private readonly look = (): void => {
    const now = Date.now()
    // what this process has slept through itself, or computed, says nothing of the other one
    if (now - this.looked > HEARTBEAT * 2) this.heard = now
    this.looked = now
    if (now - this.heard > SILENCE) this.close()
    else this.write(new Uint8Array(0))
  }

  private readonly read = (chunk: Uint8Array): void => {
    this.heard = Date.now()
    this.chunks.push(chunk)
    this.received += chunk.length
    while (this.received >= this.wanted && !this.closed) {
      const bytes = this.take(this.wanted)
      if (!this.header) {
        this.header = true
        this.wanted = 4
        this.deliver(bytes)
        continue
      }
      const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
      if (length > LONGEST) return this.close()
      if (length > 0) {
        this.header = false
        this.wanted = length
      }
    }
  }

  private take(length: number): Uint8Array {
    let [first] = this.chunks as [Uint8Array]
    if (first.length < length) {
      first = this.chunks.length === 1 ? first : Buffer.concat(this.chunks)
      this.chunks = [first]
    }
    this.received -= length
    if (first.length === length) this.chunks.shift()
    else this.chunks[0] = first.subarray(length)
    return first.subarray(0, length)
  }

  private deliver(bytes: Uint8Array): void {
    let messages: unknown
    try {
      messages = deserialize(bytes)
    } catch {
      return this.close()
    }
    if (!Array.isArray(messages)) return this.close()
    for (const message of messages) {
      for (const listener of this.listeners) listener(message)
    }
    // what was answered goes at once
    this.flush()
    // who hears much in one turn is there all the time
    if (Date.now() - this.written > HEARTBEAT) this.write(new Uint8Array(0))
  }

  private readonly ended = (): void => {
    if (this.closed) return
    this.closed = true
    clearInterval(this.timer)
    this.posted = []
    for (const f of this.closing) f()
  }
}
