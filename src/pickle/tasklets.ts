/** Tasklets, channels and greenlets. What they are made of is said by the layers that have them; where it stands, here. */
import {
  assembleGreenlet,
  enlist,
  Greenlet,
  GREENLET_FIELDS,
  type GreenletParts,
  greenletParts,
  isDataFrame,
  Microthread,
  type Parts,
  type PartState,
  requireParents,
  type Routine,
  Start
} from "../greenlet/index.ts"
import {
  assembleChannel,
  assembleTasklet,
  Channel,
  channel as makeChannel,
  CHANNEL_FIELDS,
  type ChannelParts,
  channelParts,
  lineUp,
  lineUpOffer,
  missingOffers,
  OWN_BODIES,
  OWN_FRAMES,
  OWN_SYMBOLS,
  type OwnFrameParts,
  schedule,
  Tasklet,
  TASKLET_FIELDS,
  taskletParts
} from "../stackless/index.ts"
import { UnpicklingError } from "./errors.ts"
import type { Checking, Kind, Making, Writing } from "./kind.ts"
import { nameOwn } from "./names.ts"
import { ownKeys } from "./own-keys.ts"
import { hasReduce } from "./reduce.ts"
import { Unpicklable } from "./unpicklable.ts"

// operations that were made and not performed are objects with plain fields
const sample = makeChannel()
const operations: Record<string, object> = {
  Receive: sample.receive(),
  Send: sample.send(0),
  SendError: sample.sendThrow(new Error()),
  Join: new Tasklet().join()
}
for (const [name, operation] of Object.entries(operations)) nameOwn(`stackless:${name}`, operation.constructor)
nameOwn("stackless:schedule()", schedule())

// ---- what a microthread is in the middle of -------------------------------------------------------------------------

const STATES: ReadonlyArray<PartState> = ["unstarted", "doomed", "suspended", "raising", "dead"]

// the bits of a type's `extra`: the state in the lowest three, then these
const HAS_INBOX = 8
/** From this bit on a kind has its own. */
const OWN = 16

const extraOf = ({ inbox, state }: Parts): number => STATES.indexOf(state) | (inbox === undefined ? 0 : HAS_INBOX)

const writeParts = (pickler: Writing, { below, code, inbox, state }: Parts): void => {
  if (inbox !== undefined) pickler.value(inbox)
  if (state === "dead") return
  pickler.value(code)
  if (state !== "suspended" && state !== "raising") return
  pickler.integer(below.length)
  for (let i = below.length - 1; i >= 0; i--) pickler.value(below[i])
}

const scanParts = (scanner: Checking, extra: number): void => {
  const state = STATES[extra & 7]!
  if ((extra & HAS_INBOX) !== 0) scanner.value()
  if (state === "dead") return
  if (state !== "suspended" && state !== "raising") return scanner.value()
  scanner.frame()
  for (let n = scanner.integer(); n > 0; n--) scanner.frame()
}

const readParts = (loader: Making, extra: number): Parts => {
  const state = STATES[extra & 7]!
  const inbox = (extra & HAS_INBOX) !== 0 ? loader.value() : undefined
  const code = state === "dead" ? undefined : loader.value()
  const below: Array<unknown> = []
  if (state === "suspended" || state === "raising") {
    requireStack(loader, code, false)
    for (let n = loader.integer(); n > 0; n--) below.push(requireStack(loader, loader.value(), true))
    below.reverse()
  } else if (code !== undefined && typeof code !== "function") {
    throw new UnpicklingError("a microthread of the pickle has a body that is no function")
  }
  return { state, inbox, code, below }
}

/** For who only looks: the state, what is to run, and the frames, the innermost first. Takes from `seen` what it has told. */
const tellParts = (
  seen: Iterator<string, undefined>,
  extra: number
): Record<string, string | ReadonlyArray<string>> => {
  const state = STATES[extra & 7] ?? "a state that there is not"
  const told: Record<string, string | ReadonlyArray<string>> = { state }
  if ((extra & HAS_INBOX) !== 0) {
    told[state === "unstarted" ? "arguments" : state === "dead" ? "result" : "resumes with"] = seen.next().value!
  }
  if (state === "dead") return told
  const code = seen.next().value!
  if (state !== "suspended" && state !== "raising") return { ...told, body: code }
  const frames = [code]
  for (let n = Number(seen.next().value); n > 0; n--) frames.push(seen.next().value!)
  return { ...told, frames }
}

