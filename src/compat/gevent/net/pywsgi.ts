/**
 * A web server whose applications are WSGI's: called in a greenlet with the environment of a request and `startResponse`,
 * they return the parts of the body.
 *
 * Carries `gevent.pywsgi` over Node's `http`. Where it differs: parts of the body are strings or bytes; a generator
 * function is the application's own, as it may wait, so it returns its parts instead of yielding them, or sends them with
 * `write`; there is a greenlet for each request instead of each connection; a connection that is idle is closed after
 * Node's 5 seconds; and requests are logged only if somebody asks for it.
 */
import type { Effect } from "effect"
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
  validateHeaderName,
  validateHeaderValue
} from "node:http"
import { createServer as createHttpsServer } from "node:https"
import type { TlsOptions } from "node:tls"
import { call, GreenletExit, type Operation, ValueError } from "../../../greenlet/index.ts"
import { AssertionError } from "../core/exceptions.ts"
import { gethub, type Hub, Steps } from "../core/hub.ts"
import type { Listener } from "./listen.ts"
import { nothing, ReadableFile } from "./makefile.ts"
import { NodeEvent } from "./node-event.ts"
import { ListeningServer, type ServerOptions } from "./server.ts"
import type { Data } from "./socket.ts"
import { failing, SocketError, socketError } from "./socketerror.ts"

/** What takes lines of text, such as `process.stderr`. */
export interface Log {
  write(text: string): unknown
}

/** What an application is told of a request, by WSGI's names. */
export interface Environ {
  readonly REQUEST_METHOD: string
  /** Always empty: there is one application. */
  readonly SCRIPT_NAME: string
  /** The path, without its `%xx`. */
  readonly PATH_INFO: string
  /** What comes after the question mark. */
  readonly QUERY_STRING: string
  readonly SERVER_NAME: string
  readonly SERVER_PORT: string
  readonly SERVER_PROTOCOL: string
  readonly SERVER_SOFTWARE: string
  readonly GATEWAY_INTERFACE: string
  readonly REMOTE_ADDR: string
  readonly REMOTE_PORT: string
  readonly CONTENT_TYPE?: string
  readonly CONTENT_LENGTH?: string
  readonly "wsgi.version": readonly [number, number]
  readonly "wsgi.url_scheme": "http" | "https"
  /** The body of the request. */
  readonly "wsgi.input": Input
  /** Always true: the body has an end. */
  readonly "wsgi.input_terminated": boolean
  /** Where an application writes what went wrong. */
  readonly "wsgi.errors": Log
  readonly "wsgi.multithread": boolean
  readonly "wsgi.multiprocess": boolean
  readonly "wsgi.run_once": boolean
  /** A header, its dashes as underscores: `HTTP_USER_AGENT`. */
  readonly [header: `HTTP_${string}`]: string | undefined
}

/**
 * Begins the response: `startResponse("200 OK", [["Content-Type", "text/html"]])`. Returns `write`, which sends a part of
 * the body, waiting while the client is slow.
 *
 * It can be called again, with other headers, until the first part of the body is sent. After that, one that is given an
 * error as `excInfo` throws that, and one that is not throws `AssertionError`. Throws `ValueError` for a status that does
 * not begin with a number, and `TypeError` for headers that HTTP does not allow.
 */
export type StartResponse = (
  status: string,
  headers: ReadonlyArray<readonly [name: string, value: string]>,
  excInfo?: unknown
) => (part: Data) => Operation<void, SocketError>

/** A whole body, or its parts. */
export type Parts = Data | Iterable<Data>

/** An application: a generator function, one that returns an Effect, or a plain one. It returns the parts of the body. */
export type Application = (
  environ: Environ,
  startResponse: StartResponse
) =>
  | Generator<Effect.Effect<any, any, any>, Parts | void, any>
  | Effect.Effect<Parts | void, any, any>
  | Parts
  | void

/** How to serve HTTP. */
export interface WSGIServerOptions extends ServerOptions {
  /** Key, certificate and the like: serves HTTPS. */
  readonly tls?: TlsOptions | undefined
  /** What every request has in its environment besides, or instead. Mirrors `environ`. */
  readonly environ?: Readonly<Record<string, unknown>> | undefined
  /** Where requests are logged, each in a line. Nowhere, if left out. Mirrors `log`. */
  readonly log?: Log | undefined
  /** What `wsgi.errors` is: `process.stderr`, if left out. Mirrors `error_log`. */
  readonly errorLog?: Log | undefined
}

