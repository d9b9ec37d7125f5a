/**
 * What a pickle refers to by name, because it is there already where it is loaded: what the language has, what this library
 * exports, and what a program has named with `persistent`.
 *
 * `loads` imports nothing that the data names: a name that nobody has given here is an error.
 */
import { takeClasses } from "../frames/index.ts"
import * as greenlet from "../greenlet/index.ts"
import * as stackless from "../stackless/index.ts"
import { UnpicklingError } from "./errors.ts"

type Nameable = object | symbol

/** Functions that may be classes, whose methods nobody has asked for yet. */
const classes = new Set<Function>()
const values = new Map<string, Nameable>()
const names = new Map<Nameable, string>()

/**
 * Gives an object, function, class or symbol a name, under which pickles refer to it: it is found again where they are
 * loaded, and not copied. Both programs call it, each with what it has by that name: an open file, a configuration, a class
 * of which there are instances. A name that is given again means what it was given to last.
 *
 * Returns the value. Throws `TypeError` if the name is no string, or the value is plain data, which needs no name.
 *
 * Mirrors `persistent_id` and `persistent_load` of Python's `pickle`.
 *
 * @example
 * ```ts
 * import { dumps, loads, persistent } from "effect-stackless/pickle"
 *
 * class Point {
 *   constructor(readonly x: number, readonly y: number) {}
 * }
 * persistent("Point", Point)
 * loads(dumps(new Point(1, 2))) instanceof Point // => true
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const persistent = <A extends object | symbol>(name: string, value: A): A => {
  if (typeof name !== "string") throw new TypeError(`persistent takes a name first; got ${typeof name}`)
  if ((typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol") || value === null) {
    throw new TypeError(
      `persistent names objects, functions and symbols; ${
        value === null ? "null" : `a ${typeof value}`
      } is pickled as it is`
    )
  }
  const before = values.get(name)
  if (before !== undefined && names.get(before) === name) names.delete(before)
  if (typeof value === "function") classes.add(value)
  values.set(name, value)
  names.set(value, name)
  return value
}

export const persistentNameOf = (value: Nameable): string | undefined => names.get(value)

export const persistentValueOf = (name: string): Nameable => {
  const value = values.get(name)
  if (value === undefined) {
    throw new UnpicklingError(
      `the pickle refers to ${JSON.stringify(name)}, which this program has given to nothing: call persistent(${
        JSON.stringify(name)
      }, …) first`
    )
  }
  return value
}

// ---- methods --------------------------------------------------------------------------------------------------------

/** Where a method is found: in a class, or in what its instances inherit from. */
export interface Method {
  readonly of: Function
  readonly key: PropertyKey
  readonly isStatic: boolean
}

const methods = new WeakMap<Function, Method>()

/**
 * The place of a function that is a method of a class with a name. A frame that stands in the middle of `this.take(yield* x)`
 * holds the method.
 */
export const methodOf = (f: Function): Method | undefined => {
  if (!learned) learnAll()
  for (const of of takeClasses()) classes.add(of)
  for (const of of classes) {
    for (const isStatic of [false, true]) {
      const holder = holderOf(of, isStatic)
      if (holder === undefined) continue
      for (const key of Reflect.ownKeys(holder)) {
        const method: unknown = Reflect.getOwnPropertyDescriptor(holder, key)!.value
        if (typeof method === "function" && key !== "constructor") methods.set(method, { of, key, isStatic })
      }
    }
  }
  classes.clear()
  const method = methods.get(f)
  return method !== undefined && methodAt(method) === f ? method : undefined
}

/** What stands at the place of a method, if it is a function. */
export const methodAt = ({ isStatic, key, of }: Method): Function | undefined => {
  const holder = holderOf(of, isStatic)
  const method: unknown = holder === undefined ? undefined : Reflect.getOwnPropertyDescriptor(holder, key)?.value
  return typeof method === "function" ? method : undefined
}

const holderOf = (of: Function, isStatic: boolean): object | undefined => {
  const holder: unknown = isStatic ? of : Reflect.getOwnPropertyDescriptor(of, "prototype")?.value
  return (typeof holder === "object" || typeof holder === "function") && holder !== null ? holder : undefined
}

// ---- what is there in every program ---------------------------------------------------------------------------------

