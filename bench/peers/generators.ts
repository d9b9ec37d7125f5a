/** Generators by hand: nobody but the loop that is written around just these two. */
import { inTurn } from "../measurements/raw.ts"
import type { Peer } from "./peer.ts"

function* sending(n: number): Generator<number, void, undefined> {
  for (let i = 0; i < n; i++) yield i
}

function* receiving(): Generator<undefined, void, number> {
  let sum = 0
  for (;;) sum ^= yield
}

function* waiting(): Generator<undefined, number, number> {
  return yield
}

export const generators: Peer = {
  switch: inTurn,
  channel: (n) => {
    const receiver = receiving()
    receiver.next(0)
    for (const value of sending(n)) receiver.next(value)
  },
  block: async (n) =>
    Array.from({ length: n }, () => {
      const one = waiting()
      one.next()
      return one
    })
}
