"use stackless"

/** Programs in the middle of what they do. */
import { Effect } from "effect"
import { getcurrent, Greenlet, greenlet } from "effect-stackless/greenlet"
import { dumps, persistent, PicklingError } from "effect-stackless/pickle"
import * as stackless from "effect-stackless/stackless"
import assert from "node:assert/strict"
import type { Samples } from "./sample.ts"

const run = (): Promise<void> => Effect.runPromise(stackless.run())

/** What the loaded program says. */
let said: Array<unknown> = []
const say = (what: unknown): void => {
  said.push(what)
}

/** Runs what is runnable, and tells what was said. */
const after = async (go: () => void): Promise<Array<unknown>> => {
  said = []
  go()
  await run()
  return said
}

/** Makes a tasklet, and runs it up to where it takes itself out of the ring. */
const paused = async <Args extends ReadonlyArray<any>>(
  body: (...args: Args) => any,
  ...args: Args
): Promise<stackless.Tasklet> => {
  const tasklet = stackless.tasklet(body)(...args) as stackless.Tasklet
  await run()
  assert.ok(tasklet.paused)
  assert.ok(tasklet.restorable)
  return tasklet
}

/** A body that pauses once: `said` is what it says when it goes on. */
const pausing = <Args extends ReadonlyArray<any>>(
  body: (...args: Args) => any,
  args: Args,
  expected: ReadonlyArray<unknown>
) => ({
  make: () => paused(body, ...args),
  check: async (loaded: any) => assert.deepEqual(await after(() => loaded.insert()), expected)
})

class Thing {
  static made = 0
  readonly name: string
  constructor(name: string) {
    Thing.made++
    this.name = name
  }
  toString(): string {
    return this.name
  }
}
const Ship = class extends Thing {
  place: [number, number]
  constructor(name: string, place: [number, number]) {
    super(name)
    this.place = place
  }
  *fly(x: number, y: number): any {
    this.place = [this.place[0] + x, this.place[1]]
    yield* stackless.scheduleRemove()
    this.place = [this.place[0], this.place[1] + y]
  }
}
function* walking(ship: InstanceType<typeof Ship>): any {
  yield* ship.fly(2, 1)
  say(`${ship} at ${ship.place}`)
  say(Object.keys(ship).length)
  say(ship instanceof Thing && ship.constructor === Ship)
}

class Resource {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
  [Symbol.dispose](): void {
    say(`closed ${this.name}`)
  }
}
function* usingIt(): any {
  {
    using _a = new Resource("a")
    using b = new Resource("b")
    yield* stackless.scheduleRemove()
    say(`body ${b.name}`)
  }
  say("done")
}

const ch = stackless.channel<string>()

function* recurs(depth: number, level = 1): any {
  say(`enter level ${level}`)
  if (level >= depth) yield* ch.send("hi")
  if (level < depth) yield* recurs(depth, level + 1)
  say(`leave level ${level}`)
}

function* demo(): any {
  assert.equal(yield* ch.receive(), "hi")
}

function* deep(n: number): any {
  if (n === 0) {
    yield* stackless.scheduleRemove()
    return 0
  }
  return 1 + (yield* deep(n - 1))
}
function* sayDepth(n: number): any {
  say(yield* deep(n))
}

function* overList(list: ReadonlyArray<unknown>): any {
  for (const x of list) {
    say(x)
    if (x === 2) yield* stackless.scheduleRemove()
  }
}
function* overMap(map: Map<string, number>): any {
  for (const [k, v] of map) {
    say(k)
    if (v === 2) {
      map.delete("a")
      yield* stackless.scheduleRemove()
      map.set("z", 26)
    }
  }
}
function* overSet(set: Set<number>): any {
  for (const x of set) {
    say(x)
    if (x === 2) yield* stackless.scheduleRemove()
  }
}
function* overParts(
  collection: ReadonlyArray<number> | Uint8Array | Map<string, number> | Set<number>,
  part: "entries" | "keys" | "values"
): any {
  let n = 0
  const pause = function*(): any {
    if (++n === 2) yield* stackless.scheduleRemove()
  }
  if (part === "keys") {
    for (const x of collection.keys()) {
      yield* pause()
      say(x)
    }
  } else if (part === "values") {
    for (const x of collection.values()) {
      yield* pause()
      say(x)
    }
  } else {
    for (const [i, x] of collection.entries()) {
      yield* pause()
      say(`${i}: ${x}`)
    }
  }
}
function* overString(text: string): any {
  for (const c of text) {
    say(c)
    if (c === "b") yield* stackless.scheduleRemove()
  }
}
function* overKeys(object: object): any {
  for (const key in object) {
    say(key)
    if (key === "b") yield* stackless.scheduleRemove()
  }
}
function* overBytes(bytes: Uint8Array): any {
  for (const b of bytes) {
    say(b)
    if (b === 2) yield* stackless.scheduleRemove()
  }
}
function* count(to: number): any {
  for (let i = 0; i < to; i++) yield i
}
function* overGenerator(): any {
  for (const i of count(5)) {
    say(i)
    if (i === 2) yield* stackless.scheduleRemove()
  }
}
function* inner(): any {
  const got = yield "a"
  say(got)
  yield "b"
}
function* outer(): any {
  yield* inner()
  yield "c"
}

