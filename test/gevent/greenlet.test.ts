/** Greenlets: their start, their end, and who is told of it. */
import { Effect } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import { call } from "effect-stackless/greenlet"
import { describe, expect, test } from "vitest"
import { caught, program, softProgram, type Steps } from "./program.ts"

describe("spawn", () => {
  program(
    "runs nothing before the caller waits, then everything in the order of spawning",
    function*({ body, lines, log }) {
      const greenlets = ["a", "b"].map((name) =>
        gevent.spawn(
          body(function*(name: string) {
            log(name)
            yield* gevent.sleep()
            log(`${name} again`)
          }),
          name
        )
      )
      log("spawned")
      yield* gevent.joinall(greenlets)
      expect(lines).toEqual(["spawned", "a", "b", "a again", "b again"])
    }
  )

  program("later waits for so many seconds of the clock", function*({ body }) {
    const hub = gevent.gethub()
    const began = hub.now()
    const greenlet = gevent.spawnLater(
      3,
      body(function*() {
        return hub.now() - began
      })
    )
    expect(greenlet.started).toBe(true)
    expect(yield* greenlet.get()).toBe(3000)
  })

  test("throws TypeError for what is no function", () => {
    expect(() => gevent.spawn(1 as never)).toThrow(TypeError)
    expect(() => gevent.spawnRaw(1 as never)).toThrow(TypeError)
  })

  program("takes plain functions, generator functions and functions that return an Effect", function*() {
    expect(yield* gevent.spawn((n: number) => n + 1, 1).get()).toBe(2)
    expect(yield* gevent.spawn((n: number) => Effect.succeed(n + 2), 1).get()).toBe(3)
    expect(
      yield* gevent.spawn(function*(n: number) {
        return n + 3
      }, 1).get()
    ).toBe(4)
  })

  program("raw runs without links or result", function*({ body, lines, log }) {
    const raw = gevent.spawnRaw(
      body(function*(n: number) {
        log(n)
      }),
      7
    )
    yield* gevent.sleep()
    expect(lines).toEqual([7])
    expect(raw.dead).toBe(true)
  })
})

describe("the end of a greenlet", () => {
  program("is its value for get, as often as it is asked for", function*({ body }) {
    const greenlet = gevent.spawn(body(function*() {
      return { answer: 42 }
    }))
    expect(greenlet.ready()).toBe(false)
    const value = yield* greenlet.get()
    expect(yield* greenlet.get()).toBe(value)
    expect(greenlet).toMatchObject({ value: { answer: 42 }, dead: true, started: false, exception: undefined })
    expect(greenlet.successful()).toBe(true)
  })

  program(
    "of an error is thrown by get, as the same object, and reported to the hub once",
    function*({ body, reports }) {
      const error = new TypeError("x")
      const greenlet = gevent.spawn(body(function*() {
        throw error
      }))
      const bystander = gevent.spawn(body(function*() {
        yield* gevent.sleep(1)
        return "alive"
      }))
      expect(yield* caught(greenlet.get())).toBe(error)
      expect(yield* caught(greenlet.get())).toBe(error)
      expect(reports).toEqual([[greenlet, error]])
      expect(greenlet.exception).toBe(error)
      expect(greenlet.excInfo).toEqual([TypeError, error])
      expect(yield* bystander.get()).toBe("alive")
    }
  )

  program("of a typed failure is thrown by get, too", function*({ reports }) {
    const greenlet = gevent.spawn(() => Effect.fail("no" as const))
    expect(yield* Effect.flip(greenlet.get())).toBe("no")
    expect(reports).toEqual([[greenlet, "no"]])
  })

  program("of GreenletExit is a value, and no error to report", function*({ body, reports }) {
    const greenlet = gevent.spawn(body(function*() {
      throw new gevent.GreenletExit("enough")
    }))
    expect(yield* greenlet.get()).toBeInstanceOf(gevent.GreenletExit)
    expect(greenlet.successful()).toBe(true)
    expect(reports).toEqual([])
  })

  program("cannot be got without waiting before it is there", function*({ body }) {
    const greenlet = gevent.spawn(body(function*() {}))
    expect(yield* caught(greenlet.get({ block: false }))).toBeInstanceOf(gevent.Timeout)
    expect(yield* greenlet.get({ timeout: 1 })).toBe(undefined)
  })
})

