/** What stands between machines, and can be cut: then nothing goes through, in either direction, and nobody is told. */
import * as net from "node:net"

export class Proxy {
  /** Where it is reached. */
  address = ""
  /** Where the machine behind it listens. */
  readonly behind: string
  isCut = false
  private readonly pairs = new Set<readonly [net.Socket, net.Socket]>()
  private readonly server: net.Server

  private constructor(behind: net.NetConnectOpts) {
    this.behind = "port" in behind ? `127.0.0.1:${behind.port}` : behind.path
    this.server = net.createServer({ pauseOnConnect: true }, (from) => {
      const to = net.connect(behind)
      for (const socket of [from, to]) socket.setNoDelay(true)
      const pair = [from, to] as const
      this.pairs.add(pair)
      const close = (): void => {
        // a cut network tells nobody of a close, either
        if (this.isCut) return
        this.pairs.delete(pair)
        from.destroy()
        to.destroy()
      }
      for (const [one, other] of [[from, to], [to, from]] as const) {
        one.on("data", (data) => {
          // what is under way when the network is cut is lost
          if (!this.isCut) other.write(data)
        })
        one.on("error", close)
        one.on("close", close)
      }
      from.resume()
    })
  }

  static async make(behind?: net.NetConnectOpts): Promise<Proxy> {
    const made = new Proxy(behind ?? { host: "127.0.0.1", port: await freePort() })
    await new Promise<void>((resolve) => made.server.listen(0, "127.0.0.1", resolve))
    made.address = `127.0.0.1:${(made.server.address() as net.AddressInfo).port}`
    return made
  }

  cut(): void {
    this.isCut = true
  }

  /** The network is there again. Connections from before are not. */
  heal(): void {
    this.isCut = false
    for (const [from, to] of this.pairs) {
      from.destroy()
      to.destroy()
    }
    this.pairs.clear()
  }

  close(): void {
    this.heal()
    this.server.close()
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => resolve(port))
    })
  })
