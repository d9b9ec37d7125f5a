/** What can be seen of a greenlet: tracing, its frame, its context; and development mode. */
import { Context, Effect, Exit } from "effect"
import {
  AttributeError,
  call,
  developmentMode,
  getcurrent,
  gettrace,
  type Greenlet,
  greenlet,
  type GreenletError,
  GreenletExit,
  settrace,
  ValueError
} from "effect-stackless/greenlet"
import { afterEach, describe, expect, test } from "vitest"
import { compiled } from "../gear.ts"
import { as, kinds, main, run } from "./bodies.ts"

const parent = () => getcurrent().parent!

describe("a trace function", () => {
  test("is set and got, and the one before given back", () =>
    run(Effect.sync(() => {
      const trace = () => {}
      expect(gettrace()).toBeUndefined()
      expect(settrace(trace)).toBeUndefined()
      expect(gettrace()).toBe(trace)
      expect(settrace(trace)).toBe(trace)
      expect(settrace(null)).toBe(trace)
      expect(gettrace()).toBeUndefined()
    })))

  test.each(kinds)("is told of every switch and throw between %s bodies", (kind) =>
    main(function*() {
      const log: Array<string> = []
      const me = getcurrent()
      const names = new Map<Greenlet, string>([[me, "main"]])
      settrace((event, from, to) => log.push(`${event} ${names.get(from)} ${names.get(to)}`))
      const target: Greenlet = greenlet(as(kind, function*() {
        yield* origin.switch()
      }))
      const origin: Greenlet = greenlet(as(kind, function*() {
        yield* target.switch()
        yield* target.throw()
      }))
      names.set(target, "target").set(origin, "origin")
      yield* origin.switch()
      settrace(undefined)
      expect(log).toEqual([
        "switch main origin",
        "switch origin target",
        "switch target origin",
        "throw origin target",
        "switch target main"
      ])
    }))

  test("is told of an error that ends a greenlet", () =>
    main(function*() {
      const log: Array<string> = []
      settrace((event) => log.push(event))
      yield* Effect.exit(
        greenlet(() => {
          throw new Error("thrown")
        }).switch()
      )
      settrace(undefined)
      expect(log).toEqual(["switch", "throw"])
    }))

  test.each(kinds)(
    "sees a %s greenlet started at its first switch: its body cannot be changed any more",
    (kind) =>
      main(function*() {
        const make = () =>
          greenlet(as(kind, function*() {
            return "its own body"
          }))
        const first = [
          (g: Greenlet) => g.switch(),
          (g: Greenlet) => g.throw(),
          (g: Greenlet) => greenlet(() => 1, g).switch()
        ]
        const ended: Array<unknown> = []
        for (const op of first) {
          const g = make()
          const seen: Array<unknown> = []
          settrace((event, _, to) => {
            if (to !== g) return
            seen.push(event, g.active, String(g))
            expect(() => g.run).toThrow(AttributeError)
            expect(() => {
              g.run = () => "another"
            }).toThrow(AttributeError)
          })
          ended.push(yield* op(g))
          settrace(undefined)
          expect(seen).toEqual([op === first[1] ? "throw" : "switch", true, expect.stringContaining("current active")])
          expect(g.dead).toBe(true)
        }
        expect(ended).toEqual(["its own body", expect.any(GreenletExit), "its own body"])
      })
  )

  test.each(kinds)("that throws at the first switch to a %s greenlet ends it with that", (kind) =>
    main(function*() {
      const error = new Error("trace")
      let ran = false
      const g = greenlet(as(kind, function*() {
        ran = true
      }))
      settrace(() => {
        throw error
      })
      expect(yield* Effect.exit(g.switch())).toEqual(Exit.die(error))
      expect([g.dead, ran]).toEqual([true, false])
    }))

  test("that throws is removed, and its error thrown in the target", () =>
    main(function*() {
      const error = new Error("trace")
      const g = greenlet(function*() {
        try {
          yield* parent().switch()
        } catch (e) {
          return e
        }
      })
      yield* g.switch()
      settrace(() => {
        throw error
      })
      expect(yield* g.switch()).toBe(error)
      expect(gettrace()).toBeUndefined()
    }))

  test("runs in the target", () =>
    main(function*() {
      const g = greenlet(() => {})
      const seen: Array<Greenlet> = []
      settrace(() => seen.push(getcurrent()))
      yield* g.switch()
      settrace(undefined)
      expect(seen).toEqual([g, getcurrent()])
    }))
})

