/** `effect-stackless run`: a program runs as Node would run it, and compiled. */
import { readFileSync } from "node:fs"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { buildPackage, Project } from "../project.ts"
import { command } from "./command.ts"

// each of these starts processes, which takes its time on a busy machine
vi.setConfig({ testTimeout: 240_000 })

let project: Project

beforeAll(() => {
  buildPackage()
  project = new Project({
    "program.ts": `"use stackless"
import { Effect } from "effect"
import { run, tasklet } from "effect-stackless/stackless"
interface Said { readonly text: string }
function* body(said: Said) {
  console.log(said.text, process.argv.slice(2).join(" "), "pc" in body(said))
}
tasklet(body)({ text: "from a tasklet" })
await Effect.runPromise(run())
process.exitCode = 7
`,
    "throws.ts": `"use stackless"
interface Line { readonly n: number }

const line: Line = { n: 4 }
throw new Error("thrown at line " + (line.n + 1))
`,
    "forgets.ts": `import { Effect } from "effect"
import { channel, run, schedule, tasklet } from "effect-stackless/stackless"
const c = channel<number>()
tasklet(function*() {
  c.send(1)
  yield* schedule()
})()
await Effect.runPromise(run())
console.log("nobody noticed")
`,
    "hog.ts": `import { Effect } from "effect"
import { run, tasklet } from "effect-stackless/stackless"
tasklet(function*() {
  const end = Date.now() + 3000
  while (Date.now() < end);
})().name = "hog"
await Effect.runPromise(Effect.andThen(run(), Effect.sleep("200 millis")))
`,
    "waits.ts": `console.log("waits")
setInterval(() => {}, 1000)
`
  })
}, 120_000)
afterAll(() => project.remove())

const run = (...args: Array<string>) => command(project.folder, ["run", ...args])

test("a program of TypeScript is compiled, gets all arguments behind its name, and its code is the command's", async () => {
  expect(await run("program.ts", "--development", "-x", "--", "y")).toEqual({
    status: 7,
    signal: null,
    stdout: "from a tasklet --development -x -- y true\n",
    stderr: ""
  })
})

test("an error leads to the line of the source", async () => {
  const { status, stderr } = await run("throws.ts")
  expect([status, stderr.includes("thrown at line 5"), stderr.includes("throws.ts:5:")]).toEqual([1, true, true])
})

test("--development throws where a yield* is missing, and without it nobody notices", async () => {
  expect((await run("forgets.ts")).stdout).toBe("nobody noticed\n")
  const { status, stderr, stdout } = await run("--development", "forgets.ts")
  expect([status, stdout]).toEqual([1, ""])
  expect(stderr).toContain("an operation was made but not performed")
  expect(stderr).toContain("forgets.ts:5:")
})

// on a busy machine V8 does not always say who it was when the main thread is stopped
test("--watchdog tells who holds the thread, and at which line", { retry: 3 }, async () => {
  const { status, stderr, stdout } = await run("--watchdog", "500 millis", "hog.ts")
  expect(status).toBe(0)
  expect(stdout + stderr).toMatch(/"hog".* held the thread for \d+ ms/)
  expect(stdout + stderr).toMatch(/hog\.ts:5:/)
})

test("--trace saves what was recorded, however the program ends", async () => {
  expect((await run("--trace", "saved.json", "program.ts", "x")).status).toBe(7)
  const { traceEvents } = JSON.parse(readFileSync(project.path("saved.json"), "utf8"))
  expect(traceEvents).toContainEqual(expect.objectContaining({ name: "thread_name", ph: "M" }))
  expect((await run("--trace", "saved.html", "program.ts", "x")).status).toBe(7)
  expect(readFileSync(project.path("saved.html"), "utf8")).toMatch(/^<!doctype html>[^]*<\/html>\s*$/i)
  expect((await run("--trace", "thrown.json", "throws.ts")).status).toBe(1)
  expect(JSON.parse(readFileSync(project.path("thrown.json"), "utf8"))).toHaveProperty("traceEvents")
  const { signal } = await command(
    project.folder,
    ["run", "--trace", "killed.json", "waits.ts"],
    (_, kill) => kill("SIGTERM")
  )
  expect(signal).toBe(null)
  expect(JSON.parse(readFileSync(project.path("killed.json"), "utf8"))).toHaveProperty("traceEvents")
  expect(await run("--trace", "saved.txt", "program.ts")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--trace takes the name of a .html or .json file; got saved.txt")
  })
})

test("a signal goes to the program, and the command ends by it as well", async () => {
  const { signal, stdout } = await command(project.folder, ["run", "waits.ts"], (_, kill) => kill("SIGTERM"))
  expect([stdout, signal]).toEqual(["waits\n", "SIGTERM"])
})

test("a program that is not there, a folder and a duration that is none are told of", async () => {
  expect(await run("nothing.ts")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("there is no file nothing.ts")
  })
  expect(await run(".")).toMatchObject({ status: 2, stderr: expect.stringContaining(". is a folder") })
  expect(await run("--watchdog", "soon", "hog.ts")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("--watchdog takes a duration such as \"50 millis\"; got \"soon\"")
  })
  expect(await run("--unknown", "hog.ts")).toMatchObject({ status: 2, stderr: expect.stringContaining("--unknown") })
})
