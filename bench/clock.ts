/** Against the clock: how long a piece of work takes once the compiler has seen it. */

/** Does something `n` times. */
export type Work = (n: number) => void | Promise<unknown>

/** How many timed runs one process makes, of which the median counts. */
const RUNS = 3

/** The middle one. */
export const median = (numbers: ReadonlyArray<number>): number => {
  const sorted = Float64Array.from(numbers)
  sorted.sort()
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The seconds that `work` takes for `n`. */
export const seconds = async (work: Work, n: number): Promise<number> => {
  const start = performance.now()
  const going = work(n)
  if (going !== undefined) await going
  return (performance.now() - start) / 1000
}

/** How many a second `work` does, after two shorter runs for warm-up. */
export const rate = async (work: Work, n: number): Promise<number> => {
  for (let i = 0; i < 2; i++) await seconds(work, Math.ceil(n / 4))
  const taken: Array<number> = []
  for (let i = 0; i < RUNS; i++) taken.push(await seconds(work, n))
  return n / median(taken)
}
