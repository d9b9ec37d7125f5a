/**
 * Writing. Objects get their numbers in the order in which they are met, and are written in that order: a list with an end
 * that moves is the queue, and nothing is ever nested. So depth costs nothing, and a cycle is a number like any other.
 *
 * Properties are read by their descriptors: no getter runs.
 */
import { boundInfo } from "../frames/index.ts"
import { boundKind } from "./bound.ts"
import { Writer } from "./bytes.ts"
import { classOf, kindFor, kindOfClass, titleOf } from "./class.ts"
import {
  closureKind,
  type DataFrame,
  frameKind,
  functionInfo,
  type FunctionMeta,
  idOf,
  isScope,
  metaOfFrame,
  scopeKind,
  type ScopeMeta
} from "./code.ts"
import { PicklingError } from "./errors.ts"
import {
  BIGINT,
  COMPILED,
  COMPILED_CODE,
  COMPILED_SCOPE,
  CONFIGURABLE,
  DOUBLE,
  ENUMERABLE,
  FALSE,
  HELD_PROTOTYPE,
  HOLE,
  INDEX_KEY,
  INTEGER,
  MAX_KEYS,
  MAX_PROTOTYPES,
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
  ORDINARY,
  OWN_PROTOTYPE,
  PERSISTENT,
  REFERENCE,
  REGISTERED_SYMBOL,
  seal,
  SMALL_INTEGER,
  SMALL_STRING,
  STATIC_METHOD,
  STRING,
  STRING_KEY,
  SYMBOL,
  SYMBOL_KEY,
  TRUE,
  UNDEFINED,
  WELL_KNOWN,
  WELL_KNOWN_SYMBOL,
  WRITABLE
} from "./format.ts"
import { FrameNumbers, Identities } from "./identities.ts"
import { type Family, type Kind, Shape, type Writing } from "./kind.ts"
import { kindOfPrototype, objectKind } from "./kinds.ts"
import { type Method, methodOf, persistentNameOf, wellKnownNameOf, wellKnownSymbolNameOf } from "./names.ts"
import { ownKeys } from "./own-keys.ts"
import { pathTo } from "./path.ts"
import { isProxy } from "./proxy.ts"
import { thingsOfThread } from "./thread.ts"
import { Unpicklable } from "./unpicklable.ts"

export class Pickler implements Writing {
  /** All objects that have been met; each one's place is its number. */
  readonly objects: Array<object> = []
  /** The number of the object in which each was met, -1 for the value itself. */
  readonly finders: Array<number> = []
  /** The object that is being written. */
  current = -1
  /** What is known of each, once it has been looked at. */
  private readonly families: Array<Family | undefined> = []
  private readonly contents = new Writer()
  private readonly kinds = new Writer()
  private readonly numbers = new Identities()
  private readonly frames = new FrameNumbers(this.numbers)
  private readonly strings = new Map<string, number>()
  private readonly symbols = new Map<symbol, number>()
  private readonly symbolTable = new Writer()
  private readonly named = new Map<object | symbol, number>()
  private readonly nameTable = new Writer()
  private readonly types: Array<Shape> = []
  private readonly typeTable = new Writer()
  private readonly familiesByPrototype = new Map<object | null, Family>()

