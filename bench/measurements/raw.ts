/** The yardstick: generators without anything around them. */
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
      about: "the same with yield* of an iterator that yields once: the floor of all that is written with yield*"
    }],
    take: async () => [await rate(delegatingInTurn, 5_000_000)]
  }
}
