/** Durable tasklets: how many steps a second are stored, of one, and of 64 at once; in SQLite, each on disk, and in PostgreSQL. */
import { Effect, Layer } from "effect"
import {
  checkpoint,
  durable,
  durableHost,
  memory,
  postgres,
  sqlite,
  type Storage,
  type StorageError
} from "effect-stackless/cluster"
import { persistent } from "effect-stackless/pickle"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startPostgres } from "../../test/cluster/postgres.ts"
import { compiledBodies } from "../compiled.ts"
import type { Measurement } from "../measurement.ts"

const ALONE = 500
const WIDTH = 64
const WIDE = 50

const rates = async (storage: Layer.Layer<Storage, StorageError>): Promise<ReadonlyArray<number>> => {
  const { repeating } = await compiledBodies()
  persistent("bench: checkpoint", checkpoint)
  const rate = (name: string, width: number, steps: number) =>
    Effect.gen(function*() {
      const begun = performance.now()
      yield* Effect.forEach(
        Array.from({ length: width }, (_, i) => i),
        (i) => Effect.flatMap(durable(`${name} ${i}`, repeating)(steps, checkpoint), (it) => it.join),
        { concurrency: "unbounded", discard: true }
      )
      return width * steps / (performance.now() - begun) * 1000
    })
  return Effect.runPromise(
    Effect.gen(function*() {
      yield* rate("warm", WIDTH, 5)
      return [yield* rate("alone", 1, ALONE), yield* rate("wide", WIDTH, WIDE)]
    }).pipe(Effect.provide(Layer.provideMerge(durableHost(), storage)))
  )
}

const figuresOf = (name: string, where: string) =>
  [
    { name: `${name}.alone`, unit: "/s", about: `steps of a durable tasklet, ${where}` },
    { name: `${name}.wide`, unit: "/s", about: `steps of 64 durable tasklets at once, ${where}` }
  ] as const

export const durables: Record<string, Measurement> = {
  "durable.memory": {
    figures: figuresOf("durable.memory", "in memory"),
    take: () => rates(memory())
  },
  "durable.sqlite": {
    figures: figuresOf("durable.sqlite", "in SQLite, on disk"),
    take: async () => {
      const directory = mkdtempSync(join(tmpdir(), "bench-"))
      try {
        return await rates(sqlite({ filename: join(directory, "bench.db") }))
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    }
  },
  "durable.postgres": {
    figures: figuresOf("durable.postgres", "in PostgreSQL, on disk"),
    take: async () => {
      const server = startPostgres()
      try {
        return await rates(postgres({ host: server.host, username: "postgres", database: "postgres" }))
      } finally {
        server.remove()
      }
    }
  }
}
