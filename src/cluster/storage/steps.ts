/**
 * Steps: what is done in a transaction, each as a whole or not at all.
 *
 * `wantedBy` says which rows a few steps need, `decide` what becomes of them, and what each step came to. Both are plain
 * functions. A step that is made again because nobody knows whether its commit was done finds out: a tasklet's by its number, a
 * lease by its id, an item by its key, a claim by what the owner has and does not run.
 */
import {
  type Changes,
  type ChannelRow,
  EVERYTHING,
  type ItemRow,
  type Rows,
  type TaskletRow,
  type Wanted,
  type WholeTasklet
} from "./rows.ts"

/** One of the things that a step may do. */
export type Case =
  | {
    readonly _tag: "Send"
    readonly channel: string
    readonly key: string
    readonly value: Uint8Array
    /** May there be an item of that key already? Then it is the same. */
    readonly keyed: boolean
  }
  | { readonly _tag: "Receive"; readonly channel: string }
  /** Nothing is sent there any more. */
  | { readonly _tag: "Close"; readonly channel: string }
  /** Waits for a time, in milliseconds, which is due when whoever asks says so. */
  | { readonly _tag: "Until"; readonly time: number; due?: boolean }
  /** Has its result already. */
  | { readonly _tag: "Now"; readonly value: Uint8Array }

/** A step of a tasklet. */
export interface TaskletStep {
  readonly key: string
  readonly epoch: number
  /** Which of its steps this is. */
  readonly step: number
  /** Its frames, until they are stored. */
  frame: Uint8Array | undefined
}

export type Step =
  & {
    /** May its commit have been done before? */
    again?: boolean
  }
  & (
    /** Does the first of the cases that can be done, and stores the tasklet beside it, if it is one's. */
    | {
      readonly _tag: "Choose"
      readonly cases: ReadonlyArray<Case>
      readonly tasklet?: TaskletStep
      /** What is received is kept under this lease. */
      readonly lease?: string
    }
    /** What is kept under a lease is there no more, or free again. */
    | { readonly _tag: "Settle"; readonly channel: string; readonly lease: string; readonly done: boolean }
    | { readonly _tag: "Declare"; readonly channel: string; readonly capacity: number; readonly codec: string }
    | { readonly _tag: "Discard"; readonly channel: string; readonly key: string }
    | { readonly _tag: "Look"; readonly channel: string }
    /** Stores a new tasklet, unless there is one of that key. */
    | { readonly _tag: "Start"; readonly key: string; readonly frame: Uint8Array }
    /** A tasklet has come to its end. */
    | { readonly _tag: "End"; readonly tasklet: TaskletStep; readonly failed: boolean; readonly result: Uint8Array }
    /** Takes tasklets that nobody runs, to run them. */
    | { readonly _tag: "Claim"; readonly limit: number; readonly except: ReadonlyArray<string> }
    /** Gives a tasklet back, that could not be loaded. */
    | { readonly _tag: "Refuse"; readonly tasklet: Omit<TaskletStep, "frame">; readonly reason: string }
    | { readonly _tag: "Forget"; readonly key: string }
    /** Says that the owner is there until then, in milliseconds from now; and buries those who are not. */
    | { readonly _tag: "Beat"; readonly lasts: number; readonly bury: boolean; readonly first: boolean }
    /** The owner goes: what it has is free. */
    | { readonly _tag: "Leave" }
  )

/** What a step came to. */
export type Outcome =
  /** One of the cases was done. `item` is what was received. */
  | {
    readonly _tag: "Done"
    readonly index: number
    readonly value: Uint8Array | undefined
    readonly item: Pick<ItemRow, "key" | "attempts"> | undefined
  }
  /** None of them can be done now. */
  | { readonly _tag: "Blocked" }
  /** A case is about a channel that is closed. */
  | { readonly _tag: "Closed"; readonly index: number; readonly channel: string }
  /** The tasklet is run by somebody else now, or has ended: nothing was done. */
  | { readonly _tag: "Fenced" }
  /** The lease was not held any more: what was kept is delivered again, or was. */
  | { readonly _tag: "Lost" }
  | { readonly _tag: "Conflict"; readonly codec: string }
  | { readonly _tag: "Claimed"; readonly tasklets: ReadonlyArray<WholeTasklet> }
  | { readonly _tag: "Channel"; readonly row: ChannelRow | undefined }

