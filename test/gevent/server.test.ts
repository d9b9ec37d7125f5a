/** Servers and sockets as upstream's own tests have them. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { call, makeThread, Thread, withThread } from "effect-stackless/greenlet"
import { describe, expect, test } from "vitest"
import { caught, realProgram, type Steps } from "./program.ts"
import { listener, local } from "./sockets.ts"

/** Answers each line of a connection. */
class Shouting extends gevent.StreamServer {
  override *handle(socket: gevent.Socket): Steps {
    yield* socket.makefile().each((line) => socket.sendall(String(line).toUpperCase() + this.mark))
  }
  readonly mark = "!"
}

function* asked(address: gevent.Address, line: string): Steps<string> {
  const socket = yield* gevent.createConnection(address, { timeout: 10 })
  yield* socket.sendall(line)
  socket.shutdown("write")
  const answer = String(yield* socket.makefile().read())
  socket.close()
  return answer
}

describe("a server", () => {
  for (const spawn of ["default", "raw", 2] as const) {
    realProgram(`handles by a method of its subclass: ${spawn}`, function*() {
      const server = new Shouting(local, undefined, { spawn })
      expect([server.started, server.closed]).toEqual([false, true])
      yield* server.within(function*() {
        yield* server.start()
        expect([server.started, server.closed]).toEqual([true, false])
        expect(yield* asked(server.address, "hi\n")).toBe("HI\n!")
      })
      expect(server.closed).toBe(true)
    })
  }

  realProgram("needs a handler, and can be given another", function*({ body }) {
    expect(() => new gevent.StreamServer(local)).toThrow("'handle' must be provided")
    expect(() => new gevent.DatagramServer(local)).toThrow("'handle' must be provided")
    const server = new Shouting(local)
    expect(() => server.setHandle(5 as never)).toThrow(TypeError)
    yield* server.start()
    server.setHandle(body(function*(socket: gevent.Socket) {
      yield* socket.sendall("other")
    }))
    expect(yield* asked(server.address, "hi\n")).toBe("other")
    yield* server.stop()
  })

  realProgram("says where it is and what handles", function*() {
    const server = new Shouting(local)
    expect(String(server)).toBe("<Shouting address=127.0.0.1:0>")
    yield* server.start()
    expect(String(server)).toBe(`<Shouting address=127.0.0.1:${server.serverPort}>`)
    server.setHandle(server.handle)
    expect(String(server)).toMatch(/ handle=<bound method Shouting.handle of self>>$/)
    server.setHandle(function* echo() {})
    expect(String(server)).toMatch(/ handle=<function echo>>$/)
    yield* server.stop()
    expect(String(new gevent.StreamServer("/tmp/x", () => {}))).toBe(
      "<StreamServer address=/tmp/x handle=<function (anonymous)>>"
    )
  })

  realProgram("takes a socket that listens, with those who have connected to it", function*() {
    const listening = yield* listener()
    const address = listening.getsockname()
    const early = yield* gevent.createConnection(address, { timeout: 10 })
    yield* early.sendall("early\n")
    const gone = yield* gevent.createConnection(address)
    gone.close()
    expect(() => new Shouting(listening, null, { backlog: 5 })).toThrow(TypeError)
    const server = new Shouting(listening)
    expect(server.address).toEqual(address)
    yield* gevent.sleep(0.01)
    yield* server.start()
    expect(server.address).toEqual(address)
    expect(String(yield* early.recv())).toBe("EARLY\n!")
    expect(yield* asked(address, "late\n")).toBe("LATE\n!")
    early.close()
    yield* server.stop()
    expect(yield* caught(gevent.createConnection(address))).toMatchObject({ code: "ECONNREFUSED" })
    // it listens there again
    yield* server.start()
    expect(yield* asked(address, "again\n")).toBe("AGAIN\n!")
    yield* server.stop()
  })

  realProgram("takes no socket that does not listen, or was closed", function*() {
    const server = new Shouting(new gevent.Socket())
    expect(yield* caught(server.start())).toMatchObject({ code: "EINVAL" })
    const closed = yield* listener()
    closed.close()
    expect(yield* caught(new Shouting(closed).start())).toMatchObject({ code: "EBADF" })
  })

  realProgram("lets those who come wait while it does not accept", function*() {
    const server = new Shouting(local)
    yield* server.start()
    server.stopAccepting()
    server.stopAccepting()
    const waits = yield* gevent.createConnection(server.address, { timeout: 0.05 })
    yield* waits.sendall("hi\n")
    expect(yield* caught(waits.recv())).toBeInstanceOf(gevent.SocketTimeout)
    waits.settimeout(10)
    server.startAccepting()
    server.startAccepting()
    expect(String(yield* waits.recv())).toBe("HI\n!")
    expect(yield* asked(server.address, "late\n")).toBe("LATE\n!")
    // one that waits when it is stopped is let go
    server.stopAccepting()
    const left = yield* gevent.createConnection(server.address, { timeout: 10 })
    yield* gevent.sleep(0.01)
    yield* server.stop()
    expect((yield* left.recv()).byteLength).toBe(0)
    server.startAccepting()
    expect(server.started).toBe(false)
    waits.close()
  })

  realProgram("of datagrams lets them wait, too, and takes a socket that is bound", function*() {
    const bound = new gevent.DatagramSocket()
    yield* bound.bind(local)
    class Echoing extends gevent.DatagramServer {
      override *handle(data: Buffer, address: gevent.Address): Steps {
        yield* this.sendto(`got ${String(data)}`, address)
      }
    }
    const server = new Echoing(bound)
    expect(server.address).toEqual(bound.getsockname())
    yield* server.start()
    const client = new gevent.DatagramSocket()
    const ask = function*(text: string): Steps<unknown> {
      yield* client.sendto(text, server.address as [string, number])
      return String((yield* client.recvfrom())[0])
    }
    client.timeout = 10
    expect(yield* ask("one")).toBe("got one")
    server.stopAccepting()
    client.timeout = 0.05
    expect(yield* caught(gevent.call(ask, "two"))).toBeInstanceOf(gevent.SocketTimeout)
    client.timeout = 10
    server.startAccepting()
    expect(String((yield* client.recvfrom())[0])).toBe("got two")
    yield* server.stop()
    client.close()
  })

  realProgram("closes at once whoever is one too many", function*({ body }) {
    const leaving = new gevent.Event()
    const server = new gevent.StreamServer(
      local,
      body(function*() {
        yield* leaving.wait()
      }),
      { maxConnections: 2 }
    )
    yield* server.start()
    const sockets: Array<gevent.Socket> = []
    for (let n = 0; n < 2; n++) sockets.push(yield* gevent.createConnection(server.address))
    for (const socket of sockets) {
      // a busy machine may take longer to connect
      socket.settimeout(0.05)
      expect(yield* caught(socket.recv())).toBeInstanceOf(gevent.SocketTimeout)
    }
    const third = yield* gevent.createConnection(server.address, { timeout: 10 })
    expect((yield* third.recv()).byteLength).toBe(0)
    leaving.set()
    yield* server.stop()
  })
})

