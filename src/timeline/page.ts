/**
 * The page: one file that needs no network. It holds the recording, packed, and the functions that make it up as they are written, so
 * none of those may refer to anything outside of itself.
 */
import { draw } from "./draw.ts"
import type { Slice } from "./events.ts"
import { lastUpTo, model } from "./model.ts"
import type { Recording } from "./recording.ts"
import { replay } from "./replay.ts"
import { style } from "./style.ts"
import { type Parts, view } from "./view.ts"
import { channelName, stateName } from "./waiting.ts"

const parts: Parts = { channelName, draw, lastUpTo, model, replay, stateName }

/** What a recording is sent as: a line of JSON, and the events in base 64. */
export interface Packed {
  readonly head: string
  readonly events: string
}

/** Packs a recording. Of the times only the thousandths of a millisecond are kept. */
export const packed = ({ events, ...head }: Recording): Packed => ({
  head: JSON.stringify({ ...head, length: events.length }),
  events: base64(bytesOf(events))
})

/** The most that an event takes: a time and four words. */
const EVENT = 8 + 4 * 5

/** For each event how much later it is than the one before, and its words. Each number has seven bits in a byte, the lowest first. */
const bytesOf = ({ length, times, words }: Slice): Uint8Array => {
  let bytes = new Uint8Array(8 * length + EVENT)
  let at = 0
  const put = (number: number): void => {
    let rest = number
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = 128 + rest % 128
    bytes[at++] = rest
  }
  let last = 0
  for (let i = 0; i < length; i++) {
    if (at + EVENT > bytes.length) {
      const more = new Uint8Array(2 * bytes.length)
      more.set(bytes)
      bytes = more
    }
    const time = Math.round(times[i]! * 1e3)
    // times that are estimated may go back a little
    put(time < last ? 2 * (last - time) - 1 : 2 * (time - last))
    last = time
    for (let j = 4 * i; j < 4 * i + 4; j++) put(words[j]!)
  }
  return bytes.subarray(0, at)
}

const base64 = (bytes: Uint8Array): string => {
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
  const { events, head } = packed(recording)
  // a tasklet's name may be anything
  yield `<script type="application/json" id="head">${head.replaceAll("<", "\\u003c")}</script>\n`
  yield `<script type="text/plain" id="events">${events}</script>\n`
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
