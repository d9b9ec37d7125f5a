/** The page of a recording in a real browser: how soon it opens, and how many frames a second it draws while somebody scrolls and zooms. */
import { call, channel, run, schedule, tasklet, withThread } from "effect-stackless/stackless"
import { record } from "effect-stackless/timeline"
import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Browser, Page } from "playwright-core"
import { launch } from "../../test/pages/chromium.ts"
import type { Measurement } from "../measurement.ts"

const TASKLETS = 1000
/** Each has 960 turns, of which every tenth sends or receives: that makes a million events. */
const TURNS = 960
const FRAMES = 180

const saveMillion = (file: string): Promise<void> =>
  Effect.runPromise(withThread(call(function*() {
    const timeline = record({ limit: 1_000_000 })
    const c = channel<number>()
    for (let k = 0; k < TASKLETS; k++) {
      tasklet(function* turns() {
        for (let i = 0; i < TURNS; i++) {
          if (i % 10 !== 5) yield* schedule()
          else if (k % 2 === 1) yield* c.send(i)
          else yield* c.receive()
        }
      })()
    }
    yield* run()
    timeline.stop()
    timeline.save(file)
  })))

/** How many frames a second are drawn while the wheel turns, with all of the recording in sight at first. */
const frames = (page: Page, zooming: boolean): Promise<number> =>
  page.evaluate(([zooming, FRAMES]) =>
    new Promise<number>((resolve) => {
      const { document, performance, requestAnimationFrame, WheelEvent } = globalThis as any
      const canvas = document.getElementById("canvas")
      let drawn = 0
      let began = 0
      const draw = (): void => {
        if (drawn === 0) began = performance.now()
        if (drawn++ === FRAMES) return resolve(FRAMES * 1000 / (performance.now() - began))
        const there = zooming ? drawn < FRAMES / 2 : drawn % 120 < 60
        canvas.dispatchEvent(
          new WheelEvent("wheel", {
            deltaY: zooming ? (there ? -30 : 30) : there ? 40 : -40,
            ctrlKey: zooming,
            clientX: 700,
            clientY: 300,
            cancelable: true
          })
        )
        requestAnimationFrame(draw)
      }
      requestAnimationFrame(draw)
    }), [zooming, FRAMES] as const)

export const timelines: Record<string, Measurement> = {
  timeline: {
    figures: [
      { name: "timeline.open.ms", unit: "ms", about: "until a recording of a million events is open in Chromium" },
      { name: "timeline.frames", unit: "frames/s", about: "while it is scrolled, with all of the time in sight" },
      { name: "timeline.frames.zoom", unit: "frames/s", about: "while it is zoomed into and out of" }
    ],
    take: async () => {
      let browser: Browser
      try {
        browser = await launch()
      } catch (error) {
        console.error(`timeline is left out: ${(error as Error).message}`)
        return []
      }
      const folder = mkdtempSync(join(tmpdir(), "timeline-"))
      try {
        const file = join(folder, "million.html")
        await saveMillion(file)
        const page = await browser.newPage({ viewport: { width: 1400, height: 900 } })
        const start = performance.now()
        await page.goto(pathToFileURL(file).href)
        await page.locator("#count").innerText()
        const opened = performance.now() - start
        return [opened, await frames(page, false), await frames(page, true)]
      } finally {
        await browser.close()
        rmSync(folder, { recursive: true, force: true })
      }
    }
  }
}