/**
 * An HTTP server that calls an application for each request, in a greenlet. An application that throws is reported to the
 * hub, and answered with 500 if it has not begun to answer. Mirrors `gevent.pywsgi.WSGIServer`.
 *
 * @category models
 * @since 0.1.0
 */
export class WSGIServer
  extends ListeningServer<[request: IncomingMessage, response: ServerResponse, expects: boolean]>
{
  private readonly application: Application
  private readonly tls: TlsOptions | undefined
  private readonly log: Log | undefined
  private readonly base: Readonly<Record<string, unknown>>

  /** Throws `TypeError` if `application` is no function. */
  constructor(listener: Listener, application: Application, options: WSGIServerOptions = {}) {
    if (typeof application !== "function") {
      throw new TypeError(`an application is a function; got ${String(application)}`)
    }
    super(listener, (request, response, expects) => this.responding(request, response, expects), options)
    this.application = application
    this.tls = options.tls
    this.log = options.log
    this.base = {
      GATEWAY_INTERFACE: "CGI/1.1",
      SERVER_SOFTWARE: `effect-stackless Node/${process.versions.node}`,
      SCRIPT_NAME: "",
      "wsgi.version": [1, 0],
      "wsgi.url_scheme": this.tls === undefined ? "http" : "https",
      "wsgi.errors": options.errorLog ?? process.stderr,
      "wsgi.input_terminated": true,
      "wsgi.multithread": false,
      "wsgi.multiprocess": false,
      "wsgi.run_once": false,
      ...options.environ
    }
  }

  protected makes() {
    const comes = (expects: boolean) => (request: IncomingMessage, response: ServerResponse) =>
      this.hub.arrives(() => this.comes(request, response, expects))
    // a body may take its time, as its application does
    const options = { requestTimeout: 0 }
    const node = this.tls === undefined ? createServer(options) : createHttpsServer({ ...this.tls, ...options })
    return node.on("request", comes(false)).on("checkContinue", comes(true))
  }

  protected override closes(): void {
    super.closes() // a connection that serves nobody would keep the server open
    ;(this.node as ReturnType<typeof createServer> | undefined)?.closeIdleConnections()
  }

  private *responding(
    request: IncomingMessage,
    response: ServerResponse,
    expects: boolean
  ): Generator<Effect.Effect<any, any>, void, any> {
    const began = performance.now()
    const input = new Input(request, expects ? () => response.writeContinue() : undefined)
    const environ = environOf(request, { ...this.base, ...this.names(), "wsgi.input": input })
    const reply = new Reply(this, response, input)
    try {
      yield* reply.running(() => this.application(environ, reply.startResponse))
    } finally {
      this.log?.write(logLine(request, response, reply, performance.now() - began))
    }
  }

  private names() {
    const { address } = this
    return typeof address === "string"
      ? { SERVER_NAME: "", SERVER_PORT: "" }
      : { SERVER_NAME: address[0], SERVER_PORT: String(address[1]) }
  }

  /** One that was stopped before it could answer leaves its client alone. */
  protected finished(_request: IncomingMessage, response: ServerResponse): void {
    if (!response.writableEnded) response.destroy()
  }
}

// ---- the request ----------------------------------------------------------------------------------------------------

/**
 * The body of a request, which comes as it is read: while the application does not, the client waits. Reading dies with
 * `SocketError` if the client goes away in the middle. Mirrors `environ["wsgi.input"]`.
 *
 * @category models
 * @since 0.1.0
 */
export class Input extends ReadableFile {
  private readonly hub: Hub = gethub()
  private readonly request: IncomingMessage
  /** Tells a client that waits for it to send the body. */
  private asks: (() => void) | undefined
  private arrival: NodeEvent | undefined = undefined
  private position = 0

  constructor(/** @internal */ request: IncomingMessage, /** @internal */ asks: (() => void) | undefined) {
    super()
    this.request = request
    this.asks = asks
  }

  protected *more(): Generator<Effect.Effect<any, any>, Buffer, any> {
    const { request } = this
    this.asks?.()
    this.asks = undefined
    for (;;) {
      const data: Buffer | null = request.read()
      if (data !== null) {
        this.position += data.byteLength
        return data
      }
      if (this.over) return nothing
      if (request.destroyed) {
        const where = `unexpected end of file while reading request at position ${this.position}`
        yield* failing(new SocketError("ECONNRESET", where, request.errored ?? undefined))
      }
      yield* this.comes()
    }
  }

  /** Has all of it been read? */
  private get over(): boolean {
    const { request } = this
    return request.readableEnded || (request.complete && request.readableLength === 0)
  }

