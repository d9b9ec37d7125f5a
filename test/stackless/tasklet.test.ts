/** Tasklets: what they run, how they are made runnable, run, and ended. */
import { Effect } from "effect"
import {
  channel,
  getcurrent,
  getmain,
  getruncount,
  run,
  RuntimeError,
  schedule,
  scheduleRemove,
  switchTrap,
  Tasklet,
  tasklet,
  TaskletExit
} from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { errorOf, inBothGears, main, onThread, type Steps } from "./program.ts"

test("the talk's program runs in the talk's order", async () => {
  const said: Array<string> = []
  const talk = channel<string>()
  function* receiving() {
    said.push("Receiving tasklet started")
    said.push(yield* talk.receive())
    said.push("Receiving tasklet finished")
  }
  function* sending() {
    said.push("Sending tasklet started")
    yield* talk.send("send from sending tasklet")
    said.push("Sending tasklet finished")
  }
  function* another() {
    said.push("Just another tasklet in the scheduler")
  }
  await onThread(Effect.suspend(() => {
    tasklet(receiving)()
    tasklet(sending)()
    tasklet(another)()
    return run()
  }))
  expect(said).toEqual([
    "Receiving tasklet started",
    "Sending tasklet started",
    "send from sending tasklet",
    "Receiving tasklet finished",
    "Just another tasklet in the scheduler",
    "Sending tasklet finished"
  ])
})

inBothGears("binding", () => {
  test("a bound tasklet has no life until it has its arguments", () =>
    main(function*() {
      const got: Array<unknown> = []
      const t = new Tasklet(function*(...args: Array<unknown>) {
        got.push(...args)
      })
      expect([t.alive, t.paused, t.scheduled]).toEqual([false, false, false])
      t.setup(1, 2)
      expect([t.alive, t.paused, t.scheduled]).toEqual([true, false, true])
      yield* run()
      expect(got).toEqual([1, 2])
      expect(t.alive).toBe(false)
    }))

  test("bind with arguments makes it alive, and insert runnable", () =>
    main(function*() {
      let got: unknown
      const t = new Tasklet().bind(function*(x: unknown) {
        got = x
      }, [7])
      expect([t.alive, t.paused, t.scheduled]).toEqual([true, true, false])
      t.insert()
      yield* run()
      expect(got).toBe(7)
    }))

  test("the constructor takes arguments as bind does", () =>
    main(function*() {
      let got: unknown
      const t = new Tasklet(function*(x: unknown) {
        got = x
      }, [7])
      expect(t.paused).toBe(true)
      yield* t.run()
      expect(got).toBe(7)
    }))

  test("bind with arguments alone keeps the function", () =>
    main(function*() {
      let got: unknown
      const t = new Tasklet(function*(x: unknown) {
        got = x
      })
      t.bind(null, ["kept"]).insert()
      yield* run()
      expect(got).toBe("kept")
    }))

  test("a tasklet that has ended can be bound and run again, and stays the same object", () =>
    main(function*() {
      const got: Array<unknown> = []
      const t = tasklet(function*() {
        got.push("first")
      })()
      yield* run()
      t.bind(function*(x: string) {
        got.push(x)
      }).setup("second")
      yield* run()
      expect(got).toEqual(["first", "second"])
    }))

  test("unbinding a paused tasklet drops what it was in the middle of, its finally block too", () =>
    main(function*() {
      const got: Array<string> = []
      const t = tasklet(function*() {
        try {
          got.push("part 1")
          yield* scheduleRemove()
          got.push("part 2")
        } finally {
          got.push("cleanup")
        }
      })()
      yield* run()
      expect(t.paused).toBe(true)
      t.bind(null)
      expect(t.alive).toBe(false)
      yield* run()
      expect(got).toEqual(["part 1"])
    }))

  test("it can be bound by any of its methods from a body that returns an Effect, or a plain function", () =>
    main(function*() {
      const got: Array<string> = []
      tasklet((x: string) => Effect.sync(() => void got.push(x)))("effect")
      tasklet((x: string) => void got.push(x))("plain")
      yield* run()
      expect(got).toEqual(["effect", "plain"])
    }))

  test("what is scheduled, current or main cannot be bound, and what is bound to nothing not be set up", () =>
    main(function*() {
      const t = tasklet(function*() {})()
      expect(() => t.bind(function*() {})).toThrow(RuntimeError)
      expect(() => t.setup()).toThrow("alive")
      expect(() => getmain().bind(null)).toThrow(RuntimeError)
      expect(() => new Tasklet().setup()).toThrow("not bound")
      expect(() => new Tasklet().bind(null, [])).toThrow("not bound")
      yield* run()
      expect(() => t.insert()).toThrow("dead")
      expect(yield* errorOf(t.run())).toBeInstanceOf(RuntimeError)
    }))
})

