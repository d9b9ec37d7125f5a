/**
 * Holds many connections to an echo server at once, and has each of them answered again and again: the server of this
 * package, a plain one of Node's, and gevent's own where Python has it. Every server is a process of its own.
 *
 *     node .build/examples/gevent/load.js [CONNECTIONS] [ROUNDS]
 *
 * Needs two files a connection: `ulimit -n`.
 */
import { Effect } from "effect"
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
  readonly server: string
  readonly connections: number
  readonly requestsPerSecond: number
  /** Resident memory of the server while it held all connections, in MB. */
  readonly memory: number
}

/** A Python that has gevent: Debian's has, if the package is installed. */
const pythons = ["python3", "/usr/bin/python3"].filter((path) => spawnSync(path, ["-c", "import gevent"]).status === 0)

const startOf = (name: string): ChildProcess => {
  const stdio = ["ignore", "pipe", "inherit"] as const
  return name === "gevent"
    ? spawnProcess(pythons[0]!, ["-c", python], { stdio: [...stdio] })
    : spawnProcess(process.execPath, [fileURLToPath(import.meta.url), "--serve", name], { stdio: [...stdio] })
}

/** Opens the connections, and sends a line on each, again when it was answered, until each had its rounds. */
export const load = async (name: string, connections: number, rounds: number): Promise<Figures> => {
  const server = startOf(name)
  try {
    const [printed] = await once(server.stdout!, "data")
    const port = Number(String(printed))
    const sockets: Array<NodeSocket> = []
    for (let batch = 0; batch < connections; batch += 250) {
      const opened = Array.from({ length: Math.min(250, connections - batch) }, () => {
        const socket = connect({ port, host: "127.0.0.1", noDelay: true })
        sockets.push(socket)
        return once(socket, "connect")
      })
      await Promise.all(opened)
    }
    const message = Buffer.from("a line to be sent back\n")
    const began = performance.now()
    await Promise.all(sockets.map((socket) =>
      new Promise<void>((resolve, reject) => {
        let left = rounds
        let missing = message.byteLength
        socket.on("error", reject)
        socket.on("close", () => reject(new Error("a connection was lost")))
        socket.on("data", (data) => {
          missing -= data.byteLength
          if (missing > 0) return
          missing = message.byteLength
          if (--left > 0) socket.write(message)
          else resolve()
        })
        socket.write(message)
      })
    ))
    const seconds = (performance.now() - began) / 1000
    const { stdout } = spawnSync("ps", ["-o", "rss=", "-p", String(server.pid)], { encoding: "utf8" })
    for (const socket of sockets) socket.removeAllListeners("close").destroy()
    return {
      server: name,
      connections,
      requestsPerSecond: Math.round(connections * rounds / seconds),
      memory: Math.round(Number(stdout) / 1024)
    }
  } finally {
    server.kill("SIGKILL")
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [first, second] = process.argv.slice(2)
  if (first === "--serve") await servers[second as keyof typeof servers]()
  else {
    const [connections, rounds] = [Number(first ?? 10_000), Number(second ?? 10)]
    const names = ["node", "effect-stackless"]
    if (pythons.length > 0) names.push("gevent")
    const rates: Array<number> = []
    for (const name of names) {
      const figures = await load(name, connections, rounds)
      rates.push(figures.requestsPerSecond)
      console.log(
        `${name.padEnd(18)} ${figures.connections} connections, ${figures.requestsPerSecond} requests/s, ` +
          `${(figures.requestsPerSecond / rates[0]!).toFixed(2)} of node, ${figures.memory} MB`
      )
    }
  }
}
