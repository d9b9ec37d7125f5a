/**
 * The page: one file that needs no network. It holds the recording, packed, and the functions that make it up as they are written, so
 * none of those may refer to anything outside of itself.
 */
import { draw } from "./draw.ts"
import { lastUpTo, model } from "./model.ts"
import type { Recording } from "./recording.ts"
import { replay } from "./replay.ts"
import { style } from "./style.ts"
import { type Parts, view } from "./view.ts"
import { channelName, stateName } from "./waiting.ts"

const parts: Parts = { channelName, draw, lastUpTo, model, replay, stateName }

/** What a recording is sent as: a line of JSON, and the numbers in base 64. */
export interface Packed {
  readonly head: string
  readonly times: string
  readonly words: string
}

/** Packs a recording. Of the times only the thousandths of a millisecond are kept. */
export const packed = ({ events, ...head }: Recording): Packed => {
  const { length, times, words } = events
  // what has hardly changed is packed best
  const micros = new Float64Array(length)
  for (let i = 0; i < length; i++) micros[i] = Math.round(times[i]! * 1e3)
  return {
    head: JSON.stringify({ ...head, length }),
    times: base64(micros),
    words: base64(words)
  }
}

const base64 = (array: Float64Array | Uint32Array): string => {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  const pieces: Array<string> = []
  // a multiple of three, so that the pieces can be put together
  for (let i = 0; i < bytes.length; i += 24_576) {
    pieces.push(btoa(String.fromCharCode(...bytes.subarray(i, i + 24_576))))
  }
  return pieces.join("")
}

/** The pieces of the page; `source` says where a live page gets more, and is left out of one that is saved. */
export function* pageOf(recording: Recording, source?: { readonly token: string }): Generator<string, void> {
  yield `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>effect-stackless: ${
    source === undefined ? "timeline" : "inspector"
  }</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><style>${style}</style></head><body>
`
  const { head, times, words } = packed(recording)
  // a tasklet's name may be anything
  yield `<script type="application/json" id="head">${head.replaceAll("<", "\\u003c")}</script>\n`
  yield `<script type="text/plain" id="times">${times}</script>\n`
  yield `<script type="text/plain" id="words">${words}</script>\n`
  const members = Object.entries(parts).map(([name, part]) => `${name}: ${String(part)}`)
  yield `<script>"use strict"
const __name = (f) => f
const parts = {
${members.join(",\n")}
}
;(${String(view)})(parts, ${JSON.stringify(source ?? null)})
</script></body></html>
`
}
