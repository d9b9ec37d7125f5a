/** The web server, over real sockets on 127.0.0.1. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { connect } from "node:net"
import { describe, expect } from "vitest"
import { caught, type Program, realProgram, type Steps } from "./program.ts"

const local = ["127.0.0.1", 0] as const

/** An application in the gear of the test. */
type App = (environ: gevent.Environ, startResponse: gevent.StartResponse) => Steps<gevent.Parts | void>

/** Runs a block beside a web server. */
function* serving(
  { body }: Program,
  application: App,
  block: (address: readonly [string, number], server: gevent.WSGIServer) => Steps,
  options?: gevent.WSGIServerOptions
): Steps {
  const server = new gevent.WSGIServer(local, body(application) as gevent.Application, options)
  yield* server.start()
  try {
    yield* block(server.address as [string, number], server)
  } finally {
    yield* server.stop(0.2)
  }
}

/** Says something to a server, and gives back all that it answers until it closes. */
function* said(address: gevent.Address, text: gevent.Data): Steps<string> {
  const socket = yield* gevent.createConnection(address, { timeout: 30 })
  yield* socket.sendall(text)
  const answer = String(yield* socket.makefile().read())
  socket.close()
  return answer
}

/** A request whose connection is closed after the answer. */
const request = (method: string, path: string, body = "", headers = `Content-Length: ${body.length}\r\n`) =>
  `${method} ${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n${headers}\r\n${body}`

const bodyOf = (answer: string): string => answer.slice(answer.indexOf("\r\n\r\n") + 4)

/** What comes in chunks, of which there are as many as Node likes; with its end. */
const chunksOf = (answer: string): string => {
  expect(answer).toMatch(/Transfer-Encoding: chunked\r\n/)
  return bodyOf(answer).replace(/([\da-f]+)\r\n([^]*?)\r\n/g, (_, size, part) => size === "0" ? "|" : part)
}

const ok: ReadonlyArray<readonly [string, string]> = [["Content-Type", "text/plain"]]

describe("the environment of a request", () => {
  realProgram("has WSGI's names", function*(program) {
    let seen: gevent.Environ | undefined
    yield* serving(program, function*(environ, startResponse) {
      seen = environ
      startResponse("200 OK", ok)
    }, function*(address) {
      const headers = "X-One: 1\r\nx-one: 2\r\nCookie: a=b\r\nCookie: c=d\r\nX_Forged: x\r\n" +
        "Content-Type: text/x\r\nContent-Length: 2\r\n"
      yield* said(address, request("PUT", "/a%20b/%zz?q=%20", "hi", headers))
      expect(seen).toMatchObject({
        REQUEST_METHOD: "PUT",
        SCRIPT_NAME: "",
        PATH_INFO: "/a%20b/%zz",
        QUERY_STRING: "q=%20",
        SERVER_NAME: "127.0.0.1",
        SERVER_PORT: String(address[1]),
        SERVER_PROTOCOL: "HTTP/1.1",
        GATEWAY_INTERFACE: "CGI/1.1",
        REMOTE_ADDR: "127.0.0.1",
        CONTENT_TYPE: "text/x",
        CONTENT_LENGTH: "2",
        HTTP_HOST: "test",
        HTTP_X_ONE: "1,2",
        HTTP_COOKIE: "a=b; c=d",
        "wsgi.version": [1, 0],
        "wsgi.url_scheme": "http",
        "wsgi.multithread": false,
        mine: "too"
      })
      expect(Number(seen!.REMOTE_PORT)).toBeGreaterThan(0)
      expect(seen).not.toHaveProperty("HTTP_X_FORGED")
      expect(seen).not.toHaveProperty("HTTP_CONTENT_TYPE")
    }, { environ: { mine: "too" } })
  })
})

