/** Channels: who runs after a rendezvous, what is sent, how a channel ends. */
import { Effect } from "effect"
import {
  Channel,
  channel,
  getcurrent,
  getmain,
  getruncount,
  run,
  RuntimeError,
  schedule,
  select,
  setChannelCallback,
  setScheduleCallback,
  StopIteration,
  switchTrap,
  type Tasklet,
  tasklet,
  ValueError
} from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { check } from "./invariants.ts"
import { errorOf, inBothGears, main, onThread, type Steps } from "./program.ts"

/** A sender and a receiver on a channel, what they say, and a third tasklet to see who runs when. */
function* exchange(c: Channel<number>, first: "sender" | "receiver"): Steps<Array<string>> {
  const said: Array<string> = []
  const bodies = {
    *sender(): Steps<void> {
      said.push("sends")
      yield* c.send(1)
      said.push("sent")
    },
    *receiver(): Steps<void> {
      said.push("receives")
      yield* c.receive()
      said.push("received")
    }
  }
  tasklet(bodies[first])()
  tasklet(bodies[first === "sender" ? "receiver" : "sender"])()
  tasklet(function*() {
    said.push("third")
  })()
  yield* run()
  check([c])
  return said
}

inBothGears("who runs after a rendezvous", () => {
  const order = (preference: number, first: "sender" | "receiver", scheduleAll = false) =>
    main(function*() {
      const c = channel<number>()
      c.preference = preference
      c.scheduleAll = scheduleAll
      return yield* exchange(c, first)
    })

  test("with preference -1 the receiver runs, whoever comes first", async () => {
    expect(await order(-1, "receiver")).toEqual(["receives", "sends", "received", "third", "sent"])
    expect(await order(-1, "sender")).toEqual(["sends", "receives", "received", "third", "sent"])
  })

  test("with preference 1 the sender runs, whoever comes first", async () => {
    expect(await order(1, "receiver")).toEqual(["receives", "sends", "sent", "third", "received"])
    expect(await order(1, "sender")).toEqual(["sends", "receives", "sent", "third", "received"])
  })

  test("with preference 0 the one who comes second goes on", async () => {
    expect(await order(0, "receiver")).toEqual(["receives", "sends", "sent", "third", "received"])
    expect(await order(0, "sender")).toEqual(["sends", "receives", "received", "third", "sent"])
  })

  test("with scheduleAll the next in the ring runs", async () => {
    expect(await order(1, "receiver", true)).toEqual(["receives", "sends", "third", "received", "sent"])
    expect(await order(-1, "sender", true)).toEqual(["sends", "receives", "third", "sent", "received"])
  })

  test("any number is a preference, by its sign", () => {
    const c = channel()
    expect(c.preference).toBe(-1)
    c.preference = 17
    expect(c.preference).toBe(1)
    c.preference = -0.5
    expect(c.preference).toBe(-1)
    expect(() => c.preference = "sender" as never).toThrow(TypeError)
  })
})

