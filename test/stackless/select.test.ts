/** `select`, channels with a capacity, `join`: what the originals lack. */
import { Effect, Fiber } from "effect"
import {
  channel,
  DeadlockError,
  getruncount,
  run,
  RuntimeError,
  schedule,
  select,
  setChannelCallback,
  sleep,
  switchTrap,
  Tasklet,
  tasklet,
  ValueError
} from "effect-stackless/stackless"
import { describe, expect, test } from "vitest"
import { check } from "./invariants.ts"
import { errorOf, inBothGears, main, onThread, type Steps } from "./program.ts"

inBothGears("select", () => {
  test("does at once what can be done", () =>
    main(function*() {
      const a = channel<string>()
      const b = channel<number>()
      tasklet(function*() {
        yield* b.send(1)
      })()
      yield* run()
      expect(yield* select({ a: a.receive(), b: b.receive() })).toEqual({ key: "b", value: 1 })
      tasklet(function*() {
        yield* a.receive()
      })()
      yield* schedule()
      expect(yield* select({ a: a.send("x"), b: b.receive() })).toEqual({ key: "a", value: undefined })
      yield* run()
    }))

  test("waits for the first that can be done, and takes back the others", () =>
    main(function*() {
      const a = channel<string>()
      const b = channel<number>()
      const got: Array<unknown> = []
      const t = tasklet(function*() {
        got.push(yield* select({ a: a.receive(), b: b.send(7) }))
      })()
      yield* run()
      expect([a.balance, b.balance, t.blocked]).toEqual([-1, 1, true])
      check([a, b], [t])
      expect(yield* b.receive()).toBe(7)
      expect([a.balance, b.balance]).toEqual([0, 0])
      yield* run()
      expect(got).toEqual([{ key: "b", value: undefined }])
      check([a, b], [t])
    }))

  test("the preference says who runs, as for any rendezvous", () =>
    main(function*() {
      const said: Array<string> = []
      for (const preference of [-1, 0, 1]) {
        const c = channel<number>()
        c.preference = preference
        tasklet(function*() {
          yield* select({ c: c.receive() })
          said.push("received")
        })()
        tasklet(function*() {
          yield* c.send(1)
          said.push("sent")
        })()
        yield* run()
        said.push("|")
      }
      expect(said.join(" ")).toBe("received sent | sent received | sent received |")
    }))

  test("gives the default back instead of waiting", () =>
    main(function*() {
      const c = channel<number>()
      expect(yield* select({ c: c.receive() }, { default: "none" })).toEqual({ key: "default", value: "none" })
      expect(c.balance).toBe(0)
    }))

  test("gives up after a timeout, and leaves nothing behind", () =>
    main(function*() {
      const a = channel<number>()
      const b = channel<number>()
      const got: Array<unknown> = []
      tasklet(function*() {
        got.push(yield* select({ a: a.receive(), b: b.send(1) }, { timeout: 3 }))
        got.push(yield* select({ a: a.receive(), b: b.send(1) }, { timeout: 1000 }))
      })()
      tasklet(function*() {
        while (got.length === 0) yield* sleep(1)
        yield* a.send(5)
      })()
      yield* run()
      expect(got).toEqual([{ key: "timeout", value: undefined }, { key: "a", value: 5 }])
      expect([a.balance, b.balance]).toEqual([0, 0])
    }))

  test("is fair: of two that are always ready, none waits for ever", () =>
    main(function*() {
      const a = channel<string>({ capacity: 100 })
      const b = channel<string>({ capacity: 100 })
      for (let i = 0; i < 50; i++) {
        yield* a.send("a")
        yield* b.send("b")
      }
      let got = ""
      for (let i = 0; i < 6; i++) got += (yield* select({ a: a.receive(), b: b.receive() })).value
      expect(got).toBe("ababab")
    }))

  test("killing or throwing withdraws what was offered", () =>
    main(function*() {
      const a = channel<number>()
      const b = channel<number>()
      const t = tasklet(function*() {
        yield* select({ a: a.receive(), b: b.receive() })
      })()
      yield* run()
      yield* t.kill()
      expect([a.balance, b.balance, t.alive]).toEqual([0, 0, false])
      const u = tasklet(function*() {
        yield* select({ a: a.receive(), b: b.receive() })
      })()
      yield* run()
      yield* u.kill({ pending: true })
      expect([a.balance, b.balance, u.scheduled]).toEqual([0, 0, true])
      yield* run()
    }))

  test("two selections meet", () =>
    main(function*() {
      const c = channel<number>()
      const d = channel<number>()
      const got: Array<unknown> = []
      tasklet(function*() {
        got.push(yield* select({ c: c.receive(), d: d.receive() }))
      })()
      tasklet(function*() {
        got.push(yield* select({ d: d.send(4) }))
      })()
      yield* run()
      expect(got).toEqual([{ key: "d", value: 4 }, { key: "d", value: undefined }])
      expect([c.balance, d.balance]).toEqual([0, 0])
    }))

  test("an error that is sent is thrown", () =>
    main(function*() {
      const c = channel<number>()
      let caught: unknown
      tasklet(function*() {
        caught = yield* errorOf(select({ c: c.receive() }))
      })()
      yield* run()
      const oops = new Error("oops")
      yield* c.sendThrow(oops)
      yield* run()
      expect(caught).toBe(oops)
    }))

  test("nothing is lost and nothing doubled among many selections of which some give up", () =>
    main(function*() {
      const channels = Array.from({ length: 4 }, () => channel<number>())
      const got: Array<number> = []
      let sent = 0
      for (let i = 0; i < 40; i++) {
        tasklet(function*() {
          const picked = yield* select({
            a: channels[i % 4]!.receive(),
            b: channels[(i + 1) % 4]!.receive()
          }, { timeout: i % 6 })
          if (picked.key !== "timeout") got.push(picked.value)
        })()
        tasklet(function*() {
          yield* sleep(i % 5)
          const picked = yield* select({ x: channels[(i * 3) % 4]!.send(i), y: channels[(i + 2) % 4]!.send(i) }, {
            timeout: 2
          })
          if (picked.key !== "timeout") sent++
        })()
      }
      yield* run()
      expect(got.length).toBe(sent)
      expect(new Set(got).size).toBe(got.length)
      expect(channels.map((c) => c.balance)).toEqual([0, 0, 0, 0])
      check(channels)
    }))

  test("a deadlock in it names every channel that it waits on", () =>
    main(function*() {
      const a = channel<number>({ name: "a" })
      const b = channel<number>({ name: "b" })
      const error = yield* errorOf(select({ a: a.receive(), b: b.send(1) }))
      expect(error).toBeInstanceOf(DeadlockError)
      expect(error.waiting.map((w: any) => [w.channel.name, w.direction])).toEqual([["a", "receive"], ["b", "send"]])
      expect([a.balance, b.balance]).toEqual([0, 0])
      check([a, b])
    }))

  test("a trap refuses it, or who meets it, and everything is as before", () =>
    main(function*() {
      const c = channel<number>()
      const t = tasklet(function*() {
        yield* select({ c: c.receive() })
      })()
      yield* run()
      switchTrap(1)
      expect((yield* errorOf(c.send(1))).message).toContain("switch_trap")
      switchTrap(-1)
      expect([c.balance, t.blocked]).toEqual([-1, true])
      check([c], [t])
      yield* c.send(1)
      expect(t.alive).toBe(false)
    }))

  test("the channel callback is told before it meets, and may refuse", () =>
    main(function*() {
      const c = channel<number>()
      const t = tasklet(function*() {
        yield* select({ c: c.receive() })
      })()
      yield* run()
      setChannelCallback(() => {
        throw new Error("no")
      })
      expect((yield* errorOf(c.send(1))).message).toBe("no")
      setChannelCallback(null)
      check([c], [t])
      yield* t.kill()
    }))
})

