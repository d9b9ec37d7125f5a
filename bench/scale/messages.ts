/** Messages: through a chain of tasklets, from one to many, and from many to one. */
import { Effect } from "effect"
import { type Channel, channel, run, tasklet } from "effect-stackless/stackless"
import { nanoseconds, powers, type Series } from "./series.ts"

const MESSAGES = 1_000_000

function* sending(to: Channel<number>, n: number) {
  for (let i = 0; i < n; i++) yield* to.send(i)
}

function* receiving(from: Channel<number>, n: number) {
  for (let i = 0; i < n; i++) yield* from.receive()
}

function* passing(from: Channel<number>, to: Channel<number>) {
  for (;;) yield* to.send(yield* from.receive())
}

/** Everybody but the one who counts waits already when the clock starts, and is left waiting when it stops. */
const timed = async (of: number, last: () => unknown): Promise<number> => {
  await Effect.runPromise(run())
  last()
  return nanoseconds(of, () => Effect.runPromise(run()))
}

const chain = (links: number): Promise<number> => {
  const messages = Math.ceil(MESSAGES / links)
  const first = channel<number>()
  const pass = tasklet(passing)
  let end = first
  for (let i = 1; i < links; i++) {
    const next = channel<number>()
    pass(end, next)
    end = next
  }
  tasklet(receiving)(end, messages)
  return timed(messages * links, () => tasklet(sending)(first, messages))
}

const fanOut = (receivers: number): Promise<number> => {
  const c = channel<number>()
  const start = tasklet(receiving)
  for (let i = 0; i < receivers; i++) start(c, Infinity)
  return timed(MESSAGES, () => tasklet(sending)(c, MESSAGES))
}

const fanIn = (senders: number): Promise<number> => {
  const c = channel<number>()
  const start = tasklet(sending)
  for (let i = 0; i < senders; i++) start(c, Infinity)
  return timed(MESSAGES, () => tasklet(receiving)(c, MESSAGES))
}

const sizes = powers(1, 100_000)

export const messages: Record<string, Series> = {
  "chain": { unit: "ns", about: "a message over one link of a chain, by its links", sizes, take: chain },
  "fan.out": { unit: "ns", about: "a message of one sender, by the receivers on its channel", sizes, take: fanOut },
  "fan.in": { unit: "ns", about: "a message to one receiver, by the senders on its channel", sizes, take: fanIn }
}
