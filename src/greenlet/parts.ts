/**
 * What a microthread is made of, for who writes it down and makes it again elsewhere (the pickler). Of one that is suspended
 * that is its frames and what it resumes with; its thread and its context of Effect are those of the place where it is made.
 */
import { Greenlet } from "./greenlet.ts"
import { type Body, requireFunction } from "./kernel/body.ts"
import { type DataFrame, isDataFrame } from "./kernel/data-frame.ts"
import { GreenletError } from "./kernel/errors.ts"
import type { Frame } from "./kernel/frame.ts"
import { INBOX } from "./kernel/inbox.ts"
import { type Microthread, Start } from "./kernel/microthread.ts"
import {
  BITS,
  DEAD,
  DOOMED,
  isSuspended,
  OUTSIDE,
  OUTSIDE_RAISING,
  RAISING,
  UNSTARTED,
  WAITING
} from "./kernel/state.ts"
import { bare } from "./kernel/wrapper.ts"

/** The fields that all microthreads have: others are those of a kind, or of a program. */
export const MICROTHREAD_FIELDS: ReadonlySet<PropertyKey> = new Set([INBOX, BITS, "_home", "_code", "_rest"])

/** The same of greenlets. */
export const GREENLET_FIELDS: ReadonlySet<PropertyKey> = new Set([
  ...MICROTHREAD_FIELDS,
  "_up",
  "_origin",
  "_switching"
])

/** The states in which a microthread can be taken apart: `outside` is a main greenlet whose program runs outside. */
export type PartState = "unstarted" | "doomed" | "suspended" | "raising" | "dead" | "outside"

/**
 * @category models
 * @since 0.1.0
 */
export interface Parts {
  readonly state: PartState
  /** What it resumes with: a value or an error; its arguments, as the start takes them; its result, if it is dead. */
  readonly inbox: unknown
  /** Its body before the start, its top frame after it. */
  readonly code: unknown
  /** The frames below the top one, the outermost first. */
  readonly below: ReadonlyArray<unknown>
}

/**
 * Takes a microthread apart, which stays as it is. Throws `GreenletError` if it runs, or if some of what it needs to go on is
 * on a fiber.
 *
 * @category pickling
 * @since 0.1.0
 */
export const partsOf = (microthread: Microthread): Parts => {
  const { _code: code, "~inbox": inbox, _stack: stack, _state: state } = microthread
  if (microthread._fiber !== undefined) throw new GreenletError("it is in the middle of an Effect, on a fiber")
  switch (state) {
    case UNSTARTED:
      return { state: "unstarted", inbox, code, below: none }
    case DOOMED:
      return { state: "doomed", inbox, code, below: none }
    case DEAD:
      return { state: "dead", inbox, code: undefined, below: none }
    case WAITING:
      throw new GreenletError("it waits for an Effect")
    case OUTSIDE:
    case OUTSIDE_RAISING:
      return { state: "outside", inbox: undefined, code: undefined, below: none }
  }
  if (microthread.thread.current === microthread) throw new GreenletError("it is the one that runs")
  return {
    state: state === RAISING ? "raising" : "suspended",
    inbox,
    code: code === undefined ? undefined : bare(code as Frame | DataFrame),
    below: stack === undefined ? none : stack.map(bare)
  }
}

const none: ReadonlyArray<never> = []

/**
 * Makes a microthread that nobody has started what `partsOf` has said of another one; when nothing can go wrong any more,
 * `enlist` has its thread know of it. Throws `TypeError` if a frame or the
 * body is none.
 *
 * @category pickling
 * @since 0.1.0
 */
export const assemble = (microthread: Microthread, { below, code, inbox, state }: Parts): void => {
  switch (state) {
    case "unstarted":
    case "doomed":
      if (code !== undefined) requireFunction(code)
      microthread._code = code as Body | undefined
      if (state === "doomed") microthread.raise(inbox)
      break
    case "dead":
      microthread._bury()
      break
    case "suspended":
    case "raising":
      if (!isPlain(code) || !below.every(isDataFrame)) {
        throw new TypeError("a microthread is made of frames that are data")
      }
      for (const frame of below) microthread._push(frame as DataFrame)
      microthread._push(code)
      if (state === "raising") microthread.raise(inbox)
      break
    case "outside":
      return
  }
  microthread["~inbox"] = inbox
}

/**
 * Has the thread of a microthread end it with the others, if it is in the middle of something.
 *
 * @category pickling
 * @since 0.1.0
 */
export const enlist = (microthread: Microthread): void => {
  const { _state: state } = microthread
  if (state === RAISING || isSuspended(state)) microthread.thread.started(microthread)
}

/** Is it a frame that is data, or one that stands for such a frame? */
const isPlain = (frame: unknown): frame is DataFrame | Start => isDataFrame(frame) || frame instanceof Start

/**
 * Is all that a microthread needs to go on in frames that are data?
 *
 * @category pickling
 * @since 0.1.0
 */
export const isData = (microthread: Microthread): boolean => {
  const { _code: code, _fiber: fiber, _stack: stack, _state: state } = microthread
  if (fiber !== undefined) return false
  if (state === RAISING || isSuspended(state)) {
    if (code !== undefined && !isPlain(bare(code as Frame | DataFrame))) return false
    return stack === undefined || stack.every((frame) => isDataFrame(bare(frame)))
  }
  return state !== WAITING
}

// ---- greenlets ------------------------------------------------------------------------------------------------------

/**
 * @category models
 * @since 0.1.0
 */
export interface GreenletParts extends Parts {
  /** Where its end goes. */
  readonly parent: Microthread | undefined
  /** What it was made with. */
  readonly origin: Body | undefined
}

/**
 * Takes a greenlet apart, which stays as it is. Throws `GreenletError` if it runs, if it is a main greenlet, or if it is in the
 * middle of an Effect.
 *
 * @category pickling
 * @since 0.1.0
 */
export const greenletParts = (greenlet: Greenlet): GreenletParts => {
  const parts = partsOf(greenlet)
  const { _origin: origin, _up: parent } = greenlet
  if (parent === undefined) throw new GreenletError("a main greenlet is the program outside of its thread")
  return { ...parts, parent, origin }
}

/**
 * Makes a new greenlet what `greenletParts` has said of another one. When all are made, `requireParents` looks at their parents.
 *
 * @category pickling
 * @since 0.1.0
 */
export const assembleGreenlet = (greenlet: Greenlet, parts: GreenletParts): void => {
  greenlet._up = parts.parent
  greenlet._origin = parts.origin
  assemble(greenlet, parts)
}

/**
 * Throws `GreenletError` if one of some greenlets is below itself; it is put below main then, and is good for nothing.
 *
 * @category pickling
 * @since 0.1.0
 */
export const requireParents = (greenlets: Iterable<Greenlet>): void => {
  const sound = new Set<Microthread>()
  for (const greenlet of greenlets) {
    const below = new Set<Microthread>()
    for (let g: Microthread | undefined = greenlet; g instanceof Greenlet && !sound.has(g); g = g._up) {
      if (below.has(g)) {
        g._up = g.thread.main
        throw new GreenletError("cyclic parent chain: a greenlet would be below itself")
      }
      below.add(g)
    }
    for (const g of below) sound.add(g)
  }
}
