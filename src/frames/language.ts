/** What of the language compiled code has to call a function for. */
import { completion, DONE, RETURNED, THROW, THROWN, YIELDED } from "../greenlet/kernel/data-frame.ts"

/** Stands in a variable that has not been initialized. */
export const UNINITIALIZED: unique symbol = Symbol("effect-stackless.uninitialized")

const uninitialized = (name: string): never => {
  throw new ReferenceError(`Cannot access '${name}' before initialization`)
}

/** The value of a variable that may be uninitialized. */
export const checked = <A>(value: A, name: string): A => value === UNINITIALIZED ? uninitialized(name) : value

/** `this` of a derived class's constructor. */
export const initialized = <A>(self: A): A => {
  if (self === UNINITIALIZED) {
    throw new ReferenceError(
      "Must call super constructor in derived class before accessing 'this' or returning from derived constructor"
    )
  }
  return self
}

/** What is assigned to a variable that may be uninitialized. */
export const assigned = <A>(name: string, value: A, old: unknown): A =>
  old === UNINITIALIZED ? uninitialized(name) : value

/** An assignment to a constant. */
export const constant = (name: string, _value: unknown, old?: unknown): never => {
  if (old === UNINITIALIZED) uninitialized(name)
  throw new TypeError("Assignment to constant variable.")
}

/** A constant as a target of a pattern. */
export const readonly = (name: string, old?: unknown): { value: unknown } => ({
  get value() {
    return undefined
  },
  set value(value) {
    constant(name, value, old)
  }
})

/** A variable that may be uninitialized, as a target of a pattern: that is looked at when it is assigned to. */
export const guarded = (of: any, field: string, name: string): { value: unknown } => ({
  get value() {
    return undefined
  },
  set value(value) {
    of[field] = assigned(name, value, of[field])
  }
})

/** Ends a frame that an error or a return was resumed with, where nothing catches it. */
export const leave = (frame: { pc: number }, mode: number, value: unknown): unknown => {
  frame.pc = DONE
  completion.value = value
  return mode === THROW ? THROWN : RETURNED
}

/** A frame ends with a value. */
export const end = (frame: { pc: number }, value: unknown): unknown => {
  frame.pc = DONE
  completion.value = value
  return RETURNED
}

/** A frame stands at a plain `yield`. */
export const yielded = (frame: { pc: number }, pc: number, value: unknown): unknown => {
  frame.pc = pc
  completion.value = value
  return YIELDED
}

export const call = (method: unknown, self: unknown, ...args: ReadonlyArray<unknown>): unknown => {
  if (typeof method !== "function") {
    throw new TypeError(`${typeof method === "symbol" ? "symbol" : String(method)} is not a function`)
  }
  return Reflect.apply(method, self, args)
}

/** What a computed key means. */
export const key = (value: unknown): PropertyKey => {
  if (typeof value === "symbol" || typeof value === "string") return value
  const text = typeof value === "object" || typeof value === "function" ? toPrimitive(value) : value
  return typeof text === "symbol" ? text : String(text)
}

const toPrimitive = (value: unknown): unknown => {
  let found: unknown
  // The language itself makes a key of it, once.
  Reflect.has(
    new Proxy({}, {
      has: (_, name) => {
        found = name
        return false
      }
    }),
    value as PropertyKey
  )
  return found
}

/** The number or bigint that is counted up or down. */
export const numeric = (value: any): unknown => {
  let counted = value
  return counted++
}

/** Is it what `value | 0` gives, so that nobody can tell the two apart? */
export const integer = (value: unknown): boolean =>
  typeof value === "number" && (value | 0) === value && (value !== 0 || 1 / value > 0)

const templates = (cooked: ReadonlyArray<string | undefined>, raw: ReadonlyArray<string>): TemplateStringsArray =>
  Object.freeze(Object.defineProperty(cooked, "raw", { value: Object.freeze(raw) })) as unknown as TemplateStringsArray

export { templates as strings }

// --- object literals that are made bit by bit

export const define = (object: object, name: PropertyKey, value: unknown): void => {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
}