const done = (index: number, value?: Uint8Array, item?: Pick<ItemRow, "key" | "attempts">): Outcome => ({
  _tag: "Done",
  index,
  value,
  item
})
const plainlyDone = done(0)
const blocked: Outcome = { _tag: "Blocked" }
const fenced: Outcome = { _tag: "Fenced" }
const lost: Outcome = { _tag: "Lost" }

// ---- the names of what changes --------------------------------------------------------------------------------------

/** Something can be received from a channel, or it is closed. */
export const itemsOf = (channel: string): string => `i/${channel}`
/** There is room in a channel, or it is closed. */
const roomOf = (channel: string): string => `r/${channel}`
/** Something has happened to a tasklet that its host has not done. */
export const fateOf = (tasklet: string): string => `t/${tasklet}`
/** Somebody may run a tasklet that nobody runs. */
export const UNOWNED = "u"

/** What a step waits for that is blocked. */
export const awaitedBy = (step: Step): ReadonlyArray<string> => {
  if (step._tag !== "Choose") return []
  const names: Array<string> = step.tasklet === undefined ? [] : [fateOf(step.tasklet.key)]
  for (const it of step.cases) {
    if (it._tag === "Send") names.push(roomOf(it.channel))
    else if (it._tag === "Receive") names.push(itemsOf(it.channel))
  }
  return names
}

// ---- a result as bytes ----------------------------------------------------------------------------------------------

const CLOSED = 1
const RECEIVED = 2

/**
 * What a step of a tasklet came to, as it is stored: whether a channel was closed, which case it was, how often and under which key
 * the item was delivered that was received, and the value.
 */
const pack = (outcome: Outcome): Uint8Array | undefined => {
  if (outcome._tag !== "Done" && outcome._tag !== "Closed") return undefined
  const isClosed = outcome._tag === "Closed"
  const item = isClosed ? undefined : outcome.item
  const text = new TextEncoder().encode(isClosed ? outcome.channel : item?.key)
  const value = isClosed ? none : outcome.value ?? none
  const bytes = new Uint8Array(HEAD + text.length + value.length)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, isClosed ? CLOSED : item === undefined ? 0 : RECEIVED)
  view.setUint16(1, outcome.index)
  view.setUint32(3, item?.attempts ?? 0)
  view.setUint32(7, text.length)
  bytes.set(text, HEAD)
  bytes.set(value, HEAD + text.length)
  return bytes
}

const HEAD = 11
const none = new Uint8Array(0)
/** What is left of the frames of one that has ended. */
const ended = new Uint8Array(1)

/** The same back. */
export const unpack = (bytes: Uint8Array): Outcome => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const kind = view.getUint8(0)
  const index = view.getUint16(1)
  const end = HEAD + view.getUint32(7)
  const text = new TextDecoder().decode(bytes.subarray(HEAD, end))
  return kind === CLOSED
    ? { _tag: "Closed", index, channel: text }
    : done(index, bytes.slice(end), kind === RECEIVED ? { key: text, attempts: view.getUint32(3) } : undefined)
}

// ---- which rows -----------------------------------------------------------------------------------------------------

/** The rows that some steps of an owner need, which runs tasklets. */
export const wantedBy = (steps: ReadonlyArray<Step>, owner: string, running: Iterable<string>): Wanted => {
  const channels = new Set<string>()
  const declared: Array<string> = []
  const free = new Map<string, number>()
  const leases: Array<string> = []
  const items: Array<{ channel: string; key: string }> = []
  const tasklets = new Set<string>()
  const whole = new Set<string>()
  const owners = new Set<string>()
  const except: Array<string> = []
  let unowned = 0
  let claimant: string | undefined
  let expired = false
  for (const step of steps) {
    if ("channel" in step) channels.add(step.channel)
    switch (step._tag) {
      case "Choose":
        for (const it of step.cases) {
          if (!("channel" in it)) continue
          channels.add(it.channel)
          if (it._tag === "Receive") free.set(it.channel, (free.get(it.channel) ?? 0) + 1)
          else if (it._tag === "Send" && (it.keyed || step.again === true)) items.push(it)
        }
        if (step.lease === undefined) break
        owners.add(owner)
        if (step.again === true) leases.push(step.lease)
        break
      case "Settle":
        leases.push(step.lease)
        break
      case "Discard":
        items.push(step)
        break
      case "Declare":
        declared.push(step.channel)
        break
      case "Start":
      case "Forget":
        tasklets.add(step.key)
        break
      case "Refuse":
        whole.add(step.tasklet.key)
        break
      case "Claim":
        owners.add(owner)
        unowned += step.limit
        except.push(...step.except)
        if (step.again === true && claimant === undefined) {
          claimant = owner
          except.push(...running)
        }
        break
      case "Beat":
        owners.add(owner)
        // while the storage was gone everybody was silent
        if (step.bury && step.again !== true) expired = true
        break
      default:
    }
    if (!("tasklet" in step) || step.tasklet === undefined) continue
    tasklets.add(step.tasklet.key)
    if (step.again === true) whole.add(step.tasklet.key)
  }
  return {
    channels: [...channels],
    declared,
    free,
    leases,
    items,
    tasklets: [...tasklets],
    whole,
    unowned,
    claimant,
    except,
    owners: [...owners],
    expired
  }
}

