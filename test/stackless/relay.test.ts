/** Channels whose other side is elsewhere: what the schedulers know of who waits there. */
import { Effect, Fiber } from "effect"
import { makeThread, Relay, run, schedule, select, type Tasklet, tasklet, Thread } from "effect-stackless/stackless"
import { expect, test } from "vitest"

const elsewhere = (): Relay<number> => new Relay({ changed: () => {}, room: () => false, take: () => {} })

test("run waits for who waits on a relay, and no more when that belongs to another thread", async () => {
  await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const on = (thread: Thread) => <A>(effect: Effect.Effect<A>) => Effect.provideService(effect, Thread, thread)
    const [first, second] = [on(yield* makeThread), yield* makeThread]
    const relay = elsewhere()
    const got: Array<unknown> = []
    let receiver: Tasklet | undefined
    yield* first(Effect.suspend(() => {
      receiver = tasklet(function*() {
        got.push(yield* relay.receive())
      })()
      return schedule()
    }))
    expect(receiver!.blocked).toBe(true)
    const running = yield* Effect.forkChild(first(run()))
    yield* Effect.yieldNow
    expect(running.pollUnsafe()).toBeUndefined()
    relay.put(1)
    yield* Fiber.join(running)
    yield* first(Effect.suspend(() => {
      receiver = tasklet(function*() {
        got.push(yield* relay.receive())
      })()
      return schedule()
    }))
    receiver!.bindThread(second)
    yield* first(run())
    const other = yield* Effect.forkChild(on(second)(run()))
    yield* Effect.yieldNow
    expect(other.pollUnsafe()).toBeUndefined()
    relay.put(2)
    yield* Fiber.join(other)
    yield* on(second)(run())
    yield* first(run())
    expect(got).toEqual([1, 2])
  })))
})

test("a relay gives its values to tasklets, fibers and selections in their order, and takes theirs", async () => {
  const relay = elsewhere()
  const got: Array<unknown> = []
  tasklet(function*() {
    got.push(yield* relay.receive())
  })()
  tasklet(function*() {
    got.push(yield* select({ it: relay.receive() }))
  })()
  await Effect.runPromise(schedule())
  const fiber = Effect.runFork(relay.receive())
  expect(relay.balance).toBe(-3)
  for (const n of [1, 2, 3, 4]) relay.put(n)
  expect([relay.balance, relay.stored]).toEqual([1, 1])
  await Effect.runPromise(run())
  expect(got).toEqual([1, { key: "it", value: 2 }])
  expect(await Effect.runPromise(Fiber.join(fiber))).toBe(3)
  expect(relay.unput()).toEqual([4])
  tasklet(function*() {
    yield* relay.send(5)
    yield* relay.sendThrow(new RangeError("6"))
  })()
  await Effect.runPromise(schedule())
  expect(relay.pull()).toEqual({ value: 5, raising: false })
  await Effect.runPromise(schedule())
  expect(relay.pull()).toEqual({ value: new RangeError("6"), raising: true })
  expect(relay.pull()).toBeUndefined()
  await Effect.runPromise(run())
})
