/** Pickles that somebody has forged: changed bodies in envelopes that are in order. */
import * as fc from "fast-check"

const table = Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? c >>> 1 ^ 0xED_B8_83_20 : c >>> 1
  return c >>> 0
})

const crc32 = (bytes: Uint8Array): number => {
  let c = 0xFF_FF_FF_FF
  for (const b of bytes) c = table[(c ^ b) & 255]! ^ c >>> 8
  return ~c >>> 0
}

/** What is in a pickle's envelope: magic, versions, flags and the length come before it, four bytes after. */
export const bodyOf = (pickle: Uint8Array): Uint8Array => {
  let at = 7
  while (pickle[at++]! > 127);
  return pickle.subarray(at, pickle.length - 4)
}

export const envelope = (body: Uint8Array): Uint8Array => {
  const head = [0x9E, 0x45, 0x53, 0x50, 1, 0, 0]
  let { length } = body
  for (; length > 127; length >>>= 7) head.push(length & 127 | 128)
  head.push(length)
  const all = new Uint8Array(head.length + body.length + 4)
  all.set(head)
  all.set(body, head.length)
  new DataView(all.buffer).setUint32(all.length - 4, crc32(all.subarray(0, all.length - 4)), true)
  return all
}

/** How a body is changed: each number is taken modulo what there is. */
export type Mutation = readonly [kind: number, a: number, b: number, c: number]

export const mutation: fc.Arbitrary<Mutation> = fc.tuple(fc.nat(8), fc.nat(), fc.nat(), fc.nat(255))

/** Numbers that stand at an edge of something. */
const edges = [0, 1, 14, 15, 16, 63, 64, 127, 128, 191, 192, 254, 255]

export const mutate = (body: Uint8Array, other: Uint8Array, [kind, a, b, c]: Mutation): Uint8Array => {
  const length = Math.max(1, body.length)
  const at = a % length
  const to = b % length
  switch (kind) {
    case 0: // a bit
      return changed(body, (bytes) => bytes[at]! ^= 1 << (b & 7))
    case 1: // a byte
      return changed(body, (bytes) => bytes[at] = c)
    case 2: // a byte at an edge
      return changed(body, (bytes) => bytes[at] = edges[b % edges.length]!)
    case 3: // one more, or one less: an id, a length
      return changed(body, (bytes) => bytes[at]! += c % 2 === 0 ? 1 : -1)
    case 4: // cut
      return body.slice(0, at)
    case 5: // something left out
      return joined(body.subarray(0, Math.min(at, to)), body.subarray(Math.max(at, to)))
    case 6: // two pieces in the other order
      return joined(
        body.subarray(0, at),
        body.subarray(at + c, at + 2 * c),
        body.subarray(at, at + c),
        body.subarray(at + 2 * c)
      )
    case 7: // the beginning of one, the end of another
      return joined(body.subarray(0, at), other.subarray(b % Math.max(1, other.length)))
    default: // a number of five bytes, in the place of one
      return joined(body.subarray(0, at), new Uint8Array([255, 255, 255, 255, c & 127]), body.subarray(at + 1))
  }
}

const changed = (body: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array => {
  const bytes = body.slice()
  change(bytes)
  return bytes
}

const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))
