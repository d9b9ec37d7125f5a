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
  readonly starts: Array<number>
  /** The state, and 16 more if it is part of a deadlock. */
  readonly states: Array<number>
  readonly waits: Array<number>
  readonly places: Array<number>
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
  const byId = new Map<number, Lane>()
  const add = (id: number, name: string, parent: number | undefined): Lane => {
    const lane: Lane = { id, name, parent, starts: [], states: [], waits: [], places: [] }
    byId.set(id, lane)
    return lane
  }
  for (const { id, main, name, parent } of data.tracks) {
    add(id, main ? name : `${name} #${id}`, parent)
  }
  const laneOf = (id: number): Lane => byId.get(id) ?? add(id, `#${id}`, undefined)
  const enter = (id: number, time: number, state: number, wait: number, place: number): void => {
    const { places, starts, states, waits } = laneOf(id)
    starts.push(time)
    states.push(state)
    waits.push(wait)
    places.push(place)
  }
  const messages: Array<Message> = []
  const listener: Listener = {
    stateOf: (id) => laneOf(id).states.at(-1),
    enter,
    message: (time, from, to, channel) => void messages.push({ time, from, to, channel }),
    deadlock(id) {
      const { states } = laneOf(id)
      if (states.length > 0) states[states.length - 1]! |= 16
    }
  }
  const { length, times } = data
  const first = times[0] ?? 0
  for (const { id, place, state, wait } of data.before) enter(id, first, state, wait, place)
  for (let i = 0; i < length; i++) tell(data, i, listener)
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
