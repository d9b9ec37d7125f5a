/** Where an error was, what a careless `catch` passes on, and errors of another copy of the package. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import * as greenlets from "effect-stackless/greenlet"
import * as stackless from "effect-stackless/stackless"
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { describe, expect, test } from "vitest"
import { load } from "../compiler/module.ts"
import { inBothGears, main, type Steps } from "../stackless/program.ts"

const { call, channel, run, schedule, tasklet } = stackless

/** The functions that a stack names, the innermost first, up to the first line of the library. */
const functionsOf = (error: unknown): Array<string> => {
  const lines = String((error as Error).stack).split("\n").filter((line) => /^ {4}(at|in) /.test(line))
  const end = lines.findIndex((line) => /\/src\/(greenlet|stackless|compat)\//.test(line))
  return lines.slice(0, end < 0 ? undefined : end)
    .map((line) => line.replace(/^ {4}(at|in) /, "").replace(/ \(.*$/, "").replace(/^.*\./, ""))
}

/** What a body dies of. */
const caught = function*(body: () => Effect.Effect<unknown, unknown>): Steps<any> {
  try {
    yield* body()
  } catch (error) {
    return error
  }
  throw new Error("nothing was thrown")
}

inBothGears("an error out of a wait", () => {
  test("leads to the lines of the bodies that it comes through, the innermost first", () =>
    main(function*() {
      const c = channel()
      function* waits(): Steps<unknown> {
        return yield* c.receive()
      }
      function* delegates(): Steps<unknown> {
        return yield* waits()
      }
      function* calls(): Steps<unknown> {
        return yield* call(delegates)
      }
      function* callsAgain(): Steps<unknown> {
        return yield* call(calls)
      }
      const t = tasklet(callsAgain)()
      yield* run()
      const library = `    at x (${fileURLToPath(new URL("../../src/greenlet/y.ts", import.meta.url))}:1:1)`
      const error = Object.assign(new Error("thrown"), { stack: `Error: thrown\n${library}` })
      expect(yield* caught(() => t.throw(error))).toBe(error)
      expect(functionsOf(error).slice(0, 6)).toEqual([
        "waits",
        "delegates",
        "calls",
        "callsAgain",
        "a tasklet",
        "caught"
      ])
      expect(error.stack.startsWith("Error: thrown\n    at ")).toBe(true)
      expect(error.stack.endsWith(library)).toBe(true)
    }))

  test("is a deadlock, what an operation refuses, what is sent, and what an Effect fails with", () =>
    main(function*() {
      const c = channel()
      function* deadlocked(): Steps<unknown> {
        return yield* c.receive()
      }
      expect(functionsOf(yield* caught(() => call(deadlocked)))[0]).toBe("deadlocked")

      function* refused(): Steps<unknown> {
        yield* schedule()
        return yield* new stackless.Tasklet().run()
      }
      expect(functionsOf(yield* caught(() => call(refused)))[0]).toBe("refused")

      function* failed(): Steps<unknown> {
        return yield* Effect.promise(() => Promise.reject(new Error("rejected")))
      }
      expect(functionsOf(yield* caught(() => call(failed)))).toContain("failed")

      function sends(): Effect.Effect<void> {
        return c.sendThrow(new RangeError("sent"))
      }
      function* receives(): Steps<unknown> {
        return yield* c.receive()
      }
      tasklet(sends)()
      expect(functionsOf(yield* caught(() => call(receives))).slice(0, 2)).toEqual(["sends", "receives"])
    }))

  test("leads to the line of an `Effect.gen` that has waited, or performs what is refused at once", () =>
    main(function*() {
      function* inner(): Steps<unknown> {
        return yield* new stackless.Tasklet().run()
      }
      const refused = () =>
        Effect.gen(function* refused() {
          yield* Effect.void
          return yield* inner()
        })
      expect(functionsOf(yield* caught(() => call(refused))).slice(0, 2)).toEqual(["inner", "refused"])

      const c = channel()
      const log: Array<string> = []
      function* receives(): Steps<unknown> {
        return yield* c.receive()
      }
      const waits = () =>
        Effect.gen(function* waits() {
          // as everywhere in Effect, nothing is thrown into it
          try {
            return yield* receives()
          } catch (error) {
            log.push(String(error))
          } finally {
            log.push("finally")
          }
        })
      expect(functionsOf(yield* caught(() => call(waits))).slice(0, 2)).toEqual(["receives", "waits"])

      const sent = new RangeError("sent")
      tasklet(waits)()
      yield* run()
      expect(yield* caught(() => c.sendThrow(sent))).toBe(sent)
      // behind where it was made
      expect(functionsOf(sent).slice(1, 3)).toEqual(["receives", "waits"])
      const handled = tasklet(() => Effect.catchDefect(waits(), (error) => Effect.succeed(error)))()
      yield* run()
      const again = new RangeError("again")
      yield* c.sendThrow(again)
      expect(yield* handled.join()).toBe(again)
      expect(functionsOf(again).slice(1, 3)).toEqual(["receives", "waits"])
      expect(log).toEqual([])

      // what is a typed failure is still one
      const fails = new RangeError("typed")
      const typed = tasklet(() => Effect.andThen(schedule(), Effect.fail(fails)))()
      const joins = () =>
        Effect.gen(function* joins() {
          return yield* typed.join()
        })
      const joined = tasklet(() => Effect.catch(joins(), (error: RangeError) => Effect.succeed(error)))()
      yield* run()
      expect(yield* joined.join()).toBe(fails)
      expect(functionsOf(fails)).toContain("joins")
    }))

  test("fails an `Effect.gen` that steps a generator by hand, whether that goes on in it or not", () =>
    main(function*() {
      const c = channel()
      function* receives(): Steps<unknown> {
        return yield* c.receive()
      }
      for (const goesOn of [true, false]) {
        const sent = new RangeError("sent")
        const log: Array<unknown> = []
        const body = () =>
          Effect.gen(function*() {
            const steps = receives()
            let step = steps.next()
            while (step.done !== true) {
              // @effect-diagnostics-next-line missingStarInYieldEffectGen:off
              const value = (yield step.value) as never
              if (!goesOn) log.push(typeof value)
              step = goesOn ? steps.next(value) : { done: true, value: undefined }
            }
            yield* Effect.yieldNow
            log.push("went on")
          })
        tasklet(body)()
        yield* run()
        expect(
          yield* caught(() => Effect.andThen(c.sendThrow(sent), run()))
        ).toBe(sent)
        yield* run()
        expect(log.slice(goesOn ? 0 : 1)).toEqual([])
      }
    }))

  test("leads to where the Effects of `Effect.fn` were called that it comes through, and are written", () =>
    main(function*() {
      const c = channel()
      const waits = Effect.fn("waits")(function*() {
        return yield* c.receive()
      })
      const client = Effect.fn("client")(function*() {
        yield* Effect.sleep(1)
        return yield* waits()
      })
      const lines = (error: Error) =>
        error.stack!.split("\n").filter((line) => /^ {4}at (?:waits|client)\b/.test(line)).map((line) =>
          line.replace(/^ +at (.*) \(.*errors\.test\.ts:\d+:\d+\)$/, "$1")
        )
      const all = ["waits", "waits (definition)", "client (definition)"]
      const deadlock = yield* caught(() => call(client))
      expect(lines(deadlock)).toEqual(all)
      // in front of them is where it stands
      expect(functionsOf(deadlock).slice(0, 2)).toEqual([expect.stringMatching(/^ts:\d+:\d+$/), "waits"])

      // of a tasklet, out of which it comes at who has sent it
      const t = tasklet(client)()
      yield* run()
      expect(t.blocked).toBe(true)
      expect(lines(yield* caught(() => c.sendThrow(new RangeError("sent"))))).toEqual(all)
    }))

  test("names the tasklet that has not caught it, and leads from the body that failed to who joins it", () =>
    main(function*() {
      function* fails(): Steps<never> {
        yield* schedule()
        throw new Error("failed")
      }
      tasklet(fails)().name = "worker"
      const error = yield* caught(() => run())
      expect(error.stack).toContain("in tasklet \"worker\"")
      expect(functionsOf(error).slice(0, 2)).toEqual(["fails", "tasklet \"worker\""])

      const t = tasklet(fails)()
      function* joins(): Steps<never> {
        return yield* t.join()
      }
      expect(functionsOf(yield* caught(() => call(joins))).slice(0, 2)).toEqual(["fails", "joins"])
    }))

  test("does not grow without end, and an exit is given no lines", () =>
    main(function*() {
      const error = new Error("deep")
      function* deep(n: number): Steps<void> {
        if (n === 0) throw error
        yield* call(deep, n - 1)
      }
      yield* caught(() => call(deep, 1000))
      expect(error.stack!.split("\n").length).toBeLessThan(100)
      const stack = new stackless.TaskletExit("by hand")
      const before = stack.stack
      const t = tasklet(function*(): Steps<void> {
        yield* schedule()
      })()
      yield* t.run()
      yield* t.throw(stack)
      expect(stack.stack).toBe(before)
    }))

  test("may be frozen", () =>
    main(function*() {
      const frozen = Object.freeze(new Error("frozen"))
      const t = tasklet(function*(): Steps<void> {
        yield* stackless.scheduleRemove()
      })()
      yield* t.run()
      expect(yield* caught(() => t.throw(frozen))).toBe(frozen)
    }))
})

describe("an error out of a wait of gevent", () => {
  test("leads to the line of the greenlet: Empty, a socket's, what a greenlet has died of", () =>
    Effect.runPromise(greenlets.withThread(gevent.call(function*(): Steps<void> {
      const queue = new gevent.Queue<number>()
      function* gets(): Steps<number> {
        return yield* queue.get({ timeout: 0.001 })
      }
      function* outer(): Steps<number> {
        return yield* call(gets)
      }
      const g = gevent.spawn(outer)
      const empty = yield* caught(() => g.get())
      expect(empty).toBeInstanceOf(gevent.Empty)
      expect(functionsOf(empty).slice(0, 2)).toEqual(["gets", "outer"])

      const server = createServer().listen(0)
      yield* Effect.promise(() => new Promise((resolve) => server.once("listening", resolve)))
      const { port } = server.address() as { port: number }
      server.close()
      function* connects(): Steps<unknown> {
        return yield* gevent.createConnection(["127.0.0.1", port])
      }
      const refused = yield* caught(() => call(connects))
      expect(refused).toBeInstanceOf(gevent.SocketError)
      expect(functionsOf(refused)[0]).toBe("connects")

      const [here, there] = gevent.socketpair()
      here.settimeout(0.001)
      function* receives(): Steps<unknown> {
        return yield* here.recv()
      }
      function* serves(): Steps<unknown> {
        return yield* call(receives)
      }
      const timedOut = yield* caught(() => gevent.spawn(serves).get())
      expect(timedOut).toBeInstanceOf(gevent.SocketTimeout)
      expect(functionsOf(timedOut).slice(0, 2)).toEqual(["receives", "serves"])
      here.close()
      there.close()
    }))))
})

describe("a greenlet", () => {
  test("has its lines in what its child dies of", () =>
    Effect.runPromise(greenlets.withThread(call(function*(): Steps<void> {
      function* child(): Steps<void> {
        yield* greenlets.getcurrent().parent!.switch()
        throw new Error("child")
      }
      function* parent(): Steps<void> {
        const g = greenlets.greenlet(child)
        yield* g.switch()
        yield* g.switch()
      }
      expect(functionsOf(yield* caught(() => greenlets.greenlet(parent).switch())).slice(0, 3))
        .toEqual(["child", "parent", "caught"])
    }))))
})

class Loop {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
  *steps(): Steps<string> {
    yield* schedule()
    return this.name
  }
  *reads(): Steps<string> {
    return this.name
  }
  plain(): string {
    return this.name
  }
  effect(): Effect.Effect<string> {
    return Effect.succeed(this.name)
  }
  *inner(): Steps<string> {
    const o: { readonly x?: { readonly name: string } } = {}
    return this === undefined ? o.x!.name : ""
  }
}

const o = new Loop("loop")

inBothGears("a method that is not bound", () => {
  test.each([o.reads, o.plain, o.effect])(
    "as the body of a tasklet is told to be bound: %o",
    (method: () => any) =>
      main(function*() {
        tasklet(method)()
        const error = yield* caught(() => run())
        expect(error).toBeInstanceOf(TypeError)
        expect(error.message).toContain(`o.${method.name}.bind(o)`)
        expect(error.message).toContain(`() => o.${method.name}()`)
        expect(error.stack).toContain(error.message)
        const bound = tasklet(method.bind(o))()
        yield* run()
        expect(yield* bound.join()).toBe("loop")
      })
  )

  test("is none where it is bound, or an arrow function, or where something else is undefined", () =>
    main(function*() {
      const t = tasklet(() => o.steps())()
      yield* run()
      expect(yield* t.join()).toBe("loop")
      tasklet(o.inner)()
      expect((yield* caught(() => run())).message).not.toContain("bind")
    }))
})

describe("a method that is not bound, as the body of a greenlet", () => {
  test.each([o.reads, o.plain, o.effect])(
    "is told to be bound: %o",
    (method: () => any) =>
      Effect.runPromise(greenlets.withThread(gevent.call(function*(): Steps<void> {
        const told = `o.${method.name}.bind(o)`
        expect((yield* caught(() => greenlets.greenlet(method).switch())).message).toContain(told)
        const g = gevent.spawn(method)
        g.hub.exceptionStream = undefined
        expect((yield* caught(() => g.get())).message).toContain(told)
      })))
  )
})

test("a greenlet's method that is not bound is told so after a switch, too", () =>
  Effect.runPromise(greenlets.withThread(greenlets.call(function*(): Steps<void> {
    class Later {
      *loop(): Steps<string> {
        yield* greenlets.getcurrent().parent!.switch()
        return this.label
      }
      readonly label = "later"
    }
    const g = greenlets.greenlet(new Later().loop)
    yield* g.switch()
    expect((yield* caught(() => g.switch())).message).toContain("o.loop.bind(o)")
  }))))

test("a subclass with Python's _run is told what the method is called", () => {
  class Job extends gevent.Greenlet {
    *_run() {}
  }
  expect(() => new Job()).toThrow("rename _run")
})

test("rethrow passes exits and timeouts on, and nothing else", () => {
  for (const { rethrow } of [greenlets, stackless, gevent]) {
    for (
      const error of [
        new greenlets.GreenletExit(),
        new stackless.TaskletExit(),
        new gevent.Timeout(1),
        new (class extends stackless.TaskletExit {})()
      ]
    ) {
      expect(() => rethrow(error)).toThrow(error)
    }
    for (const error of [new Error("x"), new gevent.Empty(), null, undefined, "a string", 3]) rethrow(error)
  }
})

test("two copies of the package tell each other's errors, end silently of each other's exits, and wait on each other's channels", async () => {
  const root = fileURLToPath(new URL("../..", import.meta.url))
  const folder = mkdtempSync(join(root, "node_modules/.twin-"))
  try {
    cpSync(join(root, "src"), join(folder, "src"), { recursive: true })
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
    const twin: typeof stackless = await import(
      /* @vite-ignore */ pathToFileURL(join(folder, "src/stackless/index.ts")).href
    )
    expect(twin.TaskletExit).not.toBe(stackless.TaskletExit)
    expect(new twin.TaskletExit()).toBeInstanceOf(stackless.TaskletExit)
    expect(new stackless.DeadlockError("x", [])).toBeInstanceOf(twin.RuntimeError)
    class Mine extends stackless.TaskletExit {}
    expect(new twin.TaskletExit()).not.toBeInstanceOf(Mine)
    expect(new Mine()).toBeInstanceOf(twin.TaskletExit)
    expect(new Error("x")).not.toBeInstanceOf(twin.TaskletExit)
    expect(() => stackless.rethrow(new twin.TaskletExit())).toThrow(twin.TaskletExit)
    await main(function*() {
      const t = tasklet(function*(): Steps<void> {
        yield* stackless.scheduleRemove()
      })()
      yield* t.run()
      yield* t.throw(new twin.TaskletExit())
      expect(t.alive).toBe(false)
    })
    const { takes } = load(
      `"use stackless"; exports.takes = function*(from) { return (yield* from.receive()) + (yield* from.receive()) }`
    )
    const generator = function*(from: stackless.Channel<string>): Steps<string> {
      return (yield* from.receive()) + (yield* from.receive())
    }
    const bodies = [takes, generator, (from: stackless.Channel<string>) => Effect.gen(() => generator(from))]
    for (const body of bodies) {
      const theirs = twin.channel<string>()
      const [taken] = await Promise.all([
        Effect.runPromise(call(function*(): Steps<string> {
          const t = tasklet(body)(theirs)
          yield* run()
          return (yield* t.join()) as string
        })),
        Effect.runPromise(twin.call(function*() {
          twin.tasklet(function*() {
            for (const word of ["over", "here"]) yield* theirs.send(word)
          })()
          yield* twin.run()
        }))
      ])
      expect(taken).toBe("overhere")
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