describe("a subclass with a run method", () => {
  program("may have fields of its own of any plain name", function*() {
    class Actor extends gevent.Greenlet<string> {
      readonly inbox = new gevent.Queue<string>()
      state = "idle"
      result = "none"
      args = 1
      links = 2
      stack = 3
      code = 4
      failed = true
      error = "none"
      over = true
      override *run(): Generator<any, string, any> {
        const message = yield* this.inbox.get()
        this.state = "has run"
        return `got ${message}`
      }
    }
    const actor = new Actor()
    actor.start()
    yield* actor.inbox.put("it")
    expect(yield* actor.get()).toBe("got it")
    expect([actor.state, actor.result, actor.links]).toEqual(["has run", "none", 2])
  })

  class Adding extends gevent.Greenlet<number> {
    readonly a: number
    readonly b: number
    constructor(a: number, b: number) {
      super()
      this.a = a
      this.b = b
    }
    override *run(): Steps<number> {
      yield* gevent.sleep(1)
      return this.a + this.b
    }
  }
  program("runs it", function*() {
    expect(yield* Adding.spawn(1, 2).get()).toBe(3)
    const later = new Adding(3, 4)
    later.startLater(5)
    yield* gevent.sleep(5.5)
    expect(later.started).toBe(true)
    expect(yield* later.get()).toBe(7)
  })
  program("without one, and without a function, does nothing", function*() {
    expect(yield* gevent.Greenlet.spawn().get()).toBe(undefined)
  })
})

describe("kill", () => {
  program("throws GreenletExit in it, and waits until it has ended", function*({ body, lines, log }) {
    const greenlet = gevent.spawn(body(function*() {
      try {
        yield* gevent.sleep(20)
      } finally {
        yield* gevent.sleep(2)
        log("cleaned up")
      }
    }))
    yield* gevent.sleep()
    const began = gevent.gethub().now()
    yield* greenlet.kill()
    expect(lines).toEqual(["cleaned up"])
    expect(gevent.gethub().now() - began).toBe(2000)
    expect(greenlet.value).toBeInstanceOf(gevent.GreenletExit)
  })

  program("before the start keeps it from starting", function*({ body, lines, log }) {
    const greenlets = [
      gevent.spawn(body(lines_)),
      gevent.spawnLater(1, body(lines_)),
      new gevent.Greenlet(body(lines_))
    ]
    function* lines_(): Steps {
      log("ran")
    }
    for (const greenlet of greenlets) {
      yield* greenlet.kill()
      expect(greenlet).toMatchObject({ dead: true, started: false })
      expect(greenlet.ready()).toBe(true)
      expect(yield* greenlet.get()).toBeInstanceOf(gevent.GreenletExit)
      greenlet.start()
    }
    yield* gevent.sleep(2)
    expect(lines).toEqual([])
  })

  program("with another error lets it die of that, reported", function*({ body, reports }) {
    const greenlet = gevent.spawn(body(function*() {
      yield* gevent.sleep(20)
    }))
    yield* gevent.sleep()
    yield* greenlet.kill({ exception: TypeError })
    expect(greenlet.exception).toBeInstanceOf(TypeError)
    expect(reports).toEqual([[greenlet, greenlet.exception]])
  })

  program(
    "of one that waits for a foreign Effect interrupts that, and runs its finalizers",
    function*({ body, lines, log }) {
      const greenlet = gevent.spawn(body(function*() {
        yield* Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => log("interrupted"))))
      }))
      yield* gevent.sleep(1)
      yield* greenlet.kill()
      expect(lines).toEqual(["interrupted"])
      expect(greenlet.value).toBeInstanceOf(gevent.GreenletExit)
    }
  )

  program("gives up waiting when its own time is over", function*({ body }) {
    const greenlet = gevent.spawn(body(function*() {
      try {
        yield* gevent.sleep(20)
      } finally {
        yield* gevent.sleep(5)
      }
    }))
    yield* gevent.sleep()
    yield* greenlet.kill({ timeout: 1 })
    expect(greenlet.dead).toBe(false)
    yield* greenlet.join()
    expect(gevent.gethub().now()).toBeGreaterThanOrEqual(5000)
  })

  program("all of several, one of them not started, in one go", function*({ body }) {
    const forever = body(function*() {
      yield* gevent.sleep(20)
    })
    const greenlets = [gevent.spawn(forever), gevent.spawn(forever), gevent.spawnLater(9, forever)]
    const raw = gevent.spawnRaw(forever)
    yield* gevent.sleep()
    yield* gevent.killall([...greenlets, raw])
    expect([...greenlets, raw].every((greenlet) => greenlet.dead)).toBe(true)
  })
})