function* triesAndFinally(): any {
  try {
    say("body")
    yield* stackless.scheduleRemove()
    say("on")
  } finally {
    say("finally")
    yield* stackless.scheduleRemove()
    say("end")
  }
}
function* catches(): any {
  try {
    yield* stackless.scheduleRemove()
  } catch (error) {
    say((error as Error).message)
    yield* stackless.scheduleRemove()
    say((error as Error).message)
  }
}
function* withClosures(): any {
  const closures: Array<() => number> = []
  let total = 0
  for (let i = 0; i < 3; i++) {
    closures.push(() => total += i)
    if (i === 1) yield* stackless.scheduleRemove()
  }
  const inside = function*(): any {
    yield* stackless.schedule()
    total += 100
  }
  for (const closure of closures) closure()
  yield* inside()
  say(total)
}
function* withArguments(..._: ReadonlyArray<number>): any {
  yield* stackless.scheduleRemove()
  // oxlint-disable-next-line prefer-rest-params
  say([...arguments])
}
const body = {
  name: "an object",
  *method(this: { name: string }): any {
    yield* stackless.scheduleRemove()
    say(this.name)
  }
}
class Basket {
  readonly held: Array<unknown> = []
  static merge(a: unknown, b: unknown): string {
    return `${String(a)} and ${String(b)}`
  }
  put(thing: unknown): number {
    return this.held.push(thing)
  }
}
persistent("Basket", Basket)
function* pausesFor(value: unknown): any {
  yield* stackless.scheduleRemove()
  return value
}
function* putsIn(basket: Basket): any {
  say(basket.put(yield* pausesFor("apple")))
  say(Basket.merge("pear", yield* pausesFor("plum")))
  say(Math.max(1, yield* pausesFor(2)))
  say(basket.held)
}
function* passesOn(from: stackless.Channel, to: stackless.Channel): any {
  yield* to.send(yield* from.receive())
}
function* sendsAll(c: stackless.Channel, things: Iterable<unknown>): any {
  say(yield* c.sendSequence(things))
}
function* receivesEach(c: stackless.Channel): any {
  say(
    yield* c.each(function*(value): any {
      say(value)
      yield* stackless.scheduleRemove()
      say(`after ${String(value)}`)
    })
  )
}
function* receivesNext(c: stackless.Channel): any {
  say(yield* c.next())
}
function* selects(one: stackless.Channel, two: stackless.Channel, other: stackless.Tasklet): any {
  for (let i = 0; i < 3; i++) {
    say(yield* stackless.select({ one: one.receive(), two: two.send("sent"), end: other.join() }))
  }
}
function* computes(n: number): any {
  const squares = [1, 2, 3].map((x) => x * x)
  let sum = 0
  for (let i = 0; i < n; i++) {
    for (const square of squares) sum = sum + i * square | 0
  }
  say(sum)
}
const sumOf = (n: number): number => {
  let sum = 0
  for (let i = 0; i < n; i++) sum = sum + i * 14 | 0
  return sum
}
/** Handlers are fields, or are made by the constructor: the commonest closures that there are. */
class Button {
  clicks = 0
  readonly click = (): number => (this.clicks += this.step)
  readonly twice = () => () => [this.click(), this.click()]
  static made = 0
  static readonly count = () => Button.made
  readonly reset: () => void
  readonly step: number
  constructor(step: number) {
    this.step = step
    this.reset = () => {
      this.clicks = 10 * step
    }
    Button.made++
  }
  /** What a getter gives is made anew, too. */
  get walk() {
    return function*(this: void, to: number) {
      for (let i = 0; i < to; i++) yield i
    }
  }
}

