/** What is in memory: the live heap, and what the system gives the process. */

/** Collects all garbage. Node offers that only with `--expose-gc`. */
export const collect = (): void => {
  if (globalThis.gc === undefined) throw new Error("memory is measured with node --expose-gc")
  // What a finalizer or a weak reference held goes with the second one.
  globalThis.gc()
  globalThis.gc()
}

export interface Memory {
  /** Bytes of live objects. */
  readonly heap: number
  /** Bytes of the process that are in physical memory. */
  readonly resident: number
}

/** Memory after a collection. */
export const memory = (): Memory => {
  collect()
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed, resident: rss }
}