const made = new WeakMap<Making, Array<Microthread>>()

/** Those that are made: their thread hears of them when nothing can go wrong any more, or it would end what was never there. */
const madeOf = (loader: Making): Array<Microthread> => {
  let microthreads = made.get(loader)
  if (microthreads === undefined) {
    const all: Array<Microthread> = []
    made.set(loader, microthreads = all)
    loader.atEnd(() => {
      for (const microthread of all) enlist(microthread)
    })
  }
  return microthreads
}

/** A frame on a stack stands where it can go on, and on one stack only. */
const requireStack = (loader: Making, frame: unknown, calling: boolean): unknown => {
  loader.claimLast()
  if (frame instanceof Start && !calling) return frame
  if (!isDataFrame(frame) || frame.pc < 0 || (calling && frame.pc === 0)) {
    throw new UnpicklingError("a microthread of the pickle is in the middle of a frame that has ended")
  }
  return frame
}

const requireState = (extra: number): void => {
  if (STATES[extra & 7] === undefined) {
    throw new UnpicklingError("a microthread of the pickle is in a state that there is not")
  }
}

/** Parts, or why there are none. */
const taken = <A>(what: string, take: () => A): A => {
  try {
    return take()
  } catch (error) {
    throw new Unpicklable(`${what} cannot be pickled: ${(error as Error).message}`, { cause: error })
  }
}

const named = (what: string, name: unknown): string => name === undefined ? what : `${what} ${JSON.stringify(name)}`

const taskletName = Reflect.getOwnPropertyDescriptor(Object.getPrototypeOf(Tasklet.prototype), "name") ??
  Reflect.getOwnPropertyDescriptor(Tasklet.prototype, "name")!
const channelName = Reflect.getOwnPropertyDescriptor(Channel.prototype, "name")!

/** The properties that a program has given an object of ours, beside what the library has there. */
const otherKeys = (object: object, fields: ReadonlySet<PropertyKey>): ReadonlyArray<PropertyKey> => {
  const keys = ownKeys(object)
  // of tasklets that is quick to see, as each has all of them
  if (fields === TASKLET_FIELDS && keys.length === fields.size) return noKeys
  return keys.every((key) => fields.has(key)) ? noKeys : keys.filter((key) => !fields.has(key))
}

const noKeys: ReadonlyArray<PropertyKey> = []

const requireNoneOf = (keys: ReadonlyArray<PropertyKey> | undefined, fields: ReadonlySet<PropertyKey>): void => {
  if (keys === undefined || keys.some((key) => fields.has(key))) {
    throw new UnpicklingError("an object of the pickle has a property that only the library may set")
  }
}

/** For errors: what something is to a microthread. Its frames say by themselves what they are. */
const placeIn = ({ code, inbox, state }: Parts, inner: unknown): string | undefined => {
  if (inner === code) return state === "unstarted" ? "its body" : ""
  if (inner !== inbox) return ""
  return state === "unstarted" ? "its argument" : state === "dead" ? "its result" : "what it resumes with"
}

// ---- tasklets -------------------------------------------------------------------------------------------------------

const HAS_CHANNEL = OWN
const SENDING = 2 * OWN
const HAS_END = 4 * OWN
const HAS_NAME = 8 * OWN
/** The flags stand from this bit on, and there are five of them. */
const FLAGS = 16 * OWN
const SELECTING = 32 * FLAGS

