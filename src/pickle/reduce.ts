/**
 * Classes that say themselves what their instances are made of.
 *
 * Python asks `__reduce__` for a function and its arguments. Here no function is in the data: the class is found by its
 * name, and what it is given is what it gave.
 */
import { UnpicklingError } from "./errors.ts"
import type { Kind } from "./kind.ts"
import { Unpicklable } from "./unpicklable.ts"

/**
 * The static method that gives what an instance is made of: any value that can be pickled. A class that has it is pickled so,
 * whatever fields its instances have. Mirrors `__reduce__`.
 *
 * @category symbols
 * @since 0.1.0
 */
export const reduce: unique symbol = Symbol.for("effect-stackless/pickle/reduce")

/**
 * The static method that makes an instance of what `reduce` gave. What that refers to is complete when it is called; so it
 * must not refer to the instance itself, by whatever way. Mirrors the callable that `__reduce__` names.
 *
 * @example
 * ```ts
 * import { dumps, loads, persistent, reduce, restore } from "effect-stackless/pickle"
 *
 * class Counter {
 *   #count: number
 *   constructor(count: number) {
 *     this.#count = count
 *   }
 *   next = () => ++this.#count
 *   static [reduce](counter: Counter) {
 *     return counter.#count
 *   }
 *   static [restore](count: number) {
 *     return new Counter(count)
 *   }
 * }
 * persistent("Counter", Counter)
 * const counter = new Counter(6)
 * loads<Counter>(dumps(counter)).next() // => 7
 * ```
 *
 * @category symbols
 * @since 0.1.0
 */
export const restore: unique symbol = Symbol.for("effect-stackless/pickle/restore")

interface Reducible {
  readonly [reduce]?: (instance: object) => unknown
  readonly [restore]?: (state: unknown) => unknown
}

export const hasReduce = (Class: Function): boolean => {
  const { [reduce]: reducing, [restore]: restoring } = Class as Reducible
  if (reducing === undefined && restoring === undefined) return false
  if (typeof reducing !== "function" || typeof restoring !== "function") {
    throw new Unpicklable(`the class ${Class.name} needs both static [pickle.reduce] and [pickle.restore]`)
  }
  return true
}

/** What its class says that it is made of. */
export const reducedKind: Kind = {
  name: "object",
  code: 12,
  late: true,
  last: true,
  write(pickler, object, family) {
    const Class = object.constructor as Reducible
    pickler.programRuns()
    pickler.begin(family)
    pickler.value(Class[reduce]!(object))
    pickler.shapeless(family, object)
  },
  scan(scanner) {
    scanner.value()
  },
  make(loader, type) {
    const Class = loader.classOf(type) as Reducible
    const state = loader.value()
    const made = Class[restore]!(state)
    if ((typeof made !== "object" && typeof made !== "function") || made === null) {
      throw new UnpicklingError(`[pickle.restore] of ${(Class as Function).name} gave no object`)
    }
    return made
  },
  fill() {},
  locate: () => "what [pickle.reduce] gave"
}
