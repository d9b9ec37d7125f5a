/** A channel between several places, whose home and parties speak over anything that keeps the order of messages. */
import { Effect, Fiber } from "effect"
import { run, schedule, select, StopIteration, type Tasklet, tasklet } from "effect-stackless/stackless"
import * as fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type FromHome, type FromParty, Home, type Packed, type Post } from "../../src/cluster/exchange/home.ts"
import { Party, underWay } from "../../src/cluster/exchange/party.ts"

const pack = (n: number): Uint8Array => Uint8Array.of(n >> 8, n & 255)
const unpack = (packed: Packed): number => ((packed as Uint8Array)[0]! << 8) + (packed as Uint8Array)[1]!

/** A home, and parties whose messages take a turn of the event loop each way. */
class Place {
  home: Home
  readonly parties: Array<Party> = []
  private readonly posts = new Map<Party, Post>()
  readonly capacity: number
  /** What has been said, by its kind. */
  readonly said: Array<string> = []
  /** For how many receivers at a time. */
  readonly wanted: Array<number> = []
  /** Called with the kind of what a home says, when it has said it. */
  told: (kind: string) => void = () => {}
  /** What is under way. */
  private travelling = 0

  constructor(capacity: number) {
    this.capacity = capacity
    this.home = new Home(capacity, "")
  }

  party(): Party {
    const party: Party = new Party("test", {
      capacity: this.capacity,
      kind: "",
      unpack,
      refusal: (kind) => new Error(kind),
      connect: () => this.later(() => this.join(party))
    })
    this.parties.push(party)
    return party
  }

  private later(f: () => void): void {
    this.travelling++
    setImmediate(() => {
      this.travelling--
      f()
    })
  }

  private join(party: Party): void {
    const { home } = this
    const post: Post = {
      post: (message: FromHome) => {
        this.said.push(message.k)
        this.later(() => this.posts.get(party) === post && party.hear(message))
        this.told(message.k)
      }
    }
    this.posts.set(party, post)
    party.join((messages: ReadonlyArray<FromParty>) => {
      for (const message of messages) {
        this.said.push(message.k)
        if (message.k === "want") this.wanted.push(message.n)
      }
      this.later(() => void (this.home === home && home.hear(post, messages)))
    })
  }

  /** The home goes elsewhere, with all it has. */
  move(): void {
    this.home = new Home(0, "", this.home.freeze())
  }

  /** Waits until nothing is under way. */
  async quiet(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve))
    while (this.travelling > 0)
  }
}

const send = (party: Party, n: number) => party.sends.send(pack(n))

