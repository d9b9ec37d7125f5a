/** Writes down what tasklets, channels and greenlets do, while it is on. */
import {
  currentThread,
  gettrace,
  Greenlet,
  type Microthread,
  Places,
  settrace,
  type Thread
} from "../greenlet/index.ts"
import {
  blockedOn,
  type Channel,
  getcurrent,
  getThreadInfo,
  hasFailed,
  isInRun,
  isSelection,
  mainTaskletOf,
  observe,
  type Observer,
  type Tasklet,
  type Waiting
} from "../stackless/index.ts"
import {
  BLOCKED,
  DEADLOCK,
  ENDED,
  Events,
  FAILED,
  IN_RUN,
  MADE,
  MESSAGE,
  OUTSIDE,
  PAUSED,
  READY,
  RUNNABLE,
  RUNNING,
  type Slice,
  SWITCH
} from "./events.ts"
import { type Listener, replay } from "./replay.ts"

/** Who has a line of its own: a tasklet, or a greenlet. */
export interface Track {
  readonly id: number
  /** Its name; what its function is called, if it has none. */
  name: string
  readonly kind: "tasklet" | "greenlet"
  readonly thread: number
  readonly main: boolean
  /** The number of a greenlet's parent, which a program may change. */
  parent: number | undefined
}

/** A channel, or what a `select` waits on. */
export interface ChannelTrack {
  readonly id: number
  name: string
  /** Of a `select`: what it waits on, as in `BLOCKED`. */
  readonly waits: ReadonlyArray<number> | undefined
}

/** What a recording is made with. */
export interface RecordOptions {
  /** How many events are kept: the last 1,000,000, by default. */
  readonly limit?: number
}

/** Where everybody was when the first event that is kept happened. */
export interface Before {
  readonly id: number
  readonly state: number
  readonly wait: number
  readonly place: number
}

interface Known extends Track {
  state: number
  party: Tasklet | Greenlet | undefined
}

const DEFAULT_LIMIT = 1_000_000

export class Recorder implements Observer {
  readonly events: Events
  readonly places = new Places()
  readonly channels: Array<ChannelTrack & { readonly channel: WeakRef<Channel> | undefined }> = []
  /** The time of day when it began, in milliseconds since 1970. */
  readonly began = Date.now()
  private readonly known = new Map<object, Known>()
  private readonly all = new Map<number, Known>()
  private nextId = 0
  private readonly before = new Map<number, { state: number; wait: number; place: number }>()
  private readonly channelIds = new WeakMap<Channel, number>()
  private readonly selects = new Map<string, number>()
  private lastChannel: Channel | undefined = undefined
  private lastChannelId = 0
  private readonly threads = new Map<Thread, number>()
  /** Who runs; nobody, while a thread idles: then what happens next comes after a time. */
  private last: Known | undefined = undefined
  private readonly stops: Array<() => void> = []
  private stopped = 0

  constructor({ limit = DEFAULT_LIMIT }: RecordOptions = {}) {
    if (!(Number.isInteger(limit) && limit > 0)) {
      throw new TypeError(`a recording keeps a whole number of events, from 1 on; got ${String(limit)}`)
    }
    this.events = new Events(limit, (events) => this.forget(events))
    this.stops.push(observe(this), this.traceGreenlets())
    const thread = currentThread()
    if (mainTaskletOf(thread) !== undefined) {
      const [main] = getThreadInfo(thread)
      const current = getcurrent()
      this.of(main).state = RUNNING
      this.of(current).state = RUNNING
    }
  }

  /** Nothing is written down any more. What has been stays. */
  stop(): void {
    if (!this.on) return
    this.events.read()
    this.stopped = performance.now() - this.events.start
    for (const stop of this.stops.splice(0)) stop()
  }

  /** Is it on? */
  get on(): boolean {
    return this.stops.length > 0
  }

  /** The time of its end, or now, in milliseconds since its beginning. */
  get endedAt(): number {
    return this.on ? performance.now() - this.events.start : this.stopped
  }

  // ---- tasklets ---------------------------------------------------------------------------------------------------

  made(tasklet: Tasklet, body: string): void {
    const maker = this.last
    const track = this.of(tasklet, body)
    track.state = RUNNABLE
    this.events.push(MADE, track.id + 1, maker?.state === RUNNING ? maker.id + 1 : 0, 0, 0, this.last === undefined)
  }

  inserted(tasklet: Tasklet): void {
    const track = this.of(tasklet)
    if (track.state === RUNNABLE || track.state === RUNNING) return
    track.state = RUNNABLE
    this.events.push(READY, track.id + 1, 0, 0, 0, this.last === undefined)
  }

