/**
 * The states of a greenlet's fiber.
 *
 *     IDLE ───begin──▶ RUNS ───settle──▶ ENDED ───take──▶ IDLE
 *
 *     RUNS ───perform──▶ PERFORMS ───at once──▶ RUNS
 *                           └───hand over──▶ HANDED_OVER ───leave──▶ PARKED ───continue──▶ RUNS
 *                                                                      └───interrupt──▶ WOKEN
 *     RUNS ───suspend──▶ WAITS ───wake──▶ WOKEN ───continue──▶ RUNS
 *     RUNS ───stop──▶ STOPPED ───continue──▶ RUNS
 *
 * A fiber is IDLE between the Effects of its greenlet, and before there is one. Which of the others it is in says what its
 * greenlet is in: the loop sees an outcome at ENDED, HANDED_OVER, WAITS and STOPPED. One that is interrupted while it is
 * IDLE or ENDED stays that, and is spent: the next Effect gets another one, and the spent one is retired.
 */

/**
 * All of them as one object, which each file takes apart into constants of its own: what is imported by itself is loaded and
 * checked at every use.
 */
export const fiberStates = {
  /** No Effect is in progress on it. */
  IDLE: 0,
  /** It makes steps: the loop has opened the gate for it. */
  RUNS: 1,
  /** It performs an operation, or another greenlet runs on top of it. */
  PERFORMS: 2,
  /** Its operation has named another greenlet, and the loop has not heard of it yet. */
  HANDED_OVER: 3,
  /** It waits for the outcome of its operation. */
  PARKED: 4,
  /** It is suspended in its Effect; or a child of it, for which it waits, in an operation. */
  WAITS: 5,
  /** Its wait is over, or it was interrupted: it can go on, and the gate keeps what continues it. */
  WOKEN: 6,
  /** Its fuel was used up: likewise. */
  STOPPED: 7,
  /** Its Effect has ended, and its greenlet does not have the exit yet. */
  ENDED: 8
} as const

export type FiberState = typeof fiberStates[keyof typeof fiberStates]
