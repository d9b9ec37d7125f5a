/** Creating greenlets and switching between them, throwing, dying, and parents. */
import { Effect, Exit } from "effect"
import {
  AttributeError,
  call,
  getcurrent,
  Greenlet,
  greenlet,
  GreenletError,
  GreenletExit,
  ValueError,
  withThread
} from "effect-stackless/greenlet"
import { describe, expect, test } from "vitest"
import { as, kinds, main } from "./bodies.ts"

/** What an operation throws. */
function* caught(operation: Effect.Effect<unknown, unknown>): Generator<Effect.Effect<any, any>, any, any> {
  try {
    yield* operation
  } catch (error) {
    return error
  }
  throw new Error("nothing was thrown")
}

const parent = () => getcurrent().parent!

describe("creating", () => {
  test("a greenlet does not run before it is switched to", () => {
    let ran = false
    const g = greenlet(function*() {
      ran = true
    })
    expect([ran, g.active, g.dead]).toEqual([false, false, false])
    Effect.runSync(g.switch())
    expect([ran, g.active, g.dead]).toEqual([true, false, true])
  })

  test("its parent is the greenlet that makes it, and its run the body", () =>
    main(function*() {
      const body = function*() {}
      const g = greenlet(body)
      expect(g.parent).toBe(getcurrent())
      expect(g.run).toBe(body)
      const inner = yield* greenlet(function*() {
        return greenlet(body)
      }).switch<Greenlet>()
      expect(inner.parent).not.toBe(getcurrent())
    }))

  test("a parent of null or undefined is the current greenlet", () => {
    expect(new Greenlet(function*() {}, null).parent).toBe(getcurrent())
    expect(greenlet(function*() {}, undefined).parent).toBe(getcurrent())
  })

  test("run is gone once it has started", () =>
    main(function*() {
      const g: Greenlet = greenlet(function*() {
        expect(() => g.run).toThrow(AttributeError)
      })
      yield* g.switch()
      expect(() => g.run).toThrow(AttributeError)
      expect(() => {
        g.run = function*() {}
      }).toThrow(AttributeError)
    }))

  test("run can be set until the start", () =>
    main(function*() {
      const g = greenlet()
      g.run = function*(n: number) {
        return n + 1
      }
      expect(yield* g.switch(1)).toBe(2)
    }))

  test("one without a body cannot be started, by switch, throw, or the end of a child", () =>
    main(function*() {
      const g = greenlet()
      expect(() => g.run).toThrow(AttributeError)
      expect(yield* caught(g.switch())).toBeInstanceOf(AttributeError)
      expect(yield* caught(g.throw(new Error("thrown")))).toBeInstanceOf(AttributeError)
      expect(yield* caught(greenlet(() => {}, g).switch())).toBeInstanceOf(AttributeError)
      expect(g.active || g.dead).toBe(false)
    }))

  test("a subclass has its body as a run method, and state of its own", () =>
    main(function*() {
      class Counter extends Greenlet<[number], string> {
        total = 0
        override *run(n: number): Generator<any, string, any> {
          for (;;) {
            this.total += n
            n = yield* this.parent!.switch<number>(this.total)
          }
        }
      }
      const counter = new Counter()
      yield* counter.switch(1)
      expect(yield* counter.switch(5)).toBe(6)
      expect(counter.total).toBe(6)
    }))

  test.each(kinds)("a %s body is no method: it has no this", (kind) =>
    main(function*() {
      let seen: unknown
      const body = as(kind, function*() {})
      const g: Greenlet = greenlet(function(this: unknown) {
        seen = [this, getcurrent()]
        return body()
      })
      yield* g.switch()
      expect(seen).toEqual([undefined, g])
    }))
})

describe.each(kinds)("a run getter with a %s body", (kind) => {
  test("is asked once for the body, whatever starts the greenlet", () =>
    main(function*() {
      let asked = 0
      class Getter extends Greenlet {
        // @ts-expect-error -- an accessor in the place of a method
        override get run() {
          asked++
          return as(kind, function*() {
            return asked
          })
        }
      }
      expect(yield* new Getter().switch()).toBe(1)
      expect(yield* greenlet(() => {}, new Getter()).switch()).toBe(2)
      yield* new Getter().throw()
      expect(asked).toBe(3)
    }))
})

