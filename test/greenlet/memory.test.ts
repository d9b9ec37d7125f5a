/**
 * What is dropped is collected, and depth costs memory alone. Each program runs in a process of its own, whose memory is
 * bounded, on what is published.
 */
import { spawn, spawnSync } from "node:child_process"
import { beforeAll, describe, expect, test } from "vitest"

beforeAll(() => {
  spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-b", "tsconfig.build.json"])
})

const program = (name: string, ...flags: ReadonlyArray<string>) =>
  new Promise<string>((resolve) => {
    let output = ""
    const child = spawn(process.execPath, ["--expose-gc", ...flags, "test/greenlet/memory/programs.mjs", name])
    child.stdout.on("data", (data) => output += data)
    child.stderr.on("data", (data) => output += data)
    child.on("close", () => resolve(output))
  })

describe("in 256 MiB", () => {
  const bounded = (name: string) => program(name, "--max-old-space-size=128", "--max-semi-space-size=16")

  test("ten million greenlets are made, switched to and dropped", async () => {
    expect(await bounded("drop soft")).toMatch(/^ok/)
  }, 60_000)

  test("greenlets with fibers are made, switched to and dropped, and leave nothing", async () => {
    expect(await bounded("drop hard")).toMatch(/^ok/)
  }, 60_000)

  test("a million errors cross greenlets", async () => {
    expect(await bounded("errors soft")).toMatch(/^ok/)
  }, 60_000)

  test("errors cross greenlets with fibers, and leave nothing", async () => {
    expect(await bounded("errors hard")).toMatch(/^ok/)
  }, 60_000)
})

test.each(["soft", "hard"])("an endless %s ping-pong holds its heap flat", async (gear) => {
  expect(await program(`ping-pong ${gear}`)).toMatch(/^ok/)
}, 60_000)

test.each(["soft", "hard"])("nothing keeps the last %s greenlet of a thread that has ended", async (gear) => {
  expect(await program(`last ${gear}`)).toMatch(/^ok/)
}, 60_000)

test.each(["return", "unwind"])("a million nested calls %s, with 1 GiB of heap and the default stack", async (how) => {
  expect(await program(`deep ${how}`, "--max-old-space-size=1024")).toMatch(/^ok/)
}, 60_000)
