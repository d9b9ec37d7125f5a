/** A storage in memory: for tests, and for a program that wants nothing kept. It is gone with its layer. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { StorageError } from "./errors.ts"
import {
  type Changes,
  type ChannelRow,
  EVERYTHING,
  type ItemRow,
  type Rows,
  type Tables,
  type Wanted,
  type WholeTasklet
} from "./rows.ts"
import { layerOf, type Storage, type StorageOptions } from "./storage.ts"

/**
 * What a storage in memory holds. Two storages over one of them are as two processes over one database.
 *
 * @category models
 * @since 0.2.0
 */
export class MemoryTables implements Tables {
  readonly pollEvery: undefined
  private readonly channels = new Map<string, ChannelRow>()
  /** Of each channel, in their order. */
  private readonly items = new Map<string, Map<number, ItemRow>>()
  private readonly tasklets = new Map<string, WholeTasklet>()
  private readonly owners = new Map<string, number>()
  private readonly listeners = new Set<(names: ReadonlyArray<string>) => void>()
  private seq = 0

  readonly transact: Tables["transact"] = (wanted, decide) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const changes = decide(this.read(wanted, now))
      this.write(changes)
      if (changes.told.length > 0) { for (const told of this.listeners) told(changes.told) }
    })

  readonly listen: Tables["listen"] = (told) =>
    Effect.callback<void>(() => {
      this.listeners.add(told)
      told([EVERYTHING])
      return Effect.sync(() => this.listeners.delete(told))
    })

  readonly tasklet: Tables["tasklet"] = (key) => Effect.sync(() => this.tasklets.get(key))

  private itemsOf(channel: string): Map<number, ItemRow> {
    let items = this.items.get(channel)
    if (items === undefined) this.items.set(channel, items = new Map())
    return items
  }

  private itemsWhere(test: (item: ItemRow) => boolean): Array<ItemRow> {
    return [...this.items.values()].flatMap((items) => [...items.values()].filter(test))
  }

  private read(wanted: Wanted, now: number): Rows {
    for (const name of wanted.declared) {
      if (!this.channels.has(name)) {
        this.channels.set(name, { name, capacity: 0, codec: "", held: 0, closed: false })
      }
    }
    const free: Array<ItemRow> = []
    for (const [channel, limit] of wanted.free) {
      let left = limit
      for (const item of this.itemsOf(channel).values()) {
        if (left === 0) break
        if (item.lease !== undefined) continue
        free.push(item)
        left--
      }
    }
    const { leases } = wanted
    const unowned: Array<WholeTasklet> = []
    for (const row of wanted.unowned > 0 ? this.tasklets.values() : []) {
      if (unowned.length === wanted.unowned) break
      const free = row.owner === undefined || row.owner === wanted.claimant
      if (free && row.status === "running" && !wanted.except.includes(row.key)) unowned.push(row)
    }
    return {
      now,
      channels: present(wanted.channels.map((name) => this.channels.get(name))),
      free,
      leased: leases.length === 0
        ? []
        : this.itemsWhere(({ lease }) => lease !== undefined && leases.includes(lease)),
      items: wanted.items.flatMap(({ channel, key }) =>
        [...this.itemsOf(channel).values()].filter((item) => item.key === key)
      ),
      tasklets: present(wanted.tasklets.map((key) => this.tasklets.get(key))),
      unowned,
      owners: wanted.owners.filter((id) => this.owners.has(id)),
      expired: wanted.expired ? [...this.owners].filter(([, until]) => until < now).map(([id]) => id) : []
    }
  }

  private write(changes: Changes): void {
    for (const row of changes.channels) this.channels.set(row.name, row)
    for (const item of changes.put) {
      const seq = ++this.seq
      this.itemsOf(item.channel).set(seq, { ...item, seq })
    }
    for (const item of changes.leased) this.itemsOf(item.channel).set(item.seq, item)
    for (const seq of changes.taken) for (const items of this.items.values()) if (items.delete(seq)) break
    for (const row of changes.started) this.tasklets.set(row.key, row)
    for (const row of changes.tasklets) {
      const before = this.tasklets.get(row.key)
      if (before !== undefined) this.tasklets.set(row.key, { ...row, frame: row.frame ?? before.frame })
    }
    for (const key of changes.forgotten) this.tasklets.delete(key)
    for (const { id, until } of changes.owners) this.owners.set(id, until)
    for (const id of changes.buried) {
      this.owners.delete(id)
      for (const item of this.itemsWhere(({ owner }) => owner === id)) {
        this.itemsOf(item.channel).set(item.seq, { ...item, lease: undefined, owner: undefined })
      }
      for (const row of this.tasklets.values()) {
        if (row.owner === id) this.tasklets.set(row.key, { ...row, owner: undefined })
      }
    }
  }
}

const present = <A>(rows: ReadonlyArray<A | undefined>): ReadonlyArray<A> =>
  rows.filter((row): row is A => row !== undefined)

/**
 * A storage in memory. Of two with the same `tables` each is as a process of its own.
 *
 * @category layers
 * @since 0.2.0
 */
export const memory = (
  options: StorageOptions & { readonly tables?: MemoryTables } = {}
): Layer.Layer<Storage, StorageError> => layerOf(Effect.succeed(options.tables ?? new MemoryTables()), options)
