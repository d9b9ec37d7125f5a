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

  program("of an event that is set is over at once, as often as it is waited for", function*() {
    const event = new gevent.Event()
    event.set()
    expect(yield* gevent.wait([event])).toEqual([event])
    expect(yield* gevent.wait([event])).toEqual([event])
  })

  program("of a semaphore that is free is over at once", function*() {
    const semaphore = new gevent.Semaphore()
    expect(yield* gevent.wait([semaphore])).toEqual([semaphore])
  })

  test("refuses what cannot be waited for", () => {
    expect(() => gevent.wait([1 as never])).toThrow(TypeError)
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

describe("a semaphore", () => {
  program("calls links that were there when it was released, once each", function*({ lines, log }) {
    const semaphore = new gevent.Semaphore()
    semaphore.rawlink(() => log("a"))
    semaphore.release()
    semaphore.rawlink(() => log("b"))
    semaphore.release()
    yield* gevent.sleep(1)
    expect([lines, semaphore.counter, semaphore.linkcount()]).toEqual([["a", "b"], 3, 0])
  })

  program("serves who waits in turn, and no more of them than it is released", function*({ body, lines, log }) {
    const semaphore = new gevent.Semaphore(0)
    const waiting = [0, 1, 2, 3].map((n) =>
      gevent.spawn(body(function*() {
        yield* semaphore.acquire()
        log(n)
      }))
    )
    yield* gevent.sleep()
    semaphore.release()
    semaphore.release()
    yield* gevent.sleep()
    expect([lines, semaphore.counter]).toEqual([[0, 1], 0])
    semaphore.release()
    semaphore.release()
    yield* gevent.joinall(waiting)
    expect(lines).toEqual([0, 1, 2, 3])
  })

  program("answers false when time is over, and waits without being acquired", function*() {
    const semaphore = new gevent.Semaphore(0)
    expect(yield* semaphore.acquire({ timeout: 1 })).toBe(false)
    expect(yield* semaphore.wait(1)).toBe(0)
    semaphore.release()
    expect([yield* semaphore.wait(), semaphore.counter]).toEqual([1, 1])
    expect(yield* semaphore.acquire({ timeout: 0 })).toBe(true)
    expect(yield* semaphore.acquire({ timeout: 0 })).toBe(false)
    expect(yield* semaphore.acquire(false)).toBe(false)
  })

  program("that is bounded, and a lock that is not held, cannot be released", function*({ body }) {
    expect(() => new gevent.BoundedSemaphore(1).release()).toThrow(gevent.ValueError)
    const lock = new gevent.RLock()
    expect(() => lock.release()).toThrow(gevent.RuntimeError)
    expect([yield* lock.acquire(), yield* lock.acquire(), yield* lock.acquire(false)]).toEqual([true, 1, 1])
    const other = gevent.spawn(body(function*() {
      return [yield* lock.acquire(false), yield* lock.acquire({ timeout: 1 })]
    }))
    expect(yield* other.get()).toEqual([false, false])
    for (let n = 0; n < 3; n++) lock.release()
    expect(lock.locked()).toBe(false)
  })
})

describe("a pool", () => {
  const forever = () => gevent.sleep(1000)

  program("has its room back when a greenlet is discarded, once", function*() {
    const pool = new gevent.Pool(2)
    const greenlet = yield* pool.spawn(forever)
    pool.discard(greenlet)
    yield* greenlet.kill()
    expect([pool.length, pool.freeCount()]).toEqual([0, 2])
    expect([yield* pool.waitAvailable(0), pool.full()]).toEqual([2, false])
  })

  program("without any room is full, and nobody gets in", function*() {
    const pool = new gevent.Pool(0)
    expect([pool.freeCount(), pool.full(), yield* pool.waitAvailable(1)]).toEqual([0, true, 0])
    const timeout = new gevent.Timeout(1)
    expect(yield* caught(timeout.within(() => pool.spawn(forever)))).toBe(timeout)
  })

  program("that is empty is joined at once", function*() {
    expect([yield* new gevent.Pool().join(), yield* new gevent.Group().join({ timeout: 0 })]).toEqual([true, true])
  })

  program("forgets greenlets that were dead when they were added", function*() {
    const dead = gevent.spawn(() => 1)
    yield* dead.join()
    for (const start of [false, true]) {
      const pool = new gevent.Pool(1)
      yield* start ? pool.start(dead) : pool.add(dead)
      expect(pool.length).toBe(1)
      yield* gevent.sleep()
      expect([pool.length, pool.freeCount()]).toEqual([0, 1])
    }
    const group = new gevent.Group()
    group.add(dead)
    yield* gevent.sleep()
    expect(group.length).toBe(0)
  })

  program("applies itself, in its only greenlet", function*({ body }) {
    const pool = new gevent.Pool(1)
    expect(
      yield* pool.apply(
        body(function*(n: number) {
          return yield* pool.apply((m: number) => m + 1, [n])
        }),
        [5]
      )
    ).toBe(6)
  })

  program("calls back with values only, and not with what failed", function*({ body, lines, log }) {
    const pool = new gevent.Pool(1)
    const failing = body(function*() {
      throw new Expected()
    })
    // the second finds the pool full
    const [first, second] = [pool.applyAsync(failing, [], log), pool.applyAsync(failing, [], log)]
    expect(yield* caught(first.get())).toBeInstanceOf(Expected)
    expect(yield* caught(second.get())).toBeInstanceOf(Expected)
    expect(yield* pool.applyAsync(() => 5, [], log).get()).toBe(5)
    yield* gevent.sleep()
    expect(lines).toEqual([5])
  })

  program("that is killed lets those in who wait for room", function*({ body }) {
    const pool = new gevent.Pool(1)
    yield* pool.spawn(forever)
    const spawning = gevent.spawn(body(function*() {
      yield* pool.spawn(forever)
    }))
    yield* gevent.sleep()
    yield* pool.kill({ timeout: 1 })
    yield* gevent.sleep()
    expect([pool.length, spawning.ready()]).toEqual([1, true])
    yield* pool.kill()
  })

  program("or group waits no longer than it is told for one that will not be killed", function*({ body }) {
    const group = new gevent.Group()
    group.spawn(body(function*() {
      for (;;) {
        try {
          yield* gevent.sleep(2)
          return
        } catch {
          // goes on
        }
      }
    }))
    yield* gevent.sleep()
    yield* group.kill({ timeout: 1 })
    expect(group.length).toBe(1)
    expect(yield* group.join()).toBe(true)
  })

  program("kills none that is not in it", function*() {
    const group = new gevent.Group()
    const other = gevent.spawn(forever)
    yield* gevent.sleep()
    yield* group.killone(other)
    expect(other.dead).toBe(false)
    yield* other.kill()
  })

  function* failing(): Generator<number> {
    yield 1
    yield 2
    throw new Expected("the items")
  }

  program("hands on an error of the items that it maps over", function*() {
    const pool = new gevent.Pool(3)
    const message = { message: "the items" }
    expect(yield* caught(pool.map((n: number) => n, failing()))).toMatchObject(message)
    const seen: Array<number> = []
    const each = pool.imap((n: number) => n, failing()).each((n) => void seen.push(n))
    expect(yield* caught(each)).toMatchObject(message)
    expect(seen).toEqual([1, 2])
    // those who work come behind it
    expect(yield* caught(pool.imapUnordered((n: number) => n, failing()).next())).toMatchObject(message)
  })

  program("maps over what comes through a queue, until StopIteration does", function*({ body, lines, log }) {
    const double = body(function*(n: number) {
      return 2 * n
    })
    const pool = new gevent.Pool(2)
    const queue = new gevent.Queue<number>(null, [1])
    gevent.spawnLater(1, () => queue.putNowait(2))
    gevent.spawnLater(2, () => queue.putNowait(gevent.StopIteration as never))
    yield* pool.imap(double, queue).each((n) => log(n))
    expect(lines).toEqual([2, 4])
    const end = gevent.StopIteration as never
    expect(yield* pool.map(double, new gevent.Queue<number>(null, [3, 4, end]))).toEqual([6, 8])
    // two together, of which one has more
    const sums = pool.imapUnordered((a: number, b: number) => a + b, new gevent.Queue<number>(null, [1, end]), [10, 20])
    expect(yield* sums.next()).toEqual({ done: false, value: 11 })
    expect(yield* sums.next()).toEqual({ done: true, value: undefined })
    expect(yield* pool.map((letter: string) => letter.toUpperCase(), "ab")).toEqual(["A", "B"])
    expect(yield* caught(pool.map(double, 5 as never))).toBeInstanceOf(TypeError)
    // and what is mapped can be mapped again
    const mapped = pool.imap(double, pool.imap(double, [1, 2]), { maxsize: 1 })
    expect([yield* mapped.next(), yield* mapped.next()].map(({ value }) => value)).toEqual([4, 8])
  })

  program("maps over nothing", function*() {
    const pool = new gevent.Pool(1)
    expect(yield* pool.map((n: number) => n, [])).toEqual([])
    for (const method of ["imap", "imapUnordered"] as const) {
      expect(yield* pool[method]((n: number) => n, []).next()).toEqual({ done: true, value: undefined })
    }
  })

  program("maps over more items than it has room for, in the order of their end", function*({ body, lines, log }) {
    const sleeping = body(function*(n: number) {
      yield* gevent.sleep(n)
      return n
    })
    yield* new gevent.Pool(1).imapUnordered(sleeping, [10, 1, 2]).each((n) => log(n))
    yield* new gevent.Pool(3).imapUnordered(sleeping, [10, 1, 2]).each((n) => log(n))
    expect(lines).toEqual([10, 1, 2, 1, 2, 10])
  })

  program("is bounded by who reads, in whatever order", function*({ body }) {
    for (const size of [1, 2, null]) {
      for (const method of ["imap", "imapUnordered"] as const) {
        let running = 0
        const mapped = new gevent.Pool(size)[method](
          body(function*(n: number) {
            running++
            return n
          }),
          Array.from({ length: 20 }, (_, n) => n),
          { maxsize: 1 }
        )
        const read: Array<number> = []
        yield* mapped.each(function*(n) {
          expect(running).toBeLessThanOrEqual(read.length + 2)
          read.push(n)
          yield* gevent.sleep(0.01)
        })
        expect(read).toHaveLength(20)
      }
    }
  })
})

describe("a queue", () => {
  program("can be put to and got from by callbacks of the hub", function*({ body, lines, log }) {
    const hub = gevent.gethub()
    const queue = new gevent.Queue<number>(1)
    const attempt = (f: () => unknown) => () => {
      try {
        log(f())
      } catch (error) {
        log((error as Error).name)
      }
    }
    hub.runCallback(attempt(() => queue.putNowait(2)))
    hub.runCallback(attempt(() => queue.putNowait(3)))
    yield* gevent.sleep()
    expect(lines.splice(0)).toEqual([undefined, "Full"])
    // a putter that waits is let in
    const putter = gevent.spawn(body(function*() {
      yield* queue.put(5)
    }))
    yield* gevent.sleep()
    expect(putter.ready()).toBe(false)
    hub.runCallback(attempt(() => queue.getNowait()))
    yield* putter.join()
    hub.runCallback(attempt(() => queue.getNowait()))
    hub.runCallback(attempt(() => queue.getNowait()))
    yield* gevent.sleep()
    expect(lines.splice(0)).toEqual([2, 5, "Empty"])
    // a getter that waits is served
    const getter = gevent.spawn(body(function*() {
      return yield* queue.get()
    }))
    yield* gevent.sleep()
    hub.runCallback(attempt(() => queue.putNowait(10)))
    expect(yield* getter.get()).toBe(10)
    expect([queue.empty(), queue.full()]).toEqual([true, false])
  })

  program("that is empty lets nobody peek, and then everybody", function*({ body }) {
    const queue = new gevent.Queue<number>()
    expect(yield* caught(queue.peek())).toBeInstanceOf(gevent.LoopExit)
    expect(yield* caught(queue.peek({ timeout: 1 }))).toBeInstanceOf(gevent.Empty)
    expect(yield* caught(queue.peek({ block: false }))).toBeInstanceOf(gevent.Empty)
    const peeking = gevent.spawn(body(function*() {
      return yield* queue.peek()
    }))
    yield* gevent.sleep()
    yield* queue.put(1)
    expect([yield* peeking.get(), yield* queue.peek(), queue.qsize()]).toEqual([1, 1, 1])
  })

  program("makes who puts wait for room", function*({ body, lines, log }) {
    const queue = new gevent.Queue<string>(2)
    const putter = gevent.spawn(body(function*() {
      for (const item of ["a", "b", "c"]) {
        yield* queue.put(item)
        log(item)
      }
      return "OK"
    }))
    yield* gevent.sleep()
    expect(lines).toEqual(["a", "b"])
    expect(yield* queue.get()).toBe("a")
    yield* gevent.sleep()
    expect(lines).toEqual(["a", "b", "c"])
    expect([yield* queue.get(), yield* queue.get()]).toEqual(["b", "c"])
    expect(yield* putter.get({ timeout: 0 })).toBe("OK")
  })

  program("loses nothing to those who give up", function*({ body }) {
    const queue = new gevent.Queue<string>()
    const givingUp = body(function*() {
      const timeout = new gevent.Timeout(0, new Expected())
      return yield* caught(timeout.within(() => queue.get()))
    })
    const [one, waits, two] = [
      gevent.spawn(givingUp),
      gevent.spawn(body(function*() {
        return yield* queue.get()
      })),
      gevent.spawn(givingUp)
    ]
    yield* gevent.sleep(1)
    yield* queue.put("hi")
    expect(yield* one.get()).toBeInstanceOf(Expected)
    expect(yield* two.get()).toBeInstanceOf(Expected)
    expect(yield* waits.get()).toBe("hi")
  })

  program("that is shut down at once has nothing left for anybody", function*() {
    const queue = new gevent.JoinableQueue<string>()
    yield* queue.put("L")
    queue.putNowait("O")
    queue.shutdown(true)
    expect(yield* caught(queue.put("E"))).toBeInstanceOf(gevent.ShutDown)
    expect(() => queue.putNowait("W")).toThrow(gevent.ShutDown)
    for (const options of [undefined, { block: false }, { timeout: 1 }]) {
      expect(yield* caught(queue.get(options))).toBeInstanceOf(gevent.ShutDown)
    }
    expect(() => queue.taskDone()).toThrow(gevent.ValueError)
    expect(yield* queue.join()).toBe(true)
  })

  program("of tasks that nobody put any into is joined at once", function*() {
    expect(yield* new gevent.JoinableQueue().join()).toBe(true)
  })

  program("that is a channel hands over in upstream's order", function*({ body, lines, log }) {
    const channel = new gevent.Channel<string>()
    const getting = gevent.spawn(body(function*() {
      log(yield* channel.get())
      log(yield* channel.get())
    }))
    log("sending")
    yield* channel.put("hello")
    log("sent hello")
    yield* channel.put("world")
    log("sent world")
    expect(lines.splice(0)).toEqual(["sending", "hello", "sent hello", "world", "sent world"])
    yield* getting.get()

    gevent.spawn(body(function*() {
      log("sending hello")
      yield* channel.put("hello")
      log("sending world")
      yield* channel.put("world")
      log("sent world")
    }))
    log("waiting")
    log(yield* channel.get())
    log(yield* channel.get())
    expect(lines).toEqual(["waiting", "sending hello", "hello", "sending world", "world"])
    yield* gevent.sleep()
    expect(lines.at(-1)).toBe("sent world")
  })

  program("that is a channel can be iterated over", function*({ body }) {
    const channel = new gevent.Channel<unknown>()
    gevent.spawn(body(function*() {
      yield* channel.put(gevent.StopIteration)
    }))
    expect(yield* channel.next()).toEqual({ done: true, value: undefined })
  })
})

describe("a wait that is limited", () => {
  const sleeper = () => gevent.spawnLater(50, () => {})
  type Waits = Record<string, (timeout: gevent.Limit) => Effect.Effect<unknown, any>>
  /** What waits for something as long as it has time, and then fails with an error of its own, or with the timeout. */
  const getting: Waits = {
    "AsyncResult.get": (timeout) => new gevent.AsyncResult().get({ timeout }),
    "Greenlet.get": (timeout) => sleeper().get({ timeout }),
    "Queue.get": (timeout) => new gevent.Queue().get({ timeout }),
    "LifoQueue.get": (timeout) => new gevent.LifoQueue().get({ timeout }),
    "PriorityQueue.get": (timeout) => new gevent.PriorityQueue().get({ timeout }),
    "Queue.put": (timeout) => new gevent.Queue(1, [1]).put(2, { timeout }),
    "Channel.get": (timeout) => new gevent.Channel().get({ timeout }),
    "Channel.put": (timeout) => new gevent.Channel().put(1, { timeout })
  }
  /** And what gives an answer then. */
  const waiting: Waits = {
    "Event.wait": (timeout) => new gevent.Event().wait(timeout),
    "AsyncResult.wait": (timeout) => new gevent.AsyncResult().wait(timeout),
    "Semaphore.acquire": (timeout) => new gevent.Semaphore(0).acquire({ timeout }),
    "Greenlet.join": (timeout) => sleeper().join(timeout),
    "Group.join": (timeout) => {
      const group = new gevent.Group()
      group.spawn(() => gevent.sleep(50))
      return group.join({ timeout })
    }
  }
  const own: Record<string, new() => unknown> = {
    "AsyncResult.get": gevent.Timeout,
    "Greenlet.get": gevent.Timeout,
    "Queue.put": gevent.Full,
    "Channel.put": gevent.Full
  }

  for (const [name, wait] of Object.entries(getting)) {
    program(`ends with an error of its own: ${name}`, function*() {
      const began = gevent.gethub().now()
      expect(yield* caught(wait(1))).toBeInstanceOf(own[name] ?? gevent.Empty)
      expect(Math.round((gevent.gethub().now() - began) / 1000)).toBe(1)
    })
    program(`ends with the timeout that it was given: ${name}`, function*() {
      const timeout = new gevent.Timeout(1)
      expect(yield* caught(wait(timeout))).toBe(timeout)
      expect(timeout.pending).toBe(false)
    })
  }
  for (const [name, wait] of Object.entries(waiting)) {
    program(`answers when time is over: ${name}`, function*() {
      for (const timeout of [1, new gevent.Timeout(1)]) {
        const began = gevent.gethub().now()
        expect((yield* wait(timeout)) ?? false).toBe(false)
        expect(Math.round((gevent.gethub().now() - began) / 1000)).toBe(1)
      }
    })
  }
  for (const [name, wait] of Object.entries({ ...getting, ...waiting })) {
    program(`lets an outer timeout through, and the error of its own one: ${name}`, function*() {
      const outer = new gevent.Timeout(1)
      expect(yield* caught(outer.within(() => wait(2)))).toBe(outer)
      expect(yield* caught(wait(new gevent.Timeout(1, new Expected())))).toBeInstanceOf(Expected)
      // nothing of it is left
      yield* gevent.sleep(3)
    })
  }
})

describe("in the hub, which cannot wait,", () => {
  program("a channel is got from while somebody puts, and put into while somebody gets", function*({ body }) {
    const channel = new gevent.Channel<number>()
    const hub = gevent.gethub()
    const inHub = function*(operation: Effect.Effect<unknown, any>) {
      let outcome: unknown = "not run"
      hub.runCallback(function*() {
        outcome = yield* caught(Effect.map(operation, (value) => {
          outcome = value
          throw value
        }))
      })
      yield* gevent.sleep(0.1)
      return outcome
    }
    expect(yield* inHub(channel.getNowait())).toBeInstanceOf(gevent.Empty)
    expect(yield* inHub(channel.putNowait(1))).toBeInstanceOf(gevent.Full)
    const putter = gevent.spawn(body(function*() {
      yield* channel.put(5)
    }))
    yield* gevent.sleep(0.1)
    expect(putter.ready()).toBe(false)
    expect(yield* inHub(channel.getNowait())).toBe(5)
    expect([putter.ready(), channel.balance]).toEqual([true, 0])

    const getter = gevent.spawn(body(function*() {
      return yield* channel.get()
    }))
    yield* gevent.sleep(0.1)
    expect(yield* inHub(channel.putNowait(6))).toBe(undefined)
    expect([getter.value, channel.balance]).toEqual([6, 0])
  })
})

describe("a class of errors is as good as an error", () => {
  program("for a waiter, a result and a greenlet, and what its constructor takes can be given", function*({ body }) {
    const waiter = new gevent.Waiter()
    void waiter.throw(Expected)
    expect(yield* caught(waiter.get())).toBeInstanceOf(Expected)
    const result = new gevent.AsyncResult<never>()
    result.setException(Expected)
    expect(yield* caught(result.get())).toBeInstanceOf(Expected)
    const greenlet = gevent.spawn(body(function*() {
      yield* gevent.sleep(10)
    }))
    yield* gevent.sleep(0.1)
    gevent.gethub().runCallback(() => greenlet.throw(Expected, "with a message"))
    yield* gevent.sleep(0.1)
    expect(greenlet.exception).toBeInstanceOf(Expected)
    expect((greenlet.exception as Error).message).toBe("with a message")
    expect(() => greenlet.throw(new Expected(), "a value beside it")).toThrow(TypeError)
  })
})

describe("a block", () => {
  program("is given what it runs within: a greenlet, a timeout", function*({ body }) {
    const greenlet = gevent.spawn(body(function*() {
      yield* gevent.sleep(1)
      return "slept"
    }))
    expect(
      yield* greenlet.within(body(function*(g: gevent.Greenlet) {
        expect(g).toBe(greenlet)
        return yield* g.get()
      }))
    ).toBe("slept")
    const timeout = new gevent.Timeout(1)
    yield* timeout.within(body(function*(t: gevent.Timeout) {
      expect(t).toBe(timeout)
      t.cancel()
      yield* gevent.sleep(2)
    }))
  })
})

describe("sendall", () => {
  program(
    "on a pair waits while nobody receives, however much it is at once, and gives back nothing",
    function*({ body }) {
      const [one, other] = gevent.socketpair()
      const data = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 251))
      one.settimeout(1)
      expect(yield* caught(one.sendall(data))).toBeInstanceOf(gevent.SocketTimeout)
      one.close()
      other.close()

      const [from, to] = gevent.socketpair()
      const sending = gevent.spawn(body(function*() {
        return yield* from.sendall(data)
      }))
      yield* gevent.sleep(1)
      expect(sending.ready()).toBe(false)
      const parts: Array<Buffer> = []
      for (let got = 0; got < data.length; got += parts.at(-1)!.length) parts.push(yield* to.recv(100_000))
      expect(Buffer.concat(parts).equals(data)).toBe(true)
      expect(yield* sending.get({ timeout: 1 })).toBe(undefined)
      from.close()
      to.close()
    }
  )
})

