"use stackless"
// A module that imports nothing of the cluster: a worker that has loaded no other knows pools, places and channels anyway.
import { schedule } from "effect-stackless/stackless"

export function* asks(pool: any, place: any, channel: any): Generator<any, Array<unknown>, any> {
  yield* schedule()
  yield* channel.send(place.here)
  return [pool.workers.length, place.here, yield* channel.receive()]
}
