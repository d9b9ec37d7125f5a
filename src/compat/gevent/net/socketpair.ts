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

/** One side, with as much of a connection of Node's as `Socket` asks for. */
class Side extends Duplex {
  peer!: Side
  readonly connecting = false
  /** Goes on with what was written, when the other side reads. */
  private taken: ((error?: Error | null) => void) | undefined = undefined

  constructor() {
    super({ allowHalfOpen: true, readableHighWaterMark: 65_536, writableHighWaterMark: 16_384 })
  }

  override _read(): void {
    this.peer.goesOn()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const { peer } = this
    if (peer.destroyed) return done(broken())
    this.taken = done
    if (peer.push(chunk)) this.goesOn()
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
