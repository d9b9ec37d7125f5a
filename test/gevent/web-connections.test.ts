/** What the web server does with its connections: where answers end, what follows a 101, who is waited for, how it stops. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { spawn as spawnProcess } from "node:child_process"
import { once } from "node:events"
import { connect, type Socket as NodeSocket } from "node:net"
import { describe, expect, test } from "vitest"
import { caught, type Program, realProgram, type Steps } from "./program.ts"
import { listener, local } from "./sockets.ts"

type App = (environ: gevent.Environ, startResponse: gevent.StartResponse) => Steps<gevent.Parts | void>

/** Runs a block beside a web server. */
function* serving(
  application: gevent.Application,
  block: (address: gevent.Address, server: gevent.WSGIServer) => Steps,
  options?: gevent.WSGIServerOptions
): Steps {
  const server = new gevent.WSGIServer(local, application, options)
  yield* server.start()
  try {
    yield* block(server.address, server)
  } finally {
    yield* server.stop(0.2)
  }
}

const inGear = ({ body }: Program, application: App): gevent.Application => body(application) as gevent.Application

/** Says something, and gives back all that comes until the connection is closed. */
function* said(address: gevent.Address, text: gevent.Data): Steps<string> {
  const socket = yield* gevent.createConnection(address, { timeout: 30 })
  yield* socket.sendall(text)
  const answer = String(yield* socket.makefile().read())
  socket.close()
  return answer
}

const get = (path: string, headers = "") => `GET ${path} HTTP/1.1\r\nHost: test\r\n${headers}\r\n`
const last = "Connection: close\r\n"
const bodyOf = (answer: string): string => answer.slice(answer.indexOf("\r\n\r\n") + 4)
const text: ReadonlyArray<readonly [string, string]> = [["Content-Type", "text/plain"]]

describe("what a client sends that is no HTTP", () => {
  realProgram("does not take away the answer to what it has asked before", function*(program) {
    let asked = 0
    const application: App = function*(environ, startResponse) {
      const body = yield* environ["wsgi.input"].read()
      // the rest is here by then
      yield* gevent.sleep(0.01)
      asked++
      startResponse("200 OK", text)
      return [`got ${body}`]
    }
    const post = (headers = "", version = "1.1") =>
      `POST / HTTP/${version}\r\nHost: test\r\nContent-Length: 3\r\n${headers}\r\na=a`
    const junk = "01234567890123456789\r\n\r\n"
    const [ok, bad] = ["HTTP/1.1 200 OK", "HTTP/1.1 400 Bad Request"]
    yield* serving(inGear(program, application), function*(address) {
      const statuses = (answers: string) => answers.match(/HTTP\/1\.1 .*(?=\r\n)/g)
      for (const [request, ...expected] of [[post("", "1.0"), ok], [post(last), ok], [post(), ok, bad]] as const) {
        asked = 0
        const answers = yield* said(address, request + junk)
        expect([statuses(answers), asked]).toEqual([expected, 1])
        expect(answers).toContain("got a=a")
      }
      asked = 0
      expect(statuses(yield* said(address, post() + post() + junk))).toEqual([ok, ok, bad])
      expect(asked).toBe(2)
      // by itself, or as the rest of a request, it is refused at once
      asked = 0
      expect(statuses(yield* said(address, junk))).toEqual([bad])
      const chunked = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\noh\r\nxyz\r\n"
      expect(statuses(yield* said(address, chunked))).toEqual([bad])
      expect(asked).toBe(0)
      const long = `GET / HTTP/1.1\r\nHost: test\r\nX: ${"x".repeat(200_000)}\r\n\r\n`
      expect(statuses(yield* said(address, long))).toEqual(["HTTP/1.1 431 Request Header Fields Too Large"])
    })
  })
})

