/** The hub: waiting for the outside, and having nothing left to wait for. */
import { Deferred, Effect, Fiber, Option } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { call, getcurrent, greenlet, isDataFrame, topFrameOf, withThread } from "effect-stackless/greenlet"
import { describe, expect, test } from "vitest"
import { caught, program, realProgram, softProgram, type Steps } from "./program.ts"

/** The time, in whole seconds: the virtual clock goes by milliseconds. */
const seconds = () => Math.round(gevent.gethub().now() / 1000)

describe("a main greenlet that waits for nothing that can come", () => {
  program(
    "gets LoopExit when it has thrown in a greenlet that dies of it, which says nothing of what it waited for before",
    function*({ body }) {
      const greenlet = gevent.spawn(body(function*() {
        yield* gevent.sleep(1)
      }))
      yield* gevent.sleep(0)
      gevent.gethub().exceptionStream = undefined
      const thrown = new Error("thrown")
      const error = yield* caught(greenlet.throw(thrown))
      expect(error).toBeInstanceOf(gevent.LoopExit)
      expect((error as gevent.LoopExit).message).toBe("This operation would block forever")
      expect([greenlet.dead, greenlet.exception]).toEqual([true, thrown])
    }
  )

  program("gets LoopExit, which says who waits on what", function*({ body }) {
    const event = new gevent.Event()
    const stuck = gevent.spawn(body(function*() {
      yield* event.wait()
    }))
    stuck.name = "stuck"
    const error = yield* caught(stuck.join())
    expect(error).toBeInstanceOf(gevent.LoopExit)
    expect((error as gevent.LoopExit).blocked).toEqual([
      { greenlet: "the main greenlet", on: "<Greenlet \"stuck\">" },
      { greenlet: "<Greenlet \"stuck\">", on: "<Event clear _links[1]>" }
    ])
    expect((error as gevent.LoopExit).message).toContain("<Greenlet \"stuck\"> waits on <Event clear _links[1]>")
    // and can go on
    event.set()
    yield* stuck.join()
  })

  program("learns who keeps a pool from being empty", function*({ body }) {
    const pool = new gevent.Pool(1)
    const queue = new gevent.Queue()
    yield* pool.spawn(body(function*() {
      yield* queue.get()
    }))
    const error = yield* caught(pool.join())
    expect((error as gevent.LoopExit).blocked.map(({ on }) => on)).toEqual([
      "<Pool of 1>",
      expect.stringContaining("Queue")
    ])
  })

  program("is not told so while a foreign Effect is waited for, or something holds a ref", function*({ body }) {
    const event = new gevent.Event()
    gevent.spawn(body(function*() {
      yield* Effect.sleep("3 seconds")
      event.set()
    }))
    expect(yield* event.wait()).toBe(true)

    const hub = gevent.gethub()
    const result = new gevent.AsyncResult<number>()
    hub.ref()
    setImmediate(() => {
      result.set(5)
      hub.unref()
    })
    expect(yield* result.get()).toBe(5)
  })

  // every so often the thread lets the event loop have a turn: what comes just then, just before the hub rests, counts
  realProgram("is woken whenever something comes", function*({ body }) {
    const hub = gevent.gethub()
    const other = greenlet(body(function*() {
      for (;;) yield* getcurrent().parent!.switch()
    }))
    yield* other.switch()
    for (let n = 0; n < 20_000; n++) {
      const result = new gevent.AsyncResult<number>()
      hub.ref()
      setImmediate(() => result.set(n))
      for (let turns = n % 5; turns > 0; turns--) yield* other.switch()
      expect(yield* result.get()).toBe(n)
      hub.unref()
    }
  })

  program("gets it from wait without objects, and from Hub.join, as an answer", function*({ body }) {
    gevent.spawn(body(function*() {
      yield* gevent.sleep(5)
    }))
    expect(yield* gevent.wait(undefined, { timeout: 1 })).toBe(false)
    expect(yield* gevent.gethub().join(1)).toBe(false)
    expect(yield* gevent.wait()).toBe(true)
    expect(gevent.gethub().now()).toBeGreaterThanOrEqual(5000)
  })
})

