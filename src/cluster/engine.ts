/**
 * The one file that touches Effect's cluster and RPC, whose modules are marked unstable.
 *
 * The engine places shards: it knows the machines, locks their shards in the storage, and moves them when machines come and go.
 * Everything that is kept by a key, channels and tasklets, is kept with the shard of the key. What goes between machines for these
 * goes over links of ours; over the engine's own connections goes the question who has a shard, and nothing else.
 */
import type * as NodeSocket from "@effect/platform-node/NodeSocket"
import { PersistenceError } from "effect/cluster/ClusterError"
import * as Entity from "effect/cluster/Entity"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import * as RunnerServer from "effect/cluster/RunnerServer"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import type * as ShardId from "effect/cluster/ShardId"
import * as Sharding from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import type { Duplex } from "node:stream"
import { MachineError } from "./errors.ts"
import { addressOf } from "./machines/sockets.ts"

/** Where the machines and the locks on shards are written down. */
export type Registry<E = never> = Layer.Layer<RunnerStorage.RunnerStorage, E, ShardingConfig.ShardingConfig>

/** One in the memory of this process, for one machine alone. */
export const registryInMemory: Registry = RunnerStorage.layerMemory

/** One in a database. */
export const registryInSql = SqlRunnerStorage.layer

/** What a registry keeps, where its tables are at hand: machines by their addresses, and who has the lock on a shard. */
export interface Records {
  readonly machines: () => Array<readonly [runner: string, healthy: boolean]>
  /** Gives the number of the machine. */
  readonly register: (address: string, runner: string, healthy: boolean) => number
  readonly unregister: (address: string) => void
  readonly setHealth: (address: string, healthy: boolean) => void
  /** Locks those that nobody else has, and gives those that it has of these. */
  readonly acquire: (address: string, shards: ReadonlyArray<string>) => Array<string>
  readonly refresh: (address: string, shards: ReadonlyArray<string>) => Array<string>
  readonly release: (address: string, shard: string) => void
  readonly releaseAll: (address: string) => void
}

/** One of these records. */
export const registryOf = (records: Records): Registry => {
  const attempt = <A>(attempt: () => A): Effect.Effect<A, PersistenceError> =>
    Effect.try({ try: attempt, catch: (cause) => new PersistenceError({ cause }) })
  return Layer.succeed(RunnerStorage.RunnerStorage)(RunnerStorage.makeEncoded({
    getRunners: attempt(records.machines),
    register: (...args) => attempt(() => records.register(...args)),
    unregister: (address) => attempt(() => records.unregister(address)),
    setRunnerHealth: (...args) => attempt(() => records.setHealth(...args)),
    acquire: (...args) => attempt(() => records.acquire(...args)),
    refresh: (...args) => attempt(() => records.refresh(...args)),
    release: (...args) => attempt(() => records.release(...args)),
    releaseAll: (address) => attempt(() => records.releaseAll(address))
  }))
}

/** How many shards there are. All machines of a cluster must say the same. */
const SHARDS = 64

/** How long a lock on a shard holds that is not renewed, in milliseconds. */
export const LOCK = 5000

/**
 * Our defaults. With Effect's own (35 s for a lock, a minute for health, 3 s between looks at who is there) it takes 35 s until the shards
 * of a machine that was killed are somebody else's.
 */
const settings = {
  shardsPerGroup: SHARDS,
  shardLockExpiration: LOCK,
  shardLockRefreshInterval: 1600,
  runnerHealthCheckInterval: 1000,
  refreshAssignmentsInterval: 250,
  entityMessagePollInterval: 500,
  entityTerminationTimeout: 1000,
  sendRetryInterval: 50,
  simulateRemoteSerialization: false
} satisfies Partial<ShardingConfig.ShardingConfig["Service"]>

