"use stackless"
/** Bodies of durable tasklets, compiled. */
import { Effect } from "effect"
import { activity, checkpoint, choose, durableChannel, durableSleep } from "effect-stackless/cluster"
import { channel, select } from "effect-stackless/stackless"

type Body<A> = Generator<any, A, any>

/** What has been done to the outside, and each step that a body has made. */
export const log: Array<string> = []

export function* counting(to: number): Body<number> {
  let sum = 0
  for (let i = 1; i <= to; i++) {
    log.push(`step ${i}`)
    sum += i
    yield* checkpoint()
  }
  return sum
}

export const numbers = durableChannel<number>("orders: numbers", { capacity: 3 })
export const doubles = durableChannel<number>("orders: doubles")

function* double(n: number): Body<void> {
  yield* doubles.send(2 * n)
}

/** Its frames are three deep when it waits. */
export function* doubling(count: number): Body<string> {
  const seen = new Set<number>()
  for (let i = 0; i < count; i++) {
    const n = yield* numbers.receive()
    seen.add(n)
    yield* double(n)
  }
  return [...seen].join()
}

export function* acting(): Body<unknown> {
  const first = yield* activity(Effect.sync(() => {
    log.push("acted")
    return new Map([["a", 1]])
  }))
  try {
    yield* activity(Effect.fail("no"))
  } catch (error) {
    return [first, error]
  }
}

export function* sleeping(millis: number): Body<string> {
  yield* durableSleep(millis)
  return "awake"
}

export function* choosing(): Body<unknown> {
  const got: Array<unknown> = []
  for (let i = 0; i < 2; i++) got.push(yield* choose({ number: numbers.receive(), late: durableSleep(150) }))
  return got
}

export function* choosingActivity(): Body<unknown> {
  return yield* choose({ activity: checkpoint(), late: durableSleep("1 day") })
}

/** A selection is a step, as a choice is. */
export function* selecting(): Body<unknown> {
  const got: Array<unknown> = []
  got.push(yield* select({ number: numbers.receive(), double: doubles.receive() }))
  got.push(yield* select({ number: numbers.receive() }, { timeout: 20 }))
  got.push(yield* select({ number: numbers.receive() }, { default: ["nothing"] }))
  got.push(yield* select({ sent: doubles.send(8) }))
  return got
}

export function* selectingLocally(): Body<unknown> {
  try {
    yield* select({ number: numbers.receive(), nearby: channel<number>().receive() })
  } catch (error) {
    return [(error as Error).name, (error as Error).message]
  }
}

export function* unpicklable(): Body<unknown> {
  const promise = Promise.resolve()
  yield* checkpoint()
  return promise
}

export function* caught(): Body<string> {
  const promise: Array<unknown> = [Promise.resolve()]
  try {
    yield* checkpoint()
  } catch (error) {
    promise.pop()
    yield* checkpoint()
    return (error as Error).message
  }
  return "stored"
}

export function* failing(): Body<never> {
  yield* checkpoint()
  throw new RangeError("out of range")
}

export function* plain(): Body<string> {
  yield* Effect.sleep(1)
  yield* checkpoint()
  return "done"
}

export function* cleaning(): Body<void> {
  try {
    yield* numbers.receive()
  } finally {
    log.push("cleaned")
  }
}
