/**
 * Pickling: a running program as bytes, and back, in another process.
 *
 * @since 0.1.0
 */
export { PicklingError, UnpicklingError } from "./errors.ts"
export { inspectPickle, type PickleContents, type PickledName, type PickledRecord } from "./inspect.ts"
export type { ChangedFrame, MigratedFrame } from "./kind.ts"
export { persistent } from "./names.ts"
export { type DumpOptions, dumps, type LoadOptions, loads, signPickle } from "./pickle.ts"
export { reduce, restore } from "./reduce.ts"
