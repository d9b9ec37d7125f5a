/** Components and networks: how they are wired, where they run, and how they are printed. */
import { Effect, Fiber, Schema } from "effect"
import { component, machine, network, NetworkError, NoMachine, port, registry, wire } from "effect-stackless/cluster"
import { run, tasklet } from "effect-stackless/stackless"
import { describe, expect, expectTypeOf, test } from "vitest"

const counts = (from: number, to: number) =>
  component({ out: { n: port<number>() } }, function*(_, { n }) {
    for (let i = from; i < to; i++) yield* n.send(i)
  })

const doubles = component({ in: { n: port<number>() }, out: { twice: port<number>() } }, function*({ n }, { twice }) {
  yield* n.each(function*(value) {
    yield* twice.send(2 * value)
  })
})

const collects = (got: Array<unknown>) =>
  component({ in: { all: port<number>() } }, function*({ all }) {
    yield* all.each((value) => {
      got.push(value)
    })
    got.push("end")
  })

describe("a network", () => {
  test("runs its components, and closes what nobody sends to any more", async () => {
    const got: Array<unknown> = []
    const net = network("n", { counts: counts(1, 4), doubles, collects: collects(got) }, (c) => [
      wire(c.counts.out.n, c.doubles.in.n),
      wire(c.doubles.out.twice, c.collects.in.all)
    ])
    net.start()
    await Effect.runPromise(run())
    expect(got).toEqual([2, 4, 6, "end"])
  })

  test("merges what several send, and shares it among several", async () => {
    const got: Array<unknown> = []
    const net = network("n", {
      a: counts(0, 10),
      b: counts(10, 20),
      one: doubles,
      two: doubles,
      collects: collects(got)
    }, (c) => [
      wire(c.a.out.n, c.one.in.n, { capacity: 3 }),
      wire(c.b.out.n, c.one.in.n),
      wire(c.a.out.n, c.two.in.n),
      wire(c.one.out.twice, c.collects.in.all),
      wire(c.two.out.twice, c.collects.in.all)
    ])
    net.start()
    await Effect.runPromise(run())
    expect(got.pop()).toBe("end")
    expect(new Set(got)).toEqual(new Set(Array.from({ length: 20 }, (_, i) => 2 * i)))
    expect(got).toHaveLength(20)
  })

  test("is stopped", async () => {
    const net = network("n", { counts: counts(0, Infinity), doubles, collects: collects([]) }, (c) => [
      wire(c.counts.out.n, c.doubles.in.n),
      wire(c.doubles.out.twice, c.collects.in.all)
    ])
    const { stop, tasklets } = net.start()
    tasklet(stop)()
    await Effect.runPromise(run())
    expect(Object.values(tasklets).map(({ alive }) => alive)).toEqual([false, false, false])
  })

  test("gives the error of a component that fails", async () => {
    const fails = component({ out: { n: port<number>() } }, function*(_, { n }) {
      yield* n.send(1)
      throw new RangeError("no more")
    })
    const got: Array<unknown> = []
    network("n", { fails, collects: collects(got) }, (c) => [wire(c.fails.out.n, c.collects.in.all)]).start()
    await expect(Effect.runPromise(run())).rejects.toThrow("no more")
    await Effect.runPromise(run())
    expect(got).toEqual([1, "end"])
  })
})

describe("a part of a network", () => {
  const of = (got: Array<unknown>, name = "parts") =>
    network(name, { a: counts(0, 50), b: counts(50, 100), doubles, collects: collects(got) }, (c) => [
      wire(c.a.out.n, c.doubles.in.n),
      wire(c.b.out.n, c.doubles.in.n),
      wire(c.doubles.out.twice, c.collects.in.all, { capacity: 5 })
    ])
  const onMachine = <A>(effect: Effect.Effect<A>): Promise<A> =>
    Effect.runPromise(
      Effect.provide(effect, machine({ address: "127.0.0.1:0", registry: registry.memory })) as Effect.Effect<A>
    )
  const doubled = new Set<unknown>(Array.from({ length: 100 }, (_, i) => 2 * i))

  test("finds the others by their channels' names, and ends when those who send have ended everywhere", async () => {
    await onMachine(Effect.gen(function*() {
      const got: Array<unknown> = []
      const { tasklets } = of(got).start({ only: ["b"] })
      expect(Object.keys(tasklets)).toEqual(["b"])
      of(got).start({ only: ["collects", "doubles"] })
      of(got).start({ only: ["a"] })
      yield* run()
      expect(got.pop()).toBe("end")
      expect([got.length, new Set(got)]).toEqual([100, doubled])
      // another run is called otherwise
      for (const only of ["a", "b", "doubles", "collects"] as const) of(got).start({ only: [only], as: "again" })
      yield* run()
      expect([got.length, got.at(-1)]).toEqual([201, "end"])
    }))
  })

  test("is stopped: those who receive from it end", async () => {
    await onMachine(Effect.gen(function*() {
      const got: Array<unknown> = []
      const net = of(got, "stopped")
      net.start({ only: ["a", "b"] })
      const { stop, tasklets } = net.start({ only: ["doubles"] })
      tasklet(stop)()
      net.start({ only: ["collects"] })
      const running = yield* Effect.forkChild(run())
      while (got.at(-1) !== "end") yield* Effect.sleep(5)
      expect(tasklets.doubles.alive).toBe(false)
      yield* Fiber.interrupt(running)
    }))
  })

  test("has only components that there are, and is one on a machine", async () => {
    const net = of([], "typed")
    // @ts-expect-error there is no such component
    const start = () => net.start({ only: ["a", "c"] })
    expect(start).toThrow(NoMachine)
    await onMachine(Effect.sync(() => {
      expect(start).toThrow(
        new NetworkError({ message: "c is no component of typed, which has a, b, doubles, collects" })
      )
      const { tasklets } = net.start({ only: ["a"] })
      expectTypeOf(tasklets).toHaveProperty("a")
      expectTypeOf(tasklets).not.toHaveProperty("b")
    }))
  })
})

