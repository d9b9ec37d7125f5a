/** The page of a timeline and of an inspector, in a real browser. */
import { Effect, Exit, Scope } from "effect"
import { getcurrent, greenlet } from "effect-stackless/greenlet"
import {
  call,
  channel,
  makeThread,
  run,
  schedule,
  type Tasklet,
  tasklet,
  Thread,
  withThread
} from "effect-stackless/stackless"
import { inspect, record } from "effect-stackless/timeline"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { launch } from "./chromium.ts"

let browser: Browser | undefined
let page: Page
let folder: string
const errors: Array<string> = []

beforeAll(async () => {
  mkdirSync(".build", { recursive: true })
  folder = resolve(mkdtempSync(".build/timeline-"))
  browser = await launch()
})
afterAll(async () => {
  await browser?.close()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  errors.length = 0
  page = await browser!.newPage({ viewport: { width: 1200, height: 600 } })
  page.on("pageerror", (error) => errors.push(String(error)))
  page.on("request", (request) => {
    if (!/^(?:file|data):|127\.0\.0\.1/.test(request.url())) errors.push(`asked for ${request.url()}`)
  })
})

const panel = () => page.locator("#panel").innerText()
const count = () => page.locator("#count").innerText()

/** Is there a pixel of that colour in the chart? */
const painted = (red: number, green: number, blue: number): Promise<boolean> =>
  page.evaluate(([r, g, b]) =>
    new Promise<boolean>((resolve) => {
      const { document, requestAnimationFrame } = globalThis as any
      requestAnimationFrame(() =>
        requestAnimationFrame(() => {
          const canvas = document.getElementById("canvas")
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
          let found = false
          for (let i = 0; i < data.length; i += 4) {
            found ||= data[i] === r && data[i + 1] === g && data[i + 2] === b
          }
          resolve(found)
        })
      )
    }), [red, green, blue] as const)

test("a saved page shows who waits on what, the channels and a deadlock, and is filtered by name", async () => {
  const file = resolve(folder, "kitchen.html")
  await Effect.runPromise(withThread(call(function*() {
    const timeline = record()
    const orders = channel<string>({ name: "orders <1>" })
    tasklet(function* cook() {
      for (;;) yield* orders.receive()
    })()
    tasklet(function* guest() {
      for (const dish of ["soup", "tea"]) yield* orders.send(dish)
    })()
    yield* run()
    yield* Effect.exit(channel({ name: "nobody" }).receive())
    timeline.stop()
    timeline.save(file)
  })))
  await page.goto(pathToFileURL(file).href)
  expect(await count()).toContain("3 of 3 tasklets and greenlets")
  expect(await panel()).toMatch(/cook #\d+\s+deadlock: receive on orders <1>/)
  expect(await painted(0xd6, 0x29, 0x3e)).toBe(true)
  expect(await painted(0x2f, 0x9e, 0x44)).toBe(true)
  await page.click("#graph")
  expect(await panel()).toContain("orders <1> 2 messages")
  expect(await panel()).toMatch(/waits: cook #\d+ receives/)
  await page.fill("#filter", "gue")
  expect(await count()).toContain("1 of 3")
  await page.fill("#filter", "")
  await page.selectOption("#only", "stuck")
  expect(await count()).toContain("1 of 3")
  await page.click("#waits")
  await page.click(".pick")
  expect(await panel()).toContain("Time in each state")
  expect(errors).toEqual([])
})

test("a long recording opens, and is drawn anew within a frame or two", async () => {
  const file = resolve(folder, "long.html")
  await Effect.runPromise(withThread(call(function*() {
    const timeline = record()
    for (let k = 0; k < 50; k++) {
      tasklet(function* turns() {
        for (let i = 0; i < 4_000; i++) yield* schedule()
      })()
    }
    yield* run()
    timeline.stop()
    timeline.save(file)
  })))
  await page.goto(pathToFileURL(file).href)
  await page.waitForFunction(() => (globalThis as any).document.getElementById("count")?.textContent.includes("events"))
  expect(Number(/([\d,]+) events/.exec(await count())![1]!.replaceAll(",", ""))).toBeGreaterThan(200_000)
  expect(await painted(0x2f, 0x9e, 0x44)).toBe(true)
  await page.mouse.click(700, 200)
  for (let i = 0; i < 20; i++) await page.keyboard.press("w")
  expect(await painted(0xe2, 0xb9, 0x3b)).toBe(true)
  expect(errors).toEqual([])
})

test("the inspector's page follows a program, and kills a tasklet by hand", async () => {
  const scope = Effect.runSync(Scope.make())
  try {
    const { url } = await Effect.runPromise(Scope.provide(inspect(), scope))
    const thread = await Effect.runPromise(Scope.provide(makeThread, scope))
    await page.goto(url)
    let cook: Tasklet | undefined
    await Effect.runPromise(Effect.provideService(
      call(function*() {
        const orders = channel<string>({ name: "orders" })
        cook = tasklet(function* cook() {
          yield* orders.receive()
        })()
        yield* run()
      }),
      Thread,
      thread
    ))
    await page.waitForFunction(() => (globalThis as any).document.getElementById("panel").textContent.includes("cook"))
    await page.click(".pick >> text=cook")
    await page.click("text=kill")
    await page.waitForFunction(() => (globalThis as any).document.getElementById("answer")?.textContent === "done")
    expect(cook!.raising).toBe(true)
    expect(errors).toEqual([])
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
})

test("the inspector's page draws greenlets as a tree, with the frames that they stand in", async () => {
  const scope = Effect.runSync(Scope.make())
  try {
    const thread = await Effect.runPromise(Scope.provide(makeThread, scope))
    const onIt = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(Effect.provideService(effect, Thread, thread))
    const { url } = await onIt(Scope.provide(inspect(), scope))
    await onIt(call(function*() {
      const main = getcurrent()
      const hub = greenlet(function* hub() {
        const worker = greenlet(function* worker() {
          yield* greenlet(function* helper() {
            yield* main.switch()
          }).switch()
        })
        yield* worker.switch()
      })
      yield* hub.switch()
    }))
    await page.goto(url)
    await page.click("#tree")
    await page.waitForFunction(() => (globalThis as any).document.querySelectorAll("#panel pre").length >= 3)
    expect((await panel()).replaceAll(/\s+/g, " ")).toMatch(
      /^Greenlets at .*: 4 main running └ hub #\d+ paused in hub.*└ worker #\d+ paused in worker.*└ helper #\d+ paused in helper/
    )
    const indents = await page.$$eval("#panel .node", (nodes: Array<any>) => nodes.map(({ style }) => style.marginLeft))
    expect(indents).toEqual(["0px", "14px", "28px", "42px"])
    await page.click(".pick >> text=worker")
    expect(await panel()).toContain("parent: hub")
    expect(await page.locator("button:has-text('kill')").count()).toBe(0)
    expect(errors).toEqual([])
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
})
