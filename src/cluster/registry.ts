/** Where the machines of a cluster are written down, and their locks on shards. */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { type Registry, registryInMemory, registryInSql } from "./engine.ts"
import { MachineError } from "./errors.ts"

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
 * Registries: `memory` for one machine alone, `postgres` for several. The locks of a machine that is killed are free as soon as its
 * connections are closed, and those of one that has stopped after 5 s.
 *
 * @category layers
 * @since 0.2.0
 */
export const registry: {
  readonly memory: Registry
  readonly postgres: (options: PostgresRegistryOptions) => Registry<MachineError>
} = {
  memory: registryInMemory,
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
