/** Queues as gevent 25.4 has them. */
import * as gevent from "effect-stackless/compat/gevent"
import { describe, expect, expectTypeOf, test } from "vitest"
import { caught, program } from "./program.ts"

describe("every queue but a simple one and a channel", () => {
  for (const Kind of [gevent.Queue, gevent.LifoQueue, gevent.PriorityQueue, gevent.JoinableQueue]) {
    program(`has tasks: ${Kind.name}`, function*({ body, lines, log }) {
      const queue = new Kind<number>()
      expect(queue).toBeInstanceOf(gevent.SimpleQueue)
      expect(yield* queue.join()).toBe(true)
      for (const item of [1, 2]) yield* queue.put(item)
      expect(queue.unfinishedTasks).toBe(2)
      const joined = gevent.spawn(body(function*() {
        log(yield* queue.join())
      }))
      for (let n = 0; n < 2; n++) {
        yield* queue.get()
        yield* gevent.sleep()
        expect(lines).toEqual([])
        queue.taskDone()
      }
      yield* joined.join()
      expect(lines).toEqual([true])
      expect(() => queue.taskDone()).toThrow(gevent.ValueError)
      queue.putNowait(3)
      expect(yield* queue.join(0.01)).toBe(false)
    })
  }

  program("counts what it is made with, or as many as it is told", function*() {
    expect(new gevent.Queue(null, [1, 2]).unfinishedTasks).toBe(2)
    expect(new gevent.Queue(null, [1, 2], 5).unfinishedTasks).toBe(5)
    const queue = new gevent.Queue(null, [1, 2])
    yield* queue.get()
    const copy = queue.copy()
    expect([copy.unfinishedTasks, copy.length]).toEqual([2, 1])
    copy.taskDone()
    expect(yield* copy.join(0)).toBe(false)
    copy.taskDone()
    expect(yield* copy.join(0)).toBe(true)
  })

  program("throws ShutDown at all that wait, whatever has come for them", function*({ body }) {
    const queue = new gevent.Queue<number>(1)
    const getter = gevent.spawn(body(() => caught(queue.get())))
    yield* gevent.sleep()
    queue.putNowait(1)
    queue.shutdown()
    expect(yield* getter.get()).toBeInstanceOf(gevent.ShutDown)
    expect(queue.getNowait()).toBe(1)
  })
})

describe("a simple queue", () => {
  program("has room, and can be looked into", function*({ body }) {
    const queue = new gevent.SimpleQueue<number>(1)
    expect([queue.maxsize, queue.full(), queue.empty()]).toEqual([1, false, true])
    yield* queue.put(1)
    expect([queue.full(), queue.qsize(), queue.length]).toEqual([true, 1, 1])
    expect(() => queue.putNowait(2)).toThrow(gevent.Full)
    expect([yield* queue.peek(), queue.peekNowait()]).toEqual([1, 1])
    const putter = gevent.spawn(body(function*() {
      yield* queue.put(2)
    }))
    yield* gevent.sleep()
    expect(yield* queue.get()).toBe(1)
    yield* putter.join()
    expect(yield* queue.copy().get()).toBe(2)
    expect(yield* queue.get()).toBe(2)
    for (const name of ["join", "taskDone", "unfinishedTasks", "shutdown"]) expect(name in queue).toBe(false)
  })
})

describe("a queue", () => {
  program("hands all its items through what a subclass overrides", function*({ body }) {
    class Counting extends gevent.Queue<string> {
      puts = 0
      gets = 0
      protected override _put(item: string): void {
        this.puts++
        super._put(item)
      }
      protected override _get(): string {
        this.gets++
        return super._get()
      }
    }
    const queue = new Counting(1)
    yield* queue.put("hi")
    const putter = gevent.spawn(body(() => queue.put("ho")[Symbol.iterator]() as never))
    yield* gevent.sleep()
    expect(yield* queue.get()).toBe("hi")
    yield* putter.join()
    expect(queue.getNowait()).toBe("ho")
    const getter = gevent.spawn(body(() => queue.get()[Symbol.iterator]() as never))
    yield* gevent.sleep()
    queue.putNowait("hey")
    expect(yield* getter.get()).toBe("hey")
    expect([queue.puts, queue.gets, queue.unfinishedTasks]).toEqual([3, 3, 3])
  })

  program("waits for no less than no time", function*() {
    const queue = new gevent.Queue<number>(1)
    expect(yield* caught(queue.get({ timeout: -1 }))).toBeInstanceOf(gevent.ValueError)
    expect(yield* caught(queue.peek({ timeout: -1 }))).toBeInstanceOf(gevent.ValueError)
    expect(yield* caught(queue.put(1, { timeout: -1 }))).toBeInstanceOf(gevent.ValueError)
    expect(queue.empty()).toBe(true)
    yield* queue.put(1, { block: false, timeout: -1 })
    expect(yield* caught(queue.put(2, { timeout: -1 }))).toBeInstanceOf(gevent.Full)
    expect(yield* queue.get({ timeout: -1 })).toBe(1)
  })

  program("gives a callback what somebody waits to put", function*({ body, lines, log }) {
    const hub = gevent.gethub()
    const queue = new gevent.Queue<number>(1, [1])
    const putter = gevent.spawn(body(function*() {
      yield* queue.put(2)
      log("put")
    }))
    yield* gevent.sleep()
    hub.runCallback(() => {
      log(queue.getNowait())
      log(queue.getNowait())
    })
    yield* putter.join()
    expect(lines).toEqual([1, 2, "put"])
  })
})

test("a queue without a type holds what is not known", () => {
  expectTypeOf(new gevent.Queue()).toEqualTypeOf<gevent.Queue<unknown>>()
  expectTypeOf(new gevent.SimpleQueue()).toEqualTypeOf<gevent.SimpleQueue<unknown>>()
  expectTypeOf(new gevent.PriorityQueue()).toEqualTypeOf<gevent.PriorityQueue<unknown>>()
  expectTypeOf(new gevent.Channel()).toEqualTypeOf<gevent.Channel<unknown>>()
  expectTypeOf(new gevent.Queue(null, [1])).toEqualTypeOf<gevent.Queue<number>>()
})
