/**
 * A web server whose applications are WSGI's: called in a greenlet with the environment of a request and `startResponse`,
 * they return the parts of the body.
 *
 * Carries `gevent.pywsgi` over Node's `http`. Where it differs: parts of the body are strings or bytes; what a generator
 * yields are parts, and Effects that it waits for; there is a greenlet for each request instead of each connection; a
 * connection that is idle is closed after Node's 5 seconds, and one that does not finish its request after a time; and
 * requests are logged only if somebody asks for it.
 */
import type * as Effect from "effect/Effect"
import { createServer, type IncomingMessage, ServerResponse, validateHeaderName, validateHeaderValue } from "node:http"
import { createServer as createHttpsServer } from "node:https"
import type { Socket as NodeSocket } from "node:net"
import type { Readable } from "node:stream"
import type { TlsOptions } from "node:tls"
import { call, GreenletExit, type Operation, ValueError } from "../../../greenlet/index.ts"
import { AssertionError } from "../core/exceptions.ts"
import { gethub, type Hub, isGenerator, Steps } from "../core/hub.ts"
import { Event } from "../sync/event.ts"
import type { Listener } from "./listen.ts"
import { nothing, ReadableFile } from "./makefile.ts"
import { NodeEvent } from "./node-event.ts"
import { ListeningServer, type ListeningServerOptions } from "./server.ts"
import type { Data, Socket } from "./socket.ts"
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
  /** Has the body an end? Not if the client asks for another protocol. */
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
 * error as `excInfo` throws that, and one that is not throws `AssertionError`, as does a `Content-Length` where there is no
 * body. Throws `ValueError` for a status that does not begin with a number or is not a final one, for a line break in it or in a
 * header, and for headers that leave open where the body ends; `TypeError` for other headers that HTTP does not allow.
 *
 * The body is as long as its `Content-Length` says: what is more is not sent, and `write` dies with `AssertionError`; if it is
 * less, the connection is closed.
 *
 * After `101`, which only a client can be told that asks for another protocol, all that is written is sent as it is, and
 * `wsgi.input` brings what the client sends.
 */
export type StartResponse = (
  status: string,
  headers: ReadonlyArray<readonly [name: string, value: string]>,
  excInfo?: unknown
) => (part: Data) => Operation<void, SocketError>

/** A whole body, or its parts. The `close` of what has one is called when it was sent, or cannot be. */
export type Parts = Data | Iterable<Data>

/** What an application makes: it returns the parts of the body, or yields them. */
export type Answer =
  | Generator<Effect.Effect<any, any, any> | Data, Parts | void, any>
  | Effect.Effect<Parts | void, any, any>
  | Parts
  | void

/** An application: a generator function, one that returns an Effect, or a plain one. */
export type Application = (environ: Environ, startResponse: StartResponse) => Answer

/** How to serve HTTP. */
export interface WSGIServerOptions extends ListeningServerOptions {
  /** How many connections there may be: 10,000, if it is left out. */
  readonly maxConnections?: number | undefined
  /** How long a client may take until its request begins and its headers are there, in seconds: 60. 0 is for ever. */
  readonly headersTimeout?: number | undefined
  /** How long it may take for all of a request, in seconds: 300. 0 is for ever. */
  readonly requestTimeout?: number | undefined
  /** Key, certificate and the like: serves HTTPS. */
  readonly tls?: TlsOptions | undefined
  /** What every request has in its environment besides, or instead. Mirrors `environ`. */
  readonly environ?: Readonly<Record<string, unknown>> | undefined
  /** Where requests are logged, each in a line. Nowhere, if left out. Mirrors `log`. */
  readonly log?: Log | undefined
  /** What `wsgi.errors` is: `process.stderr`, if left out. Mirrors `error_log`. */
  readonly errorLog?: Log | undefined
}

