/** This package: with generator functions as bodies, and with what the compiler makes of the same functions. */
import { Effect } from "effect"
import { type Channel, channel, run, tasklet } from "effect-stackless/stackless"
import { type Bodies, compiledBodies } from "../compiled.ts"
import { scheduling, talking } from "../measurements/compiled.ts"
import { switching } from "../measurements/greenlet.ts"
import { oneToOne, twoScheduling } from "../measurements/stackless.ts"
import type { Peer } from "./peer.ts"

function* waiting(on: Channel<number>) {
  return yield* on.receive()
}

const blocking = async (body: Bodies["waiting"], n: number): Promise<unknown> => {
  const c = channel<number>()
  const start = tasklet(body)
  for (let i = 0; i < n; i++) start(c)
  await Effect.runPromise(run())
  return c
}

export const ours: Peer = {
  switch: switching,
  schedule: twoScheduling,
  channel: oneToOne,
  block: (n) => blocking(waiting, n)
}

/** The same, compiled. */
const compiled = (work: (bodies: Bodies, n: number) => Promise<unknown>) => async (n: number): Promise<unknown> =>
  work(await compiledBodies(), n)

export const oursCompiled: Peer = {
  schedule: compiled((bodies, n) => scheduling(bodies)(n)),
  channel: compiled((bodies, n) => talking(bodies)(n)),
  block: compiled((bodies, n) => blocking(bodies.waiting, n))
}
