/** `AsyncLocalStorage` follows tasklets and greenlets, in both gears; and compiled, by vitest.compiled.config.ts. */
import { Effect } from "effect"
import { followAsyncLocalStorage, runWith } from "effect-stackless/async-context"
import { Event, joinall, spawn, spawnLater } from "effect-stackless/compat/gevent"
import { call as callGreenlet, getcurrent as currentGreenlet, type Greenlet, greenlet } from "effect-stackless/greenlet"
import {
  call,
  channel,
  developmentMode,
  getcurrent,
  run,
  schedule,
  scheduleRemove,
  sleep,
  Tasklet,
  tasklet
} from "effect-stackless/stackless"
import * as fc from "fast-check"
import { AsyncLocalStorage } from "node:async_hooks"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { gears, inGear } from "../conformance/gear.ts"
import { errorOf, inBothGears, main, onThread, type Steps } from "../stackless/program.ts"

const storage = new AsyncLocalStorage<string>()
const see = () => storage.getStore()

let stop: () => void
beforeEach(() => {
  stop = followAsyncLocalStorage()
})
afterEach(() => {
  stop()
})

inBothGears("a tasklet", () => {
  test("sees the store in force where it was made, from its first line to its last", () =>
    main(function*() {
      const seen: Array<string> = []
      const works = (name: string) =>
        storage.run(name, () =>
          tasklet(function*() {
            for (let i = 0; i < 3; i++) {
              seen.push(`${name} ${see()}`)
              yield* schedule()
            }
          })())
      works("a")
      works("b")
      yield* run()
      expect(seen).toEqual(["a a", "b b", "a a", "b b", "a a", "b b"])
      expect(see()).toBe(undefined)
    }))

  test("sees it after each kind of wait", () =>
    main(function*() {
      const seen: Array<string | undefined> = []
      const numbers = channel<number>()
      const reads = storage.run("reads", () =>
        tasklet(function*() {
          seen.push(see())
          yield* numbers.receive()
          seen.push(see())
          yield* sleep("1 millis")
          seen.push(see())
          yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 1)))
          seen.push(see())
          yield* scheduleRemove()
          seen.push(see())
          yield* call(function*() {
            yield* schedule()
            seen.push(see())
          })
          seen.push(see())
        })())
      storage.run("sends", () =>
        tasklet(function*() {
          yield* numbers.send(1)
        })())
      yield* run()
      storage.run("inserts", () => reads.insert())
      yield* run()
      expect(seen).toEqual(Array.from({ length: 7 }, () => "reads"))
    }))

  test("sees the store in force where it got its arguments", () =>
    main(function*() {
      const seen: Array<string | undefined> = []
      const t = storage.run("made", () => new Tasklet((_n: number) => void seen.push(see())))
      const u = storage.run("made", () => new Tasklet((_n: number) => void seen.push(see())))
      storage.run("set up", () => t.setup(1))
      storage.run("bound", () => u.bind(undefined, [1]))
      u.insert()
      yield* run()
      expect(seen).toEqual(["set up", "bound"])
    }))

  test("sees what its maker has, be that a tasklet", () =>
    main(function*() {
      const seen: Array<string | undefined> = []
      storage.run("request", () =>
        tasklet(function*() {
          yield* schedule()
          tasklet(function*() {
            yield* schedule()
            tasklet(() => void seen.push(see()))()
            yield* schedule()
          })()
          yield* schedule()
        })())
      yield* run()
      expect(seen).toEqual(["request"])
    }))

  test("keeps a store that it has entered, and nobody else sees it", () =>
    main(function*() {
      const seen: Array<string> = []
      const enters = (name: string) =>
        tasklet(function*() {
          storage.enterWith(name)
          yield* schedule()
          seen.push(`${name} ${see()}`)
          yield* sleep("1 millis")
          yield* schedule()
          seen.push(`${name} ${see()}`)
        })()
      enters("a")
      enters("b")
      tasklet(function*() {
        yield* schedule()
        seen.push(`c ${see()}`)
      })()
      yield* run()
      expect(seen.filter((line) => line.startsWith("c"))).toEqual(["c undefined"])
      expect(see()).toBe(undefined)
      // in an Effect the store is the fiber's, which Effect lets go at its next wait
      expect(new Set(seen.filter((line) => !line.startsWith("c")))).toEqual(new Set(["a a", "b b"]))
    }))

  test("has a store for the time of a call in runWith, across its waits", () =>
    main(function*() {
      const seen: Array<string | undefined> = []
      storage.run("outer", () =>
        tasklet(function*() {
          const result = yield* runWith(storage, "inner", function*(n: number) {
            seen.push(see())
            yield* schedule()
            yield* sleep("1 millis")
            seen.push(see())
            yield* storage.run("innermost", () => tasklet(() => void seen.push(see()))()).join()
            return n + 1
          }, 1)
          seen.push(String(result), see())
          yield* schedule()
          seen.push(see())
        })())
      tasklet(function*() {
        while (seen.length < 6) {
          if (see() !== undefined) throw new Error("it sees what is another one's")
          yield* schedule()
        }
      })()
      yield* run()
      expect(seen).toEqual(["inner", "inner", "innermost", "2", "outer", "outer"])
    }))

  test("has its store back when a call in runWith fails, or is killed", () =>
    main(function*() {
      const seen: Array<string | undefined> = []
      const t = storage.run("outer", () =>
        tasklet(function*() {
          yield* errorOf(runWith(storage, "inner", function*() {
            yield* schedule()
            throw new Error("boom")
          }))
          seen.push(see())
          try {
            yield* runWith(storage, "inner", function*() {
              try {
                yield* scheduleRemove()
              } finally {
                seen.push(see())
              }
            })
          } finally {
            seen.push(see())
          }
        })())
      yield* run()
      yield* t.kill()
      expect(seen).toEqual(["outer", "inner", "outer"])
    }))

  test("sees its store in a finally block when it is killed by another", () =>
    main(function*() {
      const seen: Array<string | undefined> = []
      const t = storage.run("mine", () =>
        tasklet(function*() {
          try {
            yield* scheduleRemove()
          } finally {
            seen.push(see())
          }
        })())
      yield* run()
      storage.enterWith("the killer's")
      yield* t.kill()
      storage.enterWith(undefined as never)
      expect(seen).toEqual(["mine"])
    }))

  test("and the program outside, which sees its own before and after", async () => {
    const seen: Array<string | undefined> = []
    await storage.run("program", () =>
      onThread(Effect.gen(function*() {
        storage.run("tasklet", () =>
          tasklet(() => Effect.andThen(sleep("2 millis"), Effect.sync(() => seen.push(see()))))())
        yield* run()
        seen.push(see())
        yield* call(function*(): Steps<void> {
          seen.push(see())
          yield* sleep("1 millis")
          yield* schedule()
          seen.push(see())
        })
      })))
    expect(seen).toEqual(["tasklet", "program", "program", "program"])
  })

  test("is told apart from others, whatever they do", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.array(fc.constantFrom("schedule", "send", "receive", "sleep", "enter", "spawn"), { maxLength: 6 }),
          {
            minLength: 1,
            maxLength: 6
          }
        ),
        (programs) =>
          main(function*() {
            const mailbox = channel<string>({ capacity: 64 })
            const wrong: Array<string> = []
            const works = (name: string, steps: ReadonlyArray<string>) => {
              function* body(): Steps<void> {
                let own = name
                const looks = () => {
                  if (see() !== own) wrong.push(`${own} sees ${see()}`)
                }
                looks()
                for (const [i, step] of steps.entries()) {
                  if (step === "schedule") yield* schedule()
                  else if (step === "send") yield* mailbox.send(name)
                  else if (step === "receive") {
                    if (mailbox.balance > 0) yield* mailbox.receive()
                  } else if (step === "sleep") yield* sleep(0)
                  else if (step === "enter") storage.enterWith(own = `${name}.${i}`)
                  else storage.run(`${name}/${i}`, () => works(`${name}/${i}`, steps.slice(i + 1)))
                  looks()
                }
              }
              tasklet(body)()
            }
            for (const [i, steps] of programs.entries()) storage.run(`${i}`, () => works(`${i}`, steps))
            yield* run()
            expect(wrong).toEqual([])
            expect(see()).toBe(undefined)
          })
      ),
      { numRuns: 60 }
    ))
})

