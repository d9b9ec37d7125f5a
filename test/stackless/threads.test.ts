/** Threads: started in tasklets and in fibers, talking over channels, waiting for each other, ended. */
import { Context, Effect, Exit, Fiber } from "effect"
import {
  call,
  channel,
  currentThread,
  getcurrent,
  getmain,
  makeThread,
  run,
  schedule,
  stackless,
  Tasklet,
  tasklet,
  TaskletExit,
  withThread
} from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { inBothGears, main, onThread, type Steps } from "./program.ts"

class Name extends Context.Reference<string>("test/Name", { defaultValue: () => "nobody" }) {}

inBothGears("a thread in a tasklet", () => {
  test("is one of its own: it has a main, a ring and a current tasklet", () =>
    main(function*() {
      const outer = [currentThread(), getmain(), getcurrent().threadId]
      const said: Array<string> = []
      const t = tasklet(function*(): Steps<void> {
        const me = getcurrent()
        const inner = yield* withThread(Effect.sync(() => [currentThread(), getmain(), getcurrent().threadId]))
        for (let i = 0; i < 3; i++) expect(inner[i]).not.toBe(outer[i])
        yield* withThread(call(function*(): Steps<void> {
          expect([stackless.runcount, getcurrent().isMain]).toEqual([1, true])
          tasklet(function*(): Steps<void> {
            said.push("a")
            yield* schedule()
            said.push("c")
          })()
          tasklet(() => said.push("b"))()
          yield* run()
        }))
        expect(getcurrent()).toBe(me)
      })()
      yield* run()
      expect([t.alive, said]).toEqual([false, ["a", "b", "c"]])
    }))

  test("does not hold the tasklets outside up, and gives back what its program returns", () =>
    main(function*() {
      const said: Array<unknown> = []
      tasklet(function*(): Steps<void> {
        said.push(
          yield* withThread(call(function*(): Steps<string> {
            yield* Effect.sleep(2)
            return "inner"
          }))
        )
      })()
      tasklet(() => said.push("beside"))()
      yield* run()
      expect(said).toEqual(["beside", "inner"])
    }))

  test("fails as its program does, and is ended where the tasklet is killed", () =>
    main(function*() {
      const said: Array<unknown> = []
      const c = channel()
      const oops = new Error("oops")
      tasklet(function*(): Steps<void> {
        try {
          yield* withThread(call(() => {
            throw oops
          }))
        } catch (error) {
          said.push(error)
        }
      })()
      const t = tasklet(function*(): Steps<void> {
        try {
          yield* withThread(call(function*(): Steps<void> {
            tasklet(function*(): Steps<void> {
              try {
                yield* c.receive()
              } finally {
                said.push("inner ended")
              }
            })()
            yield* schedule()
            yield* Effect.never
          }))
        } catch (error) {
          said.push(error)
          throw error
        }
      })()
      yield* schedule()
      yield* t.kill()
      yield* run()
      expect(said).toEqual([oops, "inner ended", expect.any(TaskletExit)])
      expect(c.balance).toBe(0)
    }))

  test("is started in a forked fiber, with the services of the tasklet", () =>
    onThread(
      call(function*(): Steps<void> {
        const answers = channel<string>()
        const t = tasklet(function*(): Steps<void> {
          const fiber = yield* Effect.forkChild(withThread(call(function*(): Steps<string> {
            expect(getcurrent().isMain).toBe(true)
            tasklet(function*(): Steps<void> {
              yield* answers.send(yield* Name)
            })()
            yield* run({ threadblock: true })
            return "done"
          })))
          yield* answers.send("forked")
          yield* answers.send(yield* Fiber.join(fiber))
        })()
        const got = [yield* answers.receive(), yield* answers.receive(), yield* answers.receive()]
        expect(got).toEqual(["forked", "somebody", "done"])
        yield* run()
        expect(t.alive).toBe(false)
      }).pipe(Effect.provideService(Name, "somebody"))
    ))

  test("nests, and one that is made for a scope ends there with its tasklets", () =>
    main(function*() {
      const said: Array<string> = []
      let left: Tasklet | undefined
      yield* withThread(withThread(call(function*(): Steps<void> {
        const ids = [getcurrent().threadId]
        yield* withThread(call(function*(): Steps<void> {
          ids.push(getcurrent().threadId)
          expect(new Set(ids).size).toBe(2)
        }))
        said.push("nested")
      })))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* makeThread
        left = yield* withThread(Effect.sync(() => new Tasklet(() => {}, [])))
        expect(getcurrent().isMain).toBe(true)
      }))
      expect([left!.alive, said]).toEqual([false, ["nested"]])
      expect(getcurrent().isMain).toBe(true)
    }))

  test("can be had synchronously", () => {
    const exit = Effect.runSyncExit(withThread(call(function*(): Steps<unknown> {
      const me = getcurrent()
      const inner = yield* withThread(call(() => getcurrent()))
      return [inner !== me, getcurrent() === me]
    })))
    expect(exit).toEqual(Exit.succeed([true, true]))
  })
})
