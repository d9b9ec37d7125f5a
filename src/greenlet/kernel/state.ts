import { type DataFrame, isDataFrame } from "./data-frame.ts"
import { type Frame, isGenerator } from "./frame.ts"

/**
 * The states of a greenlet.
 *
 *     UNSTARTED ──start──▶ SUSPENDED ◀──give── RAISING          (and back: raise)
 *         │                   │  ▲                 │
 *       raise                wait ready           end
 *         ▼                   ▼  │                 ▼
 *      DOOMED ──start──▶    WAITING ──────────▶   DEAD
 *
 * The greenlet that runs keeps the state it was resumed in: which one runs is the thread's to say (`thread.current`).
 * The main greenlet is OUTSIDE while no frame of its own is on it: the program outside is then its body.
 */

/** Never switched to. Its inbox holds the arguments for its body, once somebody gave them. */
export const UNSTARTED = 0
/** Never switched to, and its inbox holds an error to die of at the start. */
export const DOOMED = 1
/** Resumes its top frame with the value in its inbox. */
export const SUSPENDED = 2
/** Resumes its top frame with the error in its inbox, thrown. */
export const RAISING = 3
/** Its fiber is suspended on a foreign Effect, and it cannot be resumed before that is over. */
export const WAITING = 4
/** Ended. */
export const DEAD = 5
/** A main greenlet without a frame, resumed by handing the value in its inbox to the fiber that stands for it. */
export const OUTSIDE = 6
/** The same with an error in the inbox. */
export const OUTSIDE_RAISING = 7

/**
 * SUSPENDED in a generator, whose `next` the loop need not look up, and the same one as when it was resumed last. So a greenlet
 * that is SOFT while it runs, or while another one runs on top of it, still has the frame that is on the JavaScript stack. One whose generator was suspended deep on that stack is merely SUSPENDED.
 */
export const SOFT = 8
/** SUSPENDED, with a generator on top that has not been resumed since it is there. */
export const FRESH = 9
/** SUSPENDED in a frame that is plain data. These three are the last of all. */
export const DATA = 10

export type State =
  | typeof UNSTARTED
  | typeof DOOMED
  | typeof SUSPENDED
  | typeof RAISING
  | typeof WAITING
  | typeof DEAD
  | typeof OUTSIDE
  | typeof OUTSIDE_RAISING
  | typeof SOFT
  | typeof FRESH
  | typeof DATA

/** Room for all of them: a microthread has them in the lowest bits of a field, and its flags above. */
export const STATES = 15

/** The lowest bit that is free for flags. */
export const FLAG = STATES + 1

/** The state of a greenlet that is suspended in `frame`, its top one from now on. */
export const suspendedOn = (frame: Frame | DataFrame | undefined): typeof FRESH | typeof DATA | typeof SUSPENDED =>
  isDataFrame(frame) ? DATA : isGenerator(frame) ? FRESH : SUSPENDED

/** The state of a greenlet whose top frame, `frame`, is resumed. */
export const runningOn = (frame: Frame | DataFrame): typeof SOFT | typeof DATA | typeof SUSPENDED =>
  isDataFrame(frame) ? DATA : isGenerator(frame) ? SOFT : SUSPENDED
