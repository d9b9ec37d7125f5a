/**
 * What carries messages from one thread to another one: a MessagePort, in their order, until it closes.
 *
 * What is posted within one turn goes in one `postMessage`, since each wakes the other thread, whatever it carries. What is worth that goes at
 * once.
 */

/** Longer batches would let the other side wait. */
const LONGEST = 256

/** A worker, or a port to one. */
export interface Port {
  on(event: "message", listener: (value: any) => void): unknown
  postMessage(value: unknown): void
}

export class PortLink<Message> {
  private readonly port: Port
  private posted: Array<Message> = []
  private closed = false

  constructor(port: Port, hear: (messages: ReadonlyArray<Message>) => void) {
    this.port = port
    port.on("message", hear)
  }

  /** @param worth does it go at once, with what was posted before? */
  post(message: Message, worth: boolean): void {
    if (this.closed) return
    const { posted } = this
    posted.push(message)
    if (worth || posted.length >= LONGEST) this.flush()
    else if (posted.length === 1) queueMicrotask(this.atEnd)
  }

  close(): void {
    this.closed = true
    this.posted = []
  }

  /** When all that goes on in this turn has spoken: who is woken by a message answers in the same batch as its receipt. */
  private readonly atEnd = (): void => process.nextTick(this.flush)

  private readonly flush = (): void => {
    const { posted } = this
    if (posted.length === 0) return
    this.posted = []
    const { port } = this
    port.postMessage(posted)
  }
}