describe.each(kinds)("switching with %s bodies", (kind) => {
  test("passes arguments to the start, and values to and fro after it", () =>
    main(function*() {
      const log: Array<unknown> = []
      const one = greenlet(as(kind, function*(x: string, y: string) {
        log.push(yield* two.switch(x + y))
      }))
      const two: Greenlet = greenlet(as(kind, function*(u: string) {
        log.push(u)
        yield* one.switch(42)
      }))
      yield* one.switch("hello", " world")
      expect(log).toEqual(["hello world", 42])
    }))

  test("brings undefined for no value, the value for one, an array for more", () =>
    main(function*() {
      const g: Greenlet = greenlet(as(kind, function*() {
        const got: Array<unknown> = []
        for (let i = 0; i < 3; i++) got.push(yield* parent().switch())
        return got
      }))
      yield* g.switch()
      yield* g.switch()
      yield* g.switch(1)
      expect(yield* g.switch(1, 2)).toEqual([undefined, 1, [1, 2]])
    }))

  test("to oneself gives the value back", () =>
    main(function*() {
      const g: Greenlet = greenlet(as(kind, function*() {
        return [yield* g.switch(1), yield* g.switch(), yield* g.switch(1, 2)]
      }))
      expect(yield* g.switch()).toEqual([1, undefined, [1, 2]])
    }))

  test("to a dead greenlet goes to its parent, or that one's", () =>
    main(function*() {
      const outer = greenlet(as(kind, function*() {
        const inner = greenlet(as(kind, function*() {
          return 42
        }))
        expect(yield* inner.switch()).toBe(42)
        expect(yield* inner.switch("self")).toBe("self")
        return inner
      }))
      const inner = yield* outer.switch<Greenlet>()
      expect(yield* inner.switch("main")).toBe("main")
    }))

  test("interleaves two greenlets in order", () =>
    main(function*() {
      const log: Array<string> = []
      const make = (name: string): Greenlet =>
        greenlet(as(kind, function*() {
          for (let i = 0; i < 3; i++) {
            log.push(`${name}${i}`)
            yield* parent().switch()
          }
        }))
      const [a, b] = [make("a"), make("b")]
      for (let i = 0; i < 4; i++) {
        yield* a.switch()
        yield* b.switch()
      }
      expect(log).toEqual(["a0", "b0", "a1", "b1", "a2", "b2"])
      expect([a.dead, b.dead]).toEqual([true, true])
    }))

  test("a return goes to the parent as the value of its switch", () =>
    main(function*() {
      expect(
        yield* greenlet(as(kind, function*() {
          return "value"
        })).switch()
      ).toBe("value")
    }))

  test("an error goes to the parent, thrown", () =>
    main(function*() {
      const error = new Error("thrown")
      const g = greenlet(as(kind, function*() {
        throw error
      }))
      expect(yield* caught(g.switch())).toBe(error)
      expect(g.dead).toBe(true)
    }))

  test("GreenletExit goes to the parent as a value", () =>
    main(function*() {
      const exit = new GreenletExit()
      const g = greenlet(as(kind, function*() {
        throw exit
      }))
      expect(yield* g.switch()).toBe(exit)
    }))

  test("throw raises in the suspended greenlet, which may catch it", () =>
    main(function*() {
      const g = greenlet(as(kind, function*() {
        try {
          yield* parent().switch("ready")
        } catch (error) {
          return `caught ${(error as Error).message}`
        }
      }))
      yield* g.switch()
      expect(yield* g.throw(new Error("ciao"))).toBe("caught ciao")
    }))

  test("throw takes a class of errors, and what its constructor takes", () =>
    main(function*() {
      const thrown = function*(...args: [unknown, ...Array<unknown>]): Generator<any, any, any> {
        const g = greenlet(as(kind, function*() {
          yield* parent().switch()
        }))
        yield* g.switch()
        return yield* caught(g.throw(...args))
      }
      const error = yield* thrown(RangeError, "too far")
      expect(error).toBeInstanceOf(RangeError)
      expect(error.message).toBe("too far")
      expect(yield* thrown(ValueError)).toBeInstanceOf(ValueError)
    }))

  test("throw without an error ends it, and gives the GreenletExit back; again, it passes through the dead one", () =>
    main(function*() {
      const g = greenlet(as(kind, function*() {
        yield* parent().switch("ok")
      }))
      yield* g.switch()
      expect(yield* g.throw()).toBeInstanceOf(GreenletExit)
      expect(g.dead).toBe(true)
      expect(yield* g.throw()).toBeInstanceOf(GreenletExit)
      const exit = new GreenletExit()
      expect(yield* g.throw(exit)).toBe(exit)
      const error = new Error("thrown")
      expect(yield* caught(g.throw(error))).toBe(error)
    }))

  test("throw into one that has not started ends it without running, and the error goes to its parent", () =>
    main(function*() {
      let ran = false
      const g = greenlet(as(kind, function*() {
        ran = true
      }))
      const error = new Error("thrown")
      expect(yield* caught(g.throw(error))).toBe(error)
      expect([ran, g.dead]).toEqual([false, true])
    }))

  test("throw into oneself, or into main from main, is thrown on the spot", () =>
    main(function*() {
      const error = new Error("thrown")
      const g: Greenlet = greenlet(as(kind, function*() {
        return yield* caught(g.throw(error))
      }))
      expect(yield* g.switch()).toBe(error)
      expect(yield* caught(getcurrent().throw(error))).toBe(error)
    }))

  test("throw through a greenlet goes to the parent that it was made with", () =>
    main(function*() {
      const top = getcurrent()
      const make = () =>
        greenlet(as(kind, function*() {
          try {
            yield* top.switch("ready to catch")
          } catch (error) {
            return error
          }
          return "normal exit"
        }))
      const error = new RangeError()
      const unready = make()
      const child = greenlet(
        as(kind, function*() {
          yield* top.switch("from the child")
        }),
        unready
      )
      expect(yield* caught(child.throw(error))).toBe(error)
      expect([child.dead, unready.dead]).toEqual([true, true])

      const ready = make()
      const second = greenlet(
        as(kind, function*() {
          yield* top.switch("from the second")
        }),
        ready
      )
      expect(yield* ready.switch()).toBe("ready to catch")
      expect(yield* second.switch()).toBe("from the second")
      expect(yield* second.throw(error)).toBe(error)
      expect([second.dead, ready.dead]).toEqual([true, true])
    }))

  test("a parent changed while the child runs is where it ends", () =>
    main(function*() {
      const log: Array<unknown> = []
      const other = greenlet(as(kind, function*(value: unknown) {
        log.push(["other", value])
        return "other's"
      }))
      const child: Greenlet = greenlet(as(kind, function*() {
        child.parent = other
        return "child's"
      }))
      expect(yield* child.switch()).toBe("other's")
      expect(log).toEqual([["other", "child's"]])
    }))

  test("an unstarted parent is started by the end of its child, with the value", () =>
    main(function*() {
      const p = greenlet(as(kind, function*(x: number) {
        return [x, 24]
      }))
      const child = greenlet(
        as(kind, function*() {
          return 42
        }),
        p
      )
      expect(yield* child.switch()).toEqual([42, 24])
    }))

  test("a GreenletExit that is returned is an argument of an unstarted parent, one that is thrown is none", () =>
    main(function*() {
      const p = () =>
        greenlet(as(kind, function*(...args: Array<unknown>) {
          return args
        }))
      const exit = new GreenletExit("exit")
      const returns = greenlet(
        as(kind, function*() {
          return exit
        }),
        p()
      )
      const throws = greenlet(
        as(kind, function*() {
          throw exit
        }),
        p()
      )
      expect(yield* returns.switch()).toEqual([exit])
      expect(yield* throws.switch()).toEqual([])
      const dead = greenlet(as(kind, function*() {}))
      yield* dead.switch()
      dead.parent = p()
      expect(yield* dead.switch(exit)).toEqual([exit])
      dead.parent = p()
      expect(yield* dead.throw(exit)).toEqual([])
    }))

  test("an unstarted parent dies of its child's error", () =>
    main(function*() {
      const error = new Error("thrown")
      const p = greenlet(as(kind, function*() {}))
      const child = greenlet(
        as(kind, function*() {
          throw error
        }),
        p
      )
      expect(yield* caught(child.switch())).toBe(error)
      expect(p.dead).toBe(true)
    }))

  test("a chain of dead parents leads to main", () =>
    main(function*() {
      const chain: Array<Greenlet> = []
      for (let i = 0; i < 10; i++) chain.push(greenlet(as(kind, function*() {}), chain.at(-1) ?? null as any))
      yield* chain[0]!.switch()
      for (const g of chain.slice(1, -1)) yield* g.switch()
      expect(chain.slice(0, -1).every((g) => g.dead)).toBe(true)
      const last = chain.at(-1)!
      expect(yield* last.switch()).toBe(undefined)
      expect(yield* last.switch("value")).toBe("value")
    }))

  test("finally blocks run, and may switch", () =>
    main(function*() {
      const log: Array<unknown> = []
      const g = greenlet(as(kind, function*() {
        try {
          yield* parent().switch()
        } finally {
          log.push(yield* parent().switch("in finally"))
        }
      }))
      yield* g.switch()
      expect(yield* g.throw()).toBe("in finally")
      expect(g.active).toBe(true)
      expect(yield* g.switch("value")).toBeInstanceOf(GreenletExit)
      expect(log).toEqual(["value"])
    }))
})

