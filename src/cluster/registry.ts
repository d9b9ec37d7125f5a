/** Where the machines of a cluster are written down, and their locks on shards. */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { type Registry, registryInMemory, registryInSql } from "./engine.ts"
import { MachineError } from "./errors.ts"
import { registryInSqlite } from "./sqlite-registry.ts"

/**
 * How a database is reached.
 *
 * @category models
 * @since 0.2.0
 */
export interface PostgresRegistryOptions extends Omit<PgClient.PgPoolConfig, "url" | "password"> {
  /** `postgres://user:password@host:port/database`, instead of the parts. */
  readonly url?: string
  readonly password?: string
}

/**
 * Where a registry in SQLite is.
 *
 * @category models
 * @since 0.2.0
 */
export interface SqliteRegistryOptions {
  /** The file, on a disk of this computer. It is made if it is not there. */
  readonly filename: string
}

/**
 * Registries: `memory` for one machine alone, `sqlite` for several that are processes of one computer, `postgres` for several
 * computers. The locks of a machine that has stopped are free after 5 s. Those of one that is killed are so, too, in a file of
 * SQLite; in PostgreSQL they are as soon as its connections are closed.
 *
 * @category layers
 * @since 0.2.0
 */
export const registry: {
  readonly memory: Registry
  readonly sqlite: (options: SqliteRegistryOptions) => Registry<MachineError>
  readonly postgres: (options: PostgresRegistryOptions) => Registry<MachineError>
} = {
  memory: registryInMemory,
  sqlite: ({ filename }) => registryInSqlite(filename),
  // the client is loaded when it is needed: whoever has another registry need not have it
  postgres: ({ password, url, ...options }) =>
    Layer.unwrap(
      Effect.tryPromise({
        try: () => import("@effect/sql-pg/PgClient"),
        catch: (cause) =>
          new MachineError({ message: "registry.postgres needs @effect/sql-pg: npm install @effect/sql-pg", cause })
      }).pipe(Effect.map((client) =>
        registryInSql.pipe(
          Layer.provide(client.layer({
            ...options,
            ...url === undefined ? {} : { url: Redacted.make(url) },
            ...password === undefined ? {} : { password: Redacted.make(password) }
          })),
          Layer.catch((cause) =>
            Layer.effectContext(
              Effect.fail(new MachineError({ message: `the registry cannot be reached: ${String(cause)}`, cause }))
            )
          )
        )
      ))
    )
}