/** What is known of a request besides Node's objects. */
interface Exchange {
  /** Does the client wait to be told to send the body? */
  readonly expects: boolean
  /** What came after a request for another protocol; `undefined` for any other. */
  readonly head: Buffer | undefined
  /** The connection, as the server knows it. */
  readonly connection: unknown
  /** The connection after `101`. */
  raw: NodeSocket | undefined
  /** Has the application done all that it has to do with that? */
  done: boolean
}

/**
 * An HTTP server that calls an application for each request, in a greenlet. An application that throws is reported to the
 * hub, and answered with 500 if it has not begun to answer.
 *
 * `close` closes every connection whose request is not there completely, and the others after their answers. `stop` waits
 * for those, pool or not, and then closes them unanswered. Mirrors `gevent.pywsgi.WSGIServer`.
 *
 * @category models
 * @since 0.1.0
 */
export class WSGIServer extends ListeningServer<[request: IncomingMessage, response: ServerResponse, Exchange]> {
  private readonly tls: TlsOptions | undefined
  private readonly log: Log | undefined
  private readonly base: Readonly<Record<string, unknown>>
  private readonly timeouts: Timeouts
  private readonly connections = new Set<NodeSocket>()
  /** How many requests of a connection are answered. */
  private readonly busy = new Map<unknown, Progress>()
  /** Is set when no request is answered any more, and the server has been stopped. */
  private readonly settled = new Event(this)
  protected override readonly defaultMaxConnections = 10_000

  /**
   * @param application is called for each request; a subclass can have a method of that name instead. Throws `TypeError` if
   * there is neither; `ValueError` for a timeout that is negative
   */
  constructor(listener: Listener | Socket, application?: Application | null, options: WSGIServerOptions = {}) {
    super(listener, (request, response, exchange) => this.responding(request, response, exchange), options)
    if (application != null) this.application = application
    if (typeof this.application !== "function") {
      throw new TypeError(`an application is a function; got ${String(this.application)}`)
    }
    this.timeouts = timeoutsOf(options)
    this.tls = options.tls
    this.log = options.log
    this.base = {
      GATEWAY_INTERFACE: "CGI/1.1",
      SERVER_SOFTWARE: `effect-stackless Node/${process.versions.node}`,
      SCRIPT_NAME: "",
      "wsgi.version": [1, 0],
      "wsgi.url_scheme": this.tls === undefined ? "http" : "https",
      "wsgi.errors": options.errorLog ?? process.stderr,
      "wsgi.multithread": false,
      "wsgi.multiprocess": false,
      "wsgi.run_once": false,
      ...options.environ
    }
  }

  /** Answers a request. A subclass can have it as a method. Mirrors `WSGIServer.application`. */
  application?(environ: Environ, startResponse: StartResponse): Answer

  protected makes() {
    const { timeouts, tls } = this
    const options = { ...timeouts, shouldUpgradeCallback }
    const node = tls === undefined
      ? createServer(options)
      : createHttpsServer({ handshakeTimeout: timeouts.headersTimeout || 120_000, ...tls, ...options })
    const comes = (expects: boolean) => (request: IncomingMessage, response: ServerResponse) =>
      this.requested(request, response, expects, undefined)
    return node
      .on("connection", (connection: NodeSocket) => {
        this.connections.add(connection)
        connection.once("close", () => this.connections.delete(connection))
      })
      .on("clientError", (error: NodeJS.ErrnoException, socket) => this.misunderstands(error, socket as NodeSocket))
      .on("request", comes(false))
      .on("checkContinue", comes(true))
      .on("upgrade", (request, socket, head) => this.upgrades(request, socket as NodeSocket, head))
  }

  /** What a connection is known by. Node does not tell which one TLS lies upon, but they have the same peer. */
  private keyOf(connection: NodeSocket): unknown {
    return this.tls === undefined ? connection : `${connection.remoteAddress} ${connection.remotePort}`
  }

