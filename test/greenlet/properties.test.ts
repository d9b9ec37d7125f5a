/**
 * Programs made at random, with errors in them. Whatever they do, their trace is the same in both gears, the thread works
 * afterwards, and what must always hold of greenlets holds.
 */
import { Effect } from "effect"
import { call, getcurrent, Greenlet, greenlet, settrace, withThread } from "effect-stackless/greenlet"
import * as fc from "fast-check"
import { expect, test } from "vitest"
import { type Gear, inGear, type Steps } from "../conformance/gear.ts"

const size = 5

type Op =
  | { readonly op: "switch" | "throw" | "exit" | "wrong thread"; readonly on: number; readonly value: number }
  | { readonly op: "new"; readonly on: number; readonly parent: number }
  | { readonly op: "reparent"; readonly on: number; readonly parent: number }
  | { readonly op: "raise" | "return" | "async body" | "no body" | "trace"; readonly value: number }
  | { readonly op: "effect"; readonly value: number }
  | { readonly op: "try"; readonly ops: ReadonlyArray<Op>; readonly final: ReadonlyArray<Op> }
  | { readonly op: "call"; readonly ops: ReadonlyArray<Op> }

const name = fc.nat(size)
const value = fc.nat(9)
const { ops } = fc.letrec<{ op: Op; ops: ReadonlyArray<Op> }>((tie) => ({
  ops: fc.array(tie("op"), { maxLength: 6 }),
  op: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({ op: fc.constantFrom("switch", "throw", "exit", "wrong thread"), on: name, value }),
    fc.record({ op: fc.constant("switch"), on: name, value }),
    fc.record({ op: fc.constantFrom("new", "reparent"), on: name, parent: name }),
    fc.record({ op: fc.constantFrom("raise", "return", "async body", "no body", "trace"), value }),
    fc.record({ op: fc.constant("effect"), value }),
    fc.record({ op: fc.constant("try"), ops: tie("ops"), final: tie("ops") }),
    fc.record({ op: fc.constant("call"), ops: tie("ops") })
  ) as fc.Arbitrary<Op>
}))

const programs = fc.record({ main: ops, bodies: fc.array(ops, { minLength: size, maxLength: size }) })

class Boom extends Error {}
class OutOfSteps extends Error {}

/** Foreign Effects: one that is an Exit, one that completes at once, one that suspends. */
const effects = [
  (n: number) => Effect.succeed(n),
  (n: number) => Effect.sync(() => n),
  (n: number) => Effect.as(Effect.yieldNow, n)
]

const foreign = greenlet(() => {})

/** Runs a program, then a probe; gives the trace. */
const trace = async (
  gear: Gear,
  { bodies, main }: { main: ReadonlyArray<Op>; bodies: ReadonlyArray<ReadonlyArray<Op>> }
) => {
  const log: Array<string> = []
  let steps = 0

  const program = inGear(gear, function*(): Steps<void> {
    const made: Array<Greenlet> = [getcurrent()]
    const body = (i: number) =>
      inGear(gear, function*(...args: Array<unknown>): Steps<unknown> {
        log.push(`${i} starts ${args.map(show)}`)
        return yield* exec(i, bodies[i - 1]!)
      })
    const show = (u: unknown): string =>
      u instanceof Error
        ? `${u.constructor.name}`
        : u instanceof Greenlet
        ? String(made.indexOf(u))
        : Array.isArray(u)
        ? `[${u.map(show)}]`
        : String(u)
    for (let i = 1; i <= size; i++) made.push(greenlet(body(i)))

    function* exec(who: number, ops: ReadonlyArray<Op>): Steps<unknown> {
      for (const op of ops) {
        if (++steps > 200) throw new OutOfSteps()
        log.push(`${who} ${op.op}`)
        expect(getcurrent()).toSatisfy((g: Greenlet) => g.active && !g.dead)
        switch (op.op) {
          case "switch":
            log.push(`${who} got ${show(yield* made[op.on]!.switch(op.value))}`)
            break
          case "throw":
            log.push(`${who} got ${show(yield* made[op.on]!.throw(new Boom()))}`)
            break
          case "exit":
            log.push(`${who} got ${show(yield* made[op.on]!.throw())}`)
            break
          case "wrong thread":
            yield* foreign.switch()
            break
          case "new":
            if (op.on !== 0) made[op.on] = greenlet(body(op.on), made[op.parent]!)
            break
          case "reparent":
            made[op.on]!.parent = made[op.parent]!
            break
          case "raise":
            throw new Boom()
          case "return":
            return op.value
          case "async body":
            yield* greenlet((async () => {}) as () => unknown).switch()
            break
          case "no body":
            yield* greenlet().switch()
            break
          case "trace":
            settrace(
              op.value < 5 ? undefined : (event, from, to) => {
                log.push(`${event} ${show(from)} ${show(to)}`)
                if (op.value === 9) throw new Boom()
              }
            )
            break
          case "effect":
            log.push(`${who} got ${yield* effects[op.value % 3]!(op.value)}`)
            break
          case "try":
            try {
              yield* exec(who, op.ops)
            } catch (error) {
              if (error instanceof OutOfSteps) throw error
              log.push(`${who} caught ${show(error)}`)
            } finally {
              log.push(`${who} finally`)
              yield* exec(who, op.final)
            }
            break
          case "call":
            yield* call(inGear(gear, () => exec(who, op.ops)))
        }
      }
      return undefined
    }

    try {
      log.push(`main returned ${show(yield* exec(0, main))}`)
    } catch (error) {
      log.push(`main died of ${show(error)}`)
    }
    settrace(undefined)
    for (const g of made) {
      expect(g.dead && g.active).toBe(false)
      let ancestors = 0
      for (let p = g.parent; p !== undefined; p = p.parent) expect(++ancestors).toBeLessThan(1000)
      log.push(`${show(g)}: ${g.active} ${g.dead} ${g.grFrame !== undefined}`)
    }
    log.push(`probe ${yield* probe()}`)
  })

  const exit = await Effect.runPromiseExit(withThread(call(program as () => Steps<void>)))
  // what bodies make of the end of the thread is their own
  if (log.at(-1)?.startsWith("probe") !== true && !log.some((line) => line.startsWith("probe"))) log.push(String(exit))
  return log.slice(0, log.findIndex((line) => line.startsWith("probe")) + 1)
}

/** Two greenlets that switch, throw and end. */
function* probe(): Steps<string> {
  const seen: Array<unknown> = []
  const a = greenlet(function*(x: number) {
    seen.push(x)
    try {
      seen.push(yield* getcurrent().parent!.switch(x + 1))
    } catch (error) {
      seen.push((error as Error).message)
    }
    return "end"
  })
  seen.push(yield* a.switch(1), yield* a.throw(new Error("thrown")), a.dead, yield* Effect.sync(() => "effect"))
  return seen.join(" ")
}

test("random programs have the same trace in both gears, and leave a thread that works", async () => {
  let lines = 0
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const soft = await trace("soft", program)
      const hard = await trace("hard", program)
      expect(hard).toEqual(soft)
      expect(soft.at(-1)).toBe("probe 1 thrown 2 end true effect")
      lines += soft.length
    }),
    { numRuns: 500 }
  )
  expect(lines).toBeGreaterThan(5000)
})
