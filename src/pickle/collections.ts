/** Maps and sets, in their order. */
import type { Kind } from "./kind.ts"

const { forEach: eachEntry, set } = Map.prototype
const mapSize = Reflect.getOwnPropertyDescriptor(Map.prototype, "size")!.get!
const { add, forEach: eachMember } = Set.prototype
const setSize = Reflect.getOwnPropertyDescriptor(Set.prototype, "size")!.get!

export const mapKind: Kind<Map<unknown, unknown>> = {
  name: "Map",
  code: 3,
  prototype: Map.prototype,
  is: (object) => succeeds(mapSize, object),
  write(pickler, map, family) {
    pickler.begin(family)
    pickler.integer(mapSize.call(map))
    eachEntry.call(map, (value, key) => {
      pickler.value(key)
      pickler.value(value)
    })
    pickler.properties(map, family)
  },
  scan(scanner, type) {
    for (let n = scanner.integer(); n > 0; n--) {
      scanner.value()
      scanner.value()
    }
    scanner.properties(type)
  },
  make() {
    return new Map()
  },
  fill(loader, map, type) {
    for (let n = loader.integer(); n > 0; n--) set.call(map, loader.value(), loader.value())
    loader.properties(map, type)
  },
  tell: ([size = "0", ...elements]) => ({ about: { size }, elements }),
  locate(map, inner) {
    let place: string | undefined
    eachEntry.call(map, (value, key) => {
      if (key === inner) place ??= "a key"
      else if (value === inner) {
        place ??= `the value of ${typeof key === "string" ? JSON.stringify(key) : String(typeof key)}`
      }
    })
    return place
  }
}

export const setKind: Kind<Set<unknown>> = {
  name: "Set",
  code: 4,
  prototype: Set.prototype,
  is: (object) => succeeds(setSize, object),
  write(pickler, collection, family) {
    pickler.begin(family)
    pickler.integer(setSize.call(collection))
    eachMember.call(collection, (member) => pickler.value(member))
    pickler.properties(collection, family)
  },
  scan(scanner, type) {
    for (let n = scanner.integer(); n > 0; n--) scanner.value()
    scanner.properties(type)
  },
  make() {
    return new Set()
  },
  fill(loader, collection, type) {
    for (let n = loader.integer(); n > 0; n--) add.call(collection, loader.value())
    loader.properties(collection, type)
  },
  tell: ([size = "0", ...elements]) => ({ about: { size }, elements }),
  locate: () => "a member"
}

/** Is an object what a method of the language takes it for? */
export const succeeds = (method: Function, object: object, ...args: ReadonlyArray<unknown>): boolean => {
  try {
    Reflect.apply(method, object, args)
    return true
  } catch {
    return false
  }
}
