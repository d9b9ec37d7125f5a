/** Effect's own fibers, with a `Queue`: one without room, where each message is handed over, and one that takes all. */
import { Effect, Fiber, Queue } from "effect"
import type { Work } from "../clock.ts"
import type { Peer } from "./peer.ts"

const scheduling = (n: number) =>
  Effect.gen(function*() {
    for (let i = 0; i < n; i++) yield* Effect.yieldNow
  })

const sending = (to: Queue.Queue<number>, n: number) =>
  Effect.gen(function*() {
    for (let i = 0; i < n; i++) yield* Queue.offer(to, i)
  })

const receiving = (from: Queue.Queue<number>, n: number) =>
  Effect.gen(function*() {
    let sum = 0
    for (let i = 0; i < n; i++) sum ^= yield* Queue.take(from)
    return sum
  })

const oneToOne = (makeQueue: Effect.Effect<Queue.Queue<number>>): Work => (n) =>
  Effect.runPromise(Effect.gen(function*() {
    const queue = yield* makeQueue
    const receiver = yield* Effect.forkChild(receiving(queue, n))
    yield* Effect.forkChild(sending(queue, n))
    return yield* Fiber.join(receiver)
  }))

export const effectFibers: Peer = {
  schedule: (n) => Effect.runPromise(Effect.all([scheduling(n / 2), scheduling(n / 2)], { concurrency: 2 })),
  channel: oneToOne(Queue.bounded<number>(0)),
  block: (n) =>
    new Promise((resolve) => {
      Effect.runFork(Effect.gen(function*() {
        const queue = yield* Queue.unbounded<number>()
        let started = 0
        const waiting = Effect.gen(function*() {
          if (++started === n) resolve(queue)
          return yield* Queue.take(queue)
        })
        for (let i = 0; i < n; i++) yield* Effect.forkChild(waiting)
        return yield* Effect.never
      }))
    })
}

/** The sender runs ahead as far as it likes, so that there is a switch only every now and then. */
export const effectFibersBuffered: Peer = {
  channel: oneToOne(Queue.unbounded<number>())
}
