/**
 * Datagram sockets over Node's `dgram`.
 *
 * Carries `gevent.socket.socket` of type `SOCK_DGRAM`. As the system does, it drops what comes while 208 KB have come that
 * nobody has received.
 */
import type * as Effect from "effect/Effect"
import { createSocket, type Socket as NodeDatagram } from "node:dgram"
import type { Operation } from "../../../greenlet/index.ts"
import { gethub, type Hub, Steps } from "../core/hub.ts"
import { printed } from "../core/printed.ts"
import { WaitQueue } from "../core/wait-queue.ts"
import { type Address, addressOf } from "./listen.ts"
import { NodeEvent } from "./node-event.ts"
import { POLLERR, POLLIN, POLLNVAL, POLLOUT, type Selectable, Watchers } from "./select.ts"
import type { Data } from "./socket.ts"
import { failing, notOpen, type SocketError, socketError, SocketTimeout } from "./socketerror.ts"

/** How much may wait to be received, in bytes: Linux's default. */
const ROOM = 212_992

/**
 * A datagram socket. Mirrors `gevent.socket.socket` of type `SOCK_DGRAM`.
 *
 * @category models
 * @since 0.1.0
 */
export class DatagramSocket implements Selectable {
  static {
    printed(this)
  }
  /** How long it waits, in seconds: for ever, if `undefined`. */
  timeout: number | undefined = undefined
  private readonly hub: Hub = gethub()
  private readonly node: NodeDatagram = createSocket("udp4")
  private readonly received = new WaitQueue<readonly [Buffer, Address]>()
  private size = 0
  private readonly waiting = new WaitQueue<NodeEvent>()
  private readonly watchers = new Watchers()
  private error: SocketError | undefined = undefined
  private closed = false
  /** Has it an address? */
  private open = false

  constructor() {
    this.node.on("message", (data, { address, port }) => {
      if (this.size + data.byteLength > ROOM) return
      this.size += data.byteLength
      this.received.push([data, [address, port]])
      this.changes()
    })
    this.node.on("error", (error) => {
      this.error = socketError(error)
      this.changes()
    })
  }

  /** Binds it to an address. Dies with `SocketError`. Mirrors `socket.bind`. */
  bind([address, port]: readonly [host: string, port: number]): Operation<void, SocketError> {
    return this.does((done) => this.node.bind({ address, port }, () => done(null)))
  }

  /** Sends a datagram. Dies with `SocketError`. Mirrors `socket.sendto`. */
  sendto(data: Data, [host, port]: readonly [host: string, port: number]): Operation<void, SocketError> {
    return this.does((done) => this.node.send(data, port, host, done))
  }

  /** Waits for a datagram: the data, and where it comes from. Dies with `SocketError`. Mirrors `socket.recvfrom`. */
  recvfrom(): Operation<readonly [Buffer, Address], SocketError> {
    return new Steps<readonly [Buffer, Address], SocketError>(() => this.receiving())
  }

  /** Where it is. Mirrors `socket.getsockname`. */
  getsockname(): Address {
    if (this.closed) return ""
    try {
      return addressOf(this.node.address())
    } catch {
      // nothing was sent from it yet, and it was not bound
      return ["0.0.0.0", 0]
    }
  }

  /** Closes it. Who waits in it gets a `SocketError`. Mirrors `socket.close`. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.hub.listensNoMore(this.node)
    this.node.close()
    this.changes()
  }

  readiness(): number {
    if (this.closed) return POLLNVAL
    if (this.error !== undefined) return POLLIN | POLLOUT | POLLERR
    return this.received.size > 0 ? POLLIN | POLLOUT : POLLOUT
  }

  watch(changed: () => void): () => void {
    return this.watchers.add(changed)
  }

  private *receiving(): Generator<Effect.Effect<any, any>, readonly [Buffer, Address], any> {
    for (;;) {
      const datagram = this.received.shift()?.value
      if (datagram !== undefined) {
        this.size -= datagram[0].byteLength
        return datagram
      }
      yield* this.failed(null)
      yield* this.awaits(new NodeEvent(this, this.hub))
    }
  }

  private does(start: (done: (error: Error | null) => void) => void): Operation<void, SocketError> {
    return new Steps<void, SocketError>(() => this.doing(start))
  }

  private *doing(
    start: (done: (error: Error | null) => void) => void
  ): Generator<Effect.Effect<any, any>, void, any> {
    if (this.closed) yield* failing(notOpen())
    const arrival = new NodeEvent(this, this.hub)
    let failure: Error | null = null
    if (!this.open) {
      this.open = true
      this.hub.listens(this.node, () => this.close())
    }
    start((error) => {
      failure = error
      arrival.comes()
    })
    yield* this.awaits(arrival)
    yield* this.failed(failure)
  }

  /** Fails, if something has: an error is told once. */
  private *failed(failure: Error | null): Generator<Effect.Effect<any, any>, void, any> {
    const error = failure ?? this.error
    if (error === undefined) return
    this.error = undefined
    yield* failing(socketError(error))
  }

  /** Waits for something of its own, or that it fails or is closed. */
  private *awaits(arrival: NodeEvent): Generator<Effect.Effect<any, any>, void, any> {
    if (this.closed) yield* failing(notOpen())
    const place = this.waiting.push(arrival)
    try {
      if (!(yield* arrival.within(this.timeout))) yield* failing(new SocketTimeout())
    } finally {
      this.waiting.remove(place)
    }
    if (this.closed) yield* failing(notOpen())
  }

  private changes(): void {
    for (let place = this.waiting.shift(); place !== undefined; place = this.waiting.shift()) place.value.comes()
    this.watchers.tell()
  }

  toString(): string {
    return "<DatagramSocket>"
  }
}
