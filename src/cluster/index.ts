/**
 * More than one core, more than one machine: tasklets and channels on Effect's cluster.
 *
 * @since 0.2.0
 */
export {
  CodeMismatch,
  InsecureAddressError,
  InvalidValue,
  MachineError,
  MachineUnreachable,
  NameConflict,
  NoMachine,
  NotMovable
} from "./errors.ts"
export { type NamedOptions, RemoteChannel } from "./exchange/remote-channel.ts"
export { channel } from "./machines/channel.ts"
export { Machine, machine, type MachineOptions } from "./machines/machine.ts"
export { type PostgresRegistryOptions, registry } from "./registry.ts"
