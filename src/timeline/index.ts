/**
 * Timelines: what tasklets, channels and greenlets do, as a picture, of a program that has ended or of one that runs.
 *
 * @since 0.1.0
 */
export { inspect, InspectError, type InspectOptions, type Inspector } from "./inspector.ts"
export type { RecordOptions } from "./recorder.ts"
export { record, Timeline, trace, type TraceOptions } from "./trace.ts"
