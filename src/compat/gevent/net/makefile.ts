/**
 * Reading like a file: by lines and by numbers of bytes, from what brings its bytes as they come.
 *
 * Carries what `socket.makefile` returns, and the same methods of `wsgi.input`. Where it differs: bytes only; and a loop
 * over the lines is `each`.
 */
import type * as Effect from "effect/Effect"
import { type NotAsync, type Operation, ValueError } from "../../../greenlet/index.ts"
import { Steps } from "../core/hub.ts"
import { eachTime, type ErrorOf, type ServicesOf } from "../core/loop-body.ts"
import type { SocketError } from "./socketerror.ts"

/** What can be sent. Strings are sent as UTF-8. */
export type Data = string | Uint8Array

/** What bytes come from and go to: a socket. */
interface Stream {
  recv(): Operation<Buffer, SocketError>
  send(data: Data): Operation<number, SocketError>
}

/**
 * Something that is read like a file.
 *
 * @category models
 * @since 0.1.0
 */
export abstract class ReadableFile {
  /** What has come and was not read yet. */
  protected rest: Buffer = nothing

  /** @internal waits for some bytes: none at the end */
  protected abstract more(): Generator<Effect.Effect<any, any>, Buffer, any>

  /**
   * Waits for a line, with the line feed at its end, of `size` bytes at the most; an empty one at the end of the stream.
   * Dies with `SocketError`. Mirrors `readline`.
   */
  readline(size?: number | null): Operation<Buffer, SocketError> {
    return new Steps<Buffer, SocketError>(() => this.readingLine(limitOf(size)))
  }

  /**
   * Waits for `size` bytes; fewer at the end of the stream, and all there are if it is left out. Dies with `SocketError`.
   * Mirrors `read`.
   */
  read(size?: number | null): Operation<Buffer, SocketError> {
    return new Steps<Buffer, SocketError>(() => this.reading(limitOf(size)))
  }

  /** Waits for all lines that are left. Dies with `SocketError`. Mirrors `readlines`. */
  readlines(): Operation<Array<Buffer>, SocketError> {
    return new Steps<Array<Buffer>, SocketError>(() => this.readingLines())
  }

  /** Calls `body` with each line. Mirrors `for line in file`. */
  each<Made>(
    body: ((line: Buffer) => Made) & NotAsync<Made>
  ): Operation<void, ErrorOf<Made> | SocketError, ServicesOf<Made>> {
    return new Steps<void, ErrorOf<Made> | SocketError, ServicesOf<Made>>(() => this.looping(body))
  }

  private readingLine(size: number): Generator<Effect.Effect<any, any>, Buffer, any> {
    return this.reading(size, true)
  }

  /** Up to `size` bytes, or to the end of a line if that comes first. */
  private *reading(size: number, toLine = false): Generator<Effect.Effect<any, any>, Buffer, any> {
    const parts: Array<Buffer> = []
    let missing = size
    while (missing > 0) {
      if (this.rest.byteLength === 0) this.rest = yield* this.more()
      if (this.rest.byteLength === 0) break
      const end = toLine ? this.rest.indexOf(LINE_FEED) + 1 : 0
      const part = this.take(Math.min(missing, end || this.rest.byteLength))
      parts.push(part)
      if (toLine && part.at(-1) === LINE_FEED) break
      missing -= part.byteLength
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  private *readingLines(): Generator<Effect.Effect<any, any, any>, Array<Buffer>, any> {
    const lines: Array<Buffer> = []
    yield* this.looping((line) => void lines.push(line))
    return lines
  }

  private *looping(body: (line: Buffer) => unknown): Generator<Effect.Effect<any, any, any>, void, any> {
    for (;;) {
      const line = yield* this.readingLine(Infinity)
      if (line.byteLength === 0) return
      yield* eachTime(body, line)
    }
  }

  /** Takes up to `size` bytes of the rest. */
  private take(size: number): Buffer {
    const part = this.rest.subarray(0, size)
    this.rest = this.rest.subarray(part.byteLength)
    return part
  }
}

/** No bytes: the end of a stream. */
export const nothing = Buffer.alloc(0)

const LINE_FEED = 10

/** As in Python, less than nothing means no limit. */
const limitOf = (size: number | null | undefined): number => {
  if (size == null || size < 0) return Infinity
  if (Number.isNaN(size)) throw new ValueError("the size is not a number")
  return size
}

/**
 * Reads a socket by lines and by numbers of bytes. Mirrors what `socket.makefile` returns. Where it differs: it ends with its
 * socket. In Python that stays open for it, until nobody refers to it any more, which cannot be seen here.
 *
 * @category models
 * @since 0.1.0
 */
export class SocketFile extends ReadableFile {
  private readonly socket: Stream
  private _closed = false
  constructor(socket: Stream) {
    super()
    this.socket = socket
  }

  protected *more(): Generator<Effect.Effect<any, any>, Buffer, any> {
    this.requireOpen()
    return yield* this.socket.recv()
  }

  /** Sends data. Mirrors `write`. Throws `ValueError` if it is closed. */
  write(data: Data): Operation<number, SocketError> {
    this.requireOpen()
    return this.socket.send(data)
  }

  /** Closes it, which leaves the socket open. Reading it dies with `ValueError` from then on. Mirrors `close`. */
  close(): void {
    this._closed = true
    this.rest = nothing
  }

  /** Is it closed? Mirrors `closed`. */
  get closed(): boolean {
    return this._closed
  }

  private requireOpen(): void {
    if (this._closed) throw new ValueError("I/O operation on closed file.")
  }
}
