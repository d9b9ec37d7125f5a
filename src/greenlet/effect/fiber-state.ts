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

/** No Effect is in progress on it. */
export const IDLE = 0
/** It makes steps: the loop has opened the gate for it. */
export const RUNS = 1
/** It performs an operation, or another greenlet runs on top of it. */
export const PERFORMS = 2
/** Its operation has named another greenlet, and the loop has not heard of it yet. */
export const HANDED_OVER = 3
/** It waits for the outcome of its operation. */
export const PARKED = 4
/** It is suspended in its Effect; or a child of it, for which it waits, in an operation. */
export const WAITS = 5
/** Its wait is over, or it was interrupted: it can go on, and the gate keeps what continues it. */
export const WOKEN = 6
/** Its fuel was used up: likewise. */
export const STOPPED = 7
/** Its Effect has ended, and its greenlet does not have the exit yet. */
export const ENDED = 8

export type FiberState =
  | typeof IDLE
  | typeof RUNS
  | typeof PERFORMS
  | typeof HANDED_OVER
  | typeof PARKED
  | typeof WAITS
  | typeof WOKEN
  | typeof STOPPED
  | typeof ENDED

/** Does the gate keep what continues it? */
export const isWoken = (state: FiberState): boolean => state === WOKEN || state === STOPPED
