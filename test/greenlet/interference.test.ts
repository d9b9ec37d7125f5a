/**
 * Programs made at random whose fibers, main's and the greenlets', are interrupted at any time: by a greenlet, by somebody
 * whom a greenlet has woken, by a timer. Whatever comes of them, main is current again, and the thread works.
 */
import { Deferred, Effect, Fiber } from "effect"
import { call, getcurrent, type Greenlet, greenlet, makeThread, settrace, Thread } from "effect-stackless/greenlet"
import * as fc from "fast-check"
import { expect, test } from "vitest"
import { type Gear, gears, inGear, type Steps } from "../conformance/gear.ts"

const size = 4

type Op =
  | { readonly op: "switch" | "throw" | "exit" | "timeout" | "race"; readonly on: number; readonly value: number }
  | { readonly op: "new" | "reparent"; readonly on: number; readonly parent: number }
  | { readonly op: "interrupt" | "have interrupted" | "interrupt later"; readonly on: number; readonly value: number }
  | { readonly op: "raise" | "return" | "trace" | "effect" | "many"; readonly value: number }
  | { readonly op: "try"; readonly ops: ReadonlyArray<Op>; readonly final: ReadonlyArray<Op> }
  | { readonly op: "call"; readonly ops: ReadonlyArray<Op> }
  | { readonly op: "call in time"; readonly ops: ReadonlyArray<Op>; readonly value: number }

const on = fc.nat(size)
const value = fc.nat(9)
const { ops } = fc.letrec<{ op: Op; ops: ReadonlyArray<Op> }>((tie) => ({
  ops: fc.array(tie("op"), { minLength: 1, maxLength: 9, size: "max" }),
  op: fc.oneof(
    { depthSize: "small", maxDepth: 3, withCrossShrink: true },
    fc.record({ op: fc.constantFrom("switch", "throw", "exit", "timeout", "race"), on, value }),
    fc.record({ op: fc.constant("switch"), on, value }),
    fc.record({ op: fc.constantFrom("new", "reparent"), on, parent: on }),
    fc.record({ op: fc.constantFrom("interrupt", "have interrupted", "interrupt later"), on, value }),
    fc.record({ op: fc.constantFrom("raise", "return", "trace", "effect", "effect", "many"), value }),
    fc.record({ op: fc.constant("try"), ops: tie("ops"), final: tie("ops") }),
    fc.record({ op: fc.constant("call"), ops: tie("ops") }),
    fc.record({ op: fc.constant("call in time"), ops: tie("ops"), value })
  ) as fc.Arbitrary<Op>
}))

const gear = fc.constantFrom(...gears)
const programs = fc.record({
  main: ops,
  bodies: fc.array(fc.record({ ops, gear }), { minLength: size, maxLength: size }),
  gear
})
type Program = typeof programs extends fc.Arbitrary<infer P> ? P : never

class Boom extends Error {}
class OutOfSteps extends Error {}

/** Foreign Effects: one that is an Exit, one that completes at once, and those that suspend. */
const effects = [
  Effect.void,
  Effect.sync(() => {}),
  Effect.yieldNow,
  Effect.sleep(0),
  Effect.ensuring(Effect.sleep(0), Effect.yieldNow),
  Effect.uninterruptible(Effect.sleep(0))
]

interface HasFiber {
  readonly _fiber: { readonly top: { readonly fiber: Fiber.Fiber<unknown, unknown> | undefined } } | undefined
}

