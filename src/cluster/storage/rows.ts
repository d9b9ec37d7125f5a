/**
 * What is stored: channels, their items, tasklets, and the owners of what is in use; and the one gate to it.
 *
 * A transaction says which rows it wants, sees them locked, and says what becomes of them. What it decides is a plain function
 * of the rows (steps.ts), the same for every database; a database only reads and writes them.
 */
import type * as Effect from "effect/Effect"
import type { StorageError } from "./errors.ts"

/** A channel. */
export interface ChannelRow {
  readonly name: string
  /** How many items it has room for. */
  readonly capacity: number
  /** How its values are written, `""` if nobody has said it yet. */
  readonly codec: string
  /** How many items it has, those in use included. */
  readonly held: number
  readonly closed: boolean
}

/** An item of a channel. */
export interface ItemRow {
  /** Its place in the order: given by the database. */
  readonly seq: number
  readonly channel: string
  readonly key: string
  readonly value: Uint8Array
  /** How often it was given to a receiver. */
  readonly attempts: number
  /** Under which a receiver has it; free to be received if there is none. */
  readonly lease: string | undefined
  /** Whose receiver that is. */
  readonly owner: string | undefined
}

/** A tasklet. Its frames are written with it, and read when it is claimed. */
export interface TaskletRow {
  readonly key: string
  /** How often it was claimed: who claimed it before may not write any more. */
  readonly epoch: number
  /** How many steps it has made. */
  readonly step: number
  /** Who runs it. */
  readonly owner: string | undefined
  readonly status: TaskletStatus
  /** Why the last host that claimed it could not load it. */
  readonly refusal: string | undefined
}

export type TaskletStatus = "running" | "returned" | "failed"

/** A tasklet with all that is stored of it. */
export interface WholeTasklet extends TaskletRow {
  readonly frame: Uint8Array
  /** What its last step came to, where it has come to something. */
  readonly result: Uint8Array | undefined
}

/** The rows that a transaction wants. Nobody else changes them until it is over. */
export interface Wanted {
  /** Channels by their names. */
  readonly channels: ReadonlyArray<string>
  /** Of these, the ones that are made if they are not there. */
  readonly declared: ReadonlyArray<string>
  /** How many free items of which channel, the first ones. */
  readonly free: ReadonlyMap<string, number>
  /** Items by their leases. */
  readonly leases: ReadonlyArray<string>
  /** Items by channel and key. */
  readonly items: ReadonlyArray<{ readonly channel: string; readonly key: string }>
  /** Tasklets by their keys. */
  readonly tasklets: ReadonlyArray<string>
  /** Of these, the ones that are wanted with frame and result. */
  readonly whole: ReadonlySet<string>
  /** How many tasklets that nobody runs. */
  readonly unowned: number
  /** Who claims them, where its claim may have been done before: those that this owner has count as well. */
  readonly claimant: string | undefined
  /** Not these. */
  readonly except: ReadonlyArray<string>
  /** Owners by their ids. */
  readonly owners: ReadonlyArray<string>
  /** Owners whose time is over. */
  readonly expired: boolean
}

/** What there is of them. */
export interface Rows {
  /** The time of the database, in milliseconds. */
  readonly now: number
  readonly channels: ReadonlyArray<ChannelRow>
  /** The free items, in their order. */
  readonly free: ReadonlyArray<ItemRow>
  readonly leased: ReadonlyArray<ItemRow>
  readonly items: ReadonlyArray<ItemRow>
  readonly tasklets: ReadonlyArray<TaskletRow & Partial<WholeTasklet>>
  readonly unowned: ReadonlyArray<WholeTasklet>
  /** Ids of the owners that were asked for and are there. */
  readonly owners: ReadonlyArray<string>
  readonly expired: ReadonlyArray<string>
}

/** What becomes of them. */
export interface Changes {
  readonly channels: ReadonlyArray<ChannelRow>
  /** New items, in order. */
  readonly put: ReadonlyArray<Omit<ItemRow, "seq">>
  /** Items that another lease holds now, or none. */
  readonly leased: ReadonlyArray<ItemRow>
  /** Items that are there no more. */
  readonly taken: ReadonlyArray<number>
  /** New tasklets. */
  readonly started: ReadonlyArray<WholeTasklet>
  /** Tasklets that have changed; a frame that is not given stays as it is. */
  readonly tasklets: ReadonlyArray<Omit<WholeTasklet, "frame"> & { readonly frame: Uint8Array | undefined }>
  readonly forgotten: ReadonlyArray<string>
  /** Until when which owner is there. */
  readonly owners: ReadonlyArray<{ readonly id: string; readonly until: number }>
  /** Owners that are there no more: what they had is free. */
  readonly buried: ReadonlyArray<string>
  /** The names of what has changed, for those who wait for it. */
  readonly told: ReadonlyArray<string>
}

/** Everything may have changed. */
export const EVERYTHING = "*"

/** A database, as the storage knows it. */
export interface Tables {
  /** One transaction. It fails as a whole; a failure in the middle of its commit may have done it. */
  readonly transact: (wanted: Wanted, decide: (rows: Rows) => Changes) => Effect.Effect<void, StorageError>
  /**
   * Has `told` called with what other processes have changed, from now on: with `EVERYTHING` first, for what was before. It is
   * never over.
   */
  readonly listen: (told: (names: ReadonlyArray<string>) => void) => Effect.Effect<void>
  /** How often who waits looks by itself, in milliseconds, where it may be that it is not told. */
  readonly pollEvery: number | undefined
  readonly tasklet: (key: string) => Effect.Effect<WholeTasklet | undefined, StorageError>
}
