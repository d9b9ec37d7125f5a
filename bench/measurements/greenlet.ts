/** Greenlets: two that switch to each other. */
import { type Greenlet, greenlet } from "effect-stackless/greenlet"
import * as Effect from "effect/Effect"
import { rate } from "../clock.ts"
import type { Measurement } from "../measurement.ts"

const SWITCHES = 5_000_000
/** Effects take longer. */
const SWITCHES_HARD = 2_000_000

export const switching = (n: number): Promise<unknown> => {
  const a: Greenlet = greenlet(function*() {
    for (let i = 0; i < n; i += 2) yield* b.switch()
  })
  const b: Greenlet = greenlet(function*() {
    for (let i = 0; i < n; i += 2) yield* a.switch()
  })
  return Effect.runPromise(a.switch())
}

const switchingHard = (n: number): Promise<unknown> => {
  const a: Greenlet = greenlet(() =>
    Effect.gen(function*() {
      for (let i = 0; i < n; i += 2) yield* b.switch()
    })
  )
  const b: Greenlet = greenlet(() =>
    Effect.gen(function*() {
      for (let i = 0; i < n; i += 2) yield* a.switch()
    })
  )
  return Effect.runPromise(a.switch())
}

export const greenlets: Record<string, Measurement> = {
  "greenlet.switch": {
    figures: [{ name: "greenlet.switch", unit: "/s", about: "two greenlets that switch to each other" }],
    take: async () => [await rate(switching, SWITCHES)]
  },
  "greenlet.switch.hard": {
    figures: [{ name: "greenlet.switch.hard", unit: "/s", about: "the same as Effects" }],
    take: async () => [await rate(switchingHard, SWITCHES_HARD)]
  }
}