describe("the body of a request", () => {
  const application: App = function*(environ, startResponse) {
    const input = environ["wsgi.input"]
    const got: Array<string> = []
    if (environ.PATH_INFO === "/pieces") {
      for (;;) {
        const piece = yield* input.read(4)
        if (piece.byteLength === 0) break
        got.push(String(piece))
      }
    } else if (environ.PATH_INFO === "/lines") {
      got.push(String(yield* input.readline()), String(yield* input.readline(2)))
      yield* input.each((line) => void got.push(String(line)))
      got.push(String(yield* input.readline()))
    } else {
      got.push(String((yield* input.readlines()).length), String(yield* input.read()))
    }
    startResponse("200 OK", ok)
    return JSON.stringify(got)
  }
  const chunked = "Transfer-Encoding: chunked\r\n"

  realProgram("is read by bytes and by lines, with a length or in chunks", function*(program) {
    yield* serving(program, application, function*(address) {
      const get = function*(...args: Parameters<typeof request>): Steps<unknown> {
        return JSON.parse(bodyOf(yield* said(address, request(...args))))
      }
      expect(yield* get("POST", "/pieces", "abcdefghij")).toEqual(["abcd", "efgh", "ij"])
      expect(yield* get("POST", "/pieces", "3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n", chunked)).toEqual(["abcd", "efgh"])
      const lines = "one\ntwo\nthree\n\nfive"
      expect(yield* get("POST", "/lines", lines)).toEqual(["one\n", "tw", "o\n", "three\n", "\n", "five", ""])
      expect(yield* get("POST", "/all", lines)).toEqual(["5", ""])
      expect(yield* get("GET", "/pieces", "", "")).toEqual([])
    })
  })

  realProgram("comes only as fast as it is read", function*(program) {
    let read = 0
    const reading = new gevent.Event()
    yield* serving(program, function*(environ, startResponse) {
      const input = environ["wsgi.input"]
      read += (yield* input.read(1000)).byteLength
      yield* reading.wait()
      for (;;) {
        const piece = yield* input.read(50_000)
        if (piece.byteLength === 0) break
        read += piece.byteLength
      }
      startResponse("200 OK", ok)
      return [String(read)]
    }, function*(address) {
      const size = 48 * 1024 * 1024
      const peer = connect(address[1], address[0])
      peer.write(`POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`)
      let answer = ""
      peer.on("data", (data) => answer += String(data))
      const closed = new Promise((resolve) => peer.on("close", resolve))
      let left = size
      const chunk = Buffer.alloc(1 << 20)
      const write = () => {
        while (left > 0) {
          left -= chunk.byteLength
          if (!peer.write(chunk)) return
        }
      }
      peer.on("drain", write)
      write()
      yield* gevent.sleep(0.2)
      const before = left
      yield* gevent.sleep(0.2)
      // what the system buffers on both sides, and no more
      expect(left).toBe(before)
      expect(size - left).toBeLessThan(24 * 1024 * 1024)
      expect(read).toBe(1000)
      reading.set()
      yield* Effect.promise(() => closed)
      expect(bodyOf(answer)).toBe(String(size))
    })
  })

  realProgram("breaks off with an error if the client goes away, and the server lives on", function*(program) {
    const errors: Array<unknown> = []
    yield* serving(program, function*(environ, startResponse) {
      const input = environ["wsgi.input"]
      if (environ.PATH_INFO === "/catches") errors.push(yield* caught(input.read()))
      else yield* input.each(() => {})
      startResponse("200 OK", ok)
      return ["fine"]
    }, function*(address) {
      for (const path of ["/catches", "/throws"]) {
        for (const headers of ["Content-Length: 100\r\n", chunked]) {
          const socket = yield* gevent.createConnection(address)
          yield* socket.sendall(request("POST", path, "5\r\nhello\r\n", headers))
          yield* gevent.sleep(0.01)
          socket.close()
        }
      }
      while (errors.length < 2) yield* gevent.sleep(0.005)
      expect(errors).toHaveLength(2)
      for (const error of errors) {
        expect(error).toBeInstanceOf(gevent.SocketError)
        expect(error).toMatchObject({ code: "ECONNRESET" })
      }
      expect((errors[0] as Error).message).toBe("unexpected end of file while reading request at position 10")
      expect(bodyOf(yield* said(address, request("POST", "/", "x\n")))).toBe("fine")
    })
    // as upstream, nobody is bothered with it
    expect(program.reports).toEqual([])
  })

  realProgram("is asked for when it is first read, if the client waits for that", function*(program) {
    yield* serving(program, function*(environ, startResponse) {
      const body = environ.PATH_INFO === "/reads" ? yield* environ["wsgi.input"].read() : "unread"
      startResponse("200 OK", ok)
      return [body]
    }, function*(address) {
      const expecting = (path: string) =>
        `POST ${path} HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`
      const socket = yield* gevent.createConnection(address, { timeout: 30 })
      const file = socket.makefile()
      yield* socket.sendall(expecting("/reads"))
      expect(String(yield* file.readline())).toBe("HTTP/1.1 100 Continue\r\n")
      yield* socket.sendall("hello")
      expect(String(yield* file.readline())).toBe("\r\n")
      expect(String(yield* file.readline())).toBe("HTTP/1.1 200 OK\r\n")
      socket.close()
      // one whose body is not wanted is not asked for it, and cannot send anything else instead
      const answer = yield* said(address, expecting("/ignores"))
      expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n[^]*unread$/)
    })
  })

  realProgram("is read to its end if the application has not, and the next request is answered", function*(program) {
    yield* serving(program, function*(environ, startResponse) {
      if (environ.PATH_INFO === "/some") yield* environ["wsgi.input"].read(10)
      startResponse("200 OK", ok)
      return [environ.PATH_INFO]
    }, function*(address) {
      const socket = yield* gevent.createConnection(address, { timeout: 30 })
      const file = socket.makefile()
      for (const path of ["/none", "/some", "/none"]) {
        for (const size of [5, 300_000]) {
          yield* socket.sendall(`POST ${path} HTTP/1.1\r\nHost: test\r\nContent-Length: ${size}\r\n\r\n`)
          yield* socket.sendall(Buffer.alloc(size))
          let length = 0
          for (;;) {
            const line = String(yield* file.readline())
            if (line === "\r\n") break
            length = Number(/^Content-Length: (\d+)/.exec(line)?.[1] ?? length)
          }
          expect(String(yield* file.read(length))).toBe(path)
        }
      }
      socket.close()
    })
  })
})

