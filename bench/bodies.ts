"use stackless"
/** The bodies that are measured as generators and compiled: one source for both, so that the rows can be compared. */
import type { Pool, RemoteChannel } from "effect-stackless/cluster"
import { type Channel, schedule, scheduleRemove, type Tasklet, tasklet } from "effect-stackless/stackless"

export function* scheduling(n: number): Generator<any, void> {
  for (let i = 0; i < n; i++) yield* schedule()
}

export function* sending(to: Channel<number>, n: number): Generator<any, void> {
  for (let i = 0; i < n; i++) yield* to.send(i)
}

/** What is received is folded into one number with `^`: a sum would outgrow what a frame keeps without a box. */
export function* receiving(from: Channel<number>, n: number): Generator<any, number> {
  let sum = 0
  for (let i = 0; i < n; i++) sum ^= yield* from.receive()
  return sum
}

/** Does the same again and again. */
export function* repeating(n: number, what: () => any): Generator<any, void> {
  for (let i = 0; i < n; i++) yield* what()
}

export function* waiting(on: Channel<number>): Generator<any, number> {
  return yield* on.receive()
}

/** The same, one call further in. */
export function* waitingInside(on: Channel<number>): Generator<any, number> {
  return yield* waiting(on)
}

/** A recursion that pauses at its end. */
export function* pausing(n: number): Generator<any, number> {
  if (n > 0) return 1 + (yield* pausing(n - 1))
  yield* scheduleRemove()
  return 0
}

/** A plain recursion, `n` levels deep, that gives back what `atBottom` says at its end. */
export function* recursion(n: number, atBottom: () => number): Generator<any, number> {
  return n === 0 ? atBottom() : yield* recursion(n - 1, atBottom)
}

/** A loop that suspends nowhere. */
export function* computing(n: number): Generator<any, number> {
  let x = 0
  for (let i = 0; i < n; i++) x = x * 31 + i | 0
  return x
}

/** Loops in a loop: the primes below `n`. */
export function* sieving(n: number): Generator<any, number> {
  const composite = new Uint8Array(n)
  let primes = 0
  for (let i = 2; i < n; i++) {
    if (composite[i] === 1) continue
    primes++
    for (let j = i * 2; j < n; j += i) composite[j] = 1
  }
  return primes
}

// ---- on workers -----------------------------------------------------------------------------------------------------

const FRAME = "x".repeat(100)

export function* sendsFrames(to: RemoteChannel<string>, n: number): Generator<any, void> {
  for (let i = 0; i < n; i++) yield* to.send(FRAME)
}

export function* takesFrames(from: RemoteChannel<string>, n: number): Generator<any, void> {
  for (let i = 0; i < n; i++) yield* from.receive()
}

/** Receives `n` messages in `width` tasklets, after a first one. Gives back the seconds that took. */
export function* takesAll(from: RemoteChannel<string>, n: number, width: number): Generator<any, number> {
  yield* from.receive()
  const start = performance.now()
  const receivers: Array<Tasklet> = []
  for (let i = 0; i < width; i++) receivers.push(tasklet(takesFrames)(from, n / width))
  for (const receiver of receivers) yield* receiver.join()
  return (performance.now() - start) / 1000
}

/** Sends a first message, and `n` in `width` tasklets. */
export function* sendsAll(to: RemoteChannel<string>, n: number, width: number): Generator<any, void> {
  yield* to.send("begin")
  const senders: Array<Tasklet> = []
  for (let i = 0; i < width; i++) senders.push(tasklet(sendsFrames)(to, n / width))
  for (const sender of senders) yield* sender.join()
}

/** Makes a channel, tells of it by `way`, and receives `n` messages in `width` tasklets. Gives back the seconds that took. */
export function* consumes(pool: Pool, way: RemoteChannel<any>, n: number, width: number): Generator<any, number> {
  const from = pool.channel<string>()
  yield* way.send(from)
  return yield* takesAll(from, n, width)
}

export function* produces(way: RemoteChannel<any>, n: number, width: number): Generator<any, void, any> {
  yield* sendsAll(yield* way.receive(), n, width)
}

/** Round trips, each over two channels, of which each side has made the one that it receives from. */
export function* asks(pool: Pool, way: RemoteChannel<any>, n: number): Generator<any, number, any> {
  const answers = pool.channel<string>()
  yield* way.send(answers)
  const questions: RemoteChannel<any> = yield* answers.receive() as any
  return yield* asking(questions, answers, n)
}

export function* asking(
  questions: RemoteChannel<string>,
  answers: RemoteChannel<string>,
  n: number
): Generator<any, number> {
  const start = performance.now()
  for (let i = 0; i < n; i++) {
    yield* questions.send(FRAME)
    yield* answers.receive()
  }
  return (performance.now() - start) / 1000
}

export function* answering(
  questions: RemoteChannel<string>,
  answers: RemoteChannel<string>,
  n: number
): Generator<any, void, any> {
  for (let i = 0; i < n; i++) yield* answers.send(yield* questions.receive())
}

export function* answers(pool: Pool, way: RemoteChannel<any>, n: number): Generator<any, void, any> {
  const questions = pool.channel<string>()
  const to: RemoteChannel<any> = yield* way.receive()
  yield* to.send(questions)
  yield* answering(questions, to, n)
}

// ---- on machines ----------------------------------------------------------------------------------------------------

/** Asks in `width` tasklets, each over two channels of its own. Gives back the seconds that took. */
export function* asksAll(
  channels: ReadonlyArray<readonly [questions: RemoteChannel<string>, answers: RemoteChannel<string>]>,
  n: number
): Generator<any, number> {
  for (const [questions, answers] of channels) yield* asking(questions, answers, 1)
  const start = performance.now()
  const asked = channels.map(([questions, answers]) => tasklet(asking)(questions, answers, n / channels.length))
  for (const each of asked) yield* each.join()
  return (performance.now() - start) / 1000
}

export function* answersAll(
  channels: ReadonlyArray<readonly [questions: RemoteChannel<string>, answers: RemoteChannel<string>]>,
  n: number
): Generator<any, void> {
  const answered = channels.map(([questions, answers]) =>
    tasklet(answering)(questions, answers, 1 + n / channels.length)
  )
  for (const each of answered) yield* each.join()
}

/** Takes `n` messages of a stream, after a first one. Gives back the seconds that took. */
export function* takesStream(from: RemoteChannel<string>, n: number): Generator<any, number> {
  yield* from.next()
  const start = performance.now()
  for (let i = 0; i < n; i++) yield* from.next()
  return (performance.now() - start) / 1000
}

/** Goes to one machine and to another, `n` times in all. */
export function* travelling(n: number, there: string, home: string, moveTo: (to: string) => any): Generator<any, void> {
  for (let i = 0; i < n; i++) yield* moveTo(i % 2 === 0 ? there : home)
}

/** Has `width` tasklets make `n` moves in all. Gives back the seconds that took. */
export function* travelsAll(
  n: number,
  width: number,
  there: string,
  home: string,
  moveTo: (to: string) => any
): Generator<any, number> {
  const start = performance.now()
  const travellers: Array<Tasklet> = []
  for (let i = 0; i < width; i++) travellers.push(tasklet(travelling)(n / width, there, home, moveTo))
  for (const each of travellers) yield* each.join()
  return (performance.now() - start) / 1000
}
