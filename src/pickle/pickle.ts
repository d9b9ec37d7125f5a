/** `dumps` and `loads`. */
import { UnpicklingError } from "./errors.ts"
import { open, readHead, seal } from "./format.ts"
import type { ChangedFrame, MigratedFrame } from "./kind.ts"
import { Loader } from "./loader.ts"
import { Pickler } from "./pickler.ts"

/**
 * How a value is dumped.
 *
 * @category models
 * @since 0.1.0
 */
export interface DumpOptions {
  /** Signs the pickle, so that `loads` with the same key knows that nobody else has made or changed it. */
  readonly key?: Uint8Array
}

/**
 * How a pickle is loaded.
 *
 * @category models
 * @since 0.1.0
 */
export interface LoadOptions {
  /** Takes only what was signed with this key. */
  readonly key?: Uint8Array
  /**
   * What becomes of frames of functions that have changed since, by the names of the functions as the error says them. A closure
   * of such a function is the function as it is now.
   */
  readonly migrate?: Readonly<Record<string, (frame: ChangedFrame) => MigratedFrame>>
}

/**
 * Gives a value as bytes, with everything that it refers to. The same state gives the same bytes.
 *
 * Throws `PicklingError`, which names the way to what cannot be pickled; nothing has been changed then. Throws `TypeError` if the
 * key is none. Mirrors `pickle.dumps`.
 *
 * @example
 * ```ts
 * import { dumps, loads } from "effect-stackless/pickle"
 *
 * const node: { next?: unknown } = {}
 * node.next = node
 * const copy = loads<typeof node>(dumps(node))
 * copy.next === copy // => true
 * ```
 *
 * @category pickling
 * @since 0.1.0
 */
export const dumps = (value: unknown, options: DumpOptions = {}): Uint8Array =>
  new Pickler().dump(value, requireKey("dumps", options))

/**
 * Gives the value back that was dumped, as a copy: what it refers to by name is what this program has by that name.
 *
 * Throws `UnpicklingError` for bytes that are no pickle, or none that this program can load; `TypeError` for what are no bytes.
 * Mirrors `pickle.loads`.
 *
 * @category pickling
 * @since 0.1.0
 */
export const loads = <A = unknown>(bytes: Uint8Array, options: LoadOptions = {}): A => {
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(`loads takes a Uint8Array, as dumps gives it; got ${typeof bytes}`)
  }
  const key = requireKey("loads", options)
  try {
    return new Loader(open(bytes, key), options.migrate ?? {}).load() as A
  } catch (error) {
    if (error instanceof UnpicklingError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new UnpicklingError(`the pickle cannot be loaded: ${reason}`, { cause: error })
  }
}

/**
 * Signs a pickle that was dumped without a key: gives the pickle that `dumps` gives with it.
 *
 * Throws `UnpicklingError` for bytes that are no pickle, are damaged, or are signed already; `TypeError` if there is no key, or what
 * is given is none.
 *
 * @category pickling
 * @since 0.2.0
 */
export const signPickle = (bytes: Uint8Array, options: Required<DumpOptions>): Uint8Array => {
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(`signPickle takes a Uint8Array, as dumps gives it; got ${typeof bytes}`)
  }
  const key = requireKey("signPickle", options)
  if (key === undefined) throw new TypeError("signPickle takes a key: signPickle(bytes, { key })")
  if (readHead(bytes).signed) throw new UnpicklingError("the pickle is signed already")
  return seal([open(bytes, undefined)], key)
}

const requireKey = (who: string, { key }: { readonly key?: Uint8Array }): Uint8Array | undefined => {
  if (key === undefined) return undefined
  if (!(key instanceof Uint8Array)) throw new TypeError(`the key that ${who} takes is a Uint8Array; got ${typeof key}`)
  if (key.length < 16) throw new TypeError(`a key has 16 bytes or more; got ${key.length}`)
  return key
}