describe("a rendezvous", () => {
  test("a sender waits for a receiver at another place", async () => {
    const place = new Place(0)
    const [a, b] = [place.party(), place.party()]
    const sending = Effect.runFork(send(a!, 7))
    await place.quiet()
    expect(sending.pollUnsafe()).toBeUndefined()
    expect(await Effect.runPromise(b!.receives.receive())).toBe(7)
    await Effect.runPromise(Fiber.join(sending))
  })

  test("a receiver waits for a sender", async () => {
    const place = new Place(0)
    const receiving = Effect.runFork(place.party().receives.receive())
    await place.quiet()
    await Effect.runPromise(send(place.party(), 7))
    expect(await Effect.runPromise(Fiber.join(receiving))).toBe(7)
  })

  test("a sender that gives up takes its value along", async () => {
    const place = new Place(0)
    const [a, b] = [place.party(), place.party()]
    const sending = Effect.runFork(send(a!, 1))
    await place.quiet()
    await Effect.runPromise(Fiber.interrupt(sending))
    await Effect.runPromise(Effect.all([send(a!, 2), b!.receives.receive()], { concurrency: 2 })).then(([, got]) =>
      expect(got).toBe(2)
    )
  })

  test("what comes for a receiver that has given up is the next one's", async () => {
    const place = new Place(0)
    const [a, b, c] = [place.party(), place.party(), place.party()]
    const receiving = Effect.runFork(b!.receives.receive())
    await place.quiet()
    const sending = Effect.runFork(send(a!, 5))
    // the grant is there, and the value is not
    while (sending.pollUnsafe() === undefined) await new Promise((resolve) => setImmediate(resolve))
    await Effect.runPromise(Fiber.interrupt(receiving))
    expect(await Effect.runPromise(c!.receives.receive())).toBe(5)
  })

  test("tasklets wait while run goes on, and select chooses among channels", async () => {
    const [one, two] = [new Place(0), new Place(0)]
    const [a, b] = [one.party(), two.party()]
    const got: Array<unknown> = []
    tasklet(function*() {
      got.push(yield* select({ a: a!.receives.receive(), b: b!.receives.receive() }))
      got.push(yield* select({ a: a!.receives.receive(), b: b!.receives.receive() }))
    })()
    const sending = Effect.runPromise(
      Effect.andThen(send(two.party(), 2), send(one.party(), 1))
    )
    await Effect.runPromise(run())
    await sending
    expect(got).toEqual([{ key: "b", value: 2 }, { key: "a", value: 1 }])
  })

  test("a case of select that was not chosen leaves no value and no wish behind", async () => {
    const [one, two] = [new Place(0), new Place(0)]
    const [a, b, c] = [one.party(), two.party(), one.party()]
    const choice = Effect.runFork(select({ a: send(a!, 1), b: b!.receives.receive() }))
    await one.quiet()
    await Effect.runPromise(send(two.party(), 2))
    expect(await Effect.runPromise(Fiber.join(choice))).toEqual({ key: "b", value: 2 })
    await one.quiet()
    const [, got] = await Effect.runPromise(Effect.all([send(a!, 3), c!.receives.receive()], { concurrency: 2 }))
    expect(got).toBe(3)
  })
})

describe("a capacity", () => {
  test("senders go on while there is room, and wait then", async () => {
    const place = new Place(3)
    const party = place.party()
    const sent: Array<number> = []
    const sending = Effect.runFork(
      Effect.forEach([1, 2, 3, 4, 5], (n) => Effect.andThen(send(party, n), Effect.sync(() => sent.push(n))))
    )
    await place.quiet()
    expect(sent).toEqual([1, 2, 3])
    const other = place.party()
    const got: Array<unknown> = []
    for (let i = 0; i < 5; i++) got.push(await Effect.runPromise(other.receives.receive()))
    expect(got).toEqual([1, 2, 3, 4, 5])
    await Effect.runPromise(Fiber.join(sending))
  })

  test("closing ends the iteration of all, when what is in it was received", async () => {
    const place = new Place(10)
    const [a, b] = [place.party(), place.party()]
    await Effect.runPromise(Effect.forEach([1, 2, 3], (n) => send(a!, n)))
    a!.close()
    const got: Array<unknown> = []
    for await (const value of b!.iterates) got.push(value)
    expect(got).toEqual([1, 2, 3])
    expect(await Effect.runPromiseExit(send(place.party(), 4)).then((exit) => exit._tag)).toBe("Success")
  })

  test("closing loses nothing that lies ahead of a slow iteration", async () => {
    const place = new Place(10)
    const [a, b] = [place.party(), place.party()]
    const got: Array<unknown> = []
    const slow = Effect.runPromise(b!.iterates.each(function*(value: unknown) {
      got.push(value)
      // longer than values may lie ahead
      if (value === 1) yield* Effect.sleep("250 millis")
    }))
    await Effect.runPromise(Effect.forEach([1, 2, 3, 4, 5], (n) => send(a!, n)))
    a!.close()
    await slow
    expect(got).toEqual([1, 2, 3, 4, 5])
  })

  test("closing tells a receiver that waits that nobody can come", async () => {
    const place = new Place(0)
    const [a, b] = [place.party(), place.party()]
    const receiving = Effect.runPromiseExit(b!.receives.receive())
    await place.quiet()
    a!.close()
    const exit = await receiving
    expect(exit._tag === "Failure" && exit.cause.reasons[0]!._tag === "Die" && exit.cause.reasons[0]!.defect)
      .toBeInstanceOf(StopIteration)
  })
})

