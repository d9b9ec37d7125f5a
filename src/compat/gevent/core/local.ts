/** Greenlet-local storage. Carries `gevent.local`. */
import { getcurrent, type Greenlet } from "../../../greenlet/index.ts"

/** Makes objects whose properties each greenlet has its own of. */
export interface LocalConstructor {
  /** @param initialize makes what a greenlet finds when it first touches the object: upstream's `__init__` of a subclass */
  new<T extends object = Record<string, unknown>>(initialize?: () => T): T
}

/**
 * An object whose properties each greenlet has its own of; they go with the greenlet. `Object.freeze`, and `Object.seal`
 * like it, makes those of the greenlet that calls it unchangeable; others can change theirs, but only these names are
 * listed from then on. A property that is defined with neither `configurable` nor `writable` is the same for all. Mirrors
 * `gevent.local.local`.
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
    get: (fixed, key) => isConstant(fixed, key) ? Reflect.get(fixed, key) : read(mine(), key),
    set: (fixed, key, value) => !isConstant(fixed, key) && write(mine(), key, value),
    has: (fixed, key) => Object.hasOwn(fixed, key) || (key === PROTO ? Object.hasOwn : Reflect.has)(mine(), key),
    deleteProperty: (fixed, key) => !Object.hasOwn(fixed, key) && Reflect.deleteProperty(mine(), key),
    ownKeys: (fixed) => {
      const keys = Reflect.ownKeys(fixed)
      return Reflect.isExtensible(fixed) ? [...new Set([...Reflect.ownKeys(mine()), ...keys])] : keys
    },
    getPrototypeOf: (fixed) => Reflect.getPrototypeOf(Reflect.isExtensible(fixed) ? mine() : fixed),
    setPrototypeOf: (fixed, prototype) => Reflect.isExtensible(fixed) && Reflect.setPrototypeOf(mine(), prototype),
    getOwnPropertyDescriptor: (fixed, key) => {
      const here = Reflect.getOwnPropertyDescriptor(fixed, key)
      if (here !== undefined) return here.writable === true ? { ...here, value: read(mine(), key) } : here
      const descriptor = Reflect.getOwnPropertyDescriptor(mine(), key)
      if (descriptor === undefined || !Reflect.isExtensible(fixed)) return undefined
      return { ...descriptor, configurable: true }
    },
    defineProperty: (fixed, key, descriptor) => {
      const own = mine()
      if (Object.hasOwn(fixed, key)) {
        const says = "value" in descriptor || "get" in descriptor || "set" in descriptor
        // the second step of `Object.freeze` says nothing else of an accessor that the first has made
        if (!says && descriptor.writable === undefined) return Reflect.defineProperty(own, key, readOnly(own, key))
        const whole = says ? descriptor : { ...descriptor, value: read(own, key) }
        return Reflect.defineProperty(fixed, key, whole) && Reflect.defineProperty(own, key, whole)
      }
      if (!Reflect.isExtensible(fixed) || !Reflect.defineProperty(own, key, descriptor)) return false
      if (descriptor.configurable !== false) return true
      const isValue = descriptor.get === undefined && descriptor.set === undefined
      const stays = isValue && descriptor.writable !== false ? { ...descriptor, writable: true } : descriptor
      return Reflect.defineProperty(fixed, key, stays)
    },
    preventExtensions: (fixed) => {
      const own = mine()
      Reflect.preventExtensions(own)
      Reflect.setPrototypeOf(fixed, Reflect.getPrototypeOf(own))
      for (const key of Reflect.ownKeys(own)) {
        if (Object.hasOwn(fixed, key)) continue
        const enumerable = Object.prototype.propertyIsEnumerable.call(own, key)
        const [get, set] = [() => read(mine(), key), (value: unknown) => void write(mine(), key, value)]
        Reflect.defineProperty(fixed, key, { get, set, enumerable, configurable: false })
      }
      return Reflect.preventExtensions(fixed)
    }
  })
} as unknown as LocalConstructor

/*
 * JavaScript holds a proxy to what it has said: of a property that is not configurable, and of all once nothing can be
 * added. What was said so is in the proxy's target, `fixed`, and holds for all greenlets: which names there are, and the
 * value of one that is said never to change. What `Object.freeze` finds are accessors, which lead to each greenlet's own.
 */

const isConstant = (fixed: object, key: PropertyKey): boolean =>
  Reflect.getOwnPropertyDescriptor(fixed, key)?.writable === false

/** It is a name like any other, and no way to the prototype. */
const PROTO = "__proto__"

const read = (own: object, key: PropertyKey): unknown =>
  key === PROTO && !Object.hasOwn(own, key) ? undefined : Reflect.get(own, key)

const write = (own: object, key: PropertyKey, value: unknown): boolean =>
  key === PROTO && !Object.hasOwn(own, key)
    ? Reflect.defineProperty(own, key, { value, writable: true, enumerable: true, configurable: true })
    : Reflect.set(own, key, value)

const readOnly = (own: object, key: PropertyKey): PropertyDescriptor =>
  "value" in (Reflect.getOwnPropertyDescriptor(own, key) ?? {})
    ? { writable: false, configurable: false }
    : { configurable: false }
