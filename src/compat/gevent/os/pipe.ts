/**
 * The pipes to and from a process, which are read and written like files.
 *
 * Carries what `gevent.subprocess` takes of `gevent.fileobject`: `read(size)` waits for all it is to bring, a line ends with
 * its line feed, text has universal newlines. Where it differs: what is written is on its way at once, so `flush` only waits;
 * and `close` never waits. `select` and `poll` take pipes as they take sockets.
 *
 * Backpressure is the pipe's own: as much is read ahead as Node's streams buffer, 64 KB, then the process waits.
 */
import type * as Effect from "effect/Effect"
import type { Readable, Writable } from "node:stream"
import { StringDecoder } from "node:string_decoder"
import { type NotAsync, type Operation, ValueError } from "../../../greenlet/index.ts"
import { ConcurrentObjectUseError } from "../core/exceptions.ts"
import { gethub, type Hub, Steps } from "../core/hub.ts"
import { eachTime, type ErrorOf, type ServicesOf } from "../core/loop-body.ts"
import { printed } from "../core/printed.ts"
import { NodeEvent } from "../net/node-event.ts"
import { POLLERR, POLLIN, POLLNVAL, POLLOUT, type Selectable, Watchers } from "../net/select.ts"
import { type Data, failing, SocketError, socketError } from "../net/socket.ts"
import { Event } from "../sync/event.ts"

/** How text is made of bytes. */
export interface TextOptions {
  /** Strings instead of buffers? Their newlines are line feeds, whatever is written. */
  readonly text?: boolean | undefined
  /** The same, in this encoding: UTF-8, or another that Node's `Buffer` has. */
  readonly encoding?: string | undefined
  /** What to do about bytes that are no text: throw `ValueError` if it is left out. */
  readonly errors?: "strict" | "replace" | undefined
}

/** @internal the encoding, if there is to be text; throws `ValueError` if it is unknown */
export const encodingOf = ({ encoding, errors, text }: TextOptions): BufferEncoding | undefined => {
  if (encoding === undefined) return text === true || errors !== undefined ? "utf-8" : undefined
  if (!Buffer.isEncoding(encoding)) throw new ValueError(`unknown encoding: ${encoding}`)
  return encoding
}

/** Makes text of the bytes that arrive. */
class Decoder {
  private readonly decodes: (bytes: Buffer | undefined) => string
  /** A carriage return: whether a line feed follows is to be seen. */
  private held = ""

  constructor(encoding: BufferEncoding, strict: boolean) {
    if (/^utf-?8$/i.test(encoding)) {
      const decoder = new TextDecoder("utf-8", { fatal: strict, ignoreBOM: true })
      this.decodes = (bytes) => bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true })
    } else {
      const decoder = new StringDecoder(encoding)
      this.decodes = (bytes) => bytes === undefined ? decoder.end() : decoder.write(bytes)
    }
  }

  /** The text of bytes, or what is left at their end. */
  decode(bytes?: Buffer): string {
    let text: string
    try {
      text = this.held + this.decodes(bytes)
    } catch {
      throw new ValueError(
        "what the process has written is no UTF-8: name its `encoding`, or set `errors` to \"replace\""
      )
    }
    const holds = bytes !== undefined && text.endsWith("\r")
    this.held = holds ? "\r" : ""
    return (holds ? text.slice(0, -1) : text).replace(/\r\n?/g, "\n")
  }
}

/** Keeps the JavaScript event loop going while a greenlet waits, and only then. */
const unref = (stream: Readable | Writable): void => (stream as { unref?: () => void }).unref?.()
const ref = (stream: Readable | Writable): void => (stream as { ref?: () => void }).ref?.()

/** Node closes the pipe of a process that has ended, and cancels what is still being written to it. */
const pipeError = (error: unknown): SocketError =>
  (error as NodeJS.ErrnoException).code === "ECANCELED"
    ? new SocketError("EPIPE", "Broken pipe (the process has ended)", error)
    : socketError(error)

const closedError = (): SocketError => new SocketError("EBADF", "Bad file descriptor (the pipe was closed)")

/** One end of a pipe. */
abstract class Pipe implements Selectable {
  static {
    printed(this)
  }
  protected readonly hub: Hub = gethub()
  protected error: SocketError | undefined = undefined
  private arrival: NodeEvent | undefined = undefined
  private readonly watchers = new Watchers()
  private closed_ = false
  /** @internal */
  readonly stream: Readable | Writable

