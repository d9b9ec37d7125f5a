/**
 * Greenlets: explicit `switch`, `throw` and `parent`, compatible with Python's greenlet.
 *
 * @since 0.1.0
 */
export {
  bodyOf,
  bury,
  contextOf,
  exitFor,
  fiberOf,
  originalContextOf,
  originOf,
  policyOf,
  pushFrame,
  raisesInEffect,
  rebind,
  replaceTopFrame,
  setContextOf,
  setFlag,
  topFrameOf,
  wrapFrames
} from "./author.ts"
export { letErrorsInto } from "./effect/beyond-public.ts"
export { isParking, parkingOfDriver } from "./effect/parking.ts"
export { type Starter, starterOf } from "./effect/perform.ts"
export { getcurrent, Greenlet, greenlet, type GreenletDescription } from "./greenlet.ts"
export { call, currentThread, Microthread, Operation, Thread } from "./kernel.ts"
export { type Body, isFrame, type NotAsync, type Plain, requireResult } from "./kernel/body.ts"
export { expected, failureOf, strayed } from "./kernel/border.ts"
export { hold, isExit, passesOn, rethrow } from "./kernel/brand.ts"
export { CallRoutine } from "./kernel/call.ts"
export { closeQuietly, type Cursor, cursor, END } from "./kernel/cursor.ts"
export { BEGIN, type DataFrame, isDataFrame, type Mode, NEXT, RESUME, THROW } from "./kernel/data-frame.ts"
export { developing, KEPT } from "./kernel/developing.ts"
export { developmentMode, type DevelopmentOptions, type ReportForgotten } from "./kernel/development.ts"
export { AttributeError, GreenletError, GreenletExit, SystemError, ValueError } from "./kernel/errors.ts"
export { exitOf, nameIs } from "./kernel/exit.ts"
export { type Frame, isEffectFrame } from "./kernel/frame.ts"
export { depthOf, frameOf, type GreenletFrame, standsAt } from "./kernel/greenlet-frame.ts"
export { INBOX } from "./kernel/inbox.ts"
export { ledOutOf } from "./kernel/lead.ts"
export { type Displaced, Start } from "./kernel/microthread.ts"
export { PERFORM } from "./kernel/operation.ts"
export { onRest, programs, rested } from "./kernel/origin.ts"
export { MainPolicy, type Policy } from "./kernel/policy.ts"
export { Routine } from "./kernel/routine.ts"
export { BITS, FLAG, TRACED } from "./kernel/state.ts"
export { type Stretching, type Surroundings, surroundings, surroundWith } from "./kernel/surroundings.ts"
export { isThread } from "./kernel/thread.ts"
export { explained, explainedIn } from "./kernel/unbound.ts"
export { resumeFrame, Wrapper } from "./kernel/wrapper.ts"
export {
  assemble,
  assembleGreenlet,
  enlist,
  GREENLET_FIELDS,
  type GreenletParts,
  greenletParts,
  isData,
  MICROTHREAD_FIELDS,
  type Parts,
  partsOf,
  type PartState,
  requireParents
} from "./parts.ts"
export { Places } from "./places.ts"
export { makeThread, withThread } from "./threads.ts"
export { gettrace, settrace, type TraceFunction } from "./trace.ts"
export { UnswitchableGreenlet } from "./unswitchable.ts"
