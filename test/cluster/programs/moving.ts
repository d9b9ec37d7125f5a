"use stackless"
/** A tasklet that goes where nobody answers. */
import { moveTo } from "effect-stackless/cluster"

/** What it is told, and what it has kept. */
export function* goes(to: string): Generator<any, readonly [string, unknown]> {
  const kept = `to ${to}`
  try {
    yield* moveTo(to)
  } catch (error) {
    return [kept, error]
  }
  return [kept, "there"]
}
