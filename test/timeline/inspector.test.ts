/** The inspector, as a browser asks it. */
import { Effect, Exit, Scope } from "effect"
import * as greenlets from "effect-stackless/greenlet"
import {
  call,
  channel,
  makeThread,
  run,
  schedule,
  scheduleRemove,
  type Tasklet,
  tasklet,
  Thread,
  withThread
} from "effect-stackless/stackless"
import { inspect, InspectError } from "effect-stackless/timeline"
import { request } from "node:http"
import { afterEach, beforeEach, expect, test } from "vitest"
import { load } from "../compiler/module.ts"

const { hidden, waits } = load(
  `"use stackless"
function* waits(c) {
  const count = 42
  yield* c.receive()
  return count
}
function* hidden(main) {
  const depth = 7
  yield* main.switch()
  return depth
}
Object.assign(exports, { hidden, waits })
`,
  "waits.cjs"
)

let scope: Scope.Closeable
beforeEach(() => {
  scope = Effect.runSync(Scope.make())
})
afterEach(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const start = (options?: { readonly port?: number }) => Effect.runPromise(Scope.provide(inspect(options), scope))

const ask = async (
  { port, token }: { readonly port: number; readonly token: string },
  path: string,
  method = "GET"
): Promise<{ status: number; body: any }> => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` }
  })
  return { status: answer.status, body: await answer.json() }
}

/** The number of a tasklet, by its name. */
const numberOf = async (inspector: Parameters<typeof ask>[0], name: string): Promise<number> => {
  const { body } = await ask(inspector, "/events")
  return JSON.parse(body.head).tracks.find((track: { name: string }) => track.name === name).id
}

const onThread = (program: Effect.Effect<unknown, unknown>) => Effect.runPromise(withThread(program))

test("the page is served to who has the token, and to nobody else", async () => {
  const inspector = await start()
  const page = await fetch(inspector.url)
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"])
  expect(await page.text()).toContain("inspector</title>")
  for (const token of ["", "wrong"]) {
    expect(await ask({ ...inspector, token }, "/events")).toEqual({
      status: 401,
      body: { error: expect.stringContaining("requests that have its token") }
    })
  }
  expect((await fetch(`http://127.0.0.1:${inspector.port}/?token=wrong`)).status).toBe(401)
  const status = await new Promise((resolve) => {
    const { port, token } = inspector
    const headers = { host: "evil.example", authorization: `Bearer ${token}` }
    request({ host: "127.0.0.1", port, path: "/events", headers }, ({ statusCode }) => resolve(statusCode)).end()
  })
  expect(status).toBe(403)
  expect((await ask(inspector, "/nothing")).status).toBe(404)
  expect((await ask(inspector, "/tasklets/999")).status).toBe(404)
  expect((await ask(inspector, "/events", "POST")).status).toBe(405)
})

test("a tasklet shows its frames with lines and variables", async () => {
  const inspector = await start()
  await onThread(Effect.gen(function*() {
    const t: Tasklet = tasklet(waits as any)(channel())
    t.name = "waiting"
    yield* run()
    const id = yield* Effect.promise(() => numberOf(inspector, "waiting"))
    const { body } = yield* Effect.promise(() => ask(inspector, `/tasklets/${id}`))
    expect(body.printed).toBe(`<tasklet "waiting", blocked>`)
    expect(body.frames).toMatch(/^at waits \(.*waits\.cjs:4:3\)\n/)
    expect(body.frames).toContain("    count = 42")
  }))
})

test("a tasklet is killed, paused and inserted by hand", async () => {
  const inspector = await start()
  await onThread(Effect.gen(function*() {
    let turns = 0
    const turning = tasklet(function* turning() {
      for (;;) {
        turns++
        yield* schedule()
      }
    })()
    const resting = tasklet(function* resting() {
      yield* scheduleRemove()
      turns += 1_000
    })()
    yield* schedule()
    const act = (name: string, verb: string) =>
      Effect.promise(async () => ask(inspector, `/tasklets/${await numberOf(inspector, name)}/${verb}`, "POST"))
    expect((yield* act("turning", "pause")).status).toBe(200)
    expect([turning.paused, resting.paused]).toEqual([true, true])
    expect((yield* act("resting", "insert")).status).toBe(200)
    yield* run()
    expect(turns).toBe(1_001)
    expect((yield* act("turning", "kill")).status).toBe(200)
    yield* run()
    expect(turning.alive).toBe(false)
    const refused = yield* act("main", "kill")
    expect(refused).toEqual({ status: 409, body: { error: "the main tasklet is the program outside" } })
  }))
})

test("greenlets are a tree, with their states and frames, and one whose parent has ended goes to that one's parent", async () => {
  const thread = await Effect.runPromise(Scope.provide(makeThread, scope))
  const onIt = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(Effect.provideService(effect, Thread, thread))
  const inspector = await onIt(Scope.provide(inspect(), scope))
  const shown = async () => {
    const { body } = await ask(inspector, "/greenlets")
    const names = new Map(body.greenlets.map((g: any) => [g.id, g.name]))
    return body.greenlets.map(({ name, parent, state }: any) => `${name} of ${names.get(parent)}: ${state}`)
  }
  let hub: greenlets.Greenlet
  let worker: greenlets.Greenlet
  await onIt(call(function*() {
    const main = greenlets.getcurrent()
    hub = greenlets.greenlet(function* hub() {
      worker = greenlets.greenlet(hidden as any)
      const other = greenlets.greenlet(function* other() {
        yield* main.switch()
      })
      yield* other.switch()
      yield* worker.switch(main)
    })
    yield* hub.switch()
    yield* hub.switch()
  }))
  expect(await shown()).toEqual([
    "main of undefined: suspended",
    "hub of main: suspended",
    "other of hub: suspended",
    "hidden of hub: suspended"
  ])
  const { body } = await ask(inspector, "/greenlets")
  const { frames } = body.greenlets.find(({ name }: any) => name === "hidden")
  expect(frames).toMatch(/^at hidden \(.*waits\.cjs:9:3\)\n/)
  expect(frames).toContain("    depth = 7")
  await onIt(call(function*() {
    worker.parent = greenlets.getcurrent()
    yield* hub.throw()
  }))
  expect(await shown()).toEqual([
    "main of undefined: suspended",
    "other of main: suspended",
    "hidden of main: suspended"
  ])
})

test("it keeps no process alive, and ends with its scope", async () => {
  const inspector = await start()
  expect(process.getActiveResourcesInfo()).not.toContain("TCPServerWrap")
  const taken = await Effect.runPromise(Effect.flip(Scope.provide(inspect({ port: inspector.port }), scope)))
  expect(taken).toBeInstanceOf(InspectError)
  expect(taken.message).toContain("EADDRINUSE")
  await Effect.runPromise(Scope.close(scope, Exit.void))
  await expect(fetch(inspector.url)).rejects.toThrow("fetch failed")
})

test("what is no port is refused at once", () => {
  expect(() => inspect({ port: 70_000 })).toThrow("a port from 0 to 65535; got 70000")
})
