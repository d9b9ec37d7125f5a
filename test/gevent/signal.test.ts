/** Signals that are handled in greenlets. */
import * as gevent from "effect-stackless/compat/gevent"
import { spawnSync } from "node:child_process"
import { constants } from "node:os"
import { describe, expect, test } from "vitest"
import { caught, realProgram } from "./program.ts"

const send = (signal: NodeJS.Signals) => process.kill(process.pid, signal)

describe("a signal", () => {
  realProgram("is handled in a greenlet, which may wait", function*({ body, lines, log }) {
    const event = new gevent.Event()
    const handler = gevent.signalHandler(
      "SIGUSR2",
      body(function*(what: string) {
        yield* gevent.sleep(0.001)
        log(what)
        event.set()
      }),
      "signalled"
    )
    send("SIGUSR2")
    yield* event.wait(30)
    handler.cancel()
    expect(lines).toEqual(["signalled"])
  })

  realProgram("is handled by all its handlers, each time, until they are cancelled", function*({ lines, log }) {
    const first = gevent.signalHandler("SIGUSR2", log, 1)
    const second = gevent.signalHandler(constants.signals.SIGUSR2, log, 2)
    for (const handler of [first, second]) {
      const before = lines.length
      send("SIGUSR2")
      while (lines.length === before) yield* gevent.sleep(0.001)
      yield* gevent.sleep(0.02)
      handler.cancel()
      handler.cancel()
    }
    expect(lines).toEqual([1, 2, 2])
    expect(process.listenerCount("SIGUSR2")).toBe(0)
    expect(String(first)).toBe("<SignalHandler SIGUSR2 cancelled>")
  })

  realProgram("is not heard of after a cancel, also if it had arrived", function*({ lines, log }) {
    const handler = gevent.signalHandler("SIGUSR2", log, "late")
    gevent.gethub().runCallback(() => {
      process.emit("SIGUSR2", "SIGUSR2")
      handler.cancel()
      return undefined
    })
    yield* gevent.sleep(0.01)
    expect(lines).toEqual([])
  })

  realProgram("whose handler throws is an error without a context for the hub", function*({ body, reports }) {
    const handler = gevent.signalHandler(
      "SIGUSR2",
      body(function*() {
        yield* gevent.sleep(0)
        throw new RangeError("handled badly")
      })
    )
    send("SIGUSR2")
    while (reports.length === 0) yield* gevent.sleep(0.001)
    handler.cancel()
    expect(reports).toEqual([[undefined, new RangeError("handled badly")]])
  })

  realProgram("whose handler throws interrupts the main greenlet with that", function*() {
    const hub = gevent.gethub()
    hub.handleError = gevent.Hub.prototype.handleError
    hub.exceptionStream = undefined
    const error = new RangeError("alarm")
    const handler = gevent.signalHandler("SIGUSR2", () => {
      throw error
    })
    // the handler stays
    for (let n = 0; n < 2; n++) {
      send("SIGUSR2")
      expect(yield* caught(gevent.sleep(5))).toBe(error)
    }
    handler.cancel()
  })

  realProgram("keeps the hub waiting only if that is wanted", function*({ lines, log }) {
    const event = new gevent.Event()
    const handler = gevent.signalHandler("SIGUSR2", () => event.set())
    expect(handler.ref).toBe(false)
    expect(yield* caught(event.wait())).toBeInstanceOf(gevent.LoopExit)
    handler.ref = true
    expect(handler.ref).toBe(true)
    setTimeout(send, 20, "SIGUSR2")
    expect(yield* event.wait()).toBe(true)
    expect(yield* gevent.wait(undefined, { timeout: 0.01 })).toBe(false)
    handler.ref = false
    expect(yield* gevent.wait(undefined, { timeout: 1 })).toBe(true)
    handler.ref = true
    handler.cancel()
    handler.ref = true
    expect(handler.ref).toBe(false)
    expect(yield* gevent.wait(undefined, { timeout: 1 })).toBe(true)
    log("done")
    expect(lines).toEqual(["done"])
  })

  test("is one that there is, and that can be handled, by a function", () => {
    expect(() => gevent.signalHandler("SIGUSR2", 1 as never)).toThrow(new TypeError("signal handler must be callable."))
    expect(() => gevent.signalHandler(999, () => {})).toThrow(new gevent.ValueError("illegal signal: 999"))
    expect(() => gevent.signalHandler("SIGNOTHING" as never, () => {})).toThrow("illegal signal: SIGNOTHING")
    expect(() => gevent.signalHandler("SIGKILL", () => {})).toThrow("no process can handle SIGKILL")
  })

  test("that is waited for keeps a program going, and lets it end", () => {
    const source = `
      import { Effect } from "effect"
      import * as gevent from "effect-stackless/compat/gevent"
      await Effect.runPromise(gevent.call(function*() {
        const event = new gevent.Event()
        const handler = gevent.signalHandler("SIGTERM", () => event.set())
        handler.ref = true
        const killing = new gevent.Popen(["sh", "-c", "sleep 0.3; kill -TERM " + process.pid])
        console.log(yield* event.wait())
      }))`
    const { status, stderr, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", source], {
      timeout: 60_000,
      encoding: "utf8"
    })
    expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: "", stdout: "true\n" })
  })
})
