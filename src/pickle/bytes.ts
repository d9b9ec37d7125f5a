/** Bytes, as they are written: a buffer that grows, and numbers of as many bytes as they need. */

const scratch = new DataView(new ArrayBuffer(8))

export class Writer {
  private bytes = new Uint8Array(256)
  length = 0

  byte(b: number): void {
    if (this.length === this.bytes.length) this.grow(1)
    this.bytes[this.length++] = b
  }

  /** An integer from 0 to 2^53 - 1, seven bits a byte, the lowest first. */
  integer(n: number): void {
    if (this.length + 8 > this.bytes.length) this.grow(8)
    const { bytes } = this
    let { length } = this
    while (n >= 0x80_00_00_00) {
      bytes[length++] = n % 128 | 128
      n = Math.floor(n / 128)
    }
    while (n >= 128) {
      bytes[length++] = n & 127 | 128
      n >>>= 7
    }
    bytes[length++] = n
    this.length = length
  }

  double(x: number): void {
    scratch.setFloat64(0, x, true)
    for (let i = 0; i < 8; i++) this.byte(scratch.getUint8(i))
  }

  /** Four bytes, the lowest first. */
  word(n: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.byte(n >>> shift & 255)
  }

  raw(more: Uint8Array): void {
    if (this.length + more.length > this.bytes.length) this.grow(more.length)
    this.bytes.set(more, this.length)
    this.length += more.length
  }

  /** A string: its length, doubled, and one more if its characters take two bytes; then they. */
  string(s: string): void {
    const { length } = s
    let wide = 0
    for (let i = 0; i < length; i++) {
      if (s.charCodeAt(i) > 255) {
        wide = 1
        break
      }
    }
    this.integer(length * 2 + wide)
    if (this.length + length * (wide + 1) > this.bytes.length) this.grow(length * (wide + 1))
    const { bytes } = this
    let at = this.length
    for (let i = 0; i < length; i++) {
      const code = s.charCodeAt(i)
      bytes[at++] = code
      if (wide === 1) bytes[at++] = code >>> 8
    }
    this.length = at
  }

  /** What has been written. It is the buffer itself: nothing may be written after. */
  done(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }

  private grow(by: number): void {
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + by))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }
}
