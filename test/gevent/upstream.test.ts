/** What gevent's own tests hold that the other tests here do not show. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { settrace } from "effect-stackless/greenlet"
import { describe, expect, test } from "vitest"
import { caught, program, type Steps } from "./program.ts"

class Expected extends Error {}

describe("the course of a greenlet", () => {
  const states = (g: gevent.Greenlet) => [g.started, g.dead, g.ready(), g.successful(), g.value, g.exception]

  program("shows in its state, up to its value", function*({ body, lines, log }) {
    const greenlet = new gevent.Greenlet(
      body(function*(delay: number) {
        yield* gevent.sleep(delay)
        return 5
      }),
      1
    )
    greenlet.rawlink((g) => log(g))
    expect(states(greenlet)).toEqual([false, false, false, false, undefined, undefined])
    greenlet.start()
    expect(states(greenlet)).toEqual([true, false, false, false, undefined, undefined])
    yield* gevent.sleep(0.5)
    expect(states(greenlet)).toEqual([true, false, false, false, undefined, undefined])
    expect(lines).toEqual([])
    yield* gevent.sleep(1)
    expect(states(greenlet)).toEqual([false, true, true, true, 5, undefined])
    expect(greenlet.excInfo).toBe(undefined)
    expect(lines).toEqual([greenlet])
  })

  program("shows in its state, up to its error", function*({ body, lines, log }) {
    const error = new Expected()
    const greenlet = new gevent.Greenlet(body(function*() {
      yield* gevent.sleep(1)
      throw error
    }))
    greenlet.rawlink((g) => log(g))
    greenlet.start()
    yield* gevent.sleep(2)
    expect(states(greenlet)).toEqual([false, true, true, false, undefined, error])
    expect(lines).toEqual([greenlet])
  })

  program("does not pass through death while it is switched to for the first time", function*({ body }) {
    const greenlet = gevent.spawn(body(function*() {
      return 42
    }))
    const dead: Array<unknown> = []
    const before = settrace((_, __, target) => {
      if (target === (greenlet as unknown)) dead.push(target.dead)
    })
    yield* greenlet.join()
    settrace(before)
    expect(dead).toEqual([false])
  })

  program("is not begun again by start", function*({ body, lines, log }) {
    const greenlet = gevent.spawn(body(function*() {
      log("ran")
    }))
    greenlet.start()
    yield* greenlet.join()
    greenlet.start()
    greenlet.startLater(0)
    yield* gevent.sleep(1)
    expect(lines).toEqual(["ran"])
  })

  program("of endless recursion is an error like any other", function*({ body, reports }) {
    const endless = function*(): Steps<number> {
      return 1 + (yield* endless())
    }
    const greenlet = gevent.spawn(body(endless))
    const waiting = gevent.spawn(body(function*() {
      yield* gevent.joinall([greenlet])
    }))
    yield* gevent.joinall([waiting])
    expect(yield* caught(greenlet.get())).toBeInstanceOf(RangeError)
    expect([greenlet.successful(), greenlet.dead]).toEqual([false, true])
    expect(reports).toEqual([[greenlet, expect.any(RangeError)]])
  })

  program("leaves its name and its function to be read", function*() {
    const greenlet = gevent.spawn(function answering() {
      return 1
    })
    expect(String(greenlet)).toBe("<Greenlet: answering>")
    yield* greenlet.join()
    expect(String(greenlet)).toBe("<Greenlet: answering>")
    expect(greenlet.name).toMatch(/^Greenlet-\d+$/)
    expect(String(greenlet)).toBe(`<Greenlet "${greenlet.name}": answering>`)
    class Subclass extends gevent.Greenlet {}
    expect(String(new Subclass())).toBe("<Subclass>")
  })
})

describe("a greenlet that never ran", () => {
  const ways: Record<string, (g: gevent.Greenlet) => Effect.Effect<unknown, any>> = {
    "g.kill": (g) => g.kill(),
    "kill": (g) => Effect.sync(() => gevent.kill(g)),
    "g.throw": (g) => g.throw(new gevent.GreenletExit()),
    "killall": (g) => gevent.killall([g])
  }
  for (const [way, end] of Object.entries(ways)) {
    program(`is over by ${way}, and its links are called`, function*({ body, lines, log, reports }) {
      const greenlet = gevent.spawn(body(function*() {
        log("ran")
      }))
      greenlet.link(() => log("linked"))
      yield* end(greenlet)
      expect(greenlet.value).toBeInstanceOf(gevent.GreenletExit)
      expect([greenlet.dead, greenlet.ready(), greenlet.successful(), greenlet.exception]).toEqual([
        true,
        true,
        true,
        undefined
      ])
      yield* gevent.joinall([greenlet])
      // a second time does no harm
      yield* end(greenlet)
      yield* gevent.sleep(1)
      expect(lines).toEqual(["linked"])
      expect(reports).toEqual([])
    })
  }

  program("dies of the error that it was killed with, thrown or not", function*({ body, reports }) {
    const error = new Expected()
    for (const block of [true, false]) {
      for (const way of ["kill", "killall"] as const) {
        const greenlet = new gevent.Greenlet(body(function*() {}))
        yield* way === "kill"
          ? greenlet.kill({ exception: error, block })
          : gevent.killall([greenlet], { exception: error, block })
        expect([greenlet.dead, greenlet.successful(), greenlet.value, greenlet.exception]).toEqual([
          true,
          false,
          undefined,
          error
        ])
      }
    }
    expect(reports).toHaveLength(4)
  })

  program(
    "but is raw cannot be kept from it: killall comes behind its start",
    function*({ body, lines, log, reports }) {
      const raw = gevent.spawnRaw(body(function*() {
        log("ran")
        yield* gevent.sleep(1)
      }))
      yield* gevent.killall([raw])
      expect([raw.dead, lines, reports]).toEqual([true, ["ran"], []])
    }
  )
})

describe("a greenlet that ends itself", () => {
  program("by kill does so at once, and cleans up", function*({ body, lines, log }) {
    const greenlet = gevent.spawn(body(function*() {
      try {
        yield* (gevent.getcurrent() as gevent.Greenlet).kill()
        log("went on")
      } finally {
        log("cleaned up")
      }
    }))
    yield* greenlet.join()
    expect(greenlet.value).toBeInstanceOf(gevent.GreenletExit)
    expect(lines).toEqual(["cleaned up"])
  })

  program("by throw dies of that error", function*({ body }) {
    const error = new Expected()
    const greenlet = gevent.spawn(body(function*() {
      yield* gevent.getcurrent().throw(error)
    }))
    expect(yield* caught(greenlet.get())).toBe(error)
  })

  program("by a kill that does not wait does so where it waits next", function*({ body, lines, log }) {
    const greenlet = gevent.spawn(body(function*() {
      yield* (gevent.getcurrent() as gevent.Greenlet).kill({ block: false })
      log("before")
      yield* gevent.sleep(1)
      log("after")
    }))
    yield* greenlet.join()
    expect(lines).toEqual(["before"])
  })
})

describe("a handler of errors that fails itself", () => {
  for (const how of ["handleError", "exceptionStream"] as const) {
    program(`as ${how} can, takes nothing else with it`, function*({ body }) {
      const hub = gevent.gethub()
      const failing = () => {
        throw new RangeError("the handler")
      }
      const written: Array<string> = []
      if (how === "handleError") {
        hub.handleError = failing
        hub.exceptionStream = { write: (text) => written.push(text) }
      } else {
        delete (hub as Partial<gevent.Hub>).handleError
        hub.exceptionStream = { write: failing }
      }
      const error = new Expected()
      const pool = new gevent.Pool(1)
      const greenlet = yield* pool.spawn(body(function*() {
        throw error
      }))
      expect(yield* caught(greenlet.get())).toBe(error)
      yield* gevent.sleep()
      expect(pool.freeCount()).toBe(1)
      expect(yield* pool.apply(() => 1, [])).toBe(1)
      hub.runCallback(() => {
        throw error
      })
      yield* gevent.sleep(1)
      const failures = written.filter((text) => text.includes("the handler of errors failed with RangeError"))
      expect(failures).toHaveLength(how === "handleError" ? 2 : 0)
    })
  }
})

describe("links", () => {
  program("lead to results, queues and channels, before the end or after it", function*({ body }) {
    const greenlet = gevent.spawn(body(function*() {
      return 25
    }))
    for (let n = 0; n < 3; n++) {
      const result = new gevent.AsyncResult<number>()
      const queue = new gevent.Queue<gevent.Greenlet>(1)
      const channel = new gevent.Channel<gevent.Greenlet>()
      greenlet.link((g) => result.take(g))
      greenlet.link((g) => queue.put(g))
      greenlet.link((g) => channel.put(g))
      expect(yield* result.get()).toBe(25)
      expect(yield* queue.get()).toBe(greenlet)
      expect(yield* channel.get()).toBe(greenlet)
    }
  })

  program("of every kind are counted, and can be taken back", function*({ body }) {
    const greenlet = gevent.spawn(body(function*() {}))
    const link = () => {}
    for (const method of ["link", "linkValue", "linkException", "rawlink"] as const) {
      greenlet[method](link)
      expect(greenlet.hasLinks()).toBe(true)
      greenlet.unlink(link)
      expect(greenlet.hasLinks()).toBe(false)
    }
    yield* greenlet.join()
  })

  const listening = (methods: { link(f: (x: any) => void): void; unlink(f: (x: any) => void): void }) => {
    const called: Array<number> = []
    const first = () => {
      called.push(1)
      methods.unlink(second)
      throw new Expected("first")
    }
    const second = () => {
      called.push(2)
      methods.unlink(first)
      throw new Expected("second")
    }
    methods.link(first)
    methods.link(second)
    methods.link(() => {
      throw new Expected("third")
    })
    return called
  }

  program("that are taken back by an earlier one are not called any more", function*({ body, reports }) {
    const done = body(function*() {
      return 5
    })
    const [one, two] = [gevent.spawn(done), gevent.spawn(done)]
    const result = new gevent.AsyncResult<number>()
    const all = [
      listening({ link: (f) => one.link(f), unlink: (f) => one.unlink(f) }),
      listening({ link: (f) => two.rawlink(f), unlink: (f) => two.unlink(f) }),
      listening({ link: (f) => result.rawlink(f), unlink: (f) => result.unlink(f) })
    ]
    gevent.spawn(() => result.set(6))
    yield* gevent.sleep(1)
    expect(all).toEqual([[1], [1], [1]])
    expect(reports).toHaveLength(6)
  })

  test("are functions", () => {
    const result = new gevent.AsyncResult()
    expect(() => result.rawlink(null as never)).toThrow(TypeError)
    result.unlink(null as never)
    expect(() => new gevent.Greenlet().link(5 as never)).toThrow(TypeError)
    expect(() => gevent.spawn(undefined as never)).toThrow(TypeError)
    expect(() => gevent.spawnLater(1, undefined as never)).toThrow(TypeError)
    expect(() => new gevent.Greenlet(5 as never)).toThrow(TypeError)
  })
})

describe("waiting for several", () => {
  program("counts one that is there twice as two", function*({ body }) {
    const [a, b] = [gevent.spawn(() => 1), gevent.spawn(() => 2)]
    expect((yield* gevent.joinall([a, b, a])).map((g) => g.value)).toEqual([1, 1, 2])
    const c = gevent.spawn(body(function*() {}))
    expect(yield* gevent.joinall([c, c], { count: 1 })).toEqual([c])
  })

  program("for none of them is over at once", function*({ body }) {
    expect(yield* gevent.wait([])).toEqual([])
    expect(yield* gevent.joinall([])).toEqual([])
    expect(yield* gevent.iwait([]).next()).toEqual({ done: true, value: undefined })
    yield* gevent.killall([])
    const greenlet = gevent.spawn(body(function*() {}))
    expect(yield* gevent.wait([greenlet], { count: 0 })).toEqual([])
    expect(greenlet.ready()).toBe(false)
    yield* greenlet.join()
  })

  program("throws the error that came first, if it is to throw", function*({ body }) {
    const failing = (seconds: number, message: string) =>
      gevent.spawn(body(function*() {
        yield* gevent.sleep(seconds)
        throw new Expected(message)
      }))
    const greenlets = [failing(2, "late"), failing(1, "early")]
    expect(yield* caught(gevent.joinall(greenlets, { raiseError: true }))).toMatchObject({ message: "early" })
    yield* gevent.joinall(greenlets)
    const killed = gevent.spawn(body(function*() {
      yield* gevent.sleep(5)
    }))
    yield* gevent.sleep()
    yield* killed.kill()
    expect(yield* gevent.joinall([killed], { raiseError: true })).toEqual([killed])
  })

  program("of which some have ended may wait in between", function*({ body }) {
    const work = body(function*(n: number) {
      if (n === 2) throw new Expected()
      return n
    })
    const done = gevent.spawn(work, 9)
    yield* done.join()
    const workers = [...[0, 1, 2].map((n) => gevent.spawn(work, n)), done]
    let finished = 0
    yield* gevent.iwait(workers).each(function*() {
      finished++
      yield* gevent.sleep(1)
    })
    expect(finished).toBe(4)
  })

  program("leaves no link behind when it is left early", function*({ body }) {
    const [one, two] = [new gevent.Semaphore(0), new gevent.Semaphore(0)]
    gevent.spawn(body(function*() {
      one.release()
    }))
    const waiting = gevent.iwait([one, two])
    expect(yield* waiting.next()).toEqual({ done: false, value: one })
    expect(two.linkcount()).toBe(1)
    waiting.close()
    expect(two.linkcount()).toBe(0)
  })

  program("takes events and results, so many of them or until time is over", function*({ body }) {
    const things = Array.from({ length: 5 }, () => [new gevent.Event(), new gevent.AsyncResult<number>()] as const)
    const sender = gevent.spawn(body(function*() {
      for (const [event, result] of things) {
        yield* gevent.sleep(1)
        event.set()
        yield* gevent.sleep(1)
        result.set(1)
      }
    }))
    const all = things.flat()
    expect(yield* gevent.wait<unknown>(all, { count: 2 })).toEqual(all.slice(0, 2))
    expect(yield* gevent.wait<unknown>(all, { timeout: 2.5 })).toEqual(all.slice(0, 4))
    expect(yield* gevent.wait<unknown>(all)).toEqual(all)
    expect(sender.ready()).toBe(true)
  })

  program("of a semaphore that is free is over at once", function*() {
    const semaphore = new gevent.Semaphore()
    expect(yield* gevent.wait([semaphore])).toEqual([semaphore])
  })

  program("refuses what cannot be waited for", function*() {
    expect(yield* caught(gevent.wait([1 as never]))).toBeInstanceOf(TypeError)
  })
})

describe("waiting until nothing is left", () => {
  program("can be done again and again", function*({ body }) {
    for (let n = 0; n < 2; n++) {
      const greenlet = gevent.spawn(body(function*() {
        return 5
      }))
      expect(yield* gevent.wait(undefined, { timeout: 10 })).toBe(true)
      expect(greenlet.value).toBe(5)
      const later = gevent.spawnLater(9, () => {})
      expect(yield* gevent.wait(undefined, { timeout: 1 })).toBe(false)
      yield* later.kill()
      expect(yield* gevent.wait()).toBe(true)
    }
  })

  program("does not count a timer without a ref, whenever that was said", function*() {
    const hub = gevent.gethub()
    const began = hub.now()
    hub.timer(10, { ref: false }).start(() => {})
    expect(yield* gevent.wait()).toBe(true)
    const timer = hub.timer(10)
    timer.start(() => {})
    timer.ref = false
    expect(yield* gevent.wait()).toBe(true)
    expect(hub.now() - began).toBeLessThan(5000)
    timer.ref = true
    expect(yield* gevent.wait(undefined, { timeout: 1 })).toBe(false)
    timer.stop()
  })
})

describe("an event", () => {
  program("that is set and cleared at once has woken all that waited", function*({ body }) {
    const event = new gevent.Event()
    const waiting = Array.from({ length: 1000 }, () =>
      gevent.spawn(body(function*() {
        return yield* event.wait()
      })))
    yield* gevent.sleep()
    event.set()
    event.clear()
    yield* gevent.joinall(waiting)
    expect(waiting.every((greenlet) => greenlet.value === true)).toBe(true)
  })

  program("does not end a wait that begins while it tells, and it is cleared", function*({ body }) {
    const event = new gevent.Event()
    const waiter = gevent.spawn(body(function*() {
      const setter = gevent.spawn(() => event.set())
      expect(yield* event.wait()).toBe(true)
      yield* setter.join()
      event.clear()
      return yield* gevent.wait([event], { timeout: 1 })
    }))
    expect(yield* waiter.get()).toEqual([])
  })

  program("lets who comes while it tells wait behind the others, and no longer", function*({ body, lines, log }) {
    const event = new gevent.Event()
    const waiting = body(function*(name: string) {
      yield* event.wait()
      log(name)
    })
    gevent.spawn(waiting, "first")
    gevent.spawn(waiting, "second")
    yield* gevent.idle()
    expect(event.linkcount()).toBe(2)
    event.set()
    gevent.gethub().runCallback(() => log("the next turn"))
    yield* event.wait()
    log("main")
    expect(lines).toEqual(["first", "second", "main"])
  })

  program("or result, waited for no time, says at once that it is not there", function*() {
    expect(yield* new gevent.Event().wait(0)).toBe(false)
    expect(yield* new gevent.AsyncResult().wait(0)).toBe(undefined)
    expect(yield* caught(new gevent.AsyncResult().get({ timeout: 0 }))).toBeInstanceOf(gevent.Timeout)
    expect(yield* caught(new gevent.AsyncResult().get({ block: false }))).toBeInstanceOf(gevent.Timeout)
  })
})

describe("a result", () => {
  program("that fails throws its error in all that wait", function*({ body }) {
    const result = new gevent.AsyncResult<number>()
    expect([result.excInfo, result.exception]).toEqual([[], undefined])
    const waiting = [1, 2].map(() =>
      gevent.spawn(body(function*() {
        return yield* caught(result.get())
      }))
    )
    const error = new Expected()
    result.setException(error)
    yield* gevent.joinall(waiting)
    expect(waiting.map((greenlet) => greenlet.value)).toEqual([error, error])
    expect(yield* result.wait()).toBe(undefined)
  })

  program("is not waited for when a timeout comes first", function*() {
    const result = new gevent.AsyncResult<string>()
    const late = gevent.spawnLater(2, () => result.set("late"))
    const error = new Expected()
    const timeout = gevent.Timeout.startNew(0, error)
    expect(yield* caught(result.get())).toBe(error)
    timeout.close()
    expect(yield* gevent.withTimeout(1, () => result.get(), { timeoutValue: "none" })).toBe("none")
    expect(yield* result.get()).toBe("late")
    expect(late.dead).toBe(true)
  })
})
