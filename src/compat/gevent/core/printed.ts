/** How people see an object of this layer: as its `toString`, and not by what it is made of. */
const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom")

/** Lets Node print the objects of a class as their `toString`, and `JSON.stringify` write that. */
export const printed = (Class: { readonly prototype: object }): void => {
  const value = function(this: object): string {
    return String(this)
  }
  for (const key of [INSPECT, "toJSON"]) {
    Object.defineProperty(Class.prototype, key, { value, writable: true, configurable: true })
  }
}