describe("select", () => {
  test("works in a fiber that is no tasklet, and gives everything up when it is interrupted", () =>
    onThread(Effect.gen(function*() {
      const a = channel<number>()
      const b = channel<number>()
      const fiber = yield* Effect.forkChild(select({ a: a.receive(), b: b.receive() }), { startImmediately: true })
      expect([a.balance, b.balance]).toEqual([-1, -1])
      tasklet(function*() {
        yield* b.send(3)
      })()
      yield* run()
      expect(yield* Fiber.join(fiber)).toEqual({ key: "b", value: 3 })
      const another = yield* Effect.forkChild(select({ a: a.receive(), b: b.receive() }), { startImmediately: true })
      yield* Fiber.interrupt(another)
      expect([a.balance, b.balance]).toEqual([0, 0])
      const late = yield* select({ a: a.receive() }, { timeout: 1 })
      expect(late).toEqual({ key: "timeout", value: undefined })
    })))

  test("takes the join of a tasklet for a case", () =>
    main(function*() {
      const c = channel<number>()
      const t = tasklet(function*() {
        yield* schedule()
        return "ended"
      })()
      expect(yield* select({ c: c.receive(), t: t.join() })).toEqual({ key: "t", value: "ended" })
      expect(yield* select({ c: c.receive(), t: t.join() })).toEqual({ key: "t", value: "ended" })
    }))

  test("refuses what it cannot do", () =>
    main(function*() {
      const c = channel<number>()
      expect(() => select({ x: schedule() as never })).toThrow(TypeError)
      expect(() => select({ r: c.receive(), s: c.send(1) })).toThrow(ValueError)
      c.close()
      expect(yield* errorOf(select({ c: c.receive() }))).toBeInstanceOf(ValueError)
      expect(c.balance).toBe(0)
    }))
})

