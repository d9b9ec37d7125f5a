/** Tasklets that are offered to another place, which may be lost in the middle: they run once, or their end is known. */
import { Effect, Exit } from "effect"
import { persistent } from "effect-stackless/pickle"
import { run, type Tasklet, tasklet } from "effect-stackless/stackless"
import * as fc from "fast-check"
import { expect, test } from "vitest"
import { PlaceLost } from "../../src/cluster/errors.ts"
import { Migration, type MigrationMessage, type Pending } from "../../src/cluster/migration.ts"

/** How often each has run. */
const ran = new Map<number, number>()
let made = 0
const body = (id: number): string => {
  ran.set(id, (ran.get(id) ?? 0) + 1)
  return "done"
}
persistent("migration test: body", body)

/** What is under way on channels, up to where it is told that it comes. */
class Travelling implements Pending {
  arrived = false
  private readonly waiting: Array<() => void> = []
  whenArrived(f: () => void): void {
    if (this.arrived) f()
    else this.waiting.push(f)
  }
  come(): void {
    this.arrived = true
    for (const f of this.waiting.splice(0)) f()
  }
}

/** Places in one process. What they say comes when it is told to. */
class World {
  /** What those who leave have sent before. */
  travelling: Travelling | undefined
  private readonly sent: Array<Travelling> = []
  readonly places = new Map<string, Migration>()
  readonly dead = new Set<string>()
  private said: Array<{ readonly from: string; readonly to: string; readonly message: MigrationMessage }> = []
  /** The kinds of what has come. */
  readonly came: Array<string> = []

  /** The second kind has places that are sent tasklets at once, as nobody can lose the other one. */
  static readonly ofThreads = (...names: ReadonlyArray<string>): World => new World(names, false)
  static readonly of = (...names: ReadonlyArray<string>): World => new World(names, true)

  private constructor(names: ReadonlyArray<string>, offers: boolean) {
    const underWay = (): Pending | undefined => this.travelling
    for (const name of names) {
      const post = (to: string, message: MigrationMessage): boolean => this.said.push({ from: name, to, message }) > 0
      this.places.set(
        name,
        new Migration(name, post, () => undefined, () => {}, {
          underWay,
          ...offers ? { watch: (to: string) => this.watch(name, to) } : {}
        })
      )
    }
  }

  /** Somebody sends on a channel; and all of that comes. */
  send(): void {
    this.travelling = new Travelling()
    this.sent.push(this.travelling)
  }
  come(): void {
    this.travelling = undefined
    for (const sent of this.sent.splice(0)) sent.come()
  }

  private watch(from: string, to: string): void {
    if (this.dead.has(to)) queueMicrotask(() => this.at(from).lose(new PlaceLost({ place: to })))
  }

  at(name: string): Migration {
    return this.places.get(name)!
  }

  /** The next message comes. Gives false if there is none. */
  step(): boolean {
    const next = this.said.shift()
    if (next === undefined) return false
    if (this.dead.has(next.from)) return true
    if (this.dead.has(next.to)) {
      this.at(next.from).lose(new PlaceLost({ place: next.to }))
      return true
    }
    this.came.push(next.message.m)
    this.at(next.to).hear(next.from, next.message)
    return true
  }

  /** A place dies; or two of them take each other for lost, with all that is on its way between them. */
  lose(one: string, other: string, dies: boolean): void {
    this.said = this.said.filter(({ from, to }) => !(from === one && to === other || from === other && to === one))
    if (dies) {
      this.dead.add(other)
      for (const [name, place] of this.places) if (name !== other) place.lose(new PlaceLost({ place: other }))
    } else {
      this.at(one).lose(new PlaceLost({ place: other }))
      this.at(other).lose(new PlaceLost({ place: one }))
    }
  }
}

