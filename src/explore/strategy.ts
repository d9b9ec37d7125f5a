/** Ways to choose who runs. A strategy makes a chooser for each run, and learns nothing from the program but who can run. */
import type { Schedule } from "./schedule.ts"

/** A place where more than one tasklet can run. */
export interface Point {
  /** Counted from 0. */
  readonly number: number
  /** The number of the tasklet that would run. */
  readonly next: number
  /** Does it run already, so that it costs a preemption to have another one run? Otherwise it is its turn. */
  readonly stopping: boolean
  /** The numbers of those that can run, that one first. */
  readonly runnable: ReadonlyArray<number>
}

/** Gives the number of the tasklet that runs. */
export type Decide = (point: Point) => number

/** As a schedule says. `missed` is called where the tasklet that it names cannot run. */
export const following =
  (schedule: Schedule, missed: (point: Point, tasklet: number) => void = () => {}): Decide => (point) => {
    const tasklet = schedule.get(point.number)
    if (tasklet === undefined) return point.next
    if (point.runnable.includes(tasklet)) return tasklet
    missed(point, tasklet)
    return point.next
  }

/** Mulberry32: numbers from 0 to below 1, the same for the same seed. */
const randomFrom = (seed: number): () => number => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Random priorities, as in "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs" (Burckhardt et al., 2010): the
 * runnable tasklet of the highest priority runs, and at `depth - 1` points, chosen at random among the first `length`, the one
 * that would run falls behind all others. A bug of that depth is found with a probability of 1 / (tasklets × length^(depth - 1))
 * at least.
 *
 * One that gives way falls behind all others, too: it waits for somebody else to do something.
 */
export const randomPriorities = (seed: number, depth: number, length: number): Decide => {
  const random = randomFrom(seed)
  const changes = new Set<number>()
  for (let i = 1; i < depth; i++) changes.add(Math.floor(random() * length))
  const priorities: Array<number> = []
  let lowest = 0
  let last = -1
  const highest = (runnable: ReadonlyArray<number>): number => {
    let best = runnable[0]!
    for (const tasklet of runnable) {
      priorities[tasklet] ??= random()
      if (priorities[tasklet]! > priorities[best]!) best = tasklet
    }
    return best
  }
  return ({ number, runnable, stopping }) => {
    if (!stopping && runnable.includes(last)) priorities[last] = --lowest
    let chosen = highest(runnable)
    if (changes.has(number)) {
      priorities[chosen] = --lowest
      chosen = highest(runnable)
    }
    return last = chosen
  }
}

/** A schedule that is to be run: another one, and where it goes on differently. */
interface Branch {
  readonly from: Branch | undefined
  readonly point: number
  readonly tasklet: number
  /** At how many points it goes on differently, and at how many of them that is a preemption. */
  readonly size: number
  readonly preemptions: number
}

/**
 * All schedules with at most so many preemptions, each once, as in "Iterative Context Bounding for Systematic Testing of
 * Multithreaded Programs" (Musuvathi and Qadeer, 2007). To run somebody else where one gives way, blocks or ends costs nothing.
 * Those that differ from the scheduler's own at one point come first, then those that do at two, and so on: the first that fails
 * is among the shortest.
 */
export class Exhaustive {
  private readonly bound: number
  /** How many are run at most: more need not be kept. */
  private readonly limit: number
  private branches: Array<Branch> = [{ from: undefined, point: -1, tasklet: -1, size: 0, preemptions: 0 }]
  private at = 0
  private left = 0

  constructor(bound: number, limit: number) {
    this.bound = bound
    this.limit = limit
  }

  /** For the next run; nothing, if all have been run that are shorter than `size`. */
  next(size = Infinity): Decide | undefined {
    const branch = this.branches[this.at]
    if (branch === undefined || branch.size >= size) return undefined
    this.at++
    const schedule = new Map<number, number>()
    for (let b: Branch | undefined = branch; b !== undefined; b = b.from) schedule.set(b.point, b.tasklet)
    const follow = following(schedule)
    return (point) => {
      if (point.number > branch.point) this.branch(branch, point)
      return follow(point)
    }
  }

  private branch(from: Branch, { next, number, runnable, stopping }: Point): void {
    const preemptions = from.preemptions + (stopping ? 1 : 0)
    if (preemptions > this.bound) return
    for (const tasklet of runnable) {
      if (tasklet === next) continue
      if (this.branches.length >= this.limit) {
        this.left++
        continue
      }
      this.branches.push({ from, point: number, tasklet, size: from.size + 1, preemptions })
    }
  }

  /** Were all run? */
  get exhausted(): boolean {
    return this.left === 0 && this.at === this.branches.length
  }
}
