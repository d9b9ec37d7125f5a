/** All measurements of this package's own, in the order of the table. */
import type { Measurement } from "../measurement.ts"
import { attachments } from "./attached.ts"
import { compiled } from "./compiled.ts"
import { depths } from "./depth.ts"
import { durables } from "./durable.ts"
import { exploring } from "./explore.ts"
import { greenlets } from "./greenlet.ts"
import { machines } from "./machines.ts"
import { million } from "./million.ts"
import { pickling } from "./pickle.ts"
import { raw } from "./raw.ts"
import { stackless } from "./stackless.ts"
import { working } from "./workers.ts"

export const measurements: Readonly<Record<string, Measurement>> = {
  ...raw,
  ...greenlets,
  ...stackless,
  ...million,
  ...depths,
  ...compiled,
  ...pickling,
  ...exploring,
  ...durables,
  ...working,
  ...machines,
  ...attachments
}