export const taskletKind: Kind<Tasklet> = {
  name: "tasklet",
  code: 64,
  prototype: Tasklet.prototype,
  write(pickler, tasklet, family) {
    const parts = taken("a tasklet", () => taskletParts(tasklet))
    const { channel, end, flags, selecting, sending } = parts
    const name: unknown = taskletName.get!.call(tasklet)
    const extra = extraOf(parts) | (channel === undefined ? 0 : HAS_CHANNEL) | (sending ? SENDING : 0) |
      (end === undefined ? 0 : HAS_END) | (name === undefined ? 0 : HAS_NAME) | (selecting ? SELECTING : 0) |
      flags * FLAGS
    pickler.begin(family)
    writeParts(pickler, parts)
    if (channel !== undefined) pickler.value(channel)
    if (end !== undefined) pickler.value(end)
    if (name !== undefined) pickler.value(name)
    const keys = otherKeys(tasklet, TASKLET_FIELDS)
    if (keys.length === 0) pickler.shapeless(family, tasklet, extra)
    else pickler.properties(tasklet, family, extra, keys)
  },
  check({ extra, keys }) {
    requireState(extra)
    requireNoneOf(keys, TASKLET_FIELDS)
  },
  scan(scanner, type) {
    const { extra } = type
    scanParts(scanner, extra)
    if ((extra & HAS_CHANNEL) !== 0) scanner.value()
    if ((extra & HAS_END) !== 0) scanner.record(channelKind)
    if ((extra & HAS_NAME) !== 0) scanner.string()
    scanner.properties(type)
  },
  make: () => new Tasklet(),
  fill(loader, tasklet, type) {
    const { extra } = type
    const parts = readParts(loader, extra)
    madeOf(loader).push(tasklet as unknown as Microthread)
    const channel = (extra & HAS_CHANNEL) !== 0 ? loader.value() : undefined
    const end = (extra & HAS_END) !== 0 ? loader.value() : undefined
    const sending = (extra & SENDING) !== 0
    if (channel !== undefined && !(channel instanceof Channel)) {
      throw new UnpicklingError("a tasklet of the pickle is blocked on what is no channel")
    }
    // one that sends an error has that to resume with
    if (channel === undefined ? sending : parts.state !== "suspended" && parts.state !== "raising") {
      throw new UnpicklingError("a tasklet of the pickle is blocked and is not")
    }
    if ((extra & HAS_NAME) !== 0) taskletName.set!.call(tasklet, loader.value() as string)
    loader.properties(tasklet, type)
    assembleTasklet(tasklet, parts, Math.floor(extra / FLAGS) & 31, end as Channel | undefined)
    if ((extra & SELECTING) !== 0) {
      if (channel !== undefined) throw new UnpicklingError("a tasklet of the pickle waits in two ways at once")
      loader.whenComplete(() => {
        const missing = missingOffers(tasklet)
        if (missing.some(({ channel }) => comesWithQueue(loader, channel))) {
          throw new UnpicklingError("a selection of the pickle is in no queue of one of its channels")
        }
        // these channels are found by their names, or have said themselves what they are made of
        loader.atEnd(() => {
          for (const { channel, key } of missing) lineUpOffer(channel, tasklet, key)
        })
      })
    }
    if (channel === undefined) return
    if (comesWithQueue(loader, channel)) blockedOf(loader).push(tasklet)
    else loader.atEnd(() => lineUp(channel, tasklet, sending))
  },
  tell(seen, { extra }) {
    const values = seen.values()
    const parts = tellParts(values, extra)
    const blocked = (extra & HAS_CHANNEL) !== 0 ? values.next().value! : undefined
    const end = (extra & HAS_END) !== 0 ? values.next().value! : undefined
    const name = (extra & HAS_NAME) !== 0 ? values.next().value! : undefined
    return {
      about: {
        ...(name === undefined ? {} : { name }),
        ...parts,
        ...(blocked === undefined ? {} : { [(extra & SENDING) !== 0 ? "sends on" : "receives from"]: blocked }),
        ...((extra & SELECTING) !== 0 ? { waits: "in a select" } : {}),
        ...(end === undefined ? {} : { "its end": end })
      },
      elements: []
    }
  },
  describe: (tasklet) => named("tasklet", taskletName.get!.call(tasklet)),
  locate: (tasklet, inner) => placeIn(taskletParts(tasklet), inner)
}

/** Is a channel loaded with who waits in its queue? One that is found by its name is not, nor one of a class with `reduce`. */
const comesWithQueue = (loader: Making, channel: Channel): boolean =>
  loader.isLoaded(channel) && !hasReduce(channel.constructor)

const blocked = new WeakMap<Making, Array<Tasklet>>()