describe("a response", () => {
  realProgram("has a length if that is known, and no body where there is none", function*(program) {
    yield* serving(program, function*(environ, startResponse) {
      const write = startResponse(environ.PATH_INFO === "/204" ? "204 No Content" : "200 OK", [["Set-Cookie", "a"], [
        "Set-Cookie",
        "b"
      ]])
      switch (environ.PATH_INFO) {
        case "/text":
          return "täxt"
        case "/parts":
          return ["a", Buffer.from("b"), "", new Uint8Array([99])]
        case "/iterable":
          return new Set(["a", "b"])
        case "/written":
          yield* write("a")
          yield* write("")
          return ["b"]
        default:
          return undefined
      }
    }, function*(address) {
      const get = (path: string, method = "GET") => said(address, request(method, path))
      expect(yield* get("/text")).toMatch(/Content-Length: 5\r\n[^]*\r\n\r\ntäxt$/)
      expect(yield* get("/text")).toMatch(/Set-Cookie: a\r\nSet-Cookie: b\r\n/)
      expect(yield* get("/text", "HEAD")).toMatch(/Content-Length: 5\r\n[^]*\r\n\r\n$/)
      expect(yield* get("/parts")).toMatch(/Content-Length: 3\r\n[^]*\r\n\r\nabc$/)
      expect(chunksOf(yield* get("/iterable"))).toBe("ab|")
      expect(chunksOf(yield* get("/written"))).toBe("ab|")
      expect(yield* get("/empty")).toMatch(/Content-Length: 0\r\n/)
      expect(yield* get("/204")).not.toMatch(/Content-Length|Transfer-Encoding/)
    })
  })

  realProgram("waits while the client is slow", function*(program) {
    let written = 0
    const total = 400
    yield* serving(program, function*(_environ, startResponse) {
      const write = startResponse("200 OK", ok)
      for (; written < total; written++) yield* write(Buffer.alloc(65_536))
    }, function*(address) {
      const socket = yield* gevent.createConnection(address)
      yield* socket.sendall(request("GET", "/"))
      // it fills what the system buffers on both sides, and no more
      for (let before = -1; before < written;) {
        before = written
        yield* gevent.sleep(0.2)
      }
      expect(written).toBeLessThan(total)
      expect((yield* socket.makefile().read()).byteLength).toBeGreaterThan(total * 65_536)
      socket.close()
    })
  })

  realProgram("breaks off with an error if the client goes away, and the server lives on", function*(program) {
    const errors: Array<unknown> = []
    yield* serving(program, function*(environ, startResponse) {
      const write = startResponse("200 OK", ok)
      if (environ.PATH_INFO === "/") return ["fine"]
      try {
        for (;;) yield* write(Buffer.alloc(65_536))
      } catch (error) {
        errors.push(error)
        throw error
      }
    }, function*(address) {
      const socket = yield* gevent.createConnection(address)
      yield* socket.sendall(request("GET", "/endless"))
      yield* gevent.sleep(0.02)
      socket.close()
      while (errors.length === 0) yield* gevent.sleep(0.005)
      expect(errors).toMatchObject([{ name: "SocketError", code: "ECONNRESET" }])
      expect(bodyOf(yield* said(address, request("GET", "/")))).toBe("fine")
    })
    expect(program.reports).toEqual([])
  })

  realProgram("can be begun again until it is sent", function*(program) {
    const late: Array<unknown> = []
    yield* serving(program, function*(environ, startResponse) {
      const write = startResponse("200 OK", [["X-First", "yes"]])
      if (environ.PATH_INFO === "/again") {
        startResponse("404 Not Found", [["X-Second", "yes"]], new Error("not there"))
        return ["second"]
      }
      yield* write("sent")
      for (const error of [undefined, new RangeError("mine")]) {
        try {
          startResponse("500 Too Late", [], error)
        } catch (thrown) {
          late.push(thrown)
        }
      }
    }, function*(address) {
      const again = yield* said(address, request("GET", "/again"))
      expect(again).toMatch(/^HTTP\/1\.1 404 Not Found\r\nX-Second: yes\r\n/)
      expect(again).not.toMatch(/X-First/)
      expect(yield* said(address, request("GET", "/late"))).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
      expect(late).toEqual([expect.any(gevent.AssertionError), new RangeError("mine")])
    })
  })

  realProgram("is 500 for an application that goes wrong, and the server lives on", function*(program) {
    const wrong: Record<string, (startResponse: gevent.StartResponse) => gevent.Parts | undefined> = {
      "/throws": (startResponse) => {
        startResponse("200 OK", ok)
        throw new RangeError("application")
      },
      "/silent": () => ["never begun"],
      "/status": (startResponse) => void startResponse("OK", ok),
      "/split": (startResponse) => void startResponse("200 OK", [["X-A", "b\r\nSet-Cookie: c"]]),
      "/reason": (startResponse) => void startResponse("200 OK\r\nSet-Cookie: c", []),
      "/header": (startResponse) => void startResponse("200 OK", [["bad name", "x"]]),
      "/part": (startResponse) => {
        startResponse("200 OK", ok)
        return [5 as never]
      },
      "/204": (startResponse) => {
        startResponse("204 No Content", [])
        return ["body"]
      }
    }
    yield* serving(program, function*(environ, startResponse) {
      return wrong[environ.PATH_INFO]!(startResponse)
    }, function*(address) {
      for (const path of Object.keys(wrong)) {
        // whatever is on its way does not get in the way of the answer
        const answer = yield* said(address, request("POST", path, "x".repeat(500_000)))
        expect([path, answer.split("\r\n")[0]]).toEqual([path, "HTTP/1.1 500 Internal Server Error"])
        expect(bodyOf(answer)).toBe("Internal Server Error")
        expect(answer).not.toMatch(/Set-Cookie/)
      }
    })
    const names = program.reports.map(([, error]) => (error as Error).name)
    expect(names).toEqual([
      "RangeError",
      "AssertionError",
      "ValueError",
      "ValueError",
      "ValueError",
      "TypeError",
      "TypeError",
      "AssertionError"
    ])
  })

  realProgram("that fails in the middle does not pass for a whole one", function*(program) {
    yield* serving(program, function*(_environ, startResponse) {
      const write = startResponse("200 OK", ok)
      yield* write("the first half")
      throw new Error("the second half")
    }, function*(address) {
      expect(chunksOf(yield* said(address, request("GET", "/")))).toBe("the first half")
    })
    expect(program.reports).toHaveLength(1)
  })
})