inBothGears("running", () => {
  const named = (said: Array<string>) =>
    function*(name: string): Steps<void> {
      for (let i = 0; i < 2; i++) {
        said.push(name)
        yield* schedule()
      }
    }

  test("tasklets take turns in the order they were made in", () =>
    main(function*() {
      const said: Array<string> = []
      for (const name of ["a", "b", "c"]) tasklet(named(said))(name)
      yield* run()
      expect(said).toEqual(["a", "b", "c", "a", "b", "c"])
    }))

  test("insert puts a tasklet at the end, and does nothing if it is runnable", () =>
    main(function*() {
      const said: Array<string> = []
      const [a, b] = ["a", "b"].map((name) => tasklet(named(said))(name)) as [Tasklet, Tasklet]
      expect(a.remove()).toBe(a)
      expect(a.paused).toBe(true)
      expect(a.remove().paused).toBe(true)
      expect(a.insert()).toBe(a)
      b.insert()
      yield* run()
      expect(said).toEqual(["b", "a", "b", "a"])
    }))

  test("run runs a tasklet of the ring at once, and those after it, up to the caller", () =>
    main(function*() {
      const said: Array<string> = []
      const tasklets = ["a", "b", "c"].map((name) => tasklet(named(said))(name))
      yield* tasklets[1]!.run()
      expect(said).toEqual(["b", "c"])
    }))

  test("run runs a tasklet that is not in the ring before the caller alone", () =>
    main(function*() {
      const said: Array<string> = []
      const tasklets = ["a", "b", "c"].map((name) => tasklet(named(said))(name))
      tasklets[1]!.remove()
      yield* tasklets[1]!.run()
      expect(said).toEqual(["b"])
      expect(tasklets[1]!.scheduled).toBe(true)
    }))

  test("switch runs a tasklet and leaves the caller paused", () =>
    main(function*() {
      let paused: unknown
      const caller: Tasklet = tasklet(function*() {
        const t = tasklet(function*() {
          paused = caller.paused
          caller.insert()
        })()
        yield* t.switch()
        paused = [paused, "back"]
      })()
      yield* run()
      expect(paused).toEqual([true, "back"])
    }))

  test("the current tasklet may switch to itself when it is alone", () =>
    main(function*() {
      yield* getcurrent().switch()
      yield* getcurrent().run()
      expect(getruncount()).toBe(1)
    }))

  test("main may not switch to itself while others are runnable, and they keep what they are in the middle of", () =>
    main(function*() {
      const log: Array<string> = []
      const other = tasklet(function*() {
        log.push("started")
        yield* schedule()
        log.push("goes on")
      })()
      yield* other.run()
      expect((yield* errorOf(getcurrent().switch())).message).toContain("the main tasklet cannot switch to itself")
      yield* run()
      expect(log).toEqual(["started", "goes on"])
    }))

  test("what it has still to be resumed with is dropped when its operation throws at once", () =>
    main(function*() {
      const got: Array<unknown> = []
      const first: Tasklet = tasklet(function*() {
        yield* schedule()
        // goes on as the second one, which has still to be resumed with what its `schedule` gives back
        yield* first.switch()
        got.push((yield* errorOf(second.throw(new Error("at once"), { pending: true }))).message)
        got.push(getcurrent().tempval)
      })()
      const second: Tasklet = tasklet(function*() {
        yield* schedule()
      })()
      yield* first.run()
      yield* schedule()
      yield* run()
      expect(got).toEqual(["at once", undefined])
    }))

  test("the ring can be walked both ways, with main in it", () =>
    main(function*() {
      const a = tasklet(function*() {})()
      const b = tasklet(function*() {})()
      const me = getcurrent()
      expect(me).toBe(getmain())
      expect([me.next, a.next, b.next]).toEqual([a, b, me])
      expect([me.prev, a.prev, b.prev]).toEqual([b, me, a])
      expect(getruncount()).toBe(3)
      yield* run()
      expect(me.next).toBe(me)
    }))

  test("schedule and scheduleRemove give back what they were given, the tasklet if nothing", () =>
    main(function*() {
      const got: Array<unknown> = []
      const t: Tasklet = tasklet(function*() {
        got.push(yield* schedule())
        got.push(yield* schedule(1))
        got.push(yield* schedule(undefined))
        got.push(yield* scheduleRemove(2))
      })()
      yield* run()
      t.insert()
      yield* run()
      expect(got).toEqual([t, 1, undefined, 2])
    }))

  test("what scheduleRemove gives back can be set from outside, as tempval", () =>
    main(function*() {
      const waiting: Array<Tasklet> = []
      let got: unknown
      tasklet(function*() {
        waiting.push(getcurrent())
        got = yield* scheduleRemove()
      })()
      yield* run()
      for (const t of waiting) {
        t.tempval = "the result"
        t.insert()
      }
      yield* run()
      expect(got).toBe("the result")
    }))
})