  private requested(
    request: IncomingMessage,
    response: ServerResponse,
    expects: boolean,
    head: Buffer | undefined
  ): void {
    if (request.headers.upgrade !== undefined && isOrdinary(request)) dropUpgrade(request)
    const connection = this.keyOf(request.socket)
    const progress = this.busy.get(connection)
    if (progress === undefined) this.busy.set(connection, { count: 1, last: response, refusal: undefined })
    else {
      progress.count++
      progress.last = response
    }
    const exchange: Exchange = { expects, head, connection, raw: undefined, done: false }
    this.hub.arrives(() => this.comes(request, response, exchange))
  }

  /**
   * What a client sends is no HTTP, or does not come in time. Whatever it asked for before, and in full, is answered first; Node by
   * itself would refuse that.
   */
  private misunderstands(error: NodeJS.ErrnoException, socket: NodeSocket): void {
    const progress = this.busy.get(this.keyOf(socket))
    if (socket.writable && progress?.last.req.complete === true) {
      progress.refusal ??= refusalOf(error)
      return
    }
    if (socket.writable && progress?.last.headersSent !== true) refuse(socket, refusalOf(error))
    else if (!socket.writableEnded) socket.destroy(error)
  }

  /** A client asks for another protocol, and Node has let go of the connection. */
  private upgrades(request: IncomingMessage, socket: NodeSocket, head: Buffer): void {
    socket.on("error", () => {})
    if (isOrdinary(request)) {
      socket.unshift(Buffer.concat([headWithoutUpgrade(request), head]))
      this.node!.emit(this.tls === undefined ? "connection" : "secureConnection", socket)
      return
    }
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    socket.on("drain", () => response.emit("drain"))
    this.requested(request, response, false, head)
  }

  protected override closes(): void {
    super.closes()
    const { node } = this
    // until then Node goes on to look after its timeouts
    this.front!.once("close", () => node!.close())
    for (const connection of this.connections) if (!this.busy.has(this.keyOf(connection))) connection.destroy()
  }

  protected override *settles(within: number): Generator<Effect.Effect<any>, void, any> {
    this.settled.clear()
    const isSettled = this.busy.size === 0 || (yield* this.settled.wait(within))
    // those that are ending have something left to send
    for (const connection of this.connections) if (!isSettled || !connection.writableEnded) connection.destroy()
  }

  private *responding(
    request: IncomingMessage,
    response: ServerResponse,
    exchange: Exchange
  ): Generator<Effect.Effect<any, any>, void, any> {
    const { expects } = exchange
    const began = performance.now()
    const input = new Input(request, expects, () => expects ? response.writeContinue() : reply.answersBefore())
    const reply = new Reply(this, response, input, exchange)
    const environ = environOf(request, {
      ...this.base,
      ...this.names(),
      "wsgi.input": input,
      "wsgi.input_terminated": !reply.canSwitch
    })
    try {
      yield* reply.running(() => this.application!(environ, reply.startResponse))
    } finally {
      this.log?.write(logLine(request, reply, performance.now() - began))
    }
  }

  private names() {
    const { address } = this
    return typeof address === "string"
      ? { SERVER_NAME: "", SERVER_PORT: "" }
      : { SERVER_NAME: address[0], SERVER_PORT: String(address[1]) }
  }

  /** One that was stopped before it could answer leaves its client alone. */
  protected finished(request: IncomingMessage, response: ServerResponse, exchange: Exchange): void {
    const { connection, done, head, raw } = exchange
    const progress = this.busy.get(connection)!
    const others = --progress.count
    if (others === 0) this.busy.delete(connection)
    if (this.closed && this.busy.size === 0) this.settled.set()
    if (raw !== undefined) {
      if (done) raw.resume().destroySoon()
      else raw.destroy()
    } else if (!response.writableEnded) response.destroy()
    else if (others === 0 && progress.refusal !== undefined) {
      refuse(request.socket, response.shouldKeepAlive ? progress.refusal : undefined)
    } // Node sees to the rest, unless it has let go of the connection, or does not know that this was the last request
    else if (head !== undefined || (others === 0 && !this.started)) request.socket.destroySoon()
  }
}

