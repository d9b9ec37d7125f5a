/** Nothing is kept that nobody can reach: a dropped channel goes, and with it the tasklets that wait on it. */
import { Effect, Fiber } from "effect"
import { channel, getruncount, run, tasklet, withThread } from "effect-stackless/stackless"
import { expect, test } from "vitest"

/** Is what `make` returns collected once nobody holds it? */
const isCollected = async (make: () => Promise<object>): Promise<boolean> => {
  const ref = new WeakRef(await make())
  for (let round = 0; round < 20 && ref.deref() !== undefined; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    globalThis.gc!()
  }
  return ref.deref() === undefined
}

test("a channel that nobody holds is collected, with a tasklet blocked on it", async () => {
  expect(
    await isCollected(async () => {
      const dropped = channel<number>()
      tasklet(function*() {
        yield* dropped.receive()
      })()
      await Effect.runPromise(run())
      return dropped
    })
  ).toBe(true)
})

test("a value that was sent is collected once its receiver has dropped it", async () => {
  expect(
    await isCollected(async () => {
      const value = { large: new Array(1000) }
      const c = channel<object>()
      tasklet(function*() {
        yield* c.receive()
      })()
      tasklet(function*() {
        yield* c.send(value)
      })()
      await Effect.runPromise(run())
      return value
    })
  ).toBe(true)
})

test("a channel is collected that a fiber gave up waiting on", async () => {
  expect(
    await isCollected(async () => {
      const dropped = channel<number>()
      const fiber = Effect.runFork(Effect.gen(function*() {
        yield* dropped.receive()
      }))
      await Effect.runPromise(Fiber.interrupt(fiber))
      return dropped
    })
  ).toBe(true)
})

test("a thread that has ended leaves nothing behind", async () => {
  const threads = async (count: number): Promise<number> => {
    for (let i = 0; i < count; i++) await Effect.runPromise(withThread(Effect.sync(() => getruncount())))
    await new Promise((resolve) => setImmediate(resolve))
    globalThis.gc!()
    return process.memoryUsage().heapUsed
  }
  // the first ones warm the code up, which takes memory as well
  const before = await threads(10_000)
  expect(await threads(20_000) - before).toBeLessThan(400_000)
})
