/** What goes wrong with sockets and servers: each time an error that says so, and everything else goes on. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { caught, realProgram, type Steps } from "./program.ts"
import { listener, local, pair } from "./sockets.ts"

/** Says something to an echo server, which must answer. */
function* answers(address: gevent.Address): Steps {
  const socket = yield* gevent.createConnection(address, { timeout: 30 })
  yield* socket.sendall("are you there?")
  expect(String(yield* socket.recv())).toBe("are you there?")
  socket.close()
}

function* echo(socket: gevent.Socket): Steps {
  for (;;) {
    const data = yield* socket.recv()
    if (data.byteLength === 0) return
    yield* socket.sendall(data)
  }
}

describe("a kill", () => {
  realProgram("during accept loses no connection, even one that has just come", function*({ body }) {
    const listening = yield* listener()
    const accepting = function*(): Steps {
      yield* listening.accept()
    }
    for (let wait = 0; wait < 5; wait++) {
      const first = gevent.spawn(body(accepting))
      yield* gevent.sleep(0.001)
      const client = yield* gevent.createConnection(listening.getsockname())
      if (first.ready()) continue
      yield* first.kill()
      const [accepted] = yield* listening.accept()
      yield* client.sendall("hi")
      expect(String(yield* accepted.recv())).toBe("hi")
      accepted.close()
      client.close()
    }
    listening.close()
  })

  realProgram("during recv loses no data, even some that has just come", function*({ body }) {
    const [here, there] = yield* pair()
    for (let round = 0; round < 20; round++) {
      const reading = gevent.spawn(body(() => here.recv()[Symbol.iterator]() as never))
      yield* gevent.sleep(0)
      yield* there.sendall(`${round}`)
      // sometimes before it comes, sometimes in the same breath
      if (round % 2 === 0) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* reading.kill()
      const got: unknown = reading.value instanceof gevent.GreenletExit ? yield* here.recv() : reading.value
      expect(String(got)).toBe(`${round}`)
    }
    here.close()
    there.close()
  })

  realProgram("of a handler closes its connection, and the server lives on", function*() {
    const handlers: Array<unknown> = []
    const server = new gevent.StreamServer(local, function*(socket) {
      handlers.push(gevent.getcurrent())
      yield* echo(socket)
    })
    yield* server.start()
    const socket = yield* gevent.createConnection(server.address)
    while (handlers.length === 0) yield* gevent.sleep(0.001)
    yield* (handlers[0] as gevent.Greenlet).kill()
    expect((yield* socket.recv()).byteLength).toBe(0)
    socket.close()
    yield* answers(server.address)
    yield* server.stop()
  })

  realProgram("of who starts a server leaves the port free", function*({ body }) {
    for (const host of ["127.0.0.1", "localhost"]) {
      const taken = yield* listener()
      const [, port] = taken.getsockname() as [string, number]
      taken.close()
      yield* gevent.sleep(0.005)
      const server = new gevent.StreamServer([host, port], echo)
      const starting = gevent.spawn(body(() => server.start()[Symbol.iterator]() as never))
      yield* gevent.sleep(0)
      yield* starting.kill()
      expect(server.started).toBe(false)
      yield* gevent.sleep(0.02)
      const second = new gevent.StreamServer([host, port], echo)
      yield* second.start()
      yield* answers(second.address)
      yield* second.stop()
    }
  })
})

describe("a peer that resets the connection", () => {
  realProgram("ends a recv, a sendall and all that come after with an error", function*({ body }) {
    const listening = yield* listener()
    const [host, port] = listening.getsockname() as [string, number]
    const peer = connect(port, host)
    peer.on("error", () => {})
    const [socket] = yield* listening.accept()
    const sending = gevent.spawn(body(function*() {
      for (;;) yield* socket.sendall(Buffer.alloc(1 << 20))
    }))
    const receiving = gevent.spawn(body(() => socket.recv()[Symbol.iterator]() as never))
    peer.pause()
    yield* gevent.sleep(0.05)
    expect([sending.ready(), receiving.ready()]).toEqual([false, false])
    peer.resetAndDestroy()
    for (const greenlet of [sending, receiving]) {
      const error = yield* caught(greenlet.get({ timeout: 30 }))
      expect(error).toBeInstanceOf(gevent.SocketError)
      expect(["ECONNRESET", "EPIPE"]).toContain((error as gevent.SocketError).code)
    }
    // it does not pass for a proper end later either
    expect(yield* caught(socket.recv())).toBeInstanceOf(gevent.SocketError)
    expect(yield* caught(socket.sendall("x"))).toBeInstanceOf(gevent.SocketError)
    expect(yield* caught(socket.makefile().readline())).toBeInstanceOf(gevent.SocketError)
    socket.close()
    listening.close()
  })

  realProgram("before it is accepted does no harm", function*() {
    const listening = yield* listener()
    const [host, port] = listening.getsockname() as [string, number]
    const peer = connect(port, host)
    yield* Effect.promise(() => once(peer, "connect"))
    peer.resetAndDestroy()
    yield* gevent.sleep(0.02)
    const [socket] = yield* listening.accept()
    expect(yield* caught(socket.recv())).toMatchObject({ code: "ECONNRESET" })
    socket.close()
    listening.close()
  })
})