describe("foreign Effects and promises", () => {
  program("are cooperative: while one greenlet waits for one, the others run", function*({ body, lines, log }) {
    const waiting = ["a", "b"].map((name) =>
      gevent.spawn(body(function*() {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        log(name)
        return name
      }))
    )
    const busy = gevent.spawn(body(function*() {
      yield* gevent.sleep()
      log("busy")
    }))
    yield* gevent.joinall([...waiting, busy])
    expect(lines[0]).toBe("busy")
    expect(lines).toHaveLength(3)
  })

  program("are cooperative in the main greenlet, too", function*({ body, lines, log }) {
    gevent.spawn(body(function*() {
      log("other")
    }))
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    log("main")
    expect(lines).toEqual(["other", "main"])
  })

  softProgram(
    "that are killed while their greenlet waits do not resume it a second time",
    function*({ body, lines, log }) {
      const deferred = Deferred.makeUnsafe<void>()
      const greenlet = gevent.spawn(body(function*() {
        try {
          yield* Deferred.await(deferred)
        } catch {
          log("killed")
          yield* gevent.sleep(1)
          log("slept")
        }
      }))
      yield* gevent.sleep(1)
      // both at once: it is woken, but killed before it can run
      yield* greenlet.kill({ block: false })
      yield* Deferred.succeed(deferred, undefined)
      yield* gevent.sleep(5)
      expect(lines).toEqual(["killed", "slept"])
    }
  )

  program("can be timed out by a Timeout", function*() {
    const timeout = new gevent.Timeout(1)
    expect(yield* caught(timeout.within(() => Effect.never))).toBe(timeout)
  })
})

describe("fibers that are no greenlets", () => {
  program("wait for whatever greenlets wait for, and give it up when interrupted", function*({ body }) {
    const queue = new gevent.Queue<number>()
    // a child of a greenlet's fiber
    expect(yield* caught(Effect.timeout(queue.get(), "1 second"))).toMatchObject({ _tag: "TimeoutError" })
    // it has left the line: the item is for the next one
    const getter = gevent.spawn(body(() => queue.get()[Symbol.iterator]() as never))
    yield* gevent.sleep()
    yield* queue.put(1)
    expect(yield* getter.get()).toBe(1)
  })

  program("end a call that takes too long with GreenletExit, and go on", function*({ body, lines, log }) {
    const semaphore = new gevent.Semaphore(0)
    const greenlet = gevent.spawn(body(function*() {
      const called = function*(): Steps {
        try {
          yield* semaphore.acquire()
        } finally {
          yield* gevent.sleep(1)
          log("finally")
        }
      }
      log(Option.isNone(yield* Effect.timeoutOption(call(called), "1 second")))
      yield* gevent.sleep(1)
      return "end"
    }))
    expect(yield* greenlet.get()).toBe("end")
    expect(lines).toEqual(["finally", true])
    // it has left the line
    semaphore.release()
    expect(semaphore.counter).toBe(1)
  })

  test("whose main is interrupted let it wait in its finally", async () => {
    const lines: Array<string> = []
    const whole = Effect.gen(function*() {
      const main = yield* Effect.forkChild(
        call(function*() {
          try {
            yield* gevent.sleep(60)
          } finally {
            yield* gevent.sleep(0.001)
            lines.push("slept")
          }
        }),
        { startImmediately: true }
      )
      yield* Effect.sleep(1)
      yield* Fiber.interrupt(main)
    })
    await Effect.runPromise(withThread(whole))
    expect(lines).toEqual(["slept"])
  })

  program("race for several things", function*({ body }) {
    const [a, b] = [new gevent.Queue<string>(), new gevent.Queue<string>()]
    gevent.spawn(body(function*() {
      yield* gevent.sleep(1)
      yield* b.put("b")
    }))
    expect(yield* Effect.raceFirst(a.get(), b.get())).toBe("b")
    yield* a.put("kept")
    expect(a.qsize()).toBe(1)
  })

  test("wait while another fiber stands for the main greenlet", async () => {
    const event = new gevent.Event()
    const whole = Effect.gen(function*() {
      const outsider = yield* Effect.forkChild(Effect.andThen(Effect.yieldNow, event.wait()))
      yield* call(function*() {
        yield* gevent.sleep(0.01)
        event.set()
        yield* gevent.sleep(0.01)
      })
      return yield* Fiber.join(outsider)
    })
    expect(await Effect.runPromise(withThread(whole))).toBe(true)
  })

  test.each(["goes on", "waits", "is over"])(
    "give main up when a greenlet decides a race against it, which %s",
    async (what) => {
      const lines: Array<string> = []
      const whole = Effect.gen(function*() {
        const quit = yield* Deferred.make<string>()
        const awaited = yield* Deferred.make<void>()
        const quitting = Effect.andThen(Deferred.succeed(awaited, undefined), Deferred.await(quit))
        const greenlet = gevent.spawn(function*() {
          while (!(yield* Deferred.isDone(awaited))) yield* gevent.sleep(0.001)
          yield* Deferred.succeed(quit, "quit")
          lines.push("still runs")
          if (what === "goes on") { for (;;) yield* gevent.sleep() }
          if (what === "waits") yield* gevent.sleep(10)
        })
        lines.push(yield* Effect.raceFirst(Effect.as(gevent.joinall([greenlet]), "joined"), quitting))
        yield* greenlet.kill()
        lines.push(yield* gevent.spawn(() => "works").get())
      })
      await Effect.runPromise(withThread(whole))
      expect(lines).toEqual(["still runs", "quit", "works"])
    }
  )

  test("stand for the main greenlet if nobody does", async () => {
    const greenlet = () =>
      gevent.spawn(function*() {
        yield* gevent.sleep(0.001)
        return 1
      })
    expect(await Effect.runPromise(withThread(Effect.suspend(() => greenlet().get())))).toBe(1)
  })
})

