/** Places in which who is suspended can be pickled like anybody else. */
import { Effect } from "effect"
import { compile } from "effect-stackless/compiler"
import * as frames from "effect-stackless/frames"
import { getcurrent, type Greenlet, greenlet } from "effect-stackless/greenlet"
import { dumps, loads } from "effect-stackless/pickle"
import * as stackless from "effect-stackless/stackless"
import { expect, test } from "vitest"

const { code } = compile(
  `"use stackless"
  function* child() {
    return "child " + (yield* getcurrent().parent.parent.switch(getcurrent()))
  }
  function* parent() {
    return "parent of " + (yield* greenlet(child).switch())
  }
  function* receiving(channel, log) {
    log.push(yield* channel.receive())
    log.push(yield* channel.receive())
  }
  return { parent, receiving }`,
  { filename: "/places/bodies.mjs", format: "commonjs" }
)
const { parent, receiving }: {
  parent: () => Generator<never, string>
  receiving: (channel: stackless.Channel<string>, log: Array<string>) => Generator<never, void>
} = new Function("require", "greenlet", "getcurrent", code)(() => frames, greenlet, getcurrent)

const send = (channel: stackless.Channel<string>, value: string): Promise<unknown> =>
  Effect.runPromise(Effect.andThen(channel.send(value), stackless.run()))

test("a greenlet below one that has started", async () => {
  const child = await Effect.runPromise(greenlet(parent).switch<Greenlet>())
  const again = loads<Greenlet>(dumps(child))
  expect(again.parent).not.toBe(child.parent)
  expect(await Effect.runPromise(again.switch("again"))).toBe("parent of child again")
  expect([again.dead, again.parent!.dead, child.dead]).toEqual([true, true, false])
  expect(await Effect.runPromise(child.switch("itself"))).toBe("parent of child itself")
})

test("a tasklet that is traced, which the one in the pickle is not", async () => {
  const channel = stackless.channel<string>()
  const log: Array<string> = []
  const traced = stackless.tasklet(receiving)(channel, log)
  const events: Array<string> = []
  traced.traceFunction = (_tasklet, event) => events.push(event)
  await Effect.runPromise(stackless.run())
  expect(events).toEqual(["resume", "yield"])
  const [again, its, said] = loads<[stackless.Tasklet, stackless.Channel<string>, Array<string>]>(
    dumps([traced, channel, log])
  )
  expect([again.blocked, again.traceFunction, again.recursionDepth]).toEqual([true, undefined, 1])
  await send(its, "one")
  await send(its, "two")
  expect([said, again.alive, log, traced.blocked]).toEqual([["one", "two"], false, [], true])
  expect(events).toEqual(["resume", "yield"])
  await send(channel, "three")
  await send(channel, "four")
  expect(log).toEqual(["three", "four"])
  expect(events).toEqual(["resume", "yield", "resume", "yield", "resume", "return"])
})