class Lamp extends Button {
  readonly toggle: () => string
  constructor(name: string) {
    super(2)
    this.toggle = () => `${name} ${this.click()}`
  }
}

class Lock {
  [Symbol.dispose](): void {
    say("unlocked")
  }
}
function* usesLock(): any {
  {
    using lock = new Lock()
    yield* stackless.scheduleRemove()
    say(lock instanceof Lock)
  }
  say("over")
}
function* entering(): any {
  yield* stackless.scheduleRemove()
  return new Lock()
}
function* waitsToEnter(): any {
  using _ = yield* entering()
  throw new RangeError("in the body")
}
function* triesToEnter(): any {
  try {
    yield* waitsToEnter()
  } catch (error) {
    say((error as Error).message)
  }
}
function* leaves(): any {
  try {
    throw new RangeError("in the body")
  } catch (error) {
    try {
      return (error as Error).message
    } finally {
      yield* stackless.scheduleRemove()
      say("left")
    }
  }
}
function* triesToLeave(): any {
  say(yield* leaves())
}
function* isAtomic(): any {
  yield* stackless.scheduleRemove()
  say(stackless.getcurrent().atomic)
}
function* beginsAtomic(): any {
  yield* stackless.atomic(isAtomic)
  say(stackless.getcurrent().atomic)
}
function* runsNested(inner: stackless.Tasklet, done: stackless.Channel): any {
  inner.insert()
  yield* stackless.run()
  say("ran empty")
  yield* done.send("ran empty")
}
function* schedules(times: number): any {
  for (let i = 0; i < times; i++) {
    say(i)
    yield* stackless.schedule()
  }
}
const makesGenerators = (first: number) => {
  let sum = first
  return {
    *add(n: number): any {
      sum += yield* pausesFor(n)
      return sum
    },
    later: function*(n: number): any {
      sum += n
      return sum
    }
  }
}
function* withGenerators(): any {
  const { add, later } = makesGenerators(1)
  say(yield* add(10))
  say(yield* later(100))
}
function* callsMethod(): any {
  yield* body.method()
}

function* receiver(c: stackless.Channel, name: string): any {
  for (;;) say([name, yield* c.receive()])
}
function* receiving(c: stackless.Channel, n: number): any {
  const got: Array<unknown> = []
  while (got.length < n) got.push(yield* c.receive())
  return got
}
function* sender(c: stackless.Channel, ...values: ReadonlyArray<unknown>): any {
  for (const value of values) yield* c.send(value)
  say("sent")
}

const blockedReceivers = async (): Promise<stackless.Channel> => {
  const c = stackless.channel()
  c.name = "c"
  c.preference = 0
  stackless.tasklet(receiver)(c, "first")
  stackless.tasklet(receiver)(c, "second")
  await run()
  assert.equal(c.balance, -2)
  return c
}

class Worker extends stackless.Tasklet {
  job = "none"
}
class Pipe extends stackless.Channel<number> {
  label = "pipe"
}
persistent("Worker", Worker)
persistent("Pipe", Pipe)
const wellKnown = persistent("a channel with a name", stackless.channel<string>())

function* greet(name: string): any {
  const answer = yield* getcurrent().parent!.switch(`hello ${name}`)
  say(answer)
  return "done"
}
class Greeter extends Greenlet {
  greeting = "hi"
  override *run(name: string): any {
    const answer = yield* this.parent!.switch(`${this.greeting} ${name}`)
    return `${answer} ${this.greeting}`
  }
}
persistent("Greeter", Greeter)
function* parentOf(): any {
  const child = greenlet(greet)
  const got: unknown = yield* child.switch("child")
  yield* getcurrent().parent!.switch([got, child])
  say(yield* child.switch("again"))
  return "parent done"
}

/** A class that is made in a function: there may be many of them. */
const Socket = (() => class Socket {})()
function* holding(depth: number): any {
  const file = new Socket()
  if (depth > 0) yield* holding(depth - 1)
  else yield* stackless.scheduleRemove()
  return file
}

/** Why something cannot be pickled. */
const refusal = (value: unknown): string => {
  try {
    dumps(value)
  } catch (error) {
    if (error instanceof PicklingError) return error.message
    throw error
  }
  throw new Error("it was pickled")
}

