/** The search over schedules: what it finds, what it leaves alone, and what it says. */
import { Cause, Effect, Exit } from "effect"
import {
  explore,
  type ExploreOptions,
  LeftBlocked,
  type Program,
  replay,
  ScheduleError
} from "effect-stackless/explore"
import {
  atomic,
  channel,
  chooseBy,
  DeadlockError,
  run,
  RuntimeError,
  schedule,
  type Tasklet,
  tasklet
} from "effect-stackless/stackless"
import * as fc from "fast-check"
import { describe, expect, test } from "vitest"
import { lostWakeUp, overdraft, philosophers } from "../../examples/exploring.ts"
import { load } from "../compiler/module.ts"
import { inBothGears, main } from "../stackless/program.ts"

const search = (program: Program<any, never>, options?: ExploreOptions): Promise<ScheduleError> =>
  Effect.runPromise(Effect.flip(explore(program, options)))

const failureOf = async (program: Program<any, never>, schedule: string): Promise<unknown> => {
  const exit = await Effect.runPromiseExit(replay(program, schedule))
  return Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
}

inBothGears("a search", () => {
  test.each([
    ["philosophers", philosophers, LeftBlocked],
    ["a lost wake-up", lostWakeUp, LeftBlocked],
    ["a check that is old when it is acted on", overdraft, Error]
  ])("finds what is wrong with %s, at random and exhaustively, and replays it", async (_, program, kind) => {
    expect(await failureOf(program, "")).toBeUndefined()
    for (const options of [{ seeds: 500 }, { seeds: 500, seed: 4711, depth: 2 }, { bound: 1 }, { bound: 2 }]) {
      const found = await search(program, options)
      expect(found).toBeInstanceOf(ScheduleError)
      expect(found.cause).toBeInstanceOf(kind)
      expect(found.message).toContain(String(found.cause))
      expect(found.message).toContain(`replay(program, ${JSON.stringify(found.schedule)})`)
      expect(String(await failureOf(program, found.schedule))).toBe(String(found.cause))
    }
  })

  test("finds the shortest schedule", async () => {
    expect((await search(overdraft, { bound: 1 })).switches).toEqual([`"Bob" #2 in place of "Ann" #1`])
    for (const seed of [1, 100, 200]) {
      expect((await search(overdraft, { seeds: 1_000, seed })).switches.length).toBe(1)
      expect((await search(philosophers, { seeds: 1_000, seed })).switches.length).toBe(2)
    }
  })

  test("finds a deadlock of main", async () => {
    const found = await search(function*() {
      const a = channel<number>()
      const b = channel<number>({ capacity: 1 })
      let first = ""
      for (const name of ["x", "y"]) {
        tasklet(function*() {
          yield* b.send(1)
          first ||= name
          yield* b.receive()
          if (first === "x" && name === "y") yield* a.send(1)
        })()
      }
      yield* a.receive()
    }, { bound: 2 })
    expect(found.cause).toBeInstanceOf(DeadlockError)
  })

  test("passes a program that is right in every order, and says how much it did", async () => {
    const right = function*() {
      const c = channel<number>()
      let sum = 0
      for (let i = 1; i <= 2; i++) tasklet(c.send.bind(c))(i)
      for (let i = 1; i <= 2; i++) sum += yield* c.receive()
      if (sum !== 3) throw new Error(`the sum is ${sum}`)
    }
    expect(await Effect.runPromise(explore(right, { seeds: 50 }))).toEqual({
      schedules: 51,
      exhausted: false,
      unfinished: 0
    })
    const { exhausted, schedules } = await Effect.runPromise(explore(right, { bound: 1 }))
    expect([exhausted, schedules > 20]).toEqual([true, true])
    expect(await Effect.runPromise(explore(right, { bound: 1, limit: 10 }))).toMatchObject({
      schedules: 10,
      exhausted: false
    })
  })

  test("leaves atomic sections alone", async () => {
    const program = function*() {
      let n = 0
      for (let i = 0; i < 2; i++) {
        tasklet(() =>
          atomic(function*() {
            const before = n
            yield* channel<number>({ capacity: 1 }).send(1)
            n = before + 1
          })
        )()
      }
      yield* run()
      if (n !== 2) throw new Error(`${n}`)
    }
    expect((await Effect.runPromise(explore(program, { bound: 2 }))).exhausted).toBe(true)
  })

  test("gives up a run that does not end, and counts it", async () => {
    const spinning = function*() {
      tasklet(function*() {
        for (;;) yield* schedule()
      })()
      yield* run()
    }
    expect(await Effect.runPromise(explore(spinning, { seeds: 3, steps: 200 }))).toEqual({
      schedules: 4,
      exhausted: false,
      unfinished: 4
    })
  })

  test("lets one that waits for somebody else's doing wait, whatever its priority", async () => {
    const waiting = function*() {
      let ready = false
      tasklet(function*() {
        for (;;) {
          if (ready) return
          yield* schedule()
        }
      })()
      tasklet(function*() {
        ready = true
      })()
      yield* run()
    }
    expect(await Effect.runPromise(explore(waiting, { seeds: 100, steps: 500 }))).toMatchObject({ unfinished: 0 })
  })

  test("does the same for the same seed", async () => {
    const one = await search(philosophers, { seeds: 300, seed: 77 })
    const two = await search(philosophers, { seeds: 300, seed: 77 })
    expect([two.schedule, two.schedules]).toEqual([one.schedule, one.schedules])
  })
})

