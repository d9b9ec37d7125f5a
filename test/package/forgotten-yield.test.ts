/** An operation without its `yield*` silently does not happen. The type check of this project has to say so. */

import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { expect, test } from "vitest"

const fixtures = "test/package/fixtures"

test("a forgotten yield* before an operation is an error of the type check, and nothing else is", () => {
  const check = spawnSync(process.execPath, ["scripts/check-types.mjs", "-p", fixtures, "--pretty", "false"], {
    encoding: "utf8"
  })
  const found = [...check.stdout.matchAll(/^.*forgotten-yield\.ts\((\d+),\d+\): error .*$/gm)]
  expect(found.map(([, line]) => Number(line))).toEqual(linesMarked("forgotten"))
  expect(found.every(([message]) => message.endsWith("effect(floatingEffect)"))).toBe(true)
  expect(check.status).not.toBe(0)
})

function linesMarked(mark: string): Array<number> {
  const lines = readFileSync(`${fixtures}/forgotten-yield.ts`, "utf8").split("\n")
  return lines.flatMap((line, index) => line.endsWith(`// ${mark}`) ? [index + 1] : [])
}
