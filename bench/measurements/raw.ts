/** The yardsticks: generators, and fibers, without anything around them. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { rate } from "../clock.ts"
import type { Measurement } from "../measurement.ts"

function* stepping(n: number): Generator<undefined, void, undefined> {
  for (let i = 0; i < n; i++) yield undefined
}

/** The least that a loop over two has to do: step the one whose turn it is, see whether it is done, take the other. */
export const inTurn = (n: number): void => {
  const a = stepping(n / 2)
  const b = stepping(n / 2)
  for (let next = a; next.next(undefined).done !== true;) next = next === a ? b : a
}

// ---- what yield* costs ----------------------------------------------------------------------------------------------

let fresh = false
const yielded: IteratorYieldResult<undefined> = { done: false, value: undefined }
const ended: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** The least that a `yield*` can be given: it yields once, and gives back what the step brings. */
const once: IterableIterator<undefined, undefined, undefined> = {
  [Symbol.iterator]() {
    fresh = true
    return this
  },
  next(value) {
    if (fresh) {
      fresh = false
      return yielded
    }
    ended.value = value
    return ended
  }
}

function* delegating(n: number): Generator<undefined, void, undefined> {
  for (let i = 0; i < n; i++) yield* once
}

const delegatingInTurn = (n: number): void => {
  const a = delegating(n / 2)
  const b = delegating(n / 2)
  for (let next = a; next.next(undefined).done !== true;) next = next === a ? b : a
}

// ---- what a fiber costs ---------------------------------------------------------------------------------------------

/** Continues the fiber that was suspended last. */
let go: (exit: Exit.Exit<void>) => void

const suspension = Effect.callback<void>((resume) => {
  go = resume
})

const suspending = (n: number) =>
  Effect.gen(function*() {
    for (let i = 0; i < n; i++) yield* suspension
  })

/** Effects of some kinds, as every program has them. */
const others = Effect.gen(function*() {
  yield* Effect.exit(Effect.uninterruptible(Effect.interruptible(Effect.fail("failed"))))
  yield* Effect.ensuring(Effect.map(Effect.yieldNow, () => 1), Effect.void)
  return yield* Effect.catch(Effect.flatMap(Effect.sync(() => 1), Effect.fail), Effect.succeed)
})

/** Two fibers, each of which suspends itself and is continued when the other one has, by a bare loop. */
const fibersInTurn = (n: number): void => {
  Effect.runFork(suspending(n / 2))
  let next = go
  Effect.runFork(suspending(n / 2))
  for (let i = 2; i < n; i++) {
    const resume = next
    next = go
    resume(Exit.void)
  }
  next(Exit.void)
  go(Exit.void)
}

export const raw: Record<string, Measurement> = {
  "raw.generator": {
    figures: [{
      name: "raw.generator",
      unit: "/s",
      about: "two generator objects, stepped in turn by a bare loop: the yardstick"
    }],
    take: async () => [await rate(inTurn, 10_000_000)]
  },
  "raw.delegating": {
    figures: [{
      name: "raw.delegating",
      unit: "/s",
      about: "the same with yield* of an iterator that yields once, so that each yield* suspends its generator"
    }],
    take: async () => [await rate(delegatingInTurn, 5_000_000)]
  },
  "raw.fiber": {
    figures: [{
      name: "raw.fiber",
      unit: "/s",
      about: "two fibers of Effect that suspend themselves and are continued in turn: the yardstick of what is hard"
    }],
    take: async () => [await rate(fibersInTurn, 1_000_000)]
  },
  "raw.fiber.mixed": {
    figures: [{
      name: "raw.fiber.mixed",
      unit: "/s",
      about: "the same in a process that runs Effects of other kinds as well, as every program does"
    }],
    take: async () => {
      for (let i = 0; i < 2_000; i++) await Effect.runPromise(others)
      return [await rate(fibersInTurn, 1_000_000)]
    }
  }
}
