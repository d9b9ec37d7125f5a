/**
 * Making. All objects are made first, empty, then filled: so a cycle is nothing special, and nothing is nested. What has to be
 * made of others that are complete (see reduce.ts) makes it go group by group: those that refer to one another in a circle
 * are a group, and those that a group refers to come before it.
 */
import { prototypeOf } from "./class.ts"
import { UnpicklingError } from "./errors.ts"
import {
  BIGINT,
  CONFIGURABLE,
  DOUBLE,
  ENUMERABLE,
  FALSE,
  HELD_CLASS,
  HELD_PROTOTYPE,
  INTEGER,
  MAX_PROTOTYPES,
  MINUS_ZERO,
  NAMED,
  NAMED_CLASS,
  NAN,
  NEGATIVE,
  NEGATIVE_BIGINT,
  NEW,
  NO_PROTOTYPE,
  NULL,
  ORDINARY,
  REFERENCE,
  SMALL_INTEGER,
  SMALL_STRING,
  STRING,
  SYMBOL,
  TRUE,
  UNDEFINED,
  WRITABLE
} from "./format.ts"
import { groupsOf } from "./groups.ts"
import type { Making, Names, Type } from "./kind.ts"
import { objectKind } from "./kinds.ts"
import { Scanner } from "./scanner.ts"
import { Source } from "./source.ts"
import { type Migrations, readAttributes, readKey, type Tables } from "./tables.ts"

export class Loader extends Source implements Making {
  private readonly scanner: Scanner
  private readonly tables: Tables
  private readonly types: ReadonlyArray<Type>
  private readonly objects: Array<object | undefined>
  private next = 0
  readonly names: Names
  // what is to be done when all is there
  private readonly filled: Array<() => void> = []
  private readonly completed: Array<() => void> = []
  private readonly endings: Array<() => void> = []
  private readonly claimed: Uint8Array
  /** The number of the record that was referred to last. */
  private last = 0

  constructor(data: Uint8Array, migrations: Migrations) {
    super(data)
    this.scanner = new Scanner(data, migrations)
    this.tables = this.scanner.tables
    this.names = this.tables.names
    this.types = this.scanner.types
    this.objects = new Array(this.types.length)
    this.claimed = new Uint8Array(this.types.length)
  }

  load(): unknown {
    const { types } = this
    if (this.scanner.ordered) {
      for (const group of groupsOf(types.length, (id) => this.scanner.referencesOf(id))) {
        const last = group.find((id) => types[id]!.kind.last === true)
        if (last !== undefined && (group.length > 1 || this.scanner.referencesOf(last).includes(last))) {
          const { named } = types[last]!
          throw new UnpicklingError(
            `what [pickle.reduce] of ${
              typeof named === "function" ? named.name : "a class"
            } gave refers to the object that it was made of`
          )
        }
        this.make(group)
      }
    } else this.make(countingTo(types.length))
    this.at = this.scanner.start
    this.next = 0
    const value = this.value()
    for (const f of this.filled) f()
    for (const f of this.completed) f()
    for (const f of this.endings) f()
    return value
  }

  isLoaded(object: object): boolean {
    return !(this.found ??= new Set(this.tables.named)).has(object)
  }

  /** What was found by its name. */
  private found: ReadonlySet<unknown> | undefined

  claimLast(): void {
    const { claimed, last } = this
    if (claimed[last] === 1) throw new UnpicklingError("a frame of the pickle is on two stacks")
    claimed[last] = 1
  }

  whenFilled(f: () => void): void {
    this.filled.push(f)
  }

  whenComplete(f: () => void): void {
    this.completed.push(f)
  }

  atEnd(f: () => void): void {
    this.endings.push(f)
  }

  // ---- objects ----------------------------------------------------------------------------------------------------

