/**
 * A storage in SQLite: the embedded default, for the processes of one machine. It takes `node:sqlite` where Node has it, and
 * else the package `libsql`.
 *
 * Every transaction is on disk when it is over. Other processes that use the same file hear of changes by looking ten times a
 * second whether there were any.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Database, isMissing, openDatabase, type Statement, type Value } from "../database.ts"
import { StorageError } from "./errors.ts"
import {
  type Changes,
  type ChannelRow,
  EVERYTHING,
  type ItemRow,
  type Rows,
  type Tables,
  type TaskletStatus,
  type Wanted,
  type WholeTasklet
} from "./rows.ts"
import { layerOf, type Storage, type StorageOptions } from "./storage.ts"

/**
 * Where a storage in SQLite is, and how it behaves.
 *
 * @category models
 * @since 0.2.0
 */
export interface SqliteOptions extends StorageOptions {
  /** The file; `":memory:"` for none. It is made if it is not there. */
  readonly filename: string
}

/**
 * A storage in a file of SQLite. Fails with `StorageError` if it cannot be opened.
 *
 * @category layers
 * @since 0.2.0
 */
export const sqlite = (options: SqliteOptions): Layer.Layer<Storage, StorageError> => layerOf(open(options), options)

const open = ({ filename }: SqliteOptions): Effect.Effect<Tables, StorageError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => new SqliteTables(await openDatabase(filename)),
      catch: (cause) =>
        new StorageError({
          message: isMissing(cause)
            ? "a storage in SQLite takes Node 22.13 or later, or the package libsql: npm install libsql"
            : `the storage in ${filename} cannot be opened: ${(cause as Error).message}`,
          temporary: false,
          cause
        })
    }),
    (tables) => Effect.sync(() => tables.close())
  )

const TABLES = `
CREATE TABLE IF NOT EXISTS stackless_channels (
  name TEXT PRIMARY KEY, capacity REAL NOT NULL, codec TEXT NOT NULL, held INTEGER NOT NULL, closed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stackless_items (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
  attempts INTEGER NOT NULL, lease TEXT, owner TEXT, UNIQUE (channel, key)
);
CREATE INDEX IF NOT EXISTS stackless_free ON stackless_items (channel, seq) WHERE lease IS NULL;
CREATE INDEX IF NOT EXISTS stackless_leases ON stackless_items (lease) WHERE lease IS NOT NULL;
CREATE TABLE IF NOT EXISTS stackless_tasklets (
  key TEXT PRIMARY KEY, epoch INTEGER NOT NULL, step INTEGER NOT NULL, owner TEXT, status TEXT NOT NULL, refusal TEXT,
  frame BLOB NOT NULL, result BLOB
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stackless_unowned ON stackless_tasklets (key) WHERE owner IS NULL AND status = 'running';
CREATE TABLE IF NOT EXISTS stackless_owners (id TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
`

/** How long one process waits for the transaction of another, in the middle of which its event loop stands still. */
const BUSY = 20

class SqliteTables implements Tables {
  readonly pollEvery: undefined
  private readonly database: Database
  private readonly statements = new Map<string, Statement>()

  constructor(database: Database) {
    this.database = database
    database.exec(`PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`)
    database.exec(`BEGIN IMMEDIATE; ${TABLES} COMMIT`)
    database.exec(`PRAGMA busy_timeout = ${BUSY}`)
  }

  close(): void {
    this.statements.clear()
    this.database.close()
  }

