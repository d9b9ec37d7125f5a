/**
 * Who is left over: blocked, or runnable, when a program or a `run` has come to its end. Upstream says nothing of it.
 *
 * Nobody keeps a list of those that are blocked: each stands in the queue of a channel, which may be known to nobody else. So who
 * wants to know has it written down, at each switch, who leaves to block, and when.
 */
import * as Data from "effect/Data"
import { named } from "./names.ts"
import type { Tasklet } from "./ports.ts"

/**
 * A tasklet that is left over.
 *
 * @category models
 * @since 0.1.0
 */
export interface Leftover {
  readonly tasklet: Tasklet
  /** What it is blocked in, `receive on "orders"`, one entry for each case of a `select`; none if it is runnable. */
  readonly waitsFor: ReadonlyArray<string>
  /** Where in the source it stands, `at cook (shop.ts:12:5)`: known of compiled bodies, and in development mode. */
  readonly at: string | undefined
  /** For how long it has been blocked, in milliseconds; of one that is runnable 0. */
  readonly millis: number
}

/**
 * A program has left tasklets behind: blocked, or runnable for ever.
 *
 * @category errors
 * @since 0.1.0
 */
export class LeftBehind extends Data.TaggedError("LeftBehind")<{
  readonly message: string
  readonly left: ReadonlyArray<Leftover>
}> {}

/** Since when those are blocked who have left to block. */
export class Waits {
  /** Who has asked for it: the tasklet in `run`, development mode, or a program that is to leave nothing behind. */
  readonly asker: unknown
  private readonly since = new Map<Tasklet, number>()
  /** How many are written down when those are looked for that are blocked no more. */
  private limit = 1024
  /** Of whom it was told, and since when they were blocked then. */
  private readonly told = new WeakMap<Tasklet, number>()

  constructor(asker: unknown) {
    this.asker = asker
  }

  /** `t` leaves: does it block? */
  left(t: Tasklet): void {
    if (!t.blocked) return
    const { since } = this
    // the latest is last
    since.delete(t)
    since.set(t, performance.now())
    if (since.size > this.limit) this.limit = Math.max(1024, 2 * this.blocked.length)
  }

  /** Those that are blocked, who has blocked first in front. */
  private get blocked(): Array<[Tasklet, number]> {
    for (const t of this.since.keys()) if (!t.blocked) this.since.delete(t)
    return [...this.since]
  }

  get all(): ReadonlyArray<Leftover> {
    const now = performance.now()
    return this.blocked.map(([tasklet, since]) => leftover(tasklet, now - since))
  }

  /** Those of whom this was not told yet. */
  get news(): ReadonlyArray<Leftover> {
    const now = performance.now()
    const { told } = this
    return this.blocked.filter(([tasklet, since]) => told.get(tasklet) !== since).map(([tasklet, since]) => {
      told.set(tasklet, since)
      return leftover(tasklet, now - since)
    })
  }
}

export const leftover = (tasklet: Tasklet, millis: number): Leftover => {
  const { at, waitsFor = [] } = tasklet.toJSON()
  return { tasklet, waitsFor, at, millis }
}

/** How many are named. */
const NAMED = 20

/** What is said of them. */
export const reportOf = (left: ReadonlyArray<Leftover>): string =>
  listed(`${tasklets(left.length)} blocked when run came back`, left)

/** What is wrong with a program that leaves them behind. */
export const leftBehind = (left: ReadonlyArray<Leftover>): LeftBehind => {
  const wrong = `${tasklets(left.length)} left behind: end them, or let them end, before the program does`
  return new LeftBehind({ message: listed(wrong, left), left })
}

const listed = (head: string, left: ReadonlyArray<Leftover>): string => {
  const lines = [head, ...left.slice(0, NAMED).map(lineOf)]
  if (left.length > NAMED) lines.push(`and ${left.length - NAMED} more`)
  return lines.join("\n    ")
}

const tasklets = (n: number): string => n === 1 ? "1 tasklet is" : `${n} tasklets are`

const lineOf = ({ at, millis, tasklet, waitsFor }: Leftover): string => {
  const wait = waitsFor.length === 0
    ? "is runnable"
    : `waits for ${waitsFor.join(", ")} since ${Math.round(millis)} ms`
  return `${named("tasklet", tasklet)} ${wait}${at === undefined ? "" : `, ${at}`}`
}
