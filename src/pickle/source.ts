/** Bytes, as they are read. Whatever they are, reading them ends in a value or in `UnpicklingError`. */
import { UnpicklingError } from "./errors.ts"

const scratch = new DataView(new ArrayBuffer(8))

export class Source {
  protected at = 0
  private readonly data: Uint8Array

  constructor(data: Uint8Array) {
    this.data = data
  }

  byte(): number {
    const b = this.data[this.at++]
    if (b === undefined) throw cut()
    return b
  }

  /** The next byte, which stays where it is. */
  peek(): number {
    return this.data[this.at] ?? -1
  }

  integer(): number {
    const { data } = this
    let b = data[this.at++]
    if (b === undefined) throw cut()
    if (b < 128) return b
    let n = b & 127
    for (let factor = 128; factor < 2 ** 56; factor *= 128) {
      b = data[this.at++]
      if (b === undefined) throw cut()
      n += (b & 127) * factor
      if (b < 128) {
        if (n > Number.MAX_SAFE_INTEGER) break
        return n
      }
    }
    throw new UnpicklingError("a number of the pickle is too large")
  }

  /** How many of something follow, each of at least one byte. */
  count(): number {
    const n = this.integer()
    if (n > this.data.length - this.at) throw cut()
    return n
  }

  double(): number {
    const { at, data } = this
    if (at + 8 > data.length) throw cut()
    for (let i = 0; i < 8; i++) scratch.setUint8(i, data[at + i]!)
    this.at += 8
    return scratch.getFloat64(0, true)
  }

  bigint(): bigint {
    let digits = ""
    for (const byte of this.take(this.integer())) digits = byte.toString(16).padStart(2, "0") + digits
    return BigInt(`0x0${digits}`)
  }

  take(length: number): Uint8Array {
    if (length > this.data.length - this.at) throw cut()
    return this.data.subarray(this.at, this.at += length)
  }

  skip(length: number): void {
    if (length > this.data.length - this.at) throw cut()
    this.at += length
  }

  text(): string {
    const code = this.integer()
    const length = Math.floor(code / 2)
    const wide = code % 2 === 1
    const bytes = this.take(wide ? length * 2 : length)
    let text = ""
    for (let start = 0; start < length; start += PIECE) {
      const codes: Array<number> = []
      for (let i = start; i < Math.min(length, start + PIECE); i++) {
        codes.push(wide ? bytes[2 * i]! | bytes[2 * i + 1]! << 8 : bytes[i]!)
      }
      text += String.fromCharCode(...codes)
    }
    return text
  }

  get done(): boolean {
    return this.at === this.data.length
  }
}

/** How many characters are made into a string at once. */
const PIECE = 1024

const cut = (): UnpicklingError => new UnpicklingError("the pickle says more than it has")