describe("parents", () => {
  test("must be greenlets", () => {
    const g = greenlet(() => {})
    for (const bad of [42, undefined, null, {}, "g"]) {
      expect(() => {
        ;(g as any).parent = bad
      }).toThrow(TypeError)
    }
    expect(() => greenlet(() => {}, 42 as any)).toThrow(TypeError)
  })

  test("must not form a cycle", () => {
    const a = greenlet(() => {})
    const b = greenlet(() => {}, a)
    const c = greenlet(() => {}, b)
    for (const bad of [a, b, c]) {
      expect(() => {
        a.parent = bad
      }).toThrow(ValueError)
    }
    expect(a.parent).toBe(getcurrent())
  })

  test("of a main greenlet there is none, and none can be set", () => {
    expect(getcurrent().parent).toBeUndefined()
    expect(() => {
      getcurrent().parent = greenlet(() => {})
    }).toThrow(/cycl|main/)
    const g = greenlet(() => {})
    expect(() => {
      getcurrent().parent = g
    }).toThrow(Error)
  })

  test("of a dead greenlet can be set: it stands for the new one", () =>
    main(function*() {
      const log: Array<number> = []
      const p = greenlet(function*() {
        log.push(24)
      })
      const child = greenlet(function*() {
        log.push(42)
      })
      yield* child.switch()
      child.parent = p
      expect(yield* child.switch()).toBeUndefined()
      expect(log).toEqual([42, 24])
    }))
})

