/** A recording as the page has it. */
import type { Recording } from "./recording.ts"

export interface PageData extends Omit<Recording, "events"> {
  /** How many events there are. */
  readonly length: number
  readonly times: Float64Array
  readonly words: Uint32Array
}
