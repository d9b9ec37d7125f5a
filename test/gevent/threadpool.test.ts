/** Threads: what they compute, what they throw, how many there are, how they end. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { withThread } from "effect-stackless/greenlet"
import { spawnSync } from "node:child_process"
import { describe, expect, test } from "vitest"
import { caught, realProgram, type Steps } from "./program.ts"

const busy = (milliseconds: number): number => {
  const end = Date.now() + milliseconds
  while (Date.now() < end);
  return milliseconds
}

describe("a thread pool", () => {
  realProgram("computes on its threads while greenlets go on", function*({ body, lines, log }) {
    const pool = new gevent.ThreadPool(2)
    const ticking = gevent.spawn(body(function*(): Steps {
      for (;;) {
        yield* gevent.sleep(0.005)
        log("tick")
      }
    }))
    expect(yield* pool.map(busy, [40, 20, 30])).toEqual([40, 20, 30])
    expect(lines.length).toBeGreaterThan(2)
    expect(pool.size).toBe(2)
    yield* ticking.kill()
    pool.kill()
  })

  realProgram("throws what a function throws, and says if it cannot be sent", function*() {
    const pool = new gevent.ThreadPool(1)
    const error = yield* caught(
      pool.apply(() => {
        throw new RangeError("there")
      }, [])
    )
    expect(error).toBeInstanceOf(RangeError)
    expect((yield* caught(pool.apply((f: unknown) => f, [() => 1]))) as Error).toMatchObject({ name: "DataCloneError" })
    expect(yield* pool.apply(async (n: number) => n + 1, [1])).toBe(2)
    expect(yield* pool.apply(() => "no arguments")).toBe("no arguments")
    expect(yield* pool.applyAsync(() => "none either").get()).toBe("none either")
    const endless = yield* pool.spawn(() => {
      for (;;);
    })
    pool.kill()
    expect(yield* caught(endless.get())).toMatchObject({ message: "the thread was ended" })
    expect(yield* pool.join(1)).toBe(true)
  })

  test("has a size that is a whole number", () => {
    for (const size of [-1, 1.5, Number.NaN, "2" as never]) {
      expect(() => new gevent.ThreadPool(size)).toThrow(gevent.ValueError)
    }
  })

  realProgram(
    "gives an error the name, the properties and the stack that it had on the thread",
    function*({ reports }) {
      const pool = new gevent.ThreadPool(1)
      const refuse = (code: string) => {
        class DatabaseError extends Error {
          override readonly name = "DatabaseError"
        }
        throw Object.assign(new DatabaseError("no such table", { cause: new TypeError("below") }), {
          code,
          self: () => code
        })
      }
      const error = yield* caught(pool.apply(refuse, ["SQLITE_ERROR"]))
      expect(error).toBeInstanceOf(Error)
      expect(error).toMatchObject({ name: "DatabaseError", message: "no such table", code: "SQLITE_ERROR" })
      expect((error as Error).stack).toContain("at refuse")
      expect((error as Error).cause).toBeInstanceOf(TypeError)
      expect((error as Error).cause).toMatchObject({ message: "below" })
      // as upstream, the hub hears of it besides
      expect(reports).toEqual([[[pool, refuse], error]])
      const several = () => {
        throw new AggregateError([new RangeError("one"), "two"], "several")
      }
      const aggregate = (yield* caught(pool.apply(several, []))) as AggregateError
      expect(aggregate).toBeInstanceOf(AggregateError)
      expect(aggregate.errors).toEqual([new RangeError("one"), "two"])
      const circular = () => {
        const error: Error & { self?: Error } = new Error("round")
        error.self = error
        throw error
      }
      expect(yield* caught(pool.apply(circular, []))).toMatchObject({ message: "round", self: "Error: round" })
      const value = () => {
        // oxlint-disable-next-line no-throw-literal -- what is thrown need not be an error
        throw { code: 7 }
      }
      expect(yield* caught(pool.apply(value, []))).toEqual({ code: 7 })
      expect((yield* caught(pool.apply(() => () => 1, []))) as Error).toMatchObject({ name: "DataCloneError" })
      pool.kill()
    }
  )

  realProgram("runs methods, and refuses what a thread cannot run", function*() {
    const pool = new gevent.ThreadPool(1)
    const counter = {
      plus(n: number) {
        return n + 1
      },
      async "plus two"(n: number) {
        return n + 2
      }
    }
    // oxlint-disable-next-line typescript/unbound-method -- only its text is sent
    expect(yield* pool.apply(counter.plus, [1])).toBe(2)
    expect(yield* pool.apply(counter["plus two"], [1])).toBe(3)
    // as esbuild writes it, to keep the name
    const named = new Function("return (n) => { const inner = __name((n) => n + 4, 'inner'); return inner(n) }")()
    expect(yield* pool.apply(named as (n: number) => number, [1])).toBe(5)
    expect(yield* caught(pool.apply(Math.max, [1, 2]))).toMatchObject({
      name: "TypeError",
      message: expect.stringContaining("function max cannot be sent to a thread: it is built in or bound")
    })
    expect(yield* caught(pool.apply(busy.bind(undefined), [1]))).toBeInstanceOf(TypeError)
    expect(yield* caught(pool.apply(function*() {} as never, []))).toMatchObject({
      message: expect.stringContaining("it is a generator function")
    })
    expect(yield* caught(pool.spawn(5 as never))).toMatchObject({ message: "a thread runs a function; got number" })
    pool.kill()
  })

  realProgram("hangs on nothing when a thread ends in the middle, or later, or without memory", function*({ reports }) {
    const pool = new gevent.ThreadPool(1)
    const leaving = yield* caught(pool.apply(() => process.exit(3), []))
    expect(leaving).toBeInstanceOf(gevent.ThreadEnded)
    expect(leaving).toMatchObject({ exitCode: 3 })
    expect(pool.size).toBe(0)
    expect(yield* pool.apply(() => 1, [])).toBe(1)
    reports.length = 0
    yield* pool.apply(() => {
      setTimeout(() => {
        throw new RangeError("late")
      }, 1)
    }, [])
    while (reports.length === 0) yield* gevent.sleep(0.005)
    expect(reports).toEqual([[pool, new RangeError("late")]])
    expect(pool.size).toBe(0)
    const stopping = yield* caught(pool.apply(() => {
      setTimeout(() => {
        throw new RangeError("meanwhile")
      }, 1)
      return new Promise<void>(() => {})
    }, []))
    expect(stopping).toEqual(new RangeError("meanwhile"))
    expect(yield* pool.apply(() => 2, [])).toBe(2)
    pool.kill()
  })

  realProgram("takes nothing for a result that a function posts to its parent itself", function*({ reports }) {
    const pool = new gevent.ThreadPool(1)
    const posting = (result: string) => {
      const { parentPort } = process.getBuiltinModule("node:worker_threads")
      for (const message of [null, undefined, 1, [0, "value", "forged"], [1, "value", "forged"], {}]) {
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
        parentPort!.postMessage(message)
      }
      parentPort!.on("message", () => {})
      return result
    }
    expect(yield* pool.apply(posting, ["first"])).toBe("first")
    expect(yield* pool.apply(posting, ["second"])).toBe("second")
    expect(reports).toEqual([])
    pool.kill()
  })

  realProgram("gets what a function gives that ends its thread right after", function*() {
    const last = () => {
      setImmediate(() => process.exit(3))
      return "last"
    }
    const pools = Array.from({ length: 4 }, () => new gevent.ThreadPool(1))
    for (const pool of pools) expect(yield* pool.apply(last, [])).toBe("last")
    for (const pool of pools) pool.kill()
  })

  realProgram("takes one function more than it has threads, then makes the next wait", function*({ body, log, lines }) {
    const pool = new gevent.ThreadPool(1)
    gevent.spawn(body(function*(): Steps {
      for (let n = 0; n < 3; n++) {
        yield* pool.spawn(busy, 30)
        log(pool.length)
      }
    }))
    yield* gevent.sleep(0.01)
    expect(lines).toEqual([1, 2])
    expect(yield* pool.join(0.001)).toBe(false)
    yield* pool.join()
    yield* gevent.sleep(0)
    expect(yield* pool.join(1)).toBe(true)
    expect(lines).toEqual([1, 2, 2])
    expect([pool.length, pool.size, String(pool)]).toEqual([0, 1, "<ThreadPool tasks=0 size=1 maxsize=1>"])
    pool.kill()
    expect(pool.size).toBe(0)
  })

  realProgram("has its sizes set", function*() {
    const pool = new gevent.ThreadPool(2)
    pool.size = 2
    expect(pool.size).toBe(2)
    expect(() => (pool.size = 3)).toThrow("Size of the pool cannot be bigger than maxsize: 3 > 2")
    expect(() => (pool.size = -1)).toThrow(gevent.ValueError)
    expect(() => (pool.maxsize = -1)).toThrow("maxsize must not be negative: -1")
    expect(() => (pool.maxsize = 0.5)).toThrow(gevent.ValueError)
    pool.size = 1
    expect(pool.size).toBe(1)
    const working = yield* pool.spawn(busy, 30)
    pool.maxsize = 0
    expect(pool.size).toBe(1)
    expect(yield* working.get()).toBe(30)
    expect(pool.size).toBe(0)
    const waiting = gevent.spawn(() => pool.apply(busy, [1]))
    yield* waiting.join(0.02)
    expect(waiting.ready()).toBe(false)
    pool.maxsize = 3
    expect(yield* waiting.get()).toBe(1)
    expect(yield* pool.map(busy, [10, 10, 10, 10])).toEqual([10, 10, 10, 10])
    expect(pool.size).toBe(3)
    pool.kill()
  })

  realProgram("may begin without threads, and then runs nothing, as upstream", function*({ body, lines, log }) {
    const pool = new gevent.ThreadPool(0)
    const spawning = [1, 2].map((n) =>
      gevent.spawn(body(function*(): Steps {
        log(yield* pool.apply(busy, [n]))
      }))
    )
    yield* gevent.sleep(0.02)
    expect([lines, pool.size, pool.length]).toEqual([[], 0, 1])
    pool.maxsize = 1
    yield* gevent.joinall(spawning)
    expect(lines).toEqual([1, 2])
    pool.kill()
  })

  realProgram("serves the greenlets of one thread", function*() {
    const pool = new gevent.ThreadPool(1)
    const elsewhere = Effect.promise(() =>
      Effect.runPromise(withThread(gevent.call(() => caught(pool.spawn(busy, 1)))))
    )
    expect(yield* elsewhere).toMatchObject({
      name: "InvalidThreadUseError",
      message: expect.stringContaining("belongs to another thread of greenlets")
    })
    expect(pool.length).toBe(0)
  })

  realProgram("ends a thread that has had nothing to do for long enough", function*() {
    const pool = new gevent.ThreadPool(1, { idleTaskTimeout: 0.03 })
    yield* pool.apply(busy, [1])
    yield* gevent.sleep(0.01)
    yield* pool.apply(busy, [1])
    expect(pool.size).toBe(1)
    yield* gevent.sleep(0.06)
    expect(pool.size).toBe(0)
    expect(yield* pool.apply(busy, [1])).toBe(1)
    pool.kill()
  })

  realProgram("maps in the background and one by one", function*({ log, lines }) {
    const pool = new gevent.ThreadPool(2)
    const half = (n: number) => {
      if (n === 0) throw new RangeError("nothing to halve")
      return n / 2
    }
    expect(yield* pool.applyAsync(half, [8], log).get()).toBe(4)
    expect(yield* pool.mapAsync(half, [2, 4], log).get()).toEqual([1, 2])
    expect(lines).toEqual([4, [1, 2]])
    const results = pool.imap(half, [2, 0, 6])
    expect(yield* results.next()).toEqual({ done: false, value: 1 })
    expect(yield* caught(results.next())).toEqual(new RangeError("nothing to halve"))
    expect(yield* results.next()).toEqual({ done: false, value: 3 })
    expect((yield* results.next()).done).toBe(true)
    const sums: Array<number> = []
    yield* pool.imapUnordered((a: number, b: number) => a + b, [1, 2], [3, 4], { maxsize: 1 }).each(function*(sum) {
      sums.push(sum)
    })
    expect(new Set(sums)).toEqual(new Set([4, 6]))
    expect(yield* caught(pool.map(half, [2, 0]))).toBeInstanceOf(RangeError)
    pool.kill()
  })

  realProgram("tells what waits in it that it was killed, also what had not begun", function*({ reports }) {
    const pool = new gevent.ThreadPool(1)
    const results = [yield* pool.spawn(busy, 60_000), yield* pool.spawn(busy, 60_000)]
    pool.kill()
    for (const result of results) expect(yield* caught(result.get())).toBeInstanceOf(gevent.ThreadEnded)
    expect(reports).toEqual([])
    expect(yield* pool.apply(busy, [1])).toBe(1)
    pool.kill()
  })

  realProgram("belongs to a hub, if it is asked for", function*() {
    const pool = gevent.ThreadPool.ofHub()
    expect(pool).toBe(gevent.ThreadPool.ofHub(gevent.gethub()))
    expect(yield* pool.apply(() => 6 * 7, [])).toBe(42)
    expect([pool.maxsize, pool.size]).toEqual([10, 1])
    pool.kill()
  })

  test("keeps no process from its end while it is idle, and lets a function import", () => {
    const source = `
      import { Effect } from "effect"
      import * as gevent from "effect-stackless/compat/gevent"
      await Effect.runPromise(gevent.call(function*() {
        const joined = async (...parts) => (await import("node:path")).posix.join(...parts)
        console.log(yield* new gevent.ThreadPool(2).apply(joined, ["a", "b"]))
      }))`
    const { status, stderr, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", source], {
      timeout: 60_000,
      encoding: "utf8"
    })
    expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: "", stdout: "a/b\n" })
  })
})

describe("an executor", () => {
  realProgram("gives results that can be waited for", function*({ lines, log }) {
    const executor = new gevent.ThreadPoolExecutor(2)
    const future = yield* executor.submit((n: number) => n + 1, 6)
    future.rawlink((done) => log(done.value))
    expect(yield* gevent.wait([future])).toEqual([future])
    expect([future.done(), yield* future.result(), future.cancel()]).toEqual([true, 7, false])
    expect(lines).toEqual([7])
    const slow = yield* executor.submit(busy, 400)
    expect(yield* caught(slow.result(0.005))).toBeInstanceOf(gevent.Timeout)
    const doubled: Array<number> = []
    yield* executor.map((n: number) => n * 2, [1, 2, 3]).each((n) => void doubled.push(n))
    expect(doubled).toEqual([2, 4, 6])
    yield* executor.shutdown()
    expect(slow.done()).toBe(true)
    expect(yield* caught(executor.submit(busy, 1))).toMatchObject({
      name: "RuntimeError",
      message: "cannot schedule new futures after shutdown"
    })
    expect(() => executor.map(busy, [1])).toThrow(gevent.RuntimeError)
  })

  realProgram("is shut down after a block, having done all", function*() {
    const futures = yield* new gevent.ThreadPoolExecutor(1).within(function*(executor) {
      return [yield* executor.submit(busy, 10), yield* executor.submit(busy, 11)]
    })
    expect(futures.map((future) => future.value)).toEqual([10, 11])
    const executor = new gevent.ThreadPoolExecutor(1)
    const last = yield* executor.submit(busy, 20)
    yield* executor.shutdown({ wait: false })
    expect(last.done()).toBe(false)
    expect(yield* last.get()).toBe(20)
  })
})