describe("what people see", () => {
  test("of a greenlet, as JSON: its body, its state, its parent", () =>
    main(function*() {
      const seen = (g: unknown): unknown => JSON.parse(JSON.stringify(g))
      const g = greenlet(function* clerk() {
        yield* parent().switch()
      })
      expect(seen(g)).toMatchObject({ type: "Greenlet", name: "clerk", state: "pending", main: false })
      yield* g.switch()
      expect(seen(g)).toMatchObject({ state: "suspended", parent: String(getcurrent()) })
      expect(seen(getcurrent())).toEqual({ type: "Greenlet", state: "current", main: true })
      yield* g.switch()
      expect(seen([g])).toMatchObject([{ state: "dead" }])
    }))
})

describe("grFrame", () => {
  test("is undefined for a greenlet that has not started, runs, or is dead", () =>
    main(function*() {
      const g: Greenlet = greenlet(function*() {
        return g.grFrame
      })
      expect(g.grFrame).toBeUndefined()
      expect(yield* g.switch()).toBeUndefined()
      expect(g.grFrame).toBeUndefined()
      expect(getcurrent().grFrame).toBeUndefined()
    }))

  test("names the functions of a suspended greenlet, the innermost first", () =>
    main(function*() {
      function* inner() {
        yield* parent().switch()
      }
      const g = greenlet(function* outer() {
        yield* call(inner)
      })
      yield* g.switch()
      expect(g.grFrame!.back!.name).toBe("outer")
      expect(g.grFrame!.back!.back).toBeUndefined()
      // A compiled frame knows its name and its line.
      expect(String(g.grFrame)).toMatch(
        compiled
          ? /^inner\n {4}at inner \(test\/greenlet\/inspection\.test\.ts:\d+:\d+\)\nouter\n {4}at outer \(.*\)$/
          : /^call\nouter$/
      )
    }))

  test("prints as many frames as there are calls", () =>
    main(function*() {
      function* nested(depth: number): Generator<any, void, any> {
        if (depth === 0) yield* parent().switch()
        else yield* call(nested, depth - 1)
      }
      const g = greenlet(nested)
      yield* g.switch(100_000)
      const printed = String(g.grFrame).split("\n").filter((line) => !line.startsWith(" "))
      expect(printed.length).toBe(100_001)
      expect(new Set(printed.slice(0, -1))).toEqual(new Set([compiled ? "nested" : "call"]))
      expect(printed.at(-1)).toBe("nested")
    }))

  test("says that a greenlet waits for an Effect", () =>
    run(Effect.gen(function*() {
      const g = greenlet(function* sleeper() {
        yield* Effect.never
      })
      yield* Effect.exit(Effect.timeout(g.switch(), 5))
      expect(g.grFrame!.waiting).toBe(true)
      expect(String(g.grFrame)).toMatch(
        compiled
          ? /^Effect, waiting for an Effect\nsleeper\n {4}at sleeper \(.*\)$/
          : /^Effect, waiting for an Effect\nsleeper$/
      )
    })))

  test("of a main greenlet is the program outside", () =>
    run(Effect.suspend(() => {
      const me = getcurrent()
      return Effect.map(greenlet(() => me.grFrame!.name).switch(), (name) => expect(name).toBe("outside"))
    })))
})