inBothGears("throwing", () => {
  class Oops extends Error {
    readonly data: ReadonlyArray<unknown>
    constructor(...data: ReadonlyArray<unknown>) {
      super(String(data[0]))
      this.data = data
    }
  }

  /** A tasklet that blocks, and what it catches. */
  function* blocked(): Steps<{ t: Tasklet; caught: Array<unknown>; c: ReturnType<typeof channel> }> {
    const c = channel()
    const caught: Array<unknown> = []
    const t = tasklet(function*() {
      try {
        yield* c.receive()
      } catch (error) {
        caught.push(error)
        throw error
      }
    })()
    yield* t.run()
    expect(t.blocked).toBe(true)
    return { t, caught, c }
  }

  test("throw throws the very error in a blocked tasklet, at once, and what it does not catch comes back", () =>
    main(function*() {
      const { c, caught, t } = yield* blocked()
      const oops = new Oops(1)
      expect(yield* errorOf(t.throw(oops))).toBe(oops)
      expect(caught).toEqual([oops])
      expect([c.balance, t.alive]).toEqual([0, false])
    }))

  test("throw of a class makes the error as Python does: without a value, with one, with several, of one that is made", () =>
    main(function*() {
      class MyOops extends Oops {}
      const made = new MyOops("made")
      for (
        const [throws, data] of [
          [(t: Tasklet) => t.throw(Oops, undefined), []],
          [(t: Tasklet) => t.throw(Oops, "one"), ["one"]],
          [(t: Tasklet) => t.throw(Oops, [1, 2, 3]), [1, 2, 3]],
          [(t: Tasklet) => t.throw(Oops, made), ["made"]]
        ] as const
      ) {
        const { caught, t } = yield* blocked()
        const error = yield* errorOf(throws(t))
        expect(error).toBe(caught[0])
        expect(error).toBeInstanceOf(Oops)
        expect(error.data).toEqual(data)
        if (data[0] === "made") expect(error).toBe(made)
      }
      const { caught, t } = yield* blocked()
      yield* t.throw(TaskletExit)
      expect([caught[0], t.alive]).toEqual([expect.any(TaskletExit), false])
      yield* t.throw(TaskletExit)
    }))

  test("throw of a class can be pending, with a value and without", () =>
    main(function*() {
      for (
        const pending of [
          (t: Tasklet) => t.throw(RangeError, { pending: true }),
          (t: Tasklet) => t.throw(RangeError, "range", { pending: true })
        ]
      ) {
        const { caught, t } = yield* blocked()
        yield* pending(t)
        expect(caught).toEqual([])
        expect(yield* errorOf(run())).toBe(caught[0])
        expect(caught[0]).toBeInstanceOf(RangeError)
      }
    }))

  test("throw of nothing, of a function that is no class of errors, and of a value beside an error, is a TypeError", () =>
    main(function*() {
      const me = getcurrent()
      expect(() => (me.throw as () => unknown)()).toThrow("got nothing")
      expect(() => me.throw(null)).toThrow(TypeError)
      expect(() => me.throw((() => {}) as never)).toThrow(TypeError)
      expect(() => me.throw(Map as never)).toThrow("got a function Map")
      expect(() => (me.throw as (...args: ReadonlyArray<unknown>) => unknown)(new Error("a"), "b")).toThrow(TypeError)
      expect(yield* errorOf(me.throw("a string"))).toBe("a string")
    }))

  test("raiseException makes the error of a class and its arguments", () =>
    main(function*() {
      const { caught, t } = yield* blocked()
      yield* errorOf(t.raiseException(Oops, 1, 2, 3))
      expect(caught[0]).toBeInstanceOf(Oops)
      expect((caught[0] as Oops).data).toEqual([1, 2, 3])
    }))

  test("kill ends a tasklet silently, its finally blocks run", () =>
    main(function*() {
      const { c, caught, t } = yield* blocked()
      yield* t.kill()
      expect(caught[0]).toBeInstanceOf(TaskletExit)
      expect([c.balance, t.alive]).toEqual([0, false])
      yield* t.kill()
    }))

  test("a pending throw makes it runnable, to get the error when its turn comes", () =>
    main(function*() {
      const { c, caught, t } = yield* blocked()
      yield* t.throw(new Oops(1), { pending: true })
      expect([caught.length, t.blocked, t.scheduled, c.balance]).toEqual([0, false, true, 0])
      yield* errorOf(run())
      expect(caught.length).toBe(1)
    }))

  test("a tasklet that catches its TaskletExit lives on", () =>
    main(function*() {
      const t = tasklet(function*() {
        for (;;) {
          try {
            yield* scheduleRemove()
          } catch (error) {
            expect(error).toBeInstanceOf(TaskletExit)
          }
        }
      })()
      yield* run()
      yield* t.kill()
      expect(t.alive).toBe(true)
      t.bind(null)
    }))

  test("a tasklet that has not started ends without running", () =>
    main(function*() {
      let ran = false
      const start = () =>
        tasklet(function*() {
          ran = true
        })()
      const killed = start()
      yield* killed.kill()
      expect(killed.alive).toBe(false)
      const oops = new Oops("early")
      expect(yield* errorOf(start().throw(oops))).toBe(oops)
      expect(ran).toBe(false)
    }))

  test("the current tasklet simply throws", () =>
    main(function*() {
      const oops = new Oops("me")
      expect(yield* errorOf(getcurrent().throw(oops))).toBe(oops)
      const t: Tasklet = tasklet(function*() {
        yield* t.kill()
        throw new Error("not reached")
      })()
      yield* run()
      expect(t.alive).toBe(false)
    }))

  test("throwing into a dead tasklet is an error, ending it again is none", () =>
    main(function*() {
      const t = tasklet(function*() {})()
      yield* run()
      const error = yield* errorOf(t.throw(new Oops(1)))
      expect(error).toBeInstanceOf(RuntimeError)
      expect(error.message).toContain("dead")
      yield* t.throw(new TaskletExit())
      yield* t.kill({ pending: true })
      expect(yield* errorOf(new Tasklet().throw(new Oops(1), { pending: true }))).toBeInstanceOf(RuntimeError)
    }))

  test("an uncaught error comes out of run at main, and the others are runnable still", () =>
    main(function*() {
      const said: Array<string> = []
      tasklet(function*() {
        throw new Oops("first")
      })()
      tasklet(function*() {
        said.push("second")
      })()
      expect((yield* errorOf(run())).message).toBe("first")
      expect(said).toEqual([])
      yield* run()
      expect(said).toEqual(["second"])
    }))
})

