/** Greenlet-local storage. Carries `gevent.local`. */
import { getcurrent, type Greenlet } from "../../../greenlet/index.ts"

/** Makes objects whose properties each greenlet has its own of. */
export interface LocalConstructor {
  /** @param initialize makes what a greenlet finds when it first touches the object: upstream's `__init__` of a subclass */
  new<T extends object = Record<string, unknown>>(initialize?: () => T): T
}

/**
 * An object whose properties each greenlet has its own of; they go with the greenlet. Mirrors `gevent.local.local`.
 *
 * @example
 * ```ts
 * import { Local } from "effect-stackless/compat/gevent"
 *
 * const local = new Local<{ user?: string }>()
 * local.user = "Lumi" // seen by this greenlet alone
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export const Local: LocalConstructor = function(initialize: () => object = () => ({})): object {
  const values = new WeakMap<Greenlet, object>()
  const mine = (): object => {
    const current = getcurrent()
    let object = values.get(current)
    if (object === undefined) values.set(current, object = initialize())
    return object
  }
  return new Proxy({}, {
    get: (_, key) => Reflect.get(mine(), key),
    set: (_, key, value) => Reflect.set(mine(), key, value),
    has: (_, key) => Reflect.has(mine(), key),
    deleteProperty: (_, key) => Reflect.deleteProperty(mine(), key),
    ownKeys: () => Reflect.ownKeys(mine()),
    defineProperty: (_, key, descriptor) => Reflect.defineProperty(mine(), key, descriptor),
    getPrototypeOf: () => Reflect.getPrototypeOf(mine()),
    // the target has none of the properties, so they must not be said to be there for good
    getOwnPropertyDescriptor: (_, key) => {
      const descriptor = Reflect.getOwnPropertyDescriptor(mine(), key)
      return descriptor === undefined ? undefined : { ...descriptor, configurable: true }
    }
  })
} as unknown as LocalConstructor
