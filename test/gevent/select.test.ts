/** Waiting for several sockets at once, over real ones on 127.0.0.1. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { describe, expect, test } from "vitest"
import { caught, program, realProgram } from "./program.ts"
import { listener, local, pair } from "./sockets.ts"

const { POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT } = gevent

/** How many want to be told of changes: none must be left behind. */
const watchersOf = (socket: object): number => {
  const { watchers } = socket as { watchers?: { all: Set<unknown> } }
  return watchers?.all.size ?? 0
}

describe("select", () => {
  realProgram("serves many clients in one greenlet", function*({ body }) {
    const server = yield* listener()
    const serving = gevent.spawn(body(function*() {
      const sockets = new Set([server])
      for (;;) {
        const [readable] = yield* gevent.select(sockets, [], [])
        for (const socket of readable) {
          if (socket === server) {
            sockets.add((yield* server.accept())[0])
            continue
          }
          const data = yield* socket.recv()
          if (data.byteLength > 0) yield* socket.sendall(data)
          else {
            sockets.delete(socket)
            socket.close()
          }
        }
      }
    }))
    const clients = Array.from({ length: 50 }, (_, n) =>
      gevent.spawn(body(function*() {
        const socket = yield* gevent.createConnection(server.getsockname())
        const heard: Array<string> = []
        for (let round = 0; round < 3; round++) {
          yield* gevent.sleep(0.001 * (n % 5))
          yield* socket.sendall(`client ${n}, round ${round}`)
          heard.push(String(yield* socket.recv()))
        }
        socket.close()
        return heard
      })))
    yield* gevent.joinall(clients, { raiseError: true })
    expect(clients.map((client) => client.value)).toEqual(
      clients.map((_, n) => [0, 1, 2].map((round) => `client ${n}, round ${round}`))
    )
    yield* serving.kill()
    expect(watchersOf(server)).toBe(0)
    server.close()
  })

  realProgram(
    "gives back what is ready, in the order of the lists, and does not wait with a timeout of 0",
    function*() {
      const [here, there] = yield* pair()
      expect(yield* gevent.select([here, there], [], [], 0)).toEqual([[], [], []])
      expect(yield* gevent.select([here], [there, here], [here], 0)).toEqual([[], [there, here], []])
      yield* there.sendall("x")
      const [readable] = yield* gevent.select([there, here], [], [])
      expect(readable).toEqual([here])
      // it stays readable until it is received
      expect(yield* gevent.select([here, here], [here], [], 0)).toEqual([[here, here], [here], []])
      expect(String(yield* here.recv())).toBe("x")
      expect(yield* gevent.select([here], [], [], 0)).toEqual([[], [], []])
      there.close()
      // the end is something to receive, too
      expect(yield* gevent.select([here], [], [])).toEqual([[here], [], []])
      expect((yield* here.recv()).byteLength).toBe(0)
      here.close()
    }
  )

  realProgram("returns nothing when time is over", function*() {
    const [here, there] = yield* pair()
    const began = Date.now()
    expect(yield* gevent.select([here, there], [], [], 0.05)).toEqual([[], [], []])
    expect(Date.now() - began).toBeGreaterThanOrEqual(45)
    expect(yield* gevent.select([], [], [], 0.01)).toEqual([[], [], []])
    expect([watchersOf(here), watchersOf(there)]).toEqual([0, 0])
    here.close()
    there.close()
  })

  realProgram("says when a peer that was slow can be sent to again", function*() {
    const [here, there] = yield* pair()
    const sending = gevent.spawn(function*() {
      yield* here.sendall(Buffer.alloc(8_000_000))
    })
    yield* gevent.sleep(0.02)
    expect(yield* gevent.select([], [here], [], 0)).toEqual([[], [], []])
    const reading = gevent.spawn(() => there.makefile().read(8_000_000))
    expect(yield* gevent.select([], [here], [], 5)).toEqual([[], [here], []])
    yield* gevent.joinall<gevent.Greenlet>([sending, reading], { raiseError: true })
    here.close()
    there.close()
  })

  realProgram("sees datagrams, and connections that nobody has accepted", function*() {
    const server = yield* listener()
    const datagrams = new gevent.DatagramSocket()
    yield* datagrams.bind(local)
    expect(yield* gevent.select([server, datagrams], [datagrams], [], 0)).toEqual([[], [datagrams], []])
    const other = new gevent.DatagramSocket()
    yield* other.sendto("hello", datagrams.getsockname() as [string, number])
    expect(yield* gevent.select([server, datagrams], [], [])).toEqual([[datagrams], [], []])
    const client = yield* gevent.createConnection(server.getsockname())
    yield* datagrams.recvfrom()
    expect(yield* gevent.select([server, datagrams], [], [])).toEqual([[server], [], []])
    for (const socket of [client, server, datagrams, other]) socket.close()
  })

  realProgram("leaves nothing behind when it is killed or timed out", function*({ body }) {
    const [here, there] = yield* pair()
    const waiting = gevent.spawn(body(function*() {
      yield* gevent.select([here, there], [], [])
    }))
    yield* gevent.sleep(0.001)
    expect([watchersOf(here), watchersOf(there)]).toEqual([1, 1])
    yield* waiting.kill()
    expect([watchersOf(here), watchersOf(there)]).toEqual([0, 0])
    const over = yield* caught(new gevent.Timeout(0.01).within(() => gevent.select([here], [], [])))
    expect(over).toBeInstanceOf(gevent.Timeout)
    expect(yield* Effect.timeoutOption(gevent.select([here], [], []), 10)).toMatchObject({ _tag: "None" })
    yield* gevent.sleep(0.001)
    expect(watchersOf(here)).toBe(0)
    // and the sockets go on
    yield* there.sendall("still")
    expect(String(yield* here.recv())).toBe("still")
    here.close()
    there.close()
  })

  realProgram("refuses a closed socket, and reports one that is closed meanwhile", function*({ body }) {
    const [here, there] = yield* pair()
    const waiting = gevent.spawn(body(() => gevent.select([here], [], [])[Symbol.iterator]() as never))
    yield* gevent.sleep(0.001)
    here.close()
    expect(yield* waiting.get()).toEqual([[here], [], []])
    const closed = [gevent.select([here], [], [], 0), gevent.select([], [here], []), gevent.select([], [], [here], 1)]
    for (const operation of closed) {
      const error = yield* caught(operation)
      expect(error).toBeInstanceOf(gevent.ValueError)
      expect((error as Error).message).toMatch(/closed/)
    }
    there.close()
  })

  program("refuses what cannot be waited for, and times that are none", function*() {
    const select = gevent.select as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown>
    expect(yield* caught(select([], [], [], -1))).toEqual(new gevent.ValueError("timeout must be non-negative"))
    expect(yield* caught(select(["x"], [], [], 0))).toBeInstanceOf(TypeError)
    expect(yield* caught(select([undefined], [], [], 0))).toBeInstanceOf(TypeError)
    expect(yield* caught(select(null, [], []))).toBeInstanceOf(TypeError)
    expect(yield* caught(select([], [], [], "1"))).toBeInstanceOf(TypeError)
    expect(yield* caught(select([], [], [], NaN))).toBeInstanceOf(TypeError)
    expect(yield* caught(gevent.select([], [], []))).toBeInstanceOf(gevent.LoopExit)
    expect(yield* gevent.select([], [], [], 0)).toEqual([[], [], []])
  })

  realProgram("lets others run though it always finds something", function*({ body, lines, log }) {
    const [here, there] = yield* pair()
    const other = gevent.spawn(body(function*() {
      log("other")
    }))
    while (!other.ready()) yield* gevent.select([], [here], [])
    expect(lines).toEqual(["other"])
    here.close()
    there.close()
  })

  realProgram("waits for what you make yourself", function*() {
    const changed = new Set<() => void>()
    let ready = false
    const mine: gevent.Selectable = {
      readiness: () => ready ? POLLIN : 0,
      watch: (f) => {
        changed.add(f)
        return () => void changed.delete(f)
      }
    }
    setTimeout(() => {
      // in vain
      for (const f of changed) f()
    }, 5)
    setTimeout(() => {
      ready = true
      for (const f of changed) f()
    }, 10)
    expect(yield* gevent.select([mine], [], [], 5)).toEqual([[mine], [], []])
    expect(changed.size).toBe(0)
  })
})

