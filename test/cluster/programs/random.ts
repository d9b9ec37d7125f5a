"use stackless"
/** Bodies that do what a list says, and give back what they have seen. */
import { Effect } from "effect"
import { activity, checkpoint, durableChannel } from "effect-stackless/cluster"

type Body<A> = Generator<any, A, any>

export type Act = "checkpoint" | "act" | "send" | "receive"

export const outside: Array<string> = []

export function* obeying(
  name: string,
  acts: ReadonlyArray<Act>,
  from: string,
  to: string
): Body<ReadonlyArray<unknown>> {
  const input = durableChannel<number>(from, { capacity: 2 })
  const output = durableChannel<number>(to, { capacity: name === "a" ? 2 : 64 })
  const seen: Array<unknown> = []
  let count = 0
  for (const [i, act] of acts.entries()) {
    if (act === "checkpoint") yield* checkpoint()
    else if (act === "send") yield* output.send(++count * 10)
    else if (act === "receive") seen.push(yield* input.receive())
    else {
      seen.push(
        yield* activity(Effect.sync(() => {
          outside.push(`${name} ${i}`)
          return i
        }))
      )
    }
  }
  return seen
}

export function* waiting(steps: number, name: string): Body<number> {
  const channel = durableChannel<number>(name)
  let sum = 0
  for (let i = 0; i < steps; i++) {
    outside.push(`step ${i}`)
    sum += i
    yield* checkpoint()
  }
  return sum + (yield* channel.receive())
}
