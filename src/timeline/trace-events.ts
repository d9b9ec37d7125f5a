/**
 * The Trace Event format, which Perfetto (ui.perfetto.dev) and Chrome's tracer open. A thread is a process there, and a tasklet a
 * thread: its states are slices, one after another, and a message is a flow from the sender's slice to the receiver's.
 */
import {
  BLOCKED,
  DEADLOCK,
  ENDED,
  FAILED,
  IN_RUN,
  MADE,
  MESSAGE,
  OUTSIDE,
  PAUSED,
  READY,
  RUNNABLE,
  RUNNING,
  SWITCH
} from "./events.ts"
import type { Recording } from "./recording.ts"

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
  const { before, channels, events: { length, times, words }, places, tracks } = recording
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
  const waits = (wait: number): string => {
    const channel = channels[Math.floor(wait / 2)]
    if (channel?.waits !== undefined) return channel.waits.map(waits).join(", ")
    return `${wait % 2 === 1 ? "send" : "receive"} on ${nameOf(channel)}`
  }
  const close = (id: number, now: number): Open | undefined => {
    const slice = open.get(id)
    if (slice === undefined) return undefined
    const { place, since, state, stuck, wait } = slice
    const name = state === RUNNING
      ? "running"
      : state === RUNNABLE
      ? "runnable"
      : state === OUTSIDE
      ? "waits for an Effect"
      : state === PAUSED
      ? "paused"
      : state === IN_RUN
      ? "in run"
      : `${stuck ? "deadlock: " : ""}${waits(wait)}`
    add({
      name,
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
      name: nameOf(channels[channel]),
      cat: "message",
      ph: "f",
      bp: "e",
      id: flow,
      pid: pid(id),
      tid: id,
      ts: micro(now)
    })

  for (const { id, place, state, wait } of before) {
    open.set(id, { state, wait, place, since: times[0] ?? 0, stuck: false, flows: undefined })
  }
  let now = 0
  for (let i = 0; i < length; i++) {
    const head = words[4 * i]!
    const a = Math.floor(head / 8) - 1
    const b = words[4 * i + 1]! - 1
    const c = words[4 * i + 2]!
    now = times[i]!
    switch (head % 8) {
      case MADE:
      case READY:
        enter(a, now, RUNNABLE, 0, 0)
        break
      case SWITCH:
        if (a >= 0) {
          if (!open.has(a)) open.set(a, { ...fresh, since: times[0]! })
          enter(a, now, c % 8, Math.floor(c / 8), words[4 * i + 3]!)
        }
        if (b >= 0) enter(b, now, RUNNING, 0, 0)
        break
      case MESSAGE: {
        if (a >= 0 && open.get(a)?.state !== RUNNING) enter(a, now, RUNNABLE, 0, 0)
        if (b >= 0 && open.get(b)?.state !== RUNNING) enter(b, now, RUNNABLE, 0, 0)
        if (a < 0 || b < 0) break
        add({
          name: nameOf(channels[c]),
          cat: "message",
          ph: "s",
          id: i,
          pid: pid(a),
          tid: a,
          ts: micro(now)
        })
        const receiver = open.get(b)!
        if (receiver.state === RUNNING) arrive(b, i, c, now)
        else (receiver.flows ??= []).push([i, c])
        break
      }
      case DEADLOCK: {
        const slice = open.get(a)
        if (slice !== undefined) slice.stuck = true
        add({ name: "deadlock", cat: "state", ph: "i", s: "p", pid: pid(a), tid: a, ts: micro(now) })
      }
    }
    if (piece.length > 4096) yield flush()
  }
  for (const id of open.keys()) {
    close(id, Math.max(now, recording.end))
    if (piece.length > 4096) yield flush()
  }
  yield `${flush()}\n]}\n`
}

const fresh: Omit<Open, "since"> = { state: RUNNING, wait: 0, place: 0, stuck: false, flows: undefined }

const nameOf = (channel: { readonly id: number; readonly name: string } | undefined): string =>
  channel === undefined || channel.name === "" ? `channel #${channel?.id ?? "?"}` : channel.name
