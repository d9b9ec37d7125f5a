/**
 * The Trace Event format, which Perfetto (ui.perfetto.dev) and Chrome's tracer open. A thread is a process there, and a tasklet a
 * thread: its states are slices, one after another, and a message is a flow from the sender's slice to the receiver's.
 */
import { BLOCKED, ENDED, FAILED, IN_RUN, OUTSIDE, PAUSED, RUNNABLE, RUNNING } from "./events.ts"
import type { Recording } from "./recording.ts"
import { type Listener, replay } from "./replay.ts"
import { channelName, stateName } from "./waiting.ts"

/** Chrome's own colours. */
const COLOURS: Readonly<Record<number, string>> = {
  [RUNNING]: "thread_state_running",
  [RUNNABLE]: "thread_state_runnable",
  [BLOCKED]: "thread_state_sleeping",
  [OUTSIDE]: "thread_state_iowait",
  [PAUSED]: "grey",
  [IN_RUN]: "grey"
}

interface Open {
  state: number
  wait: number
  place: number
  since: number
  stuck: boolean
  /** Messages that it receives when it runs next. */
  flows: Array<readonly [flow: number, channel: number]> | undefined
}

/** The pieces of the file, a few thousand events each. */
export function* traceEvents(recording: Recording): Generator<string, void> {
  const { before, end, events, places, tracks } = recording
  let piece: Array<string> = []
  let first = true
  const flush = (): string => {
    const text = `${first ? "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n" : ",\n"}${piece.join(",\n")}`
    first = false
    piece = []
    return text
  }
  const add = (event: object): void => {
    piece.push(JSON.stringify(event))
  }
  const threadOf = new Map(tracks.map(({ id, thread }) => [id, thread]))
  const pid = (id: number): number => threadOf.get(id) ?? 1
  for (const thread of new Set(threadOf.values())) {
    add({ name: "process_name", ph: "M", pid: thread, tid: 0, args: { name: `thread ${thread}` } })
  }
  for (const { id, kind, main, name, parent, thread } of tracks) {
    const printed = main ? name : `${name} #${id}`
    add({ name: "thread_name", ph: "M", pid: thread, tid: id, args: { name: printed, kind, parent } })
    add({ name: "thread_sort_index", ph: "M", pid: thread, tid: id, args: { sort_index: id } })
  }

  const micro = (millis: number): number => Math.round(millis * 1e6) / 1e3
  const open = new Map<number, Open>()
  const close = (id: number, now: number): Open | undefined => {
    const slice = open.get(id)
    if (slice === undefined) return undefined
    const { place, since, state, stuck, wait } = slice
    add({
      name: stateName(recording, channelName, stuck ? state + 16 : state, wait),
      cat: "state",
      ph: "X",
      pid: pid(id),
      tid: id,
      ts: micro(since),
      dur: Math.max(0, micro(now) - micro(since)),
      cname: stuck ? "terrible" : COLOURS[state],
      args: place === 0 ? {} : { at: places[place] }
    })
    return slice
  }
  const enter = (id: number, now: number, state: number, wait: number, place: number): void => {
    const flows = close(id, now)?.flows
    if (state === ENDED || state === FAILED) {
      open.delete(id)
      if (state === FAILED) {
        add({ name: "failed", cat: "state", ph: "i", s: "t", pid: pid(id), tid: id, ts: micro(now) })
      }
      return
    }
    const runs = state === RUNNING
    open.set(id, { state, wait, place, since: now, stuck: false, flows: runs ? undefined : flows })
    if (runs) { for (const [flow, channel] of flows ?? []) arrive(id, flow, channel, now) }
  }
  const arrive = (id: number, flow: number, channel: number, now: number): void =>
    add({
      name: channelName(recording, channel),
      cat: "message",
      ph: "f",
      bp: "e",
      id: flow,
      pid: pid(id),
      tid: id,
      ts: micro(now)
    })

  let i = 0
  let now = 0
  const listener: Listener = {
    stateOf: (id) => open.get(id)?.state,
    enter,
    message(time, from, to, channel) {
      if (from < 0 || to < 0) return
      const name = channelName(recording, channel)
      add({ name, cat: "message", ph: "s", id: i, pid: pid(from), tid: from, ts: micro(time) })
      const receiver = open.get(to)!
      if (receiver.state === RUNNING) arrive(to, i, channel, time)
      else (receiver.flows ??= []).push([i, channel])
    },
    deadlock(id, time) {
      const slice = open.get(id)
      if (slice !== undefined) slice.stuck = true
      add({ name: "deadlock", cat: "state", ph: "i", s: "p", pid: pid(id), tid: id, ts: micro(time) })
    }
  }
  for (const { id, place, state, wait } of before) enter(id, events.times[0] ?? 0, state, wait, place)
  for (; i < events.length; i++) {
    now = events.times[i]!
    replay(events, i, listener)
    if (piece.length > 4096) yield flush()
  }
  for (const id of open.keys()) {
    close(id, Math.max(now, end))
    if (piece.length > 4096) yield flush()
  }
  yield `${flush()}\n]}\n`
}