describe("poll", () => {
  realProgram("reports the events that were asked for", function*() {
    const [here, there] = yield* pair()
    const poll = gevent.poll<gevent.Socket>()
    expect(yield* poll.poll(0)).toEqual([])
    poll.register(here)
    expect(yield* poll.poll()).toEqual([[here, POLLOUT]])
    poll.modify(here, POLLIN)
    expect(yield* poll.poll(10)).toEqual([])
    expect(watchersOf(here)).toBe(0)
    yield* there.sendall("x")
    expect(yield* poll.poll(-1)).toEqual([[here, POLLIN]])
    poll.register(there, POLLIN | POLLOUT)
    expect(yield* poll.poll()).toEqual([[here, POLLIN], [there, POLLOUT]])
    poll.unregister(here)
    poll.unregister(there)
    expect(yield* poll.poll(1)).toEqual([])
    here.close()
    there.close()
  })

  realProgram("reports hang-ups, errors and closed sockets, whatever was asked for", function*() {
    const [here, there] = yield* pair()
    const poll = gevent.poll<gevent.Socket>()
    poll.register(here, 0)
    there.close()
    yield* here.recv()
    expect(yield* poll.poll(0)).toEqual([])
    here.shutdown("write")
    expect(yield* poll.poll(1000)).toEqual([[here, POLLHUP]])
    here.close()
    expect(yield* poll.poll()).toEqual([[here, POLLNVAL]])
    poll.unregister(here)

    const unused = new gevent.Socket()
    poll.register(unused)
    expect(yield* poll.poll()).toEqual([[unused, POLLOUT | POLLHUP]])
    poll.unregister(unused)
    const refused = yield* listener()
    const address = refused.getsockname()
    refused.close()
    expect(yield* caught(unused.connect(address))).toMatchObject({ code: "ECONNREFUSED" })
    poll.register(unused, POLLIN)
    expect(yield* poll.poll()).toEqual([[unused, POLLIN | POLLERR | POLLHUP]])
    unused.close()
  })

  realProgram("waits for several greenlets at once", function*({ body }) {
    const [here, there] = yield* pair()
    const poll = gevent.poll()
    poll.register(here, POLLIN)
    const waiting = [1, 2].map(() => gevent.spawn(body(() => poll.poll()[Symbol.iterator]() as never)))
    yield* gevent.sleep(0.001)
    yield* there.sendall("x")
    yield* gevent.joinall(waiting)
    expect(waiting.map((greenlet) => greenlet.value)).toEqual([[[here, POLLIN]], [[here, POLLIN]]])
    here.close()
    there.close()
  })

  test("refuses what is no socket, and to take out what is not in it", () => {
    const poll = gevent.poll()
    expect(() => poll.register("x" as never)).toThrow(new gevent.ValueError("Invalid file object: x"))
    expect(() => poll.register(new gevent.Socket(), "x" as never)).toThrow(TypeError)
    expect(() => poll.unregister(new gevent.Socket())).toThrow(gevent.KeyError)
  })

  program("waits for ever for nothing, which is an error", function*() {
    expect(yield* caught(gevent.poll().poll())).toBeInstanceOf(gevent.LoopExit)
    expect(yield* caught(gevent.poll().poll("x" as never))).toBeInstanceOf(TypeError)
  })
})

