/** Sockets and servers, over real sockets on 127.0.0.1. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { withThread } from "effect-stackless/greenlet"
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { connect, createServer, type Server, type Socket as NodeSocket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { caught, realProgram, type Steps } from "./program.ts"

const local = ["127.0.0.1", 0] as const

/** Sends back what it receives. */
function* echo(socket: gevent.Socket): Steps {
  for (;;) {
    const data = yield* socket.recv()
    if (data.byteLength === 0) return
    yield* socket.sendall(data)
  }
}

/** Runs a block beside an echo server. */
function* serving(
  handle: (socket: gevent.Socket, address: gevent.Address) => Steps,
  block: (address: gevent.Address, server: gevent.StreamServer) => Steps,
  options?: gevent.StreamServerOptions
): Steps {
  const server = new gevent.StreamServer(local, handle, options)
  yield* server.start()
  try {
    yield* block(server.address, server)
  } finally {
    yield* server.stop(0.2)
  }
}

const pause = (seconds: number) => gevent.sleep(seconds)

describe("a stream server", () => {
  realProgram("serves each connection in a greenlet, and closes it at the end", function*({ body }) {
    yield* serving(echo, function*(address) {
      const clients = Array.from({ length: 20 }, (_, n) =>
        gevent.spawn(body(function*() {
          const socket = yield* gevent.createConnection(address)
          yield* pause(0.001 * (20 - n))
          yield* socket.sendall(`hello ${n}\n`)
          const line = yield* socket.makefile().readline()
          socket.shutdown("write")
          const end = yield* socket.recv()
          socket.close()
          return [String(line), end.byteLength]
        })))
      yield* gevent.joinall(clients, { raiseError: true })
      expect(clients.map((client) => client.value)).toEqual(clients.map((_, n) => [`hello ${n}\n`, 0]))
    })
  })

  realProgram("lives on when a handler throws, and reports it", function*({ reports }) {
    const error = new Error("handler")
    yield* serving(
      function*(socket) {
        if (String(yield* socket.recv()) === "bad") throw error
        yield* socket.sendall("good")
      },
      function*(address) {
        const bad = yield* gevent.createConnection(address)
        yield* bad.sendall("bad")
        expect((yield* bad.recv()).byteLength).toBe(0)
        const good = yield* gevent.createConnection(address)
        yield* good.sendall("x")
        expect(String(yield* good.recv())).toBe("good")
        bad.close()
        good.close()
      }
    )
    expect(reports.map(([, reported]) => reported)).toEqual([error])
  })

  realProgram("lives on when a peer resets the connection in the middle", function*({ reports }) {
    yield* serving(echo, function*(address) {
      const [host, port] = address as [string, number]
      const peer = connect(port, host)
      yield* Effect.promise(() => once(peer, "connect"))
      peer.write("x")
      yield* Effect.promise(() => once(peer, "data"))
      peer.resetAndDestroy()
      yield* pause(0.02)
      const socket = yield* gevent.createConnection(address)
      yield* socket.sendall("still there")
      expect(String(yield* socket.recv())).toBe("still there")
      socket.close()
    })
    expect(reports.map(([, error]) => (error as gevent.SocketError).code)).toEqual(["ECONNRESET"])
  })

  realProgram("runs no more handlers at once than its pool has room for", function*({ body }) {
    let inside = 0
    let most = 0
    yield* serving(
      function*(socket) {
        most = Math.max(most, ++inside)
        yield* pause(0.01)
        inside--
        yield* socket.sendall("done")
      },
      function*(address) {
        const clients = Array.from({ length: 6 }, () =>
          gevent.spawn(body(function*() {
            const socket = yield* gevent.createConnection(address)
            const data = yield* socket.makefile().read()
            socket.close()
            return String(data)
          })))
        yield* gevent.joinall(clients)
        expect(clients.map((client) => client.value)).toEqual(Array(6).fill("done"))
      },
      { spawn: 2 }
    )
    expect(most).toBe(2)
  })

  realProgram(
    "stops gracefully: it accepts nobody, and kills the handlers that take too long",
    function*({ lines, log }) {
      const pool = new gevent.Pool(10)
      const server = new gevent.StreamServer(local, function*(_socket) {
        try {
          log("handler began")
          yield* pause(60)
        } finally {
          log("handler ended")
        }
      }, { spawn: pool })
      yield* server.start()
      const { address } = server
      const socket = yield* gevent.createConnection(address)
      while (lines.length === 0) yield* pause(0.001)
      yield* server.stop(0.02)
      expect(lines).toEqual(["handler began", "handler ended"])
      expect((yield* socket.recv()).byteLength).toBe(0)
      socket.close()
      expect(yield* caught(gevent.createConnection(address))).toMatchObject({ code: "ECONNREFUSED" })
    }
  )

  realProgram("on a port in use cannot start, and says so", function*() {
    yield* serving(echo, function*(address) {
      const second = new gevent.StreamServer(address, echo)
      const error = yield* caught(second.start())
      expect(error).toBeInstanceOf(gevent.SocketError)
      expect(error).toMatchObject({ code: "EADDRINUSE" })
      expect(yield* Effect.flip(second.start())).toMatchObject({ code: "EADDRINUSE" })
    })
  })

  realProgram("serves for ever until it is stopped", function*({ body }) {
    const server = new gevent.StreamServer(local, echo)
    const serving = gevent.spawn(body(() => server.serveForever()[Symbol.iterator]() as never))
    while (!server.started) yield* pause(0.001)
    yield* pause(0.02)
    expect(serving.ready()).toBe(false)
    yield* server.stop()
    yield* serving.get()
  })
})

