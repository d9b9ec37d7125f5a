/**
 * Random programs: whatever tasklets do to each other, the scheduler is in order after every step, and it works when the
 * program is over.
 */
import { call, enableSoftswitch, setChannelCallback, setScheduleCallback } from "effect-stackless/stackless"
import * as fc from "fast-check"
import { describe, test } from "vitest"
import { onThread } from "./program.ts"
import { Program, type Step, steps } from "./random-program.ts"

const step: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom(...steps), fc.nat(5), fc.nat(3))

describe.each(["soft", "hard"])("a random program (%s)", (gear) => {
  test("leaves the scheduler in order after every step", async () => {
    enableSoftswitch(gear === "soft")
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (list) => {
          const program = new Program(list)
          await onThread(call(() => program.main()))
        }),
        { numRuns: 150, endOnFailure: false }
      )
    } finally {
      enableSoftswitch(true)
      setChannelCallback(null)
      setScheduleCallback(null)
    }
  }, 60_000)
})