describe("waiting in the hub", () => {
  program("for a watcher lets the others run until it calls back, and stops it", function*({ body, lines, log }) {
    const hub = gevent.gethub()
    gevent.spawn(body(function*() {
      log("other")
    }))
    const timer = hub.timer(3)
    expect(yield* hub.wait(timer)).toBe(undefined)
    expect([seconds(), timer.pending, lines]).toEqual([3, false, ["other"]])

    const calls: Array<string> = []
    yield* hub.wait({
      start: (callback) => {
        calls.push("start")
        hub.runCallback(callback)
        hub.runCallback(callback)
      },
      stop: () => void calls.push("stop")
    })
    yield* gevent.sleep()
    expect(calls).toEqual(["start", "stop"])
  })

  program("for a promise that has failed before is no unhandled rejection", function*() {
    const error = new Error("early")
    const waiting = gevent.gethub().wait(Promise.reject(error))
    yield* gevent.sleep(1)
    expect(yield* caught(waiting)).toBe(error)
  })

  program("for an Effect or a promise brings its value, or its failure", function*() {
    const hub = gevent.gethub()
    const error = new Error("x")
    expect(yield* hub.wait(Effect.as(Effect.sleep("2 seconds"), 1))).toBe(1)
    expect(seconds()).toBe(2)
    expect(yield* hub.wait(Promise.resolve(2))).toBe(2)
    expect(yield* caught(hub.wait(Effect.fail(error)))).toBe(error)
    expect(yield* caught(hub.wait(Promise.reject(error)))).toBe(error)
  })

  program("is given up by a Timeout, which stops the watcher", function*() {
    const hub = gevent.gethub()
    const timer = hub.timer(9)
    const timeout = new gevent.Timeout(1)
    expect(yield* caught(timeout.within(() => hub.wait(timer)))).toBe(timeout)
    expect([seconds(), timer.pending]).toEqual([1, false])
  })

  program("for anything else is refused", function*() {
    const hub = gevent.gethub()
    for (const thing of [undefined, null, 5, {}, { start: () => {} }]) {
      expect(yield* caught(hub.wait(thing as never))).toMatchObject({
        name: "TypeError",
        message: expect.stringContaining("an Effect, a promise, or a watcher")
      })
    }
  })

  program("is impossible in the hub itself", function*({ reports }) {
    const hub = gevent.gethub()
    hub.runCallback(() => hub.wait(hub.timer(1)))
    hub.runCallback(() => hub.switch())
    yield* gevent.sleep(2)
    const refused = expect.any(gevent.BlockingSwitchOutError)
    expect(reports.map(([, error]) => error)).toEqual([refused, refused])
  })

  program("by a switch alone gets what somebody switches to it with", function*({ body }) {
    const hub = gevent.gethub()
    const greenlet = gevent.spawn(body(function*() {
      return yield* hub.switch<number>()
    }))
    yield* gevent.sleep()
    hub.runCallback(() => greenlet.switch<any>(5))
    expect(yield* greenlet.get()).toBe(5)
  })

  program("names the switch if it would be for ever", function*() {
    const error = yield* caught(gevent.gethub().switch())
    expect((error as gevent.LoopExit).blocked).toEqual([{ greenlet: "the main greenlet", on: "a switch" }])
  })
})

