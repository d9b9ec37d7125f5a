/**
 * The sockets between machines.
 *
 * A machine has one port. The first byte of a connection says what it is for: the engine's own messages, or a link of ours.
 * TCP_NODELAY is always set, since a small message that waits for the acknowledgement of the last one takes 40 ms.
 *
 * A shared secret is the key of TLS (PSK, RFC 4279, with an ephemeral key exchange): both sides prove that they know it, and nobody
 * else can read or change what is sent. Certificates do the same by `tls`.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as crypto from "node:crypto"
import * as net from "node:net"
import * as tls from "node:tls"
import { InsecureAddressError, MachineError, MachineUnreachable } from "../errors.ts"

/**
 * How machines know each other.
 *
 * @category models
 * @since 0.2.0
 */
export interface Security {
  /** What all machines of a cluster know, and nobody else: 16 characters or more. */
  readonly secret?: string | undefined
  /** Certificates instead, in PEM: each machine shows its own, and accepts those that `ca` has signed. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca: string } | undefined
}

/** What a connection is for. */
export const FOR_ENGINE = 0x52
export const FOR_LINK = 0x4c

/** Why a machine does not answer at whose address nobody listens. */
export const REFUSED = "ECONNREFUSED"

/** How long a connection may take to be there, in milliseconds. */
const PATIENCE = 1000

/** A host and a port. */
export interface Place {
  readonly host: string
  readonly port: number
}

/** Reads `host:port`, or `[::1]:port`. */
export const placeOf = (address: string): Effect.Effect<Place, MachineError> => {
  const match = typeof address === "string" ? /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address) : null
  const port = Number(match?.[3])
  return match === null || port > 65535
    ? Effect.fail(new MachineError({ message: `an address is "host:port"; got ${String(address)}` }))
    : Effect.succeed({ host: match[1] ?? match[2]!, port })
}

export const addressOf = ({ host, port }: Place): string => `${host.includes(":") ? `[${host}]` : host}:${port}`

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (net.isIPv4(host) && host.startsWith("127."))

/** Refuses a place that others can reach without showing who they are. */
export const requireSecure = (
  place: Place,
  { secret, tls }: Security
): Effect.Effect<void, InsecureAddressError | MachineError> => {
  if (secret !== undefined && (typeof secret !== "string" || secret.length < 16)) {
    return Effect.fail(new MachineError({ message: "a secret has 16 characters or more" }))
  }
  return secret === undefined && tls === undefined && !isLoopback(place.host)
    ? Effect.fail(new InsecureAddressError({ address: addressOf(place) }))
    : Effect.void
}

const IDENTITY = "effect-stackless"

/** The options of TLS by which both sides show that they know the secret. */
const pskOptions = (secret: string): tls.SecureContextOptions & { pskCallback: any } => {
  const psk = crypto.createHmac("sha256", secret).update("effect-stackless/cluster").digest()
  return {
    ciphers: "ECDHE-PSK-CHACHA20-POLY1305",
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.2",
    // of a server it is called with the socket and the name, of a client with a hint
    pskCallback: (_: unknown, identity?: string) =>
      identity === undefined ? { psk, identity: IDENTITY } : identity === IDENTITY ? psk : null
  }
}

/** Listens, and tells of each connection what it is for. Gives back where it listens, of port 0 the one that it has got. */
export const listen = (
  place: Place,
  security: Security,
  accept: (purpose: number, socket: net.Socket) => void
): Effect.Effect<Place, MachineError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<net.Server, MachineError>((resume) => {
        const sockets = new Set<net.Socket>()
        const welcome = (socket: net.Socket): void => {
          socket.setNoDelay(true)
          sockets.add(socket)
          socket.on("close", () => sockets.delete(socket))
          socket.on("error", () => socket.destroy())
          socket.once("readable", () => {
            const purpose = socket.read(1) as Uint8Array | null
            if (purpose === null) socket.destroy()
            else accept(purpose[0]!, socket)
          })
        }
        const { secret, tls: certificates } = security
        const server = secret !== undefined
          ? tls.createServer({ ...pskOptions(secret), pskIdentityHint: IDENTITY }, welcome)
          : certificates !== undefined
          ? tls.createServer({ ...certificates, requestCert: true, rejectUnauthorized: true }, welcome)
          : net.createServer(welcome)
        server.on("tlsClientError", (_error: Error, socket: net.Socket) => socket.destroy())
        server.once("error", (cause: NodeJS.ErrnoException) =>
          resume(Effect.fail(
            new MachineError({ message: `cannot listen on ${addressOf(place)}: ${cause.code ?? cause.message}`, cause })
          )))
        server.listen(place.port, place.host, () => resume(Effect.succeed(server)))
        open.set(server, sockets)
      }),
      (server) =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const socket of open.get(server)!) socket.destroy()
        })
    ),
    (server) => ({ host: place.host, port: (server.address() as net.AddressInfo).port })
  )

const open = new WeakMap<net.Server, Set<net.Socket>>()

/** Connects to a machine. */
export const dial = (
  address: string,
  purpose: number,
  { secret, tls: certificates }: Security
): Effect.Effect<net.Socket, MachineUnreachable> =>
  Effect.flatMap(
    Effect.mapError(placeOf(address), ({ message }) => new MachineUnreachable({ address, reason: message })),
    (place) =>
      Effect.callback<net.Socket, MachineUnreachable>((resume) => {
        const fails = (reason: string): void => {
          socket.destroy()
          clearTimeout(timer)
          resume(Effect.fail(new MachineUnreachable({ address, reason })))
        }
        const timer = setTimeout(() => fails(`no connection in ${PATIENCE} ms`), PATIENCE)
        const connected = (): void => {
          clearTimeout(timer)
          socket.off("error", failed)
          socket.on("error", () => socket.destroy())
          socket.write(Uint8Array.of(purpose))
          resume(Effect.succeed(socket))
        }
        const failed = (error: NodeJS.ErrnoException): void =>
          fails(
            error.code?.startsWith("ERR_SSL") === true || error.code === "ECONNRESET" && secret !== undefined
              ? `it does not know the same secret (${error.code})`
              : error.code ?? error.message
          )
        const options = { ...place, noDelay: true }
        const socket: net.Socket = secret !== undefined
          ? tls.connect({ ...options, ...pskOptions(secret), checkServerIdentity: () => undefined }, connected)
          : certificates !== undefined
          ? tls.connect({ ...options, ...certificates }, connected)
          : net.connect(options, connected)
        socket.once("error", failed)
        return Effect.sync(() => {
          clearTimeout(timer)
          socket.destroy()
        })
      })
  )
