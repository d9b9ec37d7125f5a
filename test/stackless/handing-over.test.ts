/** What may happen to a tasklet that has just handed over, by the one that it has handed over to. */
import { Effect, type Fiber } from "effect"
import { channel, enableSoftswitch, run, schedule, Tasklet, tasklet } from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { inBothGears, main, type Steps } from "./program.ts"

inBothGears("a tasklet that has handed over", () => {
  test("can be taken out of the ring, and bound to something else", () =>
    main(function*() {
      const log: Array<unknown> = []
      const below: Tasklet = new Tasklet(function*(): Steps {
        try {
          for (;;) {
            log.push("below")
            yield* schedule()
          }
        } finally {
          log.push("never: the frames are dropped as they are")
        }
      })
      below.setup()
      tasklet(function*() {
        for (let i = 0; i < 3; i++) {
          log.push(i)
          yield* schedule()
        }
        below.remove().bind((what: string) => log.push(what)).setup("bound anew")
        yield* schedule()
        log.push("end")
      })()
      yield* run()
      expect(log).toEqual(["below", 0, "below", 1, "below", 2, "below", "bound anew", "end"])
    }))

  test("can be killed, removed and inserted again", () =>
    main(function*() {
      const log: Array<unknown> = []
      const below: Tasklet = tasklet(function*() {
        try {
          for (;;) {
            log.push("below")
            yield* schedule()
          }
        } finally {
          log.push("finally")
        }
      })()
      tasklet(function*() {
        yield* schedule()
        below.remove()
        yield* schedule()
        log.push("alone")
        below.insert()
        yield* schedule()
        yield* below.kill()
        log.push("killed", below.alive)
      })()
      yield* run()
      expect(log).toEqual(["below", "below", "alone", "below", "finally", "killed", false])
    }))

  test("can have its fiber interrupted", () =>
    main(function*() {
      const log: Array<unknown> = []
      let fiber: Fiber.Fiber<unknown, unknown> | undefined
      const below = tasklet(function*() {
        yield* Effect.withFiber((own) => {
          fiber = own
          return Effect.void
        })
        try {
          for (;;) {
            log.push("below")
            yield* schedule()
          }
        } finally {
          log.push("finally")
        }
      })()
      tasklet(function*() {
        yield* schedule()
        fiber!.interruptUnsafe()
        log.push("interrupted")
        yield* schedule()
        log.push(below.alive)
      })()
      yield* run()
      expect(log).toEqual(["below", "below", "interrupted", "finally", false])
    }))
})

test.each(["soft", "hard"])(
  "a fiber that a %s body forks waits on channels as a party of its own",
  (gear) =>
    main(function*() {
      enableSoftswitch(gear === "soft")
      try {
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
      } finally {
        enableSoftswitch(true)
      }
    })
)
