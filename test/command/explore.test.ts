/** `effect-stackless explore`: finds the schedule under which a program of a file fails. */
import { resolve } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { buildPackage, Project } from "../project.ts"
import { command } from "./command.ts"

vi.setConfig({ testTimeout: 240_000 })

let project: Project

beforeAll(() => {
  buildPackage()
  project = new Project({
    "nothing.ts": "export const nothing = 1\n",
    "account.ts": `"use stackless"
import { Effect } from "effect"
import { channel, run, schedule, tasklet } from "effect-stackless/stackless"
export function* overdraft() {
  let balance: number = 100
  const take = function*() {
    if (balance < 60) return
    yield* schedule()
    balance -= 60
  }
  tasklet(take)()
  tasklet(take)()
  yield* run()
  if (balance < 0) throw new Error("the balance is " + balance)
}
export function* sleeping() {
  yield* Effect.sleep("150 millis")
}
export function* right() {
  yield* channel<number>({ capacity: 1 }).send(1)
}
`
  })
}, 120_000)
afterAll(() => project.remove())

const explore = (...args: Array<string>) => command(project.folder, ["explore", ...args])

test("prints the schedule under which a program fails, for replay, and ends with 1", async () => {
  const { status, stdout } = await explore("--program", "overdraft", "--bound", "1", "account.ts")
  expect(status).toBe(1)
  expect(stdout).toContain("overdraft fails: Error: the balance is -20")
  expect(stdout).toMatch(/replay\(program, ".*"\)/)
  const found = JSON.parse((await explore("--json", "--program", "overdraft", "account.ts")).stdout)
  expect(found).toMatchObject({ cause: "Error: the balance is -20", schedule: expect.any(String) })
})

test("says how many schedules were run where none fails, and ends with 0", async () => {
  const { status, stdout } = await explore("--program", "right", "--bound", "1", "account.ts")
  expect(stdout).toMatch(/^right does not fail under \d+ schedules, which are all\n$/)
  expect(status).toBe(0)
})

test("asks which program is meant, and refuses options that do not go together", async () => {
  const { status, stderr } = await explore("account.ts")
  expect([status, stderr.includes("--program, one of: overdraft, right, sleeping")]).toEqual([2, true])
  expect(await explore("nothing.ts")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("nothing.ts exports no function: explore needs one that is the program")
  })
  expect(await explore("--bound", "1", "--seed", "2", "account.ts")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("a search is exhaustive or random")
  })
})

test("tells on a terminal which schedule it is at, and takes that away; elsewhere it tells nothing", async () => {
  const args = ["explore", "--program", "sleeping", "--seeds", "2", "account.ts"]
  const terminal = "data:text/javascript,process.stderr.isTTY = true"
  const { status, stderr, stdout } = project.node("--import", terminal, resolve("dist/command/main.js"), ...args)
  expect([status, stdout]).toEqual([0, "sleeping does not fail under 3 schedules\n"])
  expect(stderr.split("\r\u001B[K")).toEqual(["", ...[1, 2, 3].map((n) => `running sleeping: schedule ${n}`), ""])
  expect((await command(project.folder, args)).stderr).toBe("")
})
