/** Recursion by `call`: what a level costs, by how many there are. */
import { Effect } from "effect"
import { call } from "effect-stackless/stackless"
import { recursion } from "../measurements/depth.ts"
import { memory } from "../memory.ts"
import { nanoseconds, powers, type Series } from "./series.ts"

const LEVELS = 1_000_000
const sizes = [...powers(1000, 1_000_000), 5_000_000]

const time = async (depth: number): Promise<number> => {
  const times = Math.ceil(LEVELS / depth)
  return nanoseconds(times * depth, async () => {
    for (let i = 0; i < times; i++) await Effect.runPromise(call(recursion(() => 0), depth))
  })
}

const bytes = async (depth: number): Promise<number> => {
  const before = memory().heap
  const heap = await Effect.runPromise(call(recursion(() => memory().heap), depth))
  return (heap - before) / depth
}

export const depth: Record<string, Series> = {
  "depth": { unit: "ns", about: "a level of call, down and up again, by the depth", sizes, take: time },
  "depth.bytes": { unit: "bytes", about: "heap of a level of call, by the depth", sizes, take: bytes }
}
