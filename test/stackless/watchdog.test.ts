/** The watchdog of `run({ timeout })`. */
import { Effect } from "effect"
import {
  atomic,
  call,
  channel,
  getcurrent,
  getmain,
  getruncount,
  run,
  schedule,
  switchTrap,
  Tasklet,
  tasklet
} from "effect-stackless/stackless"
import { describe, expect, test } from "vitest"
import { check } from "./invariants.ts"
import { errorOf, main, onThread, type Steps } from "./program.ts"

/** Performs what switches to nobody, for ever. */
function* busy(): Steps<never> {
  for (;;) yield* call(() => {})
}

function* steps(n: number): Steps<void> {
  for (let i = 0; i < n; i++) yield* call(() => {})
}

describe("a watchdog", () => {
  test("interrupts a tasklet that makes more steps than the timeout, takes it out of the ring and gives it back", () =>
    main(function*() {
      const t = tasklet(busy)()
      expect(yield* run({ timeout: 100 })).toBe(t)
      expect([t.alive, t.paused, t.scheduled, t.blocked]).toEqual([true, true, false, false])
      check([], [t])
      t.insert()
      expect(yield* run({ timeout: 100 })).toBe(t)
      yield* t.kill()
      expect(t.alive).toBe(false)
      expect(yield* run({ timeout: 100 })).toBe(undefined)
    }))

  test("counts: a tasklet that is interrupted goes on where it was, and comes to its end", () =>
    main(function*() {
      const t = tasklet(function*() {
        yield* steps(100)
      })()
      let interrupts = 0
      while (yield* run({ timeout: 30 })) {
        interrupts++
        t.insert()
        expect(interrupts).toBeLessThan(20)
      }
      // 100 operations, and the start of the body
      expect(interrupts).toBe(3)
      expect(t.alive).toBe(false)
    }))

  test("begins anew whenever another tasklet runs, unless the timeout is for all of them", () =>
    main(function*() {
      const worker = function*(): Steps<void> {
        for (let i = 0; i < 20; i++) {
          yield* steps(5)
          yield* schedule()
        }
      }
      tasklet(worker)()
      tasklet(worker)()
      expect(yield* run({ timeout: 20 })).toBe(undefined)
      tasklet(worker)()
      tasklet(worker)()
      const t = yield* run({ timeout: 20, totaltimeout: true })
      expect(t).toBeInstanceOf(Tasklet)
      t!.insert()
      yield* run()
      expect(getruncount()).toBe(1)
    }))

  test("keeps what the tasklet was about to get, a value or an error", () =>
    main(function*() {
      const c = channel<number>()
      const got: Array<unknown> = []
      const t = tasklet(function*() {
        for (let i = 0; i < 10; i++) {
          try {
            got.push(yield* c.receive())
          } catch (error) {
            got.push((error as Error).message)
          }
        }
      })()
      tasklet(function*() {
        for (let i = 0; i < 10; i++) yield* i % 3 === 0 ? c.sendThrow(new Error(`e${i}`)) : c.send(i)
      })()
      for (let stop = yield* run({ timeout: 1, totaltimeout: true }); stop; stop = yield* run({ timeout: 2 })) {
        stop.insert()
      }
      expect(got).toEqual(["e0", 1, 2, "e3", 4, 5, "e6", 7, 8, "e9"])
      expect(t.alive).toBe(false)
    }))

  test("in the soft way comes back at the next switch, and leaves everybody in the ring", () =>
    main(function*() {
      const said: Array<string> = []
      const a = tasklet(function*() {
        yield* steps(50)
        said.push("a switches")
        yield* schedule()
        said.push("a again")
      })()
      const b = tasklet(function*() {
        said.push("b")
      })()
      expect(yield* run({ timeout: 10, soft: true })).toBe(undefined)
      expect(said).toEqual(["a switches"])
      expect([a.scheduled, b.scheduled, getruncount()]).toEqual([true, true, 3])
      check([], [a, b])
      yield* run()
      expect(said).toEqual(["a switches", "b", "a again"])
    }))

  test("in the soft way does not come between a sender and the receiver that it prefers", () =>
    main(function*() {
      const said: Array<string> = []
      const c = channel<number>()
      tasklet(function*() {
        yield* c.receive()
        said.push("received")
        yield* schedule()
        said.push("end")
      })()
      tasklet(function*() {
        yield* steps(50)
        yield* c.send(1)
        said.push("sent")
      })()
      yield* run({ timeout: 10, soft: true })
      expect(said).toEqual(["received"])
      yield* run()
    }))

  test("leaves an atomic tasklet alone, and interrupts it when it is not any more", () =>
    main(function*() {
      let done = 0
      const t = tasklet(function*() {
        yield* atomic(function*() {
          yield* steps(100)
          done++
        })
        yield* steps(100)
        done++
      })()
      expect(yield* run({ timeout: 10 })).toBe(t)
      expect([done, t.atomic]).toEqual([1, false])
      yield* t.kill()
    }))

  test("does nothing while switching is trapped", () =>
    main(function*() {
      const t = tasklet(function*() {
        switchTrap(1)
        yield* steps(100)
        switchTrap(-1)
        yield* busy()
      })()
      expect(yield* run({ timeout: 10 })).toBe(t)
      expect(switchTrap()).toBe(0)
      yield* t.kill()
    }))

  test("is that of the outermost run with a timeout: a nested one behaves as one without", () =>
    main(function*() {
      let inner: unknown = "not back"
      const runner = tasklet(function*() {
        tasklet(function*() {
          yield* steps(100)
        })()
        inner = yield* run({ timeout: 5 })
      })()
      const interrupted = yield* run({ timeout: 50 })
      expect(inner).toBe("not back")
      expect(interrupted).not.toBe(runner)
      interrupted!.insert()
      yield* run()
      expect(inner).toBe(undefined)
    }))

  test("wakes whoever called run with the timeout, also a tasklet", () =>
    main(function*() {
      const caught: Array<unknown> = []
      const t = tasklet(busy)()
      t.remove()
      tasklet(function*() {
        t.insert()
        caught.push(yield* run({ timeout: 20 }))
      })()
      yield* run()
      expect(caught).toEqual([t])
      expect(t.paused).toBe(true)
      yield* t.kill()
    }))

  test("of a tasklet interrupts main, which keeps what it was about to get, a value or an error", () =>
    main(function*() {
      const fails = (message: string): never => {
        throw new Error(message)
      }
      const current = getcurrent()
      let interrupts = 0
      tasklet(function*() {
        for (;;) {
          const stop = yield* run({ timeout: 1 })
          if (stop === undefined) return
          if (stop === current) interrupts++
          stop.insert()
        }
      })()
      yield* schedule()
      const got: Array<unknown> = []
      for (let i = 0; i < 10; i++) {
        try {
          got.push(yield* call(() => i % 3 === 0 ? fails(`e${i}`) : i))
        } catch (error) {
          got.push((error as Error).message)
        }
      }
      expect(got).toEqual(["e0", 1, 2, "e3", 4, 5, "e6", 7, 8, "e9"])
      expect(interrupts).toBeGreaterThan(2)
      yield* run()
    }))

  test("is off when run is over, also after an error", () =>
    main(function*() {
      tasklet(function*() {
        throw new Error("mine")
      })()
      expect((yield* errorOf(run({ timeout: 5 }))).message).toBe("mine")
      tasklet(function*() {
        yield* steps(100)
      })()
      expect(yield* run()).toBe(undefined)
      expect(getruncount()).toBe(1)
    }))

  test("lets the other tasklets go on, as the idiom that finds uncooperative tasklets wants", () =>
    main(function*() {
      const said: Array<string> = []
      const bad = tasklet(busy)()
      bad.name = "bad"
      tasklet(function*() {
        for (let i = 0; i < 3; i++) {
          said.push(`good ${i}`)
          yield* schedule()
        }
      })()
      const found: Array<Tasklet> = []
      for (let t = yield* run({ timeout: 1000 }); t !== undefined; t = yield* run({ timeout: 1000 })) {
        found.push(t)
        expect(String(t.frame)).toContain("bad")
        if (found.length < 3) t.insert()
        else yield* t.kill()
      }
      expect(found).toEqual([bad, bad, bad])
      expect(said).toEqual(["good 0", "good 1", "good 2"])
    }))
})