/** Where the walk over the language's own objects begins. All engines that we support have most of these. */
const roots = [
  "Object",
  "Array",
  "String",
  "Number",
  "Boolean",
  "BigInt",
  "Symbol",
  "Math",
  "JSON",
  "Reflect",
  "Atomics",
  "Intl",
  "Date",
  "RegExp",
  "Map",
  "Set",
  "WeakMap",
  "WeakSet",
  "WeakRef",
  "FinalizationRegistry",
  "Promise",
  "Proxy",
  "Iterator",
  "Error",
  "EvalError",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "TypeError",
  "URIError",
  "AggregateError",
  "ArrayBuffer",
  "SharedArrayBuffer",
  "DataView",
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
  "isNaN",
  "isFinite",
  "parseInt",
  "parseFloat",
  "encodeURI",
  "encodeURIComponent",
  "decodeURI",
  "decodeURIComponent",
  "console"
] as const

const wellKnownValues = new Map<string, Nameable>()
const wellKnownNames = new Map<Nameable, string>()

/**
 * Names an object, and all functions that it and its prototype have. A prototype itself gets no name, nor does what makes
 * functions out of text: a forged pickle shall have neither.
 */
const learn = (value: unknown, name: string): void => {
  const pending: Array<readonly [value: unknown, name: string, named: boolean]> = [[value, name, true]]
  for (const [value, name, named] of pending) {
    if ((typeof value !== "object" && typeof value !== "function") || value === null) continue
    if (wellKnownNames.has(value)) continue
    if (named) {
      wellKnownNames.set(value, name)
      wellKnownValues.set(name, value)
    } else wellKnownNames.set(value, "")
    for (const key of Reflect.ownKeys(value)) {
      if (key === "constructor" || key === "caller" || key === "callee" || key === "arguments") continue
      const { get, value: inner } = Reflect.getOwnPropertyDescriptor(value, key)!
      const path = `${name}.${typeof key === "symbol" ? `@@${key.description ?? ""}` : key}`
      if (key === "prototype") pending.push([inner, path, false])
      else if (typeof inner === "function") pending.push([inner, path, true])
      else if (get !== undefined && typeof key === "string") pending.push([get, `${path}(get)`, true])
    }
  }
}

const withoutName: ReadonlyArray<object> = [
  Function,
  Function.prototype,
  Object.getPrototypeOf(function*() {}).constructor,
  Object.getPrototypeOf(async function() {}).constructor,
  Object.getPrototypeOf(async function*() {}).constructor,
  Reflect.get(globalThis, "eval")
]

let learned = false

const learnAll = (): void => {
  learned = true
  for (const value of withoutName) wellKnownNames.set(value, "")
  const global = globalThis as unknown as Record<string, unknown>
  for (const name of roots) if (name in global) learn(global[name], name)
  // the classes above all others, which have no name
  learn(Object.getPrototypeOf(Uint8Array), "TypedArray")
  for (const method of ["call", "apply", "bind", "toString"] as const) {
    learn(Function.prototype[method], `Function.prototype.${method}`)
  }
  for (const [layer, module] of Object.entries({ greenlet, stackless })) {
    for (const [name, value] of Object.entries(module)) {
      if ((typeof value !== "object" && typeof value !== "function") || value === null) continue
      if (wellKnownNames.has(value)) continue
      nameOwn(`${layer}:${name}`, value)
    }
    wellKnownNames.set(module, layer)
    wellKnownValues.set(layer, module)
  }
}

/** The name of something that the language or this library has; none, "", if a pickle must not refer to it. */
export const wellKnownNameOf = (value: Nameable): string | undefined => {
  if (!learned) learnAll()
  return wellKnownNames.get(value)
}

export const wellKnownValueOf = (name: string): Nameable => {
  if (!learned) learnAll()
  const value = wellKnownValues.get(name)
  if (value === undefined) throw new UnpicklingError(`the pickle refers to ${name}, which this program has not`)
  return value
}

/** Gives something of this library a name, that no index exports. */
export const nameOwn = (name: string, value: Nameable): void => {
  if (typeof value === "function") classes.add(value)
  wellKnownNames.set(value, name)
  wellKnownValues.set(name, value)
}

// ---- symbols --------------------------------------------------------------------------------------------------------

const wellKnownSymbols = new Map<string, symbol>()
for (const name of Reflect.ownKeys(Symbol)) {
  const symbol: unknown = (Symbol as unknown as Record<PropertyKey, unknown>)[name]
  if (typeof symbol === "symbol" && typeof name === "string") wellKnownSymbols.set(name, symbol)
}

export const wellKnownSymbolNameOf = (symbol: symbol): string | undefined => {
  for (const [name, other] of wellKnownSymbols) if (other === symbol) return name
  return undefined
}

export const wellKnownSymbolOf = (name: string): symbol => {
  const symbol = wellKnownSymbols.get(name)
  if (symbol === undefined) throw new UnpicklingError(`the pickle has Symbol.${name}, which this program has not`)
  return symbol
}
