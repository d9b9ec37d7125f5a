/**
 * More than one core, more than one machine: tasklets and channels on Effect's cluster.
 *
 * @since 0.2.0
 */
export {
  type Component,
  component,
  type Inlet,
  type Inlets,
  type Outlet,
  type Outlets,
  type Port,
  port,
  type Ports
} from "./components/component.ts"
export {
  type Carrying,
  type End,
  type Network,
  network,
  NetworkError,
  type Part,
  type Placement,
  type Running,
  type Wire,
  wire,
  type WireOptions
} from "./components/network.ts"
export { DurableChannel, durableChannel, type DurableChannelOptions } from "./durable/channel.ts"
export { DurableChannelClosed, DurableValueError, NotDurableError } from "./durable/errors.ts"
export { DurableHost, durableHost, type DurableHostOptions } from "./durable/host.ts"
export type { DurableFailure, Item } from "./durable/operation.ts"
export { Durable, durable, type DurableStatus } from "./durable/tasklet.ts"
export { activity, checkpoint, choose, type Chosen, type DurableCases, durableSleep } from "./durable/verbs.ts"
export {
  CodeMismatch,
  Ended,
  InsecureAddressError,
  InvalidValue,
  KeyTaken,
  MachineError,
  MachineUnreachable,
  NameConflict,
  NoMachine,
  NoSuchKey,
  NotMovable,
  PlaceLost,
  PoolError
} from "./errors.ts"
export { type NamedOptions, RemoteChannel } from "./exchange/remote-channel.ts"
export { channel } from "./machines/channel.ts"
export { Machine, machine, type MachineOptions } from "./machines/machine.ts"
export { type Down, find, Keyed, link, monitor, sleep, spawn } from "./machines/tasklets.ts"
export { type PostgresRegistryOptions, registry, type SqliteRegistryOptions } from "./registry.ts"
export { StorageError } from "./storage/errors.ts"
export { memory, MemoryTables } from "./storage/memory.ts"
export { postgres, type PostgresOptions } from "./storage/postgres.ts"
export { sqlite, type SqliteOptions } from "./storage/sqlite.ts"
export { Storage, type StorageOptions } from "./storage/storage.ts"
export { moveTo, type Place, type Pool, pool, type PoolOptions } from "./workers/pool.ts"
