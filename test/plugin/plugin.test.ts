/** Programs that say `"use stackless"`, built by each tool with the plugin for it, and run. */
import { rspack as rspackTool } from "@rspack/core"
import esbuild from "effect-stackless/esbuild"
import rolldown from "effect-stackless/rolldown"
import rollup from "effect-stackless/rollup"
import rspack from "effect-stackless/rspack"
import vite from "effect-stackless/vite"
import webpack from "effect-stackless/webpack"
import * as esbuildTool from "esbuild"
import { readFileSync } from "node:fs"
import * as rolldownTool from "rolldown"
import * as rollupTool from "rollup"
import * as viteTool from "vite"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import webpackTool from "webpack"
import { buildPackage, Project } from "../project.ts"

type Options = NonNullable<Parameters<typeof rollup>[0]>

interface Build {
  /** The file to begin with. */
  readonly input: string
  readonly output: string
  /** What is not bundled. */
  readonly external: ReadonlyArray<string>
  readonly options?: Options
}

interface Outcome {
  readonly errors?: ReadonlyArray<Error> | undefined
}

/** How webpack and Rspack tell what went wrong. */
const settled = (resolve: () => void, reject: (error: unknown) => void) =>
(
  error: unknown,
  stats: { readonly toJson: () => Outcome; readonly hasErrors: () => boolean } | null | undefined
): void => {
  if (error != null) reject(error)
  else if (stats!.hasErrors()) reject(new Error(stats!.toJson().errors!.map(({ message }) => message).join("\n")))
  else resolve()
}

const packed = ({ external, input, output }: Build) => ({
  mode: "production" as const,
  target: "node20",
  entry: project.path(input),
  output: { path: project.folder, filename: output, module: true, chunkFormat: "module" as const },
  experiments: { outputModule: true },
  externalsType: "module" as const,
  externals: [...external],
  devtool: "source-map" as const,
  optimization: { minimize: false },
  context: project.folder
})

const tools: Readonly<Record<string, (build: Build) => Promise<unknown>>> = {
  Vite: ({ external, input, options, output }) =>
    viteTool.build({
      root: project.folder,
      configFile: false,
      logLevel: "silent",
      plugins: [vite(options)],
      build: {
        ssr: project.path(input),
        outDir: ".",
        emptyOutDir: false,
        sourcemap: true,
        minify: false,
        rolldownOptions: { external: [...external], output: { entryFileNames: output } }
      },
      ssr: { noExternal: true, external: [...external] }
    }),
  Rollup: async ({ external, input, options, output }) => {
    const bundle = await rollupTool.rollup({
      input: project.path(input),
      external: [...external, "effect-stackless/frames"],
      plugins: [rollup(options)],
      onwarn: () => {}
    })
    await bundle.write({ file: project.path(output), format: "es", sourcemap: true })
  },
  Rolldown: async ({ external, input, options, output }) => {
    const bundle = await rolldownTool.rolldown({
      input: project.path(input),
      external: [...external],
      plugins: [rolldown(options)],
      logLevel: "silent",
      platform: "node"
    })
    await bundle.write({ file: project.path(output), format: "es", sourcemap: true })
  },
  esbuild: ({ external, input, options, output }) =>
    esbuildTool.build({
      entryPoints: [project.path(input)],
      outfile: project.path(output),
      bundle: true,
      external: [...external],
      plugins: [esbuild(options)],
      platform: "node",
      format: "esm",
      sourcemap: true,
      logLevel: "silent"
    }),
  webpack: (build) =>
    new Promise<void>((resolve, reject) => {
      webpackTool({ ...packed(build), plugins: [webpack(build.options)] }, settled(resolve, reject) as never)
    }),
  Rspack: (build) =>
    new Promise<void>((resolve, reject) => {
      rspackTool({ ...packed(build), plugins: [rspack(build.options)] } as never, settled(resolve, reject) as never)
    })
}

interface Map {
  readonly sources: ReadonlyArray<string>
  readonly sourcesContent?: ReadonlyArray<string>
}

/** Where in `throws.ts` the lines of a stack lead to, line and column, those of the frames themselves. */
const places = (stack: string): ReadonlyArray<string> =>
  [...stack.matchAll(/^ +at .*throws\.ts:(\d+:\d+)\)?$/gm)].map(([, place]) => place!)

let project: Project

