/** What is wrong is told, at once and in words that help. */
import { Effect, Fiber } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { withThread } from "effect-stackless/greenlet"
import { call, channel, run, select, tasklet } from "effect-stackless/stackless"
import { describe, expect, test } from "vitest"
import { caught, program } from "./program.ts"

describe("spawning", () => {
  test.each([
    [undefined, "got undefined"],
    [5, "got 5"],
    [(function*() {})(), "got a generator: leave the call to it"]
  ])("%s names the function that is missing", (bad, named) => {
    for (
      const spawning of [
        () => gevent.spawn(bad as never),
        () => gevent.spawnRaw(bad as never),
        () => gevent.spawnLater(1, bad as never)
      ]
    ) {
      expect(spawning).toThrow(TypeError)
      expect(spawning).toThrow(/spawn(Raw|Later)? takes (seconds, )?a function and its arguments/)
      expect(spawning).toThrow(named)
    }
  })

  test("leaves a link to be a function", () => {
    expect(() => new gevent.Greenlet().link(5 as never)).toThrow("a link is a function; got number")
  })
})

describe("several", () => {
  const notWaitable = (name: string, got: string) =>
    `${name} takes an iterable of what can be waited for: greenlets, events, results, semaphores; got ${got}`

  test("are greenlets, events, results or semaphores, or it throws before anything waits", () => {
    const f = () => {}
    expect(() => gevent.joinall([f] as never)).toThrow(TypeError)
    expect(() => gevent.joinall([f] as never)).toThrow(notWaitable("joinall", "function f"))
    expect(() => gevent.joinall([f] as never, { raiseError: true })).toThrow(notWaitable("joinall", "function f"))
    expect(() => gevent.wait([new gevent.Event(), 5] as never)).toThrow(notWaitable("wait", "5"))
    expect(() => gevent.iwait([null] as never)).toThrow(notWaitable("iwait", "null"))
  })

  test("are in an iterable", () => {
    const one = new gevent.Greenlet()
    expect(() => gevent.joinall(one as never)).toThrow(notWaitable("joinall", `${one}: put it into an array`))
  })

  test("to be killed are greenlets", () => {
    expect(() => gevent.killall([5] as never)).toThrow("killall takes greenlets; got 5")
    expect(() => gevent.kill((() => {}) as never)).toThrow("kill takes a greenlet; got function")
  })
})

describe("gevent in a tasklet", () => {
  const event = new gevent.Event()
  test.each<[string, () => unknown]>([
    ["sleep", () => gevent.sleep(0.01)],
    ["sleep of no time", () => gevent.sleep()],
    ["a queue", () => new gevent.Queue().get()],
    ["an event made elsewhere", () => event.wait()],
    ["spawn", () => gevent.spawn(() => {})],
    ["a sleep under a timeout", () => Effect.timeout(gevent.sleep(0.01), "5 seconds")]
  ])("is refused: %s", async (_, use) => {
    const error = await Effect.runPromise(withThread(call(function*() {
      let error: unknown
      tasklet(function*() {
        try {
          const made = use()
          if (Effect.isEffect(made)) yield* made as Effect.Effect<unknown>
        } catch (thrown) {
          error = thrown
        }
      })()
      yield* run()
      return error
    })))
    expect(error).toBeInstanceOf(gevent.InvalidThreadUseError)
    expect(String(error)).toContain("gevent's greenlets and stackless tasklets do not mix on one thread")
    expect(String(error)).toContain("withThread")
  })

  test("does not keep the tasklets from waiting afterwards", async () => {
    const slept = await Effect.runPromise(withThread(call(function*() {
      let slept = false
      tasklet(function*() {
        yield* Effect.exit(gevent.sleep(0.01))
        yield* Effect.sleep(1)
        slept = true
      })()
      yield* run()
      yield* Effect.sleep(1)
      return slept
    })))
    expect(slept).toBe(true)
  })
})

describe("a channel in a greenlet", () => {
  program("is refused, and the hub goes on", function*({ body }) {
    const c = channel<number>()
    for (const use of [() => c.receive(), () => c.send(1), () => c.each(() => {}), () => select({ c: c.receive() })]) {
      const error = yield* gevent.spawn(body(() => caught(use()))).get()
      expect(error).toMatchObject({ name: "RuntimeError" })
      expect(String(error)).toContain("greenlets, gevent's among them, and tasklets do not mix on one thread")
      expect(String(error)).toContain("withThread")
    }
    yield* gevent.sleep(1)
    expect(c.balance).toBe(0)
  })

  test("works in a fiber that it forks, as the error says", async () => {
    const c = channel<string>()
    const greenlets = withThread(gevent.call(function*() {
      return yield* gevent.spawn(() => Effect.flatMap(Effect.forkChild(c.receive()), Fiber.join)).get()
    }))
    const tasklets = withThread(call(function*() {
      tasklet(function*() {
        yield* c.send("from a tasklet")
      })()
      yield* run({ threadblock: true })
    }))
    const [received] = await Effect.runPromise(Effect.all([greenlets, tasklets], { concurrency: 2 }))
    expect(received).toBe("from a tasklet")
  })
})

describe("an async function as the body of a loop", () => {
  program("is told what to write", function*() {
    const full = () => new gevent.Queue<number>(null, [1])
    const pool = new gevent.Pool(1)
    const loops = [
      full().each((async () => {}) as never),
      gevent.iwait([gevent.spawn(() => 1)]).each((async () => {}) as never),
      pool.imap((n: number) => n, [1]).each((async () => {}) as never)
    ]
    for (const loop of loops) {
      const error = yield* caught(loop)
      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).toContain("an async function cannot be a body: write a generator function")
    }
  })
})
