/** Recursion without end, by plain `yield*`: it overflows the JavaScript stack of nobody but whom it is of. */
import { type Channel, channel, run, schedule, tasklet } from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { inBothGears, main, type Steps } from "./program.ts"

/** What takes a good part of the stack for a moment. */
const plain = (levels: number): number => levels === 0 ? 0 : 1 + plain(levels - 1)

/** What the engine throws where the stack is full. Of a `yield*` there Node 24 says at times that undefined is not a function. */
const overflow = /^(RangeError: Maximum call stack size exceeded|TypeError: undefined is not a function)$/

type Step = (c: Channel<number>) => Steps<void>

function* scheduling(): Steps<void> {
  yield* schedule()
}
function* sending(c: Channel<number>): Steps<void> {
  yield* c.send(1)
}
function* receiving(c: Channel<number>): Steps<void> {
  yield* c.receive()
}

function* recursing(step: Step, c: Channel<number>): Steps<void> {
  yield* step(c)
  yield* recursing(step, c)
}

inBothGears("recursion without end", () => {
  test.each<[string, Step, Step]>([
    ["schedules", scheduling, scheduling],
    ["sends", sending, receiving],
    ["receives", receiving, sending]
  ])("that %s at each level overflows in itself, and the others go on", (_, step, partner) =>
    main(function*() {
      const c = channel<number>()
      const outcome: { error?: unknown } = {}
      let turns = 0
      let ended = 0
      tasklet(function*(): Steps<void> {
        try {
          yield* recursing(step, c)
        } catch (error) {
          outcome.error = error
        }
      })()
      tasklet(function*(): Steps<void> {
        while (outcome.error === undefined) {
          yield* partner(c)
          turns += plain(1000) / 1000
        }
        ended++
      })()
      tasklet(function*(): Steps<void> {
        while (outcome.error === undefined) {
          yield* schedule()
          plain(1000)
        }
        ended++
      })()
      yield* run()
      expect(String(outcome.error)).toMatch(overflow)
      expect(turns).toBeGreaterThan(1000)
      // the partner may be left with nobody to talk to
      if (c.balance < 0) yield* c.send(0)
      else if (c.balance > 0) yield* c.receive()
      yield* run()
      expect(ended).toBe(2)
    }))

  test("through operations that never hand over overflows in itself", () =>
    main(function*() {
      const outcome: { error?: unknown } = {}
      const c = channel<number>()
      c.preference = 0
      const waiting = Array.from({ length: 20_000 }, () => tasklet(receiving)(c))
      yield* run()
      tasklet(function*(): Steps<void> {
        try {
          yield* recursing(sending, c)
        } catch (error) {
          outcome.error = error
        }
      })()
      yield* run()
      expect(String(outcome.error)).toMatch(overflow)
      for (const t of waiting) yield* t.kill()
      yield* run()
      expect(c.balance).toBe(0)
    }))
})