describe("a pair of sockets", () => {
  realProgram("is connected, and ends when one side is closed", function*({ body }) {
    const [here, there] = gevent.socketpair()
    const size = 1_000_000
    const sender = gevent.spawn(body(function*() {
      for (let n = 0; n < 10; n++) yield* here.sendall(Buffer.alloc(size / 10, 1))
      here.close()
    }))
    yield* gevent.sleep(0.01)
    // as much waits as there is room for
    expect(sender.ready()).toBe(false)
    expect((yield* there.makefile().read()).byteLength).toBe(size)
    yield* sender.get()
    expect(yield* caught(there.makefile().write("x"))).toMatchObject({ code: "EPIPE" })
    there.close()
  })

  realProgram("goes both ways, can be shut down, and be waited for", function*({ body }) {
    const [here, there] = gevent.socketpair()
    const echo = gevent.spawn(body(function*() {
      yield* there.makefile().each((line) => there.sendall(line))
      there.shutdown("write")
    }))
    yield* here.sendall("one\n")
    expect(String(yield* here.recv())).toBe("one\n")
    yield* here.sendall("two\nthree\n")
    here.shutdown("write")
    expect(String(yield* here.makefile().read())).toBe("two\nthree\n")
    yield* echo.get()
    here.settimeout(0.01)
    const [idle] = gevent.socketpair()
    idle.settimeout(0.01)
    expect(yield* caught(idle.recv())).toBeInstanceOf(gevent.SocketTimeout)
    const closing = gevent.spawn(body(() => caught(idle.recv())))
    yield* gevent.sleep(0.02)
    idle.close()
    expect(yield* closing.get()).toBeInstanceOf(gevent.SocketError)
  })

  realProgram("throws at a sender whose other side is closed in the middle", function*({ body }) {
    const [here, there] = gevent.socketpair()
    const sender = gevent.spawn(body(() =>
      caught(gevent.call(function*() {
        for (;;) yield* here.sendall(Buffer.alloc(100_000))
      }))
    ))
    yield* gevent.sleep(0.01)
    there.close()
    expect(yield* sender.get()).toMatchObject({ code: "EPIPE" })
  })
})

