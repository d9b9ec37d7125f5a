/** Plain objects, and instances of classes: a prototype, and properties. */
import type { Kind } from "./kind.ts"
import { ownKeys } from "./own-keys.ts"

export const objectKind: Kind = {
  name: "object",
  code: 0,
  prototype: Object.prototype,
  write(pickler, object, family) {
    const keys = ownKeys(object)
    if (keys.at(-1) === Symbol.iterator && Object.prototype.toString.call(object) === "[object Arguments]") {
      return argumentsKind.write(pickler, object, pickler.family(argumentsKind))
    }
    pickler.begin(family)
    pickler.properties(object, family, 0, keys)
  },
  scan(scanner, type) {
    scanner.properties(type)
  },
  make(loader, type) {
    const prototype = loader.prototypeOf(type)
    return prototype === Object.prototype ? {} : Object.create(prototype)
  },
  fill(loader, object, type) {
    loader.properties(object, type)
  }
}

/** What a function gets as `arguments`. */
export const argumentsKind: Kind<object> = {
  name: "arguments",
  code: 1,
  write(pickler, object, family) {
    pickler.begin(family)
    pickler.properties(
      object,
      family,
      0,
      undefined,
      (key, { value }) => key === "callee" || (key === Symbol.iterator && value === Array.prototype.values)
    )
  },
  scan(scanner, type) {
    scanner.properties(type)
  },
  make() {
    return emptyArguments()
  },
  fill(loader, object, type) {
    loader.properties(object, type)
  }
}

function emptyArguments(): object {
  "use strict"
  return arguments
}
