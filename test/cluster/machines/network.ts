/**
 * Two machines and a database, and a network between them that can be cut.
 *
 * Each machine has a network namespace of its own, joined to the database's by a bridge: that takes Linux, root, and the program `ip`. Where these
 * are not there, machines and database stand behind proxies that drop everything.
 */
import { execFileSync, spawn } from "node:child_process"
import { Proxy } from "./proxy.ts"

/** What a machine is started with. */
export interface Site {
  readonly options: { readonly address: string; readonly listen: string; readonly host: string; readonly port: number }
  /** The command that runs it there. */
  readonly within: ReadonlyArray<string>
}

export interface Network {
  readonly kind: "network namespaces" | "proxies"
  readonly sites: readonly [Site, Site]
  /** Cuts the link between the two machines: both reach the database. */
  readonly cutLink: () => void
  /** Cuts the second machine off from everything. */
  readonly cutOff: () => void
  readonly heal: () => void
  readonly remove: () => void
}

/** @param socket the database's, on this machine */
export const makeNetwork = async (socket: string): Promise<Network> => {
  const reason = unable()
  if (reason === undefined) return namespaces(socket)
  console.log(`no network namespaces here: ${reason}; the network is cut by proxies`)
  return proxies(socket)
}

const ip = (...args: ReadonlyArray<string>): void => {
  execFileSync("ip", args, { stdio: "pipe" })
}

/** Why namespaces cannot be made. */
const unable = (): string | undefined => {
  const name = `stackless-${process.pid}-try`
  try {
    ip("netns", "add", name)
  } catch (error) {
    return (error as Error).message.trim()
  }
  try {
    ip("-n", name, "link", "add", "bridge", "type", "bridge")
    ip("-n", name, "link", "add", "one", "type", "veth", "peer", "name", "other")
    return undefined
  } catch (error) {
    return (error as Error).message.trim()
  } finally {
    ip("netns", "del", name)
  }
}

const MIDDLE = "10.77.0.254"
const PORT = 4000
/** Nobody has it. */
const NOWHERE = "02:00:00:00:00:99"

/** What brings connections of the database's namespace to its socket. */
const RELAY = `
const net = require("node:net")
const [host, port, path] = process.argv.slice(1)
net.createServer((from) => {
  const to = net.connect({ path })
  for (const [one, other] of [[from, to], [to, from]]) {
    one.pipe(other)
    one.on("error", () => other.destroy()).on("close", () => other.destroy())
  }
}).listen(+port, host, () => console.log("ready"))
`

const namespaces = async (socket: string): Promise<Network> => {
  const names = ["middle", "a", "b"].map((name) => `stackless-${process.pid}-${name}`) as [string, string, string]
  const [middle, ...machines] = names
  for (const name of names) {
    ip("netns", "add", name)
    ip("-n", name, "link", "set", "lo", "up")
  }
  ip("-n", middle, "link", "add", "bridge", "type", "bridge")
  ip("-n", middle, "addr", "add", `${MIDDLE}/24`, "dev", "bridge")
  ip("-n", middle, "link", "set", "bridge", "up")
  machines.forEach((name, i) => {
    ip("-n", middle, "link", "add", `to${i}`, "type", "veth", "peer", "name", "eth0", "netns", name)
    ip("-n", middle, "link", "set", `to${i}`, "master", "bridge", "up")
    ip("-n", name, "addr", "add", `10.77.0.${i + 1}/24`, "dev", "eth0")
    ip("-n", name, "link", "set", "eth0", "up")
  })
  const within = (name: string): ReadonlyArray<string> => ["ip", "netns", "exec", name]
  const [command, ...args] = [...within(middle), process.execPath, "-e", RELAY, MIDDLE, "5432", socket]
  const relay = spawn(command!, args, { stdio: ["ignore", "pipe", "inherit"] })
  await new Promise((resolve) => relay.stdout.once("data", resolve))
  const site = (i: number): Site => {
    const address = `10.77.0.${i + 1}:${PORT}`
    return { options: { address, listen: address, host: MIDDLE, port: 5432 }, within: within(machines[i]!) }
  }
  return {
    kind: "network namespaces",
    sites: [site(0), site(1)],
    // each takes the other one to be where nobody is
    cutLink: () => {
      machines.forEach((name, i) => {
        ip("-n", name, "neigh", "replace", `10.77.0.${2 - i}`, "lladdr", NOWHERE, "dev", "eth0", "nud", "permanent")
      })
    },
    cutOff: () => ip("-n", middle, "link", "set", "to1", "nomaster"),
    heal: () => {
      ip("-n", middle, "link", "set", "to1", "master", "bridge")
      for (const name of machines) ip("-n", name, "neigh", "flush", "dev", "eth0", "nud", "permanent")
    },
    remove: () => {
      relay.kill("SIGKILL")
      for (const name of names) ip("netns", "del", name)
    }
  }
}

const proxies = async (socket: string): Promise<Network> => {
  const before = [await Proxy.make(), await Proxy.make()] as const
  const databases = [await Proxy.make({ path: socket }), await Proxy.make({ path: socket })] as const
  const site = (i: 0 | 1): Site => {
    const [host, port] = databases[i].address.split(":") as [string, string]
    return { options: { address: before[i].address, listen: before[i].behind, host, port: Number(port) }, within: [] }
  }
  const all = [...before, ...databases]
  return {
    kind: "proxies",
    sites: [site(0), site(1)],
    cutLink: () => {
      for (const proxy of before) proxy.cut()
    },
    cutOff: () => {
      for (const proxy of [...before, databases[1]]) proxy.cut()
    },
    heal: () => {
      for (const proxy of all) if (proxy.isCut) proxy.heal()
    },
    remove: () => {
      for (const proxy of all) proxy.close()
    }
  }
}