describe("wrong wiring", () => {
  const words = component({ in: { word: port<string>() } }, function*() {})

  test("of types is a type error", () => {
    network("n", { counts: counts(0, 1), words }, (c) => [
      // @ts-expect-error a number is no string
      wire(c.counts.out.n, c.words.in.word)
    ])
    network("n", { a: counts(0, 1), b: collects([]) }, (c) => {
      // @ts-expect-error there is no such port
      void c.a.out.m
      // @ts-expect-error an input is no output
      void (() => wire(c.b.in.all, c.b.in.all))
      return [wire(c.a.out.n, c.b.in.all)]
    })
    component({ in: { word: port<string>() } }, function*({ word }) {
      expectTypeOf(yield* word.receive()).toBeString()
    })
  })

  test("that leaves a port out says which", () => {
    expect(() => network("n", { counts: counts(0, 1), doubles }, (c) => [wire(c.counts.out.n, c.doubles.in.n)]))
      .toThrow(new NetworkError({ message: "the output twice of doubles is wired to nothing" }))
  })

  test("of schemas that differ says so", () => {
    const sends = component({ out: { value: port<any>(Schema.String) } }, function*() {})
    const takes = component({ in: { value: port<any>(Schema.Number) } }, function*() {})
    expect(() => network("n", { sends, takes }, (c) => [wire(c.sends.out.value, c.takes.in.value)]))
      .toThrow("sends.value sends what takes.value does not take: their schemas differ")
  })

  test("that says two things of one channel says so", () => {
    expect(() =>
      network("n", { a: counts(0, 1), b: counts(0, 1), c: collects([]) }, ({ a, b, c }) => [
        wire(a.out.n, c.in.all, { capacity: 1 }),
        wire(b.out.n, c.in.all, { capacity: 2 })
      ])
    ).toThrow("the wires of b.n share one channel, and say different things of it")
  })

  test("of what is no port, or has no body, is a TypeError", () => {
    expect(() => component({ in: { n: 7 as never } }, () => {})).toThrow("n is no port: write n: port<T>()")
    expect(() => component({}, undefined as never)).toThrow(TypeError)
    expect(() => network("n", { a: 1 as never }, () => [])).toThrow(
      "a is no component: write a: component({ … }, body)"
    )
    expect(() => network("n", {}, undefined as never)).toThrow(
      "a network has a function that gives its wires; got undefined"
    )
  })
})

describe("a picture", () => {
  const net = network("a <net>", { counts: counts(0, 1), doubles, back: doubles }, (c) => [
    wire(c.counts.out.n, c.doubles.in.n),
    wire(c.doubles.out.twice, c.back.in.n),
    wire(c.back.out.twice, c.doubles.in.n)
  ])

  test("is Mermaid", () => {
    expect(net.toMermaid().split("\n")).toEqual([
      "---",
      `title: "a <net>"`,
      "---",
      "flowchart LR",
      `  c0["counts"]`,
      `  c1["doubles"]`,
      `  c2["back"]`,
      `  c0 -->|"n"| c1`,
      `  c1 -->|"twice → n"| c2`,
      `  c2 -->|"twice → n"| c1`,
      ""
    ])
  })

  test("is SVG with a box for each component, and an arrow for each wire", () => {
    const svg = net.toSVG()
    expect(svg.match(/<rect /g)).toHaveLength(3)
    expect(svg.match(/marker-end/g)).toHaveLength(3)
    expect(svg).toContain("a &#60;net&#62;")
    expect(svg).not.toMatch(/NaN|undefined/)
  })
})
