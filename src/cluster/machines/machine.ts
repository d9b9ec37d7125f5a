/** The layer that makes a process a machine of a cluster. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Duplex } from "node:stream"
import { layer as engine, Placement, type Registry } from "../engine.ts"
import { type InsecureAddressError, MachineError } from "../errors.ts"
import { Homes } from "./channel.ts"
import { isMachine, Node, setNode } from "./node.ts"
import { addressOf, dial, FOR_ENGINE, FOR_LINK, listen, placeOf, requireSecure, type Security } from "./sockets.ts"
import { Tasklets } from "./tasklets.ts"

/**
 * A machine of a cluster.
 *
 * @category models
 * @since 0.2.0
 */
export interface MachineOptions<E = never> extends Security {
  /** Where the others reach it, as `host:port`. With port 0 it takes one that is free. */
  readonly address: string
  /** Where it listens, if that is another place: `0.0.0.0:4000`. */
  readonly listen?: string
  /** Where the machines of the cluster, and their locks on shards, are written down: `registry.memory` for one alone, `registry.postgres` for several. */
  readonly registry: Registry<E>
}

/**
 * The machine that this process is.
 *
 * @category services
 * @since 0.2.0
 */
export class Machine extends Context.Service<Machine, {
  /** Where the others reach it. */
  readonly address: string
  /** The addresses of all machines of the cluster. */
  readonly machines: Effect.Effect<ReadonlyArray<string>>
  /** The address of the machine that has a key: the home of the channel, and the place of the tasklet, by that name. */
  readonly locate: (key: string) => Effect.Effect<string>
}>()("effect-stackless/cluster/Machine") {}

/**
 * Makes this process a machine of a cluster, for as long as the layer is there. When it ends, what it has goes to the others first.
 *
 * Fails with `InsecureAddressError` if others can reach it and it has no secret and no certificate, with `MachineError` if it cannot
 * listen, or if this process is a machine already.
 *
 * @category layers
 * @since 0.2.0
 */
export const machine = <E = never>(
  options: MachineOptions<E>
): Layer.Layer<Machine, MachineError | InsecureAddressError | E> =>
  Layer.unwrap(Effect.gen(function*() {
    const { registry, secret, tls } = options
    const security: Security = { secret, tls }
    const reached = yield* placeOf(options.address)
    const place = options.listen === undefined ? reached : yield* placeOf(options.listen)
    yield* requireSecure(place, security)
    if (isMachine()) return yield* new MachineError({ message: "this process is a machine already: a process is one" })
    let node: Node | undefined
    // nobody knows the address before it is registered, which is when everything is there
    let welcome: (socket: Duplex) => void = (socket) => socket.destroy()
    const { port } = yield* listen(place, security, (purpose, socket) => {
      if (purpose === FOR_ENGINE) welcome(socket)
      else if (purpose === FOR_LINK && node !== undefined) node.accept(socket)
      else socket.destroy()
    })
    const at = { host: reached.host, port: reached.port === 0 ? port : reached.port }
    const made = node = new Node(addressOf(at), security)
    yield* Effect.acquireRelease(
      Effect.sync(() => setNode(made)),
      () => Effect.sync(() => setNode(undefined))
    )
    const homes = new Homes(made)
    yield* Tasklets.start(made)
    yield* Effect.addFinalizer(() =>
      Effect.andThen(
        made.handedOver,
        Effect.sync(() => {
          homes.end()
          made.end()
        })
      )
    )
    const placed = engine({
      ...at,
      registry,
      dial: (address) => dial(address, FOR_ENGINE, security),
      accepts: (accept) => {
        welcome = accept
      },
      answers: (address) => made.answers(address),
      hold: made.hold,
      ready: (placement) => {
        made.placement = placement
      }
    })
    return Layer.effect(Machine)(Effect.gen(function*() {
      const placement = yield* Placement
      yield* Effect.forkScoped(made.watch)
      return Machine.of({
        address: made.address,
        machines: placement.machines,
        locate: (key) => placement.locate(placement.shardOf(key))
      })
    })).pipe(Layer.provide(placed))
  }))
