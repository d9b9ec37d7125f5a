/** What a timeline records, as the Trace Event format has it. */
import { Effect } from "effect"
import { getcurrent, greenlet } from "effect-stackless/greenlet"
import {
  channel,
  getScheduleCallback,
  run,
  schedule,
  select,
  setScheduleCallback,
  sleep,
  tasklet
} from "effect-stackless/stackless"
import { record, type Timeline, trace } from "effect-stackless/timeline"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { load } from "../compiler/module.ts"
import { inBothGears, main, type Steps } from "../stackless/program.ts"

interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly dur?: number
  readonly id?: number
  readonly cat?: string
  readonly args?: any
}

const eventsOf = (timeline: Timeline): Array<TraceEvent> => {
  const { traceEvents } = JSON.parse([...timeline.traceEvents()].join(""))
  requireValid(traceEvents)
  return traceEvents
}

/** The rules of the format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU */
const requireValid = (events: Array<TraceEvent>): void => {
  const ends = new Map<string, number>()
  const flows = new Map<number, TraceEvent>()
  const slices = events.filter(({ ph }) => ph === "X")
  for (const event of events) {
    expect(event).toMatchObject({ name: expect.any(String), pid: expect.any(Number), tid: expect.any(Number) })
    expect(["M", "X", "s", "f", "i"]).toContain(event.ph)
    if (event.ph === "M") continue
    expect(event.ts).toBeGreaterThanOrEqual(0)
    const track = `${event.pid} ${event.tid}`
    if (event.ph === "X") {
      expect(event.dur).toBeGreaterThanOrEqual(0)
      // the slices of a track follow one another
      expect(event.ts).toBeGreaterThanOrEqual((ends.get(track) ?? 0) - 0.002)
      ends.set(track, event.ts + event.dur!)
    }
    if (event.ph === "s") flows.set(event.id!, event)
    if (event.ph === "f") {
      const start = flows.get(event.id!)!
      expect(start).toMatchObject({ name: event.name, cat: event.cat })
      expect(event.ts).toBeGreaterThanOrEqual(start.ts)
    }
    // an arrow begins and ends in a slice of its track
    if (event.ph === "s" || event.ph === "f") {
      expect(
        slices.some(({ dur, pid, tid, ts }) =>
          pid === event.pid && tid === event.tid && ts <= event.ts + 0.002 && event.ts <= ts + dur! + 0.002
        )
      ).toBe(true)
    }
  }
}

