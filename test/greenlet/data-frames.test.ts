/** Frames that are plain data, written by hand as a compiler would write them. */
import { Effect } from "effect"
import {
  call,
  getcurrent,
  type Greenlet,
  greenlet,
  GreenletExit,
  settrace,
  withThread
} from "effect-stackless/greenlet"
import { afterEach, expect, test } from "vitest"
import {
  completion,
  type DataFrame,
  DONE,
  type Mode,
  PREEMPTED,
  RESUME,
  RETURNED,
  RUNNING,
  THROW,
  YIELDED
} from "../../src/greenlet/kernel/data-frame.ts"

const returned = (value: unknown): unknown => {
  completion.value = value
  return RETURNED
}

type Step = (value: any, thrown: boolean) => unknown

/** A frame made of steps: each is given what the one before has brought, and names the next by its place. */
class Steps implements DataFrame {
  pc = 0
  readonly steps: ReadonlyArray<Step>
  constructor(...steps: ReadonlyArray<Step>) {
    this.steps = steps
  }
  [RESUME](mode: Mode, value: unknown): unknown {
    const at = this.pc / 2
    this.pc = RUNNING
    const step = this.steps[at]
    if (step === undefined) {
      if (mode === THROW) throw value
      this.pc = DONE
      return returned(value)
    }
    if (mode === THROW && step.length < 2) throw value
    const outcome = step(value, mode === THROW)
    this.pc = outcome === RETURNED ? DONE : 2 * (at + 1)
    return outcome
  }
}

const body = (...steps: ReadonlyArray<Step>): (...args: Array<any>) => any => () => new Steps(...steps) as any
const runs = (f: () => any): Promise<unknown> => Effect.runPromise(withThread(call(f)))

afterEach(() => {
  settrace(undefined)
})

test("a frame performs operations and ends with a value", async () => {
  const main = getcurrent() as Greenlet
  const g = greenlet(
    body(() => main.switch("first"), (v) => main.switch(`got ${v}`), (v) => returned(`end ${v}`)),
    main
  )
  const program = Effect.gen(function*() {
    return [yield* g.switch(), yield* g.switch(1), yield* g.switch(2), g.dead]
  })
  expect(await Effect.runPromise(program)).toEqual(["first", "got 1", "end 2", true])
})

test("what an operation throws is thrown where the frame stands", async () => {
  const f = body(
    () => (getcurrent() as Greenlet).throw(new RangeError("mine")),
    (v, thrown) => returned([v instanceof RangeError, thrown])
  )
  expect(await runs(f)).toEqual([true, true])
})

test("yield* of another frame pushes it, whatever kind it is", async () => {
  const inner = body(() => Effect.sleep("1 millis"), () => returned("inner"))
  function* generator() {
    yield* Effect.sleep("1 millis")
    return "generator"
  }
  const log: Array<unknown> = []
  const f = body(
    () => inner(),
    (v) => (log.push(v), generator()),
    (v) => (log.push(v), Effect.succeed("effect")),
    (v) => (log.push(v), Effect.as(Effect.sleep("1 millis"), "later")),
    (v) => (log.push(v), []),
    (v) => (log.push(v), returned("end"))
  )
  expect(await runs(f)).toBe("end")
  expect(log).toEqual(["inner", "generator", "effect", "later", undefined])
})

test("an error goes through all frames, each of which has ended", async () => {
  const frames: Array<Steps> = []
  const made = (...steps: ReadonlyArray<Step>) => {
    const frame = new Steps(...steps)
    frames.push(frame)
    return frame as any
  }
  const error = new Error("deep")
  const f = () => made(() => made(() => made(() => Effect.die(error))), (v, thrown) => returned([v === error, thrown]))
  expect(await runs(f)).toEqual([true, true])
  expect(frames.map((frame) => frame.pc)).toEqual([DONE, DONE, DONE])
})

test("recursion is as deep as the memory", async () => {
  const depth = (n: number): any =>
    n === 0 ? new Steps(() => returned(0)) : new Steps(() => depth(n - 1), (v) => returned(v + 1))
  expect(await runs(() => depth(300_000))).toBe(300_000)
})

test("what cannot stand behind a yield* is an error there", async () => {
  const seen: Array<unknown> = []
  const f = body(
    () => 1,
    (error, _thrown) => (seen.push(String(error)), undefined),
    (error, _thrown) => (seen.push(String(error)), { [Symbol.iterator]: () => 1 }),
    (error, _thrown) => (seen.push(String(error)), returned("end"))
  )
  expect(await runs(f)).toBe("end")
  expect(seen).toEqual([
    "TypeError: 1 is not iterable",
    "TypeError: undefined is not iterable",
    "TypeError: Result of the Symbol.iterator method is not an object"
  ])
})

test("a frame that has ended gives nothing, and one that runs is an error", async () => {
  const ended = new Steps(() => returned(1))
  ended.pc = DONE
  const running = new Steps(() => returned(1))
  running.pc = RUNNING
  const f = body(() => ended, (v) => (expect(v).toBe(undefined), running), (error, _thrown) => returned(String(error)))
  expect(await runs(f)).toBe("TypeError: Generator is already running")
})

test("an iterable is stepped, and closed where it cannot be thrown into", async () => {
  let closed = 0
  const iterable = {
    [Symbol.iterator]: () => ({
      next: () => ({ done: false, value: Effect.die("thrown in") }),
      return: () => (closed++, { done: true, value: undefined })
    })
  }
  const f = body(() => iterable, (error, _thrown) => returned(String(error)))
  expect(await runs(f)).toBe("TypeError: The iterator does not provide a 'throw' method")
  expect(closed).toBe(1)
})

test("a plain yield of what cannot be yielded is an error there; of an operation, it is performed", async () => {
  const yielded = (value: unknown) => {
    completion.value = value
    return YIELDED
  }
  const f = body(
    () => yielded(1),
    (error, _thrown) => yielded(Effect.succeed(String(error).slice(0, 9))),
    (v) => returned(v)
  )
  expect(await runs(f)).toBe("TypeError")
})

test("one that is preempted goes on", async () => {
  expect(await runs(body(() => PREEMPTED, () => returned("went on")))).toBe("went on")
})

test("switches are traced", async () => {
  const events: Array<string> = []
  const main = getcurrent() as Greenlet
  const g = greenlet(body(() => main.switch("a"), () => returned("b")), main)
  settrace((event, origin, target) => {
    events.push(`${event} ${origin === main ? "main" : "g"} ${target === main ? "main" : "g"}`)
  })
  expect(await Effect.runPromise(g.switch())).toBe("a")
  expect(await Effect.runPromise(g.switch())).toBe("b")
  expect(events).toEqual(["switch main g", "switch g main", "switch main g", "switch g main"])
})

test("a thread that ends throws GreenletExit into its frames", async () => {
  const seen: Array<unknown> = []
  const program = Effect.gen(function*() {
    const main = getcurrent() as Greenlet
    const g = greenlet(
      body(() => main.switch(), (error, _thrown) => (seen.push(error instanceof GreenletExit), returned(1))),
      main
    )
    yield* g.switch()
  })
  await Effect.runPromise(withThread(program))
  expect(seen).toEqual([true])
})

test("a frame that never began ends with the error that is thrown into it", async () => {
  const g = greenlet(body(() => returned("ran")))
  const error = new Error("before it began")
  expect(await Effect.runPromise(Effect.exit(g.throw(error)))).toEqual(Effect.runSync(Effect.exit(Effect.die(error))))
  expect(g.dead).toBe(true)
})
