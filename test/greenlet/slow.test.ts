/** Development mode tells who holds the thread: it takes a process of its own, as a second thread stops the main one. */
import { developmentMode } from "effect-stackless/greenlet"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, expect, test } from "vitest"
import { bundle, makeDirectory } from "../bundle.ts"

const directory = makeDirectory()
afterAll(() => directory.remove())

// on a busy machine V8 does not always say who it was when the main thread is stopped
test(
  "a tasklet that holds the thread in plain code is named, with the line that it stands at",
  { retry: 3 },
  async () => {
    const program = join(directory.path, "held.mjs")
    await bundle("greenlet/held.ts", program)
    const { stderr, stdout } = spawnSync(process.execPath, [program], { encoding: "utf8", cwd: directory.path })
    expect(stderr).toBe("")
    expect(stdout).toMatch(/WARN.*<tasklet "hog", current> held the thread for \d{3,} ms/)
    expect(stdout).toMatch(/at holding \(.*held\.mjs:\d+:\d+\)/)
    expect(stdout).toContain("stackless_held stackless_held_millis")
  }
)

test("what is slow is a duration", () => {
  expect(() => developmentMode({ slow: "soon" as never })).toThrow(`a Duration such as "50 millis"`)
  expect(() => developmentMode({ slow: 0 })).toThrow(TypeError)
})