/** Those that are blocked on a channel which is loaded with them: each must be found in its queue. */
const blockedOf = (loader: Making): Array<Tasklet> => {
  let tasklets = blocked.get(loader)
  if (tasklets === undefined) {
    const all: Array<Tasklet> = []
    blocked.set(loader, tasklets = all)
    loader.whenComplete(() => {
      if (all.every((tasklet) => tasklet.blocked)) return
      throw new UnpicklingError("a tasklet of the pickle is in no queue of the channel that it is blocked on")
    })
  }
  return tasklets
}

// ---- channels -------------------------------------------------------------------------------------------------------

const PREFERENCES = [-1, 0, 1]
// the bits of a type's `extra`: one more than the preference in the lowest two, then these
const SCHEDULES_ALL = 4
const CLOSING = 8
const SENDERS = 16
const HAS_CAPACITY = 32
const IS_NAMED = 64
const HAS_OFFERS = 128
const WAS_CHOSEN = 256

const bufferedPrototype: object = Object.getPrototypeOf(makeChannel({ capacity: 1 }))
nameOwn("stackless:BufferedChannel", bufferedPrototype.constructor)

export const channelKind: Kind<Channel> = {
  name: "channel",
  code: 65,
  prototype: Channel.prototype,
  others: [bufferedPrototype],
  write(pickler, channel, family) {
    const { capacity, chosen, closing, keys, preference, queue, scheduleAll, sending, stored } = taken(
      "a channel",
      () => channelParts(channel)
    )
    const name: unknown = channelName.get!.call(channel)
    const extra = preference + 1 | (scheduleAll ? SCHEDULES_ALL : 0) | (closing ? CLOSING : 0) |
      (sending ? SENDERS : 0) |
      (capacity > 0 ? HAS_CAPACITY : 0) | (name === undefined ? 0 : IS_NAMED) | (keys.size > 0 ? HAS_OFFERS : 0) |
      (chosen > 0 ? WAS_CHOSEN : 0)
    pickler.begin(family)
    if (capacity > 0) {
      pickler.double(capacity)
      pickler.integer(stored.length)
      for (const { raising, value } of stored) {
        pickler.value(raising)
        pickler.value(value)
      }
    }
    pickler.integer(queue.length)
    for (const tasklet of queue) pickler.value(tasklet)
    if (keys.size > 0) { for (let i = 0; i < queue.length; i++) pickler.value(keys.get(i)) }
    if (chosen > 0) pickler.integer(chosen)
    if (name !== undefined) pickler.value(name)
    pickler.properties(channel, family, extra, otherKeys(channel, CHANNEL_FIELDS))
  },
  check({ extra, keys }) {
    requireNoneOf(keys, CHANNEL_FIELDS)
    if (PREFERENCES[extra & 3] === undefined) {
      throw new UnpicklingError("a channel of the pickle has a preference that there is not")
    }
  },
  scan(scanner, type) {
    const { extra } = type
    if ((extra & HAS_CAPACITY) !== 0) {
      scanner.double()
      for (let n = scanner.integer(); n > 0; n--) {
        scanner.primitive("boolean")
        scanner.value()
      }
    }
    const waiting = scanner.integer()
    for (let n = waiting; n > 0; n--) scanner.record(taskletKind)
    if ((extra & HAS_OFFERS) !== 0) { for (let n = waiting; n > 0; n--) scanner.value() }
    if ((extra & WAS_CHOSEN) !== 0) scanner.integer()
    if ((extra & IS_NAMED) !== 0) scanner.string()
    scanner.properties(type)
  },
  make(loader, { extra }) {
    if ((extra & HAS_CAPACITY) === 0) return makeChannel()
    const capacity = loader.double()
    if (!(capacity >= 1)) throw new UnpicklingError("a channel of the pickle has a capacity that there is not")
    return makeChannel({ capacity })
  },
  fill(loader, channel, type) {
    const { extra } = type
    const stored: Array<{ readonly value: unknown; readonly raising: boolean }> = []
    if ((extra & HAS_CAPACITY) !== 0) {
      const capacity = loader.double()
      for (let n = loader.integer(); n > 0; n--) {
        const raising = loader.value() as boolean
        stored.push({ raising, value: loader.value() })
      }
      if (stored.length > capacity) throw new UnpicklingError("a channel of the pickle holds more than it can")
    }
    const queue: Array<Tasklet> = []
    for (let n = loader.integer(); n > 0; n--) queue.push(loader.value() as Tasklet)
    const keys: Array<unknown> = []
    if ((extra & HAS_OFFERS) !== 0) { for (let n = queue.length; n > 0; n--) keys.push(loader.value()) }
    const chosen = (extra & WAS_CHOSEN) !== 0 ? loader.integer() : 0
    if ((extra & IS_NAMED) !== 0) channelName.set!.call(channel, loader.value() as string)
    loader.properties(channel, type)
    const parts: Omit<ChannelParts, "queue" | "keys"> = {
      chosen,
      preference: PREFERENCES[extra & 3]!,
      scheduleAll: (extra & SCHEDULES_ALL) !== 0,
      closing: (extra & CLOSING) !== 0,
      capacity: channel.capacity,
      stored,
      sending: (extra & SENDERS) !== 0
    }
    assembleChannel(channel, parts)
    loader.whenFilled(() => {
      queue.forEach((tasklet, i) => {
        const key = keys[i]
        if (typeof key === "string") lineUpOffer(channel, tasklet, key)
        else lineUp(channel, tasklet, parts.sending)
      })
    })
  },
  tell(seen, { extra }) {
    const values = seen.values()
    const about: Record<string, string | number | ReadonlyArray<string>> = {}
    const stored: Array<string> = []
    if ((extra & HAS_CAPACITY) !== 0) {
      about["capacity"] = values.next().value!
      for (let n = Number(values.next().value); n > 0; n--) {
        const raising = values.next().value === "true"
        stored.push(`${raising ? "error " : ""}${values.next().value}`)
      }
    }
    const queue: Array<string> = []
    for (let n = Number(values.next().value); n > 0; n--) queue.push(values.next().value!)
    const keys: Array<string> = []
    if ((extra & HAS_OFFERS) !== 0) { for (let n = queue.length; n > 0; n--) keys.push(values.next().value!) }
    if ((extra & WAS_CHOSEN) !== 0) values.next()
    const name = (extra & IS_NAMED) !== 0 ? values.next().value! : undefined
    return {
      about: {
        ...(name === undefined ? {} : { name }),
        ...about,
        balance: (extra & SENDERS) !== 0 ? queue.length : 0 - queue.length,
        preference: PREFERENCES[extra & 3] ?? "one that there is not",
        ...((extra & CLOSING) !== 0 ? { closing: "true" } : {}),
        ...(queue.length === 0 ? {} : { [(extra & SENDERS) !== 0 ? "send" : "receive"]: queue })
      },
      elements: stored
    }
  },
  describe: (channel) => named("channel", channelName.get!.call(channel)),
  locate: (_channel, inner) => inner instanceof Tasklet && inner.blocked ? "its queue" : undefined
}

