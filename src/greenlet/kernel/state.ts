/**
 * The states of a greenlet, and the transitions between them: they change here and nowhere else.
 *
 *     UNSTARTED ◀─────────────── begin anew ─────────────── any but OUTSIDE
 *      │     ▲ │
 *    raise give└────start─────┐
 *      ▼     │                ▼
 *     DOOMED ────start───▶ suspended ──── raise ───▶ RAISING ──── give, resume ───▶ suspended
 *                           │     ▲                     ▲
 *                         wait   wake                 raise
 *                           ▼     │                     │
 *                          WAITING ─────────────────────┘
 *
 *     suspended, RAISING or WAITING ─── end ───▶ DEAD
 *
 * Suspended is one of four, by the frame on top: SUSPENDED, and of a generator FRESH or SOFT, of plain data DATA. A frame that is
 * pushed, popped or replaced makes it the one of that frame. FRESH becomes SOFT when it is resumed, and SOFT becomes SUSPENDED when
 * its generator is left to the loop.
 *
 *     OUTSIDE ──── raise ────▶ OUTSIDE_RAISING ──── give ────▶ OUTSIDE
 *        │ ▲
 *      push leave
 *        ▼ │
 *     suspended, of a main greenlet that runs a body
 *
 * The greenlet that runs keeps the state it was resumed in: which one runs is the thread's to say (`thread.current`).
 * The main greenlet is OUTSIDE while no frame of its own is on it: the program outside is then its body.
 */
import { type DataFrame, isDataFrame } from "./data-frame.ts"
import { type Frame, isGenerator } from "./frame.ts"

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
 * that is SOFT while it runs, or while another one runs on top of it, still has the frame that is on the JavaScript stack. One
 * whose generator was suspended deep on that stack is merely SUSPENDED.
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

/**
 * The field of a microthread that holds its state and its flags. A scheduler has flags of its own there, from `FLAG` on, each a bit of
 * its own: `microthread[BITS] & MINE`. All others are the library's.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const BITS = "~bits"

/** Is somebody told of its frames? Kept with the state, where it costs next to nothing to look at. */
export const TRACED = STATES + 1

/**
 * The lowest bit that is free for the flags of its kind.
 *
 * @category schedulers
 * @since 0.1.0
 */
export const FLAG = 2 * TRACED

/** The state of a greenlet that is suspended in `frame`, its top one from now on. */
const suspendedOn = (frame: Frame | DataFrame | undefined): typeof FRESH | typeof DATA | typeof SUSPENDED =>
  isDataFrame(frame) ? DATA : isGenerator(frame) ? FRESH : SUSPENDED

/** The state of a greenlet whose top frame, `frame`, is resumed. */
const runningOn = (frame: Frame | DataFrame): typeof SOFT | typeof DATA | typeof SUSPENDED =>
  isDataFrame(frame) ? DATA : isGenerator(frame) ? SOFT : SUSPENDED

// ---- transitions ----------------------------------------------------------------------------------------------------

/** What has a state: a microthread. */
interface Stated {
  readonly _state: State
  /** @internal for the transitions alone */
  _become(state: State): void
}

type Top = Frame | DataFrame

/** Is it in one of the four states that are suspended? */
export const isSuspended = (state: State): boolean => state === SUSPENDED || state >= SOFT

/** Start: its body is called, or takes the place that its body will have. */
export const becomeStarted = (m: Stated): void => m._become(SUSPENDED)

/** Resume of a generator that is fresh: it is SOFT from now on. */
export const becomeSoft = (m: Stated): void => m._become(SOFT)

/** Resume of `top`, whatever its kind, after an error or for the first time. Returns the state. */
export const becomeResumed = (m: Stated, top: Top): State => {
  const state = runningOn(top)
  m._become(state)
  return state
}

/** Leave to the loop: a generator that was suspended deep on the JavaScript stack is not resumed in place. */
export const becomeLeftToLoop = (m: Stated): void => {
  if (m._state === SOFT) m._become(SUSPENDED)
}

/** `top` is its top frame from now on: it was pushed, or what was above it is gone. */
export const becomeOn = (m: Stated, top: Top | undefined): void => m._become(suspendedOn(top))

/** Give: it resumes with a value, though it had an error. Is it one that has not started? */
export const becomeGiven = (m: Stated, top: Top | undefined): boolean => {
  switch (m._state) {
    case RAISING:
      m._become(suspendedOn(top))
      return false
    case OUTSIDE_RAISING:
      m._become(OUTSIDE)
      return false
    case DOOMED:
      m._become(UNSTARTED)
      return true
    default:
      return m._state === UNSTARTED
  }
}

/** Raise: it resumes with an error. False if it is dead. */
export const becomeRaising = (m: Stated): boolean => {
  switch (m._state) {
    case DEAD:
      return false
    case OUTSIDE:
      m._become(OUTSIDE_RAISING)
      break
    case UNSTARTED:
      m._become(DOOMED)
      break
    case RAISING:
    case DOOMED:
    case OUTSIDE_RAISING:
      break
    default:
      m._become(RAISING)
  }
  return true
}

/** Wait: its fiber suspends on a foreign Effect. */
export const becomeWaiting = (m: Stated): void => m._become(WAITING)

/** Wake: that wait is over; or its fiber has taken what its operation brought, be it an error. */
export const becomeWoken = (m: Stated): void => m._become(SUSPENDED)

/** End: its body has returned or thrown, or its frames are dropped for good. */
export const becomeDead = (m: Stated): void => m._become(DEAD)

/** Begin anew: it is unstarted again. */
export const becomeUnstarted = (m: Stated): void => m._become(UNSTARTED)

/** Leave: the last frame of a main greenlet is gone, or what its fiber brought was taken. */
export const becomeOutside = (m: Stated): void => m._become(OUTSIDE)

/** Inherit: it has the frames of another one from now on. */
export const becomeHeir = (m: Stated): void => m._become(SUSPENDED)

/** Reinstate: what it would have run is its own again, in the state that it was in. */
export const becomeAgain = (m: Stated, before: State): void => m._become(before)
