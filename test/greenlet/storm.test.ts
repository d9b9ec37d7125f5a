/**
 * Runs storms of greenlets, see storm.ts. `STORMS=100000 npx vitest run test/greenlet/storm.test.ts` runs that many for each kind
 * of body, from the seed `STORMS_FROM` on; `STORM=seed` runs that one several times, and prints it if it fails.
 */
import { Effect } from "effect"
import { call, getcurrent, Greenlet, withThread } from "effect-stackless/greenlet"
import { expect, test } from "vitest"
import type { Steps } from "../stackless/program.ts"
import { LIMIT, patiently, within } from "../stackless/storm.ts"
import { shown, storm, weather } from "./storm.ts"

const numberFrom = (name: string): number | undefined => {
  const value = process.env[name]
  return value === undefined ? undefined : Number(value)
}

const seed = numberFrom("STORM")
const count = numberFrom("STORMS") ?? (seed === undefined ? 150 : 20)
const first = seed ?? numberFrom("STORMS_FROM") ?? 1

/** How many go on at once: most of the time they wait for their timers. */
const AT_ONCE = 20

type Body = (...args: Array<any>) => Steps<unknown>

test("patience that is counted in turns runs out as well: who waits in vain at the end of its thread is dropped", async () => {
  const left: Array<string> = []
  const stays = function*(): Steps<void> {
    try {
      yield* getcurrent().parent!.switch()
    } finally {
      for (let waits = 0; waits < 2; waits++) {
        try {
          yield* Effect.never
        } catch {
          left.push("a wait")
        }
      }
      left.push("the region")
    }
  }
  const exit = await Effect.runPromiseExit(patiently(withThread(call(() => new Greenlet(stays).switch()))))
  expect(String(exit)).toContain("a greenlet did not end with its thread: it catches GreenletExit and goes on")
  expect(left).toEqual(["a wait"])
})

test.each<[kind: string, as: (body: Body) => (...args: Array<any>) => unknown]>([
  ["soft", (body) => body],
  ["gone hard", (body) =>
    function*(...args) {
      yield* Effect.promise(() => Promise.resolve())
      return yield* body(...args)
    }],
  ["hard", (body) => (...args) => call(body, ...args)]
])("storms of greenlets come to an end and leave nothing broken (%s)", async (_, as) => {
  const failures: Array<string> = []
  let next = 0
  const some = async (): Promise<void> => {
    while (next < count && failures.length < 5) {
      const its = seed ?? first + next
      next++
      const wrong = await within(weather(storm(its), as, LIMIT), 2 * LIMIT)
      if (wrong.length > 0) failures.push(`STORM=${its}: ${wrong.join("; ")}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, some))
  if (seed !== undefined && failures.length > 0) failures.push(shown(storm(seed)))
  expect(failures.join("\n")).toBe("")
}, 24 * 3_600_000)