/** The requests of one connection that are in progress. */
interface Progress {
  count: number
  last: ServerResponse
  /** What is said behind their answers, if something came behind them that nobody understands. */
  refusal: string | undefined
}

/** How long what still comes is read behind a refusal, in milliseconds. */
const LINGER = 1000

/**
 * Ends a connection with a refusal, if there is one to be sent. What still comes is read, and let go: with something unread the
 * system resets a connection that is closed, and the client may lose what was said before.
 */
const refuse = (socket: NodeSocket, refusal: string | undefined): void => {
  if (!socket.writable) return void socket.destroy()
  if (refusal === undefined) socket.end()
  else socket.end(refusal)
  const timer = setTimeout(() => socket.destroy(), LINGER).unref()
  socket.once("close", () => clearTimeout(timer))
}

/** As Node says it. */
const refusalOf = ({ code = "" }: NodeJS.ErrnoException): string =>
  `HTTP/1.1 ${refusals.get(code) ?? "400 Bad Request"}\r\nConnection: close\r\n\r\n`

const refusals: ReadonlyMap<string, string> = new Map([
  ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large"],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", "413 Payload Too Large"],
  ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout"]
])

// ---- timeouts -------------------------------------------------------------------------------------------------------

/** Node's, in milliseconds. */
interface Timeouts {
  readonly headersTimeout: number
  readonly requestTimeout: number
  readonly connectionsCheckingInterval: number
}

const timeoutsOf = (options: WSGIServerOptions): Timeouts => {
  const request = millisecondsOf("requestTimeout", options.requestTimeout ?? 300)
  const given = millisecondsOf("headersTimeout", options.headersTimeout ?? 60)
  // Node wants the headers' to be the shorter one
  const headers = request > 0 && (given === 0 || given > request) ? request : given
  // so often Node looks, through those that are due alone
  const shortest = Math.min(...[1_000, headers / 2, request / 2].filter((time) => time > 0))
  return { headersTimeout: headers, requestTimeout: request, connectionsCheckingInterval: Math.ceil(shortest) }
}

