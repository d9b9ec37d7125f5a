/** Looking into a pickle: whatever bytes are given, it ends, and makes nothing. */
import { Effect } from "effect"
import { dumps, inspectPickle, persistent, UnpicklingError } from "effect-stackless/pickle"
import { channel, tasklet, withThread } from "effect-stackless/stackless"
import { assert, integer, nat, property } from "fast-check"
import { readFileSync } from "node:fs"
import { expect, test } from "vitest"

test("values of every kind are told as JavaScript writes them", () => {
  const named = persistent("inspected", {})
  const { names, problems, records, value } = inspectPickle(dumps({
    a: [1, -1, 1.5, -0, NaN, 12345678901234567890n, -3n, "text", true, null, undefined, Symbol.for("s")],
    map: new Map<unknown, unknown>([["k", new Set(["m"])]]),
    bytes: new Uint8Array([1, 2, 3]),
    named
  }))
  expect([value, problems]).toEqual(["#0", []])
  expect(names).toContainEqual({ kind: "persistent", name: "inspected" })
  expect(records[0]!.properties).toMatchObject({ a: "#1", map: "#2", named: "inspected" })
  expect(records[1]!.elements).toEqual(
    [
      "1",
      "-1",
      "1.5",
      "-0",
      "NaN",
      "12345678901234567890n",
      "-3n",
      "\"text\"",
      "true",
      "null",
      "undefined",
      "Symbol.for(\"s\")"
    ]
  )
  expect(records[2]).toMatchObject({
    kind: "Map",
    about: { size: "1" },
    elements: ["\"k\"", expect.stringMatching(/^#/)]
  })
  expect(records.map(({ kind }) => kind)).toContain("Uint8Array")
})

test("an unstarted tasklet and a channel that holds values are told with their parts", () =>
  Effect.runPromise(withThread(
    Effect.sync(() => {
      const c = channel<number>({ capacity: 3 })
      c.name = "held"
      const { records } = inspectPickle(dumps({ c, t: tasklet(persistent("inspected body", function*() {}))() }))
      expect(records.find(({ kind }) => kind === "channel")!.about).toMatchObject({
        name: "\"held\"",
        capacity: "3",
        balance: 0
      })
      expect(records.find(({ kind }) => kind === "tasklet")!.about).toMatchObject({
        state: "unstarted",
        body: "inspected body"
      })
    })
  )))

test("cut off or changed anywhere, a pickle is told of or refused, and nothing else happens", () => {
  const whole = new Uint8Array(readFileSync("test/pickle/formats/1.0.pickle"))
  expect(inspectPickle(whole).problems).toEqual([])
  assert(property(
    nat(whole.length - 1),
    nat(whole.length - 1),
    integer({ min: 1, max: 255 }),
    (length, at, change) => {
      const problems = (bytes: Uint8Array): number => {
        try {
          return inspectPickle(bytes).problems.length
        } catch (error) {
          return error instanceof UnpicklingError ? 1 : NaN
        }
      }
      expect(problems(whole.slice(0, length))).toBeGreaterThan(0)
      expect(problems(whole.map((b, i) => i === at ? b ^ change : b))).toBeGreaterThan(0)
    }
  ))
})

test("what are no bytes are refused", () => {
  expect(() => inspectPickle("text" as never)).toThrow("inspectPickle takes a Uint8Array")
})
