/** The package, bundled by Vite, in a real browser. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { resolve } from "node:path"
import type { Browser, Page } from "playwright-core"
import { build, preview, type PreviewServer } from "vite"
import { afterAll, beforeAll, expect, test } from "vitest"
import stackless from "../../src/plugin/vite.ts"
import { gears } from "../conformance/gear.ts"
import { buildPackage } from "../project.ts"
import type { inPage as InPage } from "./browser/main.ts"
import { launch } from "./chromium.ts"

let outDir: string
let server: PreviewServer | undefined
let browser: Browser | undefined
let page: Page

/** What goes wrong in the page, where nobody catches it. */
const errors: Array<string> = []

beforeAll(async () => {
  buildPackage()
  mkdirSync(".build", { recursive: true })
  outDir = resolve(mkdtempSync(".build/browser-"))
  const project = { root: "test/pages/browser", configFile: false, logLevel: "error" } as const
  await build({
    ...project,
    resolve: {
      alias: [
        { find: "effect-stackless/compiler", replacement: resolve("test/pages/browser/no-compiler.ts") },
        { find: /^effect-stackless\/(.+)$/, replacement: resolve("dist/$1/index.js") }
      ]
    },
    plugins: [stackless()],
    build: { outDir, emptyOutDir: true, target: "es2022" }
  })
  server = await preview({ ...project, build: { outDir }, preview: { host: "127.0.0.1", port: 0 } })
  browser = await launch()
  page = await browser.newPage()
  page.on("pageerror", (error) => errors.push(String(error)))
  const { port } = server.httpServer.address() as { port: number }
  await page.goto(`http://127.0.0.1:${port}/`)
  await page.waitForFunction("globalThis.inPage")
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await server?.close()
  rmSync(outDir, { recursive: true, force: true })
})

/** What main.ts has put there, as the functions see it that are evaluated in the page. */
declare const inPage: typeof InPage

test.each([["greenlet", "greenlet"], ["stackless", "stackless"], ["stackless", "stackless-crashers"]] as const)(
  "the recorded programs do what the originals did: %s, %s",
  async (layer, file) => {
    const programs = readFileSync(`test/conformance/programs/${file}.jsonl`, "utf8")
    expect(programs.length).toBeGreaterThan(1000)
    for (const gear of gears) {
      const different = await page.evaluate(
        ({ gear, layer, programs }) => inPage.conformance(layer, gear, programs),
        { gear, layer, programs }
      )
      expect(different).toEqual([])
    }
    expect(errors).toEqual([])
  },
  60_000
)

test("a tasklet is pickled in a page, and goes on after the page is loaded anew", async () => {
  const { bytes, log } = await page.evaluate(() => inPage.pickled())
  expect(log).toEqual(Array.from({ length: 9 }, (_, i) => `enter ${i + 1}`))
  await page.reload()
  await page.waitForFunction("globalThis.inPage")
  const rest = await page.evaluate((bytes) => inPage.resumed(bytes), bytes)
  expect(rest).toEqual(Array.from({ length: 9 }, (_, i) => `leave ${9 - i}`))
  expect(errors).toEqual([])
})
