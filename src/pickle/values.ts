/** Dates, regular expressions, primitives in objects, errors. */
import { succeeds } from "./collections.ts"
import { UnpicklingError } from "./errors.ts"
import type { Kind } from "./kind.ts"
import { Unpicklable } from "./unpicklable.ts"

const { getTime } = Date.prototype

export const dateKind: Kind<Date> = {
  name: "Date",
  code: 5,
  prototype: Date.prototype,
  is: (object) => succeeds(getTime, object),
  write(pickler, date, family) {
    pickler.begin(family)
    pickler.double(getTime.call(date))
    pickler.properties(date, family)
  },
  scan(scanner, type) {
    scanner.double()
    scanner.properties(type)
  },
  make: () => new Date(0),
  fill(loader, date, type) {
    date.setTime(loader.double())
    loader.properties(date, type)
  }
}

const source = Reflect.getOwnPropertyDescriptor(RegExp.prototype, "source")!.get!
const flags = ([
  ["hasIndices", "d"],
  ["global", "g"],
  ["ignoreCase", "i"],
  ["multiline", "m"],
  ["dotAll", "s"],
  ["unicode", "u"],
  ["unicodeSets", "v"],
  ["sticky", "y"]
] as const).flatMap(([name, letter]) => {
  const get = Reflect.getOwnPropertyDescriptor(RegExp.prototype, name)?.get
  return get === undefined ? [] : [{ get, letter }]
})

export const regExpKind: Kind<RegExp> = {
  name: "RegExp",
  code: 6,
  prototype: RegExp.prototype,
  // of its prototype it can be asked, too
  is: (object) => object !== RegExp.prototype && succeeds(source, object),
  write(pickler, regExp, family) {
    pickler.begin(family)
    pickler.value(source.call(regExp))
    pickler.value(flags.map(({ get, letter }) => get.call(regExp) ? letter : "").join(""))
    pickler.properties(regExp, family)
  },
  scan(scanner, type) {
    scanner.string()
    scanner.string()
    scanner.properties(type)
  },
  make(loader) {
    const pattern = loader.value() as string
    try {
      return new RegExp(pattern, loader.value() as string)
    } catch (error) {
      throw new UnpicklingError("the pickle has a regular expression that this engine does not take", { cause: error })
    }
  },
  fill(loader, regExp, type) {
    loader.value()
    loader.value()
    loader.properties(regExp, type)
  }
}

const boxes = [Number, String, Boolean, Symbol, BigInt] as const

/** A primitive in an object, as `new Number(1)` makes it. */
export const boxedKinds: ReadonlyArray<Kind> = boxes.map((Box, i) => ({
  name: Box.name,
  code: 16 + i,
  prototype: Box.prototype,
  is: (object) => object !== Box.prototype && succeeds(Box.prototype.valueOf, object),
  write(pickler, object, family) {
    const value: unknown = Reflect.apply(Box.prototype.valueOf, object, [])
    pickler.begin(family)
    pickler.value(value)
    const length = typeof value === "string" ? value.length : -1
    pickler.properties(
      object,
      family,
      0,
      undefined,
      (key) =>
        length >= 0 && typeof key === "string" &&
        (key === "length" || Number(key) < length && String(Number(key)) === key)
    )
  },
  scan(scanner, type) {
    scanner.primitive(typeof (Box === Symbol ? Symbol.iterator : (Box as NumberConstructor)(0)))
    scanner.properties(type)
  },
  make: (loader) => new Object(loader.value()),
  fill(loader, object, type) {
    loader.value()
    loader.properties(object, type)
  }
}))

// ---- errors ---------------------------------------------------------------------------------------------------------

const errorClasses = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError
] as const

const sample = new Error("its stack")
const nativeStack = Reflect.getOwnPropertyDescriptor(sample, "stack")
/** What else an engine says of where an error was made: that is in its stack. */
const ofEngine = new Set<PropertyKey>(Reflect.ownKeys(sample).filter((key) => key !== "stack" && key !== "message"))

/**
 * Errors. Where an error was made stands first, as a string: some engines have it as a property like others, some as a getter,
 * and they do not agree on its place among the others.
 */
export const errorKinds: ReadonlyArray<Kind<Error>> = errorClasses.map((Class, i) => ({
  name: Class.name,
  code: 24 + i,
  prototype: Class.prototype,
  is: (object) => Object.prototype.toString.call(withoutTag(object)) === "[object Error]",
  write(pickler, error, family) {
    // a stack is made when it is first looked at, which the program may have taken over
    if ((Error as { readonly prepareStackTrace?: unknown }).prepareStackTrace !== undefined) pickler.programRuns()
    const descriptor = Reflect.getOwnPropertyDescriptor(error, "stack")
    const first = descriptor !== undefined && !descriptor.enumerable && descriptor.configurable === true &&
      (descriptor.get === undefined
        ? typeof descriptor.value === "string" && descriptor.writable === true
        : descriptor.get === nativeStack?.get)
    pickler.begin(family)
    pickler.value(first ? String(error.stack) : undefined)
    pickler.properties(
      error,
      family,
      0,
      undefined,
      (key, { enumerable }) => first && key === "stack" || enumerable === false && ofEngine.has(key)
    )
  },
  scan(scanner, type) {
    scanner.value()
    scanner.properties(type)
  },
  make: () => emptyError(Class),
  fill(loader, error, type) {
    const stack = loader.value()
    if (typeof stack === "string") {
      Object.defineProperty(error, "stack", { configurable: true, writable: true, value: stack })
    }
    loader.properties(error, type)
  }
}))

/** An error without its stack, which costs most of what it takes to make one. */
const emptyError = (Class: typeof errorClasses[number]): Error => {
  const { stackTraceLimit } = Error
  const settable = Reflect.getOwnPropertyDescriptor(Error, "stackTraceLimit")?.writable === true
  if (settable) Error.stackTraceLimit = 0
  try {
    const error = Class === AggregateError ? new AggregateError([]) : new (Class as ErrorConstructor)()
    for (const key of Reflect.ownKeys(error)) Reflect.deleteProperty(error, key)
    return error
  } finally {
    if (settable) Error.stackTraceLimit = stackTraceLimit
  }
}

/** No getter may be asked for a tag. */
const withoutTag = (object: object): object => {
  for (let o: object | null = object; o !== null; o = Object.getPrototypeOf(o)) {
    if (Object.hasOwn(o, Symbol.toStringTag)) {
      throw new Unpicklable("an error with a Symbol.toStringTag cannot be pickled")
    }
  }
  return object
}