const millisecondsOf = (name: string, seconds: number): number => {
  if (!(seconds >= 0)) throw new ValueError(`${name} is a number of seconds, 0 or more; got ${seconds}`)
  return seconds === Infinity ? 0 : Math.ceil(seconds * 1000)
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
  /** Where the body comes from: after `101`, the connection. */
  private source: Readable
  /** Tells a client that waits for it to send the body. */
  private asks: (() => void) | undefined
  private readonly expects: boolean
  private listens = false
  private arrival: NodeEvent | undefined = undefined
  private position = 0

  /** The library makes them. */
  constructor(request: IncomingMessage, expects: boolean, asks: () => void) {
    super()
    this.request = this.source = request
    this.expects = expects
    this.asks = asks
  }

  protected *more(): Generator<Effect.Effect<any, any>, Buffer, any> {
    this.asks?.()
    this.asks = undefined
    const { source } = this
    for (;;) {
      const data: Buffer | null = source.read()
      if (data !== null) {
        this.position += data.byteLength
        return data
      }
      if (this.over) return nothing
      if (source.destroyed) {
        const where = `unexpected end of file while reading request at position ${this.position}`
        yield* failing(new SocketError("ECONNRESET", where, source.errored ?? undefined))
      }
      yield* this.comes()
    }
  }

  /** Has all of it been read? */
  private get over(): boolean {
    const { request, source } = this
    return source.readableEnded || (source === request && request.complete && request.readableLength === 0)
  }

  private *comes(): Generator<Effect.Effect<any>, void, any> {
    if (!this.listens) {
      this.listens = true
      const comes = () => this.arrival?.comes()
      for (const event of ["readable", "end", "error", "close"]) this.source.on(event, comes)
    }
    this.arrival = new NodeEvent(this, this.hub)
    yield* this.arrival.wait()
  }

  /** @internal what the client sends is no request any more */
  switches(connection: NodeSocket, head: Buffer | undefined): void {
    this.source = connection
    this.listens = false
    if (head !== undefined && head.byteLength > 0) connection.unshift(head)
  }

  /** @internal has the client been told to send the body, if it waits for that? */
  get asked(): boolean {
    return !this.expects || this.asks === undefined
  }

  /** @internal reads what nobody has read, so that the next request can come */
  *discarding(): Generator<Effect.Effect<any, any>, void, any> {
    if (!this.asked || this.source !== this.request) return
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

const isH2c = (upgrade: string | undefined): boolean => /(^|,)\s*h2c\b/i.test(upgrade ?? "")

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0

/**
 * May it be answered as if it did not ask for another protocol? A body would be lost otherwise, and `h2c` is for Node alone
 * to speak.
 */
const isOrdinary = (request: IncomingMessage): boolean => hasBody(request) || isH2c(request.headers.upgrade)

/**
 * Newer versions of Node ask it, and otherwise give the body of such a request to nobody. What has none is not for Node to
 * decline: it would lose the request behind it.
 */
const shouldUpgradeCallback = (request: IncomingMessage): boolean => !hasBody(request)

/** Makes a request one that does not ask for another protocol. */
const dropUpgrade = ({ headers, rawHeaders }: IncomingMessage): void => {
  rawHeaders.splice(0, Infinity, ...withoutUpgrade(rawHeaders))
  delete headers.upgrade
  const at = rawHeaders.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === "connection")
  if (at < 0) delete headers.connection
  else headers.connection = rawHeaders[at + 1]
}

/** Headers, but for what asks for another protocol. */
const withoutUpgrade = (rawHeaders: ReadonlyArray<string>): Array<string> => {
  const kept: Array<string> = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    const value = name === "connection"
      ? rawHeaders[i + 1]!.split(",").filter((token) => !/^\s*(upgrade|http2-settings)\s*$/i.test(token)).join(",")
      : rawHeaders[i + 1]!
    if (name !== "upgrade" && (name !== "connection" || value !== "")) kept.push(rawHeaders[i]!, value)
  }
  return kept
}

/** The head of a request with such headers. */
const headWithoutUpgrade = ({ httpVersion, method, rawHeaders, url }: IncomingMessage): Buffer => {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  const headers = withoutUpgrade(rawHeaders)
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
  return Buffer.from(`${text}\r\n`, "latin1")
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
  /** The `Content-Length` that it gives. */
  readonly length: number | undefined
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
}

/** A client that has gone is nobody's mistake. Mirrors `WSGIHandler.ignored_socket_errors`. */
const IGNORED = new Set(["EPIPE", "ECONNRESET"])

/** How one request is answered. */
class Reply {
  private readonly server: WSGIServer
  private readonly response: ServerResponse
  private readonly input: Input
  private readonly exchange: Exchange
  private head: Head | undefined = undefined
  /** How many bytes the body is to have, if that is known before it is sent. */
  private whole: number | undefined = undefined
  /** How many bytes of the body were sent. */
  length = 0

  constructor(server: WSGIServer, response: ServerResponse, input: Input, exchange: Exchange) {
    this.server = server
    this.response = response
    this.input = input
    this.exchange = exchange
    // what is lost with the connection is told to whoever sends next
    response.on("error", () => {})
  }

  /** Does the client ask for another protocol? Node wants both headers for that; upstream takes one. */
  get canSwitch(): boolean {
    const { connection, upgrade } = this.response.req.headers
    return this.exchange.head !== undefined || connection?.toLowerCase() === "upgrade" ||
      upgrade?.toLowerCase() === "websocket"
  }

  /** Is the head sent? */
  private get begun(): boolean {
    return this.response.headersSent || this.exchange.raw !== undefined
  }

