/** The tables of a pickle: strings, symbols, names, types. All is found and checked before a record is read. */
import { kindOfClass, prototypeOf } from "./class.ts"
import { changed, type FunctionMeta, functionWith, type ScopeMeta, scopeWith } from "./code.ts"
import { UnpicklingError } from "./errors.ts"
import {
  COMPILED,
  COMPILED_CODE,
  COMPILED_SCOPE,
  HELD_CLASS,
  HELD_PROTOTYPE,
  INDEX_KEY,
  METHOD,
  NAMED_CLASS,
  OF_THREAD,
  ORDINARY,
  OWN_PROTOTYPE,
  PERSISTENT,
  REGISTERED_SYMBOL,
  STATIC_METHOD,
  STRING_KEY,
  SYMBOL_KEY,
  WELL_KNOWN,
  WELL_KNOWN_SYMBOL
} from "./format.ts"
import type { Kind, Migration, Names, Type } from "./kind.ts"
import { kindByCode, objectKind, reducedKind } from "./kinds.ts"
import { methodAt, methodOf, persistentValueOf, wellKnownSymbolOf, wellKnownValueOf } from "./names.ts"
import type { Source } from "./source.ts"
import { thingOfThread } from "./thread.ts"
import { Unpicklable } from "./unpicklable.ts"

export interface Tables {
  readonly strings: ReadonlyArray<string>
  readonly symbols: ReadonlyArray<symbol>
  /** What the names mean; nothing, if it is no value. */
  readonly named: ReadonlyArray<unknown>
  readonly names: Names
  readonly types: ReadonlyArray<Type>
}

/** What names mean that are no values. */
class Meanings implements Names {
  readonly codes = new Map<number, FunctionMeta>()
  readonly scopes = new Map<number, ScopeMeta>()
  readonly migrations = new Map<number, Migration>()

  migration(number: number): Migration | undefined {
    return this.migrations.get(number)
  }

  code(number: number): FunctionMeta {
    const found = this.codes.get(number)
    if (found === undefined) throw new UnpicklingError("the pickle has a frame or a function of no code")
    return found
  }

  scope(number: number): ScopeMeta {
    const found = this.scopes.get(number)
    if (found === undefined) throw new UnpicklingError("the pickle has variables of no function")
    return found
  }
}

/** What becomes of frames of functions that have changed, by the functions' names. */
export type Migrations = Readonly<Record<string, Migration["migrate"]>>

export const readTables = (source: Source, migrations: Migrations): Tables => {
  const strings: Array<string> = []
  for (let n = source.count(); n > 0; n--) strings.push(source.text())
  const symbols: Array<symbol> = []
  for (let n = source.count(); n > 0; n--) symbols.push(readSymbol(source, strings))
  const named: Array<unknown> = []
  const names = new Meanings()
  for (let n = source.count(); n > 0; n--) named.push(readName(source, strings, symbols, names, named, migrations))
  const types: Array<Type> = []
  for (let n = source.count(); n > 0; n--) types.push(readType(source, strings, symbols, named, names))
  return { strings, symbols, named, names, types }
}

/** What stands in a table at the number that follows. */
export const pick = <A>(source: Source, table: ReadonlyArray<A>, what: string): A =>
  pickAt(table, source.integer(), what)

export const pickAt = <A>(table: ReadonlyArray<A>, number: number, what: string): A => {
  if (number >= table.length) throw new UnpicklingError(`the pickle refers to ${what} ${number}, which it has not`)
  return table[number]!
}

const readSymbol = (source: Source, strings: ReadonlyArray<string>): symbol => {
  const kind = source.byte()
  const name = pick(source, strings, "string")
  if (kind === REGISTERED_SYMBOL) return Symbol.for(name)
  if (kind === WELL_KNOWN_SYMBOL) return wellKnownSymbolOf(name)
  throw new UnpicklingError(`the pickle has a symbol of kind ${kind}, which this program does not know`)
}

/** The value by a name; or, if it names no value, `undefined`, and what it means is put among the meanings. */
const readName = (
  source: Source,
  strings: ReadonlyArray<string>,
  symbols: ReadonlyArray<symbol>,
  names: Meanings,
  named: ReadonlyArray<unknown>,
  migrations: Migrations
): unknown => {
  const kind = source.byte()
  if (kind === METHOD || kind === STATIC_METHOD) {
    return readMethod(source, strings, symbols, named, kind === STATIC_METHOD)
  }
  const number = named.length
  const name = pick(source, strings, "string")
  switch (kind) {
    case PERSISTENT:
      return persistentValueOf(name)
    case WELL_KNOWN:
      return wellKnownValueOf(name)
    case OF_THREAD:
      return thingOfThread(name)
    case COMPILED: {
      const { value } = functionWith(name)
      if (value === undefined) {
        throw new UnpicklingError(`the pickle refers to the function ${name}, of which there are many`)
      }
      return value
    }
    case COMPILED_CODE: {
      const hash = pick(source, strings, "string")
      const meta = functionWith(name)
      names.codes.set(number, meta)
      if (meta.hash === hash) return undefined
      const migrate = Object.hasOwn(migrations, name) ? migrations[name] : undefined
      if (migrate === undefined) throw changed(meta, hash)
      names.migrations.set(number, { hash, migrate })
      return undefined
    }
    case COMPILED_SCOPE:
      names.scopes.set(number, scopeWith(name))
      return undefined
  }
  throw new UnpicklingError(`the pickle has a name of kind ${kind}, which this program does not know`)
}

