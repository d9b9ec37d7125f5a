/**
 * Looking into a pickle without loading it: nothing of the program is looked up, nothing is made, and no code runs. So a pickle of
 * another program can be read, and of a damaged one as much as is whole.
 */
import { crc32 } from "./checksum.ts"
import { UnpicklingError } from "./errors.ts"
import {
  BIGINT,
  COMPILED,
  COMPILED_CODE,
  COMPILED_SCOPE,
  DOUBLE,
  FALSE,
  HELD_CLASS,
  HELD_PROTOTYPE,
  HOLE,
  INTEGER,
  METHOD,
  MINUS_ZERO,
  NAMED,
  NAMED_CLASS,
  NAN,
  NEGATIVE,
  NEGATIVE_BIGINT,
  NEW,
  NO_PROTOTYPE,
  NULL,
  OF_THREAD,
  PERSISTENT,
  readHead,
  REFERENCE,
  REGISTERED_SYMBOL,
  SMALL_INTEGER,
  SMALL_STRING,
  STATIC_METHOD,
  STRING,
  SYMBOL,
  TRUE,
  UNDEFINED,
  WELL_KNOWN
} from "./format.ts"
import type { Checking, SeenType, Type } from "./kind.ts"
import { kindByCode } from "./kinds.ts"
import { SIGNATURE_LENGTH } from "./signature.ts"
import { Source } from "./source.ts"
import { pick, pickAt, readAttributes, readKey } from "./tables.ts"

/**
 * What a pickle needs of the program that loads it, by its name: a function with the hash of its code, a class, a named value.
 *
 * @category models
 * @since 0.1.0
 */
export interface PickledName {
  /** `code`, `function`, `scope`, `method`, `static method`, `persistent`, `well-known` or `thread`. */
  readonly kind: string
  readonly name: string
  /** Of code: its hash when the pickle was made. */
  readonly hash?: string
}

/**
 * An object in a pickle. Other objects are written by their numbers, as `#7`; all other values as JavaScript writes them.
 *
 * @category models
 * @since 0.1.0
 */
export interface PickledRecord {
  /** Its number. */
  readonly id: number
  /** What it is: `tasklet`, `frame`, `channel`, `object`, `Map` … */
  readonly kind: string
  /** Its class, if it is not the kind's own. */
  readonly class?: string
  /** Where it begins in the file, and how many bytes it takes. */
  readonly offset: number
  readonly bytes: number
  /** What the kind says of it: a tasklet's state and frames, a frame's function and file … */
  readonly about: Readonly<Record<string, string | number | ReadonlyArray<string>>>
  /** Its properties; of a frame, its variables. */
  readonly properties: Readonly<Record<string, string>>
  /** What else is in it, in order: the elements of an array, the keys and values of a Map … */
  readonly elements: ReadonlyArray<string>
}

/**
 * What is in a pickle.
 *
 * @category models
 * @since 0.1.0
 */
export interface PickleContents {
  /** The version of the format. */
  readonly format: string
  /** How many bytes it has. */
  readonly size: number
  readonly signed: boolean
  /** What is wrong with it; none, if it is whole. What was read up to there is in the rest. */
  readonly problems: ReadonlyArray<string>
  /** The value that was dumped. */
  readonly value: string | undefined
  /** What the program that loads it has to have. */
  readonly names: ReadonlyArray<PickledName>
  readonly records: ReadonlyArray<PickledRecord>
}

/**
 * Says what is in a pickle, without loading it: it needs none of the program's modules, makes none of the objects and runs no code.
 * It takes no key, and does not look whether a signature is right. What is damaged is told of in `problems`, together with all
 * that stands before the damage.
 *
 * Throws `UnpicklingError` for bytes that are no pickle or one of another format; `TypeError` for what are no bytes. Mirrors
 * `pickletools.dis`.
 *
 * @example
 * ```ts
 * import { dumps, inspectPickle } from "effect-stackless/pickle"
 *
 * const { records } = inspectPickle(dumps({ name: "Ann", friends: ["Bob"] }))
 * records.map(({ kind }) => kind) // => [ 'object', 'array' ]
 * records[0].properties.friends // => #1
 * ```
 *
 * @category pickling
 * @since 0.1.0
 */