/** What becomes of one that was moved: how often it has run, and how it has ended. */
const endOf = async (
  world: World,
  moved: Tasklet,
  id: number
): Promise<{ readonly runs: number; readonly end: string }> => {
  const joining = Effect.runPromiseExit(moved.join() as Effect.Effect<string, unknown>)
  let end = "waits"
  void joining.then((exit) => {
    end = Exit.isSuccess(exit) ? exit.value : "failed"
  })
  // it waits for those that are away, and does not come back if they never end
  void Effect.runPromise(run()).catch(() => {})
  world.come()
  for (let i = 0; i < 30; i++) {
    while (world.step());
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { runs: ran.get(id) ?? 0, end }
}

test("one that moves is offered, accepted, told to go, and its end comes back", async () => {
  const world = World.of("a", "b")
  const id = ++made
  const moved = tasklet(body)(id)
  world.at("a").send(moved, "b", false)
  expect(await endOf(world, moved, id)).toEqual({ runs: 1, end: "done" })
  expect(world.came).toEqual(["offer", "accept", "go", "ended"])
})

test.each([0, 1, 2, 3])("a place that dies after %i messages takes only what is there", async (n) => {
  const world = World.of("a", "b")
  const id = ++made
  const moved = tasklet(body)(id)
  world.at("a").send(moved, "b", false)
  for (let i = 0; i < n; i++) world.step()
  world.lose("a", "b", true)
  // up to `go` it is here; after that it has died there, and may have run
  const { end, runs } = await endOf(world, moved, id)
  expect(end).toBe(n < 2 ? "done" : "failed")
  expect(runs).toBeLessThanOrEqual(1)
})

test("one that moves goes on there when what it has sent before has come", async () => {
  const world = World.of("a", "b")
  const id = ++made
  const moved = tasklet(body)(id)
  world.send()
  world.at("a").send(moved, "b", false)
  while (world.step());
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect([world.step(), ran.has(id)]).toEqual([false, false])
  expect(world.came).toEqual(["offer", "accept"])
  expect(await endOf(world, moved, id)).toEqual({ runs: 1, end: "done" })
})

test("one that moves does not wait for ever for what it has sent before", async () => {
  for (const world of [World.of("a", "b"), World.ofThreads("a", "b")]) {
    const id = ++made
    const moved = tasklet(body)(id)
    world.send()
    world.at("a").send(moved, "b", false)
    while (world.step());
    await new Promise((resolve) => setTimeout(resolve, 600))
    while (world.step());
    expect(world.came.at(-1)).toMatch(/go|arrive/)
    expect(await endOf(world, moved, id)).toEqual({ runs: 1, end: "done" })
  }
})

test("a place that dies while one waits to move there takes nothing", async () => {
  const world = World.of("a", "b")
  const id = ++made
  const moved = tasklet(body)(id)
  world.send()
  world.at("a").send(moved, "b", false)
  while (world.step());
  world.lose("a", "b", true)
  expect(await endOf(world, moved, id)).toEqual({ runs: 1, end: "done" })
})

test("between threads, what is told to one that waits to move comes behind it, from wherever", async () => {
  const world = World.ofThreads("a", "b", "c")
  const id = ++made
  const moved = tasklet(body)(id)
  world.at("a").send(moved, "b", false)
  world.step()
  // it goes on from there, and nobody there waits for it
  world.send()
  for (const guest of guestsOf(world.at("b"))) world.at("b").send(guest, "c", false)
  const running = Effect.runPromise(run())
  await new Promise((resolve) => setImmediate(resolve))
  Effect.runSync(moved.kill({ pending: true }) as Effect.Effect<void>)
  await new Promise((resolve) => setImmediate(resolve))
  world.step()
  expect(world.came).toEqual(["arrive", "throw"])
  expect((await endOf(world, moved, id)).runs).toBe(0)
  await running
  expect(world.came.slice(2)).toEqual(["arrive", "moved", "throw"])
})

test("one that moves itself is told that it has not", async () => {
  const world = World.of("a", "b")
  const id = ++made
  const moved = tasklet(body)(id)
  world.at("a").send(moved, "b", true)
  world.lose("a", "b", true)
  expect((await endOf(world, moved, id)).end).toBe("failed")
})

test("whenever places lose each other, nothing runs twice, and what has not run has failed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          does: fc.constantFrom("step", "step", "step", "cut", "die", "kill", "again", "send", "come"),
          to: fc.constantFrom("b", "c")
        }),
        { maxLength: 16 }
      ),
      async (steps) => {
        const world = World.of("a", "b", "c")
        const id = ++made
        const moved = tasklet(body)(id)
        world.at("a").send(moved, "b", false)
        let killed = false
        for (const { does, to } of steps) {
          if (does === "step") world.step()
          else if (does === "send") world.send()
          else if (does === "come") world.come()
          else if (does === "cut") world.lose("a", to, false)
          else if (does === "die") world.lose("a", to, true)
          else if (does === "kill") {
            killed = true
            Effect.runSync(moved.kill({ pending: true }) as Effect.Effect<void>)
          } else if (!world.dead.has("b")) {
            for (const guest of guestsOf(world.at("b"))) world.at("b").send(guest, "c", false)
          }
        }
        const { end, runs } = await endOf(world, moved, id)
        expect(runs).toBeLessThanOrEqual(1)
        expect(end).not.toBe("waits")
        expect(runs === 1 || killed || end === "failed").toBe(true)
      }
    ),
    { numRuns: 300 }
  )
})

/** Those that have come to a place, and run there. */
const guestsOf = (place: Migration): ReadonlyArray<Tasklet> => [
  ...(place as unknown as { readonly guests: ReadonlyMap<string, Tasklet> }).guests.values()
]