describe("a handler", () => {
  realProgram(
    "that throws at once, or is none, or promises something, is reported; the server lives on",
    function*(program) {
      const wrong: ReadonlyArray<unknown> = [
        () => {
          throw new RangeError("at once")
        },
        () => Effect.die(new RangeError("died")),
        () => Effect.fail(new gevent.SocketError("EIO", "failed")),
        async () => {}
      ]
      for (const handle of wrong) {
        const server = new gevent.StreamServer(local, handle as never)
        yield* server.start()
        for (let n = 0; n < 2; n++) {
          const socket = yield* gevent.createConnection(server.address)
          expect((yield* socket.recv()).byteLength).toBe(0)
          socket.close()
        }
        yield* server.stop()
      }
      expect(program.reports.map(([, error]) => (error as Error).name)).toEqual([
        ...Array(4).fill("RangeError"),
        ...Array(2).fill("SocketError"),
        ...Array(2).fill("TypeError")
      ])
    }
  )

  realProgram("can stop its own server", function*() {
    const pool = new gevent.Pool(3)
    const server: gevent.StreamServer = new gevent.StreamServer(local, function*(socket): Steps {
      yield* socket.sendall("bye")
      yield* server.stop(0.02)
    }, { spawn: pool })
    const serving = gevent.spawn(() => server.serveForever())
    while (!server.started) yield* gevent.sleep(0.001)
    const socket = yield* gevent.createConnection(server.address, { timeout: 30 })
    expect(String(yield* socket.makefile().read())).toBe("bye")
    socket.close()
    yield* serving.get({ timeout: 30 })
    expect(pool.length).toBe(0)
  })

  test("must be a function", () => {
    for (const Server of [gevent.StreamServer, gevent.DatagramServer, gevent.WSGIServer]) {
      expect(() => new Server(local, "handle" as never)).toThrow(TypeError)
    }
  })
})

describe("a server", () => {
  realProgram("that is full keeps those who come waiting, and closes them when it stops", function*() {
    const server = new gevent.StreamServer(local, function*(_socket) {
      yield* gevent.sleep(60)
    }, { spawn: 1 })
    yield* server.start()
    const sockets: Array<gevent.Socket> = []
    for (let n = 0; n < 4; n++) sockets.push(yield* gevent.createConnection(server.address, { timeout: 30 }))
    yield* gevent.sleep(0.01)
    yield* server.stop(0.01)
    for (const socket of sockets) {
      expect((yield* socket.recv()).byteLength).toBe(0)
      socket.close()
    }
    yield* server.stop()
  })

  realProgram("can be stopped and started again and again, on the same port", function*({ body }) {
    const server = new gevent.StreamServer(local, body(echo) as gevent.Handle<[gevent.Socket, gevent.Address]>)
    const ports = new Set<number>()
    for (let n = 0; n < 3; n++) {
      yield* server.start()
      yield* server.start()
      ports.add(server.serverPort)
      yield* answers(server.address)
      yield* server.stop()
      yield* server.stop()
    }
    expect(ports.size).toBe(1)
  })

  realProgram("of datagrams can be started again, too, and says if its port is in use", function*() {
    const server: gevent.DatagramServer = new gevent.DatagramServer(local, function*(data: Buffer, address): Steps {
      if (String(data) === "bad") throw new Error("handler")
      yield* server.sendto(data, address)
    })
    const client = new gevent.DatagramSocket()
    client.timeout = 5
    for (let n = 0; n < 2; n++) {
      yield* server.start()
      const address = server.address as [string, number]
      yield* client.sendto("bad", address)
      yield* client.sendto(`good ${n}`, address)
      expect(String((yield* client.recvfrom())[0])).toBe(`good ${n}`)
      const second = new gevent.DatagramServer(address, () => {})
      expect(yield* caught(second.start())).toMatchObject({ name: "SocketError", code: "EADDRINUSE" })
      yield* server.stop()
    }
    client.close()
  })

  realProgram("on a Unix socket serves, and says if another one does", function*() {
    const directory = mkdtempSync(join(tmpdir(), "gevent-"))
    const path = join(directory, "socket")
    const server = new gevent.StreamServer(path, echo)
    yield* server.start()
    expect([server.address, server.serverHost, server.serverPort]).toEqual([path, path, 0])
    yield* answers(path)
    expect(yield* caught(new gevent.StreamServer(path, echo).start())).toMatchObject({ code: "EADDRINUSE" })
    yield* server.stop()
    expect(existsSync(path)).toBe(false)
    expect(yield* caught(gevent.createConnection(path))).toMatchObject({ code: "ENOENT" })
    rmSync(directory, { recursive: true })
  })
})

