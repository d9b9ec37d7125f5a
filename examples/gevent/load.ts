/**
 * Holds many connections to an echo server at once, and has each of them answered again and again: the server of this
 * package, a plain one of Node's, and gevent's own where Python has it. Every server is a process of its own.
 *
 *     node .build/examples/gevent/load.js [CONNECTIONS] [ROUNDS] [RUNS]
 *
 * First every connection has a line of its own sent back, so that all of them are known to be held; this is the time that
 * connecting takes. Then the clock starts for the rounds, in each of which all are answered once. The runs of the servers
 * take turns, and the medians of each are printed.
 *
 * Needs two files a connection: `ulimit -n`.
 */
import { Array as Arr, Effect, Order } from "effect"
import { call, StreamServer } from "effect-stackless/compat/gevent"
import { type ChildProcess, spawn as spawnProcess, spawnSync } from "node:child_process"
import { once } from "node:events"
import { connect, createServer, type Socket as NodeSocket } from "node:net"
import { fileURLToPath } from "node:url"

const python = `
import gevent.monkey, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
from gevent.server import StreamServer
def handle(socket, address):
    while True:
        data = socket.recv(65536)
        if not data:
            return
        socket.sendall(data)
server = StreamServer(("127.0.0.1", 0), handle, backlog=4096)
server.start()
print(server.server_port, flush=True)
server.serve_forever()
`

/** The servers: each prints its port. */
const servers = {
  "effect-stackless": () =>
    Effect.runPromise(call(function*() {
      const server = new StreamServer(["127.0.0.1", 0], function*(socket) {
        for (;;) {
          const data = yield* socket.recv()
          if (data.byteLength === 0) return
          yield* socket.sendall(data)
        }
      }, { backlog: 4096 })
      yield* server.start()
      console.log(server.serverPort)
      yield* server.serveForever()
    })),
  node: async () => {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on("data", (data) => socket.write(data))
      socket.on("error", () => {})
    })
    await once(server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }), "listening")
    console.log((server.address() as { port: number }).port)
  }
}

/** What a server did under load. */
export interface Figures {
  /** How many connections were held at once, each of which was answered. */
  readonly connections: number
  /** How many seconds it took until all were connected, and answered for the first time. */
  readonly connecting: number
  readonly requestsPerSecond: number
  /** Resident memory of the server while it held all connections, in MB. */
  readonly memory: number
}

/** Pythons that have gevent: Debian's has, if the package is installed. */
const pythons = () =>
  ["python3", "/usr/bin/python3"].filter((path) => spawnSync(path, ["-c", "import gevent"]).status === 0)

const startOf = (name: string): ChildProcess => {
  const stdio = ["ignore", "pipe", "inherit"] as const
  return name in servers
    ? spawnProcess(process.execPath, [fileURLToPath(import.meta.url), "--serve", name], { stdio: [...stdio] })
    : spawnProcess(name, ["-c", python], { stdio: [...stdio] })
}

/** Sends `message`, and waits until as much has come back: gives that to `answered`, which says what to send next. */
const talk = (socket: NodeSocket, message: Buffer, answered: (answer: Buffer) => Buffer | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    let [sent, parts, missing] = [message, [] as Array<Buffer>, message.byteLength]
    const lost = (error?: unknown) => reject(error instanceof Error ? error : new Error("a connection was lost"))
    const receives = (data: Buffer) => {
      missing -= data.byteLength
      parts.push(data)
      if (missing > 0) return
      const next = answered(parts.length === 1 ? data : Buffer.concat(parts))
      if (next === undefined) {
        socket.off("error", lost).off("close", lost).off("data", receives)
        resolve()
        return
      }
      ;[sent, parts, missing] = [next, [], next.byteLength]
      socket.write(sent)
    }
    socket.on("error", lost).on("close", lost).on("data", receives)
    socket.write(sent)
  })

/** Opens the connections, has each answered once, and then as often as there are rounds. */
export const load = async (name: string, connections: number, rounds: number): Promise<Figures> => {
  const server = startOf(name)
  try {
    const [printed] = await once(server.stdout!, "data")
    const port = Number(String(printed))
    const sockets: Array<NodeSocket> = []
    const began = performance.now()
    for (let batch = 0; batch < connections; batch += 250) {
      const opened = Array.from({ length: Math.min(250, connections - batch) }, () => {
        const socket = connect({ port, host: "127.0.0.1", noDelay: true })
        sockets.push(socket)
        return once(socket, "connect")
      })
      await Promise.all(opened)
    }
    let held = 0
    await Promise.all(sockets.map((socket, n) =>
      talk(socket, Buffer.from(`connection ${n}\n`), (answer) => {
        if (String(answer) !== `connection ${n}\n`) throw new Error(`connection ${n} was answered ${String(answer)}`)
        held++
        return undefined
      })
    ))
    const connected = performance.now()
    const message = Buffer.from("a line to be sent back\n")
    await Promise.all(sockets.map((socket) => {
      let left = rounds
      return talk(socket, message, () => --left > 0 ? message : undefined)
    }))
    const ended = performance.now()
    const { stdout } = spawnSync("ps", ["-o", "rss=", "-p", String(server.pid)], { encoding: "utf8" })
    for (const socket of sockets) socket.destroy()
    return {
      connections: held,
      connecting: (connected - began) / 1000,
      requestsPerSecond: connections * rounds / ((ended - connected) / 1000),
      memory: Number(stdout) / 1024
    }
  } finally {
    server.kill("SIGKILL")
  }
}

const median = (runs: ReadonlyArray<Figures>, of: (figures: Figures) => number): number =>
  Arr.sort(runs.map(of), Order.Number)[runs.length >> 1]!

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [first, second, third] = process.argv.slice(2)
  if (first === "--serve") await servers[second as keyof typeof servers]()
  else {
    const [connections, rounds, runs] = [Number(first ?? 10_000), Number(second ?? 10), Number(third ?? 3)]
    const names = ["node", "effect-stackless", ...pythons().slice(0, 1)]
    const figures = new Map<string, Array<Figures>>(names.map((name) => [name, []]))
    // whoever comes first would meet a client that is not warm yet
    await load("node", Math.min(connections, 500), 20)
    for (let run = 0; run < runs; run++) {
      for (const name of names) figures.get(name)!.push(await load(name, connections, rounds))
    }
    const plain = median(figures.get("node")!, (run) => run.requestsPerSecond)
    for (const [name, all] of figures) {
      const rate = median(all, (run) => run.requestsPerSecond)
      console.log(
        `${(name in servers ? name : "gevent").padEnd(17)}${Math.min(...all.map((run) => run.connections))} held, ` +
          `connected in ${median(all, (run) => run.connecting).toFixed(1)} s, ${Math.round(rate)} requests/s, ` +
          `${(rate / plain).toFixed(2)} of node, ${Math.round(median(all, (run) => run.memory))} MB`
      )
    }
  }
}