describe("a switch to a greenlet that waits for something else", () => {
  const long = 3
  const event = () => new gevent.Event()
  const waits: Record<string, () => Effect.Effect<unknown, unknown>> = {
    "sleep": () => gevent.sleep(long),
    "hub.wait for an Effect": () => gevent.gethub().wait(Effect.sleep("3 seconds")),
    "hub.wait for a timer": () => gevent.gethub().wait(gevent.gethub().timer(long)),
    "Event.wait": () => event().wait(long),
    "AsyncResult.get": () => new gevent.AsyncResult().get({ timeout: long }),
    "Semaphore.acquire": () => new gevent.Semaphore(0).acquire({ timeout: long }),
    "Queue.get": () => new gevent.Queue().get({ timeout: long }),
    "Queue.put": () => new gevent.Queue(1, [1]).put(2, { timeout: long }),
    "Channel.put": () => new gevent.Channel().put(2, { timeout: long }),
    "Greenlet.get": () => gevent.spawnLater(long, () => {}).get({ timeout: long }),
    "Greenlet.join": () => gevent.spawnLater(long, () => {}).join(long)
  }
  for (const [name, waiting] of Object.entries(waits)) {
    program(`throws InvalidSwitchError there: in ${name}`, function*({ body, lines, log }) {
      const hub = gevent.gethub()
      const greenlet = gevent.spawn(body(function*() {
        log(yield* caught(waiting()))
        // nothing of the wait is left that would resume it a second time
        yield* gevent.sleep(2 * long)
        return seconds()
      }))
      yield* gevent.sleep()
      hub.runCallback(() => greenlet.switch("unexpected" as never))
      expect(yield* greenlet.get()).toBe(2 * long)
      expect(lines).toEqual([expect.any(gevent.InvalidSwitchError)])
      expect(lines[0]).toBeInstanceOf(gevent.AssertionError)
    })
  }

  program("throws it in the main greenlet, too", function*() {
    const hub = gevent.gethub()
    const { parent } = hub
    hub.runCallback(() => parent!.switch("unexpected"))
    expect(yield* caught(gevent.sleep(5))).toBeInstanceOf(gevent.InvalidSwitchError)
    hub.runCallback(() => parent!.switch("unexpected"))
    expect(yield* caught(hub.wait(Effect.sleep("5 seconds")))).toBeInstanceOf(gevent.InvalidSwitchError)
    expect(seconds()).toBe(0)
  })

  softProgram("throws it out of a foreign Effect, whose finalizers run", function*({ body, lines, log }) {
    const greenlet = gevent.spawn(body(function*() {
      return yield* caught(Effect.onInterrupt(Effect.never, () => Effect.sync(() => log("interrupted"))))
    }))
    yield* gevent.sleep(1)
    gevent.gethub().runCallback(() => greenlet.switch("unexpected" as never))
    expect(yield* greenlet.get()).toBeInstanceOf(gevent.InvalidSwitchError)
    expect(lines).toEqual(["interrupted"])
  })

  program("ends a sleep of no time, and nothing more", function*({ body }) {
    const hub = gevent.gethub()
    const greenlet = gevent.spawn(body(function*() {
      const slept = yield* gevent.sleep()
      yield* gevent.sleep(1)
      return [slept, seconds()]
    }))
    hub.runCallback(() => greenlet.switch("unexpected" as never))
    expect(yield* greenlet.get()).toEqual([undefined, 1])
  })
})

describe("threads of greenlets", () => {
  test("have a hub each, and what belongs to one cannot be waited for on another", async () => {
    const event = new gevent.Event()
    const queue = await Effect.runPromise(withThread(gevent.call(function*() {
      yield* event.wait(0.001)
      return new gevent.Queue()
    })))
    const whole = gevent.call(function*() {
      expect(yield* caught(queue.get())).toBeInstanceOf(gevent.InvalidThreadUseError)
      // its thread has ended, so it is anybody's again
      expect(yield* event.wait(0.001)).toBe(false)
      return gevent.gethub()
    })
    expect(await Effect.runPromise(withThread(whole))).not.toBe(queue.hub)
  })
})