export const inspectPickle = (bytes: Uint8Array): PickleContents => {
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(`inspectPickle takes a Uint8Array, as dumps gives it; got ${typeof bytes}`)
  }
  const { at, length, major, minor, signed } = readHead(bytes)
  const problems: Array<string> = []
  const end = at + length
  const expected = end + 4 + (signed ? SIGNATURE_LENGTH : 0)
  if (bytes.length < expected) problems.push(`the file is cut off: it has ${bytes.length} bytes of ${expected}`)
  else if (bytes.length > expected) {
    problems.push(`the file has ${bytes.length - expected} bytes behind the end of the pickle`)
  }
  if (bytes.length >= end + 4) {
    const checksum = new DataView(bytes.buffer, bytes.byteOffset + end, 4).getUint32(0, true)
    if (crc32(bytes.subarray(0, end)) !== checksum) {
      problems.push("the checksum is wrong: some byte is not what was written")
    }
  }
  const inspector = new Inspector(bytes.subarray(at, end), at)
  try {
    inspector.read()
  } catch (error) {
    problems.push(`at byte ${inspector.place}: ${error instanceof Error ? error.message : String(error)}`)
  }
  const { dumped: value, names, records } = inspector
  return { format: `${major}.${minor}`, size: bytes.length, signed, problems, value, names, records }
}

const NAME_KINDS: ReadonlyMap<number, string> = new Map([
  [WELL_KNOWN, "well-known"],
  [PERSISTENT, "persistent"],
  [COMPILED, "function"],
  [OF_THREAD, "thread"],
  [COMPILED_CODE, "code"],
  [COMPILED_SCOPE, "scope"],
  [METHOD, "method"],
  [STATIC_METHOD, "static method"]
])

/** Reads all records with the kinds' own `scan`, and notes what it meets as text. */
class Inspector implements Checking {
  readonly names: Array<PickledName> = []
  readonly records: Array<PickledRecord> = []
  dumped: string | undefined = undefined
  private readonly source: Positioned
  /** Where the pickle's body begins in the file. */
  private readonly start: number
  private readonly strings: Array<string> = []
  private readonly symbols: Array<string> = []
  /** The same as keys of properties. */
  private readonly symbolKeys: Array<string> = []
  private readonly types: Array<SeenType> = []
  private readonly typeOf: Array<SeenType> = []
  private next = 0
  // what has been seen of the record that is being read
  private seen: Array<string> = []
  private own: Record<string, string> = Object.create(null)

  constructor(data: Uint8Array, start: number) {
    this.source = new Positioned(data)
    this.start = start
  }

  get place(): number {
    return this.start + this.source.place
  }

  read(): void {
    for (let n = this.source.count(); n > 0; n--) this.strings.push(this.source.text())
    for (let n = this.source.count(); n > 0; n--) {
      const kind = this.source.byte()
      const name = pick(this.source, this.strings, "string")
      const symbol = kind === REGISTERED_SYMBOL ? `Symbol.for(${JSON.stringify(name)})` : `Symbol.${name}`
      this.symbols.push(symbol)
      this.symbolKeys.push(`[${symbol}]`)
    }
    for (let n = this.source.count(); n > 0; n--) this.names.push(this.name())
    for (let n = this.source.count(); n > 0; n--) this.types.push(this.type())
    for (let n = this.source.count(); n > 0; n--) this.typeOf.push(pick(this.source, this.types, "type"))
    this.value()
    this.dumped = this.seen[0]
    for (const [id, type] of this.typeOf.entries()) this.readRecord(id, type)
    if (!this.source.done || this.next !== this.typeOf.length) {
      throw new UnpicklingError("the pickle has records that nothing refers to")
    }
  }

  // ---- tables -----------------------------------------------------------------------------------------------------

  private name(): PickledName {
    const code = this.source.byte()
    const kind = NAME_KINDS.get(code)
    if (kind === undefined) {
      throw new UnpicklingError(`the pickle has a name of kind ${code}, which this program does not know`)
    }
    if (code === METHOD || code === STATIC_METHOD) {
      const of = pick(this.source, this.names, "name")
      return { kind, name: `${of.name}.${this.key()}` }
    }
    const name = pick(this.source, this.strings, "string")
    return code === COMPILED_CODE ? { kind, name, hash: pick(this.source, this.strings, "string") } : { kind, name }
  }

  private key(): string {
    return readKey(this.source, this.strings, this.symbolKeys)
  }

