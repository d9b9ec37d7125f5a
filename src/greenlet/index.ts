/**
 * Greenlets: explicit `switch`, `throw` and `parent`, compatible with Python's greenlet.
 *
 * @since 0.1.0
 */
export { letErrorsInto } from "./effect/beyond-public.ts"
export { isEffectFrame } from "./effect/effect-frame.ts"
export { failureOf, starterOf } from "./effect/fiber.ts"
export { getcurrent, Greenlet, greenlet } from "./greenlet.ts"
export { call } from "./kernel/call.ts"
export { type DataFrame, isDataFrame } from "./kernel/data-frame.ts"
export { resumeFrame, throwIntoFrame } from "./kernel/delegation.ts"
export { developmentMode, type ReportForgotten } from "./kernel/development.ts"
export { AttributeError, GreenletError, GreenletExit, SystemError, ValueError } from "./kernel/errors.ts"
export { exitOf, nameIs } from "./kernel/exit.ts"
export type { Frame } from "./kernel/frame.ts"
export { depthOf, frameOf, type GreenletFrame } from "./kernel/greenlet-frame.ts"
export { type Body, type Displaced, isFrame, Microthread } from "./kernel/microthread.ts"
export { Operation } from "./kernel/operation.ts"
export { currentThread, isThread, makeThread, Thread, withThread } from "./kernel/thread.ts"
export { gettrace, settrace, type TraceFunction } from "./trace.ts"
export { UnswitchableGreenlet } from "./unswitchable.ts"
