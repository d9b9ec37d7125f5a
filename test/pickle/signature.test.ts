/** The signature is HMAC-SHA-256, as Node has it. */
import { dumps, loads, signPickle, UnpicklingError } from "effect-stackless/pickle"
import * as fc from "fast-check"
import { createHmac } from "node:crypto"
import { expect, test } from "vitest"

test("the last 32 bytes are the HMAC-SHA-256 of all before", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 200 }), fc.string({ maxLength: 300 }), (key, value) => {
      const signed = dumps(value, { key })
      const signature = createHmac("sha256", key).update(signed.subarray(0, -32)).digest()
      expect(Buffer.from(signed.subarray(-32))).toEqual(signature)
    })
  )
})

test("a pickle that is signed later is the one that is signed when it is dumped", () => {
  const key = new Uint8Array(16).fill(3)
  const value = { a: [1, "b"] }
  const signed = signPickle(dumps(value), { key })
  expect(signed).toEqual(dumps(value, { key }))
  expect(loads(signed, { key })).toEqual(value)
  expect(() => signPickle(signed, { key })).toThrow(UnpicklingError)
  expect(() => signPickle(signed, { key })).toThrow("the pickle is signed already")
  const damaged = dumps(value)
  damaged[10]! ^= 1
  expect(() => signPickle(damaged, { key })).toThrow(UnpicklingError)
  expect(() => signPickle(dumps(value), {} as { key: Uint8Array })).toThrow("signPickle takes a key")
  expect(() => signPickle(dumps(value), { key: new Uint8Array(3) })).toThrow("a key has 16 bytes or more; got 3")
  expect(() => signPickle("a" as unknown as Uint8Array, { key })).toThrow("signPickle takes a Uint8Array")
})
