/** The fixture for Vitest: a project of somebody who uses it, run by Vitest. */
import { afterAll, beforeAll, expect, test } from "vitest"
import { buildPackage, Project } from "../project.ts"

let project: Project
beforeAll(() => {
  buildPackage()
  project = new Project({
    "vitest.config.mjs": "export default {}",
    "chat.test.mjs": `
import { Effect } from "effect"
import { channel, run, schedule, tasklet, getruncount } from "effect-stackless/stackless"
import { it, isolated, test } from "effect-stackless/vitest"
import { expect, it as plain } from "vitest"

let ended = false
test("a body is main", function*({ task }) {
  const c = channel()
  tasklet(function*() { yield* c.send(task.name) })()
  expect(yield* c.receive()).toBe("a body is main")
})
it("an Effect", () => Effect.sync(() => expect(getruncount()).toBe(1)))
test("leaves one blocked", function*() {
  tasklet(function*() { yield* channel({ name: "nobody" }).receive() })().name = "reader"
  yield* run()
})
test("leaves one that fails", function*() {
  tasklet(function*() { throw new Error("of the one that made it") })()
})
test("has a thread of its own", function*() {
  expect(getruncount()).toBe(1)
  yield* run()
})
test.each([1, 2])("of %i", function*(n) {
  expect(n).toBeLessThan(3)
  yield* schedule()
})
test.fails("fails", function*() {
  throw new Error("meant")
})
test.skip("skipped", function*() {
  throw new Error("not run")
})
test.todo("later")
test("is too late", function*() {
  try { yield* Effect.never } finally { ended = true }
}, 50)
plain("its finally block was run", () => expect(ended).toBe(true))
plain("with an Effect per test", () => Effect.runPromise(isolated(function*() { yield* schedule() })))
`
  })
}, 120_000)
afterAll(() => project?.remove())

test("a test has a thread of its own, and fails for what it leaves behind", () => {
  const { stdout } = project.node("../../node_modules/vitest/vitest.mjs", "run", "--reporter=json")
  expect(stdout).toContain("{\"num")
  const { testResults } = JSON.parse(stdout.slice(stdout.indexOf("{\"num")))
  const results: Record<string, string> = {}
  const failures: Record<string, string> = {}
  for (const { failureMessages, status, title } of testResults[0].assertionResults) {
    results[title] = status
    if (failureMessages.length > 0) failures[title] = failureMessages[0]
  }
  expect(results).toEqual({
    "a body is main": "passed",
    "an Effect": "passed",
    "leaves one blocked": "failed",
    "leaves one that fails": "failed",
    "has a thread of its own": "passed",
    "of 1": "passed",
    "of 2": "passed",
    "fails": "passed",
    "skipped": "skipped",
    "later": "todo",
    "is too late": "failed",
    "its finally block was run": "passed",
    "with an Effect per test": "passed"
  })
  expect(failures["leaves one blocked"]).toContain(`tasklet "reader" waits for receive on "nobody"`)
  expect(failures["leaves one that fails"]).toContain("of the one that made it")
})
