/** The body: what a microthread runs, what it may be, and what it may return and yield. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { type DataFrame, isDataFrame } from "./data-frame.ts"
import type { Frame } from "./frame.ts"
import type { Microthread } from "./ports.ts"

/**
 * What a microthread runs: a generator function (soft: it switches without a fiber), a function that returns an Effect
 * (hard: it runs on a fiber of its own), or a plain function that never switches.
 *
 * @category models
 * @since 0.1.0
 */
export type Body<Args extends ReadonlyArray<any> = any, A = any, E = any> = (
  ...args: Args
) => Generator<Effect.Effect<any, E, any>, A, any> | Effect.Effect<A, E, any> | A

/** @internal calls a body with what the inbox holds at the start */
export const start = (body: Body, g: Microthread, inbox: unknown): unknown => {
  const self = g._hooks.receiver(body)
  return inbox === undefined ? body.call(self) : Array.isArray(inbox) ? body.apply(self, inbox) : body.call(self, inbox)
}

/** A generator object, or anything that walks like one; but no microthread, whatever methods it has */
export const isFrame = (u: unknown): u is Frame | DataFrame =>
  isDataFrame(u) || typeof u === "object" && u !== null &&
    typeof (u as Partial<Frame>).next === "function" &&
    typeof (u as Partial<Frame>).throw === "function" &&
    !(Symbol.asyncIterator in u) &&
    (u as Partial<Microthread>)._state === undefined

/** @internal */
export const requireFunction = (u: unknown): void => {
  if (typeof u === "function") return
  throw new TypeError(`a body is a function: a generator function, or one that returns an Effect; got ${describe(u)}`)
}

/** @internal a value, named for an error message */
export const describe = (u: unknown): string => {
  if (u == null) return String(u)
  if (Effect.isEffect(u)) return "an Effect"
  if (typeof u === "function") return `a function ${u.name}`
  if (typeof u !== "object") return `${typeof u} ${String(u)}`
  if (isFrame(u)) return "a generator"
  return "then" in u ? "a promise" : "an object"
}

/** The result of a plain function as a body: anything but what nobody would wait for, a promise or its likes. */
export const requireResult = (value: unknown): unknown => {
  if (typeof value === "object" && value !== null && Symbol.asyncIterator in value && "throw" in value) {
    throw new TypeError(
      "an async generator cannot be a body: write a generator function, and yield* Effect.promise(() => …) in it"
    )
  }
  if (Predicate.isPromiseLike(value)) {
    throw new TypeError(
      "an async function cannot be a body: write a generator function, and yield* Effect.promise(() => …) in it"
    )
  }
  return value
}

/** What is said of a value that a body yields and that is neither an operation nor an Effect. */
export const notYieldable = (value: unknown): string => {
  const rule = "a body yields operations and Effects"
  if (Predicate.isPromiseLike(value)) {
    return `${rule}; got a promise: write yield* Effect.promise(() => …)`
  }
  if (isFrame(value)) {
    return `${rule}; got a generator: write yield* in front of its call, or yield* call(f, …)`
  }
  if (typeof value === "function") return `${rule}; got a function: call it, as in yield* ${value.name || "f"}(…)`
  return `${rule}; got ${value === null ? "null" : typeof value}: a plain value needs no yield`
}

/**
 * What a plain function may return as a body: no promise, as nobody would wait for it.
 *
 * @category models
 * @since 0.1.0
 */
export type Plain<A> = A extends PromiseLike<any> | AsyncGenerator<any, any, any> ? never : A

/**
 * What a body that returns an `A` has to be besides: nothing, unless it is an async function, which none can be.
 *
 * @category models
 * @since 0.1.0
 */
export type NotAsync<A> = [A] extends [never] ? unknown
  : A extends PromiseLike<any> | AsyncGenerator<any, any, any> ? never
  : unknown