// ---- what becomes of them -------------------------------------------------------------------------------------------

type Put = Omit<ItemRow, "seq">

/** The rows of one transaction, and what has become of them so far. */
class Decision {
  private readonly channels = new Map<string, ChannelRow>()
  private readonly changedChannels = new Set<string>()
  /** The free items of a channel that are stored, and then the ones that these steps have put there. */
  private readonly free = new Map<string, Array<ItemRow | Put>>()
  private readonly leases = new Map<string, ItemRow>()
  private readonly items = new Map<string, ItemRow | Put>()
  private readonly put = new Set<Put>()
  private readonly leased = new Map<number, ItemRow>()
  private readonly taken = new Set<number>()
  private readonly tasklets = new Map<string, TaskletRow & Partial<WholeTasklet>>()
  private readonly started = new Map<string, WholeTasklet>()
  private readonly changedTasklets = new Map<string, Changes["tasklets"][number]>()
  private readonly forgotten: Array<string> = []
  private readonly owners: Array<{ id: string; until: number }> = []
  private readonly buried: Array<string> = []
  private readonly told = new Set<string>()
  private readonly unowned: Array<WholeTasklet>

  private readonly rows: Rows
  private readonly owner: string

  constructor(rows: Rows, owner: string) {
    this.rows = rows
    this.owner = owner
    for (const row of rows.channels) this.channels.set(row.name, row)
    for (const item of rows.free) listOf(this.free, item.channel).push(item)
    for (const item of rows.leased) this.leases.set(item.lease!, item)
    for (const item of rows.items) this.items.set(placeOf(item), item)
    for (const row of rows.tasklets) this.tasklets.set(row.key, row)
    this.unowned = [...rows.unowned]
  }

  get changes(): Changes {
    return {
      channels: [...this.changedChannels].map((name) => this.channels.get(name)!),
      put: [...this.put],
      leased: [...this.leased.values()],
      taken: [...this.taken],
      started: [...this.started.values()],
      tasklets: [...this.changedTasklets.values()],
      forgotten: this.forgotten,
      owners: this.owners,
      buried: this.buried,
      told: [...this.told]
    }
  }

  outcomeOf(step: Step): Outcome {
    switch (step._tag) {
      case "Choose":
        return this.choose(step)
      case "Settle":
        return this.settle(step)
      case "Declare":
        return this.declare(step)
      case "Discard":
        return this.discard(step)
      case "Look":
        return { _tag: "Channel", row: this.channels.get(step.channel) }
      case "Start":
        return this.start(step)
      case "End":
        return this.end(step)
      case "Claim":
        return this.claim(step.limit)
      case "Refuse":
        return this.refuse(step)
      case "Forget":
        this.forgotten.push(step.key)
        this.told.add(fateOf(step.key))
        return plainlyDone
      case "Beat":
        return this.beat(step)
      case "Leave":
        this.bury(this.owner)
        return plainlyDone
    }
  }

  // ---- channels -----------------------------------------------------------------------------------------------------

  private channel(name: string): ChannelRow {
    const row = this.channels.get(name)
    if (row === undefined) throw new Error(`the channel ${JSON.stringify(name)} was not declared`)
    return row
  }

  private change(row: ChannelRow): void {
    this.channels.set(row.name, row)
    this.changedChannels.add(row.name)
  }

