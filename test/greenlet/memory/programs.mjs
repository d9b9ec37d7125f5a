// Programs that would run out of memory, or of stack, if anything leaked. Each runs in a process of its own:
//
//     node --expose-gc --max-old-space-size=… test/greenlet/memory/programs.mjs NAME
//
// and prints one line, `ok`, with the megabytes of heap after each half of its work.
// @ts-nocheck plain JavaScript, as it is run
import { Effect, Exit } from "effect"
import { call, getcurrent, greenlet, withThread } from "effect-stackless/greenlet"

const heap = () => {
  globalThis.gc()
  return Math.round(process.memoryUsage().heapUsed / 1e5) / 10
}

/** Runs a program twice in one process: what the second adds to the heap is a leak. */
const flat = (program) =>
  async function() {
    await program()
    const first = heap()
    await program()
    const second = heap()
    if (second > first + 4) throw new Error(`the heap grew from ${first} MB to ${second} MB`)
    return `${first} MB, ${second} MB`
  }

const run = (f) => Effect.runPromise(withThread(call(f)))
const resident = (f) => async () => {
  const result = await f()
  const megabytes = process.resourceUsage().maxRSS / 1024
  if (megabytes > 256) throw new Error(`${megabytes} MB resident`)
  return `${result ?? ""} ${Math.round(megabytes)} MB resident at most`
}

const once = function*(value) {
  yield* getcurrent().parent.switch(value)
}
const onceHard = (value) => getcurrent().parent.switch(value)
const throws = function*() {
  throw new Error("thrown")
}
const throwsHard = () => Effect.die(new Error("thrown"))

/**
 * Makes greenlets, switches to each, and drops it, suspended. On the default thread: one that is to end keeps those that
 * are suspended, to end them.
 */
const drop = (body, n) =>
  Effect.runPromise(call(function*() {
    for (let i = 0; i < n; i++) yield* greenlet(body).switch(i)
  }))

/** Makes greenlets, and lets each die of an error that crosses into its parent. */
const errors = (body, n) =>
  run(function*() {
    let caught = 0
    for (let i = 0; i < n; i++) {
      try {
        yield* greenlet(body).switch()
      } catch {
        caught++
      }
    }
    if (caught !== n) throw new Error(`${caught} of ${n}`)
  })

const pingPong = (hard, n) =>
  run(function*() {
    const me = getcurrent()
    const ping = greenlet(function*() {
      if (hard) yield* Effect.yieldNow
      for (let i = 0; i < n; i++) {
        yield* pong.switch(i)
        if (hard && i % 100 === 0) yield* Effect.sync(() => {})
      }
      yield* me.switch()
    })
    const pong = greenlet(
      hard ? () => Effect.forever(Effect.suspend(() => ping.switch())) : function*() {
        for (;;) yield* ping.switch()
      }
    )
    yield* ping.switch()
  })

function* depth(n) {
  return n === 0 ? 0 : 1 + (yield* call(depth, n - 1))
}
function* unwinds(n) {
  if (n === 0) throw new Error("from the bottom")
  try {
    return yield* call(unwinds, n - 1)
  } finally {
    unwound++
  }
}
let unwound = 0

/** The last greenlet of a thread, and what ran as its main, are collected when the thread has ended. */
const last = async (body) => {
  const kept = []
  await run(function*() {
    kept.push(new WeakRef(getcurrent()))
    const g = greenlet(body)
    kept.push(new WeakRef(g))
    yield* g.switch()
    // so that the last to go on is main, on its fiber
    yield* Effect.map(greenlet(() => {}).switch(), () => {})
  })
  // what a WeakRef was asked for lives until the end of the turn
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    globalThis.gc()
  }
  const left = kept.filter((ref) => ref.deref() !== undefined).length
  if (left > 0) throw new Error(`${left} of ${kept.length} are left`)
}

const programs = {
  "last soft": () => last(once),
  "last hard": () => last(onceHard),
  "drop soft": resident(() => drop(once, 10_000_000)),
  "drop hard": resident(flat(() => drop(onceHard, 100_000))),
  "errors soft": resident(() => errors(throws, 1_000_000)),
  "errors hard": resident(flat(() => errors(throwsHard, 50_000))),
  "ping-pong soft": flat(() => pingPong(false, 1_000_000)),
  "ping-pong hard": flat(() => pingPong(true, 200_000)),
  "deep return": async () => {
    const n = await run(() => depth(1_000_000))
    if (n !== 1_000_000) throw new Error(`${n}`)
  },
  "deep unwind": async () => {
    const exit = await Effect.runPromiseExit(withThread(call(unwinds, 1_000_000)))
    if (!Exit.isFailure(exit) || unwound !== 1_000_000) throw new Error(`${unwound}`)
  }
}

console.log("ok", (await programs[process.argv[2]]()) ?? "")