describe("a switch to a greenlet that waits for a socket", () => {
  program("is invalid, and the socket is as it was", function*({ body }) {
    const [one, other] = gevent.socketpair()
    for (const wait of [() => gevent.waitRead(one), () => one.recv(1), () => gevent.select([one], [], [])]) {
      const greenlet = gevent.spawn(body(function*() {
        return yield* caught(wait())
      }))
      gevent.gethub().runCallback(() => greenlet.switch())
      expect(yield* greenlet.get({ timeout: 1 })).toBeInstanceOf(gevent.InvalidSwitchError)
    }
    yield* other.sendall("x")
    expect(String(yield* one.recv(1))).toBe("x")
    one.close()
    other.close()
  })
})

describe("a timeout", () => {
  program("is thrown out of a switch to the hub, and can be started anew", function*() {
    const hub = gevent.gethub()
    for (const timeout of [new gevent.Timeout(1), new gevent.Timeout(1, false), new gevent.Timeout(1, "XXX")]) {
      for (let n = 0; n < 2; n++) {
        timeout.start()
        expect(yield* caught(hub.switch())).toBe(timeout)
      }
      timeout.close()
    }
  })

  test("says how long it was, and what for", () => {
    class MyError extends Error {}
    expect(String(new gevent.Timeout(0.01, "custom message"))).toBe("0.01 seconds: custom message")
    expect(String(new gevent.Timeout(0.5, false))).toBe("0.5 seconds (silent)")
    expect(String(new gevent.Timeout(2, new MyError("x")))).toBe("2 seconds: x")
    expect(String(new gevent.Timeout(2, MyError))).toBe("2 seconds: MyError")
    expect(String(new gevent.Timeout(null, "XXX"))).toBe("")
    expect(new gevent.Timeout(1).message).toBe("1 second")
    expect(new gevent.Timeout().pending).toBe(false)
  })

  program("of less than no time is over when its greenlet waits for time", function*() {
    const timeout = new gevent.Timeout(-1)
    expect(yield* caught(timeout.within(() => gevent.sleep(1)))).toBe(timeout)
    // but callbacks come first
    expect(
      yield* new gevent.Timeout(0, false).within(function*() {
        yield* gevent.sleep()
        return "slept"
      })
    ).toBe("slept")
  })

  test("throws errors, and refuses to be made with what is none", () => {
    for (const exception of [42, true, Symbol("x"), () => {}]) {
      expect(() => new gevent.Timeout(1, exception)).toThrow(TypeError)
    }
  })
})
