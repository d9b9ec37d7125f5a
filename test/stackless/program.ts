/** Runs a program as the main tasklet of a thread of its own, and tests in both gears. */
import { Effect } from "effect"
import { call, enableSoftswitch, withThread } from "effect-stackless/stackless"
import { afterEach, beforeEach, describe } from "vitest"
import { onVirtualClock } from "../conformance/run.ts"
import { check } from "./invariants.ts"

export type Steps<A = unknown> = Generator<Effect.Effect<any, any, any>, A, any>

/** Runs an Effect on a thread of its own. */
export const onThread = <A, E>(effect: Effect.Effect<A, E, any>): Promise<A> =>
  Effect.runPromise(withThread(effect as Effect.Effect<A, E>))

const asMain = <A>(program: () => Steps<A>) =>
  call(function*() {
    const result = yield* program()
    check()
    return result
  })

/** Runs a program as main. When it is over, the scheduler has to be in order. */
export const main = <A>(program: () => Steps<A>): Promise<A> => onThread(asMain(program))

/** The same where time goes on only while everything waits. */
export const mainOnVirtualClock = <A>(program: () => Steps<A>): Promise<A> => onThread(onVirtualClock(asMain(program)))

/** The same tests with soft tasklets and with hard ones. */
export const inBothGears = (name: string, tests: () => void): void => {
  describe.each(["soft", "hard"])(`${name} (%s)`, (gear) => {
    beforeEach(() => {
      enableSoftswitch(gear === "soft")
    })
    afterEach(() => {
      enableSoftswitch(true)
    })
    tests()
  })
}

/** What an operation dies of. */
export function* errorOf(operation: Effect.Effect<unknown, unknown>): Steps<any> {
  try {
    yield* operation
  } catch (error) {
    return error
  }
  throw new Error("no error was thrown")
}
