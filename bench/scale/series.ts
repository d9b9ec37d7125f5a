/** A series: one figure against a number, each of its points taken by a fresh process. */
import { seconds } from "../clock.ts"
import type { Unit } from "../measurement.ts"

export interface Series {
  readonly unit: Unit
  /** What it says, in a line. */
  readonly about: string
  readonly sizes: ReadonlyArray<number>
  /** Measures at one size. */
  readonly take: (size: number) => Promise<number>
}

/** 1, 10, 100 and so on, from the one to the other. */
export const powers = (from: number, to: number): ReadonlyArray<number> =>
  from > to ? [] : [from, ...powers(from * 10, to)]

/** The nanoseconds that `work` takes, by how many of something there were. */
export const nanoseconds = async (of: number, work: () => void | Promise<unknown>): Promise<number> =>
  (await seconds(work, of)) * 1e9 / of

/** In any order. */
export const shuffled = <A>(items: ReadonlyArray<A>): Array<A> => {
  const all = [...items]
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    const item = all[i]!
    all[i] = all[j]!
    all[j] = item
  }
  return all
}