describe("grContext", () => {
  const Id = Context.Reference<number>("test/Id", { defaultValue: () => 0 })
  const set = (id: number) => {
    const me = getcurrent()
    me.grContext = Context.add(me.grContext, Id, id)
  }

  test.each(kinds)("is each %s greenlet's own", (kind) =>
    main(function*() {
      set(100)
      const counts = new Map<number, number>()
      const make = (id: number) =>
        greenlet(as(kind, function*() {
          expect(yield* Id).toBe(100)
          set(id)
          for (let i = 0; i < 2; i++) {
            const now = yield* Id
            counts.set(now, (counts.get(now) ?? 0) + 1)
            yield* parent().switch()
          }
        }))
      const all = [1, 2, 3, 4].map(make)
      for (let i = 0; i < 3; i++) for (const g of all) yield* g.switch()
      expect([...counts]).toEqual([[1, 2], [2, 2], [3, 2], [4, 2]])
      expect(yield* Id).toBe(100)
      expect(all.every((g) => g.dead)).toBe(true)
    }))

  test("starts with the creator's, and can be made empty", () =>
    main(function*() {
      set(7)
      const body = function*() {
        return yield* Id
      }
      expect(yield* greenlet(body).switch()).toBe(7)
      const empty = greenlet(body)
      empty.grContext = undefined
      expect(yield* empty.switch()).toBe(0)
    }))

  test.each(kinds)("can be read and set while a %s greenlet is suspended", (kind) =>
    main(function*() {
      const g: Greenlet = greenlet(as(kind, function*() {
        set(1)
        yield* Id
        yield* parent().switch()
        return yield* Id
      }))
      yield* g.switch()
      expect(Context.get(g.grContext, Id)).toBe(1)
      g.grContext = Context.add(g.grContext, Id, 2)
      expect(yield* g.switch()).toBe(2)
    }))

  test("follows the Effect that the greenlet is in", () =>
    main(function*() {
      const g = greenlet(function*() {
        yield* Effect.provideService(Effect.suspend(() => parent().switch()), Id, 5)
        return yield* Id
      })
      yield* g.switch()
      expect(Context.get(g.grContext, Id)).toBe(5)
      expect(yield* g.switch()).toBe(0)
    }))

  const setting = function*() {
    const before = yield* Id
    set(5)
    return [before, yield* Id, Context.get(getcurrent().grContext, Id)]
  }

  test.each(
    [
      ["in a hard body", function*() {
        return yield* Effect.gen(function*() {
          return yield* call(setting)
        })
      }],
      ["under Effect.map", function*() {
        return yield* Effect.map(call(setting), (seen) => seen)
      }],
      ["under a timeout", function*() {
        return yield* Effect.timeout(call(setting), 1000)
      }],
      ["under another service", function*() {
        return yield* Effect.provideService(
          call(setting),
          Context.Reference("test/Other", { defaultValue: () => 0 }),
          1
        )
      }],
      ["in another call", function*() {
        return yield* Effect.map(call(() => Effect.map(call(setting), (seen) => seen)), (seen) => seen)
      }]
    ] satisfies ReadonlyArray<[string, () => Generator<any, any, any>]>
  )("that a called function sets %s counts from then on", (_, body) =>
    main(function*() {
      expect(yield* greenlet(body).switch()).toEqual([0, 5, 5])
      // also when the body goes on
      expect(
        yield* greenlet(() =>
          Effect.gen(function*() {
            yield* call(body)
            return [yield* Id, Context.get(getcurrent().grContext, Id)]
          })
        ).switch()
      ).toEqual([5, 5])
    }))

  test("that a called function sets ends with the service that the call is provided with", () =>
    main(function*() {
      const g = greenlet(function*() {
        const seen = yield* Effect.provideService(call(setting), Id, 1)
        return [...seen, yield* Id, Context.get(getcurrent().grContext, Id)]
      })
      expect(yield* g.switch()).toEqual([1, 5, 5, 0, 0])
    }))

  test.each(kinds)("of a call is that of the Effect in a %s body that it is made in", (kind) =>
    main(function*() {
      const g = greenlet(as(kind, function*() {
        const seen: Array<unknown> = []
        const look = function*() {
          return [yield* Id, Context.get(getcurrent().grContext, Id), Context.get(greenlet().grContext, Id)]
        }
        for (const id of [1, 2]) seen.push(yield* Effect.provideService(call(look), Id, id))
        seen.push(yield* Effect.map(call(look), (ids) => ids))
        return seen
      }))
      expect(yield* g.switch()).toEqual([[1, 1, 1], [2, 2, 2], [0, 0, 0]])
    }))

  test("of the program outside is that of its fiber", () =>
    run(
      Effect.gen(function*() {
        expect(Context.get(getcurrent().grContext, Id)).toBe(3)
        set(4)
        expect(yield* Id).toBe(4)
      }).pipe(Effect.provideService(Id, 3))
    ))

  test("takes nothing but contexts", () => {
    const g = greenlet()
    for (const bad of [3, {}, "context"]) {
      expect(() => {
        ;(g as any).grContext = bad
      }).toThrow(TypeError)
    }
  })

  test("of a greenlet that runs on another thread cannot be had", () =>
    main(function*() {
      const me = getcurrent()
      yield* Effect.promise(() =>
        run(Effect.sync(() => {
          expect(() => me.grContext).toThrow(ValueError)
          expect(() => {
            me.grContext = undefined
          }).toThrow(ValueError)
        }))
      )
    }))
})