describe("errors that nobody watches for", () => {
  program("go to handleError with what failed, and stop nothing", function*({ body, reports }) {
    const hub = gevent.gethub()
    const error = new Error("timer")
    const callback = hub.runCallback(() => {
      throw error
    })
    gevent.spawnRaw(body(function*() {
      throw error
    }))
    yield* gevent.sleep(1)
    expect(reports.map(([, reported]) => reported)).toEqual([error, error])
    expect(reports[0]![0]).toBe(callback)
  })

  test("are printed, and thrown in the main greenlet if they are system errors or have no context", async () => {
    class Fatal extends Error {}
    class StrictHub extends gevent.Hub {
      static override SYSTEM_ERROR = [Fatal]
    }
    const written: Array<string> = []
    const whole = call(function*() {
      const hub = gevent.gethub()
      Object.setPrototypeOf(hub, StrictHub.prototype)
      hub.exceptionStream = { write: (text) => written.push(text) }
      const greenlet = gevent.spawn(function failing() {
        throw new TypeError("printed")
      })
      greenlet.name = "failing"
      yield* greenlet.join()
      expect(written.join("")).toMatch(
        /TypeError: printed\n(.|\n)*<Greenlet "failing": failing> failed with TypeError\n/
      )
      gevent.spawn(() => {
        throw new Fatal("fatal")
      })
      expect(yield* caught(gevent.sleep(5))).toBeInstanceOf(Fatal)
      hub.handleError(undefined, new Error("no context"))
      expect(yield* caught(gevent.sleep(5))).toMatchObject({ message: "no context" })
    })
    await Effect.runPromise(withThread(whole))
  })
})

describe("turns", () => {
  program("idle goes before a timeout that is due already", function*({ body, lines, log }) {
    gevent.spawn(body(function*() {
      yield* gevent.idle()
      log("idle")
    }))
    yield* gevent.withTimeout(0, () => gevent.sleep(9), { timeoutValue: undefined })
    log("timed out")
    expect(lines).toEqual(["idle", "timed out"])
  })

  program(
    "idle comes after everything that can run, but not after what waits for time",
    function*({ body, lines, log }) {
      const idling = gevent.spawn(body(function*() {
        yield* gevent.idle()
        log("idle")
      }))
      gevent.spawn(body(function*() {
        for (let n = 0; n < 3; n++) yield* gevent.sleep()
        log("busy")
        yield* gevent.sleep(1)
        log("slept")
      }))
      yield* idling.join()
      expect(lines).toEqual(["busy", "idle"])
    }
  )

  realProgram("a busy greenlet lets timers and the JavaScript event loop go on", function*({ body }) {
    let ticks = 0
    const interval = setInterval(() => ticks++, 1)
    const sleeper = gevent.spawn(body(function*() {
      yield* gevent.sleep(0.1)
    }))
    const began = Date.now()
    const over = () => (sleeper.ready() && ticks > 1) || Date.now() - began > 10_000
    while (!over()) yield* gevent.sleep()
    clearInterval(interval)
    expect(sleeper.ready()).toBe(true)
    expect(ticks).toBeGreaterThan(1)
  })

  test("a program that waits for nothing but its greenlets runs in Effect.runSync", () => {
    const whole = call(function*() {
      const channel = new gevent.Channel<number>()
      gevent.spawn(function*() {
        for (let n = 1; n <= 3; n++) yield* channel.put(n)
        yield* channel.put(gevent.StopIteration as never)
      })
      let sum = 0
      yield* channel.each((n) => void (sum += n))
      return sum
    })
    expect(Effect.runSync(withThread(whole))).toBe(6)
  })
})

describe("A wait", () => {
  program("is a frame of plain data, whatever is waited for", function*({ body }) {
    const hub = gevent.gethub()
    const pending = gevent.spawn(body(function*() {
      yield* gevent.sleep(1)
    }))
    const lock = new gevent.RLock()
    yield* lock.acquire()
    const full = new gevent.Queue<number>(1, [1])
    const waits: ReadonlyArray<() => Effect.Effect<unknown, unknown>> = [
      () => new gevent.Event().wait(),
      () => new gevent.AsyncResult().get(),
      () => new gevent.AsyncResult().wait(1),
      () => new gevent.Semaphore(0).acquire(),
      () => new gevent.Semaphore(0).within(() => 1),
      () => lock.acquire(),
      () => full.put(2),
      () => new gevent.Queue().get({ timeout: 1 }),
      () => new gevent.Channel().put(1),
      () => new gevent.Channel().get(),
      () => new gevent.Waiter().get(),
      () => pending.get(),
      () => pending.join(),
      () => gevent.joinall([pending]),
      () => hub.wait(hub.timer(1))
    ]
    const waiting = waits.map((wait) =>
      gevent.spawn(body(function*() {
        yield* wait()
      }))
    )
    yield* gevent.sleep(0)
    expect(waiting.map((greenlet) => isDataFrame(topFrameOf(greenlet)))).toEqual(waits.map(() => true))
    yield* gevent.killall(waiting)
    expect(full.toString()).toBe("<Queue qsize=1 maxsize=1>")
    expect(lock.toString()).toContain("count=1")
  })
})
