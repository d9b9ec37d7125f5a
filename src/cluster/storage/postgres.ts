/**
 * A storage in PostgreSQL: for production, and for more than one machine. It takes the package `@effect/sql-pg`.
 *
 * A transaction locks its owner, then the channels that it is about, in the order of their names, then its tasklets. So the items of a channel are
 * in the order of the commits. Other processes hear of changes by `NOTIFY`, and look by themselves now and then.
 */
import type * as Package from "@effect/sql-pg"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { isSqlError } from "effect/sql/SqlError"
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
import { layerOf, LEASE, type Storage, type StorageOptions } from "./storage.ts"

/**
 * Where a storage in PostgreSQL is, and how it behaves.
 *
 * @category models
 * @since 0.2.0
 */
export interface PostgresOptions extends StorageOptions {
  /** `postgres://user:password@host/database`; in place of the rest. */
  readonly url?: string
  /** A host name, or the directory of a unix socket. */
  readonly host?: string
  readonly port?: number
  readonly database?: string
  readonly username?: string
  readonly password?: string
}

/**
 * A storage in PostgreSQL 12 or later. Its tables are made if they are not there. Fails with `StorageError` if it cannot be
 * reached, or the package `@effect/sql-pg` is not there.
 *
 * @category layers
 * @since 0.2.0
 */
export const postgres = (options: PostgresOptions): Layer.Layer<Storage, StorageError> =>
  layerOf(open(options), options)

/** What is wrong with these stays wrong. */
const PERMANENT = ["AuthenticationError", "AuthorizationError", "SqlSyntaxError", "ConstraintError"]

const failed = (cause: unknown): StorageError => {
  const { reason } = cause as {
    readonly reason?: { readonly _tag: string; readonly cause?: { readonly _tag?: string; readonly message?: string } }
  }
  const message = reason?.cause?.message ?? (cause as Error).message
  const temporary = reason !== undefined && !PERMANENT.includes(reason._tag) &&
    reason.cause?._tag !== "PgTypesCodecError"
  return new StorageError({ message: `the storage in PostgreSQL cannot be used: ${message}`, temporary, cause })
}

/** Fails with what a query fails with. A transaction dies of it where it can be neither committed nor rolled back. */
const failing = <A>(effect: Effect.Effect<A, unknown>): Effect.Effect<A, StorageError> =>
  Effect.catchCause(effect, (cause) => {
    for (const reason of cause.reasons) {
      if (Cause.isFailReason(reason)) return Effect.fail(failed(reason.error))
      if (Cause.isDieReason(reason) && isSqlError(reason.defect)) return Effect.fail(failed(reason.defect))
    }
    return Effect.failCause(cause as Cause.Cause<never>)
  })

const open = (options: PostgresOptions): Effect.Effect<Tables, StorageError, Scope.Scope> =>
  Effect.gen(function*() {
    const { PgClient, PgTypes } = yield* Effect.tryPromise({
      try: () => import("@effect/sql-pg"),
      catch: (cause) =>
        new StorageError({
          message: "a storage in PostgreSQL takes the package @effect/sql-pg: npm install @effect/sql-pg",
          temporary: false,
          cause
        })
    })
    const { lease = LEASE, password, patience: _patience, url, ...where } = options
    const client = yield* PgClient.make({
      ...where,
      ...url === undefined ? {} : { url: Redacted.make(url) },
      ...password === undefined ? {} : { password: Redacted.make(password) },
      applicationName: "effect-stackless",
      // one transaction at a time, one that listens, and those who read
      maxConnections: 4,
      connectTimeout: Duration.seconds(5),
      // one that is cut off in the middle of a transaction has locked its channels: that ends with its lease
      startupParameters: { idle_in_transaction_session_timeout: String(Math.ceil(Duration.toMillis(lease))) }
    }).pipe(Effect.provide(yield* reactivity), Effect.mapError(failed))
    const tables = new PostgresTables(client, PgTypes)
    yield* tables.make
    return tables
  })