inBothGears("the queue", () => {
  test("balance counts who waits: senders above zero, receivers below", () =>
    main(function*() {
      const c = channel<number>()
      const senders = [1, 2, 3].map((n) =>
        tasklet(function*() {
          yield* c.send(n)
        })()
      )
      yield* run()
      expect(c.balance).toBe(3)
      expect([c.queue, c.queue!.next, c.queue!.next!.next, c.queue!.next!.next!.next]).toEqual([...senders, undefined])
      expect(senders.map((t) => [t.blocked, t.scheduled, t.paused])).toEqual(senders.map(() => [true, true, false]))
      check([c])
      getcurrent().blockTrap = true
      let total = 0
      while (c.balance > 0) total += yield* c.receive()
      getcurrent().blockTrap = false
      expect([total, c.balance, c.queue]).toEqual([6, 0, undefined])
      for (let n = 0; n < 2; n++) {
        tasklet(function*() {
          yield* c.receive()
        })()
      }
      yield* run()
      expect(c.balance).toBe(-2)
      while (c.balance < 0) yield* c.send(0)
    }))

  test("a waiter that is killed in the middle gives its place up", () =>
    main(function*() {
      const c = channel<number>()
      const got: Array<number> = []
      const receivers = [0, 1, 2].map((n) =>
        tasklet(function*() {
          got.push(n, yield* c.receive())
        })()
      )
      yield* run()
      yield* receivers[1]!.kill()
      check([c], receivers)
      expect(c.balance).toBe(-2)
      yield* c.send(10)
      yield* c.send(20)
      expect(got).toEqual([0, 10, 2, 20])
    }))

  test("a blocked tasklet can neither be inserted, removed, run nor bound", () =>
    main(function*() {
      const c = channel()
      const t = tasklet(function*() {
        yield* c.receive()
      })()
      yield* run()
      expect(() => t.insert()).toThrow("blocked")
      expect(() => t.remove()).toThrow("blocked")
      expect(() => t.bind(null)).toThrow("scheduled")
      expect((yield* errorOf(t.run())).message).toContain("blocked")
      check([c], [t])
      yield* t.kill()
    }))

  test("a pipeline of tasklets passes everything on in order", () =>
    main(function*() {
      const channels = Array.from({ length: 20 }, () => channel<number>())
      for (let i = 1; i < channels.length; i++) {
        tasklet(function*() {
          yield* channels[i - 1]!.each(function*(n) {
            yield* channels[i]!.send(n + 1)
          })
          yield* channels[i]!.sendException(StopIteration)
        })()
      }
      const got: Array<number> = []
      tasklet(function*() {
        yield* channels.at(-1)!.each((n) => void got.push(n))
      })()
      tasklet(function*() {
        yield* channels[0]!.sendSequence([0, 100, 200])
        yield* channels[0]!.sendException(StopIteration)
      })()
      yield* run()
      expect(got).toEqual([19, 119, 219])
    }))
})

inBothGears("errors and sequences on a channel", () => {
  class Oops extends Error {
    readonly data: ReadonlyArray<unknown>
    constructor(...data: ReadonlyArray<unknown>) {
      super()
      this.data = data
    }
  }

  test("sendException makes the error, sendThrow passes one on as it is; both are thrown in the receiver", () =>
    main(function*() {
      const c = channel()
      const oops = new Oops(0)
      tasklet(function*() {
        yield* c.sendException(Oops, 1, 2)
        yield* c.sendThrow(oops)
      })()
      const made = yield* errorOf(c.receive())
      expect(made).toBeInstanceOf(Oops)
      expect(made.data).toEqual([1, 2])
      expect(yield* errorOf(c.receive())).toBe(oops)
    }))

  test("sendThrow of a class sends a new error of it; of nothing, and of other functions, it is a TypeError", () =>
    main(function*() {
      const c = channel()
      tasklet(function*() {
        yield* c.sendThrow(RangeError)
        yield* c.sendThrow(RangeError, "far")
        yield* c.sendThrow(Oops, [1, 2])
      })()
      const errors = [yield* errorOf(c.receive()), yield* errorOf(c.receive()), yield* errorOf(c.receive())]
      expect(errors.map((e) => e.constructor)).toEqual([RangeError, RangeError, Oops])
      expect([errors[1].message, errors[2].data]).toEqual(["far", [1, 2]])
      expect(() => (c.sendThrow as () => unknown)()).toThrow(TypeError)
      expect(() => c.sendThrow((() => {}) as never)).toThrow(TypeError)
      expect(c.balance).toBe(0)
    }))

  test("an error that the receiver does not catch comes out at main", () =>
    main(function*() {
      const c = channel()
      const oops = new Oops()
      tasklet(function*() {
        yield* c.receive()
      })()
      yield* run()
      expect(yield* errorOf(c.sendThrow(oops))).toBe(oops)
    }))

  test("sendSequence sends all there is, also of a generator, and counts", () =>
    main(function*() {
      const c = channel<number>()
      const got: Array<number> = []
      let count: unknown
      tasklet(function*() {
        count = yield* c.sendSequence((function*() {
          for (let i = 0; i < 4; i++) yield i * i
        })())
        yield* c.sendException(StopIteration)
      })()
      tasklet(function*() {
        yield* c.each((value) => void got.push(value))
      })()
      yield* run()
      expect([got, count]).toEqual([[0, 1, 4, 9], 4])
    }))

  test("next gives back one value of the iteration at a time, and says when it is over", () =>
    main(function*() {
      const c = channel<string>()
      tasklet(function*() {
        yield* c.send("a")
        yield* c.sendException(StopIteration)
      })()
      expect(yield* c.next()).toEqual({ done: false, value: "a" })
      expect(yield* c.next()).toEqual({ done: true, value: undefined })
      tasklet(function*() {
        yield* c.sendThrow(new Oops())
      })()
      expect(yield* errorOf(c.next())).toBeInstanceOf(Oops)
    }))

  test("each runs a body that waits and throws, and leaves the channel in order", () =>
    main(function*() {
      const c = channel<number>()
      tasklet(function*() {
        yield* c.sendSequence([1, 2, 3])
      })()
      const got: Array<number> = []
      const oops = new Oops()
      const error = yield* errorOf(c.each(function*(value) {
        yield* schedule()
        got.push(value)
        if (value === 2) throw oops
      }))
      expect(error).toBe(oops)
      expect(got).toEqual([1, 2])
      expect(yield* c.receive()).toBe(3)
      check([c])
    }))
})

