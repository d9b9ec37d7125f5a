/** All series, in the order of the table. */
import { depth } from "./depth.ts"
import { messages } from "./messages.ts"
import { ring } from "./ring.ts"
import type { Series } from "./series.ts"

export const allSeries: Readonly<Record<string, Series>> = { ...ring, ...messages, ...depth }
