/** The examples, over real sockets on 127.0.0.1. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { withThread } from "effect-stackless/greenlet"
import { spawn as spawnProcess, spawnSync } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { WebSocket } from "ws"
import { clients, Room } from "../../examples/gevent/chat.ts"
import { download } from "../../examples/gevent/concurrentDownload.ts"
import { echo } from "../../examples/gevent/echoserver.ts"
import { PortForwarder } from "../../examples/gevent/portforwarder.ts"
import { compute } from "../../examples/gevent/threadpool.ts"
import { proxy } from "../../examples/gevent/webproxy.ts"
import { echo as echoMessages } from "../../examples/gevent/websocket.ts"
import type { Steps } from "./program.ts"

const local = ["127.0.0.1", 0] as const

const run = <A>(main: () => Steps<A>): Promise<A> => Effect.runPromise(withThread(gevent.call(main)))

beforeAll(() => void vi.spyOn(console, "log").mockImplementation(() => {}))
afterAll(() => void vi.restoreAllMocks())

/** Says some lines to an echo server, and gives back what it answers. */
function* conversation(address: gevent.Address, ...said: ReadonlyArray<string>): Steps<Array<string>> {
  const socket = yield* gevent.createConnection(address, { timeout: 30 })
  const lines = socket.makefile()
  const heard = [String(yield* lines.readline())]
  for (const line of said) {
    yield* socket.sendall(`${line}\n`)
    heard.push(String(yield* lines.readline()))
  }
  socket.close()
  return heard
}

const welcome = "Welcome to the echo server! Type quit to exit.\r\n"

test("the echo server answers each line, until somebody quits", async () => {
  const heard = await run(function*() {
    const server = new gevent.StreamServer(local, echo)
    yield* server.start()
    const talks = [["a", "b"], ["c", "quit"]].map((lines) => gevent.spawn(conversation, server.address, ...lines))
    yield* gevent.joinall(talks, { raiseError: true })
    yield* server.stop()
    return talks.map((talk) => talk.value)
  })
  expect(heard).toEqual([[welcome, "a\n", "b\n"], [welcome, "c\n", ""]])
})

test("the port forwarder passes on what is said in both directions, and survives a destination that is not there", async () => {
  await run(function*() {
    const server = new gevent.StreamServer(local, echo)
    yield* server.start()
    const forwarder = new PortForwarder(local, server.address)
    yield* forwarder.start()
    expect(yield* conversation(forwarder.address, "through")).toEqual([welcome, "through\n"])
    yield* server.stop()
    expect(yield* conversation(forwarder.address)).toEqual([""])
    yield* forwarder.stop()
  })
})

describe("beside a web server", () => {
  let inside = 0
  let most = 0
  const web = createServer(async (request, response) => {
    most = Math.max(most, ++inside)
    await new Promise((resolve) => setTimeout(resolve, 100))
    inside--
    response.writeHead(request.url === "/gone" ? 404 : 200, { "x-kept": "yes" }).end(`page ${request.url}`)
  })
  let base: string
  beforeAll(async () => {
    await once(web.listen(0, "127.0.0.1"), "listening")
    base = `127.0.0.1:${(web.address() as { port: number }).port}`
  })
  afterAll(() => void web.close())

  test("the downloads go on at the same time", async () => {
    const urls = Array.from({ length: 10 }, (_, n) => `http://${base}/${n}`)
    expect(await run(() => download(urls))).toEqual(Array(10).fill(7))
    expect(most).toBeGreaterThan(1)
  })

  test("the web proxy passes pages on, and answers 502 for a server that is not there", async () => {
    await run(function*() {
      const server = new gevent.WSGIServer(local, proxy)
      yield* server.start()
      const get = (path: string) =>
        Effect.promise(async () => {
          const response = await fetch(`http://127.0.0.1:${server.serverPort}${path}`)
          return [response.status, response.headers.get("x-kept"), await response.text()]
        })
      expect(yield* get(`/${base}/a?b=c`)).toEqual([200, "yes", "page /a?b=c"])
      expect(yield* get(`/${base}/gone`)).toEqual([404, "yes", "page /gone"])
      expect((yield* get("/127.0.0.1:1/x"))[0]).toBe(502)
      yield* server.stop()
    })
  })
})

