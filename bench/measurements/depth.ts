/** Depth: what a level of `call` costs, one million deep. */
import { call } from "effect-stackless/stackless"
import * as Effect from "effect/Effect"
import type { Measurement } from "../measurement.ts"
import { memory } from "../memory.ts"

const DEPTH = 1_000_000
const WARM = 1_000

/** A recursion of one argument, `n` levels deep, that gives back what `atBottom` says at its end. */
export const recursion = (atBottom: () => number) =>
  function* deep(n: number): Generator<Effect.Effect<unknown>, number, any> {
    if (n === 0) return atBottom()
    return (yield* call(deep, n - 1)) as number
  }

export const depths: Record<string, Measurement> = {
  "stackless.depth": {
    figures: [{ name: "stackless.depth.bytes", unit: "bytes", about: "heap of a level of call, one million deep" }],
    take: async () => {
      for (let i = 0; i < 10; i++) await Effect.runPromise(call(recursion(() => 0), WARM))
      const before = memory().heap
      const heap = await Effect.runPromise(call(recursion(() => memory().heap), DEPTH))
      return [(heap - before) / DEPTH]
    }
  }
}
