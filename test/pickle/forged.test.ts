/** Pickles that are forged with care: each is refused, in a time that its length allows, and leaves nothing behind. */
import { Effect, Exit, Scope } from "effect"
import { compile } from "effect-stackless/compiler"
import * as frames from "effect-stackless/frames"
import { Greenlet } from "effect-stackless/greenlet"
import { dumps, loads, persistent, PicklingError, reduce, restore, UnpicklingError } from "effect-stackless/pickle"
import * as stackless from "effect-stackless/stackless"
import { expect, test } from "vitest"
import { bodyOf, envelope } from "./mutation.ts"

test("a chain of prototypes that is too long is refused at once, both ways", () => {
  const chain = (length: number): object => {
    let object: object = {}
    for (let i = 0; i < length; i++) object = Object.create(object)
    return object
  }
  const loaded = loads<object>(dumps(chain(200)))
  let depth = 0
  for (let p: object | null = loaded; p !== null; p = Object.getPrototypeOf(p)) depth++
  expect(depth).toBe(202)
  expect(() => dumps(chain(300))).toThrow(PicklingError)
})

test("a great many greenlets, each the parent of the next, are loaded in a time that goes with their number", () => {
  const many: Array<Greenlet> = [new Greenlet()]
  for (let i = 0; i < 50_000; i++) many.push(new Greenlet(undefined, many[i]))
  const bytes = dumps(many)
  const start = performance.now()
  const loaded = loads<Array<Greenlet>>(bytes)
  expect(loaded[50_000]!.parent).toBe(loaded[49_999])
  expect(loaded).toHaveLength(50_001)
  // were each asked for all above it, it would be minutes
  expect(performance.now() - start).toBeLessThan(30_000)
})

test("a greenlet below itself is refused", () => {
  const a = new Greenlet()
  const b = new Greenlet(undefined, a)
  const body = bodyOf(dumps([a, b])).slice()
  // b refers to a, record 1: let a refer to b, record 2
  const named = [...body].findIndex((byte, i) => byte === 16 && body[i + 1] === 0 && i > body.length - 16)
  body[named] = 15
  body[named + 1] = 2
  expect(() => loads(envelope(body))).toThrow(UnpicklingError)
})

test("what a pickle that is refused had in the middle of something is not ended by its thread", async () => {
  const said: Array<string> = []
  const { code } = compile(
    `"use stackless"
    function* guarded(scheduleRemove) {
      try { yield* scheduleRemove() } finally { say("finally") }
    }
    return guarded`,
    { filename: "/forged/guarded.mjs", format: "commonjs" }
  )
  const say = (what: string): void => {
    said.push(what)
  }
  const guarded = new Function("require", "say", code)(() => frames, say)
  const scope = Effect.runSync(Scope.make())
  const thread = await Effect.runPromise(Scope.provide(stackless.makeThread, scope))
  const on = <A>(effect: Effect.Effect<A>): Promise<A> =>
    Effect.runPromise(Effect.provideService(effect, stackless.Thread, thread))
  const tasklet = stackless.tasklet(guarded)(stackless.scheduleRemove)
  await Effect.runPromise(stackless.run())
  class Refusing {
    static [reduce](): unknown {
      return tasklet
    }
    static [restore](loaded: stackless.Tasklet): never {
      throw new Error(loaded.alive ? "it is made" : "it is not made")
    }
  }
  persistent("Refusing", Refusing)
  const bytes = dumps(new Refusing())
  await on(Effect.sync(() => expect(() => loads(bytes)).toThrow("it is made")))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  expect(said).toEqual([])
})

test("a key is looked at before anything else: what is signed with another one is not read", () => {
  const key = new Uint8Array(32).fill(1)
  const forged = dumps(1, { key: new Uint8Array(32).fill(2) })
  // a body that would be refused, if it were read, for another reason
  forged[forged.length - 40]! ^= 255
  expect(() => loads(forged, { key })).toThrow("signed with another key, or was changed")
})
