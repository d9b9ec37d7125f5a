/** Tasklets that are moved to another machine, by its address. What it takes stands in migration.ts. */
import * as Effect from "effect/Effect"
import { Thread } from "../../stackless/index.ts"
import { PlaceLost } from "../errors.ts"
import { underWay } from "../exchange/party.ts"
import { Migration, type MigrationMessage } from "../migration.ts"
import { Courier } from "./courier.ts"
import { here, type Node } from "./node.ts"

/** The tasklets that have gone from this machine, or come to it. Those that come run on the thread of the tasklets by key. */
export const startMoves = (node: Node, thread: Thread): void => {
  const onThread = (f: () => void): void => Effect.runSync(Effect.provideService(Effect.sync(f), Thread, thread))
  const hear = (from: string, message: MigrationMessage): void => onThread(() => migration.hear(from, message))
  const courier = new Courier(
    node,
    hear,
    (place, cause) =>
      onThread(() => migration.lose(new PlaceLost({ place, ...(cause === undefined ? {} : { cause }) })))
  )
  const migration = new Migration(
    node.address,
    (place, message) => {
      if (place === node.address) queueMicrotask(() => hear(place, message))
      else courier.post(place, message)
      return true
    },
    (place) => place === node.address || node.openLink(place) !== undefined ? undefined : new PlaceLost({ place }),
    () => {},
    { underWay, signed: node.signed, watch: (place) => place === node.address || courier.watch(place) }
  )
  node.migration = migration
}

/** What moves tasklets of this machine. */
export const machineMigration = (): { readonly address: string; readonly migration: Migration } => {
  const { address, migration } = here()
  return { address, migration: migration as Migration }
}
