/**
 * A web server whose applications are WSGI's: called in a greenlet with the environment of a request and `startResponse`,
 * they return the parts of the body.
 *
 * Carries `gevent.pywsgi` over Node's `http`. Where it differs: parts of the body are strings or bytes; a generator
 * function is the application's own, as it may wait, so it returns its parts instead of yielding them, or sends them with
 * `write`, which waits while the client is slow.
 */
import { type Effect, Effect as E } from "effect"
import { createServer, type IncomingMessage, type Server as NodeServer, type ServerResponse } from "node:http"
import { createServer as createHttpsServer } from "node:https"
import type { AddressInfo } from "node:net"
import type { TlsOptions } from "node:tls"
import { call, type Operation } from "../../greenlet/index.ts"
import { Event } from "./event.ts"
import { Steps } from "./hub.ts"
import { BaseServer, type Listener, type ServerOptions, whereOf } from "./server.ts"
import { type Address, type Data, failing, SocketError, socketError } from "./socket.ts"
import { Waiter } from "./waiter.ts"

/** What an application is told of a request, by WSGI's names. */
export interface Environ {
  readonly REQUEST_METHOD: string
  /** The path, without its `%xx`. */
  readonly PATH_INFO: string
  /** What comes after the question mark. */
  readonly QUERY_STRING: string
  readonly SERVER_PROTOCOL: string
  readonly REMOTE_ADDR: string
  readonly CONTENT_TYPE?: string
  readonly CONTENT_LENGTH?: string
  readonly "wsgi.url_scheme": "http" | "https"
  /** The body of the request. */
  readonly "wsgi.input": Input
  /** A header, its dashes as underscores: `HTTP_USER_AGENT`. */
  readonly [header: `HTTP_${string}`]: string | undefined
}

/**
 * Begins the response: `startResponse("200 OK", [["Content-Type", "text/html"]])`. Returns `write`, which sends a part of
 * the body, waiting while the client is slow.
 */
export type StartResponse = (
  status: string,
  headers: ReadonlyArray<readonly [name: string, value: string]>
) => (part: Data) => Operation<void, SocketError>

/** An application: a generator function, one that returns an Effect, or a plain one. It returns the parts of the body. */
export type Application = (
  environ: Environ,
  startResponse: StartResponse
) =>
  | Generator<Effect.Effect<any, any, any>, Iterable<Data> | void, any>
  | Effect.Effect<Iterable<Data> | void, any, any>
  | Iterable<Data>
  | void

/** The body of a request. Mirrors `environ["wsgi.input"]`. */
export class Input {
  private readonly request: IncomingMessage
  constructor(request: IncomingMessage) {
    this.request = request
  }

  /** Waits for the whole body. Mirrors `input.read()`. */
  read(): Operation<Buffer, SocketError> {
    return new Steps<Buffer, SocketError>(() => this.reading())
  }

  private *reading(): Generator<Effect.Effect<any, any>, Buffer, any> {
    const { request } = this
    const parts: Array<Buffer> = []
    yield* E.callback<void, SocketError>((resume) => {
      request.on("data", (part: Buffer) => parts.push(part))
      request.on("end", () => resume(E.void))
      request.on("error", (error) => resume(E.fail(socketError(error))))
      request.on("aborted", () => resume(E.fail(new SocketError("ECONNRESET", "the client has gone"))))
    })
    return Buffer.concat(parts)
  }
}

/** How to serve HTTP. */
export interface WSGIServerOptions extends ServerOptions {
  /** Key, certificate and the like: serves HTTPS. */
  readonly tls?: TlsOptions | undefined
}

/**
 * An HTTP server that calls an application for each request, in a greenlet. An application that throws is reported to the
 * hub, and answered with 500 if it has not begun to answer. Mirrors `gevent.pywsgi.WSGIServer`.
 *
 * @category models
 * @since 0.1.0
 */
export class WSGIServer extends BaseServer<[request: IncomingMessage, response: ServerResponse]> {
  private node: NodeServer | undefined = undefined
  private readonly tls: TlsOptions | undefined