/** Runs a program some times over, and looks whether its thread is in order after each. */
const interfereWith = ({ bodies, gear, main }: Program): Effect.Effect<void, unknown> =>
  Effect.scoped(Effect.gen(function*() {
    const thread = yield* makeThread
    const made: Array<Greenlet> = []
    let host: Fiber.Fiber<unknown, unknown> | undefined
    let steps = 0

    const interrupt = (which: number) => {
      const g = made[which]!
      const fiber = g === thread.main ? host : (g as unknown as HasFiber)._fiber?.top.fiber
      fiber?.interruptUnsafe()
    }

    const body = (i: number) => {
      const { gear, ops } = bodies[i - 1]!
      return inGear(gear, () => exec(gear, ops))
    }

    function* exec(gear: Gear, ops: ReadonlyArray<Op>): Steps<unknown> {
      for (const op of ops) {
        if (++steps > 150) throw new OutOfSteps()
        switch (op.op) {
          case "switch":
            yield* made[op.on]!.switch(op.value)
            break
          case "throw":
            yield* made[op.on]!.throw(new Boom())
            break
          case "exit":
            yield* made[op.on]!.throw()
            break
          case "timeout":
            yield* Effect.timeoutOption(made[op.on]!.switch(op.value), op.value % 2)
            break
          case "race":
            yield* Effect.raceFirst(made[op.on]!.switch(op.value), effects[op.value % effects.length]!)
            break
          case "new":
            if (op.on !== 0) made[op.on] = greenlet(body(op.on), made[op.parent]!)
            break
          case "reparent":
            made[op.on]!.parent = made[op.parent]!
            break
          case "interrupt":
            interrupt(op.on)
            break
          case "have interrupted": {
            const deferred = Deferred.makeUnsafe<void>()
            Effect.runFork(Effect.andThen(Deferred.await(deferred), Effect.sync(() => interrupt(op.on))))
            yield* Deferred.succeed(deferred, undefined)
            break
          }
          case "interrupt later":
            Effect.runFork(Effect.delay(Effect.sync(() => interrupt(op.on)), op.value % 3))
            break
          case "raise":
            throw new Boom()
          case "return":
            return op.value
          case "trace":
            settrace(
              op.value < 5 ? undefined : () => {
                if (op.value === 9) throw new Boom()
              }
            )
            break
          case "effect":
            yield* effects[op.value % effects.length]!
            break
          case "many":
            // so many that the event loop has a turn in between
            for (let i = 0; i < 17_000; i++) yield* call(() => i)
            break
          case "try":
            try {
              yield* exec(gear, op.ops)
            } catch (error) {
              if (error instanceof OutOfSteps) throw error
            } finally {
              yield* exec(gear, op.final)
            }
            break
          case "call":
            yield* call(inGear(gear, () => exec(gear, op.ops)))
            break
          case "call in time":
            yield* Effect.timeoutOption(call(inGear(gear, () => exec(gear, op.ops))), op.value % 3)
        }
      }
      return undefined
    }

    yield* Effect.provideService(
      Effect.gen(function*() {
        made.push(getcurrent())
        for (let i = 1; i <= size; i++) made.push(greenlet(body(i)))
        for (let round = 0; round < 3; round++) {
          host = yield* Effect.forkChild(round === 1 ? made[1]!.switch() : call(inGear(gear, () => exec(gear, main))))
          yield* Fiber.await(host)
          host = undefined
          settrace(undefined)
          expect(getcurrent()).toBe(thread.main)
          expect(yield* call(probe)).toEqual([1, 2, "thrown", "end", true, "effect"])
        }
        // the others end with the thread
        steps = Number.POSITIVE_INFINITY
      }),
      Thread,
      thread
    )
  }))

/** A greenlet that switches, is thrown into, and ends. */
function* probe(): Steps<ReadonlyArray<unknown>> {
  const seen: Array<unknown> = []
  const g = greenlet(function*(x: number) {
    seen.push(x)
    try {
      yield* getcurrent().parent!.switch(x + 1)
    } catch (error) {
      seen.push((error as Error).message)
    }
    return "end"
  })
  seen.push(yield* g.switch(1))
  const end = yield* g.throw(new Error("thrown"))
  seen.push(end, g.dead, yield* Effect.sync(() => "effect"))
  return seen
}

test("a thread works whoever of a random program is interrupted when", () =>
  fc.assert(
    fc.asyncProperty(programs, (program) =>
      Effect.runPromise(
        Effect.catchDefect(
          interfereWith(program),
          (error) => error instanceof Boom || error instanceof OutOfSteps ? Effect.void : Effect.die(error)
        )
      )),
    { numRuns: 500, endOnFailure: false }
  ))
