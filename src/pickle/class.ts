/** Classes: which one a prototype is of, and what kind of record its instances are. */
import type { Kind } from "./kind.ts"
import { kindOfPrototype, objectKind, reducedKind } from "./kinds.ts"
import { wellKnownNameOf } from "./names.ts"
import { hasReduce } from "./reduce.ts"
import { Unpicklable } from "./unpicklable.ts"

/** The class that a prototype is of. No getter is asked. */
export const classOf = (prototype: object): Function | undefined => {
  const Class: unknown = Reflect.getOwnPropertyDescriptor(prototype, "constructor")?.value
  return typeof Class === "function" && prototypeOf(Class) === prototype ? Class : undefined
}

/** What instances of a class inherit from, if it is one. No getter is asked. */
export const prototypeOf = (Class: unknown): object | undefined => {
  if (typeof Class !== "function") return undefined
  const prototype: unknown = Reflect.getOwnPropertyDescriptor(Class, "prototype")?.value
  return typeof prototype === "object" && prototype !== null ? prototype : undefined
}

/** What kind of record an instance is, by what it inherits from. Throws if it can be none. */
export const kindFor = (prototype: object): Kind => {
  for (let p: object | null = prototype; p !== null; p = Object.getPrototypeOf(p)) {
    const found = kindOfPrototype.get(p)
    if (found !== undefined) return found
    const refused = cannotBePickled.get(p)
    if (refused !== undefined) throw new Unpicklable(`${refused} cannot be pickled`)
  }
  return objectKind
}

/** The same of a class, which may say by itself what its instances are made of. */
export const kindOfClass = (Class: Function): Kind => {
  if (hasReduce(Class)) return reducedKind
  const prototype = prototypeOf(Class)
  if (prototype === undefined) throw new Unpicklable(`${titleOf(Class)} is no class`)
  const kind = kindFor(prototype)
  const name = wellKnownNameOf(Class)
  if (name !== undefined && !name.includes(":")) {
    throw new Unpicklable(`an object of the language's class ${name} cannot be pickled`)
  }
  if (hasPrivateState(Class)) {
    throw new Unpicklable(
      `the class ${
        titleOf(Class)
      } has private state, which nobody but itself can read: give it static [pickle.reduce] and [pickle.restore]`
    )
  }
  return kind
}

/** The name of a function, for errors. No getter is asked. */
export const titleOf = (f: Function): string => {
  const name: unknown = Reflect.getOwnPropertyDescriptor(f, "name")?.value
  return typeof name === "string" && name !== "" ? name : "without a name"
}

// ---- private state --------------------------------------------------------------------------------------------------

const known = new WeakMap<Function, boolean>()
const sourceOf = Function.prototype.toString

/** Has the class, or one above it, private fields? Its source says. */
const hasPrivateState = (Class: Function): boolean => {
  for (
    let C: Function | null = Class;
    typeof C === "function" && C !== Function.prototype;
    C = Object.getPrototypeOf(C)
  ) {
    // those of this library are read and made by this library
    if (wellKnownNameOf(C) !== undefined) return false
    let found = known.get(C)
    if (found === undefined) {
      const source = sourceOf.call(C)
      found = source.startsWith("class") && privateName.test(source.replace(textAndComments, " "))
      known.set(C, found)
    }
    if (found) return true
  }
  return false
}

const privateName = /#[\p{ID_Start}$_\\]/u
const textAndComments = /\/\*[^]*?\*\/|\/\/.*|"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*'/g

// ---- what is refused ------------------------------------------------------------------------------------------------

const iteratorPrototype = (iterable: Iterable<unknown>): object => Object.getPrototypeOf(iterable[Symbol.iterator]())

const cannotBePickled = new Map<object, string>([
  [Object.getPrototypeOf(function*() {}).prototype, "a generator that the compiler has not made"],
  [Object.getPrototypeOf(async function*() {}).prototype, "an async generator"],
  [Promise.prototype, "a promise"],
  [WeakMap.prototype, "a WeakMap"],
  [WeakSet.prototype, "a WeakSet"],
  [WeakRef.prototype, "a WeakRef"],
  [iteratorPrototype([]), "an iterator of an array, which does not say of which,"],
  [iteratorPrototype(new Map()), "an iterator of a Map, which does not say of which,"],
  [iteratorPrototype(new Set()), "an iterator of a Set, which does not say of which,"],
  [iteratorPrototype(""), "an iterator of a string, which does not say of which,"],
  [iteratorPrototype("".matchAll(/a/g)), "an iterator of matches, which does not say of what,"]
])
if (typeof SharedArrayBuffer === "function") {
  cannotBePickled.set(SharedArrayBuffer.prototype, "memory that threads share")
}
