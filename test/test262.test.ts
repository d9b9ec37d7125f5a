/** The command that runs test262, over a suite of a few files. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll, expect, test } from "vitest"
import { buildPackage } from "./project.ts"
import { test262 } from "./test262/command.ts"
import type { Difference } from "./test262/differences.ts"
import { frontmatterOf } from "./test262/frontmatter.ts"
import { runnerOf } from "./test262/run.ts"
import { runtimeScript } from "./test262/runtime.ts"
import { holdsGenerator } from "./test262/suite.ts"

/** A checkout. */
let suite: string
let runtime: string

const files = {
  "harness/assert.js": "function assert(value) { if (value !== true) throw new Test262Error(String(value)) }",
  "harness/sta.js": "function Test262Error(message) { this.message = message }",
  "harness/doneprintHandle.js":
    "function $DONE(error) { print(error ? `Test262:AsyncTestFailure:${error}` : 'Test262:AsyncTestComplete') }",
  "harness/two.js": "var two = 2",
  "test/language/statements/generators/passes.js": `/*---
description: both modes
---*/
function* g() { assert((yield 1) === 2) }
var i = g()
assert(i.next().value === 1)
assert(i.next(2).done)
assert(globalThis.g === g)
`,
  "test/language/statements/generators/strict.js": `/*---
flags: [onlyStrict]
---*/
function* g() { yield this }
assert(g().next().value === undefined)
`,
  "test/language/statements/generators/sloppy.js": `/*---
flags:
  - noStrict
---*/
function* g() { yield this }
assert(g().next().value === globalThis)
`,
  "test/language/statements/generators/syntax.js": `/*---
negative:
  phase: parse
  type: SyntaxError
---*/
$DONOTEVALUATE();
function* g() { var yield }
`,
  "test/language/expressions/yield/throws.js": `/*---
includes: [two.js]
negative: {phase: runtime, type: Test262Error}
---*/
for (const n of function*() { yield two }()) throw new Test262Error(n)
`,
  "test/language/expressions/yield/node-fails.js": `/*---
---*/
for (const n of function*() { yield false }()) assert(n)
`,
  "test/language/expressions/yield/wrong-error.js": `/*---
negative:
  phase: runtime
  type: TypeError
---*/
for (const n of function*() { yield 1 }()) throw new RangeError()
`,
  "test/built-ins/Other/holds.js": `/*---
flags: [raw]
---*/
"use strict"
for (const n of { *m() { yield 1 } }.m()) if (n !== 1 || typeof assert !== "undefined") throw n
`,
  "test/built-ins/Other/without.js": `/*---
---*/
assert(2 * 3 === 6)
`,
  "test/built-ins/Other/later.js": `/*---
flags: [async]
---*/
Promise.resolve(function*() { yield 1 }().next().value).then((n) => $DONE(n === 1 ? undefined : n))
`,
  "test/built-ins/Other/hangs.js": `/*---
---*/
for (const n of function*() { for (;;) yield 1 }()) ;
`,
  "test/built-ins/Other/part_FIXTURE.js": "function* g() {}"
}

/** All but the one that does not end. */
const usual = ["generators", "yield", "holds", "without", "later"]

beforeAll(async () => {
  buildPackage()
  runtime = await runtimeScript()
  suite = mkdtempSync(join(tmpdir(), "test262-"))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(suite, name)), { recursive: true })
    writeFileSync(join(suite, name), text)
  }
}, 120_000)
afterAll(() => rmSync(suite, { recursive: true, force: true }))

/** Runs the command on this thread. */
const command = async (
  args: ReadonlyArray<string>,
  { code = runtime, differences = [] }: { code?: string; differences?: ReadonlyArray<Difference> } = {}
) => {
  const printed: Array<string> = []
  const complaints: Array<string> = []
  const status = await test262(args, {
    directory: dirname(suite),
    runtime: async () => code,
    run: async (suite, files, tell) => {
      const run = runnerOf(suite)
      for (const file of files) tell(file, await run(file))
    },
    differences,
    print: (text) => printed.push(text),
    complain: (text) => complaints.push(text)
  })
  return { status, printed: printed.join("\n").split("\n"), complaint: complaints.join("\n") }
}

/** A runtime without anything: whatever was compiled fails. */
const broken = "({})"

test("files do compiled what they do natively; those that Node does not pass are left out", async () => {
  const { printed, status } = await command(["--suite", suite, ...usual])
  expect(printed).toEqual(["6 passed, 0 failed, 2 left out"])
  expect(status).toBe(0)
})

test("by default asynchronous files, fixtures and files elsewhere without a generator are not run", async () => {
  const { printed } = await command(["--suite", suite, "--json", "holds", "later", "without", "FIXTURE"])
  expect(JSON.parse(printed.join("\n"))).toMatchObject({ passed: 1, failed: 0, leftOut: 0 })
})

test("with --all every file is run", async () => {
  const { printed } = await command(["--suite", suite, "--all", ...usual])
  expect(printed).toEqual(["8 passed, 0 failed, 2 left out"])
})

