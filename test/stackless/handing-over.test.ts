/** What may happen to a tasklet that has just handed over, by the one that it has handed over to. */
import { Effect, type Fiber } from "effect"
import {
  channel,
  getcurrent,
  run,
  schedule,
  scheduleRemove,
  setScheduleCallback,
  type Tasklet,
  tasklet
} from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { inBothGears, main, type Steps } from "./program.ts"

/** Hands over again and again. Frames that are dropped as they are do not run their `finally`. */
function* turns(log: Array<unknown>): Steps {
  try {
    for (;;) {
      log.push("turn")
      yield* schedule()
    }
  } finally {
    log.push("finally")
  }
}

inBothGears("a tasklet that has handed over", () => {
  test("can be taken out of the ring, and bound to something else", () =>
    main(function*() {
      const log: Array<unknown> = []
      const first: Tasklet = tasklet(turns)(log)
      tasklet(function*() {
        for (let i = 0; i < 3; i++) {
          log.push(i)
          yield* schedule()
        }
        first.remove().bind((what: string) => log.push(what)).setup("bound anew")
        yield* schedule()
        log.push("end")
      })()
      yield* run()
      expect(log).toEqual(["turn", 0, "turn", 1, "turn", 2, "turn", "bound anew", "end"])
    }))

  test("can be bound to something else when it goes on in another one's frames", () =>
    main(function*() {
      const log: Array<unknown> = []
      const first: Tasklet = tasklet(function*(): Steps<void> {
        try {
          // it goes on as the next one in the ring
          yield* first.switch()
          log.push(heir.isCurrent)
          yield* scheduleRemove()
          log.push("never")
        } finally {
          log.push("finally")
        }
      })()
      const heir = tasklet(() => log.push("never"))()
      yield* run()
      first.bind(scheduleRemove).setup()
      yield* run()
      heir.bind(() => log.push("bound anew")).setup()
      yield* run()
      expect(log).toEqual([true, "bound anew"])
    }))

  test("goes on in the frames of the one that it has handed over to, which switches to itself", () =>
    main(function*() {
      const log: Array<unknown> = []
      const first = tasklet(function*(): Steps<void> {
        yield* schedule()
        yield* second.switch()
        log.push("never")
      })()
      const second: Tasklet = tasklet(function*(): Steps<void> {
        yield* schedule()
        first.insert()
        log.push("switches to itself")
        // it goes on as the next one in the ring
        yield* second.switch()
        log.push(first.isCurrent)
        yield* schedule()
        log.push("end")
      })()
      tasklet(() => log.push("first is next"))()
      yield* run()
      expect(log).toEqual(["first is next", "switches to itself", true, "end"])
    }))

  test.each([
    ["has not started", false],
    ["is suspended", true]
  ])("that hands on at once leaves the one %s, whose frames it got, to itself", (_, suspended) =>
    main(function*() {
      const log: Array<unknown> = []
      const working = function*(name: string): Steps<void> {
        if (suspended) yield* schedule()
        log.push(`${name} works`)
      }
      const names = (): ReadonlyArray<boolean> => [first, second, third].map((t) => t.isCurrent)
      const first: Tasklet = tasklet(function*(): Steps<void> {
        if (suspended) yield* schedule()
        yield* getcurrent().switch()
        log.push(names())
        // what that was to get is the frames' now
        log.push(yield* getcurrent().switch())
        log.push(names())
        yield* schedule()
        log.push("end")
      })()
      const second = tasklet(working)("second")
      const third = tasklet(working)("third")
      tasklet(working)("fourth")
      yield* run()
      const got = suspended ? second : undefined
      expect(log).toEqual([[false, true, false], got, [false, false, true], "fourth works", "second works", "end"])
      expect([first, second, third].map((t) => t.alive)).toEqual([false, false, false])
    }))

  test("that hands on keeps what the other one was to get for the next switch, whatever is called before", () =>
    main(function*() {
      const log: Array<unknown> = []
      function* called(): Steps<string> {
        yield* []
        return "returned"
      }
      function* failing(): Steps<void> {
        log.push(yield* called())
        throw new Error("failed")
      }
      tasklet(function*(): Steps<void> {
        yield* schedule()
        yield* getcurrent().switch()
        try {
          yield* failing()
        } catch {
          log.push(yield* called())
        }
        log.push(yield* getcurrent().run())
      })()
      const second = tasklet(function*(): Steps<void> {
        yield* schedule()
        log.push("never")
      })()
      tasklet(schedule)()
      yield* run()
      expect(log).toEqual(["returned", "returned", second])
    }))

  test("can be killed, removed and inserted again", () =>
    main(function*() {
      const log: Array<unknown> = []
      const first = tasklet(turns)(log)
      tasklet(function*() {
        yield* schedule()
        first.remove()
        yield* schedule()
        log.push("alone")
        first.insert()
        yield* schedule()
        yield* first.kill()
        log.push("killed", first.alive)
      })()
      yield* run()
      expect(log).toEqual(["turn", "turn", "alone", "turn", "finally", "killed", false])
    }))

  test("can have its fiber interrupted", () =>
    main(function*() {
      const log: Array<unknown> = []
      let fiber: Fiber.Fiber<unknown, unknown> | undefined
      const first = tasklet(function*() {
        yield* Effect.withFiber((own) => {
          fiber = own
          return Effect.void
        })
        yield* turns(log)
      })()
      tasklet(function*() {
        yield* schedule()
        fiber!.interruptUnsafe()
        log.push("interrupted")
        yield* schedule()
        log.push(first.alive)
      })()
      yield* run()
      expect(log).toEqual(["turn", "turn", "interrupted", "finally", false])
    }))

  test("can have forked a fiber, which waits on channels as a party of its own", () =>
    main(function*() {
      const log: Array<unknown> = []
      const c = channel<number>()
      tasklet(function*() {
        yield* schedule()
        Effect.runFork(Effect.gen(function*() {
          yield* c.send(1)
          log.push("sent")
        }))
        log.push(`goes on, balance ${c.balance}`)
        yield* schedule()
        log.push(yield* c.receive())
      })()
      tasklet(function*() {
        for (let i = 0; i < 3; i++) yield* schedule()
      })()
      yield* run()
      expect(log).toEqual(["goes on, balance 1", "sent", 1])
    }))
})

test("an Effect that a callback interrupts in the middle of its own operation sees that when its turn comes", () =>
  main(function*() {
    const log: Array<unknown> = []
    let fiber: Fiber.Fiber<unknown, unknown> | undefined
    const first: Tasklet = tasklet(() =>
      Effect.gen(function*() {
        fiber = yield* Effect.withFiber(Effect.succeed)
        yield* schedule()
        log.push("never")
      }).pipe(Effect.onInterrupt(() => Effect.sync(() => log.push(first.isCurrent))))
    )()
    tasklet(() => log.push("the other one"))()
    setScheduleCallback((from) => {
      if (from === first) fiber?.interruptUnsafe()
    })
    yield* run()
    setScheduleCallback(null)
    expect(log).toEqual(["the other one", true])
  }))
