/**
 * Runs storms, see storm.ts. `STORMS=100000 npx vitest run test/stackless/storm.test.ts` runs that many in each gear, from the
 * seed `STORMS_FROM` on; `STORM=seed` runs that one several times, and makes it smaller if it fails. What fails is printed
 * with its seed, at once if `STORMS_LOUD` is set.
 */
import { Effect, Fiber } from "effect"
import { call, enableSoftswitch, schedule, withThread } from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { calm, LIMIT, type Op, shown, storm, weather, within } from "./storm.ts"

const numberFrom = (name: string): number | undefined => {
  const value = process.env[name]
  return value === undefined ? undefined : Number(value)
}

const seed = numberFrom("STORM")
const count = numberFrom("STORMS") ?? (seed === undefined ? 150 : 20)
const first = seed ?? numberFrom("STORMS_FROM") ?? 1
const loud = process.env["STORMS_LOUD"] !== undefined

/** How many go on at once: most of the time they wait for their timers. */
const AT_ONCE = 20

/** A thread that can run all the time: beside it, a main that is blocked waits, and gets no `DeadlockError`. */
const restless = withThread(Effect.andThen(call(schedule), Effect.never))

test.each([
  ["soft", "alone"],
  ["hard", "alone"],
  ["soft", "beside a thread that never rests"],
  ["hard", "beside a thread that never rests"]
])("storms come to an end and leave nothing broken (%s, %s)", async (gear, where) => {
  enableSoftswitch(gear === "soft")
  const other = where === "alone" ? undefined : Effect.runFork(restless)
  const failures: Array<string> = []
  try {
    let next = 0
    const some = async (): Promise<void> => {
      while (next < count && failures.length < 5) {
        const its = seed ?? first + next
        next++
        const wrong = await within(weather(storm(its)), 2 * LIMIT)
        if (wrong.length > 0) failures.push(`STORM=${its}: ${wrong.join("; ")}`)
        if (loud && wrong.length > 0) process.stderr.write(`${failures.at(-1)}\n`)
        if (loud && next % 1000 === 0) process.stderr.write(`${next}\n`)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, some))
    if (seed !== undefined && failures.length > 0) failures.push(shown(await calm(storm(seed))))
    expect(failures.join("\n")).toBe("")
  } finally {
    if (other !== undefined) await Effect.runPromise(Fiber.interrupt(other))
    enableSoftswitch(true)
  }
}, 24 * 3_600_000)

test("the storm in which a hard body lost its rest to an interrupt of its own fiber", async () => {
  enableSoftswitch(false)
  const of = (kind: Op["kind"], b: number, inner: ReadonlyArray<Op> = []): Op => ({ kind, a: 0, b, inner })
  try {
    expect(
      await weather([[], [of("finally", 2, [of("scope", 2, [of("raceCalls", 0, [of("interrupt", 2)])])])], [], []])
    ).toEqual([])
  } finally {
    enableSoftswitch(true)
  }
})