/** What the client wants of queries that tell of their changes; ours do not. */
const reactivity = Effect.map(
  Effect.promise(() => import("effect/reactivity/Reactivity")),
  (Reactivity) => Reactivity.layer
)

const CHANNEL = "effect_stackless"

const TABLES = [
  // two that make the tables at once would fail
  "SELECT pg_advisory_xact_lock(7305516)",
  `CREATE TABLE IF NOT EXISTS stackless_channels (
    name text PRIMARY KEY, capacity float8 NOT NULL, codec text NOT NULL, held int NOT NULL, closed boolean NOT NULL
  ) WITH (fillfactor = 50)`,
  `CREATE TABLE IF NOT EXISTS stackless_items (
    seq bigserial PRIMARY KEY, channel text NOT NULL, key text NOT NULL, value bytea NOT NULL,
    attempts int NOT NULL, lease text, owner text, UNIQUE (channel, key)
  )`,
  "CREATE INDEX IF NOT EXISTS stackless_free ON stackless_items (channel, seq) WHERE lease IS NULL",
  "CREATE INDEX IF NOT EXISTS stackless_leases ON stackless_items (lease) WHERE lease IS NOT NULL",
  `CREATE TABLE IF NOT EXISTS stackless_tasklets (
    key text PRIMARY KEY, epoch int NOT NULL, step float8 NOT NULL, owner text, status text NOT NULL, refusal text,
    frame bytea NOT NULL, result bytea
  ) WITH (fillfactor = 50)`,
  "CREATE INDEX IF NOT EXISTS stackless_unowned ON stackless_tasklets (key) WHERE owner IS NULL AND status = 'running'",
  "CREATE TABLE IF NOT EXISTS stackless_owners (id text PRIMARY KEY, until float8 NOT NULL)"
]

class PostgresTables implements Tables {
  /** A notification may be lost with its connection. */
  readonly pollEvery = 5000
  private readonly client: Package.PgClient.PgClient
  private readonly types: typeof Package.PgTypes
  private readonly id = crypto.randomUUID()

  constructor(client: Package.PgClient.PgClient, types: typeof Package.PgTypes) {
    this.client = client
    this.types = types
  }

  readonly make: Effect.Effect<void, StorageError> = Effect.suspend(() =>
    failing(this.client.withTransaction(Effect.forEach(TABLES, (sql) => this.client.unsafe(sql), { discard: true })))
  )

  readonly transact: Tables["transact"] = (wanted, decide) =>
    Effect.suspend(() =>
      failing(this.client.withTransaction(Effect.flatMap(this.read(wanted), (rows) => this.write(decide(rows)))))
    )

  readonly tasklet: Tables["tasklet"] = (key) =>
    failing(
      Effect.map(
        this.query("SELECT * FROM stackless_tasklets WHERE key = $1", key),
        (rows) => rows.map(wholeOf)[0]
      )
    )

  readonly listen: Tables["listen"] = (told) =>
    Effect.scoped(
      Effect.gen({ self: this }, function*() {
        const Queue = yield* Effect.promise(() => import("effect/Queue"))
        const notifications = yield* this.client.listen(CHANNEL)
        // what was told of before
        told([EVERYTHING])
        for (;;) {
          const { payload } = yield* Queue.take(notifications)
          const { from, names } = JSON.parse(payload)
          if (from !== this.id) told(names)
        }
      })
    ).pipe(Effect.ignoreCause, Effect.andThen(Effect.sleep(200)), Effect.forever)

