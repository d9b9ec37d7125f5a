/** This package. */
import { Effect } from "effect"
import { type Channel, channel, run, tasklet } from "effect-stackless/stackless"
import { switching } from "../measurements/greenlet.ts"
import { oneToOne, twoScheduling } from "../measurements/stackless.ts"
import type { Peer } from "./peer.ts"

function* waiting(on: Channel<number>) {
  return yield* on.receive()
}

export const ours: Peer = {
  switch: switching,
  schedule: twoScheduling,
  channel: oneToOne,
  block: async (n) => {
    const c = channel<number>()
    const start = tasklet(waiting)
    for (let i = 0; i < n; i++) start(c)
    await Effect.runPromise(run())
    return c
  }
}
