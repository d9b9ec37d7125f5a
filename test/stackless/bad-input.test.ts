/** What is wrong is told, at once and in words that help. */
import { Deferred, Effect, Fiber } from "effect"
import { GreenletError } from "effect-stackless/greenlet"
import { call, channel, getThreadInfo, run, schedule, Tasklet, tasklet } from "effect-stackless/stackless"
import { describe, expect, test } from "vitest"
import { errorOf, inBothGears, main, onThread, type Steps } from "./program.ts"

describe("making a tasklet", () => {
  test.each([undefined, null, 5])("of %s is refused at once", (bad) => {
    expect(() => tasklet(bad as never)).toThrow(TypeError)
    expect(() => tasklet(bad as never)).toThrow(`a tasklet runs a function; got ${bad === 5 ? "number" : bad}`)
  })

  test("of nothing makes one that is bound to nothing", () => {
    expect(tasklet()).toBeInstanceOf(Tasklet)
    expect(tasklet().alive).toBe(false)
  })
})

describe("a tasklet", () => {
  test.each(["x", {}, null])("cannot be bound to %j, which is no thread", (bad) => {
    expect(() => tasklet(() => {})().remove().bindThread(bad as never)).toThrow(
      "a thread is given by itself or by its id"
    )
    expect(() => getThreadInfo(bad as never)).toThrow(TypeError)
  })

  test.each([5, undefined])("cannot run %s in its context", (bad) => {
    expect(() => tasklet(() => {})().remove().contextRun(bad as never)).toThrow("contextRun takes an Effect")
  })
})

describe("an error instead of its class", () => {
  test("is for sendThrow, says sendException", () => {
    expect(() => channel().sendException(new Error("x") as never)).toThrow(TypeError)
    expect(() => channel().sendException(new Error("x") as never)).toThrow(
      "sendException takes a class of errors and what its constructor takes; got an error, which sendThrow(error) takes"
    )
  })

  test("is for throw, says raiseException", () => {
    expect(() => tasklet(() => {})().raiseException(new Error("x") as never)).toThrow("which throw(error) takes")
  })
})

inBothGears("a body that returns a tasklet", () => {
  test("has returned it, though it has a next and a throw as generators do", () =>
    main(function*() {
      const other = tasklet(() => {})()
      const t = tasklet(() => other)()
      yield* run()
      expect(yield* t.join()).toBe(other)
    }))
})

inBothGears("a method that is not bound", () => {
  test("has no this, as whenever it is called by itself", () =>
    main(function*() {
      class Agent {
        *look(): Steps<number> {
          return this.found
        }
        readonly found = 5
      }
      const agent = new Agent()
      for (const start of [tasklet(agent.look), tasklet(() => call(agent.look))]) {
        expect(yield* errorOf(start().run())).toBeInstanceOf(TypeError)
      }
      expect(yield* errorOf(call(agent.look))).toBeInstanceOf(TypeError)
      const t = tasklet(agent.look.bind(agent))()
      yield* t.run()
      expect(yield* t.join()).toBe(5)
    }))
})

inBothGears("a method that is not bound, of what is called or has switched before", () => {
  class Later {
    *reads(): Steps<string> {
      yield* schedule()
      return this.label
    }
    *delegates(): Steps<string> {
      return yield* this.reads()
    }
    *counts(): Steps<number> {
      yield* schedule()
      return this.#count
    }
    *names(): Steps<string> {
      yield* schedule()
      const { label } = this
      return label
    }
    plain(): string {
      return this.label
    }
    readonly label = "later"
    readonly #count = 1
  }
  const later = new Later()
  const methods = [later.reads, later.delegates, later.counts, later.names, later.plain]

  test("is told to be bound", () =>
    main(function*() {
      for (const method of methods as ReadonlyArray<() => Steps<unknown>>) {
        const told = `o.${method.name}.bind(o)`
        yield* soon()
        tasklet(method)()
        expect((yield* errorOf(run())).message).toContain(told)
        yield* soon()
        expect((yield* errorOf(call(method))).message).toContain(told)
        yield* soon()
        tasklet(function*(): Steps<unknown> {
          return yield* call(method)
        })()
        const error = yield* errorOf(run())
        expect(error.message.split("bind").length).toBe(2)
        expect(error.stack).toContain(error.message)
      }
    }))

  test("is none where it is bound and something else is undefined", () =>
    main(function*() {
      yield* soon()
      tasklet(function*(): Steps<unknown> {
        yield* schedule()
        return yield* call(wrong.bind(later))
      })()
      expect((yield* errorOf(run())).message).not.toContain("bind")
    }))

  function* wrong(this: Later): Steps<unknown> {
    yield* schedule()
    const o: { readonly label?: { readonly label: string } } = {}
    return this.label + o.label!.label
  }
})

/** It is looked for now and then. */
const soon = (): Effect.Effect<void> => Effect.promise(() => new Promise((done) => setTimeout(done, 60)))

describe("another fiber, while run goes on", () => {
  test("can throw into a tasklet pending, says throw", () =>
    onThread(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const t = tasklet(() => Deferred.await(gate))()
      const running = yield* Effect.forkChild(run(), { startImmediately: true })
      for (const operation of [t.kill(), t.throw(new Error("x")), t.raiseException(Error, "x")]) {
        const error = yield* errorIn(operation)
        expect(error).toBeInstanceOf(GreenletError)
        expect(String(error)).toContain("another fiber stands for the main greenlet")
        expect(String(error)).toContain("kill({ pending: true })")
      }
      yield* t.kill({ pending: true })
      yield* Fiber.join(running)
      expect(t.alive).toBe(false)
    })))
})

const errorIn = (operation: Effect.Effect<unknown>): Effect.Effect<unknown> =>
  Effect.catchDefect(operation, (error) => Effect.succeed(error))