/** The states of a track in their order, by its name without its number. */
const statesOf = (events: Array<TraceEvent>, name: string): Array<string> => {
  const track = events.find(({ args, ph, name: kind }) =>
    ph === "M" && kind === "thread_name" && args.name.replace(/ #\d+$/, "") === name
  )!
  return events.filter(({ ph, tid, pid }) => ph === "X" && tid === track.tid && pid === track.pid).map(({ name }) =>
    name
  )
}

const recorded = (program: () => Steps<void>): Promise<Array<TraceEvent>> =>
  main(function*() {
    const timeline = record()
    try {
      yield* program()
    } finally {
      timeline.stop()
    }
    return eventsOf(timeline)
  })

const talk = function*(): Steps<void> {
  const words = channel<string>({ name: "words" })
  tasklet(function* listens() {
    yield* words.receive()
    yield* words.receive()
  })()
  tasklet(function* speaks() {
    yield* words.send("one")
    yield* schedule()
    yield* words.send("two")
  })().name = "speaker"
  yield* run()
}

inBothGears("a timeline", () => {
  test("has a track for each tasklet, whose states follow one another", async () => {
    const events = await recorded(talk)
    const listens = statesOf(events, "listens")
    expect(listens.filter((state) => state === "running").length).toBeGreaterThanOrEqual(3)
    expect(listens.filter((state) => state === `receive on words`)).toHaveLength(2)
    expect(listens[0]).toBe("runnable")
    expect(statesOf(events, "speaker")).not.toContain("send on words")
    expect(statesOf(events, "main")).toContain("in run")
  })

  test("has an arrow for each message, from who sends to who receives", async () => {
    const events = await recorded(talk)
    const names = new Map(events.filter(({ name }) => name === "thread_name").map(({ args, tid }) => [tid, args.name]))
    const arrows = events.filter(({ ph }) => ph === "s").map(({ id, name, tid }) => {
      const to = events.find((event) => event.ph === "f" && event.id === id)!
      return `${names.get(tid)} ${name} ${names.get(to.tid)}`.replaceAll(/ #\d+/g, "")
    })
    expect(arrows).toEqual(["speaker words listens", "speaker words listens"])
  })

  test("shows who waits for an Effect, and that nobody runs meanwhile", async () => {
    const events = await recorded(function*() {
      tasklet(function* sleeps() {
        yield* sleep("200 millis")
      })()
      yield* run()
    })
    const waits = events.filter(({ name }) => name === "waits for an Effect").reduce((a, b) => a.dur! > b.dur! ? a : b)
    expect(waits.dur).toBeGreaterThan(15_000)
    for (const { dur, ts } of events.filter(({ name }) => name === "running")) {
      expect(ts + dur! <= waits.ts + 0.002 || ts >= waits.ts + waits.dur! - 0.002).toBe(true)
    }
    expect(statesOf(events, "sleeps").at(-1)).toBe("running")
  })

  test("shows a selection with all its cases, a deadlock, and an error", async () => {
    const events = await recorded(function*() {
      const a = channel<number>({ name: "a" })
      const b = channel<number>({ name: "b" })
      tasklet(function* chooses() {
        yield* select({ a: a.receive(), b: b.send(1) })
      })()
      tasklet(function* fails() {
        throw new Error("of its own")
      })()
      yield* Effect.exit(run())
      yield* Effect.exit(channel({ name: "never" }).receive())
    })
    // when nobody is left to run, all who are blocked are in the deadlock
    expect(statesOf(events, "chooses").at(-1)).toBe("deadlock: receive on a, send on b")
    expect(events.filter(({ name, ph }) => ph === "i" && name === "failed")).toHaveLength(1)
    expect(events.filter(({ name, ph }) => ph === "i" && name === "deadlock").length).toBeGreaterThan(0)
    expect(events.some(({ name }) => name === "deadlock: receive on never")).toBe(true)
  })

  test("of values that a channel holds there are no arrows, and nothing goes wrong", async () => {
    const events = await recorded(function*() {
      const c = channel<number>({ capacity: 2, name: "held" })
      tasklet(function* puts() {
        for (let i = 0; i < 5; i++) yield* c.send(i)
      })()
      tasklet(function* takes() {
        for (let i = 0; i < 5; i++) yield* c.receive()
      })()
      yield* run()
    })
    expect(statesOf(events, "puts")).toContain("send on held")
  })

  test("the last events are kept, with where everybody was before", async () => {
    const events = await main(function*() {
      const timeline = record({ limit: 1 })
      const c = channel<number>({ name: "early" })
      tasklet(function* early() {
        yield* c.receive()
      })()
      tasklet(function* busy() {
        for (let i = 0; i < 20_000; i++) yield* schedule()
      })()
      tasklet(function* busy() {
        for (let i = 0; i < 20_000; i++) yield* schedule()
      })()
      yield* run()
      timeline.stop()
      return JSON.parse([...timeline.traceEvents()].join("")).traceEvents as Array<TraceEvent>
    })
    expect(events.length).toBeLessThan(3 * 20_000)
    expect(statesOf(events, "early")).toEqual(["receive on early"])
  })
})

test("greenlets have tracks and parents, too", async () => {
  const timeline = await Effect.runPromise(Effect.gen(function*() {
    const timeline = record()
    const g = greenlet(function* pings() {
      for (let i = 0; i < 3; i++) yield* getcurrent().parent!.switch(i)
    })
    for (let i = 0; i < 4; i++) yield* g.switch()
    timeline.stop()
    return timeline
  }))
  const events = eventsOf(timeline)
  expect(statesOf(events, "pings").filter((state) => state === "running")).toHaveLength(4)
  const track = events.find(({ args }) => args?.name?.startsWith("pings"))!
  const parent = events.find(({ name, tid }) => name === "thread_name" && tid === track.args.parent)!
  expect(parent.args.name).toBe("main")
})

test("a compiled tasklet says at which line it waits", async () => {
  const { waits } = load(
    `"use stackless"
function* waits(c) {
  yield* c.receive()
}
exports.waits = waits
`,
    "waits.cjs"
  )
  const events = await recorded(function*() {
    tasklet(waits as any)(channel({ name: "never" }))
    yield* run()
  })
  expect(events.find(({ name }) => name === "receive on never")!.args.at).toMatch(/^at waits \(.*waits\.cjs:3:3\)$/)
})

test("the program's own callback is told as before, and nobody when the recording is over", () =>
  main(function*() {
    const told: Array<unknown> = []
    setScheduleCallback((prev) => told.push(prev))
    try {
      const timelines = [record(), record()]
      yield* talk()
      const { length } = told
      expect(length).toBeGreaterThan(0)
      const [one, two] = timelines.map((timeline) => {
        timeline.stop()
        return [...timeline.traceEvents()].join("").replaceAll(/"(ts|dur)":[\d.]+/g, "")
      })
      expect(one).toBe(two)
      yield* talk()
      expect([...timelines[0]!.traceEvents()].join("").replaceAll(/"(ts|dur)":[\d.]+/g, "")).toBe(one)
      expect(told.length).toBe(2 * length)
      expect(getScheduleCallback()).toBeDefined()
    } finally {
      setScheduleCallback(null)
    }
  }))

test("trace saves a file when the program has ended, also if it fails or is interrupted", async () => {
  const folder = mkdtempSync(join(tmpdir(), "timeline-"))
  try {
    const file = join(folder, "trace.json")
    expect(await main(() => trace(Effect.as(run(), 42), { files: [file] }) as never)).toBe(42)
    requireValid(JSON.parse(readFileSync(file, "utf8")).traceEvents)
    const programs: Array<Effect.Effect<never, unknown>> = [
      Effect.fail("no"),
      Effect.interrupt,
      Effect.timeout(Effect.never, 5)
    ]
    for (const program of programs) {
      rmSync(file)
      await Effect.runPromiseExit(trace(program, { files: [file] }))
      expect(existsSync(file)).toBe(true)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("what is no file for a timeline, or no limit, is refused at once", () => {
  expect(() => trace(Effect.void, { files: ["trace.txt"] })).toThrow(
    "a timeline is saved as a .html page, or as a .json file"
  )
  expect(() => record({ limit: 0 })).toThrow("a whole number of events, from 1 on; got 0")
})