describe("an answer ends where it says", () => {
  realProgram("so what is longer than its Content-Length is not sent, and the application is told", function*(program) {
    const told: Array<unknown> = []
    const application: App = function*(environ, startResponse) {
      const write = startResponse("200 OK", [["Content-Length", "5"]])
      if (environ.PATH_INFO === "/returned") return "hello world"
      if (environ.PATH_INFO === "/parts") return ["he", "llo w", "orld"]
      yield* write("hell")
      told.push(yield* caught(write("o world")), yield* caught(write("more")))
    }
    yield* serving(inGear(program, application), function*(address) {
      for (const path of ["/returned", "/parts", "/written"]) {
        const answers = yield* said(address, get(path) + get(path, last))
        expect(answers).toMatch(/Content-Length: 5\r\n/)
        expect(bodyOf(answers).startsWith("hello")).toBe(true)
        expect(answers).not.toMatch(/world|more/)
      }
    })
    for (const error of told) expect(error).toBeInstanceOf(gevent.AssertionError)
    expect(told.length).toBeGreaterThan(0)
    const reports = program.reports.map(([, error]) => error)
    expect(reports.length).toBeGreaterThan(0)
    for (const error of reports) expect(error).toBeInstanceOf(gevent.AssertionError)
  })

  realProgram("so one that is shorter than its Content-Length cuts the connection", function*(program) {
    const application: App = function*(environ, startResponse) {
      const write = startResponse("200 OK", [["Content-Length", "10"]])
      if (environ.PATH_INFO === "/written") yield* write("hello")
      else return environ.PATH_INFO === "/empty" ? undefined : ["hello"]
    }
    yield* serving(inGear(program, application), function*(address) {
      for (const path of ["/returned", "/written"]) {
        // the second request gets no answer: that would be taken for the rest of the first
        expect(bodyOf(yield* said(address, get(path) + get(path)))).toBe("hello")
      }
      // of which nothing was sent, it can still be said
      expect(yield* said(address, get("/empty"))).toMatch(/^HTTP\/1\.1 500 [^]*Connection: close/)
      // without a body there is nothing to be short of
      const head = yield* said(address, `HEAD /returned HTTP/1.1\r\nHost: x\r\n${last}\r\n`)
      expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Content-Length: 10\r\n[^]*\r\n\r\n$/)
    })
    expect(program.reports.length).toBe(5)
    for (const [, error] of program.reports) expect(String(error)).toMatch(/shorter than its Content-Length/)
  })

  realProgram("so a line break in its head is an error of startResponse, as upstream", function*(program) {
    const told: Array<unknown> = []
    const heads: ReadonlyArray<readonly [string, ReadonlyArray<readonly [string, string]>]> = [
      ["200 OK\r\nContent-Length: 0\r\n\r\n", []],
      ["200 OK", [["Test", "Hi\r\nConnection: close"]]],
      ["200 OK", [["Test\r\n", "Hi"]]]
    ]
    const application: App = function*(environ, startResponse) {
      try {
        startResponse(...heads[Number(environ.PATH_INFO.slice(1))]!)
      } catch (error) {
        told.push(error)
        throw error
      }
    }
    yield* serving(inGear(program, application), function*(address) {
      for (const n of heads.keys()) expect(yield* said(address, get(`/${n}`, last))).toMatch(/^HTTP\/1.1 500 /)
    })
    expect(told.map((error) => [error instanceof gevent.ValueError, (error as Error).message])).toEqual(
      ["status", "header value", "header name"].map((what) => [true, `carriage return or newline in ${what}`])
    )
  })

  realProgram("so what leaves that open is an error of startResponse", function*(program) {
    const cases: Record<string, [string, Array<readonly [string, string]>]> = {
      both: ["200 OK", [["Content-Length", "5"], ["Transfer-Encoding", "chunked"]]],
      twice: ["200 OK", [["Content-Length", "5"], ["content-length", "5"]]],
      list: ["200 OK", [["Content-Length", "5, 5"]]],
      negative: ["200 OK", [["Content-Length", "-5"]]],
      sign: ["200 OK", [["Content-Length", "+5"]]],
      hexadecimal: ["200 OK", [["Content-Length", "0x5"]]],
      gzip: ["200 OK", [["Transfer-Encoding", "gzip"]]],
      "twice-chunked": ["200 OK", [["Transfer-Encoding", "chunked"], ["Transfer-Encoding", "chunked"]]],
      continue: ["100 Continue", []],
      hints: ["103 Early Hints", [["Link", "</x>"]]],
      switching: ["101 Switching Protocols", []]
    }
    const application: App = function*(environ, startResponse) {
      const [status, headers] = cases[environ.PATH_INFO.slice(1)]!
      startResponse(status, headers)
      return "hello"
    }
    yield* serving(inGear(program, application), function*(address) {
      for (const name of Object.keys(cases)) {
        expect(yield* said(address, get(`/${name}`, last))).toMatch(/^HTTP\/1\.1 500 [^]*Internal Server Error$/)
        expect(program.reports.at(-1)![1]).toBeInstanceOf(gevent.ValueError)
      }
    })
    expect(program.reports).toHaveLength(Object.keys(cases).length)
  })

  realProgram("so no length is given where there is no body, as upstream", function*(program) {
    const application: App = function*(environ, startResponse) {
      try {
        startResponse(`${environ.PATH_INFO.slice(1)} x`, [["Content-Length", "100"]])
      } catch (error) {
        startResponse("200 Raised", [])
        return [(error as Error).message]
      }
    }
    yield* serving(inGear(program, application), function*(address) {
      for (const code of ["304", "204"]) {
        const message = `Invalid Content-Length for ${code} response: '100' (must be absent or zero)`
        expect(yield* said(address, get(`/${code}`, last))).toMatch(/^HTTP\/1\.1 200 Raised/)
        expect(bodyOf(yield* said(address, get(`/${code}`, last)))).toBe(message)
      }
    })
  })

  realProgram("and a Transfer-Encoding that is asked for is the server's to give", function*(program) {
    const application: App = function*(_, startResponse) {
      startResponse("200 OK", [["Transfer-Encoding", "chunked"]])
      return ["hel", "lo"]
    }
    yield* serving(inGear(program, application), function*(address) {
      const answer = yield* said(address, get("/", last))
      expect(answer.match(/Transfer-Encoding: chunked\r\n/g)).toHaveLength(1)
      expect(answer).not.toMatch(/Content-Length/)
      expect(bodyOf(answer)).toMatch(/^3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n$|^5\r\nhello\r\n0\r\n\r\n$/)
      // a client of HTTP/1.0 does not know of chunks
      const old = yield* said(address, "GET / HTTP/1.0\r\n\r\n")
      expect(old).not.toMatch(/Transfer-Encoding/)
      expect(bodyOf(old)).toBe("hello")
    })
  })

  realProgram("and the connection is not kept alive against the server's will", function*(program) {
    const application: App = function*(_, startResponse) {
      startResponse("200 OK", [["Connection", "keep-alive"]])
      return "hello"
    }
    yield* serving(inGear(program, application), function*(address) {
      // its body was never asked for: what follows could be taken for it
      const expecting = "POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
      expect(yield* said(address, expecting)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*hello$/)
    })
  })
})

