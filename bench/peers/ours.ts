/** This package: with generator functions as bodies, and with what the compiler makes of the same functions. */
import { Effect } from "effect"
import { Channel as GeventChannel, joinall, sleep, spawn } from "effect-stackless/compat/gevent"
import { call } from "effect-stackless/greenlet"
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

/** Our gevent, doing what python3_gevent.py does. */
const within = <A>(program: () => Generator<Effect.Effect<any, any>, A, never>): Promise<A> =>
  Effect.runPromise(call(program))

function* givingWay(n: number) {
  for (let i = 0; i < n; i++) yield* sleep(0)
}

function* putting(channel: GeventChannel<number>, n: number) {
  for (let i = 0; i < n; i++) yield* channel.put(i)
}

function* getting(channel: GeventChannel<number>, n: number) {
  let total = 0
  for (let i = 0; i < n; i++) total ^= yield* channel.get()
  return total
}

export const oursGevent: Peer = {
  schedule: (n) =>
    within(function*() {
      yield* joinall([spawn(givingWay, n / 2), spawn(givingWay, n / 2)])
    }),
  channel: (n) =>
    within(function*() {
      const channel = new GeventChannel<number>()
      yield* joinall([spawn(getting, channel, n), spawn(putting, channel, n)])
    }),
  block: (n) =>
    within(function*() {
      const channel = new GeventChannel<number>()
      const blocked = Array.from({ length: n }, () => spawn(getting, channel, 1))
      yield* sleep(0)
      return blocked
    })
}

/** The same, compiled. */
const compiled = (work: (bodies: Bodies, n: number) => Promise<unknown>) => async (n: number): Promise<unknown> =>
  work(await compiledBodies(), n)

export const oursCompiled: Peer = {
  schedule: compiled((bodies, n) => scheduling(bodies)(n)),
  channel: compiled((bodies, n) => talking(bodies)(n)),
  block: compiled((bodies, n) => blocking(bodies.waiting, n))
}