  private choose({ again, cases, lease, tasklet }: Step & { readonly _tag: "Choose" }): Outcome {
    if (tasklet !== undefined) {
      const row = this.current(tasklet)
      if (row === undefined) return fenced
      if (row.step === tasklet.step && row.result !== undefined) return unpack(row.result)
    } else if (again === true && lease !== undefined) {
      const item = this.leases.get(lease)
      if (item !== undefined) return done(this.indexOf(cases, item), item.value, item)
    }
    let outcome: Outcome = blocked
    for (let index = 0; index < cases.length && outcome === blocked; index++) {
      outcome = this.attempt(cases[index]!, index, lease, again === true)
    }
    if (tasklet !== undefined && (outcome !== blocked || tasklet.frame !== undefined)) {
      this.store(tasklet, { result: pack(outcome) })
    }
    return outcome
  }

  private indexOf(cases: ReadonlyArray<Case>, { channel }: ItemRow): number {
    return cases.findIndex((it) => it._tag === "Receive" && it.channel === channel)
  }

  private attempt(it: Case, index: number, lease: string | undefined, again: boolean): Outcome {
    switch (it._tag) {
      case "Now":
        return done(index, it.value)
      case "Until":
        return it.due === true ? done(index) : blocked
      case "Send":
        return this.send(it, index, again)
      case "Close":
        return this.close(it.channel, index)
      case "Receive":
        return this.receive(it.channel, index, lease)
    }
  }

  private send(item: Case & { readonly _tag: "Send" }, index: number, again: boolean): Outcome {
    const { channel, key, value } = item
    const row = this.channel(channel)
    const place = placeOf(item)
    if ((item.keyed || again) && this.items.has(place)) return done(index)
    if (row.closed) return { _tag: "Closed", index, channel }
    if (row.held >= row.capacity) return blocked
    const put: Put = { channel, key, value, attempts: 0, lease: undefined, owner: undefined }
    this.put.add(put)
    this.items.set(place, put)
    listOf(this.free, channel).push(put)
    this.change({ ...row, held: row.held + 1 })
    this.told.add(itemsOf(channel))
    return done(index)
  }

  private receive(channel: string, index: number, lease: string | undefined): Outcome {
    const row = this.channel(channel)
    if (lease !== undefined && !this.present) return blocked
    const item = this.free.get(channel)?.shift()
    if (item === undefined) return row.closed && row.held === 0 ? { _tag: "Closed", index, channel } : blocked
    if (lease === undefined) {
      this.take(item)
      return done(index, item.value, { key: item.key, attempts: item.attempts + 1 })
    }
    const leased: Put = { ...item, attempts: item.attempts + 1, lease, owner: this.owner }
    if ("seq" in item) this.leased.set(item.seq, leased as ItemRow)
    else {
      this.put.delete(item)
      this.put.add(leased)
    }
    return done(index, item.value, leased)
  }

  /** An item is there no more: there is room for another. */
  private take(item: ItemRow | Put): void {
    const { channel } = item
    this.items.delete(placeOf(item))
    if ("seq" in item) {
      this.taken.add(item.seq)
      this.leased.delete(item.seq)
    } else {
      this.put.delete(item)
    }
    const row = this.channel(channel)
    const held = row.held - 1
    this.change({ ...row, held })
    this.told.add(roomOf(channel))
    if (row.closed && held === 0) this.told.add(itemsOf(channel))
  }

  private settle({ again, channel, done: isDone, lease }: Step & { readonly _tag: "Settle" }): Outcome {
    const item = this.leases.get(lease)
    if (item === undefined) return again === true ? plainlyDone : lost
    this.leases.delete(lease)
    if (isDone) this.take(item)
    else {
      this.leased.set(item.seq, { ...item, lease: undefined, owner: undefined })
      this.told.add(itemsOf(channel))
    }
    return plainlyDone
  }

  private discard(step: { readonly channel: string; readonly key: string }): Outcome {
    const item = this.items.get(placeOf(step))
    if (item === undefined) return lost
    this.free.set(item.channel, listOf(this.free, item.channel).filter((other) => other.key !== item.key))
    this.take(item)
    return plainlyDone
  }

  private close(channel: string, index: number): Outcome {
    this.change({ ...this.channel(channel), closed: true })
    this.told.add(itemsOf(channel)).add(roomOf(channel))
    return done(index)
  }

  private declare({ capacity, channel, codec }: Step & { readonly _tag: "Declare" }): Outcome {
    const row = this.channel(channel)
    if (row.codec !== "" && row.codec !== codec && row.held > 0) return { _tag: "Conflict", codec: row.codec }
    if (row.codec === codec && row.capacity === capacity) return plainlyDone
    this.change({ ...row, capacity, codec })
    this.told.add(roomOf(channel))
    return plainlyDone
  }