// ---- greenlets ------------------------------------------------------------------------------------------------------

const HAS_PARENT = OWN

export const greenletKind: Kind<Greenlet> = {
  name: "greenlet",
  code: 66,
  prototype: Greenlet.prototype,
  write(pickler, greenlet, family) {
    const parts = taken("a greenlet", () => greenletParts(greenlet))
    const { origin, parent } = parts
    pickler.begin(family)
    writeParts(pickler, parts)
    if (parent !== undefined) pickler.value(parent)
    pickler.value(origin)
    pickler.properties(
      greenlet,
      family,
      extraOf(parts) | (parent === undefined ? 0 : HAS_PARENT),
      otherKeys(greenlet, GREENLET_FIELDS)
    )
  },
  check({ extra, keys }) {
    requireState(extra)
    requireNoneOf(keys, GREENLET_FIELDS)
  },
  scan(scanner, type) {
    const { extra } = type
    scanParts(scanner, extra)
    if ((extra & HAS_PARENT) !== 0) scanner.value()
    scanner.value()
    scanner.properties(type)
  },
  make: () => new Greenlet(),
  fill(loader, greenlet, type) {
    const { extra } = type
    const parts = readParts(loader, extra)
    madeOf(loader).push(greenlet)
    const parent = (extra & HAS_PARENT) !== 0 ? loader.value() : undefined
    const origin = loader.value()
    if (!(parent instanceof Microthread)) {
      throw new UnpicklingError("a greenlet of the pickle has a parent that is none")
    }
    if (origin !== undefined && typeof origin !== "function") {
      throw new UnpicklingError("a greenlet of the pickle has a body that is no function")
    }
    loader.properties(greenlet, type)
    const all: GreenletParts = { ...parts, parent, origin: origin as GreenletParts["origin"] }
    loader.whenFilled(() => assembleGreenlet(greenlet, all))
    greenletsOf(loader).push(greenlet)
  },
  tell(seen, { extra }) {
    const values = seen.values()
    const parts = tellParts(values, extra)
    const parent = (extra & HAS_PARENT) !== 0 ? values.next().value! : undefined
    return { about: { ...parts, ...(parent === undefined ? {} : { parent }) }, elements: [] }
  },
  describe: () => "greenlet",
  locate: (greenlet, inner) => placeIn(greenletParts(greenlet), inner)
}

