/** What it costs to be told: the work of other figures with something attached that only counts. */
import { settrace } from "effect-stackless/greenlet"
import { metrics, setChannelCallback, setScheduleCallback } from "effect-stackless/stackless"
import * as Effect from "effect/Effect"
import { rate, type Work } from "../clock.ts"
import type { Measurement } from "../measurement.ts"
import { switching } from "./greenlet.ts"
import { oneToOne, roundTheRing, twoScheduling } from "./stackless.ts"

const TIMES = 1_000_000

let told = 0
const count = (): void => {
  told++
}

const attached = (name: string, about: string, work: Work, attach: () => void): Record<string, Measurement> => ({
  [name]: {
    figures: [{ name, unit: "/s", about }],
    take: async () => {
      attach()
      const number = await rate(work, TIMES)
      if (told < TIMES) throw new Error(`${name}: nobody was told`)
      return [number]
    }
  }
})

export const attachments: Record<string, Measurement> = {
  ...attached(
    "attached.schedule.callback",
    "stackless.schedule with a schedule callback",
    twoScheduling,
    () => setScheduleCallback(count)
  ),
  ...attached("attached.schedule.trace", "stackless.schedule with settrace", twoScheduling, () => settrace(count)),
  ...attached(
    "attached.channel.callback",
    "stackless.channel with a channel callback",
    oneToOne,
    () => setChannelCallback(count)
  ),
  ...attached(
    "attached.channel.schedule",
    "stackless.channel with a schedule callback",
    oneToOne,
    () => setScheduleCallback(count)
  ),
  ...attached("attached.channel.trace", "stackless.channel with settrace", oneToOne, () => settrace(count)),
  ...attached(
    "attached.ring.callback",
    "stackless.ring with a channel callback",
    roundTheRing,
    () => setChannelCallback(count)
  ),
  ...attached("attached.switch.trace", "greenlet.switch with settrace", switching, () => settrace(count)),
  "attached.schedule.metrics": {
    figures: [{ name: "attached.schedule.metrics", unit: "/s", about: "stackless.schedule with Effect's metrics" }],
    take: () =>
      Effect.runPromise(Effect.scoped(Effect.gen(function*() {
        yield* metrics
        return [yield* Effect.promise(() => rate(twoScheduling, TIMES))]
      })))
  }
}
