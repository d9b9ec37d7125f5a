/** Runs a program of a test: on a thread and a virtual clock of its own, its bodies in one gear or the other. */
import type { Effect } from "effect"
import { Effect as E } from "effect"
import { gethub } from "effect-stackless/compat/gevent"
import { call, withThread } from "effect-stackless/greenlet"
import { describe, test } from "vitest"
import { type Gear, gears, inGear } from "../conformance/gear.ts"
import { onVirtualClock } from "../conformance/run.ts"

/** A generator function of a test. */
export type Steps<A = void> = Generator<Effect.Effect<any, any, any>, A, any>

/** What a test gets. */
export interface Program {
  /** A body in the gear of the test. */
  body<Args extends ReadonlyArray<any>, A>(f: (...args: Args) => Steps<A>): (...args: Args) => Effect.Effect<A, any>
  /** What the hub reported, instead of printing it. */
  readonly reports: Array<readonly [context: unknown, error: unknown]>
  /** Logs a line. */
  log(line: unknown): void
  readonly lines: Array<unknown>
}

/** What an operation throws. */
export function* caught(operation: Effect.Effect<unknown, any>): Steps<unknown> {
  try {
    yield* operation
  } catch (error) {
    return error
  }
  return "nothing was thrown"
}

/** A test in both gears, whose body is the main greenlet. */
export const program = (name: string, main: (program: Program) => Steps): void => {
  describe.each(gears)("%s", (gear) => {
    test(name, () => run(gear, main, onVirtualClock))
  })
}

/** A test of what a body does about its end while it waits for a foreign Effect: one that is an Effect just ends. */
export const softProgram = (name: string, main: (program: Program) => Steps): void => {
  test(name, () => run("soft", main, onVirtualClock))
}

/** As `program`, on the real clock. */
export const realProgram = (name: string, main: (program: Program) => Steps): void => {
  describe.each(gears)("%s", (gear) => {
    test(name, () => run(gear, main, (effect) => effect))
  })
}

const run = async (
  gear: Gear,
  main: (program: Program) => Steps,
  on: <A>(effect: Effect.Effect<A>) => Effect.Effect<A>
): Promise<void> => {
  const reports: Program["reports"] = []
  const lines: Array<unknown> = []
  const body = (f: (...args: any) => Steps<any>) => inGear(gear, f as never) as never
  const whole = function*(): Steps {
    gethub().handleError = (context, error) => void reports.push([context, error])
    yield* main({ body, reports, lines, log: (line) => void lines.push(line) })
  }
  await E.runPromise(on(withThread(call(inGear(gear, whole as never) as () => Effect.Effect<void>))))
}
