/**
 * Timelines: what tasklets, channels and greenlets do, as a picture.
 *
 * @since 0.1.0
 */
export type { RecordOptions } from "./recorder.ts"
export { record, Timeline, trace, type TraceOptions } from "./trace.ts"