describe("call", () => {
  test("gives back what a generator, an Effect or a plain function gives", () =>
    main(function*() {
      expect(
        yield* call(function*(n: number) {
          return n
        }, 1)
      ).toBe(1)
      expect(yield* call((n: number) => Effect.succeed(n), 2)).toBe(2)
      expect(yield* call((n: number) => n, 3)).toBe(3)
    }))

  test("throws what the function throws, where it was called", () =>
    main(function*() {
      const error = new Error("thrown")
      for (
        const f of [
          function*() {
            throw error
          },
          () => Effect.die(error),
          () => {
            throw error
          }
        ]
      ) {
        expect(yield* caught(call(f as any))).toBe(error)
      }
    }))

  test("a called function may switch, and be thrown into", () =>
    main(function*() {
      function* inner(): Generator<any, any, any> {
        try {
          return yield* parent().switch("inside")
        } catch (error) {
          return error
        }
      }
      const g: Greenlet = greenlet(function*() {
        return [yield* call(inner), yield* call(inner)]
      })
      yield* g.switch()
      yield* g.switch("value")
      const error = new Error("thrown")
      expect(yield* g.throw(error)).toEqual(["value", error])
    }))

  test("from outside runs the function as the main greenlet", async () => {
    expect(
      await Effect.runPromise(call(function*() {
        return getcurrent().parent
      }))
    ).toBeUndefined()
  })
})

test("a greenlet prints its class, body and state", () =>
  main(function*() {
    class Worker extends Greenlet {}
    const g: Greenlet = greenlet(function* body() {
      const inside = `${g}`
      yield* parent().switch(inside)
    })
    expect(`${g}`).toBe("<Greenlet body pending>")
    expect(yield* g.switch()).toBe("<Greenlet body current active started>")
    expect(`${g}`).toBe("<Greenlet body suspended active started>")
    yield* g.switch()
    expect(`${g}`).toBe("<Greenlet body dead>")
    expect(`${new Worker()}`).toBe("<Worker pending>")
    expect(`${getcurrent()}`).toBe("<Greenlet current active started main>")
  }))

test("what prints is current only on the thread that looks, and a dead one says that its thread has ended", () =>
  main(function*() {
    const here = getcurrent()
    const printed = yield* withThread(Effect.sync(() => [getcurrent(), `${getcurrent()}`, `${here}`] as const))
    expect(printed.slice(1)).toEqual([
      "<Greenlet current active started main>",
      "<Greenlet suspended active started main>"
    ])
    expect(`${printed[0]}`).toBe("<Greenlet (thread exited) dead>")
  }))

test("a greenlet cannot be copied", () => {
  expect(() => structuredClone(greenlet(function*() {}))).toThrow(Error)
})

test("a switch to another thread's greenlet is an error that names the reason", async () => {
  const exit = await Effect.runPromiseExit(greenlet(() => {}).switch().pipe(Effect.exit))
  expect(Exit.isSuccess(exit)).toBe(true)
  const g = greenlet(() => {})
  const error = await main(function*() {
    return yield* caught(g.switch())
  })
  expect(error).toBeInstanceOf(GreenletError)
})
