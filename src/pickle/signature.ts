/**
 * HMAC with SHA-256 (RFC 2104, FIPS 180-4): who has not got the key can neither make a pickle nor change one.
 *
 * It stands here because it has to be had at once, without a promise, on every engine: Web Crypto is asynchronous, `node:crypto`
 * is Node's own, and a package that only signed pickles need could not be loaded in the middle of a call.
 */

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes, and of the square roots of eight.
const primes: Array<number> = []
for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p !== 0)) primes.push(n)
const fraction = (x: number): number => (x - Math.floor(x)) * 2 ** 32 >>> 0
const constants = new Uint32Array(primes.map((p) => fraction(Math.cbrt(p))))
const initial = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)))

const BLOCK = 64
const schedule = new Uint32Array(64)

class Sha256 {
  private readonly state = new Uint32Array(initial)
  private readonly block = new Uint8Array(BLOCK)
  private filled = 0
  private total = 0

  update(bytes: Uint8Array): this {
    this.total += bytes.length
    let at = 0
    while (at < bytes.length) {
      if (this.filled === 0 && bytes.length - at >= BLOCK) {
        this.compress(bytes, at)
        at += BLOCK
        continue
      }
      const taken = Math.min(BLOCK - this.filled, bytes.length - at)
      this.block.set(bytes.subarray(at, at + taken), this.filled)
      this.filled += taken
      at += taken
      if (this.filled === BLOCK) {
        this.compress(this.block, 0)
        this.filled = 0
      }
    }
    return this
  }

  digest(): Uint8Array {
    const { total } = this
    const padding = new Uint8Array((this.filled < 56 ? 56 : 120) - this.filled + 8)
    padding[0] = 0x80
    const view = new DataView(padding.buffer)
    view.setUint32(padding.length - 8, Math.floor(total / 2 ** 29))
    view.setUint32(padding.length - 4, total * 8 >>> 0)
    this.update(padding)
    const digest = new Uint8Array(32)
    const out = new DataView(digest.buffer)
    this.state.forEach((word, i) => out.setUint32(i * 4, word))
    return digest
  }

  private compress(bytes: Uint8Array, at: number): void {
    const w = schedule
    for (let i = 0; i < 16; i++, at += 4) {
      w[i] = bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15]!
      const y = w[i - 2]!
      w[i] = w[i - 16]! + w[i - 7]! + (rotate(x, 7) ^ rotate(x, 18) ^ x >>> 3) +
        (rotate(y, 17) ^ rotate(y, 19) ^ y >>> 10)
    }
    const { state } = this
    let [a, b, c, d, e, f, g, h] = state as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number
    ]
    for (let i = 0; i < 64; i++) {
      const one = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (e & f ^ ~e & g) + constants[i]! + w[i]! | 0
      const two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + (a & b ^ a & c ^ b & c) | 0
      h = g
      g = f
      f = e
      e = d + one | 0
      d = c
      c = b
      b = a
      a = one + two | 0
    }
    const changes = [a, b, c, d, e, f, g, h]
    for (let i = 0; i < 8; i++) state[i]! += changes[i]!
  }
}

const rotate = (x: number, by: number): number => x >>> by | x << 32 - by

/** How many bytes a signature has. */
export const SIGNATURE_LENGTH = 32

/** The signature of bytes under a key. */
export const sign = (key: Uint8Array, bytes: Uint8Array): Uint8Array => {
  const block = new Uint8Array(BLOCK)
  block.set(key.length > BLOCK ? new Sha256().update(key).digest() : key)
  const inner = new Sha256().update(block.map((b) => b ^ 0x36)).update(bytes).digest()
  return new Sha256().update(block.map((b) => b ^ 0x5C)).update(inner).digest()
}

/** Are two signatures the same? It takes as long wherever they differ. */
export const sameSignature = (a: Uint8Array, b: Uint8Array): boolean => {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ (b[i] ?? 0)
  return difference === 0
}
