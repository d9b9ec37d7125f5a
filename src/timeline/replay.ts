/**
 * What an event means: who is in which state from then on.
 *
 * It runs in a browser, too, see model.ts: so it says the numbers of events.ts once more.
 */
import type { Slice } from "./events.ts"

/** Who is told. Nobody is -1. */
export interface Listener {
  /** The state that somebody is in, as far as it was told. */
  stateOf(id: number): number | undefined
  enter(id: number, time: number, state: number, wait: number, place: number): void
  message?(time: number, from: number, to: number, channel: number): void
  deadlock?(id: number, time: number): void
}

/** Tells of one event. */
export const replay = ({ times, words }: Pick<Slice, "times" | "words">, i: number, to: Listener): void => {
  const MADE = 0
  const READY = 1
  const SWITCH = 2
  const MESSAGE = 3
  const RUNNABLE = 0
  const RUNNING = 7
  const head = words[4 * i]!
  const a = Math.floor(head / 8) - 1
  const b = words[4 * i + 1]! - 1
  const c = words[4 * i + 2]!
  const time = times[i]!
  switch (head % 8) {
    case MADE:
    case READY:
      return to.enter(a, time, RUNNABLE, 0, 0)
    case SWITCH:
      if (a >= 0) {
        // who has run since before the first event
        if (to.stateOf(a) === undefined) to.enter(a, times[0]!, RUNNING, 0, 0)
        to.enter(a, time, c % 8, Math.floor(c / 8), words[4 * i + 3]!)
      }
      if (b >= 0) to.enter(b, time, RUNNING, 0, 0)
      return
    case MESSAGE:
      if (a >= 0 && to.stateOf(a) !== RUNNING) to.enter(a, time, RUNNABLE, 0, 0)
      if (b >= 0 && to.stateOf(b) !== RUNNING) to.enter(b, time, RUNNABLE, 0, 0)
      return to.message?.(time, a, b, c)
    default:
      return to.deadlock?.(a, time)
  }
}
