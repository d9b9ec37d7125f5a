/** `effect-stackless unpickle --inspect`: what is in a pickle, whatever it is of and as far as it is whole. */
import { readFileSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { buildPackage, Project } from "../project.ts"
import { command } from "./command.ts"

vi.setConfig({ testTimeout: 240_000 })

let project: Project

beforeAll(() => {
  buildPackage()
  project = new Project({
    "save.ts": `"use stackless"
import { Effect } from "effect"
import { dumps } from "effect-stackless/pickle"
import { channel, run, tasklet } from "effect-stackless/stackless"
import { writeFileSync } from "node:fs"
const orders = channel<number>()
orders.name = "orders"
function* take(who: string) {
  return (yield* orders.receive()) + who.length
}
function* work(who: string) {
  const taken: Array<number> = []
  while (true) taken.push(yield* take(who))
}
const t = tasklet(work)("Ann")
t.name = "worker"
await Effect.runPromise(run())
console.log("the program runs")
writeFileSync("saved.pickle", dumps({ t }, { key: new Uint8Array(16) }))
`
  })
  const saved = project.node("--import", "effect-stackless/register", "save.ts")
  expect(saved.stderr + saved.stdout).toBe("the program runs\n")
}, 120_000)
afterAll(() => project.remove())

const inspect = (...args: Array<string>) => command(project.folder, ["unpickle", "--inspect", ...args])

test("tells tasklets, their frames with functions, hashes and variables, and channels, and runs nothing of the program", async () => {
  const { status, stderr, stdout } = await inspect("saved.pickle")
  expect([status, stderr]).toEqual([0, ""])
  expect(stdout).not.toContain("the program runs")
  expect(stdout).toMatch(/^a pickle of format 1\.0: \d+ bytes, \d+ objects, signed/)
  expect(stdout).toMatch(/code .*save\.ts#work, hash \w+/)
  expect(stdout).toMatch(/tasklet "worker", state suspended, .*receives from #\d+/)
  expect(stdout).toMatch(/frame .*save\.ts#take,.*\n {8}who = "Ann"/)
  expect(stdout.indexOf("#take, hash")).toBeLessThan(stdout.length)
  const frames = [...stdout.matchAll(/frame \S*save\.ts#(\w+)/g)].map(([, name]) => name)
  expect(frames).toEqual(["take", "work"])
})

test("--json tells all records", async () => {
  const { stdout } = await inspect("--json", "saved.pickle")
  const { names, problems, records, signed } = JSON.parse(stdout)
  expect([signed, problems]).toEqual([true, []])
  const channel = records.find(({ kind }: { kind: string }) => kind === "channel")
  expect(channel.about).toMatchObject({ name: "\"orders\"", balance: -1, receive: [expect.stringMatching(/^#\d+$/)] })
  expect(names).toContainEqual({ kind: "code", name: expect.stringMatching(/#take$/), hash: expect.any(String) })
  const whole = records.reduce((sum: number, { bytes }: { bytes: number }) => sum + bytes, 0)
  expect(whole).toBeLessThan(readFileSync(project.path("saved.pickle")).length)
})

test("of a damaged pickle it tells what stands before the damage, and ends with 1", async () => {
  const bytes = readFileSync(project.path("saved.pickle"))
  writeFileSync(project.path("cut.pickle"), bytes.subarray(0, bytes.length - 45))
  const cut = await inspect("cut.pickle")
  expect(cut.status).toBe(1)
  expect(cut.stdout).toMatch(/PROBLEM: the file is cut off: it has \d+ bytes of \d+/)
  expect(cut.stdout).toMatch(/PROBLEM: at byte \d+: the pickle says more than it has/)
  expect(cut.stdout).toContain("save.ts#take")
  bytes[bytes.length - 50]! ^= 255
  writeFileSync(project.path("changed.pickle"), bytes)
  const changed = await inspect("changed.pickle")
  expect([changed.status, changed.stdout.includes("the checksum is wrong")]).toEqual([1, true])
})

test("what is no pickle, and who forgets --inspect, is told so", async () => {
  const none = await inspect("save.ts")
  expect([none.status, none.stderr.includes("save.ts: these bytes are no pickle")]).toEqual([2, true])
  const loads = await command(project.folder, ["unpickle", "saved.pickle"])
  expect([loads.status, loads.stderr.includes("unpickle takes --inspect")]).toEqual([2, true])
})
