/**
 * Compiled tasklets that compute, in loops that perform nothing: the watchdog interrupts them there. The behaviours of
 * `Stackless/unittests/test_watchdog.py`.
 */
import { dumps, loads } from "effect-stackless/pickle"
import * as S from "effect-stackless/stackless"
import { describe, expect, test } from "vitest"
import { load } from "../compiler/module.ts"
import { errorOf, main, type Steps } from "./program.ts"

type Body = (...args: ReadonlyArray<any>) => Steps<any>

const bodies: Readonly<Record<string, Body>> = load(
  `"use stackless"
exports.spins = function* spins() {
  let turns = 0
  for (;;) {
    turns++
  }
}
exports.counts = function* counts(n, done) {
  let x = 0
  for (let i = 0; i < n; i++) x += 1
  done.push(x)
}
exports.tries = function* tries(said) {
  for (;;) {
    try {
      for (;;);
    } catch (error) {
      said.push(error.message)
      if (error.message === "last") return
    } finally {
      said.push("finally")
    }
  }
}
exports.schedules = function* schedules(S, n) {
  for (let i = 0; i < n; i++) if (i % 50 === 0) yield* S.schedule()
}
exports.sends = function* sends(channel, name) {
  for (let i = 0; i < 1000; i++) if (i % 50 === 0) yield* channel.send(name)
}
exports.serves = function* serves(channel, served) {
  for (;;) served.push(yield* channel.receive())
}
exports.atomically = function* atomically(S, n, done) {
  for (let k = 0; k < 10; k++) {
    const t = S.getcurrent()
    const before = t.setAtomic(true)
    for (let i = 0; i < n; i++);
    done.push("atomic")
    t.setAtomic(before)
  }
}
exports.chained = function* chained(S, channels, i) {
  const from = channels[i], to = channels[(i + 1) % 3]
  for (let first = i === 0;; first = false) {
    let d = first ? 0 : yield* from.receive()
    for (let j = 0; j < 500; j++) d = j + j
    yield* to.send(d)
  }
}
function* recursion(S, level) {
  if (level === 0) yield* S.schedule()
  else yield* recursion(S, level - 1)
}
exports.calling = function* calling(S, got) {
  const inner = function* inner(i) {
    yield* S.schedule()
    if (i % 2 === 0) throw new Error("e" + i)
    return "v" + i
  }
  const outer = function* outer(i) {
    return yield* inner(i)
  }
  for (let i = 0; i < 4; i++) {
    try {
      got.push(yield* outer(i))
    } catch (error) {
      got.push(error.message)
    }
  }
}
exports.recursing = function* recursing(S, done) {
  for (const level of [1, 10, 100, 500]) yield* recursion(S, level)
  done.push("recursed")
}
`,
  "loops.cjs"
)

/** Runs the tasklets, each as long as the watchdog lets it, in turn; returns how often one was interrupted. */
function* inTurn(timeout: number, options: S.RunOptions = {}): Steps<number> {
  let interrupts = 0
  while (S.getruncount() > 1) {
    const t = yield* S.run({ timeout, ...options })
    if (t !== undefined) {
      interrupts++
      t.insert()
    }
    if (interrupts > 10_000) throw new Error("nobody gets on")
  }
  return interrupts
}

const three = (body: Body, ...args: ReadonlyArray<unknown>): ReadonlyArray<S.Tasklet> =>
  [1, 2, 3].map(() => S.tasklet(body)(...args))