describe("the parts of a body", () => {
  realProgram("are what a generator yields, whoever made it, and it can wait in between", function*() {
    function* parts(): Generator<any, void, any> {
      yield "a"
      yield* gevent.sleep(0.001)
      yield ""
      yield Buffer.from("b")
    }
    const application: gevent.Application = (environ, startResponse) => {
      startResponse("200 OK", text)
      return environ.PATH_INFO === "/parts" ? parts() : environ.PATH_INFO === "/own" ? own() : returned() as never
    }
    const own = function*(): Generator<any, gevent.Parts, any> {
      yield "a"
      return ["b"]
    }
    const returned = function*(): Generator<any, gevent.Parts, any> {
      yield* gevent.sleep()
      return parts()
    }
    yield* serving(application, function*(address) {
      for (const path of ["/parts", "/own", "/returned"]) {
        // what is sent in one turn of the event loop may be one chunk
        const chunks = bodyOf(yield* said(address, get(path, last)))
        expect(chunks).toMatch(/^(1\r\na\r\n1\r\nb|2\r\nab)\r\n0\r\n\r\n$/)
      }
    })
  })

  realProgram("may be yielded by the application itself, whose end is told of", function*() {
    const ends: Array<unknown> = []
    const application: gevent.Application = function*(environ, startResponse) {
      startResponse("200 OK", text)
      try {
        for (let n = 0; environ.PATH_INFO === "/endless" || n < 2; n++) yield Buffer.alloc(10_000, `${n % 10}`)
      } catch (error) {
        ends.push((error as gevent.SocketError).code)
        throw error
      } finally {
        yield* gevent.sleep()
        ends.push("finally")
      }
    }
    yield* serving(application, function*(address) {
      expect((yield* said(address, get("/", last))).match(/0{10000}[^]*1{10000}/)).not.toBe(null)
      expect(ends.splice(0)).toEqual(["finally"])
      const socket = yield* gevent.createConnection(address)
      yield* socket.sendall(get("/endless"))
      yield* socket.recv()
      socket.close()
      while (ends.length < 2) yield* gevent.sleep(0.005)
      expect(ends).toEqual(["ECONNRESET", "finally"])
    })
  })

  realProgram("are closed when they were sent, and when they cannot be, once", function*({ reports, body }) {
    const closed: Array<string> = []
    const application: gevent.Application = (environ, startResponse) => {
      const name = environ.PATH_INFO
      if (name !== "/forgetful") startResponse(name === "/bodiless" ? "304 Not Modified" : "200 OK", text)
      return {
        *[Symbol.iterator]() {
          yield "a"
          if (name === "/throws") throw new TypeError("parts")
          yield "b"
        },
        close: body(function*() {
          yield* gevent.sleep()
          closed.push(name)
        })
      }
    }
    yield* serving(application, function*(address) {
      for (const path of ["/whole", "/throws", "/forgetful", "/bodiless"]) {
        yield* said(address, get(path, last))
        expect(closed.splice(0)).toEqual([path])
      }
    })
    expect(reports.map(([, error]) => (error as Error).name)).toEqual([
      "TypeError",
      "AssertionError",
      "AssertionError"
    ])
  })

  realProgram("come from a method of a subclass as well", function*() {
    class Site extends gevent.WSGIServer {
      override *application(_: gevent.Environ, startResponse: gevent.StartResponse): Steps<gevent.Parts> {
        startResponse("200 OK", text)
        return [this.greeting]
      }
      readonly greeting = "hello"
    }
    const server = new Site(local)
    yield* server.start()
    expect(bodyOf(yield* said(server.address, get("/", last)))).toBe("hello")
    yield* server.stop()
    expect(() => new gevent.WSGIServer(local)).toThrow(TypeError)
  })
})

