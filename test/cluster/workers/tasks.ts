"use stackless"
// What the workers of the tests run: the same module is loaded by the program and by each worker.
import { Effect } from "effect"
import { moveTo, type Place, type Pool, type RemoteChannel } from "effect-stackless/cluster"
import { type Channel as LocalChannel, schedule, select, tasklet } from "effect-stackless/stackless"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { threadId } from "node:worker_threads"

type Channel = RemoteChannel<any> | LocalChannel<any>
type Steps<A> = Generator<Effect.Effect<any, any>, A, any>

export class Refusal extends Error {
  readonly code: number
  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}

export function* add(a: number, b: number) {
  yield* schedule()
  return { sum: a + b, thread: threadId }
}

export function* refuses() {
  yield* schedule()
  throw new Refusal("not today", 7)
}

export function* returnsPromise() {
  yield* schedule()
  return { promise: Promise.resolve(1) }
}

export function* tour(pool: Pool, depth: number): Steps<Array<number>> {
  if (depth > 0) return yield* tour(pool, depth - 1)
  const seen = [threadId]
  for (const place of [...pool.workers, pool.main, ...pool.workers]) {
    yield* moveTo(place)
    seen.push(threadId)
  }
  return seen
}

export function* sends(channel: Channel, from: number, to: number) {
  for (let n = from; n < to; n++) yield* channel.send(n)
  return "sent"
}

export function* receives(channel: Channel, count: number) {
  const got: Array<any> = []
  for (let i = 0; i < count; i++) got.push(yield* channel.receive())
  return { got, thread: threadId }
}

export function* preferences(channels: ReadonlyArray<Channel>) {
  yield* schedule()
  return channels.map(({ preference }) => preference)
}

export function* iterates(channel: Channel) {
  const got: Array<any> = []
  for (;;) {
    const { done, value } = yield* channel.next()
    if (done) return got
    got.push(value)
  }
}

/** Of each kind that crosses as it is, and some that do not. */
export const kinds: ReadonlyArray<unknown> = [
  "text \ud800 ü",
  "",
  -0,
  Number.NaN,
  12n,
  true,
  null,
  undefined,
  Symbol.for("known"),
  Uint8Array.of(0, 1, 255),
  Int16Array.of(-1, 300),
  { a: [1, null, undefined] },
  new Map([["k", new Date(0)]])
]

export function* echoes(from: Channel, to: Channel, count: number) {
  for (let i = 0; i < count; i++) yield* to.send(yield* from.receive())
}

export function* iteratesSlowly(channel: Channel) {
  const got: Array<any> = []
  for (;;) {
    const { done, value } = yield* channel.next()
    if (done) return got
    got.push(value)
    // longer than values may lie ahead
    if (value === 0) yield* Effect.sleep("250 millis")
  }
}

export function* sendsError(channel: Channel) {
  yield* channel.sendThrow(new Refusal("over a channel", 8))
}

export function* sendsChannel(pool: Pool, channel: Channel) {
  const answer = pool.channel()
  yield* channel.send(answer)
  return yield* answer.receive()
}

export function* selects(one: Channel, other: Channel, count: number) {
  const got: Array<any> = []
  for (let i = 0; i < count; i++) {
    const { key, value } = yield* select({ one: one.receive(), other: other.receive() })
    got.push(`${key} ${value}`)
  }
  return got
}

export function* waitsAndSays(channel: Channel, said: Channel) {
  yield* said.send("begins")
  try {
    return yield* channel.receive()
  } finally {
    yield* said.send("was ended")
  }
}

export function* tries(place: Place, luggage: unknown): Steps<string> {
  try {
    yield* moveTo(place)
    return `moved with ${luggage}`
  } catch (caught) {
    const error = caught as { readonly _tag: string; readonly message: string }
    return `${error._tag}: ${error.message}`
  }
}

export function* triesWithFriend(place: Place, ready: Channel) {
  const friend = tasklet(receives)(ready, 1)
  const outcome = yield* tries(place, friend)
  yield* friend.kill()
  return outcome
}

export function* dies() {
  yield* schedule()
  process.exit(3)
}

const fib = (n: number): number => n < 2 ? n : fib(n - 1) + fib(n - 2)

export function* computes(n: number) {
  return fib(n)
}

export function* sleeps() {
  yield* Effect.sleep("1 hour")
}

/** How many bytes there are on this thread that somebody holds. */
export const heap = (): number => {
  setFlagsFromString("--expose-gc")
  const gc = runInNewContext("gc") as () => void
  gc()
  gc()
  return process.memoryUsage().heapUsed
}

/** Answers each request on its channel with one more channel, on which it receives; gives how many there were. */
export function* serves(pool: Pool, requests: Channel): Steps<number> {
  return yield* requests.each(function*({ closes, reply }: { closes: boolean; reply: Channel }): Steps<void> {
    const mine = pool.channel()
    yield* reply.send(mine)
    if (closes) reply.close()
    yield* mine.receive()
  })
}

/** Goes from place to place, and counts on a channel. */
export function* countsUnderWay(pool: Pool, channel: Channel, hops: number, each: number): Steps<void> {
  for (let i = 0; i < hops; i++) {
    for (let n = 0; n < each; n++) yield* channel.send(i * each + n)
    yield* moveTo(pool.workers[i % 2]!)
  }
}
