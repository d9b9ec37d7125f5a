/**
 * What has happened, as numbers: a time and four words an event, in chunks, of which the first can be forgotten.
 *
 * To read the machine's clock takes several times as long as a switch. So where events come thick one reading in eight events is
 * made, and those in between are taken to be evenly spaced. Where steps take more than ten microseconds, each event has a reading of
 * its own.
 */

// In each event `a` and `b` are tasklets or greenlets by their numbers plus one, 0 for none.

/** `a` was made, by `b`. */
export const MADE = 0
/** `a` has become runnable, without a message. */
export const READY = 1
/** `a` leaves, to a state and a wait (`c`), at a place (`d`); `b` runs from now on. */
export const SWITCH = 2
/** On channel `c` a message passes from `a` to `b`; none of them is a fiber, or the channel itself, which holds the message. */
export const MESSAGE = 3
/** `a` is part of a deadlock. */
export const DEADLOCK = 4

// the states that somebody leaves to: the lowest bits of `c`. The bits above are a wait: twice the channel, and one more to send.
export const RUNNABLE = 0
export const BLOCKED = 1
/** It waits for an Effect. */
export const OUTSIDE = 2
export const PAUSED = 3
export const ENDED = 4
export const FAILED = 5
/** It is in `run`, and goes on when nobody else does. */
export const IN_RUN = 6
export const RUNNING = 7

/** How many events a chunk holds. */
export const CHUNK = 16_384

/** How many events share a reading at most. */
const MOST = 8
/** In milliseconds an event: below, readings become rarer; above, each event has one. */
const THICK = 0.002
const THIN = 0.01

interface Chunk {
  readonly times: Float64Array
  readonly words: Uint32Array
}

const newChunk = (): Chunk => ({ times: new Float64Array(CHUNK), words: new Uint32Array(4 * CHUNK) })

export class Events {
  private readonly chunks: Array<Chunk> = []
  private top: Chunk = newChunk()
  private used = 0
  private readonly limit: number
  /** Told of a chunk that is forgotten. */
  private readonly forgets: (events: Slice) => void
  /** When the clock is read next: after so many events. */
  private left = 0
  private every = 1
  /** The first in the top chunk that has no time yet. */
  private timed = 0
  private last: number
  /** What the clock said first, in milliseconds. */
  readonly start: number

  constructor(limit: number, forgets: (events: Slice) => void) {
    this.limit = Math.max(1, Math.ceil(limit / CHUNK))
    this.forgets = forgets
    this.start = this.last = performance.now()
    this.chunks.push(this.top)
  }

  /** Writes an event down; `exact` asks for a reading. */
  push(kind: number, a: number, b: number, c: number, d: number, exact: boolean): void {
    if (this.used === CHUNK) this.next()
    const { top: { words } } = this
    const at = this.used++ * 4
    words[at] = a * 8 + kind
    words[at + 1] = b
    words[at + 2] = c
    words[at + 3] = d
    if (exact || --this.left <= 0) this.read()
  }

  /** Gives each event a time. */
  read(): void {
    const { last, start, timed, top: { times }, used } = this
    const pending = used - timed
    if (pending === 0) return
    const now = this.last = performance.now()
    const step = (now - last) / pending
    for (let i = 1; i <= pending; i++) times[timed + i - 1] = last + i * step - start
    this.timed = used
    if (step < THICK) this.every = Math.min(MOST, this.every * 2)
    else if (step > THIN) this.every = 1
    this.left = this.every
  }

  private next(): void {
    this.read()
    if (this.chunks.length === this.limit) {
      const { times, words } = this.chunks.shift()!
      this.forgets({ length: CHUNK, times, words })
    }
    this.top = newChunk()
    this.chunks.push(this.top)
    this.used = this.timed = 0
  }

  /** Those that are kept. */
  get kept(): Slice {
    this.read()
    const length = (this.chunks.length - 1) * CHUNK + this.used
    const times = new Float64Array(length)
    const words = new Uint32Array(4 * length)
    for (const [i, chunk] of this.chunks.entries()) {
      const start = i * CHUNK
      const some = Math.min(CHUNK, length - start)
      times.set(chunk.times.subarray(0, some), start)
      words.set(chunk.words.subarray(0, 4 * some), 4 * start)
    }
    return { length, times, words }
  }
}

/** Some events: the times in milliseconds since the beginning, and four words each. */
export interface Slice {
  readonly length: number
  readonly times: Float64Array
  readonly words: Uint32Array
}
