/** The signature is HMAC-SHA-256, as Node has it. */
import { dumps } from "effect-stackless/pickle"
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