inBothGears("closing", () => {
  test("a closed channel blocks nobody any more, but serves who waits", () =>
    main(function*() {
      const c = channel<number>()
      tasklet(function*() {
        yield* c.send(1)
      })()
      yield* run()
      c.close()
      expect([c.closing, c.closed]).toEqual([true, false])
      expect(yield* c.receive()).toBe(1)
      expect([c.closing, c.closed]).toEqual([true, true])
      for (const operation of [c.receive(), c.send(2)]) expect(yield* errorOf(operation)).toBeInstanceOf(ValueError)
      expect((yield* c.next()).done).toBe(true)
      c.open()
      expect([c.closing, c.closed]).toEqual([false, false])
    }))

  test("the iteration over a closed channel goes on as long as somebody waits to send", () =>
    main(function*() {
      const c = channel<number>()
      for (const n of [1, 2]) {
        tasklet(function*() {
          yield* c.send(n)
        })()
      }
      yield* run()
      c.close()
      const got: Array<number> = []
      expect(yield* c.each((n) => void got.push(n))).toBe(2)
      expect(got).toEqual([1, 2])
      yield* run()
    }))
})

inBothGears("callbacks", () => {
  test("the channel callback is told of every action before it happens", () =>
    main(function*() {
      const c = channel<number>()
      const told: Array<unknown> = []
      const callback = (of: Channel, t: Tasklet, sending: boolean, willblock: boolean) =>
        void told.push([of === c, t, sending, willblock, of.balance])
      expect(setChannelCallback(callback)).toBe(undefined)
      const t = tasklet(function*() {
        yield* c.receive()
      })()
      yield* run()
      yield* c.send(1)
      expect(setChannelCallback(null)).toBe(callback)
      expect(told).toEqual([[true, t, false, true, 0], [true, getmain(), true, false, -1]])
    }))

  const sayingWhatIsDone = (c: Channel<string>, done: Array<string>) => {
    const receiver = tasklet(function*() {
      for (let i = 0; i < 2; i++) done.push(`got ${yield* c.receive()}`)
    })()
    const sender = tasklet(function*() {
      for (const value of ["a", "b"]) {
        done.push(`sends ${value}`)
        yield* c.send(value)
        done.push(`sent ${value}`)
      }
    })()
    return { receiver, sender }
  }

  test("the channel callback is told once of each action between tasklets, and sees what is sent", () =>
    main(function*() {
      const c = channel<string>()
      const done: Array<string> = []
      const { receiver } = sayingWhatIsDone(c, done)
      setChannelCallback((_, t, sending, willblock) => {
        done.push(`${t === receiver ? "receiver" : "sender"} ${sending} ${willblock} ${String(t.tempval)}`)
      })
      yield* run()
      setChannelCallback(null)
      check([c])
      expect(done).toEqual([
        "receiver false true undefined",
        "sends a",
        "sender true false a",
        "got a",
        "receiver false true undefined",
        "sent a",
        "sends b",
        "sender true false b",
        "got b",
        "sent b"
      ])
    }))

  test("what the channel callback changes counts for the action that it is told of", () =>
    main(function*() {
      const c = channel<string>()
      const done: Array<string> = []
      sayingWhatIsDone(c, done)
      setChannelCallback((of, _, sending) => {
        if (sending) of.preference = 1
      })
      yield* run()
      setChannelCallback(null)
      check([c])
      expect(done).toEqual(["sends a", "sent a", "sends b", "got a", "sent b", "got b"])
    }))

  test("a channel callback that takes itself away is told no more", () =>
    main(function*() {
      const c = channel<string>()
      const done: Array<string> = []
      sayingWhatIsDone(c, done)
      setChannelCallback(() => {
        setChannelCallback(null)
        done.push("told")
      })
      yield* run()
      check([c])
      expect(done).toEqual(["told", "sends a", "got a", "sent a", "sends b", "got b", "sent b"])
    }))

  test("a switch that the channel callback forbids does not happen", () =>
    main(function*() {
      const c = channel<string>()
      const done: Array<string> = []
      sayingWhatIsDone(c, done)
      setChannelCallback((_, __, sending) => void (sending && switchTrap(1)))
      const error = yield* errorOf(run())
      setChannelCallback(null)
      switchTrap(-switchTrap())
      check([c])
      expect(error).toBeInstanceOf(RuntimeError)
      expect([done, c.balance]).toEqual([["sends a"], -1])
    }))

  test("the schedule callback is told of every switch", () =>
    main(function*() {
      const told: Array<unknown> = []
      const t = tasklet(function*() {
        yield* schedule()
      })()
      setScheduleCallback((prev, next) => void told.push([prev, next]))
      yield* run()
      setScheduleCallback(undefined)
      const m = getmain()
      expect(told).toEqual([[m, t], [t, m]])
    }))

  // upstream crashes where the one that hands over has left the ring
  test.each([
    ["schedules", ["b", "inserted", "a", "b ends"]],
    ["blocks", ["b", "inserted", "b ends"]],
    ["ends", ["b", "inserted", "b ends"]]
  ])(
    "the schedule callback may insert a tasklet while another one hands over that %s",
    (what, order) =>
      main(function*() {
        const c = channel<number>()
        const said: Array<string> = []
        const a = tasklet(function*() {
          if (what === "ends") return
          yield* what === "blocks" ? c.receive() : schedule()
          said.push("a")
        })()
        const b = tasklet(function*() {
          said.push("b")
          yield* schedule()
          said.push("b ends")
        })()
        const inserted = tasklet(() => void said.push("inserted"))().remove()
        const seen: Array<boolean> = []
        setScheduleCallback((prev) => {
          if (prev !== a) return
          seen.push(a.isCurrent, getcurrent() === a)
          setScheduleCallback(null)
          inserted.insert()
        })
        yield* run()
        expect(seen).toEqual([true, true])
        expect(said).toEqual(order)
        check([c], [a, b, inserted])
        yield* a.kill()
      })
  )

  test("a tasklet that the schedule callback takes out of the ring as it is switched to runs nevertheless", () =>
    main(function*() {
      const said: Array<string> = []
      const a = tasklet(() => void said.push("a"))()
      const b = tasklet(() => void said.push("b"))()
      setScheduleCallback((_, next) => {
        if (next === b) b.remove()
      })
      yield* run()
      setScheduleCallback(null)
      expect(said).toEqual(["a", "b"])
      check([], [a, b])
    }))

  test.each(["a value", "an error"])(
    "one that the channel callback has taken away is not met: who sends %s waits",
    (what) =>
      main(function*() {
        const c = channel<number>()
        const t = tasklet(function*() {
          yield* c.receive()
        })()
        yield* run()
        const sent = new Error("sent")
        const sender = tasklet(function*() {
          yield* what === "a value" ? c.send(1) : c.sendThrow(sent)
        })()
        setChannelCallback(() => void Effect.runFork(t.kill({ pending: true })))
        yield* run()
        setChannelCallback(null)
        expect([t.alive, sender.blocked, c.balance]).toEqual([false, true, 1])
        check([c], [t, sender])
        if (what === "a value") expect(yield* c.receive()).toBe(1)
        else expect(yield* errorOf(c.receive())).toBe(sent)
      })
  )

  test("a selection takes what the channel callback has brought", () =>
    main(function*() {
      const c = channel<number>()
      const got: Array<unknown> = []
      const t = tasklet(function*() {
        got.push(yield* select({ c: c.receive() }))
      })()
      setChannelCallback(() => {
        setChannelCallback(null)
        Effect.runFork(c.send(1))
      })
      yield* run()
      expect(got).toEqual([{ key: "c", value: 1 }])
      check([c], [t])
    }))

  test("an error out of the channel callback is thrown in whoever acts, and nothing else happens", () =>
    main(function*() {
      const c = channel<number>()
      setChannelCallback(() => {
        throw new Error("no")
      })
      try {
        expect((yield* errorOf(c.send(1))).message).toBe("no")
      } finally {
        setChannelCallback(null)
      }
      check([c])
      expect([c.balance, getruncount()]).toEqual([0, 1])
    }))

  test("what a tasklet has still to be resumed with is not given to its partner on a channel", () =>
    main(function*() {
      const got: Array<unknown> = []
      const c = channel<string>()
      const first: Tasklet = tasklet(function*() {
        yield* schedule()
        // goes on as the second one, which has still to be resumed with what its `schedule` gives back
        yield* first.switch()
        got.push(yield* c.receive(), getcurrent() === second)
      })()
      const second = tasklet(function*() {
        yield* schedule()
      })()
      yield* first.run()
      yield* schedule()
      got.push(yield* c.send("a message"))
      yield* run()
      expect(got).toEqual(["a message", true, undefined])
    }))

  test("callbacks are functions", () => {
    expect(() => setChannelCallback(3 as never)).toThrow(TypeError)
    expect(() => setScheduleCallback("no" as never)).toThrow(TypeError)
  })
})