  /** The status that was sent. */
  get code(): number | undefined {
    return this.begun ? this.head?.code : undefined
  }

  /** The input is read: a client that is to speak another protocol waits to be told so. */
  answersBefore(): void {
    if (this.head?.code === SWITCHING && !this.begun) this.begin()
  }

  /** Runs an application, and sends what it returns. */
  *running(application: () => Answer): Generator<Effect.Effect<any, any>, void, any> {
    try {
      const parts: Parts | undefined = yield* call((() => this.sendingParts(application())) as () => Parts | undefined)
      yield* this.sendingAll(parts)
      yield* this.ending()
    } catch (error) {
      if (error instanceof SocketError && IGNORED.has(error.code)) {
        this.connection.destroy()
        return
      }
      yield* this.failing(error)
      throw error
    }
  }

  /** What is written to. */
  private get connection(): NodeSocket | ServerResponse {
    return this.exchange.raw ?? this.response
  }

  /** Has the connection been closed? A response does not say so on each version of Node. */
  private get lost(): boolean {
    return this.connection.destroyed || this.response.socket?.destroyed === true
  }

  /** Makes a frame of a generator: the parts that it yields are sent. */
  private sendingParts(made: unknown): unknown {
    if (!isGenerator(made)) return made
    const frame = made as Generator<unknown, unknown, unknown>
    const sends = (step: IteratorResult<unknown, unknown>): IteratorResult<unknown, unknown> =>
      !step.done && isData(step.value) ? { done: false, value: this.writePart(step.value) } : step
    return {
      next: (value: unknown) => sends(frame.next(value)),
      throw: (error: unknown) => sends(frame.throw(error))
    }
  }

  readonly startResponse: StartResponse = (status, headers, excInfo) => {
    if (this.begun) throw excInfo ?? new AssertionError("The headers are sent already")
    const [, digits, reason] = /^(\d{3})(?: (.*))?$/s.exec(status) ?? []
    if (digits === undefined || digits < "100") {
      throw new ValueError(`A status begins with a number, as in "200 OK"; got ${JSON.stringify(status)}`)
    }
    const code = Number(digits)
    if (code < 200 && !(code === SWITCHING && this.canSwitch)) {
      throw new ValueError(
        code === SWITCHING
          ? "101 is for a client that asks for another protocol: this one has no Upgrade header"
          : `${code} is not a final status: the client would wait for another answer`
      )
    }
    requireOneLine("status", status)
    if (reason !== undefined) validateHeaderValue("status", reason)
    for (const [name, value] of headers) {
      requireOneLine("header name", name)
      requireOneLine("header value", value)
      validateHeaderName(name)
      validateHeaderValue(name, value)
    }
    this.head = { code, reason: reason ?? "", length: lengthGiven(code, headers), headers: [...headers] }
    return this.write
  }

  private readonly write = (part: Data): Operation<void, SocketError> =>
    new Steps<void, SocketError>(() => this.sending(part))

  /** As `write`, but nothing begins with an empty part. */
  private readonly writePart = (part: Data): Operation<void, SocketError> =>
    new Steps<void, SocketError>(() => lengthOf(part) > 0 ? this.sending(part) : sendingNothing())

  /** Sends the body that an application returned. */
  private *sendingAll(parts: Parts | undefined): Generator<Effect.Effect<any, any>, void, any> {
    const all = parts === undefined ? [] : isData(parts) ? [parts] : parts
    try {
      if (isGenerator(all)) {
        yield* this.sendingAll(yield* call((() => this.sendingParts(all)) as () => Parts | undefined))
        return
      }
      if (Array.isArray(all) && !this.begun && this.head !== undefined) {
        this.whole = all.reduce((sum: number, part: Data) => sum + lengthOf(part), 0)
      }
      for (const part of all) {
        if (lengthOf(part) > 0) yield* this.sending(part)
      }
      // nothing of a body that should be there: it is not too late to say so
      if (!this.begun && !this.isHead && (this.head?.length ?? 0) > 0) throw tooShort(0, this.head!.length!)
      if (!this.begun) this.begin()
    } finally {
      const { close } = all as { readonly close?: unknown }
      if (typeof close === "function") yield* call(() => close.call(all))
    }
  }

