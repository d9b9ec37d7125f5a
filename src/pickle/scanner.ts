/**
 * Checking. Every record is read once before anything is made: known tags and numbers only, each reference to a record that
 * there is, and of the kind that stands there. What is left for later is what only the making can tell.
 */
import { UnpicklingError } from "./errors.ts"
import {
  BIGINT,
  DOUBLE,
  FALSE,
  HELD_CLASS,
  HELD_PROTOTYPE,
  HOLE,
  INTEGER,
  MINUS_ZERO,
  NAMED,
  NAN,
  NEGATIVE,
  NEGATIVE_BIGINT,
  NEW,
  NULL,
  REFERENCE,
  SMALL_INTEGER,
  SMALL_STRING,
  STRING,
  SYMBOL,
  TRUE,
  UNDEFINED
} from "./format.ts"
import type { Checking, Kind, Type } from "./kind.ts"
import { objectKind } from "./kinds.ts"
import { Source } from "./source.ts"
import { type Migrations, readAttributes, readKey, readTables, type Tables } from "./tables.ts"

export class Scanner extends Source implements Checking {
  readonly tables: Tables
  /** The type of each record. */
  readonly types: ReadonlyArray<Type>
  /** Where each record begins, and the number of the first record that it is the first to refer to. */
  readonly offsets: Uint32Array
  readonly firsts: Uint32Array
  /** Where the value stands that was dumped. */
  readonly start: number
  /** Does some record have to wait for others to be complete? */
  readonly ordered: boolean
  /** The number of the next record that is met for the first time. */
  private next = 0
  /** Told the numbers of the records that are referred to. */
  private told: ((id: number) => void) | undefined = undefined

  constructor(data: Uint8Array, migrations: Migrations) {
    super(data)
    this.tables = readTables(this, migrations)
    const count = this.count()
    const types: Array<Type> = new Array(count)
    let ordered = false
    for (let id = 0; id < count; id++) {
      const type = this.tables.types[this.integer()]
      if (type === undefined) throw new UnpicklingError("a record of the pickle is of a type that there is not")
      types[id] = type
      if (type.kind.last === true) ordered = true
    }
    this.types = types
    this.ordered = ordered
    this.offsets = new Uint32Array(count)
    this.firsts = new Uint32Array(count)
    this.start = this.at
    this.value()
    for (let id = 0; id < count; id++) {
      this.offsets[id] = this.at
      this.firsts[id] = this.next
      this.scan(types[id]!)
    }
    if (!this.done || this.next !== count) throw new UnpicklingError("the pickle has records that nothing refers to")
  }

  private scan(type: Type): void {
    if (type.prototype === HELD_PROTOTYPE) this.record(objectKind)
    else if (type.prototype === HELD_CLASS) this.value()
    type.kind.scan(this, type)
  }

  /** The numbers of the records that one refers to. */
  referencesOf(id: number): ReadonlyArray<number> {
    const found: Array<number> = []
    this.at = this.offsets[id]!
    this.next = this.firsts[id]!
    this.told = (id) => found.push(id)
    this.scan(this.types[id]!)
    this.told = undefined
    return found
  }

  // ---- what stands in records -------------------------------------------------------------------------------------

  value(mayBeHole = false): void {
    const tag = this.byte()
    if (tag >= SMALL_INTEGER) {
      if (tag >= SMALL_STRING) this.requireString(tag - SMALL_STRING)
      return
    }
    switch (tag) {
      case UNDEFINED:
      case NULL:
      case FALSE:
      case TRUE:
      case NAN:
      case MINUS_ZERO:
        return
      case NEW:
        this.met(this.next++)
        return
      case REFERENCE:
        this.met(this.integer())
        return
      case STRING:
        return this.requireString(this.integer())
      case INTEGER:
      case NEGATIVE:
        this.integer()
        return
      case DOUBLE:
        this.skip(8)
        return
      case NAMED:
        if (this.integer() >= this.tables.named.length) {
          throw new UnpicklingError("the pickle uses a name that it has not")
        }
        return
      case BIGINT:
      case NEGATIVE_BIGINT:
        this.skip(this.integer())
        return
      case SYMBOL:
        if (this.integer() >= this.tables.symbols.length) {
          throw new UnpicklingError("the pickle uses a symbol that it has not")
        }
        return
      case HOLE:
        if (mayBeHole) return
    }
    throw new UnpicklingError(`the pickle has a value of kind ${tag}, which there is not here`)
  }

  record(kind: Kind): void {
    const actual = this.kindHere()
    if (actual !== kind) {
      throw new UnpicklingError(`the pickle has a record of kind ${actual.name} where ${kind.name} belongs`)
    }
  }

  frame(): void {
    const actual = this.kindHere()
    if (actual.isFrame !== true) {
      throw new UnpicklingError(`the pickle has a record of kind ${actual.name} where a frame belongs`)
    }
  }

  private kindHere(): Kind {
    const tag = this.byte()
    if (tag !== NEW && tag !== REFERENCE) {
      throw new UnpicklingError("the pickle has a plain value where an object belongs")
    }
    const id = tag === NEW ? this.next++ : this.integer()
    this.met(id)
    return this.types[id]!.kind
  }

  optionalRecord(kind: Kind): void {
    if (this.peek() === UNDEFINED) this.byte()
    else this.record(kind)
  }

  string(): void {
    const tag = this.byte()
    if (tag >= SMALL_STRING) this.requireString(tag - SMALL_STRING)
    else if (tag === STRING) this.requireString(this.integer())
    else throw new UnpicklingError("the pickle has no string where one belongs")
  }

  primitive(type: string): void {
    const tag = this.peek()
    const actual = tag >= SMALL_STRING || tag === STRING
      ? "string"
      : tag === SYMBOL || tag === NAMED
      ? "symbol"
      : tag === TRUE || tag === FALSE
      ? "boolean"
      : tag === BIGINT || tag === NEGATIVE_BIGINT
      ? "bigint"
      : "number"
    if (actual !== type || tag === NEW || tag === REFERENCE || tag === UNDEFINED || tag === NULL) {
      throw new UnpicklingError(`the pickle has no ${type} where one belongs`)
    }
    this.value()
  }

  bytes(): number {
    const length = this.integer()
    this.skip(length)
    return length
  }

  properties({ keys }: Type): void {
    if (keys !== undefined) {
      for (let i = 0; i < keys.length; i++) this.value()
      return
    }
    const { strings, symbols } = this.tables
    const seen = new Set<PropertyKey>()
    for (let n = this.count(); n > 0; n--) {
      const key = readKey(this, strings, symbols)
      readAttributes(this)
      if (seen.has(key)) throw new UnpicklingError("an object of the pickle has a property twice")
      seen.add(key)
      this.value()
    }
  }

  private met(id: number): void {
    if (id >= this.types.length) throw new UnpicklingError(`the pickle refers to record ${id}, which it has not`)
    this.told?.(id)
  }

  private requireString(number: number): void {
    if (number >= this.tables.strings.length) {
      throw new UnpicklingError(`the pickle refers to string ${number}, which it has not`)
    }
  }
}
