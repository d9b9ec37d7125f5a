/** The code that the command ends with. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { WELL } from "./failure.ts"

/** Where a command says how it ends, if not well. */
export const Ending = Context.Reference<{ code: number }>("effect-stackless/command/Ending", {
  defaultValue: () => ({ code: WELL })
})

export const ends = (code: number): Effect.Effect<void> =>
  Effect.map(Ending, (ending) => {
    ending.code = code
  })