const readMethod = (
  source: Source,
  strings: ReadonlyArray<string>,
  symbols: ReadonlyArray<symbol>,
  named: ReadonlyArray<unknown>,
  isStatic: boolean
): Function => {
  const of = pick(source, named, "name")
  const key = readKey(source, strings, symbols)
  const method = typeof of === "function" && key !== "constructor" ? methodAt({ of, key, isStatic }) : undefined
  if (method === undefined || methodOf(method) === undefined) {
    throw new UnpicklingError(
      `the pickle refers to the method ${String(key)} of ${
        typeof of === "function" ? of.name : "no class"
      }, which this program has not`
    )
  }
  return method
}

const readType = (
  source: Source,
  strings: ReadonlyArray<string>,
  symbols: ReadonlyArray<symbol>,
  named: ReadonlyArray<unknown>,
  names: Names
): Type => {
  const code = source.integer()
  const kind = kindByCode.get(code)
  if (kind === undefined) {
    throw new UnpicklingError(`the pickle has records of kind ${code}, which this program does not know`)
  }
  const prototype = source.byte()
  if (prototype > HELD_CLASS) throw new UnpicklingError("the pickle has a prototype of a kind that there is not")
  const Class = prototype === NAMED_CLASS ? pick(source, named, "name") : undefined
  if (prototype === NAMED_CLASS) requireClassOf(Class, kind)
  else if (kind === reducedKind) throw new UnpicklingError("an object of the pickle has no class, and needs one")
  else if (kind.prototype === undefined && prototype !== OWN_PROTOTYPE) {
    throw new UnpicklingError(`a record of kind ${kind.name} has a prototype of its own, which none has`)
  }
  const flags = source.byte()
  const extra = source.integer()
  const count = source.integer()
  const keys: Array<PropertyKey> = []
  const attributes: Array<number> = []
  for (let i = 1; i < count; i++) {
    keys.push(readKey(source, strings, symbols))
    attributes.push(readAttributes(source))
  }
  if (new Set(keys).size !== keys.length) throw new UnpicklingError("an object of the pickle has a property twice")
  const inherited = prototype === OWN_PROTOTYPE
    ? kind.prototype ?? Object.prototype
    : prototype === NAMED_CLASS
    ? prototypeOf(Class)!
    : undefined
  const type: Type = {
    kind,
    prototype,
    named: Class,
    extensible: flags !== 0,
    extra,
    keys: count === 0 ? undefined : keys,
    attributes: Uint8Array.from(attributes),
    assignable: prototype !== HELD_PROTOTYPE && prototype !== HELD_CLASS && attributes.every((a) => a === ORDINARY) &&
      (inherited === undefined || keys.every((key) => !(key in inherited)))
  }
  kind.check?.(type, names)
  return type
}

/** Instances of the class are records of that kind, or they would not be what its methods take them for. */
const requireClassOf = (Class: unknown, kind: Kind): void => {
  let actual: Kind | undefined
  try {
    actual = typeof Class === "function" ? kindOfClass(Class) : undefined
  } catch (error) {
    if (!(error instanceof Unpicklable)) throw error
    throw new UnpicklingError(`an object of the pickle cannot be made: ${error.message}`)
  }
  if (actual !== kind) {
    const name = typeof Class === "function" ? `class ${Class.name}` : `a ${typeof Class}`
    throw new UnpicklingError(
      `an object of the pickle is ${
        kind === objectKind ? "an object" : `a record of kind ${kind.name}`
      }, and ${name} makes none`
    )
  }
}

/** Of who only looks, symbols are text, too. */
export const readKey = <S extends symbol | string>(
  source: Source,
  strings: ReadonlyArray<string>,
  symbols: ReadonlyArray<S>
): string | S => {
  const number = source.integer()
  const kind = number % 4
  const id = Math.floor(number / 4)
  if (kind === STRING_KEY && id < strings.length) return strings[id]!
  if (kind === SYMBOL_KEY && id < symbols.length) return symbols[id]!
  if (kind === INDEX_KEY && id < 2 ** 32 - 1) return String(id)
  throw new UnpicklingError("the pickle has a key that there is not")
}

export const readAttributes = (source: Source): number => {
  const attributes = source.byte()
  if (attributes > ORDINARY) throw new UnpicklingError("a property of the pickle is of a kind that there is not")
  return attributes
}