describe("development mode", () => {
  let off = () => {}
  afterEach(() => off())

  const reports = () => {
    const errors: Array<GreenletError> = []
    off = developmentMode((error) => errors.push(error))
    return errors
  }

  test.each(kinds)(
    "reports an operation that a %s body made and did not perform, and says where",
    (kind) =>
      main(function*() {
        const errors = reports()
        const g = greenlet(as(kind, function*() {
          void parent().switch("forgotten")
          yield* greenlet(() => {}).switch()
        }))
        yield* g.switch()
        expect(errors.map((error) => error.message)).toEqual([expect.stringContaining("yield* is missing")])
        expect(errors[0]!.stack).toContain("inspection.test.ts")
        expect(errors[0]!.stack).not.toContain("src/greenlet")
      })
  )

  test("reports one that is forgotten last in a body, or in a called function", () =>
    main(function*() {
      const errors = reports()
      function* helper(): Generator<any, void, any> {
        void parent().switch()
      }
      yield* greenlet(function*() {
        yield* call(helper)
      }).switch()
      expect(errors).toHaveLength(1)
    }))

  test.each(kinds)("reports one that a %s body forgets after it has performed others", (kind) =>
    main(function*() {
      const errors = reports()
      const g = greenlet(as(kind, function*() {
        yield* parent().switch("first")
        void parent().switch("forgotten after a switch")
        yield* greenlet(() => {}).switch()
        try {
          yield* greenlet(() => {
            throw new RangeError("to be caught")
          }).switch()
        } catch {
          void parent().switch("forgotten after an error")
        }
        yield* call(function*() {})
        void parent().switch("forgotten last")
      }))
      yield* g.switch()
      yield* g.switch()
      expect(g.dead).toBe(true)
      expect(errors).toHaveLength(3)
    }))

  test("throws in the body if nobody is to be told", () =>
    main(function*() {
      off = developmentMode()
      const g = greenlet(function*() {
        void parent().switch("forgotten")
        try {
          yield* greenlet(() => {}).switch()
        } catch (error) {
          return error
        }
      })
      expect(String(yield* g.switch())).toContain("yield* is missing")
    }))

  test("reports nothing that is performed, piped, timed out, or run", () =>
    main(function*() {
      const errors = reports()
      const echo = () =>
        greenlet(function*() {
          return 1
        }).switch()
      const g = greenlet(function*(): Generator<any, any, any> {
        yield* echo()
        yield echo()
        yield* echo().pipe(Effect.map((n) => n))
        yield* Effect.timeout(echo(), 100)
        yield* Effect.exit(echo())
        yield* call(() => echo())
        const kept = echo()
        yield* Effect.sleep(1)
        yield* kept
        yield* call(function*() {
          return yield* echo()
        })
        return (yield* echo()) + (yield* echo())
      })
      expect(yield* g.switch()).toBe(2)
      expect(errors).toEqual([])
    }))

  test("lets grFrame say where in the source, and in which operation", () =>
    main(function*() {
      off = developmentMode()
      function* inner() {
        yield* parent().switch()
      }
      const g = greenlet(function* outer() {
        yield* call(inner)
      })
      yield* g.switch()
      const frame = g.grFrame!
      expect(frame.name).toBe("inner")
      expect(frame.lines[0]).toMatch(/inner .*inspection\.test\.ts:\d+/)
      expect(frame.operation).toBeDefined()
      expect(String(frame.back)).toMatch(/^outer\n.*outer .*inspection\.test\.ts:\d+/)
    }))

  test("leaves nothing behind when it is off", () =>
    main(function*() {
      const errors = reports()
      off()
      const op = greenlet(() => 1).switch()
      expect(Object.keys(op)).not.toContain("perform")
      expect(Object.hasOwn(op, "perform")).toBe(false)
      yield* greenlet(function*() {
        void parent().switch()
      }).switch()
      expect(errors).toEqual([])
      expect(yield* op).toBe(1)
    }))
})