describe("what follows a 101", () => {
  const application: App = function*(environ, startResponse) {
    const input = environ["wsgi.input"]
    if (environ.PATH_INFO === "/declines") {
      startResponse("200 OK", text)
      return [`${environ["wsgi.input_terminated"]} ${String(yield* input.read())}`]
    }
    const write = startResponse("101 Switching Protocols", [["Upgrade", "shout"]])
    if (environ.PATH_INFO === "/returns") return ["one", "two"]
    if (environ.PATH_INFO === "/throws") {
      yield* write("begun")
      throw new TypeError("shouting")
    }
    for (;;) {
      const line = String(yield* input.readline())
      if (line === "") return
      yield* write(line.toUpperCase())
    }
  }
  const upgrade = "Connection: Upgrade\r\nUpgrade: shout\r\n"
  const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: shout\r\nConnection: Upgrade\r\n\r\n"

  realProgram("is sent as it is, both ways", function*(program) {
    yield* serving(inGear(program, application), function*(address) {
      const socket = yield* gevent.createConnection(address, { timeout: 30 })
      // something of the other protocol comes with the request
      yield* socket.sendall(`${get("/", upgrade)}early\n`)
      const file = socket.makefile()
      const answer = String(yield* file.read(head.length + 6))
      expect(answer).toBe(`${head}EARLY\n`)
      yield* socket.sendall("GET / HTTP/1.1\n")
      expect(String(yield* file.readline())).toBe("GET / HTTP/1.1\n")
      socket.shutdown("write")
      expect(String(yield* file.read())).toBe("")
      socket.close()
      expect(yield* said(address, get("/returns", upgrade))).toBe(`${head}onetwo`)
      expect(yield* said(address, get("/throws", upgrade))).toBe(`${head}begun`)
      expect(program.reports.splice(0).map(([, error]) => (error as Error).message)).toEqual(["shouting"])
    })
  })

  realProgram("is sent as it is to a client that has asked with one header, as upstream", function*(program) {
    yield* serving(inGear(program, application), function*(address) {
      for (const header of ["Connection: upgrade\r\n", "Upgrade: websocket\r\n"]) {
        const socket = yield* gevent.createConnection(address, { timeout: 30 })
        yield* socket.sendall(get("/", header))
        const file = socket.makefile()
        expect(String(yield* file.read(head.length))).toBe(head)
        yield* socket.sendall("GET / HTTP/1.1\n\n\r\n")
        expect(String(yield* file.readline())).toBe("GET / HTTP/1.1\n")
        socket.shutdown("write")
        expect(String(yield* file.read())).toBe("\n\r\n")
        socket.close()
        expect(yield* said(address, get("/returns", header))).toBe(`${head}onetwo`)
      }
    })
  })

  realProgram("is nothing if the application answers otherwise", function*(program) {
    yield* serving(inGear(program, application), function*(address) {
      expect(yield* said(address, get("/declines", upgrade))).toMatch(
        /^HTTP\/1\.1 200 OK\r\n[^]*Connection: close[^]*false $/
      )
      // a body is read, and what cannot be meant is passed over: many clients ask for h2c with every request
      const h2c = "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"
      for (
        const headers of [
          `${upgrade.replace("Upgrade", "Upgrade, close")}Content-Length: 4\r\n`,
          `${h2c}Content-Length: 4\r\n`
        ]
      ) {
        const answer = yield* said(address, `POST /declines HTTP/1.1\r\nHost: x\r\n${headers}\r\nbody`)
        expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*true body$/)
      }
      const kept = h2c.replace(", close", "")
      const answers = yield* said(address, get("/declines", kept) + get("/declines", last))
      expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2)
    })
    expect(program.reports).toEqual([])
  })
})