  private *comes(): Generator<Effect.Effect<any>, void, any> {
    const { request } = this
    if (this.arrival === undefined) {
      const comes = () => this.arrival?.comes()
      for (const event of ["readable", "end", "error", "close"]) request.on(event, comes)
    }
    this.arrival = new NodeEvent(this, this.hub)
    yield* this.arrival.wait()
  }

  /** @internal has the client been told to send the body, if it waits for that? */
  get asked(): boolean {
    return this.asks === undefined
  }

  /** @internal reads what nobody has read, so that the next request can come */
  *discarding(): Generator<Effect.Effect<any, any>, void, any> {
    if (!this.asked) return
    try {
      while (!this.over) yield* this.more()
    } catch (error) {
      if (!(error instanceof SocketError)) throw error
    }
  }

  override toString(): string {
    return `<Input of ${this.request.method} ${this.request.url}>`
  }
}

const environOf = (request: IncomingMessage, base: Readonly<Record<string, unknown>>): Environ => {
  const { method = "GET", rawHeaders, socket, url = "/" } = request
  const mark = url.indexOf("?")
  const environ: Record<string, unknown> = {
    ...base,
    REQUEST_METHOD: method,
    PATH_INFO: decoded(mark < 0 ? url : url.slice(0, mark)),
    QUERY_STRING: mark < 0 ? "" : url.slice(mark + 1),
    SERVER_PROTOCOL: `HTTP/${request.httpVersion}`,
    REMOTE_ADDR: socket.remoteAddress ?? "",
    REMOTE_PORT: String(socket.remotePort ?? "")
  }
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    const value = rawHeaders[i + 1]!
    // `Content_Length` would pass for `Content-Length`
    if (name.includes("_")) continue
    const upper = name.toUpperCase().replaceAll("-", "_")
    const key = upper === "CONTENT_TYPE" || upper === "CONTENT_LENGTH" ? upper : `HTTP_${upper}`
    const before = environ[key]
    environ[key] = before === undefined ? value : `${String(before)}${key.includes("COOKIE") ? "; " : ","}${value}`
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

// ---- the response ---------------------------------------------------------------------------------------------------

/** What `startResponse` was told. */
interface Head {
  readonly code: number
  readonly reason: string
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
}

/** A client that has gone is nobody's mistake. Mirrors `WSGIHandler.ignored_socket_errors`. */
const IGNORED = new Set(["EPIPE", "ECONNRESET"])

/** How one request is answered. */
class Reply {
  private readonly server: WSGIServer
  private readonly response: ServerResponse
  private readonly input: Input
  private head: Head | undefined = undefined
  /** How many bytes the body has, if that is known before it is sent. */
  private whole: number | undefined = undefined
  /** How many bytes of the body were sent. */
  length = 0

  constructor(server: WSGIServer, response: ServerResponse, input: Input) {
    this.server = server
    this.response = response
    this.input = input
    // what is lost with the connection is told to whoever sends next
    response.on("error", () => {})
  }

  /** Runs an application, and sends what it returns. */
  *running(application: () => unknown): Generator<Effect.Effect<any, any>, void, any> {
    try {
      const parts: Parts | undefined = yield* call(application as () => Parts | undefined)
      yield* this.sendingAll(parts)
      yield* this.ending()
    } catch (error) {
      if (error instanceof SocketError && IGNORED.has(error.code)) {
        this.response.destroy()
        return
      }
      yield* this.failing(error)
      throw error
    }
  }

  readonly startResponse: StartResponse = (status, headers, excInfo) => {
    if (this.response.headersSent) throw excInfo ?? new AssertionError("The headers are sent already")
    const [, code, reason] = /^(\d{3})(?: (.*))?$/s.exec(status) ?? []
    if (code === undefined || code < "100") {
      throw new ValueError(`A status begins with a number, as in "200 OK"; got ${JSON.stringify(status)}`)
    }
    if (reason !== undefined) validateHeaderValue("status", reason)
    for (const [name, value] of headers) {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    }
    this.head = { code: Number(code), reason: reason ?? "", headers: [...headers] }
    return this.write
  }

  private readonly write = (part: Data): Operation<void, SocketError> =>
    new Steps<void, SocketError>(() => this.sending(part))

  /** Sends the body that an application returned. */
  private *sendingAll(parts: Parts | undefined): Generator<Effect.Effect<any, any>, void, any> {
    const all = parts === undefined ? [] : isData(parts) ? [parts] : parts
    if (Array.isArray(all)) this.whole = all.reduce((sum: number, part: Data) => sum + lengthOf(part), 0)
    for (const part of all) {
      if (lengthOf(part) > 0) yield* this.sending(part)
    }
    if (!this.response.headersSent) this.begin()
  }

  /** Sends the status and the headers. */
  private begin(): void {
    const { head, response, whole } = this
    if (head === undefined) throw new AssertionError("The application did not call startResponse()")
    const { code, headers, reason } = head
    const lines = headers.flatMap(([name, value]) => [name, value])
    const given = headers.some(([name]) => name.toLowerCase() === "content-length")
    if (whole !== undefined && !given && !bodiless(code)) lines.push("Content-Length", String(whole))
    // a client that still waits to be told to send its body might send it as its next request; and a server that was
    // stopped answers no other
    if (!this.input.asked || !this.server.started) response.shouldKeepAlive = false
    response.writeHead(code, reason, lines)
  }

  /** Sends a part of the body, and waits while the client is slow. */
  private *sending(part: Data): Generator<Effect.Effect<any, any>, void, any> {
    const { head, response } = this
    const length = lengthOf(part)
    if (response.writableEnded) throw new AssertionError("The response is over: nothing can be written any more")
    if (response.destroyed) yield* failing(gone())
    if (length > 0 && head !== undefined && bodiless(head.code)) {
      throw new AssertionError(`The ${head.code} response must have no body`)
    }
    if (!response.headersSent) this.begin()
    this.length += length
    if (length > 0 && !response.write(part)) yield* this.until("drain")
  }

  /** Sends the end, and waits until all of it has gone out. */
  private *ending(): Generator<Effect.Effect<any, any>, void, any> {
    const { input, response } = this
    // a connection that is closed before all was read from it loses what was sent
    if (!response.shouldKeepAlive) yield* input.discarding()
    response.end()
    if (response.writableLength > 0) yield* this.until("finish")
    yield* input.discarding()
  }

  /** Answers 500, if nothing was sent yet; otherwise the client must not take what it got for all. */
  private *failing(error: unknown): Generator<Effect.Effect<any, any>, void, any> {
    const { input, response } = this
    if (response.destroyed) return
    const begun = response.headersSent
    if (!begun) {
      const body = "Internal Server Error"
      const headers = [["Content-Type", "text/plain"], ["Connection", "close"]] as const
      this.head = { code: 500, reason: body, headers }
      this.whole = this.length = body.length
      this.begin()
      response.write(body)
    }
    // as above; but one that is killed waits for nobody
    if (!(error instanceof GreenletExit)) yield* input.discarding()
    if (!begun) response.end()
    else if (response.socket === null) response.destroy()
    else {
      // what was sent goes out
      while (response.writableCorked > 0) response.uncork()
      response.socket.destroySoon()
    }
  }

  /** Waits until the response is that far; fails if the client goes away before. */
  private *until(event: "drain" | "finish"): Generator<Effect.Effect<any, any>, void, any> {
    const { response } = this
    const arrival = new NodeEvent(this)
    response.once(event, arrival.comes)
    response.once("close", arrival.comes)
    try {
      yield* arrival.wait()
    } finally {
      response.off(event, arrival.comes)
      response.off("close", arrival.comes)
    }
    if (response.destroyed && !response.writableFinished) {
      yield* failing(response.errored == null ? gone() : socketError(response.errored))
    }
  }

  toString(): string {
    return `<Reply to ${this.response.req.method} ${this.response.req.url}>`
  }
}

const gone = (): SocketError => new SocketError("ECONNRESET", "the client has gone")

const isData = (parts: Parts): parts is Data => typeof parts === "string" || parts instanceof Uint8Array

const lengthOf = (part: Data): number => {
  if (isData(part)) return Buffer.byteLength(part)
  throw new TypeError(`A part of a body is a string or bytes; got ${String(part)}`)
}

/** Has a response of that code no body? */
const bodiless = (code: number): boolean => code === 204 || code === 304

/** A line of the log, as upstream writes it. */
const logLine = (request: IncomingMessage, response: ServerResponse, reply: Reply, milliseconds: number): string => {
  const now = new Date().toISOString().slice(0, 19).replace("T", " ")
  const line = `${request.method} ${request.url} HTTP/${request.httpVersion}`
  const status = response.headersSent ? response.statusCode : "000"
  const seconds = (milliseconds / 1000).toFixed(6)
  return `${request.socket.remoteAddress ?? "-"} - - [${now}] "${line}" ${status} ${reply.length || "-"} ${seconds}\n`
}
