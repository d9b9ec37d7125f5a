/** Threads, processes and signals. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { describe, expect, test } from "vitest"
import { caught, realProgram, type Steps } from "./program.ts"

const node = process.execPath

describe("a thread pool", () => {
  realProgram("computes on its threads while greenlets go on", function*({ body, lines, log }) {
    const pool = new gevent.ThreadPool(2)
    const ticking = gevent.spawn(body(function*(): Steps {
      for (;;) {
        yield* gevent.sleep(0.005)
        log("tick")
      }
    }))
    const busy = (milliseconds: number) => {
      const end = Date.now() + milliseconds
      while (Date.now() < end);
      return milliseconds
    }
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
    const endless = yield* pool.spawn(() => {
      for (;;);
    })
    pool.kill()
    expect(yield* caught(endless.get())).toMatchObject({ message: "the thread was ended" })
    expect(yield* pool.join(1)).toBe(true)
  })

  test("has a positive size", () => {
    for (const size of [0, -1, 1.5]) expect(() => new gevent.ThreadPool(size)).toThrow(gevent.ValueError)
  })
})

describe("a process", () => {
  realProgram("is written to and read from", function*() {
    const echoing = new gevent.Popen([node, "-e", "process.stdin.pipe(process.stdout); console.error('err')"], {
      stdin: gevent.PIPE,
      stdout: gevent.PIPE,
      stderr: gevent.PIPE
    })
    expect(echoing.poll()).toBe(undefined)
    const [out, err] = yield* echoing.communicate("hello")
    expect([String(out), String(err), echoing.returncode]).toEqual(["hello", "err\n", 0])
  })

  realProgram("gives its output, or an error that says how it ended", function*() {
    expect(String(yield* gevent.checkOutput([node, "-p", "6 * 7"]))).toBe("42\n")
    const failed = yield* caught(gevent.checkOutput([node, "-e", "console.log('x'); process.exit(3)"]))
    expect(failed).toBeInstanceOf(gevent.CalledProcessError)
    expect(failed).toMatchObject({ returncode: 3, output: Buffer.from("x\n") })
    expect(yield* caught(gevent.checkOutput([node, "-e", "setTimeout(() => {}, 60000)"], { timeout: 0.2 })))
      .toBeInstanceOf(gevent.TimeoutExpired)
    expect(yield* gevent.callProcess([node, "-e", "process.exit(2)"])).toBe(2)
    expect(yield* caught(gevent.checkCall(["/nowhere/to/be/found"]))).toMatchObject({ code: "ENOENT" })
  })

  realProgram("is killed, and its return code is the signal's", function*() {
    const sleeping = new gevent.Popen([node, "-e", "setTimeout(() => {}, 60000)"])
    expect(yield* caught(sleeping.wait(0.01))).toBeInstanceOf(gevent.TimeoutExpired)
    sleeping.kill()
    expect(yield* sleeping.wait()).toBe(-9)
  })
})

describe("a signal", () => {
  realProgram("is handled in a greenlet, which may wait", function*({ body, lines, log }) {
    const event = new gevent.Event()
    const handler = gevent.signalHandler(
      "SIGUSR2",
      body(function*(what: string) {
        yield* gevent.sleep(0.001)
        log(what)
        event.set()
      }),
      "signalled"
    )
    process.kill(process.pid, "SIGUSR2")
    yield* Effect.sleep("1 millis")
    yield* event.wait(1)
    handler.cancel()
    expect(lines).toEqual(["signalled"])
  })
})