inBothGears("a channel with a capacity", () => {
  test("lets senders go on while there is room, and keeps the order", () =>
    main(function*() {
      const c = channel<number>({ capacity: 2 })
      expect([c.capacity, c.preference]).toEqual([2, 1])
      const sent: Array<number> = []
      const t = tasklet(function*() {
        for (let i = 0; i < 5; i++) {
          yield* c.send(i)
          sent.push(i)
        }
      })()
      yield* run()
      expect([sent, c.balance, t.blocked, c.queue]).toEqual([[0, 1], 3, true, t])
      check([c], [t])
      expect(yield* c.receive()).toBe(0)
      expect([c.balance, t.blocked, t.scheduled]).toEqual([2, false, true])
      expect([yield* c.receive(), yield* c.receive()]).toEqual([1, 2])
      yield* run()
      expect([yield* c.receive(), yield* c.receive(), c.balance]).toEqual([3, 4, 0])
      expect(sent).toEqual([0, 1, 2, 3, 4])
      check([c], [t])
    }))

  test("a blocked sender that is killed does not leave its value", () =>
    main(function*() {
      const c = channel<number>({ capacity: 1 })
      const senders = [1, 2, 3].map((n) =>
        tasklet(function*() {
          yield* c.send(n)
        })()
      )
      yield* run()
      yield* senders[1]!.kill()
      expect(c.balance).toBe(2)
      expect([yield* c.receive(), yield* c.receive(), c.balance]).toEqual([1, 3, 0])
      yield* run()
    }))

  test("errors, selections and fibers that are no tasklets go through it, too", () =>
    main(function*() {
      const c = channel<number>({ capacity: 1 })
      yield* c.sendThrow(new Error("stored"))
      const results: Array<unknown> = []
      tasklet(function*() {
        results.push(yield* select({ c: c.send(2) }))
      })()
      yield* run()
      expect(c.balance).toBe(2)
      expect((yield* errorOf(c.receive())).message).toBe("stored")
      expect(c.balance).toBe(1)
      yield* run()
      expect(results).toEqual([{ key: "c", value: undefined }])
      expect(yield* select({ c: c.send(9) }, { default: "full" })).toEqual({ key: "default", value: "full" })
      expect(yield* c.receive()).toBe(2)
    }))

  test("closing it keeps what is in it for the receivers", () =>
    main(function*() {
      const c = channel<number>({ capacity: 3 })
      yield* c.sendSequence([1, 2])
      c.close()
      expect([c.closing, c.closed]).toEqual([true, false])
      expect(yield* errorOf(c.send(3))).toBeInstanceOf(ValueError)
      const got: Array<number> = []
      yield* c.each((n) => void got.push(n))
      expect([got, c.closed]).toEqual([[1, 2], true])
    }))

  test("a tasklet that must not block may send while there is room", () =>
    main(function*() {
      const c = channel<number>({ capacity: 1 })
      const results: Array<unknown> = []
      const t = tasklet(function*() {
        results.push(yield* c.send(1))
        results.push((yield* errorOf(c.send(2))).message)
      })()
      t.blockTrap = true
      yield* run()
      expect(results).toEqual([undefined, "this tasklet does not like to be blocked."])
    }))
})

