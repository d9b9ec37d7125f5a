/** Groups, pools, and calls mapped over them. */
import * as gevent from "effect-stackless/compat/gevent"
import { describe, expect, test } from "vitest"
import { caught, program, type Steps } from "./program.ts"

function* double(n: number): Steps<number> {
  yield* gevent.sleep(n)
  return 2 * n
}

describe("a group", () => {
  program("is joined when all its greenlets have ended", function*({ body }) {
    const group = new gevent.Group()
    const greenlets = [1, 2].map((n) => group.spawn(body(double), n))
    expect([group.length, group.has(greenlets[0]!), [...group].length]).toEqual([2, true, 2])
    expect(yield* group.join({ timeout: 1.5 })).toBe(false)
    expect(yield* group.join()).toBe(true)
    expect(group.length).toBe(0)
  })

  program("throws an error of one when joined, if it is to", function*({ body }) {
    const group = new gevent.Group()
    const error = new Error("x")
    group.spawn(body(function*() {
      throw error
    }))
    expect(yield* caught(group.join({ raiseError: true }))).toBe(error)
  })

  program("is killed with those that its greenlets add meanwhile", function*({ body }) {
    const group = new gevent.Group()
    group.spawn(body(function*() {
      try {
        yield* gevent.sleep(9)
      } finally {
        group.spawn(body(double), 20)
      }
    }))
    yield* gevent.sleep()
    yield* group.kill()
    expect(group.length).toBe(0)
    expect(gevent.gethub().now()).toBeLessThan(1000)
  })

  program("lets one be killed or taken out, and others be added", function*({ body }) {
    const group = new gevent.Group([gevent.spawn(body(double), 5)])
    const own = gevent.spawn(body(double), 9)
    group.add(own)
    group.discard(own)
    expect(group.length).toBe(1)
    yield* gevent.sleep()
    yield* group.killone([...group][0] as gevent.Greenlet)
    expect(group.length).toBe(0)
    yield* own.kill()
  })
})

describe("a pool", () => {
  program("makes who spawns wait for room", function*({ body }) {
    const pool = new gevent.Pool(2)
    for (let n = 0; n < 4; n++) {
      yield* pool.spawn(body(double), 1)
      expect(pool.length).toBeLessThanOrEqual(2)
    }
    expect([pool.full(), pool.freeCount()]).toEqual([true, 0])
    expect(yield* caught(pool.add(gevent.spawn(body(double), 1), { blocking: false }))).toBeInstanceOf(gevent.PoolFull)
    expect(yield* caught(pool.start(new gevent.Greenlet(body(double), 1), { timeout: 0.5 }))).toBeInstanceOf(
      gevent.Full
    )
    yield* pool.waitAvailable()
    expect(pool.full()).toBe(false)
    yield* pool.join()
    expect(gevent.gethub().now()).toBeGreaterThanOrEqual(2000)
  })

  test("has no negative size", () => {
    expect(() => new gevent.Pool(-1)).toThrow(gevent.ValueError)
  })

  program("without a size has room for all", function*({ body }) {
    const pool = new gevent.Pool()
    yield* pool.spawn(body(double), 1)
    expect([pool.full(), pool.freeCount()]).toEqual([false, 1])
    yield* pool.join()
  })

  program("maps a function over items, in order", function*({ body }) {
    const pool = new gevent.Pool(2)
    expect(yield* pool.map(body(double), [3, 1, 2])).toEqual([6, 2, 4])
    const later = pool.mapAsync(body(double), [1, 2], (results) => void results.push(99))
    expect(yield* later.get()).toEqual([2, 4, 99])
  })

  program("gives results one by one, in order or as they come", function*({ body, lines, log }) {
    const pool = new gevent.Pool(3)
    yield* pool.imap(body(double), [3, 1, 2]).each((result) => log(result))
    yield* pool.imapUnordered(body(double), [3, 1, 2]).each((result) => log(result))
    expect(lines).toEqual([6, 2, 4, 2, 4, 6])
    const sums = pool.imap((a: number, b: number) => a + b, [1, 2, 3], [10, 20])
    expect([yield* sums.next(), yield* sums.next(), yield* sums.next(), yield* sums.next()]).toEqual([
      { done: false, value: 11 },
      { done: false, value: 22 },
      { done: true, value: undefined },
      { done: true, value: undefined }
    ])
  })

  program("goes on after a call that failed", function*({ body }) {
    const error = new Error("x")
    const results = new gevent.Group().imap(
      body(function*(n: number) {
        if (n === 2) throw error
        return n
      }),
      [1, 2, 3]
    )
    expect(yield* results.next()).toEqual({ done: false, value: 1 })
    expect(yield* caught(results.next())).toBe(error)
    expect(yield* results.next()).toEqual({ done: false, value: 3 })
    expect((yield* results.next()).done).toBe(true)
  })

  program("runs no further ahead of who takes the results than maxsize", function*({ body }) {
    let started = 0
    const results = new gevent.Pool(10).imap(
      body(function*(n: number) {
        started++
        return n
      }),
      Array.from({ length: 50 }, (_, n) => n),
      { maxsize: 4 }
    )
    yield* gevent.sleep(1)
    expect(started).toBe(4)
    let count = 0
    yield* results.each(() => void count++)
    expect(count).toBe(50)
  })

  program("applies a function, on the spot in one of its own greenlets", function*({ body }) {
    const pool = new gevent.Pool(1)
    expect(
      yield* pool.apply(body(function*() {
        return yield* pool.apply(body(double), [1])
      }))
    ).toBe(2)
    const results: Array<unknown> = []
    const first = pool.applyAsync(body(double), [1], (result) => results.push(result))
    const second = pool.applyAsync(body(double), [2], (result) => results.push(result))
    yield* gevent.joinall([first, second])
    yield* gevent.sleep(1)
    expect(results).toEqual([2, 4])
  })
})