  constructor(stream: Readable | Writable) {
    this.stream = stream
    unref(stream)
    stream.on("error", (error) => {
      this.error = pipeError(error)
      this.wakes()
    })
    stream.on("close", () => this.wakes())
  }

  /** Was it closed? */
  get closed(): boolean {
    return this.closed_
  }

  /** Closes it, at once. Who waits in it gets a `SocketError`, `EBADF`. Mirrors `close`. */
  close(): void {
    if (this.closed_) return
    this.closed_ = true
    this.closes()
    this.wakes()
  }

  protected abstract closes(): void

  protected *requireOpen(): Generator<Effect.Effect<any, any>, void, any> {
    if (this.closed_) yield* failing(closedError())
  }

  protected wakes(): void {
    this.arrival?.comes()
    this.watchers.tell()
  }

  /** Waits until something has happened. */
  protected *waiting(): Generator<Effect.Effect<any, any>, void, any> {
    if (this.arrival !== undefined) throw new ConcurrentObjectUseError(`${this} is already used by another greenlet`)
    this.arrival = new NodeEvent(this, this.hub)
    ref(this.stream)
    try {
      yield* this.arrival.wait()
    } finally {
      unref(this.stream)
      this.arrival = undefined
    }
  }

  /** For `select` and `poll`: what it is ready for. */
  readiness(): number {
    if (this.closed_) return POLLNVAL
    return this.error === undefined ? this.ready() : this.ready() | POLLERR
  }

  protected abstract ready(): number

  /** For `select` and `poll`: has `changed` called when that may have changed, until what comes back is called. */
  watch(changed: () => void): () => void {
    ref(this.stream)
    const stop = this.watchers.add(changed)
    return () => {
      stop()
      if (this.arrival === undefined) unref(this.stream)
    }
  }

  toString(): string {
    return `<${this.constructor.name}${this.closed ? " closed" : ""}>`
  }
}

/**
 * What a process writes: `T` is `string` for text, else `Buffer`. It serves one greenlet at a time. Mirrors `Popen.stdout`.
 *
 * @category models
 * @since 0.1.0
 */
export class ReadPipe<out T extends string | Buffer = Buffer> extends Pipe {
  /** @internal is set once there is nothing more to be collected */
  readonly collected: Event = new Event(this)
  declare readonly stream: Readable
  private readonly decoder: Decoder | undefined
  private readonly empty: T
  /** What has arrived and was not asked for yet. */
  private rest: T
  private attached = false
  /** @internal does another process read from it? */
  lent = false
  private ended = false
  /** What `communicate` has read; it goes on reading while it waits. */
  private parts: Array<T> | undefined = undefined
  private collecting = false
  /** What went wrong with it. */
  private failure: { readonly error: unknown } | undefined = undefined

  constructor(stream: Readable, options: TextOptions = {}) {
    super(stream)
    const encoding = encodingOf(options)
    this.decoder = encoding === undefined ? undefined : new Decoder(encoding, options.errors !== "replace")
    this.rest = this.empty = (encoding === undefined ? Buffer.alloc(0) : "") as T
    stream.on("end", () => this.ends())
    stream.on("close", () => this.ends())
  }

  /**
   * Waits for `size` bytes, or characters; fewer at the end, and all there are if it is negative or left out. Dies with `SocketError`,
   * and with `ValueError` of what is no text. Mirrors `read`.
   */
  read(size = Infinity): Operation<T, SocketError> {
    return new Steps<T, SocketError>(() => this.reading(size))
  }

  /** Waits for a line, with the line feed at its end; an empty one at the end. Mirrors `readline`. */
  readline(): Operation<T, SocketError> {
    return new Steps<T, SocketError>(() => this.readingLine())
  }

  /** Waits for all lines. Mirrors `readlines`. */
  readlines(): Operation<Array<T>, SocketError> {
    return new Steps<Array<T>, SocketError>(() => this.readingLines())
  }

  /** Waits for the next line: `{ done, value }`. */
  next(): Operation<IteratorResult<T, undefined>, SocketError> {
    return new Steps<IteratorResult<T, undefined>, SocketError>(() => this.stepping())
  }