test("a sender that asks while a grant is under way to it uses that one, and is not asked for it", async () => {
  const place = new Place(0)
  const [a, b] = [place.party(), place.party()]
  const got: Array<unknown> = []
  const receiving = Effect.runFork(Effect.forever(Effect.map(b!.receives.receive(), (n) => got.push(n))))
  await Effect.runPromise(send(a!, 0))
  const rest: Array<Promise<void>> = []
  // the home grants the next send in advance when the receiver waits again: a sender lines up before it hears of that
  place.told = (kind) => {
    if (kind === "grant" && rest.length < 20) rest.push(Effect.runPromise(send(a!, rest.length + 1)))
  }
  while (got.length < 21) await place.quiet()
  await Promise.all(rest)
  await Effect.runPromise(Fiber.interrupt(receiving))
  expect(got).toEqual(Array.from({ length: 21 }, (_, i) => i))
  expect(place.said.filter((kind) => kind === "recall" || kind === "unused")).toEqual([])
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Tasklets that send and receive without end. */
const crowd = (place: Place, width: number) => {
  const a = place.party()
  const b = place.party()
  const got: Array<number> = []
  let sent = 0
  const senders = Array.from({ length: width }, () =>
    tasklet(function*() {
      for (;;) yield* send(a, sent++)
    })())
  const receivers = Array.from({ length: width }, () =>
    tasklet(function*() {
      for (;;) got.push((yield* b.receives.receive()) as number)
    })())
  return { a, b, got, senders, receivers }
}

const killAll = (tasklets: ReadonlyArray<Tasklet>) => Effect.forEach(tasklets, (each) => each.kill({ pending: true }))

test.each([
  ["where many receive, half of them ask while the others have not received yet", 64, 32],
  ["where few receive, all of them ask in one message", 40, 40]
])("%s", async (_, width, wanted) => {
  const place = new Place(0)
  const { got, receivers, senders } = crowd(place, width)
  const running = Effect.runPromise(run())
  // a turn of the event loop in between, which is due after 16,384 steps, makes two groups of those who ask
  while (got.length < 50 * width) await turn()
  expect(new Set(place.wanted.slice(20))).toEqual(new Set([wanted]))
  await Effect.runPromise(Effect.all([killAll(senders), killAll(receivers)]))
  await running
})

test("of many who send and receive some are killed: nothing is lost, doubled, or asked for in vain", async () => {
  const place = new Place(0)
  const { a, b, got, receivers, senders } = crowd(place, 150)
  const running = Effect.runPromise(run())
  for (let i = 0; i < 100; i++) {
    await turn()
    if (i % 2 === 0) await Effect.runPromise(killAll([senders.pop()!, receivers.pop()!]))
  }
  const before = got.length
  while (got.length < before + 1000) await turn()
  await Effect.runPromise(killAll(senders))
  await place.quiet()
  expect([a.sends.balance, b.receives.balance]).toEqual([0, -100])
  // all hundred wait again, and get what one more sender brings
  const count = got.length
  for (let n = 1; n <= 100; n++) await Effect.runPromise(send(place.party(), n))
  await place.quiet()
  expect(got.slice(count)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
  expect(new Set(got.slice(0, count)).size).toBe(count)
  await Effect.runPromise(killAll(receivers))
  await running
})

test("what is under way is so until its home has it, or is lost with it", async () => {
  for (const isLost of [false, true]) {
    const place = new Place(2)
    const party = place.party()
    await Effect.runPromise(send(party, 1))
    const [first, second] = [underWay(), underWay()]
    let told = false
    first!.whenArrived(() => {
      told = true
    })
    expect([first!.arrived, told]).toEqual([false, false])
    if (isLost) party.leave(false)
    else await place.quiet()
    expect([first!.arrived, told, second!.arrived]).toEqual([true, true, true])
    expect(underWay()).toBeUndefined()
    await place.quiet()
  }
})

/** What runs on a busy thread after what the home says has come, and who was served by it. */
const afterwards = async (
  kind: FromHome["k"],
  preference: number | undefined,
  capacity: number,
  begin: (here: Party, there: Party, served: (name: string) => void) => void
): Promise<ReadonlyArray<string>> => {
  const place = new Place(capacity)
  const [here, there] = [place.party(), place.party()]
  if (preference !== undefined) here.preference = preference
  let log: Array<string> | undefined
  let over = false
  const hear = here.hear.bind(here)
  here.hear = (message) => {
    if (message.k === kind) log = []
    hear(message)
  }
  begin(here, there, (name) => void log?.push(name))
  await place.quiet()
  for (const name of ["a", "b", "c"]) {
    tasklet(function*() {
      while (!over) {
        log?.push(name)
        if (log !== undefined && log.length >= 8) over = true
        yield* schedule()
      }
    })()
  }
  await Effect.runPromise(run())
  return log!.slice(0, 5)
}

describe("who goes on next on a thread where others run", () => {
  const receive = (here: Party, there: Party, served: (name: string) => void): void => {
    for (const name of ["first", "second"]) {
      tasklet(function*() {
        served(`${name} ${yield* here.receives.receive()}`)
      })()
    }
    tasklet(function*() {
      yield* select({ never: new Place(0).party().receives.receive(), it: here.receives.receive() })
      served("third")
    })()
    setImmediate(() => {
      for (const n of [1, 2, 3]) Effect.runFork(send(there, n))
    })
  }
  const sending = (here: Party, there: Party, served: (name: string) => void): void => {
    for (const name of ["first", "second"]) {
      tasklet(function*() {
        yield* send(here, 1)
        served(name)
      })()
    }
    for (const _ of [1, 2]) setImmediate(() => setImmediate(() => Effect.runFork(there.receives.receive())))
  }
  const inTurn = expect.stringMatching(/^[abc]$/)

  test("is who receives, in their order, as of any channel, once who runs has handed over", async () => {
    expect(await afterwards("values", undefined, 0, receive)).toEqual([inTurn, "first 1", "second 2", "third", inTurn])
  })

  test("is nobody who receives where the sender is preferred, or nobody", async () => {
    for (const [preference, capacity] of [[0, 0], [1, 0], [undefined, 10]] as const) {
      expect(await afterwards("values", preference, capacity, receive))
        .toEqual([inTurn, inTurn, inTurn, "first 1", "second 2"])
    }
  })

  test("is who sends, where it is preferred", async () => {
    expect(await afterwards("grant", 1, 0, sending)).toEqual([inTurn, "first", "second", inTurn, inTurn])
    for (const preference of [0, -1]) {
      expect(await afterwards("grant", preference, 0, sending)).toEqual([inTurn, inTurn, inTurn, "first", "second"])
    }
  })
})

test("what lies ahead of an iteration when the home moves is others'", async () => {
  const place = new Place(2)
  const [a, b, c] = [place.party(), place.party(), place.party()]
  const first = Effect.runFork(b!.iterates.receive())
  await Effect.runPromise(send(a!, 1))
  await Effect.runPromise(send(a!, 2))
  expect(await Effect.runPromise(Fiber.join(first))).toBe(1)
  await place.quiet()
  place.move()
  expect(await Effect.runPromise(c!.receives.receive())).toBe(2)
})

test("a party that nobody uses leaves, and comes back when somebody does; the last one leaves nothing behind", async () => {
  const place = new Place(2)
  const [a, b] = [place.party(), place.party()]
  const receiving = Effect.runFork(b!.receives.receive())
  await place.quiet()
  expect(b!.retire()).toBe(false)
  await Effect.runPromise(send(a!, 1))
  expect(await Effect.runPromise(Fiber.join(receiving))).toBe(1)
  await Effect.runPromise(send(a!, 2))
  await place.quiet()
  expect([a!.retire(), b!.retire()]).toEqual([true, true])
  await place.quiet()
  // there is a value in it
  expect(place.home.forgettable).toBe(false)
  expect(await Effect.runPromise(b!.receives.receive())).toBe(2)
  await place.quiet()
  expect(b!.retire()).toBe(true)
  // whoever comes while it leaves waits until it has left
  const sending = Effect.runFork(send(b!, 3))
  expect(await Effect.runPromise(a!.receives.receive())).toBe(3)
  await Effect.runPromise(Fiber.join(sending))
  await place.quiet()
  expect([a!.retire(), b!.retire()]).toEqual([true, true])
  await place.quiet()
  expect(place.home.forgettable).toBe(true)
})

test("a party remembers whether it has been silent since the last look, and leaves if it has", async () => {
  const place = new Place(2)
  const party = place.party()
  const left = () => place.said.filter((says) => says === "detach").length
  await Effect.runPromise(Effect.andThen(send(party, 1), party.receives.receive()))
  await place.quiet()
  expect([party.look(), left()]).toEqual([false, 0])
  expect([party.look(), left()]).toEqual([false, 1])
  await place.quiet()
  // it has heard that it has left
  expect([party.look(), party.look(), left()]).toEqual([false, true, 1])
  const receiving = Effect.runFork(party.receives.receive())
  await place.quiet()
  expect([party.look(), party.look(), party.look(), left()]).toEqual([false, false, false, 1])
  await Effect.runPromise(Fiber.interrupt(receiving))
})

test("two kinds of channel by one name: who comes second is refused", async () => {
  const place = new Place(2)
  await Effect.runPromise(send(place.party(), 1))
  place.home = new Home(5, "", undefined)
  place.parties[0]!.leave(false)
  const exit = await Effect.runPromiseExit(place.party().receives.receive())
  expect(exit._tag).toBe("Failure")
})

test("whatever parties do, every value that is sent is received once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 4 }),
      fc.array(
        fc.record({
          party: fc.integer({ min: 0, max: 3 }),
          does: fc.constantFrom("send", "take back", "receive", "iterate", "give up", "move", "wait", "retire")
        }),
        { maxLength: 40 }
      ),
      async (capacity, steps) => {
        const place = new Place(capacity)
        const parties = Array.from({ length: 4 }, () => place.party())
        const got: Array<number> = []
        const sent = [0, 0, 0, 0]
        /** Of each party, the send that waits, or did. */
        const sends: Array<{ readonly n: number; readonly fiber: Fiber.Fiber<unknown, unknown> }> = []
        const takenBack = new Set<number>()
        const receives: Array<Fiber.Fiber<unknown, unknown>> = []
        // of each party one sender at a time, so that their order is known
        const queues = parties.map(() => Promise.resolve())
        for (const { does, party: p } of steps) {
          const party = parties[p]!
          if (does === "send") {
            const n = p * 1000 + sent[p]!++
            queues[p] = queues[p]!.then(async () => {
              const fiber = Effect.runFork(send(party, n))
              sends[p] = { n, fiber }
              await Effect.runPromise(Fiber.await(fiber))
            })
          } else if (does === "take back") {
            await Promise.resolve()
            const { fiber, n } = sends[p] ?? {}
            if (fiber === undefined) continue
            await Effect.runPromise(Fiber.interrupt(fiber))
            if (fiber.pollUnsafe()?._tag === "Failure") takenBack.add(n!)
          } else if (does === "receive") {
            receives.push(Effect.runFork(Effect.map(party.receives.receive(), (n: number) => got.push(n))))
          } else if (does === "iterate") {
            receives.push(Effect.runFork(Effect.map(party.iterates.receive(), (n: number) => got.push(n))))
          } else if (does === "give up") {
            const fiber = receives.pop()
            if (fiber !== undefined) await Effect.runPromise(Fiber.interrupt(fiber))
          } else if (does === "move") place.move()
          else if (does === "retire") party.retire()
          else await place.quiet()
        }
        // whoever is left is served
        const last = place.party()
        const rest = Effect.runFork(Effect.forever(Effect.map(last.receives.receive(), (n: number) => got.push(n))))
        await Promise.all(queues)
        const expected = sent.flatMap((count, p) => Array.from({ length: count }, (_, i) => p * 1000 + i))
          .filter((n) => !takenBack.has(n))
        const total = expected.length
        for (let i = 0; got.length < total; i++) {
          if (i > 2000) throw new Error(`lost: ${got.length} of ${total} came`)
          await new Promise((resolve) => setImmediate(resolve))
          // values that came ahead for an iteration are given back after a while
          if (i > 100) await new Promise((resolve) => setTimeout(resolve, 5))
        }
        await Effect.runPromise(Fiber.interruptAll([...receives, rest]))
        expect(got).toHaveLength(total)
        expect(new Set(got)).toEqual(new Set(expected))
      }
    ),
    { numRuns: 60 }
  )
})