/** A machine, as the engine sees it. */
export interface EngineOptions<E> {
  readonly host: string
  readonly port: number
  readonly registry: Registry<E>
  /** Connects to another machine's engine. */
  readonly dial: (address: string) => Effect.Effect<Duplex, { readonly reason: string }>
  /** Takes connections that others have made for theirs. */
  readonly accepts: (accept: (socket: Duplex) => void) => void
  /** Does a machine answer? */
  readonly answers: (address: string) => Effect.Effect<boolean>
  /** Runs while the shard is this machine's. It is interrupted before the lock is given up, and waited for. */
  readonly hold: (shard: number) => Effect.Effect<never>
  /** Called before the first shard is held. */
  readonly ready: (placement: Placement["Service"]) => void
}

/** Who has which shard. */
export class Placement extends Context.Service<Placement, {
  readonly shardOf: (key: string) => number
  /** Is it certain that this machine has still the lock on a shard? */
  readonly leased: (shard: number) => boolean
  /** The address of the machine that has a shard. It waits while nobody has it. */
  readonly locate: (shard: number) => Effect.Effect<string>
  /** The addresses of all machines that are registered. */
  readonly machines: Effect.Effect<ReadonlyArray<string>>
  /** Says that a machine is gone, so that its shards are given to others at once. */
  readonly gone: (address: string) => Effect.Effect<void>
}>()("effect-stackless/cluster/Placement") {}

const GROUP = "default"

const Shard = Entity.make("effect-stackless/shard", [Rpc.make("Where", { success: Schema.String })])

// who has no machine, but a pool or durable tasklets, need not have it
const nodeSocket = Effect.tryPromise({
  try: () => import("@effect/platform-node/NodeSocket"),
  catch: (cause) =>
    new MachineError({ message: "a machine needs @effect/platform-node: npm install @effect/platform-node", cause })
})

export const layer = <E>(options: EngineOptions<E>): Layer.Layer<Placement, E | MachineError> =>
  Layer.unwrap(Effect.map(nodeSocket, ({ fromDuplex }) => layerOver(fromDuplex, options)))

const layerOver = <E>(
  fromDuplex: typeof NodeSocket.fromDuplex,
  options: EngineOptions<E>
): Layer.Layer<Placement, E> => {
  const { dial, host, port, registry } = options
  const runnerAddress = RunnerAddress.make(host, port)
  const config = ShardingConfig.layer({ ...settings, runnerAddress: Option.some(runnerAddress) })
  const leases = new Leases()
  const clientProtocol = Layer.effect(Runners.RpcClientProtocol)(Effect.map(
    RpcSerialization.RpcSerialization,
    (serialization) => ({
      codecFor: serialization.codecFor,
      make: (address) =>
        Effect.flatMap(
          fromDuplex(opened(Effect.mapError(dial(addressOf(address)), failedToOpen))),
          (socket) =>
            RpcClient.makeProtocolSocket().pipe(
              Effect.provideService(Socket.Socket, socket),
              Effect.provideService(RpcSerialization.RpcSerialization, serialization)
            )
        )
    })
  ))
  return placement(options, leases).pipe(
    Layer.provide(RunnerServer.layerWithClients),
    Layer.provide(RpcServer.layerProtocolSocketServer),
    Layer.provide([
      clientProtocol,
      Layer.succeed(SocketServer.SocketServer)(serving(fromDuplex, options)),
      Layer.succeed(RunnerHealth.RunnerHealth)({ isAlive: (address) => options.answers(addressOf(address)) }),
      MessageStorage.layerNoop
    ]),
    Layer.provideMerge(leased(registry, leases)),
    Layer.provide([config, RpcSerialization.layerSchemaBinary({})])
  )
}

const failedToOpen = ({ reason }: { readonly reason: string }): Socket.SocketError =>
  new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause: reason }) })

const opened = <E>(open: Effect.Effect<Duplex, E>): Effect.Effect<Duplex, E, Scope.Scope> =>
  Effect.acquireRelease(open, (duplex) => Effect.sync(() => duplex.destroy()))