test("what a file does not do compiled is a failure, in each mode that it is run in", async () => {
  const { printed, status } = await command(["--suite", suite, "generators"], { code: broken })
  expect(printed.map((line) => line.replace(/:.*/, ""))).toEqual([
    "language/statements/generators/passes.js (sloppy)",
    "language/statements/generators/passes.js (strict)",
    "language/statements/generators/sloppy.js (sloppy)",
    "language/statements/generators/strict.js (strict)",
    "1 passed, 3 failed, 0 left out"
  ])
  expect(status).toBe(1)
})

test("an error that is not the expected one is a failure", async () => {
  const { printed } = await command(["--suite", suite, "throws"], { code: broken })
  expect(printed[0]).toMatch(/^language\/expressions\/yield\/throws.js \(sloppy\): expected a Test262Error \(runtime\)/)
})

test("a file that differs as the list says is no failure, and one that does not any more is one", async () => {
  const file = "language/statements/generators/strict.js"
  const differences = [{ reason: "it has to", files: [file] }]
  expect((await command(["--suite", suite, file], { code: broken, differences })).printed).toEqual([
    "1 differ as test/test262/differences.ts says",
    "0 passed, 0 failed, 0 left out"
  ])
  expect((await command(["--suite", suite, file], { differences })).printed).toEqual([
    `${file} (sloppy): passes, though the list says: it has to`,
    "0 passed, 1 failed, 0 left out"
  ])
})

test("--json tells everything", async () => {
  const { printed } = await command(["--suite", suite, "--json", "strict", "node-fails"], { code: broken })
  expect(JSON.parse(printed.join("\n"))).toEqual({
    passed: 0,
    failed: 1,
    leftOut: 1,
    failures: {
      "language/statements/generators/strict.js": [{ mode: "strict", message: expect.stringContaining("TypeError") }]
    },
    expected: {},
    notCounted: { "language/expressions/yield/node-fails.js": "Node itself: Test262Error: false (runtime)" }
  })
})

test("a filter may begin with the suite's folder `test`", async () => {
  const { printed } = await command(["--suite", suite, "test/language/statements/generators/sloppy.js"])
  expect(printed).toEqual(["1 passed, 0 failed, 0 left out"])
})

test("arguments without a meaning, and a folder that is no suite, are answered with 2 and a message", async () => {
  expect(await command([])).toMatchObject({ status: 2, complaint: expect.stringMatching(/--suite is missing\nusage/) })
  expect(await command(["--suite", suite, "--fast"])).toMatchObject({ status: 2 })
  expect(await command(["--suite", suite, "nowhere"])).toMatchObject({
    status: 2,
    complaint: expect.stringContaining("no file has nowhere in its path")
  })
  expect(await command(["--suite", "nowhere"])).toMatchObject({
    status: 2,
    complaint: expect.stringContaining("is no checkout of tc39/test262")
  })
})

test("the frontmatter is read as the suite writes it", () => {
  expect(frontmatterOf(`// (c)
/*---
description: >
    flags: [none]
flags: [module, async] # two
includes:
  - a.js
  - b/c.js
features: [
  x,
  y
]
negative:
  phase: resolution
  type: SyntaxError
---*/`)).toEqual({
    flags: new Set(["module", "async"]),
    includes: ["a.js", "b/c.js"],
    features: ["x", "y"],
    negative: { phase: "resolution", type: "SyntaxError" }
  })
  expect(frontmatterOf("")).toEqual({ flags: new Set(), includes: [], features: [], negative: undefined })
})

test("a generator is found wherever one can be written", () => {
  for (
    const text of [
      "function* g() {}",
      "async function *g() {}",
      "({ *m() {} })",
      "({ a, * 'b'() {} })",
      "class C { static *[x]() {} }",
      "class C { a = 1; *#m() {} }",
      "class C {\n  async *m() {} }"
    ]
  ) expect([text, holdsGenerator(text)]).toEqual([text, true])
  for (const text of ["a * b(c)", "/* function* */", "// *m() {}", "import * as a from 'a'; f()"]) {
    expect([text, holdsGenerator(text)]).toEqual([text, false])
  }
})

test("`npm run test262` runs files in processes, and ends one that does not come back", () => {
  const npm = spawnSync("npm", ["run", "-s", "test262", "--", "--suite", suite, "generators"], { encoding: "utf8" })
  expect(npm.stderr).toBe("")
  expect(npm.stdout).toBe("4 passed, 0 failed, 0 left out\n")
  expect(npm.status).toBe(0)

  const program = `
    import { inProcesses } from ${JSON.stringify(pathToFileURL(".build/test/test262/workers.js"))}
    const files = ["built-ins/Other/hangs.js", "built-ins/Other/holds.js"]
    const suite = ${JSON.stringify({ path: suite, runtime })}
    await inProcesses(suite, files, 1, (file, verdict) => console.log(file, JSON.stringify(verdict)), 2000)`
  const { stderr, stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    encoding: "utf8"
  })
  expect(stderr).toBe("")
  expect(stdout.trim().split("\n")).toEqual([
    `built-ins/Other/hangs.js {"leftOut":"Node itself: does not end within 2 s","failures":[]}`,
    `built-ins/Other/holds.js {"failures":[]}`
  ])
}, 120_000)