  /** A query. The types of the arrays among its values are those that it says: of a column of nulls they cannot be seen. */
  private query(sql: string, ...values: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<any>, unknown> {
    const { OID, array } = this.types
    const elements = { text: OID.text, bytea: OID.bytea, int: OID.int4, float8: OID.float8, boolean: OID.bool }
    return this.client.unsafe(
      sql,
      values.map((value, i) => {
        if (!Array.isArray(value)) return value
        const [, type] = new RegExp(`\\$${i + 1}::(\\w+)\\[\\]`).exec(sql)!
        return Result.getOrThrow(array(value, elements[type as keyof typeof elements]))
      })
    )
  }

  // ---- what is read -------------------------------------------------------------------------------------------------

  private readonly read = Effect.fnUntraced(function*(this: PostgresTables, wanted: Wanted) {
    const { channels, claimant, declared, except, expired, free, items, leases, owners, tasklets, unowned, whole } =
      wanted
    if (declared.length > 0) {
      yield* this.query(
        `INSERT INTO stackless_channels SELECT name, 0, '', 0, false FROM unnest($1::text[]) AS w(name)
         ORDER BY name ON CONFLICT DO NOTHING`,
        declared
      )
    }
    // nobody buries an owner in the middle of its transaction
    const present = owners.length === 0 ? none : (yield* this.query(
      "SELECT id FROM stackless_owners WHERE id = ANY($1::text[]) FOR UPDATE",
      owners
    )).map((row) => row.id)
    const lockedChannels = channels.length === 0 ? none : yield* this.query(
      "SELECT * FROM stackless_channels WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE",
      channels
    )
    const lockedTasklets = tasklets.length === 0 ? none : yield* this.query(
      `SELECT key, epoch, step, owner, status, refusal, CASE WHEN key = ANY($2::text[]) THEN result END AS result
       FROM stackless_tasklets WHERE key = ANY($1::text[]) ORDER BY key FOR UPDATE`,
      tasklets,
      [...whole]
    )
    return {
      now: (yield* this.query("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now"))[0].now,
      channels: lockedChannels as ReadonlyArray<ChannelRow>,
      tasklets: lockedTasklets.map(wholeOf),
      free: free.size === 0 ? none : (yield* this.query(
        `SELECT i.* FROM unnest($1::text[], $2::int[]) AS w(name, n) CROSS JOIN LATERAL (
           SELECT ${ITEM} FROM stackless_items WHERE channel = w.name AND lease IS NULL ORDER BY stackless_items.seq LIMIT w.n
         ) AS i`,
        [...free.keys()],
        [...free.values()]
      )).map(itemOf),
      leased: leases.length === 0 ? none : (yield* this.query(
        `SELECT ${ITEM} FROM stackless_items WHERE lease = ANY($1::text[])`,
        leases
      )).map(itemOf),
      items: items.length === 0 ? none : (yield* this.query(
        `SELECT ${ITEM} FROM stackless_items JOIN unnest($1::text[], $2::text[]) AS w(c, k) ON channel = c AND key = k`,
        items.map(({ channel }) => channel),
        items.map(({ key }) => key)
      )).map(itemOf),
      unowned: unowned === 0 ? none : (yield* this.query(
        `SELECT * FROM stackless_tasklets WHERE ${
          claimant === undefined ? "owner IS NULL" : "(owner IS NULL OR owner = $3)"
        } AND status = 'running' AND key <> ALL($1::text[]) LIMIT $2 FOR UPDATE SKIP LOCKED`,
        except,
        unowned,
        ...(claimant === undefined ? [] : [claimant])
      )).map(wholeOf),
      owners: present,
      expired: !expired ? none : (yield* this.query(
        `SELECT id FROM stackless_owners WHERE until < extract(epoch FROM clock_timestamp()) * 1000
         FOR UPDATE SKIP LOCKED`
      )).map((row) => row.id)
    } satisfies Rows
  })

  // ---- what is written ----------------------------------------------------------------------------------------------

  private readonly write = Effect.fnUntraced(function*(this: PostgresTables, changes: Changes) {
    const { buried, channels, forgotten, leased, owners, put, started, taken, tasklets, told } = changes
    if (taken.length > 0) {
      yield* this.query("DELETE FROM stackless_items WHERE seq = ANY($1::float8[]::bigint[])", taken)
    }
    if (put.length > 0) {
      yield* this.query(
        `INSERT INTO stackless_items (channel, key, value, attempts, lease, owner)
         SELECT channel, key, value, attempts, lease, owner FROM
         unnest($1::text[], $2::text[], $3::bytea[], $4::int[], $5::text[], $6::text[])
         WITH ORDINALITY AS w(channel, key, value, attempts, lease, owner, n) ORDER BY n`,
        ...columnsOf(put, ["channel", "key", "value", "attempts", "lease", "owner"])
      )
    }
    if (leased.length > 0) {
      yield* this.query(
        `UPDATE stackless_items AS i SET attempts = w.attempts, lease = w.lease, owner = w.owner FROM
         unnest($1::float8[]::bigint[], $2::int[], $3::text[], $4::text[]) AS w(seq, attempts, lease, owner)
         WHERE i.seq = w.seq`,
        ...columnsOf(leased, ["seq", "attempts", "lease", "owner"])
      )
    }
    if (channels.length > 0) {
      yield* this.query(
        `UPDATE stackless_channels AS c SET capacity = w.capacity, codec = w.codec, held = w.held, closed = w.closed
         FROM unnest($1::text[], $2::float8[], $3::text[], $4::int[], $5::boolean[])
         AS w(name, capacity, codec, held, closed) WHERE c.name = w.name`,
        ...columnsOf(channels, ["name", "capacity", "codec", "held", "closed"])
      )
    }
    if (started.length > 0) {
      yield* this.query(
        `INSERT INTO stackless_tasklets (key, epoch, step, owner, status, refusal, frame, result) SELECT * FROM
         unnest($1::text[], $2::int[], $3::float8[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::bytea[])`,
        ...columnsOf(started, TASKLET)
      )
    }
    if (tasklets.length > 0) {
      yield* this.query(
        `UPDATE stackless_tasklets AS t SET epoch = w.epoch, step = w.step, owner = w.owner, status = w.status,
         refusal = w.refusal, frame = coalesce(w.frame, t.frame), result = w.result FROM
         unnest($1::text[], $2::int[], $3::float8[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::bytea[])
         AS w(key, epoch, step, owner, status, refusal, frame, result) WHERE t.key = w.key`,
        ...columnsOf(tasklets, TASKLET)
      )
    }
    if (forgotten.length > 0) {
      yield* this.query("DELETE FROM stackless_tasklets WHERE key = ANY($1::text[])", forgotten)
    }
    if (owners.length > 0) {
      yield* this.query(
        `INSERT INTO stackless_owners SELECT * FROM unnest($1::text[], $2::float8[])
         ON CONFLICT (id) DO UPDATE SET until = excluded.until`,
        ...columnsOf(owners, ["id", "until"])
      )
    }
    if (buried.length > 0) {
      yield* this.query(
        "UPDATE stackless_items SET lease = NULL, owner = NULL WHERE owner = ANY($1::text[])",
        buried
      )
      yield* this.query("UPDATE stackless_tasklets SET owner = NULL WHERE owner = ANY($1::text[])", buried)
      yield* this.query("DELETE FROM stackless_owners WHERE id = ANY($1::text[])", buried)
    }
    if (told.length > 0) {
      const message = (names: ReadonlyArray<string>) => JSON.stringify({ from: this.id, names })
      const whole = message(told)
      // a notification has 8000 bytes at most
      yield* this.query("SELECT pg_notify($1, $2)", CHANNEL, whole.length < 2500 ? whole : message([EVERYTHING]))
    }
  })
}

const none: ReadonlyArray<any> = []

const ITEM = "seq::float8 AS seq, channel, key, value, attempts, lease, owner"

const TASKLET = ["key", "epoch", "step", "owner", "status", "refusal", "frame", "result"] as const

/** Some columns of rows, each as an array. */
const columnsOf = <R>(
  rows: ReadonlyArray<R>,
  names: ReadonlyArray<keyof R>
): ReadonlyArray<ReadonlyArray<unknown>> => names.map((name) => rows.map((row) => row[name] ?? null))

const itemOf = (row: any): ItemRow => ({ ...row, lease: row.lease ?? undefined, owner: row.owner ?? undefined })

const wholeOf = (row: any): WholeTasklet => ({
  ...row,
  status: row.status as TaskletStatus,
  owner: row.owner ?? undefined,
  refusal: row.refusal ?? undefined,
  result: row.result ?? undefined
})