describe("a watchdog and hard tasklets", () => {
  test("counts the steps of Effect, and interrupts in the middle of them", () =>
    main(function*() {
      const t = tasklet(() => Effect.forever(Effect.void))()
      expect(yield* run({ timeout: 1000 })).toBe(t)
      expect(t.paused).toBe(true)
      t.insert()
      expect(yield* run({ timeout: 1000 })).toBe(t)
      yield* t.kill()
      expect(t.alive).toBe(false)
    }))

  test("an Effect that was interrupted so goes on where it was", () =>
    main(function*() {
      let n = 0
      let interrupts = 0
      const t = tasklet(() =>
        Effect.gen(function*() {
          for (let i = 0; i < 500; i++) n = yield* Effect.sync(() => i)
        })
      )()
      while (yield* run({ timeout: 100 })) {
        interrupts++
        t.insert()
      }
      expect(n).toBe(499)
      expect(interrupts).toBeGreaterThan(1)
    }))

  test("lets an Effect get on by a step at least, however short its time is", () =>
    main(function*() {
      const t = tasklet(() => Effect.repeat(Effect.void, { times: 20 }))()
      let interrupts = 0
      while (yield* run({ timeout: 1 })) {
        interrupts++
        expect(interrupts).toBeLessThan(2000)
        t.insert()
      }
      expect(interrupts).toBeGreaterThan(20)
      expect(t.alive).toBe(false)
    }))

  test("leaves an Effect in a generator body alone, unless it is told to ignore nesting", () =>
    main(function*() {
      const work = Effect.gen(function*() {
        for (let i = 0; i < 1000; i++) yield* Effect.sync(() => {})
      })
      const body = function*(): Steps<void> {
        yield* work
        yield* busy()
      }
      const t = tasklet(body)()
      expect(yield* run({ timeout: 50 })).toBe(t)
      expect(t.nestingLevel).toBe(0)
      const u = tasklet(body)()
      expect(yield* run({ timeout: 50, ignoreNesting: true })).toBe(u)
      expect(u.nestingLevel).toBe(1)
      const v = tasklet(body)()
      v.setIgnoreNesting(true)
      expect(yield* run({ timeout: 50 })).toBe(v)
      expect([v.nestingLevel, v.ignoreNesting]).toEqual([1, true])
      for (const x of [t, u, v]) yield* x.kill()
    }))

  test.each([
    [
      "in a generator body",
      tasklet(function*() {
        for (let i = 0; i < 5; i++) yield* Effect.map(Effect.sync(() => i), (i) => i + 1)
      })
    ],
    ["in a body that is an Effect", tasklet(() => Effect.repeat(Effect.void, { times: 20 }))]
  ])(
    "wherever it interrupts an Effect %s, the tasklet can be killed there, or goes on",
    (_, start) =>
      main(function*() {
        let interrupts = 0
        for (let timeout = 1;; timeout++) {
          const killed = start()
          if ((yield* run({ timeout, ignoreNesting: true })) === undefined) break
          interrupts++
          yield* killed.kill()
          expect(killed.alive).toBe(false)
          const goingOn = start()
          yield* run({ timeout, ignoreNesting: true })
          goingOn.insert()
          yield* run()
          expect(goingOn.alive).toBe(false)
        }
        expect(interrupts).toBeGreaterThan(10)
      })
  )
})

