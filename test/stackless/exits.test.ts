/** The error that ends a tasklet or a greenlet: what it costs is mostly its stack trace, so it has none. */
import { Effect } from "effect"
import { developmentMode, greenlet, GreenletExit, withThread } from "effect-stackless/greenlet"
import { channel, tasklet, TaskletExit } from "effect-stackless/stackless"
import { afterEach, expect, test } from "vitest"

let off: () => void = () => {}
afterEach(() => off())

/** What a tasklet that is killed while it is blocked has caught. */
const killed = Effect.gen(function*() {
  let caught: unknown
  const t = tasklet(function*() {
    try {
      yield* channel().receive()
    } catch (error) {
      caught = error
      throw error
    }
  })()
  yield* t.run()
  yield* t.kill()
  return caught as Error
}).pipe(withThread)

test("a kill's exit has a name and no trace", async () => {
  const exit = await Effect.runPromise(killed)
  expect(exit).toBeInstanceOf(TaskletExit)
  expect([exit.name, String(exit), Object.keys(exit)]).toEqual(["TaskletExit", "TaskletExit", []])
  expect(exit.stack).not.toContain("at ")
})

test("in development mode it has a trace", async () => {
  off = developmentMode()
  expect((await Effect.runPromise(killed)).stack).toContain("exits.test.ts")
})

test("the limit of stack traces is as it was, and one that a program makes has its trace", async () => {
  const { stackTraceLimit } = Error
  await Effect.runPromise(killed)
  expect(Error.stackTraceLimit).toBe(stackTraceLimit)
  expect(new TaskletExit("mine").stack).toContain("exits.test.ts")
  expect(new GreenletExit("mine").stack).toContain("exits.test.ts")
})

test("a greenlet's exit has none either", async () => {
  const g = greenlet(function*(): Generator<any, void> {
    yield* g.parent!.switch()
  })
  await Effect.runPromise(g.switch())
  const exit = await Effect.runPromise(g.throw())
  expect(exit).toBeInstanceOf(GreenletExit)
  expect((exit as unknown as Error).stack).not.toContain("at ")
})

test("a kill's exit says its name where a stack is printed", async () => {
  expect((await Effect.runPromise(killed)).stack).toBe("TaskletExit")
})