  switched(prev: Tasklet | undefined, next: Tasklet | undefined): void {
    const to = next === undefined ? undefined : this.of(next)
    if (to !== undefined) to.state = RUNNING
    if (prev === undefined) {
      this.events.push(SWITCH, 0, to!.id + 1, 0, 0, true)
      this.last = to
      return
    }
    const { last } = this
    const from = last?.party === prev ? last : this.of(prev)
    let state = RUNNABLE
    let wait = 0
    let place = 0
    if (prev.dead) state = hasFailed(prev) ? FAILED : ENDED
    else if (prev.blocked) {
      const channel = blockedOn(prev)
      state = channel === undefined ? OUTSIDE : BLOCKED
      if (channel !== undefined) wait = this.waitOf(channel, prev)
      place = this.places.of(prev)
    } else if (!prev.scheduled) state = isInRun(prev) ? IN_RUN : PAUSED
    from.state = state
    const exact = from.main || to === undefined || to.main
    this.events.push(SWITCH, from.id + 1, to === undefined ? 0 : to.id + 1, state + wait * 8, place, exact)
    this.last = to
    if (state === ENDED || state === FAILED) this.bury(prev, from)
  }

  passed(channel: Channel, from: Tasklet | undefined, to: Tasklet | undefined): void {
    const a = from === undefined ? undefined : this.of(from)
    const b = to === undefined ? undefined : this.of(to)
    if (a !== undefined && a.state !== RUNNING) a.state = RUNNABLE
    if (b !== undefined && b.state !== RUNNING) b.state = RUNNABLE
    this.events.push(
      MESSAGE,
      a === undefined ? 0 : a.id + 1,
      b === undefined ? 0 : b.id + 1,
      this.channelId(channel),
      0,
      this.last === undefined
    )
  }

  deadlocked(waiting: ReadonlyArray<Waiting>): void {
    const stuck = new Set(waiting.map(({ tasklet }) => this.of(tasklet)))
    const threads = new Set([...stuck].map(({ thread }) => thread))
    // nobody on that thread is left who could serve one of the others
    for (const track of this.known.values()) if (track.state === BLOCKED && threads.has(track.thread)) stuck.add(track)
    for (const { id } of stuck) this.events.push(DEADLOCK, id + 1, 0, 0, 0, true)
  }

  // ---- greenlets --------------------------------------------------------------------------------------------------

  /** A thread that has tasklets has no other greenlets; so it is traced as long as none are seen. */
  private traceGreenlets(): () => void {
    const thread = currentThread()
    if (mainTaskletOf(thread) !== undefined) return () => {}
    const before = gettrace()
    const trace = (event: "switch" | "throw", origin: Greenlet, target: Greenlet): void => {
      if (mainTaskletOf(thread) !== undefined) return off()
      before?.(event, origin, target)
      const from = this.of(origin)
      const to = this.of(target)
      from.state = origin.dead ? ENDED : origin.waiting ? OUTSIDE : PAUSED
      to.state = RUNNING
      this.events.push(
        SWITCH,
        from.id + 1,
        to.id + 1,
        from.state,
        origin.dead ? 0 : this.places.of(origin),
        from.main || to.main
      )
      if (origin.dead) this.bury(origin, from)
    }
    const off = (): void => {
      if (thread.tracer === trace as unknown) thread.tracer = before as never
    }
    settrace(trace)
    return off
  }

  // ---- who is who -------------------------------------------------------------------------------------------------

  private of(party: Tasklet | Greenlet | Microthread, body = ""): Known {
    let known = this.known.get(party)
    if (known !== undefined) return known
    const id = this.nextId++
    const greenlet = party instanceof Greenlet
    const main = greenlet ? party.parent === undefined : (party as Tasklet).isMain
    const parent = greenlet ? party.parent : undefined
    known = {
      id,
      name: body,
      kind: greenlet ? "greenlet" : "tasklet",
      thread: this.threadOf(party.thread),
      main,
      parent: parent === undefined ? undefined : this.of(parent).id,
      state: PAUSED,
      party: party as Tasklet | Greenlet
    }
    this.known.set(party, known)
    this.all.set(id, known)
    return known
  }

  private threadOf(thread: Thread): number {
    let id = this.threads.get(thread)
    if (id === undefined) this.threads.set(thread, id = this.threads.size + 1)
    return id
  }

  private bury(party: object, track: Known): void {
    nameOf(track)
    this.known.delete(party)
    track.party = undefined
  }

