/** Programs that leave nothing behind: what a test runs. */
import * as Effect from "effect/Effect"
import { call, currentThread, withThread } from "../greenlet/index.ts"
import { type LeftBehind, leftBehind, type Leftover, leftover, Waits } from "./leftover.ts"
import type { Tasklet } from "./ports.ts"
import { schedule } from "./run.ts"
import type { Scheduler } from "./scheduler.ts"
import { schedulerOf } from "./tasklet.ts"

/**
 * Runs a program on a thread of its own, and fails with `LeftBehind` if it leaves tasklets behind when it has succeeded. Who is
 * runnable then goes on first, and nobody is waited for: who is blocked, on a channel or in an Effect, is left behind, and so is
 * who is runnable after a thousand turns.
 *
 * @param program a body, which is run as main, or an Effect
 *
 * It fails as the program does. Throws `TypeError` if the program is neither.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { channel, isolated, run, tasklet } from "effect-stackless/stackless"
 *
 * const found = await Effect.runPromise(Effect.flip(isolated(function*() {
 *   const orders = channel<string>({ name: "orders" })
 *   tasklet(function*() {
 *     yield* orders.receive()
 *   })().name = "cook"
 *   yield* run()
 * })))
 * found.left[0]!.waitsFor // => ['receive on "orders"']
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const isolated: {
  <Eff extends Effect.Effect<any, any, any>, A>(
    program: () => Generator<Eff, A, never>
  ): Effect.Effect<A, Effect.Error<Eff> | LeftBehind, call.Services<Eff>>
  <A, E, R>(program: (() => Effect.Effect<A, E, R>) | Effect.Effect<A, E, R>): Effect.Effect<A, E | LeftBehind, R>
} = (program: any): any => {
  if (!Effect.isEffect(program) && typeof program !== "function") {
    throw new TypeError(`isolated takes a body, or an Effect; got ${program === null ? "null" : typeof program}`)
  }
  return withThread(Effect.suspend(() => {
    const scheduler = schedulerOf(currentThread())
    const waits = scheduler.blockings = new Waits(program)
    const running = Effect.isEffect(program) ? program as Effect.Effect<unknown> : call(program as () => unknown)
    return Effect.tap(running, () =>
      Effect.andThen(call(settling, scheduler), () => {
        const left: Array<Leftover> = [...waits.all]
        const { main } = scheduler
        for (let t = main._right as Tasklet; t !== main; t = t._right as Tasklet) left.push(leftover(t, 0))
        return left.length === 0 ? Effect.void : Effect.fail(leftBehind(left))
      }))
  }))
}

/** How often each of those that are runnable has its turn. */
const ROUNDS = 1_000

/** Lets those that are runnable go on, up to their ends or until they wait. Nobody is waited for. */
function* settling(scheduler: Scheduler): Generator<Effect.Effect<unknown>, void> {
  for (let i = 0; i < ROUNDS && scheduler.runcount > 1; i++) yield* schedule()
}
