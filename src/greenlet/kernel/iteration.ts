/** Whatever stands behind a `yield*` and is no frame, operation or Effect, as a frame: anything that can be iterated. */
import type { Frame } from "./frame.ts"
import { stepping } from "./step.ts"

const { Ended, Yielded } = stepping

/** The iterator of anything that can be iterated, as a frame. */
export class Iteration implements Frame {
  private readonly iterator: Iterator<unknown, unknown>
  private readonly step: Iterator<unknown, unknown>["next"]
  constructor(iterator: Iterator<unknown, unknown>) {
    this.iterator = iterator
    this.step = iterator.next
  }
  next(value: unknown): IteratorResult<unknown, unknown> {
    return asResult(this.step.call(this.iterator, value as undefined))
  }
  throw(error: unknown): IteratorResult<unknown, unknown> {
    const { iterator } = this
    if (iterator.throw != null) return asResult(iterator.throw(error))
    iterator.return?.()
    throw new TypeError("The iterator does not provide a 'throw' method")
  }
}

const asResult = (result: IteratorResult<unknown, unknown>): IteratorResult<unknown, unknown> => {
  if (typeof result !== "object" && typeof result !== "function" || result === null) {
    throw new TypeError(`Iterator result ${String(result)} is not an object`)
  }
  return result.done ? new Ended(result.value) : new Yielded(result.value)
}

/** Begins it, as the language's `yield*` does. Throws its `TypeError` if it cannot be iterated. */
export const iterationOf = (iterable: unknown): Iteration => {
  const method = (iterable as Iterable<unknown> | null | undefined)?.[Symbol.iterator]
  if (typeof method !== "function") throw new TypeError(`${named(iterable)} is not iterable`)
  const iterator: Iterator<unknown, unknown> = method.call(iterable)
  if (typeof iterator !== "object" && typeof iterator !== "function" || iterator === null) {
    throw new TypeError(`Result of the Symbol.iterator method is not an object`)
  }
  return new Iteration(iterator)
}

const named = (u: unknown): string =>
  typeof u === "object" || typeof u === "function" ? u === null ? "null" : typeof u : String(u)
