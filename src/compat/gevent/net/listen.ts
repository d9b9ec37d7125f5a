/**
 * Listening: where, and what goes wrong.
 *
 * Carries the sockets that `gevent.baseserver` makes, and `socket.listen`. Node binds in the background, so all of them
 * wait for that here.
 */
import type * as Effect from "effect/Effect"
import type { ListenOptions, Server as NodeServer } from "node:net"
import type { Hub } from "../core/hub.ts"
import { NodeEvent } from "./node-event.ts"
import { failing, type SocketError, socketError } from "./socketerror.ts"

/** Where a socket is: host and port, or the path of a Unix socket. */
export type Address = readonly [host: string, port: number] | string

/** Where to listen: a port on all interfaces, a host and port, or the path of a Unix socket. */
export type Listener = number | Address

/** Where to listen, as Node has it. */
export const whereOf = (listener: Listener): { path: string } | { host?: string; port: number } =>
  typeof listener === "number"
    ? { port: listener }
    : typeof listener === "string"
    ? { path: listener }
    : { host: listener[0], port: listener[1] }

/** An address of Node's: an empty one for what has none. */
export const addressOf = (address: { address?: string; port?: number } | string | null | undefined): Address =>
  address == null
    ? ""
    : typeof address === "string"
    ? address
    : address.address === undefined
    ? ""
    : [address.address, address.port!]

/**
 * Has a server of Node's listen, and waits until it does. Fails with `SocketError`, of a port in use for example. What
 * goes wrong later (too many open files, say) is told to the hub, and the server lives on.
 *
 * @param what listens, as a report names it
 */
export function* listening(
  server: NodeServer,
  where: ListenOptions,
  hub: Hub,
  what: unknown
): Generator<Effect.Effect<any, any>, void, any> {
  const arrival = new NodeEvent(what, hub)
  let failure: SocketError | undefined
  server.on("error", (error) => {
    if (server.listening) return hub.arrives(() => hub.handleError(what, socketError(error)))
    failure = socketError(error)
    arrival.comes()
  })
  server.listen(where, arrival.comes)
  try {
    yield* arrival.wait()
  } catch (error) {
    // it may be on its way still: to look a host name up, for example
    server.on("listening", () => server.close())
    server.close()
    throw error
  }
  if (failure !== undefined) yield* failing(failure)
}
