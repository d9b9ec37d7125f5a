/** Signals. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { describe, expect } from "vitest"
import { realProgram } from "./program.ts"

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
    process.kill(process.pid, "SIGUSR2")
    yield* Effect.sleep("1 millis")
    yield* event.wait(1)
    handler.cancel()
    expect(lines).toEqual(["signalled"])
  })
})
