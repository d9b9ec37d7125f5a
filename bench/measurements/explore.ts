/** The search over schedules: how many a second, of a program of three tasklets that make four operations each. */
import { Effect } from "effect"
import { explore } from "effect-stackless/explore"
import { channel, run, tasklet } from "effect-stackless/stackless"
import { seconds } from "../clock.ts"
import type { Measurement } from "../measurement.ts"

const SEEDS = 20_000

function* philosophers() {
  const forks = [0, 1, 2].map(() => channel<null>({ capacity: 1 }))
  for (const fork of forks) yield* fork.send(null)
  for (const n of [0, 1, 2]) {
    // in the same order, so that they are never in a deadlock
    const first = forks[n % 2]!
    const second = forks[n % 2 + 1]!
    tasklet(function*() {
      yield* first.receive()
      yield* second.receive()
      yield* second.send(null)
      yield* first.send(null)
    })()
  }
  yield* run()
}

export const exploring: Record<string, Measurement> = {
  explore: {
    figures: [{ name: "explore.schedules", unit: "/s", about: "schedules of three philosophers, run at random" }],
    take: async () => {
      const search = (seeds: number) => Effect.runPromise(explore(philosophers, { seeds }))
      await search(SEEDS / 10)
      return [SEEDS / await seconds(search, SEEDS)]
    }
  }
}