  /** Sends the status and the headers. */
  private begin(): void {
    const { head, response } = this
    if (head === undefined) throw new AssertionError("The application did not call startResponse()")
    if (head.code === SWITCHING) return this.switches(head)
    const { code, length, reason } = head
    // a client that still waits to be told to send its body might send it as its next request; and a server that was
    // stopped answers no other
    const closes = !this.input.asked || !this.server.started || !response.shouldKeepAlive
    if (closes) response.shouldKeepAlive = false
    const lines: Array<string> = []
    for (const [name, value] of head.headers) {
      const lower = name.toLowerCase()
      // where the body ends is the server's affair, as is whether the connection does
      if (lower !== "transfer-encoding" && !(lower === "connection" && closes)) lines.push(name, value)
    }
    const isChunked = head.headers.some(([name]) => name.toLowerCase() === "transfer-encoding")
    if (length !== undefined) this.whole = length
    else if (isChunked || bodiless(code)) this.whole = undefined
    else if (this.whole !== undefined) lines.push("Content-Length", String(this.whole))
    response.writeHead(code, reason, lines)
  }

  /** Tells the client that what follows is the other protocol, and takes the connection. */
  private switches({ headers, reason }: Head): void {
    const { exchange, input, response } = this
    const { socket } = response.req
    if (exchange.head === undefined) {
      // Node took it for an ordinary request, and would take for the next one what is none
      for (const event of ["data", "end", "drain", "error", "timeout"]) socket.removeAllListeners(event)
      socket.on("error", () => {})
    }
    exchange.raw = socket
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
    if (!headers.some(([name]) => name.toLowerCase() === "connection")) lines.push("Connection: Upgrade\r\n")
    socket.write(`HTTP/1.1 101 ${reason || "Switching Protocols"}\r\n${lines.join("")}\r\n`, "latin1")
    input.switches(socket, exchange.head)
  }

  /** Sends a part of the body, and waits while the client is slow. */
  private *sending(part: Data): Generator<Effect.Effect<any, any>, void, any> {
    const { head, response } = this
    const length = lengthOf(part)
    if (response.writableEnded) throw new AssertionError("The response is over: nothing can be written any more")
    if (this.lost) yield* failing(gone())
    if (length > 0 && head !== undefined && bodiless(head.code)) {
      throw new AssertionError(`The ${head.code} response must have no body`)
    }
    if (!this.begun) this.begin()
    const room = this.room
    if (length > room) {
      const rest = Buffer.from(part as Uint8Array).subarray(0, room)
      this.length += room
      if (room > 0) response.write(rest)
      throw new AssertionError(`The body is longer than its Content-Length of ${this.whole}: the rest is not sent`)
    }
    this.length += length
    if (length > 0 && !this.connection.write(part)) yield* this.until("drain")
  }

  /** How many bytes can still be sent. */
  private get room(): number {
    return this.whole === undefined || this.isHead ? Infinity : this.whole - this.length
  }

  private get isHead(): boolean {
    return this.response.req.method === "HEAD"
  }

  /** Sends the end, and waits until all of it has gone out. */
  private *ending(): Generator<Effect.Effect<any, any>, void, any> {
    const { exchange, head, input, response } = this
    if (exchange.raw !== undefined) {
      exchange.done = true
      return
    }
    if (this.room > 0 && this.room !== Infinity && !bodiless(head!.code)) {
      throw tooShort(this.length, this.whole!)
    }
    // a connection that is closed before all was read from it loses what was sent
    if (!response.shouldKeepAlive) yield* input.discarding()
    response.end()
    if (response.writableLength > 0) yield* this.until("finish")
    yield* input.discarding()
  }

