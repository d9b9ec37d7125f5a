/**
 * Greenlets: explicit `switch`, `throw` and `parent`, compatible with Python's greenlet.
 *
 * @since 0.1.0
 */
export { call } from "./call.ts"
export { developmentMode, type ReportForgotten } from "./development.ts"
export { isEffectFrame } from "./effect-frame.ts"
export { AttributeError, GreenletError, GreenletExit, SystemError, ValueError } from "./errors.ts"
export { failureOf, starterOf } from "./fiber.ts"
export type { Frame } from "./frame.ts"
export { depthOf, frameOf, type GreenletFrame } from "./greenlet-frame.ts"
export { getcurrent, Greenlet, greenlet } from "./greenlet.ts"
export { type Body, isFrame, Microthread } from "./microthread.ts"
export { Operation } from "./operation.ts"
export { currentThread, isThread, makeThread, Thread, withThread } from "./thread.ts"
export { gettrace, settrace, type TraceFunction } from "./trace.ts"
export { UnswitchableGreenlet } from "./unswitchable.ts"