  /** Calls `body` with each line. Mirrors `for line in pipe`. */
  each<Made>(
    body: ((line: T) => Made) & NotAsync<Made>
  ): Operation<void, ErrorOf<Made> | SocketError, ServicesOf<Made>> {
    return new Steps<void, ErrorOf<Made> | SocketError, ServicesOf<Made>>(() => this.looping(body))
  }

  private *reading(size: number): Generator<Effect.Effect<any, any>, T, any> {
    yield* this.requireOpen()
    const parts: Array<T> = []
    let missing = size < 0 ? Infinity : size
    while (missing > 0 && (this.rest.length > 0 || (yield* this.fills()))) {
      const part = this.takes(missing)
      missing -= part.length
      parts.push(part)
    }
    return this.joined(parts)
  }

  private *readingLine(): Generator<Effect.Effect<any, any>, T, any> {
    yield* this.requireOpen()
    const parts: Array<T> = []
    while (this.rest.length > 0 || (yield* this.fills())) {
      const end = this.rest.indexOf("\n")
      parts.push(this.takes(end < 0 ? Infinity : end + 1))
      if (end >= 0) break
    }
    return this.joined(parts)
  }

  private *readingLines(): Generator<Effect.Effect<any, any>, Array<T>, any> {
    const lines: Array<T> = []
    for (;;) {
      const line = yield* this.readingLine()
      if (line.length === 0) return lines
      lines.push(line)
    }
  }

  private *stepping(): Generator<Effect.Effect<any, any>, IteratorResult<T, undefined>, any> {
    const line = yield* this.readingLine()
    return line.length === 0 ? { done: true, value: undefined } : { done: false, value: line }
  }

  private *looping(body: (line: T) => unknown): Generator<Effect.Effect<any, any, any>, void, any> {
    for (;;) {
      const line = yield* this.readingLine()
      if (line.length === 0) return
      yield* eachTime(body, line)
    }
  }

  /** Waits until `rest` holds something; `false` at the end. */
  private *fills(): Generator<Effect.Effect<any, any>, boolean, any> {
    this.attach()
    while (!this.arrives()) {
      if (this.error !== undefined) yield* failing(this.error)
      if (this.ended) return false
      yield* this.waiting()
      yield* this.requireOpen()
    }
    return true
  }

  /** Takes what has arrived into `rest`. */
  private arrives(): boolean {
    const chunk = this.stream.read() as Buffer | null
    if (chunk !== null) this.rest = (this.decoder === undefined ? chunk : this.decoder.decode(chunk)) as T
    else if (this.ended && this.decoder !== undefined) this.rest = this.decoder.decode() as T
    return this.rest.length > 0
  }

  private takes(size: number): T {
    const { rest } = this
    if (rest.length <= size) {
      this.rest = this.empty
      return rest
    }
    const [part, left] = typeof rest === "string"
      ? [rest.slice(0, size), rest.slice(size)]
      : [rest.subarray(0, size), rest.subarray(size)]
    this.rest = left as T
    return part as T
  }

  private joined(parts: ReadonlyArray<T>): T {
    if (parts.length === 1) return parts[0]!
    return (this.decoder === undefined ? Buffer.concat(parts as ReadonlyArray<Buffer>) : parts.join("")) as T
  }

  /** @internal gives it to another process; throws `ValueError` if something of it may have been read here */
  lend(): Readable {
    if (this.closed || this.attached || this.stream.readableLength > 0) {
      throw new ValueError(
        `${this} cannot be another process's: it is read here already, or closed. Start both at once`
      )
    }
    this.lent = true
    return this.stream
  }

  /** @internal Node discards what nobody listens for when the process ends */
  attach(): void {
    if (this.attached || this.lent) return
    this.attached = true
    this.stream.on("readable", () => {
      if (this.collecting) this.collects()
      this.wakes()
    })
  }

  protected ready(): number {
    this.attach()
    return this.rest.length > 0 || this.stream.readableLength > 0 || this.ended ? POLLIN : 0
  }

  private ends(): void {
    this.ended = true
    if (this.collecting) this.collects()
    this.wakes()
  }

  protected closes(): void {
    this.stream.destroy()
  }

  // ---- for `communicate` ------------------------------------------------------------------------------------------

  /** @internal reads all that comes, whether somebody waits or not, until `pauses` */
  collect(): void {
    if (this.closed) {
      this.collected.set()
      return
    }
    this.parts ??= this.rest.length > 0 ? [this.takes(Infinity)] : []
    this.collecting = true
    this.attach()
    this.collects()
  }