  readonly transact: Tables["transact"] = (wanted, decide) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      this.attempt(() => {
        this.database.exec("BEGIN IMMEDIATE")
        try {
          this.write(decide(this.read(wanted, now)))
          this.database.exec("COMMIT")
        } catch (error) {
          this.database.exec("ROLLBACK")
          throw error
        }
      }))

  readonly tasklet: Tables["tasklet"] = (key) => this.attempt(() => this.taskletsOf(key, true)[0])

  readonly listen: Tables["listen"] = (told) =>
    Effect.suspend(() => {
      const version = (): unknown => this.all("PRAGMA data_version")[0].data_version
      let seen = version()
      told([EVERYTHING])
      return Effect.forever(Effect.andThen(
        Effect.sleep(100),
        Effect.sync(() => {
          const now = version()
          if (now === seen) return
          seen = now
          told([EVERYTHING])
        })
      ))
    })

  private attempt<A>(attempt: () => A): Effect.Effect<A, StorageError> {
    return Effect.try({
      try: attempt,
      catch: (cause) =>
        new StorageError({
          message: `the storage in SQLite cannot be used: ${(cause as Error).message}`,
          // another process is in the middle of a transaction
          temporary: /busy|locked/i.test((cause as Error).message),
          cause
        })
    })
  }

  private statement(sql: string): Statement {
    let statement = this.statements.get(sql)
    if (statement === undefined) this.statements.set(sql, statement = this.database.prepare(sql))
    return statement
  }

  private all(sql: string, ...values: ReadonlyArray<Value>): Array<any> {
    return this.statement(sql).all(...values)
  }

  private run(sql: string, ...values: ReadonlyArray<Value>): void {
    this.statement(sql).run(...values)
  }

  // ---- what is read -------------------------------------------------------------------------------------------------

  private read(wanted: Wanted, now: number): Rows {
    for (const name of wanted.declared) {
      this.run("INSERT INTO stackless_channels VALUES (?, 0, '', 0, 0) ON CONFLICT DO NOTHING", name)
    }
    return {
      now,
      channels: wanted.channels.flatMap((name) =>
        this.all("SELECT * FROM stackless_channels WHERE name = ?", name).map(channelOf)
      ),
      free: [...wanted.free].flatMap(([channel, limit]) =>
        this.all(
          "SELECT * FROM stackless_items WHERE channel = ? AND lease IS NULL ORDER BY seq LIMIT ?",
          channel,
          limit
        ).map(itemOf)
      ),
      leased: wanted.leases.flatMap((lease) =>
        this.all("SELECT * FROM stackless_items WHERE lease = ?", lease).map(itemOf)
      ),
      items: wanted.items.flatMap(({ channel, key }) =>
        this.all("SELECT * FROM stackless_items WHERE channel = ? AND key = ?", channel, key).map(itemOf)
      ),
      tasklets: wanted.tasklets.flatMap((key) => this.taskletsOf(key, wanted.whole.has(key))),
      unowned: wanted.unowned === 0 ? [] : this.all(
        `SELECT * FROM stackless_tasklets WHERE ${
          wanted.claimant === undefined ? "owner IS NULL" : "(owner IS NULL OR owner = ?3)"
        } AND status = 'running' AND key NOT IN (SELECT value FROM json_each(?1)) LIMIT ?2`,
        JSON.stringify(wanted.except),
        wanted.unowned,
        ...(wanted.claimant === undefined ? [] : [wanted.claimant])
      ).map(wholeOf),
      owners: wanted.owners.flatMap((id) =>
        this.all("SELECT id FROM stackless_owners WHERE id = ?", id).map((row) => row.id)
      ),
      expired: wanted.expired
        ? this.all("SELECT id FROM stackless_owners WHERE until < ?", now).map((row) => row.id)
        : []
    }
  }

  /** The tasklet of a key, or none. */
  private taskletsOf(key: string, whole: boolean): Array<WholeTasklet> {
    const columns = whole ? "*" : "key, epoch, step, owner, status, refusal"
    return this.all(`SELECT ${columns} FROM stackless_tasklets WHERE key = ?`, key).map(wholeOf)
  }

  // ---- what is written ----------------------------------------------------------------------------------------------

  private write(changes: Changes): void {
    for (const { capacity, closed, codec, held, name } of changes.channels) {
      this.run(
        "UPDATE stackless_channels SET capacity = ?, codec = ?, held = ?, closed = ? WHERE name = ?",
        capacity,
        codec,
        held,
        closed ? 1 : 0,
        name
      )
    }
    for (const { attempts, channel, key, lease, owner, value } of changes.put) {
      this.run(
        "INSERT INTO stackless_items (channel, key, value, attempts, lease, owner) VALUES (?, ?, ?, ?, ?, ?)",
        channel,
        key,
        value,
        attempts,
        lease ?? null,
        owner ?? null
      )
    }
    for (const { attempts, lease, owner, seq } of changes.leased) {
      this.run(
        "UPDATE stackless_items SET attempts = ?, lease = ?, owner = ? WHERE seq = ?",
        attempts,
        lease ?? null,
        owner ?? null,
        seq
      )
    }
    for (const seq of changes.taken) this.run("DELETE FROM stackless_items WHERE seq = ?", seq)
    for (const { epoch, frame, key, owner, refusal, result, status, step } of changes.started) {
      this.run(
        `INSERT INTO stackless_tasklets (key, epoch, step, owner, status, refusal, frame, result)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        key,
        epoch,
        step,
        owner ?? null,
        status,
        refusal ?? null,
        frame,
        result ?? null
      )
    }
    for (const { epoch, frame, key, owner, refusal, result, status, step } of changes.tasklets) {
      this.run(
        `UPDATE stackless_tasklets SET epoch = ?, step = ?, owner = ?, status = ?, refusal = ?,
         frame = coalesce(?, frame), result = ? WHERE key = ?`,
        epoch,
        step,
        owner ?? null,
        status,
        refusal ?? null,
        frame ?? null,
        result ?? null,
        key
      )
    }
    for (const key of changes.forgotten) this.run("DELETE FROM stackless_tasklets WHERE key = ?", key)
    for (const { id, until } of changes.owners) {
      this.run(
        "INSERT INTO stackless_owners VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET until = excluded.until",
        id,
        until
      )
    }
    for (const id of changes.buried) {
      this.run("UPDATE stackless_items SET lease = NULL, owner = NULL WHERE owner = ?", id)
      this.run("UPDATE stackless_tasklets SET owner = NULL WHERE owner = ?", id)
      this.run("DELETE FROM stackless_owners WHERE id = ?", id)
    }
  }
}

const bytesOf = (blob: ArrayBuffer | Uint8Array): Uint8Array => blob instanceof Uint8Array ? blob : new Uint8Array(blob)

const channelOf = (row: any): ChannelRow => ({ ...row, closed: row.closed === 1 })

const itemOf = (row: any): ItemRow => ({
  ...row,
  value: bytesOf(row.value),
  lease: row.lease ?? undefined,
  owner: row.owner ?? undefined
})

const wholeOf = (row: any): WholeTasklet => ({
  ...row,
  status: row.status as TaskletStatus,
  owner: row.owner ?? undefined,
  refusal: row.refusal ?? undefined,
  frame: row.frame === undefined ? undefined : bytesOf(row.frame),
  result: row.result == null ? undefined : bytesOf(row.result)
})