describe("waiting for one socket", () => {
  realProgram("ends when it can be received from, or sent to, or time is over", function*({ body, lines, log }) {
    const [here, there] = gevent.socketpair()
    yield* gevent.waitWrite(here)
    expect(yield* caught(gevent.waitRead(here, 0.01))).toBeInstanceOf(gevent.SocketTimeout)
    const mine = new TypeError("mine")
    expect(yield* caught(gevent.waitRead(here, 0.01, mine))).toBe(mine)
    const waiting = gevent.spawn(body(function*() {
      yield* gevent.waitRead(here)
      log(String(yield* here.recv()))
    }))
    yield* gevent.sleep()
    expect(lines).toEqual([])
    yield* there.sendall("hi")
    yield* waiting.get()
    expect(lines).toEqual(["hi"])
    yield* gevent.waitReadwrite(here, 1)
    there.close()
    yield* gevent.waitRead(here, 1)
    expect((yield* here.recv()).byteLength).toBe(0)
    const [other] = gevent.socketpair()
    const interrupted = gevent.spawn(body(() => caught(gevent.waitRead(other))))
    yield* gevent.sleep()
    other.close()
    expect(yield* interrupted.get()).toMatchObject({ code: "EBADF" })
    expect(yield* caught(gevent.waitRead(other))).toMatchObject({ code: "EBADF" })
    expect(yield* caught(gevent.waitRead(5 as never))).toBeInstanceOf(TypeError)
  })
})

describe("shutdown", () => {
  realProgram("is an error on a socket that was closed or never connected", function*() {
    const socket = new gevent.Socket()
    for (const how of ["read", "write", "both"] as const) {
      expect(() => socket.shutdown(how)).toThrow(expect.objectContaining({ code: "ENOTCONN" }))
    }
    socket.close()
    expect(() => socket.shutdown("both")).toThrow(expect.objectContaining({ name: "SocketError", code: "EBADF" }))
  })
})

describe("errors", () => {
  realProgram("are of upstream's classes", function*({ body }) {
    const [here] = gevent.socketpair()
    const reader = gevent.spawn(body(() => here.recv()[Symbol.iterator]() as never))
    yield* gevent.sleep()
    const error = yield* caught(here.recv())
    expect(error).toBeInstanceOf(gevent.ConcurrentObjectUseError)
    expect(error).toBeInstanceOf(gevent.AssertionError)
    expect(new gevent.InvalidThreadUseError()).toBeInstanceOf(gevent.RuntimeError)
    expect(new gevent.BlockingSwitchOutError()).toBeInstanceOf(gevent.AssertionError)
    yield* reader.kill()
  })
})

describe("what listens", () => {
  const handles = (): number =>
    process.getActiveResourcesInfo().filter((name) => name === "TCPServerWrap" || name === "UDPWrap").length
  const listening: ReadonlyArray<[string, () => Generator<Effect.Effect<any, any>, gevent.Address, any>]> = [
    ["a server", function*() {
      const server = new gevent.StreamServer(local, () => {})
      yield* server.start()
      return server.address
    }],
    ["a server with a pool", function*() {
      const server = new gevent.StreamServer(local, () => {}, { spawn: 2 })
      yield* server.start()
      return server.address
    }],
    ["a web server", function*() {
      const server = new gevent.WSGIServer(local, () => [])
      yield* server.start()
      return server.address
    }],
    ["a socket", function*() {
      const socket = new gevent.Socket()
      socket.bind(["127.0.0.1", 0])
      yield* socket.listen()
      return socket.getsockname()
    }],
    ["a datagram server", function*() {
      const server = new gevent.DatagramServer(["127.0.0.1", 0], () => {})
      yield* server.start()
      return server.address
    }],
    ["a datagram socket", function*() {
      const socket = new gevent.DatagramSocket()
      yield* socket.bind(["127.0.0.1", 0])
      return socket.getsockname()
    }]
  ]

  test.each(listening)(
    "keeps the process from its end only while main waits, and is closed with its thread: %s",
    async (name, listens) => {
      const before = handles()
      let address: gevent.Address | undefined
      await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
        const thread = yield* makeThread
        const on = <A>(main: () => Generator<Effect.Effect<any, any>, A, any>) =>
          Effect.provideService(call(main) as Effect.Effect<A, any>, Thread, thread)
        address = yield* on(listens)
        expect(handles()).toBe(before)
        yield* on(function*() {
          const meanwhile: Array<number> = []
          setTimeout(() => {
            meanwhile.push(handles())
          }, 1)
          // on a busy machine more than its time may be over when the hub looks
          while (meanwhile.length === 0) yield* gevent.sleep(0.01)
          expect(meanwhile).toEqual([before + 1])
        })
        expect(handles()).toBe(before)
      })))
      expect(handles()).toBe(before)
      if (name.includes("datagram")) return
      const error = await Effect.runPromise(
        withThread(call(() => caught(gevent.createConnection(address!)))) as Effect.Effect<any, any>
      )
      expect(error.code).toBe("ECONNREFUSED")
    }
  )
})