  private make(ids: ReadonlyArray<number> | Uint32Array): void {
    const { objects, types } = this
    const late: Array<number> = []
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      const type = types[id]!
      if (type.kind.late === true) late.push(id)
      else this.makeOne(id, type)
    }
    for (const id of late) this.makeOne(id, types[id]!)
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      const type = types[id]!
      const object = objects[id]!
      this.enter(id, type)
      if (type.prototype === HELD_PROTOTYPE) this.inherit(object, this.held as object)
      type.kind.fill(this, object, type)
      if (!type.extensible && type.kind.last !== true) Object.preventExtensions(object)
    }
  }

  private makeOne(id: number, type: Type): void {
    this.enter(id, type)
    const object: object = type.kind.make(this, type)
    if (type.prototype !== 0 && type.kind !== objectKind && type.kind.last !== true) {
      if (type.prototype === NAMED_CLASS || type.prototype === NO_PROTOTYPE) {
        this.inherit(object, this.prototypeOf(type))
      }
    }
    this.objects[id] = object
  }

  /** What stands first in the record that is read, if its prototype does. */
  private held: unknown = undefined

  private enter(id: number, type: Type): void {
    this.at = this.scanner.offsets[id]!
    this.next = this.scanner.firsts[id]!
    if (type.prototype === HELD_PROTOTYPE || type.prototype === HELD_CLASS) this.held = this.value()
  }

  private inherit(object: object, prototype: object | null): void {
    requireShallow(prototype)
    if (!Reflect.setPrototypeOf(object, prototype)) {
      throw new UnpicklingError("objects of the pickle inherit from one another in a circle")
    }
  }

  prototypeOf(type: Type): object | null {
    switch (type.prototype) {
      case NO_PROTOTYPE:
        return null
      case NAMED_CLASS:
        return prototypeOf(type.named)!
      case HELD_CLASS: {
        const prototype = prototypeOf(this.held)
        if (prototype === undefined) throw new UnpicklingError("an object of the pickle is of a class that is none")
        return prototype
      }
      default:
        return type.kind.prototype ?? Object.prototype
    }
  }

  classOf(type: Type): unknown {
    return type.prototype === HELD_CLASS ? this.held : type.named
  }

  // ---- what stands in records -------------------------------------------------------------------------------------

  value(): unknown {
    const tag = this.byte()
    if (tag >= SMALL_INTEGER) return tag >= SMALL_STRING ? this.tables.strings[tag - SMALL_STRING] : tag - SMALL_INTEGER
    switch (tag) {
      case NEW:
        return this.objects[this.last = this.next++]
      case REFERENCE:
        return this.objects[this.last = this.integer()]
      case UNDEFINED:
        return undefined
      case NULL:
        return null
      case FALSE:
        return false
      case TRUE:
        return true
      case NAN:
        return NaN
      case MINUS_ZERO:
        return -0
      case STRING:
        return this.tables.strings[this.integer()]
      case INTEGER:
        return this.integer()
      case NEGATIVE:
        return -1 - this.integer()
      case DOUBLE:
        return this.double()
      case NAMED:
        return this.tables.named[this.integer()]
      case BIGINT:
        return this.bigint()
      case NEGATIVE_BIGINT:
        return -1n - this.bigint()
      case SYMBOL:
        return this.tables.symbols[this.integer()]
      default:
        throw new UnpicklingError(`the pickle has a value of kind ${tag}, which there is not here`)
    }
  }

  bytes(): Uint8Array {
    return this.take(this.integer())
  }

  properties(object: object, { assignable, attributes, keys }: Type): void {
    if (keys !== undefined) {
      if (assignable) { for (const key of keys) (object as Record<PropertyKey, unknown>)[key] = this.value() }
      else keys.forEach((key, i) => this.define(object, key, attributes[i]!, this.value()))
      return
    }
    const { strings, symbols } = this.tables
    for (let n = this.integer(); n > 0; n--) {
      const key = readKey(this, strings, symbols)
      const attributes = readAttributes(this)
      this.define(object, key, attributes, this.value())
    }
  }

  define(object: object, key: PropertyKey, attributes: number, value: unknown): void {
    const defined = Reflect.defineProperty(
      object,
      key,
      attributes === ORDINARY ? { value, configurable: true, enumerable: true, writable: true } : {
        value,
        configurable: (attributes & CONFIGURABLE) !== 0,
        enumerable: (attributes & ENUMERABLE) !== 0,
        writable: (attributes & WRITABLE) !== 0
      }
    )
    if (!defined) throw new UnpicklingError(`an object of the pickle cannot have the property ${String(key)}`)
  }
}

/** The engine looks at all prototypes of a prototype that is set: a pickle that makes millions would take for ever. */
const requireShallow = (prototype: object | null): void => {
  let depth = 0
  for (let p = prototype; p !== null; p = Object.getPrototypeOf(p)) {
    if (++depth > MAX_PROTOTYPES) {
      throw new UnpicklingError("an object of the pickle has more prototypes than any may have")
    }
  }
}

const countingTo = (count: number): Uint32Array => {
  const ids = new Uint32Array(count)
  for (let id = 0; id < count; id++) ids[id] = id
  return ids
}
