/**
 * What the page makes of a recording: for each track its slices, in the order of time.
 *
 * This function, and those of draw.ts, view.ts and waiting.ts, run in a browser. They are written into the page as they are, so none of
 * them may refer to anything outside of itself: what it needs it is given.
 */
import type { PageData } from "./page-data.ts"

/** The slices of a track: where each begins, and its state, wait and place. It ends where the next one begins. */
export interface Lane {
  readonly id: number
  readonly name: string
  readonly kind: string
  readonly thread: number
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

export const model = (data: PageData): Model => {
  const MADE = 0
  const READY = 1
  const SWITCH = 2
  const MESSAGE = 3
  const RUNNABLE = 0
  const RUNNING = 7
  const byId = new Map<number, Lane>()
  for (const { id, kind, main, name, parent, thread } of data.tracks) {
    byId.set(id, {
      id,
      name: main ? name : `${name} #${id}`,
      kind,
      thread,
      parent,
      starts: [],
      states: [],
      waits: [],
      places: []
    })
  }
  const laneOf = (id: number): Lane => {
    let lane = byId.get(id)
    if (lane === undefined) {
      lane = {
        id,
        name: `#${id}`,
        kind: "tasklet",
        thread: 1,
        parent: undefined,
        starts: [],
        states: [],
        waits: [],
        places: []
      }
      byId.set(id, lane)
    }
    return lane
  }
  const enter = (id: number, time: number, state: number, wait: number, place: number): void => {
    const { places, starts, states, waits } = laneOf(id)
    starts.push(time)
    states.push(state)
    waits.push(wait)
    places.push(place)
  }
  const isRunning = (id: number): boolean => laneOf(id).states.at(-1) === RUNNING
  const { length, times, words } = data
  const first = times[0] ?? 0
  for (const { id, place, state, wait } of data.before) enter(id, first, state, wait, place)
  const messages: Array<Message> = []
  for (let i = 0; i < length; i++) {
    const head = words[4 * i]!
    const a = Math.floor(head / 8) - 1
    const b = words[4 * i + 1]! - 1
    const c = words[4 * i + 2]!
    const time = times[i]!
    switch (head % 8) {
      case MADE:
      case READY:
        enter(a, time, RUNNABLE, 0, 0)
        break
      case SWITCH:
        if (a >= 0) {
          if (laneOf(a).starts.length === 0) enter(a, first, RUNNING, 0, 0)
          enter(a, time, c % 8, Math.floor(c / 8), words[4 * i + 3]!)
        }
        if (b >= 0) enter(b, time, RUNNING, 0, 0)
        break
      case MESSAGE:
        if (a >= 0 && !isRunning(a)) enter(a, time, RUNNABLE, 0, 0)
        if (b >= 0 && !isRunning(b)) enter(b, time, RUNNABLE, 0, 0)
        messages.push({ time, from: a, to: b, channel: c })
        break
      default: {
        const { states } = laneOf(a)
        if (states.length > 0) states[states.length - 1]! |= 16
      }
    }
  }
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