const greenlets = new WeakMap<Making, Array<Greenlet>>()

/** Those that are loaded: none may be below itself. */
const greenletsOf = (loader: Making): Array<Greenlet> => {
  let all = greenlets.get(loader)
  if (all === undefined) {
    const made: Array<Greenlet> = []
    greenlets.set(loader, all = made)
    loader.whenComplete(() => requireParents(made))
  }
  return all
}

// ---- the library's own frames ---------------------------------------------------------------------------------------

for (const [name, own] of Object.entries({ ...OWN_BODIES, ...OWN_SYMBOLS })) nameOwn(`stackless:${name}`, own)

const ENDED = -1

const ownFrameKind = ({ class: Class, fields, name, places }: OwnFrameParts, i: number): Kind<Routine> => ({
  name: "frame",
  code: 80 + i,
  isFrame: true,
  prototype: Class.prototype,
  write(pickler, frame, family) {
    pickler.begin(family)
    for (const field of fields) pickler.value((frame as unknown as Record<string, unknown>)[field])
    pickler.keyed(family, frame.pc - ENDED, fields)
  },
  check({ extra, keys }) {
    const place = extra + ENDED
    if (
      (place !== ENDED && !places.includes(place)) || keys?.length !== fields.length ||
      !keys.every((key, at) => key === fields[at])
    ) throw new UnpicklingError(`the pickle has a frame of ${name} at a place where none can stand`)
  },
  scan(scanner, type) {
    scanner.properties(type)
  },
  make: () => Object.create(Class.prototype),
  fill(loader, frame, { extra }) {
    frame.pc = extra + ENDED
    for (const field of fields) (frame as unknown as Record<string, unknown>)[field] = loader.value()
  },
  tell: (_seen, { extra }) => ({ about: { function: `stackless:${name}`, at: extra + ENDED } }),
  describe: () => `frame of ${name}`
})

/** Of a greenlet that is about to start, and was interrupted. */
const startKind: Kind<Start> = {
  name: "frame",
  code: 79,
  isFrame: true,
  prototype: Start.prototype,
  write(pickler, { body }, family) {
    pickler.begin(family)
    pickler.value(body)
    pickler.keyed(family, 0, START_FIELDS)
  },
  check({ extra, keys }) {
    if (extra !== 0 || keys?.length !== 1 || keys[0] !== START_FIELDS[0]) {
      throw new UnpicklingError("the pickle has a start that is none")
    }
  },
  scan(scanner, type) {
    scanner.properties(type)
  },
  make: () => Object.create(Start.prototype),
  fill(loader, start) {
    const body = loader.value()
    if (typeof body !== "function") throw new UnpicklingError("the pickle has a start without a body")
    start.body = body as Start["body"]
  },
  tell: () => ({ about: { function: "greenlet:start" } }),
  describe: () => "start"
}

const START_FIELDS = ["body"]

export const microthreadKinds: ReadonlyArray<Kind> = [
  taskletKind,
  channelKind,
  greenletKind,
  startKind,
  ...OWN_FRAMES.map(ownFrameKind)
]
