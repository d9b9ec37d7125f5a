"use stackless"
/** The bodies that are measured as generators and compiled: one source for both, so that the rows can be compared. */
import { type Channel, schedule, scheduleRemove } from "effect-stackless/stackless"

export function* scheduling(n: number): Generator<any, void> {
  for (let i = 0; i < n; i++) yield* schedule()
}

export function* sending(to: Channel<number>, n: number): Generator<any, void> {
  for (let i = 0; i < n; i++) yield* to.send(i)
}

/** What is received is folded into one number with `^`: a sum would outgrow what a frame keeps without a box. */
export function* receiving(from: Channel<number>, n: number): Generator<any, number> {
  let sum = 0
  for (let i = 0; i < n; i++) sum ^= yield* from.receive()
  return sum
}

/** Does the same again and again. */
export function* repeating(n: number, what: () => any): Generator<any, void> {
  for (let i = 0; i < n; i++) yield* what()
}

export function* waiting(on: Channel<number>): Generator<any, number> {
  return yield* on.receive()
}

/** The same, one call further in. */
export function* waitingInside(on: Channel<number>): Generator<any, number> {
  return yield* waiting(on)
}

/** A recursion that pauses at its end. */
export function* pausing(n: number): Generator<any, number> {
  if (n > 0) return 1 + (yield* pausing(n - 1))
  yield* scheduleRemove()
  return 0
}

/** A plain recursion, `n` levels deep, that gives back what `atBottom` says at its end. */
export function* recursion(n: number, atBottom: () => number): Generator<any, number> {
  return n === 0 ? atBottom() : yield* recursion(n - 1, atBottom)
}

/** A loop that suspends nowhere. */
export function* computing(n: number): Generator<any, number> {
  let x = 0
  for (let i = 0; i < n; i++) x = x * 31 + i | 0
  return x
}

/** Loops in a loop: the primes below `n`. */
export function* sieving(n: number): Generator<any, number> {
  const composite = new Uint8Array(n)
  let primes = 0
  for (let i = 2; i < n; i++) {
    if (composite[i] === 1) continue
    primes++
    for (let j = i * 2; j < n; j += i) composite[j] = 1
  }
  return primes
}
