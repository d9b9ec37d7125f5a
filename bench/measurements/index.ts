/** All measurements of this package's own, in the order of the table. */
import type { Measurement } from "../measurement.ts"
import { groups } from "./groups.ts"

export const measurements: Readonly<Record<string, Measurement>> = Object.assign(
  {},
  ...await Promise.all(groups.map((load) => load()))
)