export const spread = (object: object, source: object): void => members(object, { ...source })

/** Takes over methods and accessors. */
export const members = (object: object, literal: object): void => {
  for (const name of Reflect.ownKeys(literal)) {
    const descriptor = Object.getOwnPropertyDescriptor(literal, name)!
    // A getter and a setter of one property come one after the other.
    if (descriptor.get === undefined) delete descriptor.get
    if (descriptor.set === undefined) delete descriptor.set
    Object.defineProperty(object, name, descriptor)
  }
  // What `super` is to them.
  Object.setPrototypeOf(literal, Object.getPrototypeOf(object))
}

export const setProto = (object: object, prototype: unknown): void => {
  if (prototype === null || typeof prototype === "object" || typeof prototype === "function") {
    Object.setPrototypeOf(object, prototype)
  }
}

/** A property whose name is computed, and names its function. */
export const computed = (name: unknown, value: object): Record<PropertyKey, unknown> => {
  const property = key(name)
  const text = typeof property === "symbol"
    ? property.description === undefined ? "" : `[${property.description}]`
    : String(property)
  Object.defineProperty(value, "name", { value: text, configurable: true })
  return { [property]: value }
}

// --- destructuring

/** What an object pattern takes apart. */
export const destructured = (value: unknown): unknown => {
  if (value === null || value === undefined) {
    throw new TypeError(`Cannot destructure '${String(value)}' as it is ${String(value)}.`)
  }
  return value
}

/** What an object pattern has not taken. */
export const rest = (value: unknown, taken: ReadonlyArray<PropertyKey>): object => {
  const object = Object(value) as Record<PropertyKey, unknown>
  const others: object = {}
  for (const name of Reflect.ownKeys(object)) {
    if (taken.includes(name)) continue
    if (Object.getOwnPropertyDescriptor(object, name)?.enumerable) define(others, name, object[name])
  }
  return others
}

/** The arguments from one on. */
export const restOf = (args: ArrayLike<unknown>, from: number): Array<unknown> => {
  const values: Array<unknown> = []
  for (let i = from; i < args.length; i++) values.push(args[i])
  return values
}

// --- super and private names

const superOf = (home: object): object => {
  const prototype: unknown = Object.getPrototypeOf(home)
  if (prototype === null) throw new TypeError("Cannot read properties of null")
  return prototype as object
}

export const superGet = (home: object, name: unknown, self: unknown): unknown => {
  const property = key(name)
  return Reflect.get(superOf(home), property, self as object)
}

export const superSet = <A>(home: object, name: unknown, self: unknown, value: A): A => {
  const property = key(name)
  if (!Reflect.set(superOf(home), property, value, self as object)) {
    throw new TypeError(`Cannot assign to read only property '${String(property)}' of object`)
  }
  return value
}

type Update = "&&" | "||" | "??" | ((old: any, value: any) => unknown)

const updated = (old: unknown, update: Update, value: () => unknown, write: (value: unknown) => unknown): unknown => {
  switch (update) {
    case "&&":
      return old ? write(value()) : old
    case "||":
      return old ? old : write(value())
    case "??":
      return old ?? write(value())
    default:
      return write(update(old, value()))
  }
}

export const superUpdate = (
  home: object,
  name: unknown,
  self: unknown,
  update: Update,
  value: () => unknown
): unknown => {
  const property = key(name)
  return updated(superGet(home, property, self), update, value, (result) => superSet(home, property, self, result))
}

const counted = (old: unknown, by: number): unknown => typeof old === "bigint" ? old + BigInt(by) : (old as number) + by

export const superCount = (home: object, name: unknown, self: unknown, by: number, prefix: boolean): unknown => {
  const property = key(name)
  const old = numeric(superGet(home, property, self))
  const next = superSet(home, property, self, counted(old, by))
  return prefix ? next : old
}

export const superPlace = (home: object, name: unknown, self: unknown): { value: unknown } => ({
  get value() {
    return superGet(home, name, self)
  },
  set value(value) {
    superSet(home, name, self, value)
  }
})

