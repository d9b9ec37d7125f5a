/** Effection: structured concurrency of generators. It has nothing to let another task run with, other than a timer. */
import { createChannel, createQueue, type Operation, run, spawn, suspend } from "effection"
import type { Peer } from "./peer.ts"

export const effection: Peer = {
  channel: (n) =>
    run(function*() {
      const channel = createChannel<number>()
      const subscription = yield* channel
      const receiver = yield* spawn(function*() {
        let sum = 0
        for (let i = 0; i < n; i++) sum ^= (yield* subscription.next()).value!
        return sum
      })
      yield* spawn(function*() {
        for (let i = 0; i < n; i++) yield* channel.send(i)
      })
      return yield* receiver
    }),
  block: (n) =>
    new Promise((resolve) => {
      void run(function*(): Operation<void> {
        const queue = createQueue<number, never>()
        let started = 0
        for (let i = 0; i < n; i++) {
          yield* spawn(function*() {
            if (++started === n) resolve(queue)
            yield* queue.next()
          })
        }
        yield* suspend()
      })
    })
}