describe("a connection that finishes no request", () => {
  const application: App = function*(environ, startResponse) {
    yield* environ["wsgi.input"].read()
    startResponse("200 OK", text)
    return "hello"
  }

  realProgram("is closed after a time, and 60 seconds if nobody says", function*(program) {
    yield* serving(inGear(program, application), function*(address) {
      const beginnings = ["", "GET / HTT", "GET / HTTP/1.1\r\nHost: x\r\n", `${get("/", "Content-Length: 5\r\n")}he`]
      const began = performance.now()
      const answers = beginnings.map((beginning) => gevent.spawn(said, address, beginning))
      yield* gevent.joinall(answers, { raiseError: true })
      for (const answer of answers) expect(answer.value).toMatch(/^HTTP\/1\.1 408 Request Timeout|^$/)
      expect(performance.now() - began).toBeLessThan(20_000)
    }, { headersTimeout: 0.1, requestTimeout: 0.2 })
    expect(program.reports).toEqual([])
    for (const name of ["headersTimeout", "requestTimeout"]) {
      expect(() => new gevent.WSGIServer(local, inGear(program, application), { [name]: -1 })).toThrow(
        gevent.ValueError
      )
    }
  })

  test("is not waited for for ever, nor are there too many, if nobody says", () => {
    const seen = Effect.runSync(gevent.call(() => {
      class Open extends gevent.WSGIServer {
        get made() {
          const node = this.makes() as ReturnType<gevent.WSGIServer["makes"]> & {
            readonly connectionsCheckingInterval: number
          }
          const { connectionsCheckingInterval: every } = node
          return [node.headersTimeout, node.requestTimeout, every, this.defaultMaxConnections]
        }
      }
      return new Open(local, () => {}).made
    }))
    // it is closed within a second of its time
    expect(seen).toEqual([60_000, 300_000, 1_000, 10_000])
  })

  realProgram("is one of no more than there may be", function*(program) {
    yield* serving(inGear(program, application), function*(address) {
      const [one, two] = [yield* gevent.createConnection(address), yield* gevent.createConnection(address)]
      yield* gevent.sleep(0.01)
      expect(yield* said(address, get("/", last))).toBe("")
      one.close()
      two.close()
      yield* gevent.sleep(0.05)
      expect(bodyOf(yield* said(address, get("/", last)))).toBe("hello")
    }, { maxConnections: 2 })
  })
})

