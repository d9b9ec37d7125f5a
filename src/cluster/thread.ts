/** The thread of tasklets that nobody here runs: those of a machine, and those of a host of durable ones. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { makeThread, run, tasklet, Thread } from "../stackless/index.ts"

/** A thread whose tasklets run for as long as the scope lasts. One that fails is told of in the log, and the others go on. */
export const servingThread: Effect.Effect<Thread, never, Scope.Scope> = Effect.flatMap(makeThread, (thread) => {
  const running = Effect.suspend(() => {
    // somebody may always come: so `run` goes on
    tasklet(() => Effect.never)()
    return Effect.forever(
      Effect.catchCause(
        run(),
        (cause) => Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.logError("a tasklet has failed", cause)
      )
    )
  })
  return Effect.as(Effect.forkScoped(Effect.provideService(running, Thread, thread)), thread)
})