describe.each(gears)("a greenlet (%s)", (gear) => {
  const body = <Args extends ReadonlyArray<any>>(f: (...args: Args) => Steps<any>) =>
    inGear(gear, f as never) as never as (
      ...args: Args
    ) => Effect.Effect<any>
  const asMain = (f: () => Steps<void>) => onThread(callGreenlet(f))

  test("sees the store in force where it was made, whoever switches to it", () =>
    asMain(function*() {
      const seen: Array<string> = []
      const outside = currentGreenlet()
      const make = (name: string): Greenlet =>
        storage.run(name, () =>
          greenlet(body(function*() {
            for (let i = 0; i < 2; i++) {
              seen.push(`${name} ${see()}`)
              yield* outside.switch()
            }
          })))
      const a = make("a")
      const b = make("b")
      for (const g of [a, b, b, a]) {
        yield* g.switch()
        expect(see()).toBe(undefined)
      }
      expect(seen).toEqual(["a a", "b b", "b b", "a a"])
    }))

  test("of gevent sees the store in force where it was spawned", () =>
    asMain(function*() {
      const seen: Array<string> = []
      const ready = new Event()
      const works = (name: string) =>
        body(function*() {
          seen.push(`${name} ${see()}`)
          yield* ready.wait()
          seen.push(`${name} ${see()}`)
        })
      const all = [
        storage.run("a", () => spawn(works("a"))),
        storage.run("b", () => spawnLater(0, works("b"))),
        storage.run("c", () =>
          spawn(body(function*() {
            ready.set()
          })))
      ]
      const told: Array<string | undefined> = []
      storage.run("linker", () => all[0]!.link(() => void told.push(see())))
      yield* joinall(all)
      expect(new Set(seen)).toEqual(new Set(["a a", "b b"]))
      expect(seen.length).toBe(4)
      expect(told).toEqual([undefined])
      expect(see()).toBe(undefined)
    }))
})

