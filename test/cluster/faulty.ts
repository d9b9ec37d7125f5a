/** Tables that fail as a process or a machine does. */
import { Clock, Effect, Latch } from "effect"
import type { MemoryTables, StorageError } from "effect-stackless/cluster"

type Transact = MemoryTables["transact"]

/** The tables of a process that dies in the middle of its n-th transaction: before its commit, or after it. */
export class DyingTables {
  readonly pollEvery: undefined
  readonly listen: MemoryTables["listen"]
  readonly tasklet: MemoryTables["tasklet"]
  readonly transact: Transact
  /** How many transactions were begun. */
  count = 0
  /** Resolves when it is dead. */
  readonly dead: Promise<void>

  constructor(tables: MemoryTables, dies: { readonly at: number; readonly committed: boolean }) {
    let die!: () => void
    this.dead = new Promise((resolve) => {
      die = resolve
    })
    this.listen = tables.listen
    this.tasklet = (key) => this.count >= dies.at ? Effect.never : tables.tasklet(key)
    this.transact = (wanted, decide) =>
      Effect.suspend(() => {
        const n = ++this.count
        if (n < dies.at) return tables.transact(wanted, decide)
        if (n > dies.at) return Effect.never
        die()
        return dies.committed ? Effect.andThen(tables.transact(wanted, decide), Effect.never) : Effect.never
      })
  }
}

/** The tables of a process that can be made to stand still. */
export class StoppableTables {
  readonly pollEvery: undefined
  readonly listen: MemoryTables["listen"]
  readonly tasklet: MemoryTables["tasklet"]
  readonly transact: Transact
  readonly going = Latch.makeUnsafe(true)

  constructor(tables: MemoryTables) {
    this.listen = tables.listen
    this.tasklet = tables.tasklet
    this.transact = (wanted, decide) => this.going.whenOpen(tables.transact(wanted, decide))
  }
}

/** The tables of a process that fails for good in the first transaction that `fails` says. */
export class FailingTables {
  readonly pollEvery: undefined
  readonly listen: MemoryTables["listen"]
  readonly tasklet: MemoryTables["tasklet"]
  readonly transact: Transact

  constructor(
    tables: MemoryTables,
    fails: (wanted: Parameters<Transact>[0]) => boolean,
    failure: Effect.Effect<never, StorageError>
  ) {
    let failed = false
    this.listen = tables.listen
    this.tasklet = tables.tasklet
    this.transact = (wanted, decide) =>
      Effect.suspend(() => {
        if (failed || !fails(wanted)) return tables.transact(wanted, decide)
        failed = true
        return failure
      })
  }
}

/** As if whoever uses the tables had been silent for longer than its lease. */
export const expire = (tables: MemoryTables): Promise<void> =>
  Effect.runPromise(
    Effect.clockWith((clock) => {
      const later = Object.assign(Object.create(clock) as Clock.Clock, {
        currentTimeMillis: Effect.succeed(Date.now() + 60_000)
      })
      const burying = tables.transact({ ...nothingWanted, expired: true }, (rows) => ({
        ...nothingChanged,
        buried: rows.expired,
        told: ["*"]
      }))
      return Effect.provideService(burying, Clock.Clock, later)
    })
  )

const nothingWanted: Parameters<Transact>[0] = {
  channels: [],
  declared: [],
  free: new Map(),
  leases: [],
  items: [],
  tasklets: [],
  whole: new Set(),
  unowned: 0,
  claimant: undefined,
  except: [],
  owners: [],
  expired: false
}

const nothingChanged: ReturnType<Parameters<Transact>[1]> = {
  channels: [],
  put: [],
  leased: [],
  taken: [],
  started: [],
  tasklets: [],
  forgotten: [],
  owners: [],
  buried: [],
  told: []
}
