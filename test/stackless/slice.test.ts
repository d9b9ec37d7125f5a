/** Slices of time: tasklets that compute share the thread, and the event loop has its turns. */
import { Effect, Fiber } from "effect"
import * as S from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { load } from "../compiler/module.ts"
import { main, onThread, type Steps } from "./program.ts"

const bodies: Readonly<Record<string, (...args: ReadonlyArray<any>) => Steps<any>>> = load(`"use stackless"
exports.spins = function* spins(turns, i) {
  for (;;) turns[i]++
}
exports.counts = function* counts(n, done) {
  let x = 0
  for (let i = 0; i < n; i++) x++
  done.push(x)
}
exports.atomically = function* atomically(S, until) {
  const t = S.getcurrent()
  t.setAtomic(true)
  const seen = until.length
  for (let i = 0; i < 3000000; i++);
  until.push(seen === until.length)
  t.setAtomic(false)
}
`)

test("tasklets that compute for ever share the thread, and what is beside them goes on", () =>
  onThread(Effect.gen(function*() {
    const turns = Array.from({ length: 10 }, () => 0)
    const all = turns.map((_, i) => S.tasklet(bodies["spins"]!)(turns, i))
    const fiber = yield* Effect.forkChild(S.run({ slice: "1 millis" }))
    let timers = 0
    while (Math.min(...turns) === 0 || timers < 20) {
      yield* Effect.sleep("1 millis")
      timers++
    }
    yield* Fiber.interrupt(fiber)
    for (const t of all) t.remove()
    for (const t of all) yield* t.kill()
    expect(Math.min(...turns)).toBeGreaterThan(0)
  })))

test("run comes back when all have ended, and each has done its work", () =>
  main(function*() {
    const done: Array<number> = []
    for (const n of [100, 300_000, 1000]) S.tasklet(bodies["counts"]!)(n, done)
    expect(yield* S.run({ slice: "0.2 millis" })).toBe(undefined)
    expect(new Set(done)).toEqual(new Set([100, 1000, 300_000]))
  }))

test("a tasklet whose wait is over comes next", () =>
  main(function*() {
    const turns = Array.from({ length: 30 }, () => 0)
    const all = turns.map((_, i) => S.tasklet(bodies["spins"]!)(turns, i))
    let others = -1
    S.tasklet(function*() {
      yield* S.sleep("3 millis")
      const before = [...turns]
      yield* S.sleep("1 millis")
      others = turns.filter((n, i) => n !== before[i]).length
      for (const t of all) t.remove()
    })()
    yield* S.run({ slice: "20 millis" })
    for (const t of all) yield* t.kill()
    expect(others).toBeGreaterThanOrEqual(0)
    expect(others).toBeLessThan(30)
  }))

test("an atomic section is not interrupted", () =>
  main(function*() {
    const until: Array<boolean> = []
    for (let i = 0; i < 3; i++) S.tasklet(bodies["atomically"]!)(S, until)
    yield* S.run({ slice: "0.2 millis" })
    expect(until).toEqual([true, true, true])
  }))

test("a slice is a duration, and stands alone", () => {
  expect(() => S.run({ slice: "soon" as never })).toThrow("a slice that is a Duration")
  expect(() => S.run({ slice: 0 })).toThrow("a slice that is a Duration")
  expect(() => S.run({ slice: "1 millis", timeout: 10 })).toThrow("a timeout or a slice")
})
