import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"
import { expect, test } from "vitest"

const source = fileURLToPath(new URL("../../src/index.ts", import.meta.url))
const greenlet = JSON.stringify(fileURLToPath(new URL("../../src/greenlet/index.ts", import.meta.url)))
const stackless = JSON.stringify(fileURLToPath(new URL("../../src/stackless/index.ts", import.meta.url)))
const from = JSON.stringify(source)

/** The program, bundled with what it uses of the package. */
const bundled = async (program: string): Promise<string> => {
  const bundle = await rolldown({
    input: "program",
    external: /^effect/,
    plugins: [{
      name: "program",
      resolveId: (id) => id === "program" ? id : undefined,
      load: (id) => id === "program" ? program : undefined
    }]
  })
  const { output } = await bundle.generate({ minify: true })
  return output[0].code
}

test("a program that uses greenlets alone carries no tasklets", async () => {
  const code = await bundled(`import { greenlet } from ${from}; console.log(greenlet.getcurrent())`)
  expect(code).toContain("stands for the main greenlet")
  expect(code).not.toContain("tasklet is alive")
})

// How a thread is made is said in a file that a bundler might leave out.
test.each([
  ["call", `import { call } from ${greenlet}; run(call(() => "done"))`],
  ["getcurrent", `import { getcurrent } from ${greenlet}; run(Effect.sync(() => getcurrent().dead ? "" : "done"))`],
  ["the layer's name", `import { greenlet } from ${from}; run(greenlet.call(() => "done"))`],
  ["settrace", `import { settrace } from ${greenlet}; run(Effect.sync(() => settrace() ?? "done"))`],
  [
    "Operation",
    `import { Operation } from ${greenlet}
    class Give extends Operation { perform(current) { return current.give("done") } }
    run(new Give())`
  ],
  [
    "Thread",
    `import { Thread } from ${greenlet}; run(Effect.map(Effect.service(Thread), (t) => t.ended ? "" : "done"))`
  ],
  [
    "channels",
    `import { channel } from ${stackless}; import { call } from ${greenlet}
    run(call(function*() { try { yield* channel().receive() } catch (error) { return "done" } }))`
  ],
  [
    "tasklets",
    `import { run as running, tasklet } from ${stackless}; let said; tasklet(() => { said = "done" })()
    run(Effect.map(running(), () => said))`
  ]
])("a program that uses %s alone runs when it is bundled", async (_, program) => {
  const runs = `import { Effect } from "effect"; const run = (e) => Effect.runPromise(e).then(console.log)\n`
  const folder = mkdtempSync(join("test", ".bundle-"))
  try {
    writeFileSync(join(folder, "program.mjs"), await bundled(runs + program))
    const { stderr, stdout } = spawnSync(process.execPath, [join(folder, "program.mjs")], { encoding: "utf8" })
    expect(stderr + stdout).toBe("done\n")
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test("a program that uses nothing carries nothing", async () => {
  const code = await bundled(`import {} from ${from}; console.log(1)`)
  expect(code.trim()).toBe("console.log(1);")
})
