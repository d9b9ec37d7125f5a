/** The tests of a project run compiled, where its configuration of Vitest has the plugin of Vite. */
import { resolve } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { buildPackage, Project } from "../project.ts"

let project: Project

beforeAll(() => {
  buildPackage()
  project = new Project({
    "vitest.config.ts": `import stackless from "effect-stackless/vite"
import { defineConfig } from "vitest/config"

export default defineConfig({ plugins: [stackless()] })
`,
    "source.ts": `"use stackless"

export function* body(): Generator<number> {
  yield 1
}
`,
    "right.test.ts": `"use stackless"
import { Effect } from "effect"
import * as stackless from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { body } from "./source.ts"

test("what is tested is compiled", () => {
  expect("pc" in body()).toBe(true)
})

test("the test itself is compiled, and tasklets run in it", async () => {
  const received: Array<string> = []
  const channel = stackless.channel<string>()
  function* receives() {
    received.push(yield* channel.receive())
  }
  expect("pc" in receives()).toBe(true)
  stackless.tasklet(receives)()
  stackless.tasklet(function*() {
    yield* channel.send("hello")
  })()
  await Effect.runPromise(stackless.run())
  expect(received).toEqual(["hello"])
})
`,
    "wrong.test.ts": `"use stackless"
import { test } from "vitest"

interface Reason { readonly why: string }

test("a failure leads to the source", () => {
  function* fails({ why }: Reason): Generator<number> {
    yield 1

    throw new Error(why)
  }
  for (const n of fails({ why: "lost" })) void n
})
`
  })
}, 120_000)
afterAll(() => project.remove())

const vitest = (file: string) => project.node(resolve("node_modules/vitest/vitest.mjs"), "run", file)

test("the tests of a project, and what they test, run compiled", () => {
  const { status, stderr, stdout } = vitest("right")
  expect([status, stderr]).toEqual([0, ""])
  expect(stdout).toContain("2 passed")
})

test("a test that fails leads to the line of the source", () => {
  const { status, stderr } = vitest("wrong")
  expect(status).toBe(1)
  expect(stderr).toMatch(/wrong\.test\.ts:10:\d+/)
})
