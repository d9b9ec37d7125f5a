/**
 * A registry in a file of SQLite, for machines that are processes of one computer.
 *
 * A lock holds until its time is over, unless it is renewed: SQLite does not tell that a process has died.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Database, isMissing, openDatabase } from "./database.ts"
import { LOCK, type Records, type Registry, registryOf } from "./engine.ts"
import { MachineError } from "./errors.ts"

const TABLES = `
CREATE TABLE IF NOT EXISTS stackless_machines (
  id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL UNIQUE, runner TEXT NOT NULL, healthy INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS stackless_locks (
  shard TEXT PRIMARY KEY, address TEXT NOT NULL, until REAL NOT NULL
) WITHOUT ROWID;
`

export const registryInSqlite = (filename: string): Registry<MachineError> =>
  Layer.unwrap(Effect.map(open(filename), (database) => registryOf(recordsIn(database))))

const open = (filename: string): Effect.Effect<Database, MachineError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        const database = await openDatabase(filename)
        database.exec("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        database.exec(TABLES)
        return database
      },
      catch: (cause) =>
        new MachineError({
          message: isMissing(cause)
            ? "registry.sqlite needs Node 22.13 or later, or the package libsql: npm install libsql"
            : `the registry in ${filename} cannot be opened: ${(cause as Error).message}`,
          cause
        })
    }),
    (database) => Effect.sync(() => void database.close())
  )

const recordsIn = (database: Database): Records => {
  const all = (sql: string): (...values: ReadonlyArray<string | number>) => Array<any> => {
    const statement = database.prepare(sql)
    return (...values) => statement.all(...values)
  }
  const run = (sql: string): (...values: ReadonlyArray<string | number>) => void => {
    const statement = database.prepare(sql)
    return (...values) => void statement.run(...values)
  }
  const machines = all("SELECT runner, healthy FROM stackless_machines")
  const register = all(
    `INSERT INTO stackless_machines (address, runner, healthy) VALUES (?, ?, ?)
     ON CONFLICT (address) DO UPDATE SET runner = excluded.runner, healthy = excluded.healthy RETURNING id`
  )
  const unregister = run("DELETE FROM stackless_machines WHERE address = ?")
  const setHealth = run("UPDATE stackless_machines SET healthy = ? WHERE address = ?")
  const lock = run(
    `INSERT INTO stackless_locks SELECT value, ?, ? FROM json_each(?) WHERE true
     ON CONFLICT (shard) DO UPDATE SET address = excluded.address, until = excluded.until
     WHERE address = excluded.address OR until < ?`
  )
  const renew = run(
    "UPDATE stackless_locks SET until = ? WHERE address = ? AND shard IN (SELECT value FROM json_each(?))"
  )
  const locked = all(
    "SELECT shard FROM stackless_locks WHERE address = ? AND shard IN (SELECT value FROM json_each(?))"
  )
  const release = run("DELETE FROM stackless_locks WHERE address = ? AND shard = ?")
  const releaseAll = run("DELETE FROM stackless_locks WHERE address = ?")
  const lockedBy = (address: string, shards: string): Array<string> => locked(address, shards).map(({ shard }) => shard)
  return {
    machines: () => machines().map(({ healthy, runner }) => [runner, healthy === 1] as const),
    register: (address, runner, healthy) => register(address, runner, healthy ? 1 : 0)[0].id,
    unregister,
    setHealth: (address, healthy) => setHealth(healthy ? 1 : 0, address),
    acquire: (address, shards) => {
      const now = Date.now()
      lock(address, now + LOCK, JSON.stringify(shards), now)
      return lockedBy(address, JSON.stringify(shards))
    },
    refresh: (address, shards) => {
      renew(Date.now() + LOCK, address, JSON.stringify(shards))
      return lockedBy(address, JSON.stringify(shards))
    },
    release,
    releaseAll
  }
}