export const samples: Samples = {
  "what cannot be pickled is named with the way to it, and goes on": {
    make: async () => {
      const tasklet = await paused(holding, 1)
      assert.match(
        refusal([tasklet]),
        /^the class Socket cannot be found by its name: .*: Array → \[0\] → tasklet → frame holding \(.*programs.ts:\d+\) → local file → Socket$/
      )
      let current = ""
      const itself = stackless.tasklet(function*(): any {
        current = refusal({ itself })
        yield* stackless.scheduleRemove()
        say("and on")
      })()
      await run()
      assert.match(
        current,
        /a tasklet cannot be pickled: it is the current tasklet, which runs: object → \.itself → tasklet/
      )
      assert.deepEqual(await after(() => itself.insert()), ["and on"])
      const sleeping = stackless.tasklet(function*(): any {
        yield* stackless.sleep("10 millis")
        say("woken")
      })()
      const dumping = stackless.tasklet(function*(): any {
        current = refusal(sleeping)
        say(sleeping.restorable)
      })
      assert.deepEqual(
        await after(() => {
          dumping()
        }),
        [false, "woken"]
      )
      assert.match(current, /a tasklet cannot be pickled: it (waits for|is in the middle of) an Effect/)
      tasklet.insert()
      await run()
      assert.ok(!tasklet.alive)
      return null
    },
    check: (loaded) => assert.equal(loaded, null)
  },
  "the talk's program, nine calls deep": {
    make: async () => {
      const tasklet = stackless.tasklet(recurs)(9)
      await Effect.runPromise(stackless.call(demo))
      return tasklet
    },
    check: async (loaded) => {
      const levels = Array.from({ length: 9 }, (_, i) => `leave level ${9 - i}`)
      assert.deepEqual(await after(() => loaded.insert()), levels)
      assert.ok(!loaded.alive)
    }
  },
  "a call whose arguments are waited for": {
    make: () => paused(putsIn, new Basket()),
    check: async (loaded) => {
      for (let i = 0; i < 2; i++) await after(() => loaded.insert())
      assert.deepEqual(await after(() => loaded.insert()), [2, ["apple"]])
    }
  },
  "a send of what is received": {
    make: async () => {
      const from = stackless.channel()
      const to = stackless.channel({ capacity: 1 })
      stackless.tasklet(passesOn)(from, to)
      await run()
      return { from, to }
    },
    check: async ({ from, to }) => {
      assert.deepEqual(await after(() => stackless.tasklet(sender)(from, "passed")), ["sent"])
      assert.equal(await Effect.runPromise(to.receive()), "passed")
    }
  },
  "a sequence that is sent, of a list and of a generator": {
    make: async () => {
      const list = stackless.channel()
      const generator = stackless.channel()
      stackless.tasklet(sendsAll)(list, ["a", "b", "c"])
      stackless.tasklet(sendsAll)(generator, count(3))
      await run()
      assert.equal(await Effect.runPromise(list.receive()), "a")
      assert.equal(await Effect.runPromise(generator.receive()), 0)
      await run()
      return { list, generator }
    },
    check: async ({ generator, list }) => {
      said = []
      for (const [channel, ...values] of [[list, "b", "c"], [generator, 1, 2]]) {
        for (const expected of values) {
          assert.equal(await Effect.runPromise(channel.receive()), expected)
          await run()
        }
      }
      assert.deepEqual(said, [3, 3])
    }
  },
  "an iteration over a channel, while it waits and in its body": {
    make: async () => {
      const c = stackless.channel()
      const each = stackless.tasklet(receivesEach)(c)
      const next = stackless.tasklet(receivesNext)(c)
      stackless.tasklet(sender)(c, "one")
      await run()
      return { c, each, next }
    },
    check: async ({ c, each, next }) => {
      assert.ok(each.paused && next.blocked)
      assert.deepEqual(await after(() => stackless.tasklet(sender)(c, "two")), [{ done: false, value: "two" }, "sent"])
      assert.deepEqual(await after(() => each.insert()), ["after one"])
      assert.ok(each.blocked)
      await Effect.runPromise(c.sendException(stackless.StopIteration))
      assert.deepEqual(await after(() => {}), [1])
    }
  },
  "a select, with one of its channels found by its name": {
    make: async () => {
      const one = stackless.channel()
      const other = new stackless.Tasklet(pausesFor, ["result"])
      const before = stackless.tasklet(receiver)(one, "before")
      const selecting = stackless.tasklet(selects)(one, wellKnown, other)
      stackless.tasklet(receiver)(one, "after")
      await run()
      assert.deepEqual([one.balance, wellKnown.balance], [-3, 1])
      await Effect.runPromise(before.kill())
      return { one, selecting, other }
    },
    check: async ({ one, other, selecting }) => {
      assert.deepEqual([one.balance, selecting.blocked, wellKnown.balance], [-2, true, 1])
      assert.deepEqual(
        await after(() => stackless.tasklet(sender)(one, "x", "y")),
        [{ key: "one", value: "x" }, ["after", "y"], "sent"]
      )
      assert.equal(await Effect.runPromise(wellKnown.receive()), "sent")
      assert.deepEqual(await after(() => {}), [{ key: "two", value: undefined }])
      assert.deepEqual([one.balance, wellKnown.balance], [-2, 1])
      assert.deepEqual(await after(() => other.insert()), [])
      assert.deepEqual(await after(() => other.insert()), [{ key: "end", value: "result" }])
      assert.deepEqual([one.balance, wellKnown.balance], [-1, 0])
    }
  },
  "a tasklet that was interrupted in a loop": {
    make: async () => {
      const tasklet = stackless.tasklet(computes)(30_000)
      assert.equal(await Effect.runPromise(stackless.run({ timeout: 10_000 })), tasklet)
      assert.ok(tasklet.paused && tasklet.restorable)
      return tasklet
    },
    check: async (loaded) => assert.deepEqual(await after(() => loaded.insert()), [sumOf(30_000)])
  },
  "a using declaration, in its body": pausing(usesLock, [], [true, "unlocked", "over"]),
  "a using declaration, before it is entered": pausing(triesToEnter, [], ["unlocked", "in the body"]),
  "a finally that is left with a result": pausing(triesToLeave, [], ["left", "in the body"]),
  "an atomic section": {
    make: () => paused(beginsAtomic),
    check: async (loaded) => {
      assert.ok(loaded.atomic)
      assert.deepEqual(await after(() => loaded.insert()), [true, false])
    }
  },
  "a snapshot with a tasklet in the middle of run": {
    make: async () => {
      const inner = new stackless.Tasklet(schedules, [5])
      const done = stackless.channel()
      const outer = stackless.tasklet(runsNested)(inner, done)
      for (let i = 0; i < 2; i++) await Effect.runPromise(stackless.schedule())
      const snapshot = stackless.snapshot()
      assert.deepEqual([snapshot.runnable.length, snapshot.running], [1, [outer]])
      return { snapshot, done }
    },
    check: async ({ done, snapshot }) => {
      said = []
      snapshot.restore()
      await Effect.runPromise(stackless.call(receiving, done, 1))
      assert.deepEqual(said, [1, 2, 3, 4, "ran empty"])
    }
  },
  "generator functions that share what is around them": pausing(withGenerators, [], [11, 111]),
  "recursion 1,000 deep": {
    make: () => paused(sayDepth, 1000),
    check: async (loaded) => assert.deepEqual(await after(() => loaded.insert()), [1000])
  },
  "iteration over a list": pausing(overList, [[1, 2, 3, 4]], [3, 4]),
  "iteration over a list that something else changes": {
    make: async () => {
      const list: Array<unknown> = [1, 2, 3]
      return { list, tasklet: await paused(overList, list) }
    },
    check: async ({ list, tasklet }) => {
      list.push("more")
      assert.deepEqual(await after(() => tasklet.insert()), [3, "more"])
    }
  },
  "iteration over a Map that changes": pausing(overMap, [new Map([["a", 1], ["b", 2], ["c", 3]])], ["c", "z"]),
  "iteration over a Set": pausing(overSet, [new Set([1, 2, 3])], [3]),
  "iteration over the views of a list, enumerate and range among them": {
    make: () => Promise.all((["entries", "keys", "values"] as const).map((part) => paused(overParts, [7, 8, 9], part))),
    check: async (loaded: any) =>
      assert.deepEqual(await after(() => loaded.forEach((t: any) => t.insert())), ["1: 8", "2: 9", 1, 2, 8, 9])
  },
  "iteration over the views of bytes": pausing(overParts, [new Uint8Array([7, 8, 9]), "entries"], ["1: 8", "2: 9"]),
  "iteration over the views of a Map that changes": {
    make: async () => {
      const map = new Map([["a", 1], ["b", 2], ["c", 3]])
      const parts = ["entries", "keys", "values"] as const
      return { map, all: await Promise.all(parts.map((part) => paused(overParts, map, part))) }
    },
    check: async ({ all, map }: any) => {
      map.delete("a")
      map.set("z", 26)
      const said = await after(() => all.forEach((t: any) => t.insert()))
      assert.deepEqual(said, ["b: 2", "c: 3", "z: 26", "b", "c", "z", 2, 3, 26])
    }
  },
  "iteration over the views of a Set": pausing(overParts, [new Set([7, 8, 9]), "entries"], ["8: 8", "9: 9"]),
  "instances of classes on top of a module, by the names of their classes": {
    make: () => paused(walking, new Ship("Rocinante", [3, 4])),
    check: async (loaded: any) => {
      assert.deepEqual(await after(() => loaded.insert()), ["Rocinante at 5,5", 2, true])
    }
  },
  "functions that bind has made": {
    make: async () => {
      const hero = {
        name: "hero",
        greet(greeting: string, mark: string): string {
          return `${greeting} ${this.name}${mark}`
        },
        hello: (_: string): string => ""
      }
      hero.hello = hero.greet.bind(hero, "hello")
      const twice = hero.hello.bind(null, "?")
      const ship = new Ship("Rocinante", [0, 0])
      return { hero, twice, fly: ship.fly.bind(ship), ship }
    },
    check: ({ fly, hero, ship, twice }: any) => {
      assert.equal(hero.hello("!"), "hello hero!")
      assert.equal(twice(), "hello hero?")
      assert.deepEqual([hero.hello.name, hero.hello.length, twice.name], ["bound greet", 1, "bound bound greet"])
      fly(1, 0).next()
      assert.deepEqual(ship.place, [1, 0])
    }
  },
  "arrow functions of constructors and fields, and what a getter has made": {
    make: () => {
      const button = new Button(3)
      const lamp = new Lamp("desk")
      button.click()
      const walk = button.walk(5)
      walk.next()
      return {
        click: button.click,
        twice: button.twice(),
        reset: button.reset,
        button,
        lamp,
        count: Button.count,
        walk
      }
    },
    check: ({ button, click, count, lamp, reset, twice, walk }) => {
      assert.equal(button.click, click)
      assert.deepEqual([click(), twice(), button.clicks], [6, [9, 12], 12])
      reset()
      assert.deepEqual([button.clicks, lamp.toggle(), lamp.toggle(), lamp.clicks], [30, "desk 2", "desk 4", 4])
      assert.equal(count, Button.count)
      assert.deepEqual([...walk], [1, 2, 3, 4])
    }
  },
  "methods of classes on top of a module, and what they are closed with": {
    make: () => paused(usingIt),
    check: async (loaded: any) => {
      assert.deepEqual(await after(() => loaded.insert()), ["body b", "closed b", "closed a", "done"])
    }
  },
  "iteration over a string": pausing(overString, ["ab\ud83d\ude00d"], ["\ud83d\ude00", "d"]),
  "iteration over the keys of an object": pausing(overKeys, [{ a: 1, b: 2, c: 3 }], ["c"]),
  "iteration over bytes": pausing(overBytes, [new Uint8Array([1, 2, 3])], [3]),
  "iteration over a generator": pausing(overGenerator, [], [3, 4]),
  "a generator that nobody runs": {
    make: () => {
      const fresh = count(2)
      const begun = count(3)
      begun.next()
      const done = count(0)
      done.next()
      return [fresh, begun, done]
    },
    check: ([fresh, begun, done]) => {
      assert.deepEqual([...fresh], [0, 1])
      assert.deepEqual([...begun], [1, 2])
      assert.deepEqual([...done], [])
    }
  },
  "a generator that delegates to another one": {
    make: () => {
      const generator = outer()
      assert.equal(generator.next().value, "a")
      return generator
    },
    check: async (loaded) => {
      said = []
      assert.deepEqual(loaded.next("got"), { value: "b", done: false })
      assert.deepEqual(said, ["got"])
      assert.deepEqual([...loaded], ["c"])
    }
  },
  "in the body of a try": pausing(triesAndFinally, [], ["on", "finally"]),
  "in a finally": {
    make: async () => {
      const tasklet = await paused(triesAndFinally)
      tasklet.insert()
      await run()
      return tasklet
    },
    check: async (loaded) => assert.deepEqual(await after(() => loaded.insert()), ["end"])
  },
  "in a catch": {
    make: async () => {
      const tasklet = await paused(catches)
      await Effect.runPromise(tasklet.throw(new Error("caught")))
      return tasklet
    },
    check: async (loaded) => assert.deepEqual(await after(() => loaded.insert()), ["caught"])
  },
  "closures that share variables, one in each iteration": pausing(withClosures, [], [103]),
  "arguments": pausing(withArguments, [1, 2, 3], [[1, 2, 3]]),
  "a method in the middle": pausing(callsMethod, [], ["an object"]),
  "a closure alone": {
    make: () => {
      let n = 5
      return [() => ++n, () => n]
    },
    check: ([up, get]) => {
      up()
      assert.equal(get(), 6)
    }
  },
  "functions on top of a module, by name": {
    make: () => [recurs, count],
    check: (loaded) => assert.deepEqual(loaded, [recurs, count])
  },
  "a tasklet that has not started, with its arguments": {
    make: () => [
      new stackless.Tasklet(overList, [[7, 8]]),
      new stackless.Tasklet(overList),
      new stackless.Tasklet(),
      new stackless.Tasklet(withArguments, [1, 2])
    ],
    check: async ([bound, unbound, nothing, several]) => {
      assert.ok(bound.alive && bound.paused && !unbound.alive && !nothing.alive)
      assert.deepEqual(await after(() => bound.insert()), [7, 8])
      assert.deepEqual(await after(() => unbound.setup([9])), [9])
      several.insert()
      await run()
      assert.deepEqual(await after(() => several.insert()), [[1, 2]])
    }
  },
  "a dead tasklet, with its result": {
    make: async () => {
      const tasklet = stackless.tasklet(deep)(0)
      await run()
      tasklet.insert()
      await run()
      return tasklet
    },
    check: async (tasklet) => {
      assert.ok(!tasklet.alive && tasklet.dead)
      assert.equal(await Effect.runPromise(tasklet.join()), 0)
    }
  },
  "a tasklet that will get an error": {
    make: async () => {
      const tasklet = await paused(catches)
      tasklet.tempval = new stackless.Bomb(new Error("bomb"))
      return tasklet
    },
    check: async (loaded) => {
      assert.ok(loaded.tempval instanceof stackless.Bomb)
      assert.deepEqual(await after(() => loaded.insert()), ["bomb"])
    }
  },
  "tempval, name and flags": {
    make: async () => {
      const tasklet = await paused(function*() {
        say(yield* stackless.scheduleRemove())
      })
      tasklet.tempval = { the: "value" }
      tasklet.name = "named"
      tasklet.blockTrap = true
      tasklet.setAtomic(true)
      tasklet.setIgnoreNesting(true)
      return tasklet
    },
    check: async (loaded) => {
      assert.deepEqual(
        [loaded.name, loaded.blockTrap, loaded.atomic, loaded.ignoreNesting],
        ["named", true, true, true]
      )
      assert.deepEqual(await after(() => loaded.insert()), [{ the: "value" }])
    }
  },
  "a runnable tasklet is loaded as a paused one": {
    make: () => stackless.tasklet(overList)([5]),
    check: async (loaded) => {
      assert.ok(loaded.paused)
      assert.deepEqual(await after(() => loaded.insert()), [5])
    }
  },
  "receivers that are blocked, with their channel": {
    make: blockedReceivers,
    check: async (c) => {
      assert.deepEqual([c.balance, c.name, c.preference], [-2, "c", 0])
      const sends = (to: stackless.Channel) => () => {
        stackless.tasklet(sender)(to, 1, 2, 3)
      }
      const got = await after(sends(c))
      assert.deepEqual(got, await after(sends(await blockedReceivers())))
      assert.equal(got.length, 4)
      assert.equal(c.balance, -2)
    }
  },
  "a sender that is blocked, reached through its tasklet": {
    make: async () => {
      const c = stackless.channel()
      const tasklet = stackless.tasklet(sender)(c, { a: 1 }, 2)
      await run()
      return { tasklet, c }
    },
    check: async ({ c, tasklet }) => {
      assert.ok(tasklet.blocked && c.queue === tasklet && c.balance === 1)
      assert.deepEqual(await Effect.runPromise(stackless.call(receiving, c, 2)), [{ a: 1 }, 2])
      await run()
      assert.ok(!tasklet.alive)
    }
  },
  "a tasklet that is blocked on a channel with a name": {
    make: async () => {
      const tasklet = stackless.tasklet(receiver)(wellKnown, "named")
      await run()
      return tasklet
    },
    check: async (loaded) => {
      assert.equal(wellKnown.queue, loaded)
      const got = await after(() => {
        stackless.tasklet(sender)(wellKnown, "x")
      })
      assert.deepEqual(got, [["named", "x"], "sent"])
      await Effect.runPromise(loaded.kill())
    }
  },
  "a channel that is closing, one that schedules all, one with a capacity": {
    make: async () => {
      const closing = stackless.channel()
      closing.close()
      const all = stackless.channel()
      all.scheduleAll = true
      const buffered = stackless.channel({ capacity: 2 })
      stackless.tasklet(sender)(buffered, 1, 2, 3)
      await run()
      return { closing, all, buffered }
    },
    check: async ({ all, buffered, closing }) => {
      assert.ok(closing.closing && closing.closed)
      assert.ok(all.scheduleAll)
      assert.deepEqual([buffered.capacity, buffered.balance, buffered.preference], [2, 3, 1])
      assert.deepEqual(await Effect.runPromise(stackless.call(receiving, buffered, 3)), [1, 2, 3])
      assert.equal(buffered.balance, 0)
      await run()
    }
  },
  "those who wait for the end of a tasklet": {
    make: async () => {
      const tasklet = await paused(deep, 3)
      stackless.tasklet(function*() {
        say(yield* tasklet.join())
      })()
      await run()
      return tasklet
    },
    check: async (loaded) => assert.deepEqual(await after(() => loaded.insert()), [3])
  },
  "subclasses of tasklets and channels": {
    make: async () => {
      const worker = new Worker(overList, [[1, 2, 3]])
      worker.job = "count"
      const pipe = new Pipe()
      pipe.label = "a pipe"
      return { worker, pipe }
    },
    check: async ({ pipe, worker }) => {
      assert.ok(worker instanceof Worker && worker.job === "count")
      assert.ok(pipe instanceof Pipe && pipe.label === "a pipe" && pipe.balance === 0)
      worker.insert()
      await run()
      assert.deepEqual(await after(() => worker.insert()), [3])
    }
  },
  "a greenlet in the middle of a switch": {
    make: async () => {
      const g = greenlet(greet)
      assert.equal(await Effect.runPromise(g.switch("me")), "hello me")
      return g
    },
    check: async (loaded) => {
      said = []
      assert.ok(loaded.active)
      assert.equal(loaded.parent, getcurrent())
      assert.equal(await Effect.runPromise(loaded.switch("answer")), "done")
      assert.deepEqual(said, ["answer"])
      assert.ok(loaded.dead)
    }
  },
  "a greenlet whose parent is another one": {
    make: async () => {
      const parent = greenlet(parentOf)
      const [got, child] = await Effect.runPromise(parent.switch<any>())
      assert.equal(got, "hello child")
      return { parent, child }
    },
    check: async ({ child, parent }) => {
      said = []
      assert.equal(child.parent, parent)
      assert.equal(await Effect.runPromise(parent.switch()), "parent done")
      assert.deepEqual(said, ["again", "done"])
    }
  },
  "a greenlet of a subclass": {
    make: async () => {
      const fresh = new Greeter()
      fresh.greeting = "hey"
      const begun = new Greeter()
      assert.equal(await Effect.runPromise(begun.switch("you")), "hi you")
      return { fresh, begun }
    },
    check: async ({ begun, fresh }) => {
      assert.equal(await Effect.runPromise(fresh.switch("there")), "hey there")
      assert.equal(await Effect.runPromise(fresh.switch("bye")), "bye hey")
      assert.equal(await Effect.runPromise(begun.switch("ciao")), "ciao hi")
    }
  },
  "a snapshot of all that is runnable": {
    make: async () => {
      const c = stackless.channel<number>()
      stackless.tasklet(function*() {
        for (let i = 0; i < 3; i++) {
          say(`a${i}`)
          yield* c.send(i)
          yield* stackless.schedule()
        }
      })()
      stackless.tasklet(function*() {
        for (let i = 0; i < 3; i++) {
          say(`b${yield* c.receive()}`)
          yield* stackless.schedule()
        }
      })()
      await Effect.runPromise(stackless.schedule())
      await Effect.runPromise(stackless.schedule())
      return stackless.snapshot()
    },
    check: async (loaded) => {
      const got = await after(() => loaded.restore())
      assert.deepEqual(got.slice(-1), ["b2"])
      assert.ok(got.includes("a2") && !got.includes("a0"))
    }
  }
}
