/**
 * Random programs: whatever tasklets do to each other, the scheduler is in order after every step, and it works when the
 * program is over. They do the same in both gears, and whether or not somebody is told of it.
 */
import { enableSoftswitch, setChannelCallback, setScheduleCallback } from "effect-stackless/stackless"
import * as fc from "fast-check"
import { describe, expect, test } from "vitest"
import { onThread } from "./program.ts"
import { Program, type Step, steps, timelessSteps } from "./random-program.ts"

const step: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom(...steps), fc.nat(5), fc.nat(3))

const timelessStep: fc.Arbitrary<Step> = fc.tuple(fc.constantFrom(...timelessSteps), fc.nat(5), fc.nat(3))

const traceOf = async (
  list: ReadonlyArray<Step>,
  options: { readonly checks?: boolean; readonly general?: boolean } = {}
): Promise<ReadonlyArray<string>> => {
  const program = new Program(list, options)
  await onThread(program.main)
  return program.trace
}

describe.each(["soft", "hard"])("a random program (%s)", (gear) => {
  test("leaves the scheduler in order after every step", async () => {
    enableSoftswitch(gear === "soft")
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (list) => {
          await traceOf(list, { checks: true })
        }),
        { numRuns: 150, endOnFailure: false }
      )
    } finally {
      enableSoftswitch(true)
      setChannelCallback(null)
      setScheduleCallback(null)
    }
  }, 240_000)

  test("does the same whether each rendezvous goes the short way or the general one", async () => {
    enableSoftswitch(gear === "soft")
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(timelessStep, { minLength: 1, maxLength: 25 }), async (list) => {
          expect(await traceOf(list, { general: true })).toEqual(await traceOf(list))
        }),
        { numRuns: 200, endOnFailure: false }
      )
    } finally {
      enableSoftswitch(true)
    }
  }, 240_000)

  const attach = {
    "a schedule callback": () => setScheduleCallback(() => {}),
    "a channel callback": () => setChannelCallback(() => {}),
    "each of them": () => {
      setScheduleCallback(() => {})
      setChannelCallback(() => {})
    }
  }

  test.each(Object.entries(attach))("does the same whether or not %s is told", async (_, attach) => {
    enableSoftswitch(gear === "soft")
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(timelessStep, { minLength: 1, maxLength: 25 }), async (list) => {
          const alone = await traceOf(list)
          attach()
          const watched = await traceOf(list)
          expect(watched).toEqual(alone)
        }),
        { numRuns: 100, endOnFailure: false }
      )
    } finally {
      enableSoftswitch(true)
      setChannelCallback(null)
      setScheduleCallback(null)
    }
  }, 240_000)
})

test("a random program does the same in both gears", async () => {
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(timelessStep, { minLength: 1, maxLength: 25 }), async (list) => {
        enableSoftswitch(true)
        const soft = await traceOf(list)
        enableSoftswitch(false)
        expect(await traceOf(list)).toEqual(soft)
      }),
      { numRuns: 100, endOnFailure: false }
    )
  } finally {
    enableSoftswitch(true)
  }
}, 240_000)
