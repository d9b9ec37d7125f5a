/**
 * What goes wrong with sockets: Node's errors as typed failures, by the system's names.
 *
 * Carries `socket.error` and `socket.timeout` of `gevent.socket`. Where it differs: an error has its code as a name,
 * `"ECONNRESET"`, instead of a number.
 */
import * as Exit from "effect/Exit"
import { hold } from "../../../greenlet/index.ts"

/**
 * An error of a socket. `code` is the system's, such as `ECONNRESET`. A typed failure in Effect's sense. Mirrors
 * `socket.error`, which is `OSError`.
 *
 * @category errors
 * @since 0.1.0
 */
export class SocketError extends Error {
  override readonly name: string = "SocketError"
  static {
    hold(this, "gevent.SocketError")
  }
  readonly code: string
  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

/**
 * A socket waited longer than its timeout. Mirrors `socket.timeout`.
 *
 * @category errors
 * @since 0.1.0
 */
export class SocketTimeout extends SocketError {
  override readonly name: string = "SocketTimeout"
  static {
    hold(this, "gevent.SocketTimeout")
  }
  constructor() {
    super("ETIMEDOUT", "timed out")
  }
}

/** What Node reports, as an error of ours. */
export const socketError = (error: unknown): SocketError => {
  if (error instanceof SocketError) return error
  const { code, message } = error as NodeJS.ErrnoException
  return new SocketError(code ?? "EIO", message, error)
}

/** A socket is used that was closed, or never opened. */
export const notOpen = (): SocketError => new SocketError("EBADF", "the socket is not open")

/** Throws a typed failure in a frame. */
export const failing = (error: SocketError): Exit.Exit<never, SocketError> => Exit.fail(error)
