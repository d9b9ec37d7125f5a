/** Arrays, with their holes. */
import { UnpicklingError } from "./errors.ts"
import { CONFIGURABLE, ENUMERABLE, HOLE, ORDINARY, WRITABLE } from "./format.ts"
import type { Kind } from "./kind.ts"

/** Its elements are properties like others, as they are few and far between, or not all alike. */
const SCATTERED = 8
/** Its length cannot be set. */
const FIXED_LENGTH = 16

export const arrayKind: Kind<Array<unknown>> = {
  name: "array",
  code: 2,
  prototype: Array.prototype,
  write(pickler, array, family) {
    const { length } = array
    const keys = Reflect.ownKeys(array)
    // the indices come first, then `length`
    const count = keys[length] === "length" ? length : keys.indexOf("length")
    let extra = elementsOf(array, count)
    if (!Reflect.getOwnPropertyDescriptor(array, "length")!.writable!) extra |= FIXED_LENGTH
    pickler.begin(family)
    pickler.integer(length)
    if ((extra & SCATTERED) !== 0) {
      pickler.properties(array, family, extra, keys, (key) => key === "length")
      return
    }
    for (let i = 0; i < length; i++) {
      const value = array[i]
      if (value === undefined && !Object.hasOwn(array, i)) pickler.hole()
      else pickler.value(value)
    }
    pickler.properties(array, family, extra, keys, undefined, count + 1)
  },
  scan(scanner, type) {
    const length = scanner.integer()
    if (length >= 2 ** 32) throw new UnpicklingError("an array of the pickle is too long")
    if ((type.extra & SCATTERED) === 0) { for (let i = 0; i < length; i++) scanner.value(true) }
    scanner.properties(type)
  },
  make() {
    return []
  },
  fill(loader, array, type) {
    const length = loader.integer()
    if ((type.extra & SCATTERED) !== 0) {
      loader.properties(array, type)
      setLength(array, length)
    } else {
      const attributes = type.extra & ORDINARY
      for (let i = 0; i < length; i++) {
        if (loader.peek() === HOLE) {
          loader.byte()
          array.length = i + 1
        } else if (attributes === ORDINARY) array.push(loader.value())
        else {
          loader.define(array, i, attributes, loader.value())
        }
      }
      loader.properties(array, type)
    }
    if ((type.extra & FIXED_LENGTH) !== 0) Object.defineProperty(array, "length", { writable: false })
  },
  tell: ([length = "0", ...elements]) => ({ about: { length }, elements }),
  locate(array, inner) {
    const i = array.indexOf(inner)
    return i === -1 ? undefined : `[${i}]`
  }
}

/** What all elements are, or that they are properties like others. No getter is asked. */
const elementsOf = (array: Array<unknown>, count: number): number => {
  const { length } = array
  if (length > 2 * count + 16) return SCATTERED | ORDINARY
  let all = -1
  for (let i = 0; i < length; i++) {
    const descriptor = Reflect.getOwnPropertyDescriptor(array, i)
    if (descriptor === undefined) continue
    if (descriptor.writable === undefined) return SCATTERED | ORDINARY
    const attributes = (descriptor.writable ? WRITABLE : 0) | (descriptor.enumerable ? ENUMERABLE : 0) |
      (descriptor.configurable ? CONFIGURABLE : 0)
    if (all === -1) all = attributes
    else if (all !== attributes) return SCATTERED | ORDINARY
  }
  return all === -1 ? ORDINARY : all
}

/** A length that nothing stands behind must not make room for that much. */
const setLength = (array: Array<unknown>, length: number): void => {
  if (length <= array.length) return
  if (length > 1024) {
    array[2 ** 32 - 2] = 0
    delete array[2 ** 32 - 2]
  }
  array.length = length
}