/** The connections that others have made, as the engine wants them. */
const serving = (
  fromDuplex: typeof NodeSocket.fromDuplex,
  { accepts, host, port }: EngineOptions<unknown>
): SocketServer.SocketServer["Service"] => ({
  address: { _tag: "InetAddress", host, port } as never,
  run: (handler) =>
    Effect.contextWith((context) =>
      Effect.acquireUseRelease(
        Scope.make(),
        (scope) =>
          Effect.callback<never>(() => {
            const track = Fiber.runIn(scope)
            accepts((duplex) => {
              const handled = Effect.flatMap(fromDuplex(opened(Effect.succeed(duplex))), handler)
              track(
                Effect.runForkWith(context as Context.Context<any>)(Effect.ignoreCause(handled) as Effect.Effect<void>)
              )
            })
          }),
        (scope) => Scope.close(scope, Exit.void)
      )
    )
})

// ---- leases ---------------------------------------------------------------------------------------------------------

/**
 * Until when the locks of this machine are certain to hold. A machine that has stopped and comes back finds here that it has them
 * no more, before the engine does.
 */
class Leases {
  private readonly until = new Map<number, number>()

  renewed(shards: Iterable<ShardId.ShardId>, since: number): void {
    for (const { id } of shards) this.until.set(id, since + LOCK)
  }
  released(shard: number): void {
    this.until.delete(shard)
  }
  holds(shard: number): boolean {
    return Date.now() < (this.until.get(shard) ?? 0)
  }
}

/** Notes when locks are taken and renewed. What counts is when that was asked. */
const leased = <E>(registry: Registry<E>, leases: Leases): Registry<E> =>
  Layer.effect(RunnerStorage.RunnerStorage)(Effect.map(RunnerStorage.RunnerStorage, (storage) => {
    const noting = <A extends Iterable<ShardId.ShardId>, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        const since = Date.now()
        return Effect.tap(effect, (shards) => Effect.sync(() => leases.renewed(shards, since)))
      })
    return RunnerStorage.RunnerStorage.of({
      ...storage,
      acquire: (address, shards) => noting(storage.acquire(address, shards)),
      refresh: (address, shards) => noting(storage.refresh(address, shards)),
      release: (address, shard) =>
        Effect.andThen(Effect.sync(() => leases.released(shard.id)), storage.release(address, shard))
    })
  })).pipe(Layer.provide(registry))

// ---- placement ------------------------------------------------------------------------------------------------------

const placement = <E>({ hold, host, port, ready }: EngineOptions<E>, leases: Leases) =>
  Layer.effect(Placement)(Effect.gen(function*() {
    const sharding = yield* Sharding.Sharding
    const storage = yield* RunnerStorage.RunnerStorage
    const here = addressOf({ host, port })
    const shardOf = (key: string): number => sharding.getShardId(key as never, GROUP).id
    const names = namesOfShards(shardOf)
    yield* sharding.registerEntity(Shard, Effect.succeed({ Where: () => Effect.succeed(here) }), {
      concurrency: "unbounded"
    })
    const client = yield* sharding.makeClient(Shard)
    const locate = (shard: number): Effect.Effect<string> =>
      Effect.catchCause(
        client(names[shard]!).Where(),
        () => Effect.delay(Effect.suspend(() => locate(shard)), settings.sendRetryInterval satisfies Duration.Input)
      )
    const placement = Placement.of({
      shardOf,
      leased: (shard) => leases.holds(shard),
      locate,
      machines: storage.getRunners.pipe(
        Effect.map((runners) => runners.map(([{ address }]) => addressOf(address))),
        Effect.orElseSucceed(() => [])
      ),
      gone: (address) =>
        Effect.flatMap(Effect.orElseSucceed(storage.getRunners, () => []), (runners) => {
          const runner = runners.find(([runner]) => addressOf(runner.address) === address)
          return runner === undefined
            ? Effect.void
            : Effect.ignore(storage.setRunnerHealth(runner[0].address, false))
        })
    })
    ready(placement)
    for (let shard = 1; shard <= SHARDS; shard++) yield* sharding.registerSingleton(names[shard]!, hold(shard))
    return placement
  }))

/** A key of each shard: the engine places by keys alone. */
const namesOfShards = (shardOf: (key: string) => number): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (let n = 0, found = 0; found < SHARDS; n++) {
    const name = `effect-stackless/shard/${n}`
    const shard = shardOf(name)
    if (names[shard] !== undefined) continue
    names[shard] = name
    found++
  }
  return names
}
