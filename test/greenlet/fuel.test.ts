/** Fuel: the one counter of what a thread does, by which schedulers and the event loop get their turn. */
import { Effect } from "effect"
import {
  currentThread,
  getcurrent,
  type Greenlet,
  greenlet,
  type Microthread,
  Microthread as MicrothreadClass,
  Operation,
  withThread
} from "effect-stackless/greenlet"
import { expect, test } from "vitest"
import { framePrototype } from "../../src/frames/frame.ts"
import {
  completion,
  type DataFrame,
  DONE,
  type Mode,
  PREEMPTED,
  RESUME,
  RETURNED,
  THROW
} from "../../src/greenlet/kernel/data-frame.ts"
import { fuel } from "../../src/greenlet/kernel/fuel.ts"

/** A microthread that is asked who runs next, and then names main. */
class Timed extends MicrothreadClass {
  asked = 0
  ends(value: unknown): Microthread {
    return this.thread.main.give(value)
  }
  dies(error: unknown): Microthread {
    return this.thread.main.raise(error)
  }
  override preempted(): Microthread {
    this.asked++
    return this.thread.main.give("preempted")
  }
}

class Resume extends Operation<unknown> {
  readonly timed: Timed
  constructor(timed: Timed) {
    super()
    this.timed = timed
  }
  perform(): Microthread {
    return this.timed.give(undefined)
  }
}

/** Goes on at once. */
class Nothing extends Operation<void> {
  perform(current: Microthread): Microthread {
    return current.give(undefined)
  }
}

/** Counts up to a number, as compiled code does in a loop. */
class Counting implements DataFrame {
  pc = 0
  count = 0
  readonly end: number
  constructor(end: number) {
    this.end = end
  }
  [RESUME](mode: Mode, value: unknown): unknown {
    if (mode === THROW) throw value
    while (this.count < this.end) {
      this.count++
      if (--fuel.left < 0) {
        this.pc = 1
        return PREEMPTED
      }
    }
    this.pc = DONE
    completion.value = this.count
    return RETURNED
  }
}

const counts = (end: number): any => () => new Counting(end)

const onThread = <A>(program: () => Generator<any, A, any>): Promise<A> =>
  Effect.runPromise(withThread(Effect.gen(program)) as Effect.Effect<A>)

const bodies: Record<string, () => any> = {
  "a generator": function*() {
    for (;;) yield* new Nothing()
  },
  "an Effect": () => Effect.forever(Effect.void),
  "an Effect of operations": () => Effect.forever(new Nothing()),
  "a loop in a frame that is data": counts(1e9)
}

for (const [kind, body] of Object.entries(bodies)) {
  for (const steps of [1, 7, 100, 50_000]) {
    test(`${kind} that never ends is stopped after ${steps} steps, and goes on`, () =>
      onThread(function*() {
        const timed = new Timed(body)
        for (let i = 1; i <= 3; i++) {
          currentThread().allow(steps)
          expect(yield* new Resume(timed)).toBe("preempted")
          expect(timed.asked).toBe(i)
          expect(timed.active).toBe(true)
        }
      }))
  }
}

test("a frame that is data is stopped at the very step", () =>
  onThread(function*() {
    const frame = new Counting(1e9)
    const timed = new Timed(() => frame as any)
    currentThread().allow(5000)
    yield* new Resume(timed)
    const before = frame.count
    expect(Math.abs(before - 5000)).toBeLessThan(5)
    currentThread().allow(5000)
    yield* new Resume(timed)
    expect(Math.abs(frame.count - before - 5000)).toBeLessThan(5)
  }))

test("a scheduler sees how many steps are left", () =>
  onThread(function*() {
    const thread = currentThread()
    expect(thread.allowed).toBe(Infinity)
    thread.allow(1000)
    let left = 0
    const g = greenlet(function*() {
      const before = thread.allowed
      for (let i = 0; i < 100; i++) yield* new Nothing()
      left = before - thread.allowed
    })
    yield* g.switch()
    expect(left).toBe(100)
    thread.allow(Infinity)
    expect(thread.allowed).toBe(Infinity)
  }))

test("a scheduler that says nothing of it goes on with the one that was stopped", () =>
  onThread(function*() {
    const g = greenlet(function*() {
      for (let i = 0; i < 1000; i++) yield* new Nothing()
      return "ended"
    })
    currentThread().allow(10)
    expect(yield* g.switch()).toBe("ended")
  }))

test("an error of who is asked is thrown in the one that was stopped", () =>
  onThread(function*() {
    class Failing extends Timed {
      override preempted(): Microthread {
        throw new Error("asked")
      }
    }
    const failing = new Failing(function*() {
      try {
        for (;;) yield* new Nothing()
      } catch (error) {
        return (error as Error).message
      }
    })
    currentThread().allow(10)
    expect(yield* new Resume(failing)).toBe("asked")
  }))

for (const [kind, body] of Object.entries(bodies)) {
  test(`the event loop has its turns beside ${kind}`, () =>
    onThread(function*() {
      const main = getcurrent()
      let turns = 0
      let stop = false
      const timed = new (class extends Timed {
        override preempted(): Microthread {
          if (stop) return main.give("stopped")
          this.thread.allow(1000)
          return this
        }
      })(body)
      const turn = (): void => {
        turns++
        stop = turns >= 3
        if (!stop) setImmediate(turn)
      }
      setImmediate(turn)
      currentThread().allow(1000)
      expect(yield* new Resume(timed)).toBe("stopped")
      expect(turns).toBe(3)
    }))
}

test("each thread has its own", () =>
  onThread(function*() {
    const outer = currentThread()
    outer.allow(1000)
    const g: Greenlet = greenlet(function*() {
      const before = outer.allowed
      Effect.runSync(withThread(Effect.gen(function*() {
        yield* greenlet(function*() {
          for (let i = 0; i < 100_000; i++) yield* new Nothing()
        }).switch()
      })))
      return before - outer.allowed
    })
    expect(yield* g.switch()).toBeLessThan(20)
  }))

test("what is stepped by hand goes on though its fuel is used up, and the loop hears of it", () =>
  onThread(function*() {
    class Stepped extends Counting {}
    Object.setPrototypeOf(
      Stepped.prototype,
      framePrototype(function(this: Counting, mode, value) {
        return Counting.prototype[RESUME].call(this, mode, value)
      })
    )
    Object.defineProperty(Stepped.prototype, RESUME, { value: Counting.prototype[RESUME] })
    const byHand = (): unknown => (new Stepped(100_000) as unknown as Iterator<unknown>).next().value
    // where no loop runs
    fuel.left = 3
    expect(byHand()).toBe(100_000)
    const timed = new Timed(function*() {
      for (;;) {
        expect(byHand()).toBe(100_000)
        yield* new Nothing()
      }
    })
    currentThread().allow(10)
    expect(yield* new Resume(timed)).toBe("preempted")
  }))