describe("a watchdog", () => {
  test("interrupts a loop that performs nothing, and gives the tasklet back", () =>
    main(function*() {
      const t = S.tasklet(bodies["spins"]!)()
      for (let i = 0; i < 3; i++) {
        expect(yield* S.run({ timeout: 1000 })).toBe(t)
        expect([t.alive, t.paused, t.scheduled, t.blocked, t.nestingLevel]).toEqual([true, true, false, false, 0])
        expect(String(t.frame)).toContain("loops.cjs:4")
        expect(t.frame!.locals!["turns"]).toBeGreaterThan(i * 900)
        t.insert()
      }
      yield* t.kill()
      expect(t.alive).toBe(false)
    }))

  test("interrupts as often as there are steps, and all come to their end", () =>
    main(function*() {
      const done: Array<number> = []
      const tasklets = three(bodies["counts"]!, 1000, done)
      const interrupts = yield* inTurn(100)
      expect(done).toEqual([1000, 1000, 1000])
      expect(interrupts).toBeGreaterThanOrEqual(3 * 9)
      expect(interrupts).toBeLessThanOrEqual(3 * 11)
      expect(tasklets.map(({ alive }) => alive)).toEqual([false, false, false])
    }))

  test("lets each get on, however short its time is", () =>
    main(function*() {
      const done: Array<number> = []
      three(bodies["counts"]!, 50, done)
      expect(yield* inTurn(1)).toBeGreaterThan(100)
      expect(done).toEqual([50, 50, 50])
    }))

  test("does not interrupt one that lets the others run in time: the slice begins anew", () =>
    main(function*() {
      three(bodies["counts"]!, 1000, [])
      const without = yield* inTurn(100)
      three(bodies["schedules"]!, S, 1000)
      const interrupts = yield* inTurn(100)
      expect(interrupts).toBeLessThan(without)
      three(bodies["counts"]!, 1000, [])
      const total = yield* inTurn(100, { totaltimeout: true })
      expect(total).toBeGreaterThanOrEqual(without - 3)
    }))

  test("interrupts clients of a server, whose messages all arrive", () =>
    main(function*() {
      const channel = S.channel<string>()
      const served: Array<string> = []
      const server = S.tasklet(bodies["serves"]!)(channel, served)
      three(bodies["sends"]!, channel, "client")
      yield* inTurn(100)
      expect(served.length).toBe(60)
      expect(server.blocked).toBe(true)
      yield* server.kill()
    }))

  test("leaves an atomic section alone, and interrupts behind it", () =>
    main(function*() {
      const done: Array<string> = []
      const t = S.tasklet(bodies["atomically"]!)(S, 500, done)
      expect(yield* S.run({ timeout: 10 })).toBe(t)
      expect(done).toEqual(["atomic"])
      t.insert()
      expect(yield* inTurn(10)).toBeGreaterThanOrEqual(9)
      expect(done.length).toBe(10)
    }))

  test("interrupts in the middle of calls, however deep", () =>
    main(function*() {
      const done: Array<string> = []
      three(bodies["recursing"]!, S, done)
      expect(yield* inTurn(100)).toBeGreaterThan(10)
      expect(done.length).toBe(3)
    }))

  test("of a tasklet interrupts main, between a call and its return, and main gets what was returned or thrown", () =>
    main(function*() {
      const current = S.getcurrent()
      let interrupts = 0
      S.tasklet(function*() {
        for (;;) {
          const stop = yield* S.run({ timeout: 1 })
          if (stop === undefined) return
          if (stop === current) interrupts++
          stop.insert()
        }
      })()
      const got: Array<string> = []
      yield* S.call(() => bodies["calling"]!(S, got))
      expect(got).toEqual(["e0", "v1", "e2", "v3"])
      expect(interrupts).toBeGreaterThan(3)
      yield* S.run()
    }))

  test("in the soft way comes back with nobody interrupted, at a switch", () =>
    main(function*() {
      const channels = [S.channel<number>(), S.channel<number>(), S.channel<number>()]
      const chain = [2, 1, 0].map((i) => S.tasklet(bodies["chained"]!)(S, channels, i))
      for (let i = 0; i < 10; i++) {
        const interrupted = yield* S.run({ timeout: 5000, soft: true, totaltimeout: true, ignoreNesting: true })
        expect(interrupted).toBe(undefined)
        expect(S.getruncount()).toBeGreaterThanOrEqual(2)
      }
      for (const t of chain) yield* t.kill()
    }))

  test("wakes the tasklet that called run, and of several the outermost", () =>
    main(function*() {
      const woken: Array<number> = []
      const [a, b] = [S.tasklet(bodies["spins"]!)(), S.tasklet(bodies["spins"]!)()]
      const runner = function*(depth: number): Steps<void> {
        if (depth > 0) S.tasklet(runner)(depth - 1)
        yield* S.run({ timeout: 1000, totaltimeout: true })
        woken.push(depth)
        yield* a.kill()
        yield* b.kill()
      }
      a.remove()
      b.remove()
      S.tasklet(function*() {
        a.insert()
        b.insert()
        yield* runner(2)
      })()
      yield* S.run()
      expect(woken[0]).toBe(2)
    }))
})

describe("a tasklet that was interrupted in a loop", () => {
  const interrupted = function*(body: string, ...args: ReadonlyArray<unknown>): Steps<S.Tasklet> {
    const t = S.tasklet(bodies[body]!)(...args)
    expect(yield* S.run({ timeout: 100 })).toBe(t)
    return t
  }

  test("sees what is thrown into it where it stands", () =>
    main(function*() {
      const said: Array<string> = []
      const t = yield* interrupted("tries", said)
      yield* t.throw(new Error("first"), { pending: true })
      expect(yield* S.run({ timeout: 10 })).toBe(t)
      expect(said).toEqual(["first", "finally"])
      yield* t.throw(new Error("last"))
      expect([said, t.alive]).toEqual([["first", "finally", "last", "finally"], false])
    }))

  test("ends when it is killed, and its finally blocks run", () =>
    main(function*() {
      const t = yield* interrupted("spins")
      yield* t.kill()
      expect(t.alive).toBe(false)
    }))

  test("is pickled there, and its copy comes to the same end", () =>
    main(function*() {
      const done: Array<number> = []
      const t = yield* interrupted("counts", 1000, done)
      const copies = loads<{ t: S.Tasklet; done: Array<number> }>(dumps({ t, done }))
      copies.t.insert()
      yield* S.run()
      expect([copies.done, copies.t.alive, done, t.alive]).toEqual([[1000], false, [], true])
      t.insert()
      yield* S.run()
      expect(done).toEqual([1000])
    }))

  test("is an error of run's caller if it then fails", () =>
    main(function*() {
      const t = yield* interrupted("spins")
      t.insert()
      expect(yield* errorOf(t.throw(new RangeError("out")))).toBeInstanceOf(RangeError)
      expect(t.alive).toBe(false)
    }))
})