  private type(): SeenType {
    const code = this.source.integer()
    const kind = kindByCode.get(code)
    if (kind === undefined) {
      throw new UnpicklingError(`the pickle has records of kind ${code}, which this program does not know`)
    }
    const prototype = this.source.byte()
    if (prototype > HELD_CLASS) throw new UnpicklingError("the pickle has a prototype of a kind that there is not")
    const named = prototype === NAMED_CLASS ? pick(this.source, this.names, "name").name : undefined
    const extensible = this.source.byte() !== 0
    const extra = this.source.integer()
    const count = this.source.integer()
    const keys: Array<string> = []
    for (let i = 1; i < count; i++) {
      keys.push(this.key())
      readAttributes(this.source)
    }
    return { kind, prototype, named, extensible, extra, keys: count === 0 ? undefined : keys }
  }

  // ---- records ----------------------------------------------------------------------------------------------------

  private readRecord(id: number, type: SeenType): void {
    const begin = this.source.place
    this.seen = []
    this.own = Object.create(null)
    const { kind, named, prototype } = type
    const held = prototype === HELD_PROTOTYPE || prototype === HELD_CLASS ? (this.value(), this.seen.pop()) : undefined
    kind.scan(this, { ...type, attributes: noAttributes, assignable: false })
    const Class = named ?? held ?? (prototype === NO_PROTOTYPE ? "null" : undefined)
    const { about, elements, properties } = kind.tell?.(this.seen, type, this.names) ?? {}
    this.records.push({
      id,
      kind: kind.name,
      ...(Class === undefined ? {} : { class: Class }),
      offset: this.start + begin,
      bytes: this.source.place - begin,
      about: about ?? {},
      properties: properties ?? this.own,
      elements: elements ?? this.seen
    })
  }

  value(mayBeHole = false): void {
    this.seen.push(this.valueText(mayBeHole))
  }

  private valueText(mayBeHole: boolean): string {
    const tag = this.source.byte()
    if (tag >= SMALL_STRING) return JSON.stringify(pickAt(this.strings, tag - SMALL_STRING, "string"))
    if (tag >= SMALL_INTEGER) return String(tag - SMALL_INTEGER)
    switch (tag) {
      case UNDEFINED:
        return "undefined"
      case NULL:
        return "null"
      case FALSE:
        return "false"
      case TRUE:
        return "true"
      case NAN:
        return "NaN"
      case MINUS_ZERO:
        return "-0"
      case NEW:
        return this.reference(this.next++)
      case REFERENCE:
        return this.reference(this.source.integer())
      case STRING:
        return JSON.stringify(pick(this.source, this.strings, "string"))
      case INTEGER:
        return String(this.source.integer())
      case NEGATIVE:
        return String(-1 - this.source.integer())
      case DOUBLE:
        return String(this.source.double())
      case NAMED:
        return pick(this.source, this.names, "name").name
      case BIGINT:
        return `${this.source.bigint()}n`
      case NEGATIVE_BIGINT:
        return `${-1n - this.source.bigint()}n`
      case SYMBOL:
        return pick(this.source, this.symbols, "symbol")
      case HOLE:
        if (mayBeHole) return "(nothing)"
    }
    throw new UnpicklingError(`the pickle has a value of kind ${tag}, which there is not here`)
  }

  private reference(id: number): string {
    if (id >= this.typeOf.length) throw new UnpicklingError(`the pickle refers to record ${id}, which it has not`)
    return `#${id}`
  }

  integer(): number {
    const n = this.source.integer()
    this.seen.push(String(n))
    return n
  }

  double(): number {
    const x = this.source.double()
    this.seen.push(String(x))
    return x
  }

  string(): void {
    this.value()
  }

  primitive(): void {
    this.value()
  }

  record(): void {
    this.value()
  }

  frame(): void {
    this.value()
  }

  optionalRecord(): void {
    this.value()
  }

  bytes(): number {
    const { length } = this.source.take(this.source.integer())
    this.seen.push(`${length} bytes`)
    return length
  }

  properties({ keys }: Type): void {
    const before = this.seen.length
    if (keys !== undefined) {
      for (const key of keys) this.property(key as string)
    } else {
      for (let n = this.source.count(); n > 0; n--) {
        const key = this.key()
        readAttributes(this.source)
        this.property(key)
      }
    }
    this.seen.length = before
  }

  private property(key: string): void {
    this.value()
    this.own[key] = this.seen.at(-1)!
  }
}

/** A source that says where it stands. */
class Positioned extends Source {
  get place(): number {
    return this.at
  }
}

const noAttributes = new Uint8Array()
