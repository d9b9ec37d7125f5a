/** Processes and signals. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { describe, expect } from "vitest"
import { caught, realProgram } from "./program.ts"

const node = process.execPath

describe("a process", () => {
  realProgram("is written to and read from", function*() {
    const echoing = new gevent.Popen([node, "-e", "process.stdin.pipe(process.stdout); console.error('err')"], {
      stdin: gevent.PIPE,
      stdout: gevent.PIPE,
      stderr: gevent.PIPE
    })
    expect(echoing.poll()).toBe(undefined)
    const [out, err] = yield* echoing.communicate("hello")
    expect([String(out), String(err), echoing.returncode]).toEqual(["hello", "err\n", 0])
  })

  realProgram("gives its output, or an error that says how it ended", function*() {
    expect(String(yield* gevent.checkOutput([node, "-p", "6 * 7"]))).toBe("42\n")
    const failed = yield* caught(gevent.checkOutput([node, "-e", "console.log('x'); process.exit(3)"]))
    expect(failed).toBeInstanceOf(gevent.CalledProcessError)
    expect(failed).toMatchObject({ returncode: 3, output: Buffer.from("x\n") })
    expect(yield* caught(gevent.checkOutput([node, "-e", "setTimeout(() => {}, 60000)"], { timeout: 0.2 })))
      .toBeInstanceOf(gevent.TimeoutExpired)
    expect(yield* gevent.callProcess([node, "-e", "process.exit(2)"])).toBe(2)
    expect(yield* caught(gevent.checkCall(["/nowhere/to/be/found"]))).toMatchObject({ code: "ENOENT" })
  })

  realProgram("is killed, and its return code is the signal's", function*() {
    const sleeping = new gevent.Popen([node, "-e", "setTimeout(() => {}, 60000)"])
    expect(yield* caught(sleeping.wait(0.01))).toBeInstanceOf(gevent.TimeoutExpired)
    sleeping.kill()
    expect(yield* sleeping.wait()).toBe(-9)
  })
})

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
