/** Timeouts, events, queues, locks and greenlet-local storage: what the recorded programs do not show of them. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { describe, expect, test } from "vitest"
import { caught, program } from "./program.ts"

describe("Timeout", () => {
  program("that is nested in another is told apart by identity", function*() {
    const outer = new gevent.Timeout(1)
    const inner = new gevent.Timeout(2)
    expect(yield* caught(outer.within(() => inner.within(() => gevent.sleep(9))))).toBe(outer)
    expect([outer.pending, inner.pending]).toEqual([false, false])
  })

  program("that is silent ends its own block, and no other", function*() {
    const silent = new gevent.Timeout(2, false)
    const loud = new gevent.Timeout(1)
    expect(yield* silent.within(() => gevent.sleep(9))).toBe(undefined)
    expect(yield* caught(new gevent.Timeout(2, false).within(() => loud.within(() => gevent.sleep(9))))).toBe(loud)
    expect(yield* new gevent.Timeout(2, false).within(() => "in time")).toBe("in time")
  })

  program("throws its own error or class instead of itself", function*() {
    const error = new Error("mine")
    expect(yield* caught(new gevent.Timeout(1, error).within(() => gevent.sleep(9)))).toBe(error)
    expect(yield* caught(new gevent.Timeout(1, TypeError).within(() => gevent.sleep(9)))).toBeInstanceOf(TypeError)
  })

  program("can be cancelled and started again, but not twice at once", function*() {
    const timeout = gevent.Timeout.startNew(1)
    expect(() => timeout.start()).toThrow(gevent.AssertionError)
    timeout.cancel()
    yield* gevent.sleep(2)
    timeout.start()
    expect(yield* caught(gevent.sleep(9))).toBe(timeout)
  })

  program("without seconds never comes", function*() {
    expect(yield* new gevent.Timeout().within(() => gevent.sleep(20))).toBe(undefined)
    expect(new gevent.Timeout().pending).toBe(false)
  })

  program("withTimeout gives a value in its place", function*() {
    expect(yield* gevent.withTimeout(1, () => gevent.sleep(9), { timeoutValue: "late" })).toBe("late")
    expect(yield* caught(gevent.withTimeout(1, () => gevent.sleep(9)))).toBeInstanceOf(gevent.Timeout)
    expect(yield* gevent.withTimeout(1, () => "in time")).toBe("in time")
  })
})

describe("Event and AsyncResult", () => {
  program("an event wakes all that wait, and calls its links in the hub", function*({ body, lines, log }) {
    const event = new gevent.Event()
    event.rawlink(() => log(gevent.getcurrent() === gevent.gethub()))
    const waiting = [1, 2].map((n) =>
      gevent.spawn(body(function*() {
        log([n, yield* event.wait()])
      }))
    )
    yield* gevent.sleep()
    event.set()
    yield* gevent.joinall(waiting)
    expect(lines).toEqual([true, [1, true], [2, true]])
    expect(yield* new gevent.Event().wait(1)).toBe(false)
  })

  program("a result takes over what a greenlet ends with", function*({ body }) {
    const [good, bad] = [new gevent.AsyncResult<number>(), new gevent.AsyncResult<number>()]
    const error = new Error("x")
    gevent.spawn(body(function*() {
      return 1
    })).link((greenlet) => good.take(greenlet))
    gevent.spawn(body(function*(): Generator<never, number> {
      throw error
    })).link((greenlet) => bad.take(greenlet))
    expect(yield* good.get()).toBe(1)
    expect(yield* caught(bad.get())).toBe(error)
    expect(bad.excInfo).toEqual([Error, error])
    expect(yield* caught(new gevent.AsyncResult().get({ timeout: 1 }))).toBeInstanceOf(gevent.Timeout)
    expect(() => new gevent.AsyncResult().getNowait()).toThrow(gevent.Timeout)
  })

  program("a result that was ready is given back as it was, whatever those set who go first", function*({ body }) {
    const result = new gevent.AsyncResult<number>()
    gevent.spawn(body(function*() {
      yield* result.wait()
      result.set(2)
    }))
    yield* gevent.sleep()
    result.set(1)
    expect([yield* result.wait(), result.value]).toEqual([1, 2])
  })
})

describe("queues", () => {
  program("are iterated over until StopIteration", function*({ body, lines, log }) {
    const queue = new gevent.Queue<number | typeof gevent.StopIteration>(1)
    gevent.spawn(body(function*() {
      for (const item of [1, 2, gevent.StopIteration] as const) yield* queue.put(item)
    }))
    yield* queue.each((item) => log(item))
    expect(lines).toEqual([1, 2])
  })

  program("give their items by their kind", function*() {
    const items = [[2, "b"], [1, "z"], [1, "a"]]
    const drain = function*(queue: gevent.Queue<Array<number | string>>) {
      const got: Array<unknown> = []
      while (!queue.empty()) got.push((yield* queue.get())[1])
      return got.join("")
    }
    expect(yield* drain(new gevent.Queue(null, items))).toBe("bza")
    expect(yield* drain(new gevent.LifoQueue(null, items))).toBe("azb")
    expect(yield* drain(new gevent.PriorityQueue(null, items))).toBe("azb")
  })

  program("serve those who wait in turn, whoever gives up in between", function*({ body }) {
    const queue = new gevent.Queue<number>()
    const getters = [1, 2, 3].map(() => gevent.spawn(body(() => queue.get()[Symbol.iterator]() as never)))
    yield* gevent.sleep()
    yield* getters[1]!.kill()
    queue.putNowait(1)
    queue.putNowait(2)
    expect(yield* getters[0]!.get()).toBe(1)
    expect(yield* getters[2]!.get()).toBe(2)
  })

  program("that are shut down refuse putters at once, and getters when they are empty", function*({ body }) {
    const queue = new gevent.Queue<number>(1, [1])
    const putter = gevent.spawn(body(() => queue.put(2)[Symbol.iterator]() as never))
    yield* gevent.sleep()
    queue.shutdown()
    expect(yield* caught(putter.get())).toBeInstanceOf(gevent.ShutDown)
    expect(() => queue.putNowait(3)).toThrow(gevent.ShutDown)
    expect(yield* queue.get()).toBe(1)
    expect(yield* caught(queue.get())).toBeInstanceOf(gevent.ShutDown)

    const empty = new gevent.Queue<number>()
    const getter = gevent.spawn(body(() => empty.get()[Symbol.iterator]() as never))
    yield* gevent.sleep()
    empty.shutdown()
    expect(yield* caught(getter.get())).toBeInstanceOf(gevent.ShutDown)
  })

  program("that are shut down at once drop what is in them, and are joined", function*() {
    const queue = new gevent.JoinableQueue<number>(null, [1, 2])
    queue.shutdown(true)
    expect(queue.empty()).toBe(true)
    expect(yield* queue.join()).toBe(true)
  })

  program("without room hand over from putter to getter", function*({ body, lines, log }) {
    const channel = new gevent.Channel<number>()
    expect(yield* caught(channel.putNowait(1))).toBeInstanceOf(gevent.Full)
    expect(yield* caught(channel.getNowait())).toBeInstanceOf(gevent.Empty)
    gevent.spawn(body(function*() {
      yield* channel.put(1)
      log("put")
    }))
    yield* gevent.sleep()
    expect(lines).toEqual([])
    expect(channel.balance).toBe(1)
    expect(yield* channel.get()).toBe(1)
    yield* gevent.sleep()
    expect(lines).toEqual(["put"])
  })

  program("that are simple only put and get", function*({ body }) {
    const queue = new gevent.SimpleQueue<number>()
    const getter = gevent.spawn(body(() => queue.get()[Symbol.iterator]() as never))
    yield* queue.put(1)
    expect(yield* getter.get()).toBe(1)
    expect(() => queue.getNowait()).toThrow(gevent.Empty)
    expect(yield* caught(queue.get({ timeout: 1 }))).toBeInstanceOf(gevent.Empty)
  })

  program("can be copied, and say what they are", function*() {
    const queue = new gevent.PriorityQueue<number>(5, [3, 1, 2])
    const copy = queue.copy()
    expect(yield* queue.get()).toBe(1)
    expect([yield* copy.get(), copy.qsize(), copy.maxsize]).toEqual([1, 2, 5])
    expect(String(copy)).toBe("<PriorityQueue qsize=2 maxsize=5>")
  })

  test("deal with a million items in linear time", () => {
    Effect.runSync(gevent.call(function*() {
      const queue = new gevent.Queue<number>()
      for (let n = 0; n < 1_000_000; n++) queue.putNowait(n)
      let sum = 0
      while (!queue.empty()) sum += yield* queue.get()
      expect(sum).toBe(499_999_500_000)
    }))
  })
})

describe("locks", () => {
  program("are held within a block, whatever becomes of it", function*() {
    for (const lock of [new gevent.Semaphore(1), new gevent.BoundedSemaphore(1), new gevent.RLock()]) {
      expect(
        yield* caught(lock.within(function*() {
          expect(lock.locked()).toBe(true)
          yield* gevent.sleep()
          throw new TypeError("x")
        }))
      ).toBeInstanceOf(TypeError)
      expect(lock.locked()).toBe(false)
    }
    expect(yield* new gevent.DummySemaphore().within(() => 1)).toBe(1)
  })

  test("are made of a number that is not negative", () => {
    expect(() => new gevent.Semaphore(-1)).toThrow(gevent.ValueError)
    expect(() => new gevent.Semaphore(Number.NaN)).toThrow(gevent.ValueError)
  })

  program("keep ten greenlets apart", function*({ body }) {
    const semaphore = new gevent.Semaphore(3)
    let inside = 0
    let most = 0
    const greenlets = Array.from({ length: 10 }, () =>
      gevent.spawn(body(function*() {
        yield* semaphore.acquire()
        most = Math.max(most, ++inside)
        yield* gevent.sleep(1)
        inside--
        semaphore.release()
      })))
    yield* gevent.joinall(greenlets)
    expect(most).toBe(3)
    expect(gevent.gethub().now()).toBeGreaterThanOrEqual(4000)
  })
})

describe("Local", () => {
  program("has properties of its own for each greenlet", function*({ body }) {
    const local = new gevent.Local<{ user?: string; seen: Array<number> }>(() => ({ seen: [] }))
    local.user = "main"
    const other = gevent.spawn(body(function*() {
      const before = local.user
      local.user = "other"
      local.seen.push(1)
      yield* gevent.sleep()
      return [before, local.user, Object.keys(local)]
    }))
    expect(yield* other.get()).toEqual([undefined, "other", ["seen", "user"]])
    expect([local.user, local.seen, "user" in local]).toEqual(["main", [], true])
    delete local.user
    expect({ ...local }).toEqual({ seen: [] })
  })

  program("takes `__proto__` as a name like any other", function*({ body }) {
    const local = new gevent.Local()
    expect(["__proto__" in local, local["__proto__"]]).toEqual([false, undefined])
    local["__proto__"] = { x: 1 }
    expect([local["__proto__"], Object.keys(local), local.x]).toEqual([{ x: 1 }, ["__proto__"], undefined])
    expect(String(local)).toBe("[object Object]")
    const other = gevent.spawn(body(function*() {
      return [local["__proto__"], Object.keys(local)]
    }))
    expect(yield* other.get()).toEqual([undefined, []])
    delete local["__proto__"]
    expect("__proto__" in local).toBe(false)
  })

  program("can be frozen by one greenlet, and changed by another", function*({ body }) {
    for (const close of [Object.freeze, Object.seal]) {
      const local = new gevent.Local<Record<string, unknown>>(() => ({ a: 1 }))
      local.b = 2
      expect(close(local)).toBe(local)
      expect([Object.isFrozen(local), Object.isExtensible(local)]).toEqual([true, false])
      const other = gevent.spawn(body(function*() {
        const before = { ...local }
        local.a = "mine"
        local.b = 3
        return [before, { ...local }]
      }))
      expect(yield* other.get()).toEqual([{ a: 1, b: undefined }, { a: "mine", b: 3 }])
      expect(() => local.a = 5).toThrow(TypeError)
      expect(() => local.c = 5).toThrow(TypeError)
      expect(() => delete local.a).toThrow(TypeError)
      expect([{ ...local }, local.c, Object.getPrototypeOf(local)]).toEqual([
        { a: 1, b: 2 },
        undefined,
        Object.prototype
      ])
    }
  })

  program("has properties that are defined, however that is said", function*({ body }) {
    const local = new gevent.Local()
    let got = 0
    Object.defineProperty(local, "a", { value: 1 })
    Object.defineProperty(local, "b", { value: 2, configurable: false, writable: true, enumerable: true })
    Object.defineProperty(local, "c", { get: () => ++got, configurable: false })
    Object.defineProperty(local, "d", { value: 4, configurable: false, writable: false, enumerable: false })
    expect([local.a, local.b, local.c, local.d, Object.keys(local)]).toEqual([1, 2, 1, 4, ["b"]])
    const other = gevent.spawn(body(function*() {
      const before = [local.a, local.b, local.c]
      local.b = "mine"
      return [...before, local.b]
    }))
    expect(yield* other.get()).toEqual([undefined, undefined, undefined, "mine"])
    local.b = 5
    for (const name of ["a", "c", "d"]) expect(() => local[name] = 5).toThrow(TypeError)
    for (const name of ["b", "c", "d"]) expect(() => delete local[name]).toThrow(TypeError)
    expect([local.b, local.d, Object.getOwnPropertyDescriptor(local, "b")?.value]).toEqual([5, 4, 5])
    Object.freeze(local)
    expect([Object.isFrozen(local), local.b]).toEqual([true, 5])
  })
})

describe("Waiter", () => {
  program("says who waits, or what has come", function*({ body }) {
    const waiter = new gevent.Waiter<unknown>()
    expect(String(waiter)).toBe("<Waiter greenlet=None>")
    waiter.switch(25)
    expect(String(waiter)).toBe("<Waiter greenlet=None value=25>")
    waiter.switch("a")
    expect(String(waiter)).toBe("<Waiter greenlet=None value='a'>")
    waiter.throw(new TypeError("x"))
    expect(String(waiter)).toBe("<Waiter greenlet=None exc_info=TypeError>")
    const waits = new gevent.Waiter()
    const greenlet = gevent.spawn(body(() => waits.get()[Symbol.iterator]() as never))
    greenlet.name = "AName"
    yield* gevent.sleep()
    expect(String(waits)).toMatch(/^<Waiter greenlet=<Greenlet "AName.*>>$/)
    yield* greenlet.kill()
  })

  program("gives what came before the greenlet, or makes it wait", function*() {
    const hub = gevent.gethub()
    const waiter = new gevent.Waiter<number>()
    hub.runCallback(() => waiter.switch(1))
    expect(yield* waiter.get()).toBe(1)
    const early = new gevent.Waiter<number>()
    expect(early.switch(2)).toBe(undefined)
    expect([early.ready(), early.successful(), early.value]).toEqual([true, true, 2])
    expect(yield* early.get()).toBe(2)
    const failed = new gevent.Waiter<number>()
    hub.runCallback(() => failed.throw(new TypeError("x")))
    expect(yield* caught(failed.get())).toBeInstanceOf(TypeError)
  })

  program("serves one greenlet, and is brought to it by the hub alone", function*({ body }) {
    const waiter = new gevent.Waiter<number>()
    const first = gevent.spawn(body(() => waiter.get()[Symbol.iterator]() as never))
    yield* gevent.sleep()
    expect(yield* caught(waiter.get())).toBeInstanceOf(gevent.ConcurrentObjectUseError)
    expect(() => waiter.switch(1)).toThrow(gevent.AssertionError)
    yield* first.kill()
  })
})