describe("atomic", () => {
  test("is put back when the body returns, throws or is killed; and gives back what the body returns", () =>
    main(function*() {
      expect(
        yield* atomic(function*(x: number) {
          expect(getcurrent().atomic).toBe(true)
          return x + 1
        }, 1)
      ).toBe(2)
      expect(getcurrent().atomic).toBe(false)
      yield* errorOf(atomic(() => {
        throw new Error("out")
      }))
      expect(getcurrent().atomic).toBe(false)
      let after: unknown
      const t: Tasklet = tasklet(function*() {
        try {
          yield* atomic(function*() {
            yield* schedule()
            yield* channel().receive()
          })
        } finally {
          after = t.atomic
        }
      })()
      yield* run()
      expect(t.atomic).toBe(true)
      yield* t.kill()
      expect(after).toBe(false)
      getmain().setAtomic(true)
      yield* atomic(function*() {})
      expect(getmain().setAtomic(false)).toBe(true)
    }))
})

test("run takes an object, and the timeout is a number", () => {
  expect(() => run(1000 as never)).toThrow(TypeError)
  expect(() => run({ timeout: "soon" as never })).toThrow(TypeError)
  expect(() => run({ timeout: Number.NaN })).toThrow(TypeError)
  expect(() => atomic(3 as never)).toThrow(TypeError)
})

test("a watchdog works from outside, too", () =>
  onThread(Effect.gen(function*() {
    const t = tasklet(busy)()
    expect(yield* run({ timeout: 10 })).toBe(t)
    yield* t.kill()
  })))
