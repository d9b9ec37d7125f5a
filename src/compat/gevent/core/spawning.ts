/**
 * Where greenlets come from: who spawned them, and on which lines. Carries `spawning_greenlet` and `spawning_stack` of
 * `gevent.greenlet`. It is kept beside the greenlets, so that one that is not tracked costs nothing.
 */
import type { Microthread } from "../../../greenlet/index.ts"

interface Spawning {
  readonly by: WeakRef<Microthread>
  /** Its stack is not made into text before somebody reads it. */
  readonly site: Error
  readonly limit: number
}

const spawnings = new WeakMap<Microthread, Spawning>()

/** How many lines there may be of this project between the spawning one and this file. */
const OWN = 20

/** Notes that `by` is making a greenlet; `limit` is how many lines to keep. */
export const noteSpawning = (greenlet: Microthread, by: Microthread, limit: number): void => {
  const before = Error.stackTraceLimit
  Error.stackTraceLimit = limit + OWN
  spawnings.set(greenlet, { by: new WeakRef(by), site: new Error(), limit })
  Error.stackTraceLimit = before
}

/** Who made it, if that is known, and not collected. */
export const spawnerOf = (greenlet: Microthread): Microthread | undefined => spawnings.get(greenlet)?.by.deref()

/** The lines that it was made on, the innermost first. */
export const spawningLinesOf = (greenlet: Microthread): ReadonlyArray<string> => {
  const spawning = spawnings.get(greenlet)
  if (spawning === undefined) return []
  const own = new URL("../../..", import.meta.url).pathname
  return (spawning.site.stack ?? "").split("\n").map((line) => line.trim()).filter((line) =>
    line.startsWith("at ") && !line.includes(own) && !line.includes("/node_modules/effect/") && !line.includes("(node:")
  ).slice(0, spawning.limit)
}