  // ---- tasklets -----------------------------------------------------------------------------------------------------

  /** The row, if it is the one who makes the step that runs the tasklet. */
  private current({ epoch, key, step }: Omit<TaskletStep, "frame">): TaskletRow & Partial<WholeTasklet> | undefined {
    const row = this.tasklets.get(key)
    return row !== undefined && row.epoch === epoch && row.status === "running" &&
        (row.step === step || row.step === step - 1)
      ? row
      : undefined
  }

  private store(
    { frame, key, step }: TaskletStep,
    change: Partial<TaskletRow> & { readonly result: Uint8Array | undefined }
  ): void {
    const row = { ...this.tasklets.get(key)!, step, ...change }
    this.tasklets.set(key, row)
    this.changedTasklets.set(key, { ...row, frame: frame ?? this.changedTasklets.get(key)?.frame })
  }

  private start({ frame, key }: Step & { readonly _tag: "Start" }): Outcome {
    if (this.tasklets.has(key)) return lost
    const row: WholeTasklet = {
      key,
      epoch: 0,
      step: 0,
      owner: undefined,
      status: "running",
      refusal: undefined,
      frame,
      result: undefined
    }
    this.tasklets.set(key, row)
    this.started.set(key, row)
    this.told.add(UNOWNED)
    return plainlyDone
  }

  private end({ failed, result, tasklet }: Step & { readonly _tag: "End" }): Outcome {
    const row = this.tasklets.get(tasklet.key)
    if (row !== undefined && row.status !== "running" && row.epoch === tasklet.epoch && row.step === tasklet.step) {
      return plainlyDone
    }
    if (this.current(tasklet) === undefined) return fenced
    this.store({ ...tasklet, frame: ended }, { status: failed ? "failed" : "returned", owner: undefined, result })
    this.told.add(fateOf(tasklet.key))
    return plainlyDone
  }

  private claim(limit: number): Outcome {
    const tasklets: Array<WholeTasklet> = []
    if (!this.present) return { _tag: "Claimed", tasklets }
    for (const free of this.unowned.splice(0, limit)) {
      const row = { ...free, owner: this.owner, epoch: free.epoch + 1, refusal: undefined }
      tasklets.push(row)
      this.tasklets.set(row.key, row)
      this.changedTasklets.set(row.key, { ...row, frame: undefined })
    }
    return { _tag: "Claimed", tasklets }
  }

  private refuse({ reason, tasklet }: Step & { readonly _tag: "Refuse" }): Outcome {
    const row = this.current(tasklet)
    if (row === undefined) return fenced
    const free = { ...row, owner: undefined, refusal: reason }
    this.tasklets.set(row.key, free)
    this.changedTasklets.set(row.key, { ...free, result: row.result, frame: undefined })
    this.told.add(UNOWNED).add(fateOf(row.key))
    return plainlyDone
  }

  // ---- owners -------------------------------------------------------------------------------------------------------

  /** Is its owner there? One that was buried takes nothing: nobody would bury it for that. */
  private get present(): boolean {
    return this.rows.owners.includes(this.owner)
  }

  private beat({ bury, first, lasts }: Step & { readonly _tag: "Beat" }): Outcome {
    if (!first && !this.present) return lost
    this.owners.push({ id: this.owner, until: this.rows.now + lasts })
    if (bury) { for (const id of this.rows.expired) if (id !== this.owner) this.bury(id) }
    return plainlyDone
  }

  /** What an owner has is free. */
  private bury(id: string): void {
    this.buried.push(id)
    this.told.add(EVERYTHING)
  }
}

const listOf = <A>(map: Map<string, Array<A>>, key: string): Array<A> => {
  let list = map.get(key)
  if (list === undefined) map.set(key, list = [])
  return list
}

const placeOf = ({ channel, key }: { readonly channel: string; readonly key: string }): string =>
  `${channel.length}:${channel}${key}`

/** What the steps of an owner come to, and what becomes of the rows. */
export const decide = (
  rows: Rows,
  steps: ReadonlyArray<Step>,
  owner: string
): { readonly outcomes: ReadonlyArray<Outcome>; readonly changes: Changes } => {
  const decision = new Decision(rows, owner)
  const outcomes = steps.map((step) => decision.outcomeOf(step))
  return { outcomes, changes: decision.changes }
}
