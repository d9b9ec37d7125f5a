/**
 * What the page makes of a recording: for each track its slices, in the order of time.
 *
 * These functions, and those of draw.ts, replay.ts, view.ts and waiting.ts, run in a browser. They are written into the page as they are, so none of
 * them may refer to anything outside of itself: what it needs it is given.
 */
import type { PageData } from "./page-data.ts"
import type { Listener, replay } from "./replay.ts"

/** The slices of a track: where each begins, and its state, wait and place. It ends where the next one begins. */
export interface Lane {
  readonly id: number
  readonly name: string
  readonly parent: number | undefined
  readonly starts: Float64Array
  /** The state, and 16 more if it is part of a deadlock. */
  readonly states: Uint8Array
  readonly waits: Uint32Array
  readonly places: Uint32Array
}

export interface Message {
  readonly time: number
  readonly from: number
  readonly to: number
  readonly channel: number
}

export interface Model {
  readonly lanes: Array<Lane>
  readonly byId: Map<number, Lane>
  readonly messages: Array<Message>
  readonly end: number
  readonly length: number
}

export const model = (data: PageData, tell: typeof replay): Model => {
  /** A track while it is told of: how many slices it has, its state, and where they go. */
  interface Told {
    size: number
    state: number | undefined
    lane: Lane | undefined
  }
  const told = new Map<number, Told>()
  const toldOf = (id: number): Told => {
    let track = told.get(id)
    if (track === undefined) told.set(id, track = { size: 0, state: undefined, lane: undefined })
    return track
  }
  for (const { id } of data.tracks) toldOf(id)
  const { length, times } = data
  const tellAll = (listener: Listener): void => {
    const first = times[0] ?? 0
    for (const { id, place, state, wait } of data.before) listener.enter(id, first, state, wait, place)
    for (let i = 0; i < length; i++) tell(data, i, listener)
  }
  const stateOf = (id: number): number | undefined => toldOf(id).state

  // first they are counted, so that nothing has to grow
  tellAll({
    stateOf,
    enter(id, _time, state) {
      const track = toldOf(id)
      track.size++
      track.state = state
    },
    deadlock(id) {
      const track = toldOf(id)
      if (track.state !== undefined) track.state |= 16
    }
  })
  const tracks = new Map(data.tracks.map((track) => [track.id, track]))
  const byId = new Map<number, Lane>()
  for (const [id, track] of told) {
    const { size } = track
    const { main, name, parent } = tracks.get(id) ?? { main: true, name: `#${id}`, parent: undefined }
    track.size = 0
    track.state = undefined
    track.lane = {
      id,
      name: main ? name : `${name} #${id}`,
      parent,
      starts: new Float64Array(size),
      states: new Uint8Array(size),
      waits: new Uint32Array(size),
      places: new Uint32Array(size)
    }
    byId.set(id, track.lane)
  }
  const messages: Array<Message> = []
  tellAll({
    stateOf,
    enter(id, time, state, wait, place) {
      const track = toldOf(id)
      const { places, starts, states, waits } = track.lane!
      const at = track.size++
      starts[at] = time
      states[at] = track.state = state
      waits[at] = wait
      places[at] = place
    },
    message: (time, from, to, channel) => void messages.push({ time, from, to, channel }),
    deadlock(id) {
      const track = toldOf(id)
      if (track.size > 0) track.lane!.states[track.size - 1] = track.state! |= 16
    }
  })
  const lanes = [...byId.values()].filter(({ starts }) => starts.length > 0)
  return { lanes, byId, messages, end: Math.max(data.end, times[length - 1] ?? 0), length }
}

/** The last of some ascending numbers that is not above a value; -1 if there is none. */
export const lastUpTo = (numbers: ArrayLike<number>, value: number): number => {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (numbers[middle]! <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}