inBothGears("traps", () => {
  test("while switching is trapped, every switch throws and leaves everything as it was", () =>
    main(function*() {
      const c = channel()
      const receiver = tasklet(function*() {
        yield* c.receive()
      })()
      yield* receiver.run()
      const paused = new Tasklet(function*() {}, [])
      tasklet(function*() {})()
      expect(switchTrap(1)).toBe(0)
      for (
        const operation of [
          schedule(),
          scheduleRemove(),
          run(),
          paused.run(),
          paused.switch(),
          c.send(1),
          c.sendThrow(new Error("no")),
          receiver.kill(),
          receiver.raiseException(Error)
        ]
      ) {
        const error = yield* errorOf(operation)
        expect(error).toBeInstanceOf(RuntimeError)
        expect(error.message).toContain("switch_trap")
        expect([c.balance, receiver.blocked, paused.paused, getruncount()]).toEqual([-1, true, true, 2])
      }
      expect(switchTrap(-1)).toBe(1)
      yield* c.send(1)
      expect(receiver.alive).toBe(false)
    }))

  test("a tasklet whose blockTrap is set does not block, but can be served", () =>
    main(function*() {
      const c = channel<number>()
      const results: Array<unknown> = []
      tasklet(function*() {
        getcurrent().blockTrap = true
        results.push((yield* errorOf(c.receive())).message, (yield* errorOf(c.send(1))).message)
        getcurrent().blockTrap = false
        results.push(yield* c.receive())
      })()
      yield* run()
      yield* c.send(5)
      yield* run()
      expect(results[0]).toContain("does not like to be blocked")
      expect(results[1]).toContain("does not like to be blocked")
      expect(results[2]).toBe(5)
    }))
})

