/** Places in which who is suspended can be pickled like anybody else. */
import { Effect } from "effect"
import { compile } from "effect-stackless/compiler"
import * as frames from "effect-stackless/frames"
import { currentThread, getcurrent, Greenlet, greenlet } from "effect-stackless/greenlet"
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
  class Interrupted extends Greenlet {
    preempted() {
      return this.parent
    }
  }
  function* echoing(word, log) {
    log.push(word)
    for (;;) log.push(yield* getcurrent().parent.switch(word))
  }
  function* interrupting(log) {
    const g = new Interrupted(echoing)
    currentThread().allow(0)
    log.push(yield* g.switch("first", log))
    yield* getcurrent().parent.switch(g)
  }
  function* asAnother(log, turns) {
    yield* stackless.schedule()
    for (let i = 0; i < turns; i++);
    log.push("switches to itself")
    yield* stackless.getcurrent().switch()
    log.push("goes on as another")
    yield* stackless.schedule()
    log.push("end")
  }
  function* another() {
    yield* stackless.schedule()
  }
  return { another, asAnother, interrupting, parent, receiving }`,
  { filename: "/places/bodies.mjs", format: "commonjs" }
)
const { another, asAnother, interrupting, parent, receiving }: {
  another: () => Generator<never, void>
  asAnother: (log: Array<string>, turns: number) => Generator<never, void>
  interrupting: (log: Array<unknown>) => Generator<never, void>
  parent: () => Generator<never, string>
  receiving: (channel: stackless.Channel<string>, log: Array<string>) => Generator<never, void>
} = new Function("require", "greenlet", "getcurrent", "Greenlet", "currentThread", "stackless", code)(
  () => frames,
  greenlet,
  getcurrent,
  Greenlet,
  currentThread,
  stackless
)

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

test("a greenlet that was interrupted when it was to start", async () => {
  const log: Array<unknown> = []
  const g = await Effect.runPromise(greenlet(interrupting).switch<Greenlet>(log))
  expect([log, g.active, g.unstarted]).toEqual([[undefined], true, false])
  const [again, said] = loads<[Greenlet, Array<unknown>]>(dumps([g, log]))
  const outside = greenlet(function*(): Generator<any, unknown> {
    again.parent = getcurrent()
    return [yield* again.switch("again", said), yield* again.switch("second")]
  })
  expect(await Effect.runPromise(outside.switch())).toEqual(["again", "again"])
  expect([said, log]).toEqual([[undefined, "again", "second"], [undefined]])
})

test("one who goes on as another tasklet is never interrupted before it has gone on", async () => {
  const seen = new Set<string>()
  for (let i = 2; i < 100; i++) {
    const steps = i >> 1
    await Effect.runPromise(stackless.withThread(Effect.gen(function*() {
      const log: Array<string> = []
      const one = stackless.tasklet(asAnother)(log, 20)
      const two = stackless.tasklet(another)()
      const options = { timeout: steps, totaltimeout: true, ignoreNesting: true, soft: i % 2 === 0 }
      const interrupted = yield* stackless.run(options)
      seen.add(`${log.length}${interrupted === undefined ? "" : " interrupted"}`)
      interrupted?.insert()
      const [rest, said] = loads<[stackless.Snapshot, Array<string>]>(dumps([stackless.snapshot(), log]))
      yield* stackless.run()
      const before = [...log, one.alive, two.alive]
      expect(log).toEqual(["switches to itself", "goes on as another", "end"])
      rest.restore()
      yield* stackless.run()
      expect([...said, one.alive, two.alive]).toEqual(before)
    })))
  }
  expect(seen).toContain("0 interrupted")
  expect(seen).toContain("2 interrupted")
  expect([...seen].filter((words) => words.startsWith("1"))).toEqual([])
})