describe("TLS", () => {
  /** A key and a certificate for 127.0.0.1. */
  const identity = () => {
    const directory = mkdtempSync(join(tmpdir(), "gevent-tls-"))
    const [keyFile, certFile] = [join(directory, "key.pem"), join(directory, "cert.pem")]
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    execFileSync("openssl", ["req", "-x509", ...curve, "-nodes", "-keyout", keyFile, "-out", certFile, ...subject], {
      stdio: "ignore"
    })
    const made = { key: readFileSync(keyFile), cert: readFileSync(certFile) }
    rmSync(directory, { recursive: true })
    return made
  }

  realProgram("is served and spoken, and a certificate that nobody knows is refused", function*() {
    const { cert, key } = identity()
    yield* serving(
      echo,
      function*(address) {
        const socket = yield* gevent.createConnection(address, { tls: { ca: cert }, timeout: 30 })
        yield* socket.sendall("secret")
        expect(String(yield* socket.recv())).toBe("secret")
        socket.shutdown("write")
        expect((yield* socket.recv()).byteLength).toBe(0)
        socket.close()
        expect(yield* caught(gevent.createConnection(address, { tls: {} }))).toMatchObject({
          name: "SocketError",
          code: "DEPTH_ZERO_SELF_SIGNED_CERT"
        })
      },
      { tls: { key, cert } }
    )
  })
})

describe("a socket", () => {
  realProgram("accepts by hand, and a kill during accept leaves it usable", function*({ body }) {
    const listener = new gevent.Socket()
    listener.bind(local)
    yield* listener.listen()
    const first = gevent.spawn(body(() => listener.accept()[Symbol.iterator]() as never))
    yield* pause(0.001)
    yield* first.kill()
    const client = gevent.spawn(body(function*() {
      const socket = yield* gevent.createConnection(listener.getsockname())
      yield* socket.sendall("hi")
      socket.close()
    }))
    const [accepted] = yield* listener.accept()
    expect(String(yield* accepted.makefile().read())).toBe("hi")
    yield* client.get()
    accepted.close()
    listener.close()
    expect(yield* caught(listener.accept())).toMatchObject({ code: "EBADF" })
  })

  realProgram("throws a timeout of its own, and can go on after it", function*() {
    yield* serving(
      function*(socket) {
        yield* pause(0.05)
        yield* socket.sendall("late")
      },
      function*(address) {
        const socket = yield* gevent.createConnection(address)
        socket.settimeout(0.01)
        const error = yield* caught(socket.recv())
        expect(error).toBeInstanceOf(gevent.SocketTimeout)
        socket.settimeout(undefined)
        expect(String(yield* socket.recv())).toBe("late")
        socket.close()
      }
    )
  })

  realProgram("shuts one direction down and still receives in the other", function*() {
    yield* serving(
      function*(socket) {
        const all = yield* socket.makefile().read()
        yield* socket.sendall(`${all.byteLength} bytes`)
      },
      function*(address) {
        const socket = yield* gevent.createConnection(address)
        yield* socket.sendall(Buffer.alloc(300_000))
        socket.shutdown("write")
        expect(String(yield* socket.makefile().read())).toBe("300000 bytes")
        socket.close()
      }
    )
  })

  realProgram("gives no more than was asked for, by bytes, by lines and into a buffer", function*() {
    yield* serving(
      function*(socket) {
        yield* socket.sendall("abcdef\nsecond\nrest")
      },
      function*(address) {
        const socket = yield* gevent.createConnection(address)
        expect(String(yield* socket.recv(2))).toBe("ab")
        const buffer = new Uint8Array(3)
        expect(yield* socket.recvInto(buffer)).toBe(3)
        expect(String(Buffer.from(buffer))).toBe("cde")
        const file = socket.makefile()
        const lines: Array<string> = []
        yield* file.each((line) => void lines.push(String(line)))
        expect(lines).toEqual(["f\n", "second\n", "rest"])
        // closing the file leaves the socket open
        expect(file.closed).toBe(false)
        file.close()
        expect(file.closed).toBe(true)
        expect(yield* caught(file.read())).toMatchObject({ message: "I/O operation on closed file." })
        expect(() => file.write("x")).toThrow(gevent.ValueError)
        expect(yield* socket.send("x")).toBe(1)
        socket.close()
      }
    )
  })

  realProgram("serves one greenlet at a time in each direction", function*({ body }) {
    yield* serving(echo, function*(address) {
      const socket = yield* gevent.createConnection(address)
      const first = gevent.spawn(body(() => socket.recv()[Symbol.iterator]() as never))
      yield* pause(0.001)
      expect(yield* caught(socket.recv())).toBeInstanceOf(gevent.ConcurrentObjectUseError)
      socket.close()
      expect(yield* caught(first.get())).toMatchObject({ code: "EBADF" })
    })
  })

  test("keeps memory flat while a client never reads, and the server lives on", async () => {
    let sent = 0
    const whole = gevent.call(function*(): Steps {
      gevent.gethub().exceptionStream = undefined
      const server = new gevent.StreamServer(local, function*(socket) {
        const chunk = Buffer.alloc(65_536)
        for (;;) {
          yield* socket.sendall(chunk)
          sent += chunk.byteLength
        }
      })
      yield* server.start()
      const [host, port] = server.address as [string, number]
      const peer = connect(port, host)
      peer.pause()
      yield* pause(0.3)
      const before = sent
      yield* pause(0.3)
      // what the system buffers on both sides, and no more
      expect(sent).toBe(before)
      expect(sent).toBeLessThan(32 * 1024 * 1024)
      peer.destroy()
      yield* server.stop()
    })
    await Effect.runPromise(withThread(whole))
  })

  test("stops reading from a peer whose data nobody receives", async () => {
    let peer: NodeSocket | undefined
    const node: Server = createServer((socket) => {
      peer = socket
      const chunk = Buffer.alloc(65_536)
      const write = () => {
        while (socket.write(chunk));
      }
      socket.on("drain", write)
      socket.on("error", () => {})
      write()
    })
    await once(node.listen(0, "127.0.0.1"), "listening")
    const { port } = node.address() as { port: number }
    await Effect.runPromise(gevent.call(function*(): Steps {
      const socket = yield* gevent.createConnection(["127.0.0.1", port])
      yield* pause(0.3)
      const before = peer!.bytesWritten
      yield* pause(0.2)
      expect(peer!.bytesWritten).toBe(before)
      // and goes on when somebody does
      let received = 0
      while (received < 2 * before) received += (yield* socket.recv()).byteLength
      expect(received).toBeGreaterThanOrEqual(2 * before)
      socket.close()
    }))
    peer!.destroy()
    node.close()
  })
})

