/**
 * What tells errors of this package by what they are, not by which copy of it made them: two copies in one process, as linked
 * packages bring them, have classes of their own each.
 */

/** What a careless `catch` must not swallow, and why. */
const PASSES: unique symbol = Symbol.for("effect-stackless/passes")

/** Lets `instanceof` be true of what any copy's class of that name has made. A subclass is asked as ever. */
export const hold = (ErrorClass: abstract new(...args: never) => Error, name: string): void => {
  const brand = Symbol.for(`effect-stackless/${name}`)
  Object.defineProperty(ErrorClass.prototype, brand, { value: true })
  Object.defineProperty(ErrorClass, Symbol.hasInstance, {
    value(this: unknown, u: unknown): boolean {
      return this === ErrorClass
        ? typeof u === "object" && u !== null && brand in u
        : Function.prototype[Symbol.hasInstance].call(this as () => void, u)
    }
  })
}

/** Says of a class of errors that they end something, and are no failure. */
export const passesOn = (ErrorClass: abstract new(...args: never) => Error, as: "exit" | "timeout"): void => {
  Object.defineProperty(ErrorClass.prototype, PASSES, { value: as })
}

/** Is it an exit of one of the kinds that this package has? */
export const isExit = (error: unknown): boolean => passing(error) === "exit"

const passing = (error: unknown): unknown =>
  typeof error === "object" && error !== null ? (error as { [PASSES]?: unknown })[PASSES] : undefined

/**
 * Throws on what a careless `catch` must not swallow: exits, and the timeouts of gevent. Of anything else it does nothing. In
 * Python these derive from `BaseException`, so that `except Exception` lets them pass; JavaScript has one `catch` for
 * everything.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { getcurrent, greenlet, rethrow } from "effect-stackless/greenlet"
 *
 * const g = greenlet(function*() {
 *   try {
 *     yield* getcurrent().parent!.switch()
 *   } catch (error) {
 *     rethrow(error)
 *     console.log("something else", error)
 *   }
 * })
 * await Effect.runPromise(Effect.andThen(g.switch(), g.throw()))
 * g.dead // => true
 * ```
 *
 * @category errors
 * @since 0.1.0
 */
export const rethrow = (error: unknown): void => {
  if (passing(error) !== undefined) throw error
}