test("a search stops compiled tasklets in loops that perform nothing", async () => {
  const { counting } = load(`"use stackless"
exports.counting = function*(shared) {
  for (let i = 0; i < 3; i++) {
    const before = shared.n
    for (let j = 0; j < 2; j++);
    shared.n = before + 1
  }
}`)
  const program = (body: any) =>
    function*() {
      const shared = { n: 0 }
      for (let i = 0; i < 2; i++) tasklet(body)(shared)
      yield* run()
      if (shared.n !== 6) throw new Error(`it is ${shared.n}`)
    }
  expect((await search(program(counting), { bound: 1 })).message).toContain("it is")
})

test("a program of Effects is searched, too", async () => {
  const found = await search(() => {
    let n = 0
    const add = () =>
      Effect.flatMap(Effect.sync(() => n), (before) =>
        Effect.flatMap(schedule(), () =>
          Effect.sync(() => {
            n = before + 1
          })))
    tasklet(add)()
    return Effect.flatMap(
      add(),
      () => Effect.flatMap(run(), () => n === 2 ? Effect.void : Effect.fail(`it is ${n}`))
    )
  }, { bound: 0 })
  expect(String(found.cause)).toBe("it is 1")
})

describe("a schedule", () => {
  test("that does not fit the program is an error that says so", async () => {
    expect(await failureOf(overdraft, "0:9")).toMatchObject({
      _tag: "ScheduleMismatch",
      message: expect.stringContaining("tasklet 9")
    })
  })

  test.each(["x", "1", "1:", "1:2,3:4", "-1:2"])("that is none is an error at once: %s", async (text) => {
    expect(await failureOf(overdraft, text)).toBeInstanceOf(TypeError)
  })

  test("leads every run of a program to the same end", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.tuple(fc.nat(2), fc.boolean()), { maxLength: 4 }), { minLength: 2, maxLength: 4 }),
        fc.nat(1_000),
        async (bodies, seed) => {
          const program = function*() {
            const channels = [0, 1, 2].map((capacity) => channel<number>({ capacity }))
            const trace: Array<string> = []
            bodies.forEach((steps, t) => {
              tasklet(function*() {
                for (const [c, sending] of steps) {
                  trace.push(`${t}${sending ? "!" : "?"}${c}`)
                  if (sending) yield* channels[c]!.send(t)
                  else trace.push(`${t}=${yield* channels[c]!.receive()}`)
                }
              })()
            })
            yield* run()
            throw new Error(trace.join(" "))
          }
          const found = await search(program, { seeds: 5, seed })
          expect(String(await failureOf(program, found.schedule))).toBe(String(found.cause))
        }
      ),
      { numRuns: 100 }
    ))
})

test.each([
  [{ seed: -1 }, `"seed" is a whole number`],
  [{ seeds: 1.5 }, `"seeds" is a whole number`],
  [{ tries: 1 }, `no option "tries"`],
  [{ bound: 1, seeds: 1 }, "random or exhaustive"],
  [5, "explore takes { seeds } or { bound }"]
])("bad options are an error: %j", async (options, message) => {
  const exit = await Effect.runPromiseExit(explore(overdraft, options as never))
  expect(String(Exit.isFailure(exit) && Cause.squash(exit.cause))).toContain(message)
})

test("what is no function is an error", async () => {
  const nothing = 5 as never as Program<never, never>
  const causeOf = <A, E>(exit: Exit.Exit<A, E>): unknown => Exit.isFailure(exit) && Cause.squash(exit.cause)
  expect(causeOf(await Effect.runPromiseExit(explore(nothing)))).toBeInstanceOf(TypeError)
  expect(causeOf(await Effect.runPromiseExit(replay(nothing, "")))).toBeInstanceOf(TypeError)
})

describe("chooseBy", () => {
  test("lets one say at each step who runs, until it is taken off", () =>
    main(function*() {
      const log: Array<string> = []
      const names = ["a", "b", "c"]
      const all = names.map((name) =>
        tasklet(function*() {
          log.push(name)
          yield* schedule()
          log.push(name)
        })()
      )
      const off = chooseBy((next, runnable) =>
        runnable.find((t) => t === all[2]) ?? runnable.find((t) => t === all[1]) ?? next
      )
      yield* run()
      expect(log).toEqual(["c", "c", "b", "b", "a", "a"])
      off()
      for (const name of names) tasklet(() => void log.push(name))()
      yield* run()
      expect(log.slice(6)).toEqual(names)
    }))

  test.each([
    ["throws", () => {
      throw new RangeError("no choice")
    }, RangeError],
    ["gives nobody", () => undefined as never, RuntimeError],
    ["gives a dead one", (_: unknown, __: unknown, dead: Tasklet) => dead, RuntimeError]
  ])("where it %s, the one that would have run hears of it", (_, choose, kind) =>
    main(function*() {
      const dead = tasklet(function*() {})()
      yield* dead.kill()
      const errors: Array<unknown> = []
      let started = 0
      const one = function*() {
        started++
        try {
          yield* schedule()
        } catch (error) {
          errors.push(error)
        }
      }
      tasklet(one)()
      tasklet(one)()
      let asked = 0
      const off = chooseBy((next, runnable) => started === 2 && ++asked === 1 ? choose(next, runnable, dead) : next)
      yield* run()
      off()
      expect(errors).toEqual([expect.any(kind)])
    }))

  test("is refused while somebody chooses already, and for what is no function", () =>
    main(function*() {
      const off = chooseBy((next) => next)
      expect(() => chooseBy((next) => next)).toThrow("somebody chooses already")
      off()
      chooseBy((next) => next)()
      expect(() => chooseBy(1 as never)).toThrow(TypeError)
    }))
})