describe("links", () => {
  program(
    "are called in order after the end, in greenlets of their own, and may wait",
    function*({ body, lines, log }) {
      const greenlet = gevent.spawn(body(function*() {
        return 1
      }))
      greenlet.link(body(function*(source: gevent.Greenlet) {
        log(`first ${source.value}`)
        yield* gevent.sleep(1)
        log("first, later")
      }))
      greenlet.link(() => log("second"))
      expect(greenlet.hasLinks()).toBe(true)
      yield* gevent.sleep(2)
      expect(lines).toEqual(["first 1", "second", "first, later"])
    }
  )

  program("on a value or an error are called for that alone", function*({ body, lines, log }) {
    for (const failing of [false, true]) {
      const greenlet = gevent.spawn(body(function*() {
        if (failing) throw new TypeError("x")
      }))
      greenlet.linkValue(() => log("value"))
      greenlet.linkException((source) => log(source.exception instanceof TypeError))
      yield* greenlet.join()
      yield* gevent.sleep()
    }
    expect(lines).toEqual(["value", true])
  })

  program("of one that has ended already are called soon", function*({ body, lines, log }) {
    const greenlet = gevent.spawn(body(function*() {}))
    yield* greenlet.join()
    greenlet.link(() => log("linked"))
    expect(lines).toEqual([])
    yield* gevent.sleep()
    expect(lines).toEqual(["linked"])
  })

  program("can be taken back", function*({ body, lines, log }) {
    const greenlet = gevent.spawn(body(function*() {}))
    const link = () => log("linked")
    greenlet.link(link)
    greenlet.rawlink(link)
    greenlet.unlink(link)
    greenlet.unlink(link)
    yield* gevent.sleep(1)
    expect(lines).toEqual([])
  })

  program("that throw are reported, and the others called nevertheless", function*({ body, lines, log, reports }) {
    const error = new Error("link")
    const greenlet = gevent.spawn(body(function*() {}))
    greenlet.rawlink(() => {
      throw error
    })
    greenlet.rawlink(() => log("called"))
    yield* gevent.sleep(1)
    expect(lines).toEqual(["called"])
    expect(reports.map(([, reported]) => reported)).toEqual([error])
  })

  program("that are raw cannot wait: they run in the hub", function*({ body, reports }) {
    const greenlet = gevent.spawn(body(function*() {}))
    greenlet.rawlink(() => gevent.sleep(1))
    greenlet.rawlink(() => Effect.sleep("1 second"))
    yield* gevent.sleep(2)
    expect(reports.map(([, error]) => error)).toEqual([
      expect.any(gevent.BlockingSwitchOutError),
      expect.any(gevent.BlockingSwitchOutError)
    ])
  })
})

describe("waiting for several", () => {
  const sleepers = (body: (f: (n: number) => Steps<number>) => (n: number) => Effect.Effect<number, any>) =>
    [3, 1, 2].map((seconds) =>
      gevent.spawn(
        body(function*(n) {
          yield* gevent.sleep(n)
          return n
        }),
        seconds
      )
    )

  program("joinall gives back those that have ended in time, the first first", function*({ body }) {
    const greenlets = sleepers(body)
    const values = (done: ReadonlyArray<gevent.Greenlet>) => done.map((greenlet) => greenlet.value)
    expect(values(yield* gevent.joinall(greenlets, { count: 1 }))).toEqual([1])
    expect(values(yield* gevent.joinall(greenlets, { timeout: 1.5 }))).toEqual([1, 2])
    expect(values(yield* gevent.joinall(greenlets))).toEqual([1, 2, 3])
  })

  program("joinall throws the first error if it is to", function*({ body }) {
    const error = new Error("x")
    const greenlets = [
      ...sleepers(body),
      gevent.spawn(body(function*() {
        throw error
      }))
    ]
    expect(yield* caught(gevent.joinall(greenlets, { raiseError: true }))).toBe(error)
    expect((yield* gevent.joinall(greenlets)).length).toBe(4)
  })

  program("iwait gives them one by one", function*({ body, lines, log }) {
    yield* gevent.iwait(sleepers(body)).each((greenlet) => log(greenlet.value))
    expect(lines).toEqual([1, 2, 3])
    const waiting = gevent.iwait(sleepers(body), { timeout: 1.5 })
    expect(yield* waiting.next()).toMatchObject({ done: false, value: { value: 1 } })
    expect(yield* waiting.next()).toEqual({ done: true, value: undefined })
  })

  program("takes events and semaphores as well as greenlets", function*({ body }) {
    const event = new gevent.Event()
    const semaphore = new gevent.Semaphore(0)
    gevent.spawn(body(function*() {
      yield* gevent.sleep(1)
      semaphore.release()
      yield* gevent.sleep(1)
      event.set()
    }))
    expect(yield* gevent.wait<unknown>([event, semaphore])).toEqual([semaphore, event])
  })
})