  private channelId(channel: Channel): number {
    if (channel === this.lastChannel) return this.lastChannelId
    let id = this.channelIds.get(channel)
    if (id === undefined) {
      id = this.channels.length
      this.channels.push({ id, name: "", waits: undefined, channel: new WeakRef(channel) })
      this.channelIds.set(channel, id)
    }
    this.lastChannel = channel
    this.lastChannelId = id
    return id
  }

  /** What a tasklet waits for: twice the number of the channel, and one more to send. */
  private waitOf(channel: Channel, tasklet: Tasklet): number {
    if (!isSelection(channel)) return this.channelId(channel) * 2 + (channel.balance > 0 ? 1 : 0)
    const waits = channel.waitingOf(tasklet)
      .map(({ channel, direction }) => this.channelId(channel) * 2 + (direction === "send" ? 1 : 0))
    const key = waits.join()
    let id = this.selects.get(key)
    if (id === undefined) {
      id = this.channels.length
      this.channels.push({ id, name: "select", waits, channel: undefined })
      this.selects.set(key, id)
    }
    return id * 2
  }

  // ---- what was written down --------------------------------------------------------------------------------------

  /** All who are in the events that are kept, by their numbers. */
  get tracks(): ReadonlyArray<Track> {
    for (const track of this.known.values()) this.noteParent(track)
    return [...this.all.values()].map((track) => {
      nameOf(track)
      const { id, kind, main, name, parent, thread } = track
      return { id, kind, main, name, parent, thread }
    })
  }

  get channelTracks(): ReadonlyArray<ChannelTrack> {
    return this.channels.map((track) => {
      const channel = track.channel?.deref()
      if (channel?.name !== undefined) track.name = channel.name
      const { id, name, waits } = track
      return { id, name, waits }
    })
  }

  get stateBefore(): ReadonlyArray<Before> {
    return [...this.before].map(([id, { place, state, wait }]) => ({ id, place, state, wait }))
  }

  /** Who is still there, with what a name of it is. */
  get parties(): ReadonlyArray<{ readonly track: Track; readonly party: Tasklet | Greenlet }> {
    return [...this.known.values()].flatMap((track) => track.party === undefined ? [] : [{ track, party: track.party }])
  }

  /** The greenlets that are still there, up to a number of them: each comes behind its parent, children in the order they were seen. */
  greenlets(limit: number): ReadonlyArray<{ readonly track: Track; readonly party: Greenlet }> {
    for (const track of this.known.values()) this.noteParent(track)
    const children = new Map<number | undefined, Array<Known & { readonly party: Greenlet }>>()
    for (const track of this.known.values()) {
      if (!(track.party instanceof Greenlet)) continue
      nameOf(track)
      const { parent } = track
      const siblings = children.get(parent)
      if (siblings === undefined) children.set(parent, [track as Known & { readonly party: Greenlet }])
      else siblings.push(track as Known & { readonly party: Greenlet })
    }
    const found: Array<{ readonly track: Track; readonly party: Greenlet }> = []
    const left = (children.get(undefined) ?? []).reverse()
    while (left.length > 0 && found.length < limit) {
      const track = left.pop()!
      found.push({ track, party: track.party })
      for (const child of (children.get(track.id) ?? []).reverse()) left.push(child)
    }
    return found
  }

  /** Its parent may be another one by now. One that has ended stands for its own. */
  private noteParent(track: Known): void {
    const { party } = track
    if (!(party instanceof Greenlet)) return
    let { parent } = party
    while (parent?.dead === true && parent.parent !== undefined) parent = parent.parent
    track.parent = parent === undefined ? undefined : this.of(parent).id
  }

  /** What was in a chunk is only known as what everybody was in at its end. */
  private forget(events: Slice): void {
    for (let i = 0; i < events.length; i++) replay(events, i, this.forgetting)
  }

  private readonly forgetting: Listener = {
    stateOf: (id) => this.before.get(id)?.state,
    enter: (id, _time, state, wait, place) => {
      const known = this.before.get(id)
      if (state === ENDED || state === FAILED) {
        this.before.delete(id)
        this.all.delete(id)
      } else if (known === undefined) this.before.set(id, { state, wait, place })
      else {
        known.state = state
        known.wait = wait
        known.place = place
      }
    }
  }
}

/** Its name now, as far as it is still there. */
const nameOf = (track: Known): void => {
  const { party } = track
  if (party === undefined) return
  if (party instanceof Greenlet) {
    const { name, type } = party.toJSON()
    track.name = track.main ? "main" : name ?? type
  } else track.name = track.main ? "main" : party.name ?? (track.name || "tasklet")
}
