/** Who answers for a main greenlet: itself, or the policy that a scheduler gives it. */

import { Effect } from "effect"
import { gethub } from "effect-stackless/compat/gevent"
import {
  call,
  currentThread,
  getcurrent,
  type Greenlet,
  greenlet,
  MainPolicy,
  type Microthread,
  type Operation,
  withThread
} from "effect-stackless/greenlet"
import { tasklet } from "effect-stackless/stackless"
import { expect, test } from "vitest"

const onThread = <A>(program: () => Generator<any, A, any>): Promise<A> =>
  Effect.runPromise(withThread(Effect.gen(program)) as Effect.Effect<A>)

/** Keeps what it is asked, and lets `other` run while main waits. */
class Noting extends MainPolicy {
  readonly asked: Array<string> = []
  private readonly other: Greenlet
  constructor(other: Greenlet) {
    super(currentThread().main)
    this.other = other
  }
  override waits(): Microthread {
    this.asked.push("waits")
    return this.other
  }
  override waited(): void {
    this.asked.push("waited")
  }
  override raised(): void {
    this.asked.push("raised")
  }
  override switching(operation: Operation<any, any>): Operation<any, any> {
    this.asked.push("switching")
    return operation
  }
}

test("a scheduler says who runs while main waits for an Effect, and is told when that is over", () =>
  onThread(function*() {
    const main = getcurrent()
    const trace: Array<string> = []
    const other = greenlet(function*() {
      trace.push("other runs")
      yield* Effect.sleep("5 millis")
      yield* main.switch()
    })
    const policy = new Noting(other)
    currentThread().govern(policy)
    const waiting = greenlet(function*() {
      yield* main.switch("first")
    })
    yield* waiting.switch()
    expect(policy.asked).toEqual(["switching"])
    // main runs a body of its own, so that its fiber is a greenlet's
    yield* call(function*() {
      yield* Effect.sleep("1 millis")
      trace.push("main goes on")
    })
    expect(trace).toEqual(["other runs", "main goes on"])
    expect(policy.asked).toEqual(["switching", "waits", "waited", "switching"])
  }))

test("a scheduler is told of an error that main gets", () =>
  onThread(function*() {
    const main = getcurrent()
    const thrower = greenlet(function*() {
      yield* main.throw(new Error("thrown"))
    })
    const policy = new Noting(thrower)
    currentThread().govern(policy)
    const thrown = yield* Effect.catchDefect(thrower.switch(), (error) => Effect.succeed(error))
    expect(thrown).toEqual(new Error("thrown"))
    expect(policy.asked).toEqual(["raised"])
  }))

test.each([
  ["stackless", () => tasklet(() => {})()],
  ["gevent", () => gethub()]
])("%s leaves the main greenlet's own methods alone", (_, takeOver) =>
  onThread(function*() {
    const { main } = currentThread()
    const before = Object.getOwnPropertyNames(main)
    takeOver()
    yield* Effect.void
    expect(Object.getOwnPropertyNames(main)).toEqual(before)
    expect(currentThread().main).toBe(main)
  }))
