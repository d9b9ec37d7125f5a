/**
 * The pickled gear: after every k-th op of main, everything is dumped, and loaded on a thread of its own, where it goes on. Main
 * itself is the program outside, and is not pickled: between two of its ops there is nothing of it but what its thread
 * knows. The threads that were left are never ended, as nobody shall see their bodies die; they are garbage.
 */
import { Effect, Scope } from "effect"
import { call, makeThread, Thread } from "effect-stackless/greenlet"
import { dumps, loads, persistent } from "effect-stackless/pickle"
import { errors as errorsOfGreenlets, GreenletMachine } from "./greenlet.ts"
import type { Layer } from "./layer.ts"
import { Stop } from "./machine.ts"
import { AssertionError, KeyError, RuntimeError, ZeroDivisionError } from "./python.ts"
import { errors as errorsOfTasklets, StacklessMachine } from "./stackless.ts"

const named = { AssertionError, GreenletMachine, KeyError, RuntimeError, StacklessMachine, Stop, ZeroDivisionError }
for (const [name, Class] of Object.entries(named)) persistent(`conformance:${name}`, Class)
persistent("conformance:errors of greenlets", errorsOfGreenlets)
persistent("conformance:errors of tasklets", errorsOfTasklets)

type Steppable = ReturnType<Layer["machine"]>

/** Does something on a thread. */
type OnThread = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>

const newThread = Effect.gen(function*() {
  const thread = yield* Scope.provide(makeThread, yield* Scope.make())
  const on: OnThread = (effect) => Effect.provideService(effect, Thread, thread)
  return on
})

/**
 * Runs a main program to its end, pickled after every so many ops. Gives back the machine as it was loaded last, and what does
 * something on its thread.
 */
export const runPickled = (
  start: () => Steppable,
  every: number
): Effect.Effect<readonly [machine: Steppable, on: OnThread], unknown> =>
  Effect.gen(function*() {
    let on = yield* newThread
    let machine = yield* on(Effect.sync(start))
    for (
      let op = 1;
      yield* on(call(function*() {
        return yield* machine.advance()
      }));
      op++
    ) {
      if (op % every > 0) continue
      const bytes = yield* on(Effect.sync(() => dumps([machine, machine.leave()])))
      on = yield* newThread
      machine = yield* on(Effect.sync(() => {
        const [loaded, left] = loads<[Steppable, unknown]>(bytes)
        loaded.arrive(left)
        return loaded
      }))
    }
    return [machine, on] as const
  })