describe("datagrams", () => {
  realProgram("are answered by a datagram server", function*() {
    const server: gevent.DatagramServer = new gevent.DatagramServer(local, function*(data: Buffer, address): Steps {
      yield* server.sendto(`got ${String(data)}`, address)
    })
    yield* server.start()
    const socket = new gevent.DatagramSocket()
    yield* socket.sendto("one", server.address as [string, number])
    const [data, from] = yield* socket.recvfrom()
    expect([String(data), from]).toEqual(["got one", server.address])
    socket.timeout = 0.01
    expect(yield* caught(socket.recvfrom())).toBeInstanceOf(gevent.SocketTimeout)
    socket.close()
    yield* server.stop()
  })
})

describe("a WSGI server", () => {
  const get = (port: number, path: string, init?: RequestInit) =>
    Effect.promise(async () => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
      return { status: response.status, name: response.headers.get("x-agent"), text: await response.text() }
    })

  realProgram("answers requests in greenlets, while others wait", function*({ body, reports, lines, log }) {
    const answered = new gevent.Event()
    const application = function*(environ: gevent.Environ, startResponse: gevent.StartResponse): Steps<Array<string>> {
      if (environ.PATH_INFO === "/throws") throw new TypeError("application")
      if (environ.PATH_INFO === "/slow") yield* answered.wait()
      const input = environ.REQUEST_METHOD === "POST" ? String(yield* environ["wsgi.input"].read()) : ""
      startResponse("200 OK", [["Content-Type", "text/plain"], ["X-Agent", environ.HTTP_X_NAME ?? "nobody"]])
      return [environ.PATH_INFO, "?", environ.QUERY_STRING, input]
    }
    const server = new gevent.WSGIServer(local, application)
    yield* server.start()
    const port = server.serverPort
    const slow = gevent.spawn(body(function*() {
      log((yield* get(port, "/slow")).text)
    }))
    const fast = gevent.spawn(body(function*() {
      yield* pause(0.01)
      log((yield* get(port, "/a%20b?c=d", { headers: { "X-Name": "me" } })).text)
      answered.set()
    }))
    yield* gevent.joinall([slow, fast])
    expect(lines).toEqual(["/a b?c=d", "/slow?"])
    expect(yield* get(port, "/x", { method: "POST", body: "posted" })).toEqual({
      status: 200,
      name: "nobody",
      text: "/x?posted"
    })
    expect(yield* get(port, "/throws")).toMatchObject({ status: 500, text: "Internal Server Error" })
    expect(reports.map(([, error]) => (error as Error).message)).toEqual(["application"])
    expect((yield* get(port, "/after")).status).toBe(200)
    yield* server.stop()
  })
})