describe("stop", () => {
  /** Connects, and says something, without a greenlet. */
  const client = (address: gevent.Address, text: string): Promise<NodeSocket> =>
    new Promise((resolve, reject) => {
      const [host, port] = address as readonly [string, number]
      const socket = connect(port, host, () => socket.write(text, () => resolve(socket)))
      socket.on("error", reject).resume()
    })
  const ended = (socket: NodeSocket): Promise<void> =>
    new Promise((resolve) => socket.closed ? resolve() : socket.once("close", () => resolve()))

  realProgram("closes what has no request in progress, and the rest after its answer", function*(program) {
    const answering = new gevent.Event()
    const application: App = function*(environ, startResponse) {
      const write = startResponse("200 OK", text)
      if (environ.PATH_INFO === "/slow") {
        yield* write("slow ")
        yield* answering.wait()
      }
      return "hello"
    }
    const server = new gevent.WSGIServer(local, inGear(program, application))
    yield* server.start()
    const { address } = server
    const idle = yield* Effect.promise(() =>
      Promise.all(
        ["", "GET / HTT", "GET / HTTP/1.1\r\nHost: x\r\n", get("/"), `${get("/")}GET /sec`].flatMap((beginning) =>
          Array.from({ length: 20 }, () => client(address, beginning))
        )
      )
    )
    const slow = yield* gevent.createConnection(address, { timeout: 30 })
    yield* slow.sendall(get("/slow"))
    const began = String(yield* slow.recv())
    expect(began).toMatch(/200 OK/)
    yield* gevent.sleep(0.05)
    const stopping = gevent.spawn(program.body(function*() {
      yield* server.stop(30)
    }))
    yield* Effect.promise(() => Promise.all(idle.map(ended)))
    expect(stopping.ready()).toBe(false)
    // it was promised to be kept before the server was stopped
    expect(began).not.toMatch(/Connection: close/)
    answering.set()
    expect(String(yield* slow.makefile().read())).toMatch(/hello/)
    yield* stopping.get()
    expect(yield* caught(gevent.createConnection(address))).toMatchObject({ code: "ECONNREFUSED" })
    expect(program.reports).toEqual([])
  })

  realProgram("waits for the handlers of a pool, in its timeout and no longer", function*(program) {
    const application: App = function*(_, startResponse) {
      startResponse("200 OK", text)
      try {
        yield* gevent.sleep(1000)
      } finally {
        yield* gevent.sleep(1000)
      }
    }
    const server = new gevent.WSGIServer(local, inGear(program, application), { spawn: 2 })
    yield* server.start()
    const sockets = yield* Effect.promise(() =>
      Promise.all(Array.from({ length: 5 }, () => client(server.address, get("/"))))
    )
    yield* gevent.sleep(0.05)
    const began = performance.now()
    yield* server.stop(0.1)
    expect(performance.now() - began).toBeLessThan(8000)
    for (const socket of sockets) socket.destroy()
  })

  realProgram("closes what is not answered in its timeout, without a pool, too", function*(program) {
    const errors: Array<unknown> = []
    const answering = new gevent.Event()
    const server = new gevent.WSGIServer(
      local,
      inGear(program, function*(_, startResponse) {
        const write = startResponse("200 OK", text)
        yield* answering.wait()
        errors.push(yield* caught(write("too late")))
      })
    )
    const serving = gevent.spawn(program.body(function*() {
      yield* server.serveForever()
    }))
    while (!server.started) yield* gevent.sleep(0.001)
    const socket = yield* Effect.promise(() => client(server.address, get("/")))
    yield* gevent.sleep(0.05)
    yield* server.stop(0.1)
    yield* Effect.promise(() => ended(socket))
    yield* serving.get()
    answering.set()
    while (errors.length === 0) yield* gevent.sleep(0.001)
    expect(errors).toMatchObject([{ code: "ECONNRESET" }])
  })

  realProgram("goes on to look after the timeouts of requests in progress", function*(program) {
    const errors: Array<unknown> = []
    const application: App = function*(environ) {
      errors.push(yield* caught(environ["wsgi.input"].read()))
    }
    const server = new gevent.WSGIServer(local, inGear(program, application), { requestTimeout: 0.3 })
    yield* server.start()
    const socket = yield* Effect.promise(() => client(server.address, `${get("/", "Content-Length: 5\r\n")}he`))
    yield* gevent.sleep(0.05)
    yield* server.stop(30)
    yield* Effect.promise(() => ended(socket))
    while (errors.length === 0) yield* gevent.sleep(0.005)
    expect(errors).toMatchObject([{ code: "ECONNRESET" }])
  })

  test("lets SIGTERM end a process, with its last answer, whoever is connected", async () => {
    const source = `
      import { Effect } from "effect"
      import * as gevent from "effect-stackless/compat/gevent"
      await Effect.runPromise(gevent.call(function*() {
        const server = new gevent.WSGIServer(["127.0.0.1", 0], function*(environ, startResponse) {
          startResponse("200 OK", [["Content-Type", "text/plain"]])
          if (environ.PATH_INFO === "/slow") {
            yield "slow "
            yield* gevent.sleep(0.5)
          }
          yield "hello"
        })
        gevent.signalHandler("SIGTERM", () => server.stop(30))
        yield* server.start()
        console.log(server.serverPort)
        yield* server.serveForever()
      }))`
    const child = spawnProcess(process.execPath, ["--input-type=module", "-e", source], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    const [port] = await once(child.stdout, "data")
    const address = ["127.0.0.1", Number(port)] as const
    const beginnings = ["", "GET / HTT", "GET / HTTP/1.1\r\nHost: x\r\n", get("/")]
    const idle: Array<NodeSocket> = []
    for (let n = 0; n < 400; n++) idle.push(await client(address, beginnings[n % 4]!))
    const slow = connect(address[1], address[0])
    slow.write(get("/slow"))
    const answer = [String((await once(slow, "data"))[0])]
    slow.on("data", (data) => answer.push(String(data)))
    child.kill("SIGTERM")
    const [[code, signal]] = await Promise.all([once(child, "exit"), ended(slow), ...idle.map(ended)])
    expect([code, signal, answer.join("")]).toEqual([0, null, expect.stringMatching(/slow [^]*hello\r\n0\r\n\r\n$/)])
  })

  realProgram("takes a listening socket with it", function*(program) {
    const listening = yield* listener()
    const address = listening.getsockname()
    const server = new gevent.WSGIServer(
      listening,
      inGear(program, function*(_, startResponse) {
        startResponse("200 OK", text)
        return "hello"
      }),
      { headersTimeout: 0.1 }
    )
    yield* server.start()
    expect(bodyOf(yield* said(address, get("/", last)))).toBe("hello")
    expect(yield* said(address, "GET /")).toMatch(/^HTTP\/1\.1 408/)
    const idle = yield* Effect.promise(() => client(address, ""))
    yield* gevent.sleep(0.02)
    yield* server.stop()
    yield* Effect.promise(() => ended(idle))
    expect(yield* caught(gevent.createConnection(address))).toMatchObject({ code: "ECONNREFUSED" })
  })
})
