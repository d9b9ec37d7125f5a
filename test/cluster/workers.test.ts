/** The workers of a pool: what is started there, what moves there, the channels between them, and how it ends. */
import { compile } from "effect-stackless/compiler"
import { readFileSync } from "node:fs"
import { inspect } from "node:util"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { buildPackage, Project } from "../project.ts"
import { kinds } from "./workers/tasks.ts"

let project: Project
let said: Record<string, any>

const run = (...args: Array<string>): any => {
  const { status, stderr, stdout } = project.node(project.path("main.js"), ...args)
  if (status !== 0 || stderr !== "") throw new Error(`${status} ${stdout} ${stderr}`)
  return JSON.parse(stdout)
}

beforeAll(() => {
  buildPackage()
  project = new Project({})
  for (const name of ["main", "tasks", "alone"]) {
    const source = readFileSync(new URL(`workers/${name}.ts`, import.meta.url), "utf8")
    const { code } = compile(source, { filename: project.path(`${name}.ts`) })
    project.write({ [`${name}.js`]: code.replaceAll(/\.\/(tasks|alone)\.ts/g, "./$1.js") })
  }
  said = run()
}, 180_000)
afterAll(() => project?.remove())

/** What a scenario of workers/main.js has come to. */
const comesTo = (scenario: string, value: unknown) => () => {
  expect(said[scenario]).toEqual(value)
}

describe("tasklets on workers", () => {
  test("give their results", comesTo("results", { sums: [11, 12, 13, 14], threads: 2 }))
  test("fail with the errors of their classes", comesTo("error", [true, "not today", 7]))
  test("say what of a result cannot be pickled", () => {
    expect(said.strangeResult).toMatch(/^NotMovable: the result of .* object → \.promise → Promise$/)
  })
  test("are of modules that the workers load, or come back with an error", () => {
    expect(said.strangeModule).toMatch(/^NotMovable: .*cannot be moved: worker \d cannot load it: .*main\.ts#stranger/)
    expect(said.strangeModuleMoves).toMatch(
      /^NotMovable: .*cannot be moved: worker 1 cannot load it: .*main\.ts#strangeModuleMoves/
    )
  })
  test("are not started with what cannot be pickled", () => {
    expect(said.unpicklable).toMatch(/^NotMovable: .*a promise cannot be pickled/)
  })
})

describe("a tasklet in the middle", () => {
  test("moves from place to place, and goes on there", () => {
    const [there, back] = said.tour
    const [, a, b] = there
    expect(there).toEqual([0, a, b, 0, a, b])
    expect(back).toEqual([a, a, b, 0, a, b])
    expect(new Set(there).size).toBe(3)
  })
  test("stays, with what cannot be pickled", () => {
    expect(said.luggage).toMatch(/^NotMovable: .*a promise cannot be pickled: tasklet → .* → \.promise → Promise$/)
  })
  test("stays, with another one that is alive", () => {
    expect(said.friend).toMatch(/^NotMovable: .*it is another one than the one that moves, and is alive/)
  })
  test("stays in the queue of a channel of its own thread", () => {
    const [error, got] = said.blockedHere
    expect(error).toMatch(/^NotMovable: .* it waits on a channel whose other side stays here$/)
    expect(got).toEqual(["still here"])
  })
  test("goes on waiting on a channel of the pool, or on several", comesTo("movesBlocked", [3, true]))
  test("sends in its order, wherever it is", comesTo("orderOfMoves", []))
  test("brings along what it sends", comesTo("movesSender", [0, 1, 2]))
})

describe("channels between threads", () => {
  test("keep the order of a sender", comesTo("order", true))
  test("lose and double nothing among many", comesTo("manyToMany", true))
  test("take in what they have room for", comesTo("bounded", ["sent", true, "sent", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]))
  test("have their preference everywhere", comesTo("preference", [[-1, 1, 0, -1], [-1]]))
  test("are closed for all", comesTo("closing", [true, 50]))
  test("leave no memory behind when nobody uses them, closed ones neither", () => {
    const { left, rest, used } = run("short-lived").shortLived
    expect(used).toBe(8000)
    for (const bytes of left) expect(bytes).toBeLessThan(100)
    expect(rest).toEqual(["StopIteration: ", "kept"])
  }, 60_000)
  test("carry values of all kinds", () => {
    const [came, bytes] = said.kinds
    expect(came).toEqual(kinds.map((value) => inspect(value)))
    expect(bytes).toBe("[ Uint8Array(2) [ 1, 2 ] ]")
  })
  test("lose nothing that lies ahead of an iteration when they are closed", comesTo("closedAhead", true))
  test("carry errors", comesTo("sentError", "Refusal: over a channel"))
  test("can be sent over channels", comesTo("overChannel", 42))
  test("can be selected from beside others", comesTo("selecting", 4))
  test("forget a receiver that is killed", () => {
    const [word, got, outcome] = said.cancelled
    expect([word, got]).toEqual(["was ended", ["for who is left"]])
    expect(outcome).toMatch(/^RuntimeError: .*was killed/)
  })
})

describe("a pool", () => {
  test("goes on without a worker that has died, whose tasklets fail", () => {
    const [outcomes, alive, sum] = said.death
    for (const outcome of outcomes) expect(outcome).toMatch(/^PlaceLost: worker 1 is gone: it has ended with code 3/)
    expect([alive, sum]).toEqual([[false, true], 3])
  })
  test(
    "fails the tasklets that are there when it ends",
    comesTo("rest", "PlaceLost: worker 2 is gone: the pool has ended")
  )
  test("knows nothing of the channels of one before it", comesTo("former", ["PlaceLost: the pool is gone", 1]))
  test("is refused with an error that says what to do", () => {
    expect(said.size).toBe("PoolError: a pool has 1 worker or more; got 0")
    expect(said.module).toMatch(/^PoolError: worker 1 cannot start: .*nowhere\.js/)
    expect(said.second).toBe("PoolError: this process has a pool already")
  })
  test("is known to workers whose modules import nothing of it", comesTo("alone", [1, true, true]))
  test("keeps no process alive", () => {
    expect(run("open").open.sum).toBe(3)
  })
})
