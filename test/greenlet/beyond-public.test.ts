/**
 * What the package reaches beyond Effect's documented interface: with which Effect that was seen, what happens where it is
 * not as expected, and with two copies of Effect in one process.
 */

import type * as effect from "effect"
import { Effect, Exit, Fiber } from "effect"
import { call, getcurrent, greenlet } from "effect-stackless/greenlet"
import { channel, enableSoftswitch, run, tasklet } from "effect-stackless/stackless"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { evaluatorOf, letErrorsInto, noteInterrupts } from "../../src/greenlet/effect/beyond-public.ts"

const installed = dirname(createRequire(import.meta.url).resolve("effect/package.json"))

/** Another copy of Effect, which nobody has touched. */
let twin: typeof effect
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "effect-twin-"))
  const copy = join(folder, "node_modules/effect")
  mkdirSync(copy, { recursive: true })
  for (const part of ["package.json", "dist"]) cpSync(join(installed, part), join(copy, part), { recursive: true })
  twin = await import(/* @vite-ignore */ pathToFileURL(join(copy, "dist/index.js")).href)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test("the installed Effect is of the version that this was seen with", () => {
  expect(JSON.parse(readFileSync(join(installed, "package.json"), "utf8")).version).toMatch(/^4\.1\./)
  expect(twin.Effect).not.toBe(Effect)
})

describe("the iterator of an Effect", () => {
  test("is of the class Utils.SingleShotGen, which has no throw", () => {
    const iterator = twin.Effect.void[Symbol.iterator]() as Partial<Iterator<unknown>>
    expect(iterator).toBeInstanceOf(twin.Utils.SingleShotGen)
    expect(iterator.throw).toBeUndefined()
  })

  test("is left alone if it can throw, or is of no class", () => {
    const can = { next: () => ({}), throw: () => "its own" }
    letErrorsInto({ [Symbol.iterator]: () => Object.create(can) } as unknown as Effect.Effect<void>)
    expect(can.throw()).toBe("its own")
    letErrorsInto({ [Symbol.iterator]: () => ({ next: () => ({}) }) } as unknown as Effect.Effect<void>)
    expect("throw" in {}).toBe(false)
  })
})

describe("the step of an Effect", () => {
  test("is found, and evaluates the Effect as Effect does", async () => {
    const seen: Array<unknown> = []
    const evaluate = evaluatorOf(Effect.withFiber((fiber) => Effect.sync(() => seen.push(fiber))))!
    const fiber = await Effect.runPromise(Effect.withFiber((fiber) => Effect.as(evaluate(fiber), fiber)))
    expect(seen).toEqual([fiber])
  })

  test("is not found in what has none", () => {
    expect(evaluatorOf({} as Effect.Effect<void>)).toBeUndefined()
  })
})

describe("the interrupt of a fiber", () => {
  test("is a method of the prototype, and is noted before Effect is told", async () => {
    const fiber = Effect.runFork(Effect.never)
    const noted: Array<unknown> = []
    let waits = true
    expect(noteInterrupts(fiber, (...interrupt) => {
      noted.push(interrupt)
      return waits
    })).toBe(true)
    fiber.interruptUnsafe(7)
    expect(noted).toEqual([[fiber, [7]]])
    expect(fiber.pollUnsafe()).toBeUndefined()
    waits = false
    fiber.interruptUnsafe()
    expect(Exit.hasInterrupts(await Effect.runPromise(Fiber.await(fiber)))).toBe(true)
  })

  test("is not noted of a fiber that has it elsewhere, which stays as it is", () => {
    const none = {} as Fiber.Fiber<unknown, unknown>
    expect(noteInterrupts(none, () => true)).toBe(false)
    const own = Object.assign(Object.create({ interruptUnsafe: () => {} }), { interruptUnsafe: () => {} })
    const prototype = Object.getPrototypeOf(own)
    expect(noteInterrupts(own, () => true)).toBe(false)
    expect(Object.getPrototypeOf(own)).toBe(prototype)
  })
})

describe("with an Effect that is not as expected", () => {
  afterEach(() => {
    vi.doUnmock("../../src/greenlet/effect/beyond-public.ts")
    vi.resetModules()
  })

  test("hard greenlets do the same, as steps of Effect", async () => {
    vi.resetModules()
    const refused = {
      evaluatorOf: vi.fn<() => undefined>(() => undefined),
      letErrorsInto: () => {},
      noteInterrupts: vi.fn<() => boolean>(() => false)
    }
    vi.doMock("../../src/greenlet/effect/beyond-public.ts", () => refused)
    const { getcurrent, greenlet } = await import("../../src/greenlet/index.ts")
    const trace: Array<string> = []
    const g = greenlet((..._: Array<string>) =>
      Effect.gen(function*() {
        for (const n of [1, 2]) {
          trace.push(`g ${n}`)
          trace.push(yield* getcurrent().parent!.switch<string>(`from g ${n}`))
        }
        yield* Effect.sleep("1 millis")
        return "done"
      })
    )
    const main = Effect.gen(function*() {
      trace.push(yield* g.switch<string>())
      trace.push(yield* g.switch<string>("to g 1"))
      trace.push(yield* g.switch<string>("to g 2"))
    })
    await Effect.runPromise(main)
    expect(trace).toEqual(["g 1", "from g 1", "to g 1", "g 2", "from g 2", "to g 2", "done"])
    expect(g.dead).toBe(true)
    expect(refused.evaluatorOf).toHaveBeenCalledOnce()
    expect(refused.noteInterrupts).toHaveBeenCalledOnce()
  })
})

describe("two copies of Effect in one process", () => {
  test("a body yields Effects of both, and catches what they fail with", async () => {
    const seen: Array<unknown> = []
    function* body(..._: Array<string>): Generator<any, string, any> {
      for (const effect of [Effect.fail("ours"), twin.Effect.fail("theirs"), twin.Effect.die("broken")]) {
        try {
          yield* effect
        } catch (error) {
          seen.push(error)
        }
      }
      try {
        yield* twin.Effect.andThen(twin.Effect.sleep("1 millis"), twin.Effect.fail("late"))
      } catch (error) {
        seen.push(error)
      }
      seen.push(yield* twin.Effect.succeed("given"))
      return yield* getcurrent().parent!.switch<string>("out")
    }
    const g = greenlet(body)
    expect(await Effect.runPromise(g.switch())).toBe("out")
    expect(seen).toEqual(["ours", "theirs", "broken", "late", "given"])
    expect(await Effect.runPromise(g.switch("end"))).toBe("end")
  })

  test("the other copy runs our operations", async () => {
    const seen: Array<unknown> = []
    const run = twin.Effect.runPromise as unknown as typeof Effect.runPromise
    expect(
      await run(call(function*() {
        seen.push(yield* Effect.succeed(1))
        yield* Effect.sleep("1 millis")
        return 2
      }))
    ).toBe(2)
    expect(seen).toEqual([1])
  })

  test.each([true, false])("tasklets catch what an Effect of the other copy fails with; soft: %s", async (soft) => {
    const before = enableSoftswitch(soft)
    const seen: Array<unknown> = []
    const ch = channel<string>()
    tasklet(function*(): Generator<any, void, any> {
      try {
        yield* twin.Effect.fail("theirs")
      } catch (error) {
        seen.push(error)
      }
      yield* ch.send("sent")
    })()
    tasklet(function*() {
      seen.push(yield* ch.receive())
    })()
    await Effect.runPromise(run())
    enableSoftswitch(before)
    expect(seen).toEqual(["theirs", "sent"])
  })
})