test("a channel can be subclassed", () =>
  main(function*() {
    class Mailbox<T> extends Channel<T> {
      sent = 0
      override send(value: T) {
        this.sent++
        return super.send(value)
      }
    }
    const c = new Mailbox<number>()
    tasklet(function*() {
      yield* c.sendSequence([1, 2])
    })()
    expect([yield* c.receive(), yield* c.receive(), c.sent]).toEqual([1, 2, 2])
    yield* run()
  }))

test("an operation can be kept and performed again, by anybody", () =>
  main(function*() {
    const c = channel<number>()
    const send = c.send(3)
    const receive = c.receive()
    for (let i = 0; i < 2; i++) {
      tasklet(function*() {
        yield* send
      })()
    }
    expect([yield* receive, yield* receive]).toEqual([3, 3])
    yield* run()
  }))

test("an operation can be piped in a body", () =>
  main(function*() {
    const c = channel<number>()
    tasklet(function*() {
      yield* c.send(20)
    })()
    expect(yield* Effect.map(c.receive(), (n) => n + 1)).toBe(21)
    yield* run()
  }))

test("the examples of the originals for send and receive work from outside, too", () =>
  onThread(Effect.gen(function*() {
    const c = channel<number>()
    tasklet(function*(value: number) {
      yield* c.send(value)
    })(5)
    yield* run()
    expect(yield* c.receive()).toBe(5)
    yield* run()
    expect(c.balance).toBe(0)
  })))