beforeAll(() => {
  buildPackage()
  project = new Project({
    "program.ts": `"use stackless"

import { isFrame, type Step } from "./step.js"
import { plain } from "./plain.js"

interface Sum { readonly total: number }

function* sum(upTo: number): Generator<Step, Sum, number> {
  let total = 0
  for (let n = 1; n <= upTo; n++) total += yield { n }
  return { total } satisfies Sum
}

const frame = sum(3)
for (let sent = 0, step = frame.next(); ; step = frame.next(sent += 10)) {
  if (step.done) { console.log("total", step.value.total); break }
  console.log("step", step.value.n)
}
console.log("compiled", isFrame(sum(1)), "plain", isFrame(plain()))
`,
    "step.js": `"use stackless"
export const isFrame = (value) => "pc" in value
`,
    "plain.js": `export function* plain() { yield 1 }
export const text = "use stackless"
`,
    "silent.js": `import { isFrame } from "./step.js"
import { plain } from "./plain.js"
function* here() {}
console.log(isFrame(here()), isFrame(plain()))
`,
    "throws.ts": `"use stackless"

interface Reason { readonly why: string }

function* fails({ why }: Reason): Generator<number> {
  yield 1

  throw new Error(why)
}

for (const n of fails({ why: "lost" })) console.log(n)
`,
    "wrong.ts": `"use stackless"

export function* body(code: string): Generator<number> {
  yield eval(code)
}
`,
    "tasklets.ts": `"use stackless"
import { Effect } from "effect"
import * as stackless from "effect-stackless/stackless"

const channel = stackless.channel<string>()

function* deep(level: number): Generator<unknown, number, any> {
  if (level === 0) {
    yield* channel.send("deep down")
    return 0
  }
  return 1 + (yield* deep(level - 1))
}

stackless.tasklet(function*() {
  console.log("depth", yield* deep(1000))
})()
stackless.tasklet(function*() {
  console.log("received", yield* channel.receive())
})()
await Effect.runPromise(stackless.run())
`
  })
}, 120_000)
afterAll(() => project.remove())

describe.each(Object.entries(tools))("%s", (name, tool) => {
  const external = ["effect", "effect-stackless/stackless", "effect-stackless/frames"]

  test("builds a program that does what it does as it is written, out of frames", async () => {
    await tool({ input: "program.ts", output: `${name}.program.js`, external })
    const { status, stderr, stdout } = project.node(`${name}.program.js`)
    expect(stderr).toBe("")
    expect(stdout).toBe("step 1\nstep 2\nstep 3\ntotal 60\ncompiled true plain false\n")
    expect(status).toBe(0)
  })

  test("compiles every module with `all`, but those that are excluded", async () => {
    await tool({ input: "silent.js", output: `${name}.all.js`, external, options: { all: true } })
    expect(project.node(`${name}.all.js`).stdout).toBe("true true\n")
    await tool({ input: "silent.js", output: `${name}.but.js`, external, options: { all: true, exclude: /plain/ } })
    expect(project.node(`${name}.but.js`).stdout).toBe("true false\n")
  })

  test("joins the source maps: a stack trace leads to the source", async () => {
    await tool({ input: "throws.ts", output: `${name}.throws.js`, external })
    const { stderr } = project.node("--enable-source-maps", `${name}.throws.js`)
    expect(places(stderr)).toEqual(["8:9", "11:12"])
  })

  test("emits a map that names the source and holds its text", async () => {
    await tool({ input: "throws.ts", output: `${name}.mapped.js`, external })
    const map = JSON.parse(readFileSync(project.path(`${name}.mapped.js.map`), "utf8")) as Map
    const index = map.sources.findIndex((source) => /(?:^|\/)throws\.ts$/.test(source))
    expect(map.sourcesContent?.[index]).toBe(readFileSync(project.path("throws.ts"), "utf8"))
  })

  test("refuses what cannot be compiled, and says where it stands", async () => {
    await expect(tool({ input: "wrong.ts", output: `${name}.wrong.js`, external })).rejects.toThrow(
      /wrong\.ts:4:9: [^]*yield eval\(code\)/
    )
  })

  test("builds a program of tasklets that runs", async () => {
    await tool({ input: "tasklets.ts", output: `${name}.tasklets.js`, external })
    const { stderr, stdout } = project.node(`${name}.tasklets.js`)
    expect(stderr).toBe("")
    expect(stdout).toBe("received deep down\ndepth 1000\n")
  })
})

test("an option that there is not is an error at once", () => {
  expect(() => rollup({ every: true } as never)).toThrow("no such option of the plugin: every")
})