describe("a socket", () => {
  realProgram("that is used as it cannot be says so, by the system's code", function*({ body }) {
    const socket = new gevent.Socket()
    const code = function*(operation: Effect.Effect<unknown, any>): Steps<unknown> {
      const error = yield* caught(operation)
      expect(error).toBeInstanceOf(gevent.SocketError)
      return (error as gevent.SocketError).code
    }
    expect(yield* code(socket.recv())).toBe("ENOTCONN")
    expect(yield* code(socket.sendall("x"))).toBe("ENOTCONN")
    expect(yield* code(socket.accept())).toBe("EINVAL")
    socket.close()
    socket.close()
    const listening = yield* listener()
    for (const operation of [socket.recv(), socket.send("x"), socket.accept(), socket.listen()]) {
      expect(yield* code(operation)).toBe("EBADF")
    }
    expect(yield* code(socket.connect(listening.getsockname()))).toBe("EBADF")
    expect(yield* code(listening.connect(listening.getsockname()))).toBe("EISCONN")
    expect(yield* code(listening.listen())).toBe("EISCONN")
    expect(yield* code(gevent.createConnection(["no such host.invalid", 1]))).toMatch(/ENOTFOUND|EAI_AGAIN|EINVAL/)
    const second = new gevent.Socket()
    second.bind(listening.getsockname())
    expect(yield* code(second.listen())).toBe("EADDRINUSE")
    second.bind(local)
    yield* second.listen()
    second.close()

    const [here, there] = yield* pair()
    here.shutdown("write")
    expect(yield* code(here.sendall("x"))).toBe("EPIPE")
    yield* there.sendall("still")
    expect(String(yield* here.recv())).toBe("still")
    const reading = gevent.spawn(body(() => there.makefile().read()[Symbol.iterator]() as never))
    yield* reading.get({ timeout: 30 })
    here.close()
    there.close()
    listening.close()
  })

  realProgram("refuses numbers that make no sense", function*() {
    const [here, there] = yield* pair()
    expect(yield* caught(here.recv(-1))).toBeInstanceOf(gevent.ValueError)
    expect(yield* caught(here.recv(NaN))).toBeInstanceOf(gevent.ValueError)
    expect(yield* caught(here.recvInto(new Uint8Array(2), 3))).toBeInstanceOf(gevent.ValueError)
    expect(() => here.settimeout(-1)).toThrow(gevent.ValueError)
    expect(yield* caught(here.sendall(5 as never))).toBeInstanceOf(TypeError)
    expect(yield* caught(here.sendall(undefined as never))).toBeInstanceOf(TypeError)
    expect(yield* caught(gevent.createConnection(["127.0.0.1", 70_000]))).toBeInstanceOf(RangeError)
    // and can be used afterwards
    yield* here.sendall("")
    yield* here.sendall("fine")
    expect(String(yield* there.recv())).toBe("fine")
    here.close()
    there.close()
  })

  realProgram("gives all that has come, in one or in several pieces", function*() {
    const [here, there] = yield* pair()
    for (const part of ["abc", "def", "ghi"]) {
      yield* there.sendall(part)
      yield* gevent.sleep(0.005)
    }
    expect(String(yield* here.recv(2))).toBe("ab")
    expect(String(yield* here.recv(3))).toBe("cde")
    expect(String(yield* here.recv())).toBe("fghi")
    here.close()
    there.close()
  })

  realProgram("that nobody receives datagrams from does not keep them all", function*() {
    const socket = new gevent.DatagramSocket()
    yield* socket.bind(local)
    const sender = new gevent.DatagramSocket()
    const data = Buffer.alloc(8192)
    for (let n = 0; n < 200; n++) {
      yield* sender.sendto(data, socket.getsockname() as [string, number])
      if (n % 20 === 0) yield* gevent.sleep(0.001)
    }
    yield* gevent.sleep(0.01)
    socket.timeout = 0.01
    let received = 0
    while (!((yield* caught(Effect.tap(socket.recvfrom(), () => Effect.sync(() => received++)))) instanceof Error));
    expect(received).toBeGreaterThan(0)
    expect(received).toBeLessThan(60)
    expect(yield* caught(sender.sendto(Buffer.alloc(70_000), socket.getsockname() as [string, number]))).toMatchObject({
      name: "SocketError",
      code: "EMSGSIZE"
    })
    socket.close()
    sender.close()
  })
})
