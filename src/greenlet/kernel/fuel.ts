/**
 * Fuel: the one counter of what a thread does. Each step takes one: a resume of a frame, an operation, a step of Effect on a
 * greenlet's fiber, and in compiled code a back edge and an entry. Where it is used up, control goes back to the loop, which
 * finds out what is due (`usedUp` in loop.ts).
 *
 * This file imports nothing but what a frame is, as compiled code is bundled with it where no kernel is needed.
 */
import { type DataFrame, NEXT, PREEMPTED } from "./data-frame.ts"

/** Where no loop runs, nobody is waiting for it to be used up. It is the largest integer that needs no object anywhere. */
const PLENTY = 2 ** 30 - 1

/** What a frame is lent that cannot give control back. */
const LOAN = 4096

export const fuel: {
  /** What is left, of the thread whose loop runs. Below 0 it is used up. Only the loop fills it up. */
  left: number
  /** Down to here the frame that the loop has resumed performs its operations in place. */
  stop: number
  /** Does a loop run? */
  driven: boolean
} = { left: PLENTY, stop: 0, driven: false }

/** The loop is left. */
export const leaveFuel = (): void => {
  fuel.left = PLENTY
  fuel.stop = 0
  fuel.driven = false
}

/**
 * Resumes a frame that gave control back with its fuel used up to somebody who cannot pass it on, as who steps it by hand. The
 * loop hears of it at its next step.
 */
export const resumeOnLoan = (frame: DataFrame): unknown => {
  try {
    for (;;) {
      fuel.left = LOAN
      const outcome = frame["~resume"](NEXT, undefined)
      if (outcome !== PREEMPTED) return outcome
    }
  } finally {
    fuel.left = fuel.driven ? 0 : PLENTY
  }
}