  constructor(listener: Listener, application: Application, options: WSGIServerOptions = {}) {
    super(listener, (request, response) => respond(application, request, response, options.tls !== undefined), options)
    this.tls = options.tls
  }

  protected *opening(): Generator<Effect.Effect<any, any>, void, any> {
    const comes = (request: IncomingMessage, response: ServerResponse) =>
      this.hub.arrives(() => this.comes(request, response))
    const node = this.tls === undefined ? createServer(comes) : createHttpsServer(this.tls, comes)
    const event = new Event(this)
    let failure: SocketError | undefined
    node.on("error", (error) => {
      failure = socketError(error)
      event.set()
    })
    node.listen({ ...whereOf(this.listener), backlog: this.options.backlog ?? 256 }, () => event.set())
    this.hub.ref()
    try {
      yield* event.wait()
    } finally {
      this.hub.unref()
    }
    if (failure !== undefined) yield* failing(failure)
    this.node = node
  }

  get address(): Address {
    const address = this.node?.address() as AddressInfo | string | null | undefined
    if (address != null) return typeof address === "string" ? address : [address.address, address.port]
    return typeof this.listener === "number" ? ["", this.listener] : this.listener
  }

  protected closes(): void {
    this.node?.close()
    this.node?.closeIdleConnections()
  }

  protected finished(_request: IncomingMessage, response: ServerResponse): void {
    if (!response.headersSent && !response.destroyed) response.writeHead(500, { "Content-Type": "text/plain" })
    if (!response.writableEnded) response.end(response.statusCode === 500 ? "Internal Server Error" : undefined)
  }
}

function* respond(
  application: Application,
  request: IncomingMessage,
  response: ServerResponse,
  secure: boolean
): Generator<Effect.Effect<any, any>, void, any> {
  const write = (part: Data): Operation<void, SocketError> =>
    new Steps<void, SocketError>(() => writing(response, part))
  const startResponse: StartResponse = (status, headers) => {
    const [code, ...reason] = status.split(" ")
    response.writeHead(Number(code), reason.join(" "), headers.flatMap(([name, value]) => [name, value]))
    return write
  }
  const parts: Iterable<Data> | undefined = yield* call(() =>
    application(environOf(request, secure), startResponse) as Iterable<Data> | undefined
  )
  if (parts !== undefined) {
    for (const part of parts) yield* writing(response, part)
  }
  response.end()
}

/** Sends a part of the body, and waits while the client is slow. */
function* writing(response: ServerResponse, part: Data): Generator<Effect.Effect<any, any>, void, any> {
  if (response.destroyed) yield* failing(new SocketError("ECONNRESET", "the client has gone"))
  if (response.write(part)) return
  const waiter = new Waiter<void>()
  const { hub } = waiter
  const wakes = () => hub.arrives(() => waiter.ready() ? undefined : waiter.switch())
  response.once("drain", wakes)
  response.once("close", wakes)
  hub.ref()
  try {
    yield* waiter.wait()
  } finally {
    hub.unref()
    response.off("drain", wakes)
    response.off("close", wakes)
  }
}

const environOf = (request: IncomingMessage, secure: boolean): Environ => {
  const { headers, method = "GET", url = "/" } = request
  const mark = url.indexOf("?")
  const path = mark < 0 ? url : url.slice(0, mark)
  const environ: Record<string, unknown> = {
    REQUEST_METHOD: method,
    PATH_INFO: decoded(path),
    QUERY_STRING: mark < 0 ? "" : url.slice(mark + 1),
    SERVER_PROTOCOL: `HTTP/${request.httpVersion}`,
    REMOTE_ADDR: request.socket.remoteAddress ?? "",
    "wsgi.url_scheme": secure ? "https" : "http",
    "wsgi.input": new Input(request)
  }
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toUpperCase().replaceAll("-", "_")
    environ[key === "CONTENT_TYPE" || key === "CONTENT_LENGTH" ? key : `HTTP_${key}`] = Array.isArray(value)
      ? value.join(", ")
      : value
  }
  return environ as unknown as Environ
}

/** A path that is badly encoded is left as it is. */
const decoded = (path: string): string => {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