type Get = (object: unknown) => unknown
type Set = (object: unknown, value: unknown) => unknown

export const privateUpdate = (object: unknown, get: Get, set: Set, update: Update, value: () => unknown): unknown =>
  updated(get(object), update, value, (result) => set(object, result))

export const privateCount = (object: unknown, get: Get, set: Set, by: number, prefix: boolean): unknown => {
  const old = numeric(get(object))
  const next = set(object, counted(old, by))
  return prefix ? next : old
}

export const privatePlace = (object: unknown, set: Set): { value: unknown } => ({
  get value() {
    return undefined
  },
  set value(value) {
    set(object, value)
  }
})

/** The value that an optional chain has come to, and the object that it was found in. */
class Link {
  readonly value: unknown
  private readonly self: unknown

  constructor(value: unknown, self: unknown) {
    this.value = value
    this.self = self
  }

  /** `?.` */
  optional(): Link | undefined {
    return this.value === null || this.value === undefined ? undefined : this
  }

  /** `.key`, `[key]` */
  member(key: PropertyKey): Link {
    const { value } = this
    return new Link((value as Record<PropertyKey, unknown>)[key], value)
  }

  /** `.#name` */
  private(get: Get): Link {
    const { value } = this
    return new Link(get(value), value)
  }

  /** `(…)` */
  call(...args: ReadonlyArray<unknown>): Link {
    return new Link(call(this.value, this.self, ...args), undefined)
  }

  /** `delete` of `.key` or `[key]` */
  delete(key: PropertyKey): boolean {
    return delete (this.value as Record<PropertyKey, unknown>)[key]
  }

  /** In parentheses, and called: the function still has the object as its `this`. */
  bound(): unknown {
    const { self, value } = this
    return typeof value === "function" ? (...args: ReadonlyArray<unknown>) => Reflect.apply(value, self, args) : value
  }
}

/** Begins an optional chain that comes by a private name which is reached by functions. */
export const chain = (value: unknown, self?: unknown): Link => new Link(value, self)

// --- using

interface Resource {
  readonly value: unknown
  readonly method: () => unknown
}

/** Notes what a block has to dispose of. */
export const use = <A>(resources: Array<Resource>, value: A): A => {
  if (value === null || value === undefined) return value
  const method: unknown = (value as { [key: symbol]: unknown })[disposeSymbol()]
  if (typeof value !== "object" && typeof value !== "function" || typeof method !== "function") {
    throw new TypeError("Property [Symbol.dispose] is not a function.")
  }
  resources.push({ value, method: method as () => unknown })
  return value
}

/** An engine that has none may be given one after this has been loaded; what lowers `using` takes the other. */
const disposeSymbol = (): symbol =>
  (Symbol as unknown as { readonly dispose?: symbol }).dispose ?? Symbol.for("Symbol.dispose")

/** Disposes of what there is, the last first; an error of it does not keep the others from it. */
const disposing = (resources: Array<Resource>, failed: boolean, first: unknown): readonly [boolean, unknown] => {
  let has = failed
  let error = first
  for (let one = resources.pop(); one !== undefined; one = resources.pop()) {
    try {
      Reflect.apply(one.method, one.value, [])
    } catch (another) {
      error = has ? suppressed(another, error) : another
      has = true
    }
  }
  return [has, error]
}

const suppressed = (error: unknown, before: unknown): unknown => {
  const { SuppressedError } = globalThis as { SuppressedError?: new(error: unknown, suppressed: unknown) => unknown }
  return SuppressedError === undefined
    ? Object.assign(new Error("An error was suppressed during disposal"), {
      name: "SuppressedError",
      error,
      suppressed: before
    })
    : new SuppressedError(error, before)
}

/** Leaves a block in which nothing failed. */
export const dispose = (resources: Array<Resource>): void => {
  const [failed, error] = disposing(resources, false, undefined)
  if (failed) throw error
}

/** Leaves a block by an error: that one, or one that says that another came on top of it. */
dispose.after = (resources: Array<Resource>, error: unknown): unknown => disposing(resources, true, error)[1]
