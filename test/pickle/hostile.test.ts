/**
 * Bytes from somebody who means ill. MUTATIONS says how many forged pickles are tried; a million take some minutes.
 */
import { dumps, loads, UnpicklingError } from "effect-stackless/pickle"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { bundle, makeDirectory } from "../bundle.ts"
import { bodyOf, envelope } from "./mutation.ts"
import { samples } from "./samples/values.ts"

const count = Number(process.env["MUTATIONS"] ?? 5000)
/** Those that take a while each. */
const large = ["a list a million long", "more strings than fit in a byte"]

const bodies = Object.entries(samples)
  .filter(([name]) => !large.includes(name))
  .map(([, { make }]) => bodyOf(dumps(make())))

test("an envelope that is in order is one that loads takes", () => {
  for (const body of bodies) loads(envelope(body))
})

describe("a forged pickle", () => {
  const directory = makeDirectory()
  afterAll(() => directory.remove())

  test(
    "ends in a value or in UnpicklingError, runs nothing, changes nothing, takes no more memory than it is long",
    async () => {
      const program = join(directory.path, "forgeries.mjs")
      await bundle("pickle/forgeries.ts", program)
      const { stderr, stdout } = spawnSync(process.execPath, [program, String(count), "1"], { encoding: "utf8" })
      expect(stderr).toBe("")
      const [, values, errors] = /forged: (\d+) values, (\d+) errors/.exec(stdout)!
      // both happen, or nothing was tried
      expect(Math.min(Number(values), Number(errors))).toBeGreaterThan(count / 50)
    },
    3_600_000
  )
})

test("bytes that are no pickle are refused", () => {
  for (const bytes of [[], [0x9E], [0x80, 4, 0x4E, 0x2E], [...Buffer.from("{}")]]) {
    expect(() => loads(new Uint8Array(bytes))).toThrow(UnpicklingError)
  }
  expect(() => loads("text" as never)).toThrow(TypeError)
})

test("damage is found by the checksum", () => {
  const pickle = dumps({ a: [1, 2, 3] })
  for (let at = 0; at < pickle.length; at++) {
    for (const bit of [1, 128]) {
      const damaged = pickle.slice()
      damaged[at]! ^= bit
      expect(() => loads(damaged)).toThrow(UnpicklingError)
    }
  }
  for (let length = 0; length < pickle.length; length++) {
    expect(() => loads(pickle.subarray(0, length))).toThrow(UnpicklingError)
  }
  expect(() => loads(new Uint8Array([...pickle, 0]))).toThrow("something behind its end")
})

test("a later format is refused by its number", () => {
  const pickle = dumps(1)
  pickle[4] = 2
  expect(() => loads(pickle)).toThrow("the pickle has format 2.0, and this program reads 1.x")
})

test("a signed pickle is loaded with its key only, and a key takes signed ones only", () => {
  const key = new Uint8Array(32).fill(7)
  const other = new Uint8Array(32).fill(8)
  const signed = dumps({ a: 1 }, { key })
  expect(loads(signed, { key })).toEqual({ a: 1 })
  expect(() => loads(signed, { key: other })).toThrow("signed with another key")
  expect(() => loads(signed)).toThrow("give loads the key")
  expect(() => loads(dumps({ a: 1 }), { key })).toThrow("not signed")
  for (let at = 7; at < signed.length; at++) {
    const changed = signed.slice()
    changed[at]! ^= 1
    expect(() => loads(changed, { key })).toThrow(UnpicklingError)
  }
})

test("a key is bytes, and not too few", () => {
  expect(() => dumps(1, { key: "secret" as never })).toThrow(TypeError)
  expect(() => loads(dumps(1), { key: new Uint8Array(3) })).toThrow("a key has 16 bytes or more")
})

test("a name that the program has given to nothing is an error that says it", () => {
  const body = bodyOf(dumps(Math.max))
  const text = Buffer.from(body).indexOf("Math.max")
  const forged = body.slice()
  forged.set(Buffer.from("Math.mix"), text)
  expect(() => loads(envelope(forged))).toThrow("Math.mix")
})

test("what makes functions out of text has no name", () => {
  for (
    const value of [
      Function,
      Reflect.get(globalThis, "eval"),
      (function*() {}).constructor,
      Object.prototype,
      Array.prototype
    ]
  ) {
    expect(() => dumps(value)).toThrow("cannot be pickled")
  }
})