describe("the pipes of a process", () => {
  const cat = () => new gevent.Popen(["cat"], { stdin: gevent.PIPE, stdout: gevent.PIPE })

  realProgram("are waited for like sockets, together with them", function*() {
    const [first, second] = [cat(), cat()]
    const [here, there] = yield* pair()
    const reading = [first.stdout!, second.stdout!, there]
    expect(yield* gevent.select(reading, [], [], 0)).toEqual([[], [], []])
    yield* second.stdin!.write("from a process\n")
    expect((yield* gevent.select(reading, [], []))[0]).toEqual([second.stdout])
    expect(String(yield* second.stdout!.readline())).toBe("from a process\n")
    yield* here.sendall("from a socket")
    expect((yield* gevent.select(reading, [], []))[0]).toEqual([there])
    first.stdin!.close()
    expect((yield* gevent.select([first.stdout!], [], []))[0]).toEqual([first.stdout])
    expect(yield* first.stdout!.read()).toHaveLength(0)
    second.stdin!.close()
    expect([yield* first.wait(), yield* second.wait()]).toEqual([0, 0])
    expect(reading.map(watchersOf)).toEqual([0, 0, 0])
    for (const socket of [here, there]) socket.close()
  })

  realProgram("can be written to while the process reads, and are full when it does not", function*({ body }) {
    const sleeping = new gevent.Popen(["sleep", "60"], { stdin: gevent.PIPE })
    const stdin = sleeping.stdin!
    expect(stdin.readiness()).toBe(POLLOUT)
    const writing = gevent.spawn(body(function*() {
      yield* stdin.write(Buffer.alloc(4_000_000))
    }))
    yield* gevent.sleep(0)
    expect(stdin.readiness()).toBe(0)
    expect(yield* gevent.select([], [stdin], [], 0.02)).toEqual([[], [], []])
    sleeping.kill()
    expect((yield* gevent.select([], [stdin], []))[1]).toEqual([stdin])
    expect(yield* caught(writing.get())).toMatchObject({ code: "EPIPE" })
    expect(yield* sleeping.wait()).toBe(-9)
  })

  realProgram("once closed are no files any more", function*() {
    const process = cat()
    const poll = gevent.poll()
    poll.register(process.stdout!, POLLIN)
    process.stdout!.close()
    expect(yield* poll.poll()).toEqual([[process.stdout, POLLNVAL]])
    expect(yield* caught(gevent.select([process.stdout!], [], []))).toBeInstanceOf(gevent.ValueError)
    process.stdin!.close()
    yield* process.wait()
  })
})