test("a capacity is a number of values", () => {
  expect(channel().capacity).toBe(0)
  expect(channel({ capacity: Infinity }).capacity).toBe(Infinity)
  for (const capacity of [-1, 1.5, Number.NaN, "many"]) {
    expect(() => channel({ capacity: capacity as number })).toThrow(ValueError)
  }
})

test("fibers that are no tasklets fill and empty a channel with a capacity", () =>
  onThread(Effect.gen(function*() {
    const c = channel<number>({ capacity: 1 })
    yield* c.send(1)
    const fiber = yield* Effect.forkChild(c.send(2), { startImmediately: true })
    expect(c.balance).toBe(2)
    expect(yield* c.receive()).toBe(1)
    yield* Fiber.join(fiber)
    expect(yield* c.receive()).toBe(2)
    expect(c.balance).toBe(0)
  })))

inBothGears("join", () => {
  test("gives back the result, before and after the end, to all who ask", () =>
    main(function*() {
      const t = tasklet(function*(n: number) {
        yield* schedule()
        return n * 2
      })(21)
      const got: Array<number> = []
      for (let i = 0; i < 2; i++) {
        tasklet(function*() {
          got.push(yield* t.join())
        })()
      }
      yield* run()
      expect(got).toEqual([42, 42])
      expect(yield* t.join()).toBe(42)
    }))

  test("an error goes to who joins instead of main, if somebody does", () =>
    main(function*() {
      const oops = new Error("oops")
      const t = tasklet(function*() {
        yield* schedule()
        throw oops
      })()
      let caught: unknown
      tasklet(function*() {
        caught = yield* errorOf(t.join())
      })()
      yield* run()
      expect(caught).toBe(oops)
      expect(yield* errorOf(t.join())).toBe(oops)
    }))

  test("the join of a killed tasklet is an error", () =>
    main(function*() {
      const t = tasklet(function*(): Steps<void> {
        yield* channel().receive()
      })()
      t.name = "victim"
      let caught: any
      tasklet(function*() {
        caught = yield* errorOf(t.join())
      })()
      yield* run()
      yield* t.kill()
      yield* run()
      expect(caught).toBeInstanceOf(RuntimeError)
      expect(caught.message).toContain(`tasklet "victim" was killed`)
    }))

  test("so is that of one that is bound to something else meanwhile", () =>
    main(function*() {
      const t = new Tasklet(() => {}, [])
      let caught: unknown
      tasklet(function*() {
        caught = yield* errorOf(t.join())
      })()
      yield* run()
      t.bind(null)
      yield* run()
      expect(caught).toBeInstanceOf(RuntimeError)
      expect(t.alive).toBe(false)
    }))

  test("joining a tasklet that cannot end is a deadlock, which names it", () =>
    main(function*() {
      const t = new Tasklet()
      t.name = "never"
      expect((yield* errorOf(t.join())).message).toContain(`the end of tasklet \\"never\\"`)
      expect(getruncount()).toBe(1)
    }))
})

test("join is typed, in a body and as an Effect", () =>
  onThread(Effect.gen(function*() {
    const t: Tasklet<number, "bad"> = tasklet(function*() {
      yield* sleep(1)
      return yield* Effect.fail("bad" as const)
    })() as Tasklet<number, "bad">
    const fiber = yield* Effect.forkChild(Effect.flip(t.join()), { startImmediately: true })
    yield* run()
    const failure: "bad" = yield* Fiber.join(fiber)
    expect(failure).toBe("bad")
    const later: "bad" = yield* Effect.flip(t.join())
    expect(later).toBe("bad")
  })))
