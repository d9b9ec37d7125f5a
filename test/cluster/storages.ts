/** The storages that the same tests are made for. */
import type { Layer } from "effect"
import {
  memory,
  MemoryTables,
  postgres,
  sqlite,
  type Storage,
  type StorageError,
  type StorageOptions
} from "effect-stackless/cluster"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Server, startPostgres } from "./postgres.ts"

/** A database: each layer over it is as a process of its own. */
export type Database = (options?: StorageOptions) => Layer.Layer<Storage, StorageError>

export interface Kind {
  readonly name: string
  readonly start: () => void
  /** An empty one. */
  readonly make: () => Database
  readonly stop: () => void
}

const inMemory: Kind = {
  name: "memory",
  start: () => {},
  make: () => {
    const tables = new MemoryTables()
    return (options) => memory({ ...options, tables })
  },
  stop: () => {}
}

const inSqlite = (): Kind => {
  let directory: string
  let files = 0
  return {
    name: "SQLite",
    start: () => {
      directory = mkdtempSync(join(tmpdir(), "sqlite-"))
    },
    make: () => {
      const filename = join(directory, `${files++}.db`)
      return (options) => sqlite({ ...options, filename })
    },
    stop: () => rmSync(directory, { recursive: true, force: true })
  }
}

const inPostgres = (): Kind => {
  let server: Server
  return {
    name: "PostgreSQL",
    start: () => {
      server = startPostgres()
    },
    make: () => {
      const database = server.newDatabase()
      return (options) => postgres({ ...options, host: server.host, username: "postgres", database })
    },
    stop: () => server.remove()
  }
}

export const kinds = (): ReadonlyArray<Kind> => [inMemory, inSqlite(), inPostgres()]