test("a subclass may have a field called name, as the NamedTasklet of the originals has", () =>
  main(function*() {
    class NamedTasklet extends Tasklet<void> {
      override readonly name: string
      constructor(f: () => Steps<void>, name: string) {
        super(f)
        this.name = name
      }
    }
    let seen: unknown
    const t = new NamedTasklet(function*() {
      seen = (getcurrent() as NamedTasklet).name
    }, "tick").setup()
    yield* run()
    expect(seen).toBe("tick")
    expect(String(t)).toBe("<tasklet \"tick\", dead>")
  }))

test("a subclass may have fields and methods of its own of any plain name", () =>
  main(function*() {
    class Agent extends Tasklet {
      inbox = channel<string>()
      channel = this.inbox
      state = "idle"
      code = 1
      stack = [1]
      fiber = "optic"
      context = null
      flags = "red"
      left = 0
      right = 0
      got: Array<string> = []
      push(): void {
        throw new Error("not yours")
      }
      *body(): Steps<void> {
        for (;;) this.got.push(yield* this.channel.receive())
      }
    }
    const agent = new Agent()
    agent.bind(agent.body.bind(agent), []).insert()
    yield* agent.inbox.send("one")
    yield* agent.inbox.send("two")
    expect(agent.got).toEqual(["one", "two"])
    expect(agent.inbox.balance).toBe(-1)
    yield* agent.kill()
    expect([agent.alive, agent.state, agent.left]).toEqual([false, "idle", 0])
  }))

test("the balance of a channel can only be read", () => {
  const c = channel() as { balance: number }
  expect(() => {
    c.balance = 3
  }).toThrow(TypeError)
  expect(c.balance).toBe(0)
})

test("a subclass may set up its tasklets in a way of its own", () =>
  main(function*() {
    const caught: Array<unknown> = []
    class SafeTasklet extends Tasklet {
      override setup(...args: ReadonlyArray<any>): this {
        const f = this.tempval as (...args: ReadonlyArray<any>) => Steps
        this.bind(function*() {
          try {
            yield* f(...args)
          } catch (error) {
            caught.push(error)
          }
        })
        return super.setup()
      }
    }
    new SafeTasklet(function*(message: string) {
      throw new Error(message)
    }).setup("caught")
    yield* run()
    expect(caught).toEqual([new Error("caught")])
  }))