describe("following", () => {
  test("cannot begin in a tasklet", () => {
    stop()
    return main(function*() {
      expect(() => followAsyncLocalStorage()).toThrow("outside of all greenlets and tasklets")
      yield* schedule()
    })
  })

  test("goes on until all who asked for it have stopped it", async () => {
    const seen: Array<string | undefined> = []
    const program = () =>
      main(function*() {
        storage.run("mine", () => tasklet(() => void seen.push(see()))())
        yield* run()
      })
    const stopToo = followAsyncLocalStorage()
    stop()
    stop()
    await program()
    stopToo()
    await program()
    expect(seen).toEqual(["mine", undefined])
  })

  test("begins with a tasklet that was made before at its next turn", async () => {
    stop()
    const seen: Array<string | undefined> = []
    await onThread(Effect.gen(function*() {
      tasklet(function*() {
        seen.push(see())
        yield* scheduleRemove()
        seen.push(see())
        yield* schedule()
        seen.push(see())
      })().name = "early"
      const early = (yield* Effect.sync(() => getcurrent())).next!
      yield* run()
      stop = followAsyncLocalStorage()
      storage.run("inserter", () => early.insert())
      yield* run()
    }))
    expect(seen).toEqual([undefined, undefined, undefined])
  })

  test("leaves development mode what it finds: a yield* that is forgotten in a called function", async () => {
    const forgotten: Array<unknown> = []
    const off = developmentMode({ report: (error) => void forgotten.push(error) })
    try {
      await main(function*() {
        const c = channel<number>()
        tasklet(function*() {
          yield* call(function*() {
            void c.send(1)
          })
        })()
        yield* run()
      })
    } finally {
      off()
    }
    expect(forgotten).toHaveLength(1)
  })

  test("is needed by runWith, which otherwise would change what others see", () => {
    stop()
    return main(function*() {
      expect(yield* errorOf(runWith(storage, "mine", () => 1))).toMatchObject({
        message: expect.stringContaining("runWith needs followAsyncLocalStorage()")
      })
    })
  })

  test("tells bad arguments at once", () => {
    expect(() => runWith({} as never, "mine", () => 1)).toThrow("runWith takes an AsyncLocalStorage")
    expect(() => runWith(storage, "mine", undefined as never)).toThrow("runWith takes a function")
  })
})