test("the web server speaks with a WebSocket client, and others are told what is wanted", async () => {
  await run(function*() {
    const server = new gevent.WSGIServer(local, echoMessages)
    yield* server.start()
    const at = `127.0.0.1:${server.serverPort}`
    const messages = ["short", "", "ä".repeat(300), "x".repeat(70_000), Buffer.from([0, 255])]
    const heard = yield* Effect.promise(async () => {
      const client = new WebSocket(`ws://${at}/chat`, { perMessageDeflate: false })
      await once(client, "open")
      const heard: Array<unknown> = []
      for (const message of messages) {
        client.send(message)
        const [data, isBinary] = await once(client, "message") as [Buffer, boolean]
        heard.push(isBinary ? data : String(data))
      }
      // in two frames, with a ping in between
      client.send("half", { fin: false })
      client.ping("alive")
      client.send(" and half", { fin: true })
      const [[pong], [whole]] = await Promise.all([once(client, "pong"), once(client, "message")])
      client.close(1000, "done")
      const [code, reason] = await once(client, "close") as [number, Buffer]
      return [...heard, String(pong), String(whole), code, String(reason)]
    })
    expect(heard).toEqual([...messages, "alive", "half and half", 1000, "done"])
    const response = yield* Effect.promise(() => fetch(`http://${at}/`))
    expect([response.status, response.headers.get("upgrade")]).toEqual([426, "websocket"])
    yield* server.stop()
  })
})

test("the thread pool computes while another greenlet has its turns", async () => {
  const { numbers, turns } = await run(compute)
  expect(numbers).toEqual([196_418, 317_811, 514_229])
  expect(turns).toBeGreaterThan(3)
})

describe("in processes of their own", () => {
  beforeAll(() => {
    const { status, stderr, stdout } = spawnSync("npm", ["run", "-s", "build:programs"], { encoding: "utf8" })
    if (status !== 0) throw new Error(`the examples cannot be built\n${stdout}${stderr}`)
  }, 120_000)

  test("the chat delivers every message to 2,000 clients of another process", async () => {
    const [count, speakers] = [2000, 5]
    const figures = await run(function*() {
      const room = new Room()
      const server = new gevent.StreamServer(local, (socket, address) => room.handle(socket, address), {
        backlog: 2048
      })
      yield* server.start()
      const crowd = spawnProcess(
        process.execPath,
        [".build/examples/gevent/chat.js", String(count), String(server.serverPort), String(speakers)],
        { stdio: ["ignore", "pipe", "inherit"] }
      )
      let printed = ""
      crowd.stdout.on("data", (part) => printed += part)
      let most = 0
      const watching = gevent.spawn(function*(): Steps {
        for (;;) {
          most = Math.max(most, room.size)
          yield* gevent.sleep(0.005)
        }
      })
      yield* Effect.promise(() => once(crowd, "close"))
      yield* watching.kill()
      yield* server.stop()
      return { ...JSON.parse(printed), most, messages: room.messages }
    })
    console.info(figures)
    expect(figures).toMatchObject({
      clients: count,
      delivered: count * speakers,
      lost: 0,
      most: count,
      messages: speakers
    })
  }, 60_000)

  const files = Number(spawnSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).stdout.replace("unlimited", "1e9"))

  test.skipIf(files < 10_100)("an echo server holds 10,000 connections at once and answers each", () => {
    const load = [".build/examples/gevent/load.js", "10000", "5", "1"]
    const { status, stderr, stdout } = spawnSync(process.execPath, load, { encoding: "utf8", timeout: 100_000 })
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
    console.info(stdout)
    const [, held, rate] = /^effect-stackless +(\d+) held, .*, (\d+) requests\/s/m.exec(stdout)!
    expect(Number(held)).toBe(10_000)
    // a tenth of what it does on a machine that has nothing else to do
    expect(Number(rate)).toBeGreaterThan(2500)
  }, 120_000)

  test("a program ends with its main greenlet, whatever the others still wait for", () => {
    const source = `
      import { Effect } from "effect"
      import * as gevent from "effect-stackless/compat/gevent"
      await Effect.runPromise(gevent.call(function*() {
        gevent.spawn(function*() { yield* gevent.sleep(3600) })
        yield* gevent.sleep(0.01)
      }))`
    const began = Date.now()
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", source], {
      timeout: 60_000,
      encoding: "utf8"
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
    expect(Date.now() - began).toBeLessThan(9000)
  })
})

test("the clients of the chat also run beside its server", async () => {
  await run(function*() {
    const room = new Room()
    const server = new gevent.StreamServer(local, (socket, address) => room.handle(socket, address), { spawn: 100 })
    yield* server.start()
    expect(yield* gevent.call(clients, 20, server.address, 2)).toMatchObject({ delivered: 40, lost: 0 })
    yield* server.stop()
  })
})