describe("a greenlet", () => {
  program("has a name, which can be set, and a small number of its own", function*({ body }) {
    const [a, b] = [gevent.spawn(body(function*() {})), gevent.spawn(body(function*() {}))]
    expect(b.minimalIdent).not.toBe(a.minimalIdent)
    expect(a.name).toBe(`Greenlet-${a.minimalIdent}`)
    a.name = "reader"
    expect(String(a)).toContain("\"reader\"")
    yield* gevent.joinall([a, b])
  })

  program("shares the locals of its spawn tree", function*({ body }) {
    const seen: Array<unknown> = []
    const child = body(function*() {
      seen.push((gevent.getcurrent() as gevent.Greenlet).spawnTreeLocals)
    })
    const parent = gevent.spawn(body(function*() {
      const me = gevent.getcurrent() as gevent.Greenlet
      seen.push(me.spawnTreeLocals)
      yield* gevent.spawn(child).join()
    }))
    yield* parent.join()
    yield* gevent.spawn(child).join()
    expect(seen[0]).toBe(seen[1])
    expect(seen[2]).not.toBe(seen[0])
  })

  program("that is raw shares them, too, and hands them on", function*({ body }) {
    const seen: Array<unknown> = []
    const me = () => gevent.getcurrent() as gevent.Greenlet | gevent.RawGreenlet
    const parent = gevent.spawn(body(function*() {
      seen.push(me().spawnTreeLocals)
      gevent.spawnRaw(body(function*() {
        seen.push(me().spawnTreeLocals, new gevent.Greenlet().spawnTreeLocals)
      }))
    }))
    yield* parent.join()
    yield* gevent.sleep()
    expect(seen).toHaveLength(3)
    for (const locals of seen) expect(locals).toBe(parent.spawnTreeLocals)
    expect(gevent.spawnRaw(() => {}).spawnTreeLocals).not.toBe(parent.spawnTreeLocals)
  })

  program("knows who spawned it and where, if the tree of greenlets is tracked", function*({ body }) {
    const untracked = new gevent.Greenlet()
    gevent.config.trackGreenletTree = true
    try {
      const children: Array<gevent.Greenlet | gevent.RawGreenlet> = []
      const parent = gevent.spawn(body(function* spawning() {
        children.push(gevent.spawn(() => {}), gevent.spawnRaw(() => {}))
      }))
      yield* parent.join()
      for (const child of children) {
        expect(child.spawningGreenlet()).toBe(parent)
        expect(child.spawningStack[0]).toMatch(/spawning .*greenlet\.test\.ts:\d+/)
        expect(child.spawningStack.length).toBeLessThanOrEqual(gevent.Greenlet.spawningStackLimit)
      }
      expect(parent.spawningGreenlet()).toBe(gevent.getcurrent())
    } finally {
      gevent.config.trackGreenletTree = false
    }
    expect([untracked.spawningGreenlet(), untracked.spawningStack]).toEqual([undefined, []])
  })

  program("is shown to the spawn callbacks when it is started", function*({ body }) {
    const seen: Array<gevent.Greenlet> = []
    const callback = (greenlet: gevent.Greenlet) => void seen.push(greenlet)
    gevent.Greenlet.addSpawnCallback(callback)
    const greenlet = gevent.spawn(body(function*() {}))
    gevent.Greenlet.removeSpawnCallback(callback)
    gevent.spawn(body(function*() {}))
    expect(seen).toEqual([greenlet])
    yield* greenlet.join()
  })

  program("is waited for at the end of a block within it, and killed if the block fails", function*({ body }) {
    const one = gevent.spawn(body(function*() {
      yield* gevent.sleep(1)
      return 1
    }))
    expect(yield* one.within(() => "block")).toBe("block")
    expect(one.value).toBe(1)
    const error = new Error("block")
    const two = gevent.spawn(body(function*() {
      yield* gevent.sleep(20)
    }))
    expect(
      yield* caught(two.within(() => {
        throw error
      }))
    ).toBe(error)
    expect(two.dead).toBe(true)
  })
})

describe("kill", () => {
  const around: ReadonlyArray<[string, (work: Effect.Effect<unknown>) => Effect.Effect<unknown>]> = [
    ["a race", (work) => Effect.race(work, Effect.sleep("5 seconds"))],
    ["Effect.exit", (work) => Effect.exit(work)]
  ]
  for (const [name, wrap] of around) {
    softProgram(`ends the whole greenlet that is in a call under ${name}`, function*({ lines, log }) {
      const greenlet = gevent.spawn(function*() {
        try {
          yield* wrap(Effect.orDie(call(function*() {
            yield* gevent.sleep(60)
          })))
          log("lives on")
        } finally {
          log(`ends after ${gevent.gethub().now() - began}`)
        }
      })
      yield* gevent.sleep(1)
      const began = gevent.gethub().now()
      yield* greenlet.kill()
      expect(lines).toEqual(["ends after 0"])
      expect([greenlet.dead, greenlet.successful()]).toEqual([true, true])
    })
  }
})
