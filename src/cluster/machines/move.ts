/** Tasklets that are moved to another machine, by its address. What it takes stands in migration.ts. */
import * as Effect from "effect/Effect"
import { Thread } from "../../stackless/index.ts"
import { PlaceLost } from "../errors.ts"
import { Migration, type MigrationMessage } from "../migration.ts"
import { here, type Node } from "./node.ts"

/** The tasklets that have gone from this machine, or come to it. Those that come run on the thread of the tasklets by key. */
export const startMoves = (node: Node, thread: Thread): void => {
  const migration = new Migration(
    node.address,
    (place, message) => {
      const link = node.openLink(place)
      link?.post({ kind: "move", body: message })
      return link !== undefined
    },
    (place) => place === node.address || node.openLink(place) !== undefined ? undefined : new PlaceLost({ place }),
    () => {},
    node.signed
  )
  const hear = (from: string, message: MigrationMessage): void =>
    Effect.runSync(Effect.provideService(Effect.sync(() => migration.hear(from, message)), Thread, thread))
  node.on("move", (message: MigrationMessage, { name }) => hear(name, message))
  node.onLost((place) => migration.lose(new PlaceLost({ place })))
  node.migration = migration
}

/** What moves tasklets of this machine. */
export const machineMigration = (): { readonly address: string; readonly migration: Migration } => {
  const { address, migration } = here()
  return { address, migration: migration as Migration }
}