  /** Answers 500, if nothing was sent yet; otherwise the client must not take what it got for all. */
  private *failing(error: unknown): Generator<Effect.Effect<any, any>, void, any> {
    const { connection, input, response } = this
    if (connection.destroyed) return
    if (this.exchange.raw !== undefined) return void connection.destroy()
    const { begun } = this
    if (!begun) {
      const body = "Internal Server Error"
      const headers = [["Content-Type", "text/plain"], ["Connection", "close"]] as const
      this.head = { code: 500, reason: body, length: undefined, headers }
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
    const { connection } = this
    const arrival = new NodeEvent(this)
    connection.once(event, arrival.comes)
    connection.once("close", arrival.comes)
    try {
      yield* arrival.wait()
    } finally {
      connection.off(event, arrival.comes)
      connection.off("close", arrival.comes)
    }
    if (connection.destroyed && !connection.writableFinished) {
      yield* failing(connection.errored == null ? gone() : socketError(connection.errored))
    }
  }

  toString(): string {
    return `<Reply to ${this.response.req.method} ${this.response.req.url}>`
  }
}

const gone = (): SocketError => new SocketError("ECONNRESET", "the client has gone")

const isData = (parts: unknown): parts is Data => typeof parts === "string" || parts instanceof Uint8Array

const lengthOf = (part: Data): number => {
  if (isData(part)) return Buffer.byteLength(part)
  throw new TypeError(`A part of a body is a string or bytes; got ${String(part)}`)
}

const tooShort = (sent: number, length: number): AssertionError =>
  new AssertionError(
    `The body is shorter than its Content-Length: ${sent} of ${length} bytes. The connection is closed`
  )

function* sendingNothing(): Generator<never, void, any> {}

/** Another protocol follows. */
const SWITCHING = 101

/** What has two lines would pass for two headers. */
const requireOneLine = (what: string, text: unknown): void => {
  if (/[\r\n]/.test(String(text))) throw new ValueError(`carriage return or newline in ${what}`)
}

/** The `Content-Length` that the headers give. Throws if a client could not tell where the body ends. */
const lengthGiven = (code: number, headers: Head["headers"]): number | undefined => {
  const valuesOf = (wanted: string) =>
    headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => String(value).trim())
  const [lengths, encodings] = [valuesOf("content-length"), valuesOf("transfer-encoding")]
  if (encodings.some((encoding) => encoding.toLowerCase() !== "chunked") || encodings.length > 1) {
    throw new ValueError(`the only Transfer-Encoding is "chunked", once; got ${JSON.stringify(encodings.join(", "))}`)
  }
  const [length] = lengths
  if (length === undefined) return undefined
  if (encodings.length > 0) throw new ValueError("a body has a Content-Length or a Transfer-Encoding, not both")
  if (lengths.length > 1 || !/^\d{1,15}$/.test(length)) {
    throw new ValueError(`a Content-Length is one number of bytes; got ${JSON.stringify(lengths.join(", "))}`)
  }
  if (bodiless(code) && Number(length) !== 0) {
    throw new AssertionError(`Invalid Content-Length for ${code} response: '${length}' (must be absent or zero)`)
  }
  return code === SWITCHING ? undefined : Number(length)
}

/** Has a response of that code no body? */
const bodiless = (code: number): boolean => code === 204 || code === 304

/** A line of the log, as upstream writes it. */
const logLine = (request: IncomingMessage, reply: Reply, milliseconds: number): string => {
  const now = new Date().toISOString().slice(0, 19).replace("T", " ")
  const line = `${request.method} ${request.url} HTTP/${request.httpVersion}`
  const status = reply.code ?? "000"
  const seconds = (milliseconds / 1000).toFixed(6)
  return `${request.socket.remoteAddress ?? "-"} - - [${now}] "${line}" ${status} ${reply.length || "-"} ${seconds}\n`
}