describe("a web server", () => {
  const plain: App = function*(environ, startResponse) {
    if (environ.PATH_INFO === "/slow") yield* gevent.sleep(0.05)
    if (environ.PATH_INFO === "/endless") yield* gevent.sleep(3600)
    startResponse("200 OK", ok)
    return [environ.PATH_INFO]
  }

  realProgram("keeps a connection, and answers what is sent ahead in order", function*(program) {
    yield* serving(program, plain, function*(address) {
      const ahead = "GET /slow HTTP/1.1\r\nHost: test\r\n\r\nGET /fast HTTP/1.1\r\nHost: test\r\n\r\n"
      const answer = yield* said(address, ahead + request("GET", "/last"))
      expect([...answer.matchAll(/\r\n\r\n(\/[a-z]+)/g)].map(([, path]) => path)).toEqual(["/slow", "/fast", "/last"])
    })
  })

  realProgram("answers 400 to what is not HTTP, and lives on", function*(program) {
    yield* serving(program, plain, function*(address) {
      expect(yield* said(address, "nonsense\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /)
      expect(bodyOf(yield* said(address, request("GET", "/after")))).toBe("/after")
    })
  })

  realProgram("stops gracefully: requests that came are answered, and it can start again", function*(program) {
    const { body } = program
    const asked: Array<string> = []
    const application = body(function*(environ: gevent.Environ, startResponse: gevent.StartResponse) {
      asked.push(environ.PATH_INFO!)
      return yield* plain(environ, startResponse)
    })
    const server = new gevent.WSGIServer(local, application as gevent.Application, { spawn: new gevent.Pool(5) })
    yield* server.start()
    const { address } = server
    const slow = gevent.spawn(body(function*() {
      return yield* said(address, "GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
    }))
    while (!asked.includes("/slow")) yield* gevent.sleep(0.001)
    yield* server.stop()
    expect(yield* slow.get({ timeout: 30 })).toMatch(/Connection: close\r\n[^]*\/slow$/)
    expect(yield* caught(gevent.createConnection(address))).toMatchObject({ code: "ECONNREFUSED" })

    yield* server.start()
    expect(server.address).toEqual(address)
    const endless = gevent.spawn(body(function*() {
      return yield* said(address, "GET /endless HTTP/1.1\r\nHost: test\r\n\r\n")
    }))
    while (!asked.includes("/endless")) yield* gevent.sleep(0.001)
    yield* server.stop(0.02)
    expect(yield* endless.get({ timeout: 30 })).toMatch(/^HTTP\/1\.1 500 /)
    expect(program.reports).toEqual([])
  })

  realProgram("answers no more requests at once than its pool has room for", function*(program) {
    let inside = 0
    let most = 0
    yield* serving(program, function*(_environ, startResponse) {
      most = Math.max(most, ++inside)
      yield* gevent.sleep(0.01)
      inside--
      startResponse("200 OK", ok)
      return ["done"]
    }, function*(address) {
      const clients = Array.from({ length: 6 }, () => gevent.spawn(said, address, request("GET", "/")))
      yield* gevent.joinall(clients, { raiseError: true })
      expect(clients.map((client) => bodyOf(client.value!))).toEqual(Array(6).fill("done"))
    }, { spawn: 2 })
    expect(most).toBe(2)
  })

  realProgram("serves for ever until it is stopped, and says if its port is in use", function*(program) {
    const { body } = program
    const server = new gevent.WSGIServer(local, body(plain) as gevent.Application)
    const forever = gevent.spawn(body(() => server.serveForever()[Symbol.iterator]() as never))
    while (!server.started) yield* gevent.sleep(0.005)
    const second = new gevent.WSGIServer(server.address, body(plain) as gevent.Application)
    expect(yield* caught(second.start())).toMatchObject({ name: "SocketError", code: "EADDRINUSE" })
    expect(bodyOf(yield* said(server.address, request("GET", "/x")))).toBe("/x")
    yield* server.stop()
    yield* forever.join(1)
    expect(forever.successful()).toBe(true)
  })

  realProgram("logs requests, if it is told where", function*(program) {
    yield* serving(program, plain, function*(address) {
      yield* said(address, request("GET", "/logged?a=b"))
      yield* gevent.sleep(0)
      expect(program.lines).toEqual([
        expect.stringMatching(/^127\.0\.0\.1 - - \[[\d-]+ [\d:]+\] "GET \/logged\?a=b HTTP\/1\.1" 200 7 0\.\d{6}\n$/)
      ])
    }, { log: { write: program.log } })
  })
})
