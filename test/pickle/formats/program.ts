"use stackless"

/**
 * A program whose pickles are kept, one a version of the format: see formats.test.ts. It is never changed, or they would be those of
 * another program. `dump FILE` makes one, `load FILE` goes on with it and prints what it says.
 */
import { Effect } from "effect"
import { getcurrent, type Greenlet, greenlet } from "effect-stackless/greenlet"
import { dumps, loads, persistent } from "effect-stackless/pickle"
import * as stackless from "effect-stackless/stackless"
import { readFileSync, writeFileSync } from "node:fs"

const say = (what: unknown): void => {
  console.log(JSON.stringify(what))
}
const settings = persistent("settings", { language: "en" })

class Player {
  readonly name: string
  score = 0
  constructor(name: string) {
    this.name = name
  }
  *wins(by: stackless.Channel<number>): any {
    this.score += yield* by.receive()
    return this.score
  }
}

function* play(player: Player, by: stackless.Channel<number>): any {
  try {
    for (const turn of ["first", "second"]) say([turn, player.name, yield* player.wins(by)])
  } finally {
    say(`${player.name} is done`)
  }
}
function* recurs(depth: number): any {
  if (depth === 0) yield* stackless.scheduleRemove()
  else yield* recurs(depth - 1)
  say(depth)
}
function* selects(one: stackless.Channel, two: stackless.Channel): any {
  say(yield* stackless.select({ one: one.receive(), two: two.receive() }))
}
function* runs(inner: stackless.Tasklet): any {
  inner.insert()
  yield* stackless.run()
  say("ran empty")
}
function* turns(n: number): any {
  for (let i = 0; i < n; i++) yield* stackless.schedule()
  say("turned")
}
function* sends(to: stackless.Channel, values: Iterable<unknown>): any {
  say(yield* to.sendSequence(values))
}
function* count(to: number): any {
  for (let i = 0; i < to; i++) yield i
}
function* greets(): any {
  say(yield* getcurrent().parent!.switch("hello"))
}
const counter = () => {
  let n = 0
  return { up: () => ++n, get: () => n }
}

const make = async () => {
  const by = stackless.channel<number>()
  const scores = stackless.channel({ capacity: 2 })
  const one = stackless.channel()
  const left = stackless.channel()
  const right = stackless.channel()
  by.name = "points"
  const ann = new Player("Ann")
  const shared = counter()
  shared.up()
  const started = {
    play: stackless.tasklet(play)(ann, by),
    deep: stackless.tasklet(recurs)(3),
    selects: stackless.tasklet(selects)(left, right),
    sends: stackless.tasklet(sends)(one, count(3)),
    unstarted: new stackless.Tasklet(recurs, [0])
  }
  await Effect.runPromise(stackless.run())
  await Effect.runPromise(scores.send(1))
  const runner = stackless.tasklet(runs)(new stackless.Tasklet(turns, [3]))
  await Effect.runPromise(stackless.schedule())
  const g: Greenlet<any> = greenlet(greets)
  await Effect.runPromise(g.switch())
  const buffer = new Uint16Array([1, 2, 65_535]).buffer
  const error = new RangeError("why", { cause: new TypeError("because") })
  // where they were made depends on the machine
  error.stack = "RangeError: why"
  ;(error.cause as Error).stack = "TypeError: because"
  const values = {
    numbers: [0, -0, NaN, 1.5, 2 ** 53, -1, 10n ** 20n, -5n],
    texts: ["", "é", "日本", "\ud800"],
    symbols: [Symbol.for("ours"), Symbol.iterator],
    // oxlint-disable-next-line no-sparse-arrays
    list: [1, , 3],
    map: new Map<unknown, unknown>([["a", new Set([1])], [{ k: 1 }, new Date(5)]]),
    bytes: [new Uint8Array(buffer, 2), new DataView(buffer)],
    pattern: /a+/giu,
    frozen: Object.freeze({ f: 1 }),
    error,
    settings,
    shared,
    max: Math.max,
    bare: Object.assign(Object.create(null), { b: 1 })
  }
  return { by, one, left, right, scores, ann, started, runner, g, values, snapshot: stackless.snapshot() }
}

const goOn = async (loaded: Awaited<ReturnType<typeof make>>) => {
  const { ann, by, g, left, one, right, runner, scores, snapshot, started, values } = loaded
  say([
    by.name,
    by.balance,
    one.balance,
    left.balance,
    right.balance,
    scores.balance,
    scores.capacity,
    ann.name,
    ann instanceof Player
  ])
  snapshot.restore()
  say([snapshot.running[0] === runner, started.play.blocked, started.unstarted.alive])
  await Effect.runPromise(stackless.run())
  started.deep.insert()
  await Effect.runPromise(stackless.run())
  started.unstarted.insert()
  await Effect.runPromise(stackless.run())
  started.unstarted.insert()
  await Effect.runPromise(stackless.run())
  for (const points of [10, 20]) {
    await Effect.runPromise(by.send(points))
    await Effect.runPromise(stackless.run())
  }
  await Effect.runPromise(right.send("chosen"))
  await Effect.runPromise(stackless.run())
  say([left.balance, right.balance])
  for (let i = 0; i < 3; i++) {
    say(await Effect.runPromise(one.receive()))
    await Effect.runPromise(stackless.run())
  }
  say(await Effect.runPromise(scores.receive()))
  await Effect.runPromise(g.switch("from the one who loaded"))
  const { bare, bytes, error, frozen, list, map, max, numbers, pattern, shared, symbols, texts } = values
  say([numbers.map((n) => typeof n === "bigint" ? `${n}n` : Object.is(n, -0) ? "-0" : String(n)), texts])
  say([symbols.map(String), list, 1 in list, [...map].map(([k, v]) => [k, v instanceof Set ? [...v] : v])])
  say([[...(bytes[0] as Uint8Array)], (bytes[1] as DataView).byteLength, bytes[0]!.buffer === bytes[1]!.buffer])
  say([String(pattern), Object.isFrozen(frozen), String(error), String(error.cause), error.stack])
  say([values.settings === settings, shared.up(), shared.get(), max === Math.max, Object.getPrototypeOf(bare)])
}

const [what, file] = process.argv.slice(2) as [string, string]
if (what === "dump") writeFileSync(file, dumps(await make()))
else await goOn(loads(readFileSync(file)))
process.exit(0)
