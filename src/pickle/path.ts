/** The way from the value that was to be dumped to what cannot be, as an error tells it. */
import { titleOf } from "./class.ts"
import type { Kind } from "./kind.ts"
import { isProxy } from "./proxy.ts"

interface Found {
  /** All objects, and the number of the one in which each was met. */
  readonly objects: ReadonlyArray<object>
  readonly finders: ReadonlyArray<number>
  /** The one in which something cannot be pickled. */
  readonly current: number
  /** The kind of one that has been written. */
  kindOf(object: object): Kind | undefined
}

/** How much of a long way is told, at each of its ends. */
const SHOWN = 8

export const pathTo = (found: Found): ReadonlyArray<string> => {
  const { current, finders, objects } = found
  const chain: Array<number> = []
  for (let id = current; id >= 0; id = finders[id]!) chain.push(id)
  chain.reverse()
  const steps: Array<string> = []
  chain.forEach((id, i) => {
    const object = objects[id]!
    const kind = found.kindOf(object)
    const next = chain[i + 1]
    const title = next === undefined || i === 0 || kind?.describe !== undefined ? describe(object, kind) : undefined
    if (title !== undefined) steps.push(title)
    if (next === undefined) return
    const place = kind?.locate?.(object, objects[next]) ?? propertyOf(object, objects[next])
    if (place !== undefined && place !== "") steps.push(place)
  })
  return steps.length <= 2 * SHOWN ? steps : [...steps.slice(0, SHOWN), "…", ...steps.slice(-SHOWN)]
}

const describe = (object: object, kind: Kind | undefined): string => {
  if (kind?.describe !== undefined) return kind.describe(object)
  if (isProxy(object)) return "proxy"
  if (typeof object === "function") return `function ${titleOf(object)}`
  for (let p: object | null = Object.getPrototypeOf(object); p !== null; p = Object.getPrototypeOf(p)) {
    const Class: unknown = Reflect.getOwnPropertyDescriptor(p, "constructor")?.value
    if (typeof Class === "function") return p === Object.prototype ? "object" : titleOf(Class)
  }
  return "object"
}

/** The property of an object that has a value. */
const propertyOf = (object: object, value: unknown): string | undefined => {
  for (const key of Reflect.ownKeys(object)) {
    if (Reflect.getOwnPropertyDescriptor(object, key)?.value !== value) continue
    return typeof key === "symbol" ? `[${String(key)}]` : /^\d+$/.test(key) ? `[${key}]` : `.${key}`
  }
  return undefined
}
