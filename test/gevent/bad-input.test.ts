/** What is wrong is told, at once and in words that help. */
import * as gevent from "effect-stackless/compat/gevent"
import { describe, expect, test } from "vitest"

describe("spawning", () => {
  test.each([
    [undefined, "got undefined"],
    [5, "got 5"],
    [(function*() {})(), "got a generator: leave the call to it"]
  ])("%s names the function that is missing", (bad, named) => {
    for (
      const spawning of [
        () => gevent.spawn(bad as never),
        () => gevent.spawnRaw(bad as never),
        () => gevent.spawnLater(1, bad as never)
      ]
    ) {
      expect(spawning).toThrow(TypeError)
      expect(spawning).toThrow(/spawn(Raw|Later)? takes (seconds, )?a function and its arguments/)
      expect(spawning).toThrow(named)
    }
  })

  test("leaves a link to be a function", () => {
    expect(() => new gevent.Greenlet().link(5 as never)).toThrow("a link is a function; got number")
  })
})

describe("several", () => {
  const notWaitable = (name: string, got: string) =>
    `${name} takes an iterable of what can be waited for: greenlets, events, results, semaphores; got ${got}`

  test("are greenlets, events, results or semaphores, or it throws before anything waits", () => {
    const f = () => {}
    expect(() => gevent.joinall([f] as never)).toThrow(TypeError)
    expect(() => gevent.joinall([f] as never)).toThrow(notWaitable("joinall", "function f"))
    expect(() => gevent.joinall([f] as never, { raiseError: true })).toThrow(notWaitable("joinall", "function f"))
    expect(() => gevent.wait([new gevent.Event(), 5] as never)).toThrow(notWaitable("wait", "5"))
    expect(() => gevent.iwait([null] as never)).toThrow(notWaitable("iwait", "null"))
  })

  test("are in an iterable", () => {
    const one = new gevent.Greenlet()
    expect(() => gevent.joinall(one as never)).toThrow(notWaitable("joinall", `${one}: put it into an array`))
  })

  test("to be killed are greenlets", () => {
    expect(() => gevent.killall([5] as never)).toThrow("killall takes greenlets; got 5")
    expect(() => gevent.kill((() => {}) as never)).toThrow("kill takes a greenlet; got function")
  })
})
