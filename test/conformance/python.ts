/** What the programs and their traces have of Python: its way of writing values, and errors that no layer brings. */
import { Array, Order } from "effect"

/** The errors that a program may name, by that name: one class for one name. */
export type ErrorClass = new(message?: string) => Error

/** A name that is not there. */
export class KeyError extends Error {
  override readonly name = "KeyError"
}

export class ZeroDivisionError extends Error {
  override readonly name = "ZeroDivisionError"
}

/** The layers above the greenlets have their own. */
export class RuntimeError extends Error {
  override readonly name = "RuntimeError"
}

/** An op that no layer knows. */
export class AssertionError extends Error {
  override readonly name = "AssertionError"
}

/** `str(value)`, of what can be written in a program. */
export const str = (value: unknown): string => {
  if (value === undefined || value === null) return "None"
  if (typeof value === "boolean") return value ? "True" : "False"
  return String(value)
}

/** How an op is written in a trace: strings as they are, everything else as compact JSON. */
export const written = (op: ReadonlyArray<unknown>): string =>
  op.map((part) => typeof part === "string" ? part : JSON.stringify(part)).join(" ")

/** `map[name]`: what is not there is a `KeyError`. */
export const lookup = <A>(map: ReadonlyMap<string, A>, name: string): A => {
  if (!map.has(name)) throw new KeyError(name)
  return map.get(name)!
}

/** The items of a dictionary in the order of `sorted`, by the character. */
export const sorted = <A>(map: ReadonlyMap<string, A>): ReadonlyArray<readonly [string, A]> =>
  Array.sort(map, Order.mapInput(Order.String, ([name]: readonly [string, A]) => name))
