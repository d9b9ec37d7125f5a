/**
 * Two sockets that are connected with each other.
 *
 * Carries `socket.socketpair`. Where it differs: they are within this process, as Node hands out no pair of the system's.
 * Like that, each side holds 64 KB that nobody has received, then who sends waits; and a side that is closed is the end of
 * the stream for the other, or `EPIPE` if that sends.
 */
import type { Socket as NodeSocket } from "node:net"
import { Duplex } from "node:stream"
import { Socket } from "./socket.ts"
import { SocketError } from "./socketerror.ts"

/** How many bytes there are in a piece that is handed over. */
const PIECE = 65_536

/** One side, with as much of a connection of Node's as `Socket` asks for. */
class Side extends Duplex {
  peer!: Side
  readonly connecting = false
  /** Goes on with what was written, when the other side reads. */
  private taken: ((error?: Error | null) => void) | undefined = undefined
  /** What of it has not been handed over. */
  private rest: Buffer = Buffer.alloc(0)

  constructor() {
    super({ allowHalfOpen: true, readableHighWaterMark: PIECE, writableHighWaterMark: 16_384 })
  }

  override _read(): void {
    this.peer.goesOn()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.peer.destroyed) return done(broken())
    this.taken = done
    this.rest = chunk
    this.goesOn()
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.peer.destroyed) this.peer.push(null)
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { peer } = this
    peer.goesOn(broken())
    if (!peer.destroyed && !this.writableFinished) peer.push(null)
    done(error)
  }

  private goesOn(error?: Error): void {
    if (error !== undefined) this.rest = this.rest.subarray(this.rest.length)
    while (this.rest.length > 0) {
      const piece = this.rest.subarray(0, PIECE)
      this.rest = this.rest.subarray(PIECE)
      if (!this.peer.push(piece)) return
    }
    const { taken } = this
    this.taken = undefined
    if (taken !== undefined) process.nextTick(taken, error)
  }

  destroySoon(): void {
    this.end()
    if (this.writableFinished) this.destroy()
    else this.once("finish", () => this.destroy())
  }

  address(): Record<string, never> {
    return {}
  }
}

const broken = (): SocketError => new SocketError("EPIPE", "the other side was closed")

/**
 * Two sockets that are connected with each other. Mirrors `socket.socketpair`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const socketpair = (): [Socket, Socket] => {
  const [here, there] = [new Side(), new Side()]
  here.peer = there
  there.peer = here
  return [new Socket(here as Duplex as NodeSocket), new Socket(there as Duplex as NodeSocket)]
}