  dump(value: unknown, key: Uint8Array | undefined): Uint8Array {
    try {
      try {
        this.value(value)
        for (let id = 0; id < this.objects.length; id++) {
          this.current = id
          this.record(this.objects[id]!, this.families[id])
        }
      } finally {
        this.frames.release()
      }
    } catch (error) {
      throw this.failure(error)
    }
    return this.assemble(key)
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  value(v: unknown): void {
    switch (typeof v) {
      case "object":
        if (v === null) this.contents.byte(NULL)
        else this.object(v)
        break
      case "string":
        this.text(v)
        break
      case "number":
        this.number(v)
        break
      case "undefined":
        this.contents.byte(UNDEFINED)
        break
      case "boolean":
        this.contents.byte(v ? TRUE : FALSE)
        break
      case "function":
        this.object(v)
        break
      case "bigint":
        this.bigint(v)
        break
      default:
        this.symbol(v as symbol)
    }
  }

  hole(): void {
    this.contents.byte(HOLE)
  }

  integer(n: number): void {
    this.contents.integer(n)
  }

  double(x: number): void {
    this.contents.double(x)
  }

  bytes(bytes: Uint8Array): void {
    this.contents.integer(bytes.length)
    this.contents.raw(bytes)
  }

  private number(v: number): void {
    const { contents } = this
    if (!Number.isSafeInteger(v)) {
      if (v !== v) return contents.byte(NAN)
      contents.byte(DOUBLE)
      contents.double(v)
    } else if (v > 0) {
      if (v < 64) return contents.byte(SMALL_INTEGER + v)
      contents.byte(INTEGER)
      contents.integer(v)
    } else if (v < 0) {
      contents.byte(NEGATIVE)
      contents.integer(-1 - v)
    } else contents.byte(Object.is(v, -0) ? MINUS_ZERO : SMALL_INTEGER)
  }

  private text(v: string): void {
    const number = this.stringNumber(v)
    if (number < 64) return this.contents.byte(SMALL_STRING + number)
    this.contents.byte(STRING)
    this.contents.integer(number)
  }

  stringNumber(v: string): number {
    const { strings } = this
    let number = strings.get(v)
    if (number === undefined) strings.set(v, number = strings.size)
    return number
  }

  private bigint(v: bigint): void {
    this.contents.byte(v < 0n ? NEGATIVE_BIGINT : BIGINT)
    const digits = (v < 0n ? -1n - v : v).toString(16)
    const length = digits.length + 1 >> 1
    this.contents.integer(length)
    for (let end = digits.length; end > 0; end -= 2) {
      this.contents.byte(Number.parseInt(digits.slice(Math.max(0, end - 2), end), 16))
    }
  }

  private symbol(v: symbol): void {
    const persistent = persistentNameOf(v)
    const name = persistent ?? wellKnownNameOf(v)
    if (name !== undefined) {
      this.contents.byte(NAMED)
      this.contents.integer(this.nameNumber(v, persistent === undefined ? WELL_KNOWN : PERSISTENT, name))
      return
    }
    this.contents.byte(SYMBOL)
    this.contents.integer(this.symbolNumber(v))
  }

  private symbolNumber(v: symbol): number {
    let number = this.symbols.get(v)
    if (number === undefined) {
      const key = Symbol.keyFor(v)
      const name = key ?? wellKnownSymbolNameOf(v)
      if (name === undefined) {
        throw new Unpicklable(
          `${v.toString()} cannot be pickled, as it is of no registry: make it with Symbol.for(…), or name it with persistent`
        )
      }
      this.symbolTable.byte(key === undefined ? WELL_KNOWN_SYMBOL : REGISTERED_SYMBOL)
      this.symbolTable.integer(this.stringNumber(name))
      this.symbols.set(v, number = this.symbols.size)
    }
    return number
  }

  private object(o: object): void {
    const number = this.numbers.get(o)
    if (number !== undefined) {
      this.contents.byte(REFERENCE)
      this.contents.integer(number)
      return
    }
    const name = this.nameOf(o)
    if (name !== -1) {
      this.contents.byte(NAMED)
      this.contents.integer(name)
      return
    }
    const family = typeof o === "function" || isProxy(o) ? undefined : this.knownFamilyOf(o)
    if (family?.meta === undefined) this.numbers.set(o, this.objects.length)
    else {
      const number = this.frames.meet(o as DataFrame, this.objects.length)
      if (number !== undefined) {
        this.contents.byte(REFERENCE)
        this.contents.integer(number)
        return
      }
    }
    this.objects.push(o)
    this.families.push(family)
    this.finders.push(this.current)
    this.contents.byte(NEW)
  }

  placeOf(frame: DataFrame): number {
    return this.frames.placeOf(frame)
  }

  programRuns(): void {
    this.frames.remember()
  }

  /** The number of an object's name, -1 if it has none and is a record. */
  nameOf(o: object): number {
    const number = this.named.get(o)
    if (number !== undefined) return number
    const persistent = persistentNameOf(o)
    if (persistent !== undefined) return this.nameNumber(o, PERSISTENT, persistent)
    const wellKnown = wellKnownNameOf(o)
    if (wellKnown === "") {
      throw new Unpicklable(
        "a prototype of the language cannot be pickled, nor what makes functions out of text: name it with persistent"
      )
    }
    if (wellKnown !== undefined) return this.nameNumber(o, WELL_KNOWN, wellKnown)
    const ofThread = this.ofThread.get(o)
    if (ofThread !== undefined) return this.nameNumber(o, OF_THREAD, ofThread)
    if (typeof o === "function") {
      const meta = functionInfo(o)?.function
      if (meta?.value === o) return this.nameNumber(o, COMPILED, idOf(meta))
      const method = methodOf(o)
      if (method !== undefined) return this.methodNumber(o, method)
    }
    return -1
  }

  private methodNumber(o: object, { isStatic, key, of }: Method): number {
    const Class = this.nameOf(of)
    const keyNumber = this.keyNumber(key)
    this.nameTable.byte(isStatic ? STATIC_METHOD : METHOD)
    this.nameTable.integer(Class)
    this.nameTable.integer(keyNumber)
    const number = this.named.size
    this.named.set(o, number)
    return number
  }

  private nameNumber(o: object | symbol, kind: number, name: string): number {
    let number = this.named.get(o)
    if (number === undefined) {
      this.nameTable.byte(kind)
      this.nameTable.integer(this.stringNumber(name))
      this.named.set(o, number = this.named.size)
    }
    return number
  }

  codeNumber(meta: FunctionMeta): number {
    let number = this.named.get(meta)
    if (number === undefined) {
      number = this.nameNumber(meta, COMPILED_CODE, idOf(meta))
      this.nameTable.integer(this.stringNumber(meta.hash))
    }
    return number
  }

  scopeNumber(meta: ScopeMeta): number {
    return this.named.get(meta) ?? this.nameNumber(meta, COMPILED_SCOPE, meta.id)
  }

  /** What stands for the thread that dumps, and for that which loads. */
  private readonly ofThread: ReadonlyMap<object, string> = thingsOfThread()

  // ---- records ----------------------------------------------------------------------------------------------------

  private record(o: object, known: Family | undefined): void {
    if (known === undefined) {
      if (isProxy(o)) throw new Unpicklable("a proxy cannot be pickled: its target can, or name it with persistent")
      if (typeof o === "function") {
        const kind = boundInfo(o) === undefined ? closureKind : boundKind
        return kind.write(this, o, this.family(kind))
      }
    }
    let family = known
    if (family === undefined) {
      const prototype: object | null = Object.getPrototypeOf(o)
      family = this.familiesByPrototype.get(prototype)
      if (family === undefined) this.familiesByPrototype.set(prototype, family = this.familyOf(prototype, o))
    }
    const { kind } = family
    if (kind.is !== undefined && !kind.is(o)) {
      throw new Unpicklable(`an object that inherits from ${kind.name}, and is none, cannot be pickled`)
    }
    kind.write(this, o, family)
  }

  /** The family of an object whose prototype has been seen before, or which is a frame. */
  private knownFamilyOf(o: object): Family | undefined {
    const prototype: object | null = Object.getPrototypeOf(o)
    let family = this.familiesByPrototype.get(prototype)
    if (family === undefined) {
      const meta = metaOfFrame(o)
      if (meta === undefined) return undefined
      family = familyOf(frameKind, OWN_PROTOTYPE, -1, undefined, meta)
      this.familiesByPrototype.set(prototype, family)
    }
    return family
  }

  private familyOf(prototype: object | null, o: object): Family {
    if (prototype === null) return familyOf(objectKind, NO_PROTOTYPE)
    if (isScope(o)) return familyOf(scopeKind, OWN_PROTOTYPE)
    const kind = kindFor(prototype)
    if (kindOfPrototype.get(prototype) === kind) return familyOf(kind, OWN_PROTOTYPE)
    const Class = classOf(prototype)
    if (Class === undefined) {
      let depth = 0
      for (let p: object | null = prototype; p !== null; p = Object.getPrototypeOf(p)) depth++
      if (depth > MAX_PROTOTYPES) {
        throw new Unpicklable(
          `an object with more than ${MAX_PROTOTYPES} prototypes, one above the other, cannot be pickled`
        )
      }
      return familyOf(kind, HELD_PROTOTYPE, -1, prototype)
    }
    const kindOfInstances = kindOfClass(Class)
    const named = this.nameOf(Class)
    if (named !== -1) return familyOf(kindOfInstances, NAMED_CLASS, named)
    throw new Unpicklable(
      `the class ${
        titleOf(Class)
      } cannot be found by its name: define it on top of a compiled module, or call persistent(${
        JSON.stringify(titleOf(Class))
      }, …) here and in the program that loads`
    )
  }

  family(kind: Kind): Family {
    let family = this.kindFamilies.get(kind)
    if (family === undefined) this.kindFamilies.set(kind, family = familyOf(kind, OWN_PROTOTYPE))
    return family
  }

  private readonly kindFamilies = new Map<Kind, Family>()

  keyed(family: Family, extra: number, keys: ReadonlyArray<string>): void {
    let shape = family.shapes.get(extra)
    if (shape === undefined) {
      shape = new Shape(family, extra, undefined, "", 0)
      for (const key of keys) shape = shape.with(key, ORDINARY)
      family.shapes.set(extra, shape)
    }
    let number = shape.extensible
    if (number === -1) {
      number = shape.extensible = this.types.length
      this.types.push(shape)
      this.writeType(shape, true, false)
    }
    this.kinds.integer(number)
  }

  shapeless(family: Family, o: object, extra = 0): void {
    this.type(this.emptyShape(family, extra), o, false)
  }

  private emptyShape(family: Family, extra: number): Shape {
    let shape = family.shapes.get(extra)
    if (shape === undefined) family.shapes.set(extra, shape = new Shape(family, extra, undefined, "", 0))
    return shape
  }

  begin(family: Family): void {
    if (family.held !== undefined) this.value(family.held)
  }

  properties(
    o: object,
    family: Family,
    extra = 0,
    keys: ReadonlyArray<PropertyKey> = ownKeys(o),
    skipped?: (key: PropertyKey, descriptor: PropertyDescriptor) => boolean,
    from = 0
  ): void {
    let shape = this.emptyShape(family, extra)
    if (keys.length - from > MAX_KEYS) {
      this.type(shape, o, true)
      return this.dictionary(o, keys, skipped, from)
    }
    for (let i = from; i < keys.length; i++) {
      const key = keys[i]!
      const descriptor = Object.getOwnPropertyDescriptor(o, key)!
      if (skipped !== undefined && skipped(key, descriptor)) continue
      shape = shape.with(key, attributesOf(key, descriptor))
      this.value(descriptor.value)
    }
    this.type(shape, o, false)
  }

  private dictionary(
    o: object,
    keys: ReadonlyArray<PropertyKey>,
    skipped: ((key: PropertyKey, descriptor: PropertyDescriptor) => boolean) | undefined,
    from: number
  ): void {
    const written: Array<PropertyKey> = []
    for (let i = from; i < keys.length; i++) {
      const key = keys[i]!
      if (skipped === undefined || !skipped(key, Object.getOwnPropertyDescriptor(o, key)!)) written.push(key)
    }
    this.contents.integer(written.length)
    for (const key of written) {
      const descriptor = Object.getOwnPropertyDescriptor(o, key)!
      this.contents.integer(this.keyNumber(key))
      this.contents.byte(attributesOf(key, descriptor))
      this.value(descriptor.value)
    }
  }

  private keyNumber(key: PropertyKey): number {
    if (typeof key === "symbol") return this.symbolNumber(key) * 4 + SYMBOL_KEY
    const index = indexOf(key as string)
    return index === undefined ? this.stringNumber(key as string) * 4 + STRING_KEY : index * 4 + INDEX_KEY
  }

  /** Says what type the record has. It is a dictionary if it has its keys itself. */
  private type(shape: Shape, o: object, dictionary: boolean): void {
    const extensible = Object.isExtensible(o)
    let number = extensible ? shape.extensible : shape.inextensible
    // the shape without keys stands for dictionaries as well, beside objects that have none
    if (dictionary) number = this.dictionaries.get(shape)?.[extensible ? 1 : 0] ?? -1
    if (number === -1) {
      number = this.types.length
      this.types.push(shape)
      this.writeType(shape, extensible, dictionary)
      if (dictionary) {
        const pair = this.dictionaries.get(shape) ?? [-1, -1]
        pair[extensible ? 1 : 0] = number
        this.dictionaries.set(shape, pair)
      } else if (extensible) shape.extensible = number
      else shape.inextensible = number
    }
    this.kinds.integer(number)
  }

  private readonly dictionaries = new Map<Shape, [number, number]>()

  private writeType(shape: Shape, extensible: boolean, dictionary: boolean): void {
    const { typeTable: table } = this
    const { family } = shape
    table.integer(family.kind.code)
    table.byte(family.prototype)
    if (family.named !== -1) table.integer(family.named)
    table.byte(extensible ? 1 : 0)
    table.integer(shape.extra)
    if (dictionary) return table.integer(0)
    table.integer(shape.count + 1)
    const keys: Array<Shape> = []
    for (let s = shape; s.parent !== undefined; s = s.parent) keys.push(s)
    for (const { attributes, key } of keys.reverse()) {
      table.integer(this.keyNumber(key))
      table.byte(attributes)
    }
  }

  /** For errors: the kind of an object that has been met. */
  kindOf(o: object): Kind | undefined {
    return isProxy(o) ? undefined : this.familiesByPrototype.get(Object.getPrototypeOf(o))?.kind
  }

  // ---- the end ----------------------------------------------------------------------------------------------------

  private assemble(key: Uint8Array | undefined): Uint8Array {
    const strings = new Writer()
    strings.integer(this.strings.size)
    for (const s of this.strings.keys()) strings.string(s)
    return seal([
      strings.done(),
      counted(this.symbols.size),
      this.symbolTable.done(),
      counted(this.named.size),
      this.nameTable.done(),
      counted(this.types.length),
      this.typeTable.done(),
      counted(this.objects.length),
      this.kinds.done(),
      this.contents.done()
    ], key)
  }

  private failure(error: unknown): unknown {
    if (error instanceof Unpicklable) {
      return new PicklingError(error.message, pathTo(this), error.cause === undefined ? {} : { cause: error.cause })
    }
    if (error instanceof PicklingError) return error
    const reason = error instanceof Error ? error.message : String(error)
    return new PicklingError(`an error came up: ${reason}`, pathTo(this), { cause: error })
  }
}

const counted = (n: number): Uint8Array => {
  const writer = new Writer()
  writer.integer(n)
  return writer.done()
}

const attributesOf = (key: PropertyKey, descriptor: PropertyDescriptor): number => {
  if (descriptor.writable === undefined) {
    throw new Unpicklable(`the property ${String(key)} has a getter or setter, which cannot be pickled`)
  }
  return (descriptor.writable ? WRITABLE : 0) | (descriptor.enumerable ? ENUMERABLE : 0) |
    (descriptor.configurable ? CONFIGURABLE : 0)
}

/** A key that is an array index, as a number. */
const indexOf = (key: string): number | undefined => {
  const c = key.charCodeAt(0)
  if (!(c >= 48 && c <= 57)) return undefined
  const n = Number(key)
  return Number.isInteger(n) && n >= 0 && n < 2 ** 32 - 1 && String(n) === key ? n : undefined
}

const familyOf = (
  kind: Kind,
  prototype: number,
  named = -1,
  held?: object,
  meta?: FunctionMeta
): Family => ({
  kind,
  prototype,
  named,
  held,
  meta,
  shapes: new Map()
})