  /** @internal waits until all is collected; gives back whether that is so before `timeout` */
  *finishing(timeout: number | undefined): Generator<Effect.Effect<any, any>, boolean, any> {
    this.hub.ref()
    ref(this.stream)
    try {
      return yield* this.collected.wait(timeout)
    } finally {
      unref(this.stream)
      this.hub.unref()
    }
  }

  /** @internal */
  pauses(): void {
    this.collecting = false
  }

  private collects(): void {
    try {
      while (this.arrives()) this.parts!.push(this.takes(Infinity))
    } catch (error) {
      this.failure = { error }
      this.ended = true
    }
    if (!this.ended) return
    this.collecting = false
    this.hub.arrives(() => this.collected.set() as undefined)
  }

  /** @internal all that was collected */
  get content(): T {
    if (this.failure !== undefined) throw this.failure.error
    return this.joined(this.parts ?? [])
  }
}

/**
 * What a process reads. It serves one greenlet at a time. Mirrors `Popen.stdin`.
 *
 * @category models
 * @since 0.1.0
 */
export class WritePipe extends Pipe {
  declare readonly stream: Writable
  private readonly encoding: BufferEncoding | undefined

  constructor(stream: Writable, options: TextOptions = {}) {
    super(stream)
    this.encoding = encodingOf(options)
    stream.on("drain", () => this.wakes())
  }

  /**
   * Writes, waiting while the process has not read what was written before; gives back how many bytes, or characters of
   * text. Dies with `SocketError`, `EPIPE` if the process reads no more. Mirrors `write`.
   */
  write(data: Data): Operation<number, SocketError> {
    return new Steps<number, SocketError>(() => this.writing(data))
  }

  /** Writes several. Mirrors `writelines`. */
  writelines(lines: Iterable<Data>): Operation<void, SocketError> {
    return new Steps<void, SocketError>(() => this.writingLines(lines))
  }

  /** Waits until the process's pipe has taken all that was written. Dies with `SocketError`. Mirrors `flush`. */
  flush(): Operation<void, SocketError> {
    return new Steps<void, SocketError>(() => this.flushing())
  }

  private *writing(data: Data): Generator<Effect.Effect<any, any>, number, any> {
    yield* this.requireWhole()
    const bytes = typeof data === "string" ? Buffer.from(data, this.encoding ?? "utf-8") : data
    this.stream.write(bytes)
    yield* this.requireWhole()
    while (this.stream.writableNeedDrain) {
      yield* this.waiting()
      yield* this.requireWhole()
    }
    return this.encoding === undefined ? bytes.byteLength : data.length
  }

  private *writingLines(lines: Iterable<Data>): Generator<Effect.Effect<any, any>, void, any> {
    for (const line of lines) yield* this.writing(line)
  }

  private *flushing(): Generator<Effect.Effect<any, any>, void, any> {
    yield* this.requireWhole()
    const written = { all: false }
    if (this.stream.writableLength > 0) {
      this.stream.write("", () => {
        written.all = true
        this.wakes()
      })
    } else written.all = true
    while (!written.all) {
      yield* this.waiting()
      yield* this.requireWhole()
    }
  }

  private *requireWhole(): Generator<Effect.Effect<any, any>, void, any> {
    yield* this.requireOpen()
    if (this.error !== undefined) yield* failing(this.error)
    // Node knows of an error before it tells
    const { errored } = this.stream
    if (errored != null) yield* failing(pipeError(errored))
    // Node closes it when the process has ended
    if (this.stream.destroyed) yield* failing(new SocketError("EPIPE", "Broken pipe (the process has ended)"))
  }

  protected ready(): number {
    return this.stream.destroyed ? POLLOUT | POLLERR : this.stream.writableNeedDrain ? 0 : POLLOUT
  }

  /** What was written still goes out. */
  protected closes(): void {
    this.stream.end()
  }

  /** @internal the last that is written: what goes wrong with it is none of the caller's errors */
  ends(data: Data | undefined): void {
    if (this.closed) return
    if (data !== undefined) {
      this.stream.write(typeof data === "string" ? Buffer.from(data, this.encoding ?? "utf-8") : data)
    }
    this.close()
  }
}
