/** Tasklets and channels: how often they switch and how fast they talk. */
import { type Channel, channel, run, schedule, tasklet } from "effect-stackless/stackless"
import * as Effect from "effect/Effect"
import { receiving, scheduling, sending } from "../bodies.ts"
import { rate } from "../clock.ts"
import type { Measurement } from "../measurement.ts"

const SWITCHES = 5_000_000
const MESSAGES = 2_000_000
/** Effects take longer. */
const SWITCHES_HARD = 2_000_000
const MESSAGES_HARD = 1_000_000
const RING = 10_000
const HOPS = 1_000_000

// ---- schedule -------------------------------------------------------------------------------------------------------

const schedulingHard = (n: number) =>
  Effect.gen(function*() {
    for (let i = 0; i < n; i++) yield* schedule()
  })

export const twoScheduling = (n: number): Promise<unknown> => {
  const start = tasklet(scheduling)
  start(n / 2)
  start(n / 2)
  return Effect.runPromise(run())
}

const twoSchedulingHard = (n: number): Promise<unknown> => {
  const start = tasklet(schedulingHard)
  start(n / 2)
  start(n / 2)
  return Effect.runPromise(run())
}

// ---- channel --------------------------------------------------------------------------------------------------------

const sendingHard = (to: Channel<number>, n: number) =>
  Effect.gen(function*() {
    for (let i = 0; i < n; i++) yield* to.send(i)
  })

const receivingHard = (from: Channel<number>, n: number) =>
  Effect.gen(function*() {
    let sum = 0
    for (let i = 0; i < n; i++) sum ^= yield* from.receive()
    return sum
  })

export const oneToOne = (n: number): Promise<unknown> => {
  const c = channel<number>()
  tasklet(receiving)(c, n)
  tasklet(sending)(c, n)
  return Effect.runPromise(run())
}

const oneToOneHard = (n: number): Promise<unknown> => {
  const c = channel<number>()
  tasklet(receivingHard)(c, n)
  tasklet(sendingHard)(c, n)
  return Effect.runPromise(run())
}

// ---- ring -----------------------------------------------------------------------------------------------------------

function* passing(from: Channel<number>, to: Channel<number>) {
  for (;;) {
    const left = yield* from.receive()
    if (left === 0) return
    yield* to.send(left - 1)
  }
}

function* injecting(to: Channel<number>, hops: number) {
  yield* to.send(hops)
}

/** A ring that is built once: what counts is the token's way. The tasklet that it stops at is replaced. */
const ring = (size: number): (hops: number) => Promise<unknown> => {
  const links = Array.from({ length: size }, () => channel<number>())
  const member = (i: number) => tasklet(passing)(links[i]!, links[(i + 1) % size]!)
  for (let i = 0; i < size; i++) member(i)
  let at = 0
  return async (hops) => {
    tasklet(injecting)(links[at]!, hops)
    await Effect.runPromise(run())
    at = (at + hops) % size
    member(at)
    await Effect.runPromise(run())
  }
}

let built: ((hops: number) => Promise<unknown>) | undefined

/** Round a ring that is built at the first hop. */
export const roundTheRing = (hops: number): Promise<unknown> => (built ??= ring(RING))(hops)

// ---- the figures ----------------------------------------------------------------------------------------------------

const rateOf = (
  name: string,
  about: string,
  n: number,
  work: (n: number) => Promise<unknown>
): Measurement => ({ figures: [{ name, unit: "/s", about }], take: async () => [await rate(work, n)] })

export const stackless: Record<string, Measurement> = {
  "stackless.schedule": rateOf(
    "stackless.schedule",
    "two tasklets that call schedule() in a loop",
    SWITCHES,
    twoScheduling
  ),
  "stackless.schedule.hard": rateOf(
    "stackless.schedule.hard",
    "the same as Effects",
    SWITCHES_HARD,
    twoSchedulingHard
  ),
  "stackless.channel": rateOf(
    "stackless.channel",
    "messages from one sender to one receiver, default preference",
    MESSAGES,
    oneToOne
  ),
  "stackless.channel.hard": rateOf("stackless.channel.hard", "the same as Effects", MESSAGES_HARD, oneToOneHard),
  "stackless.ring": rateOf("stackless.ring", "hops of a token round a ring of 10,000 tasklets", HOPS, roundTheRing)
}
