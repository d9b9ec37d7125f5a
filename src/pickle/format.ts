/**
 * The format. A pickle is
 *
 *     magic, major, minor, flags, length of the body   ·  body  ·  CRC-32 of all before  ·  signature of all before, if flagged
 *
 * and its body has these tables, each with its count in front, and then the records:
 *
 *     strings      each once; characters of one byte or of two
 *     symbols      of the registry, or well-known ones
 *     names        what is found again by its name: see names.ts
 *     types        what records are like: kind, prototype, keys
 *     the type of each record
 *     the value that was dumped, then each record's contents
 *
 * An object is a record, known by its number: that of the order in which objects were met. `NEW` stands where one is met for
 * the first time, and needs no number; so nothing is ever nested, and all numbers are known before a record is read.
 * A later minor version may add kinds and tags, which an older reader refuses by name. Nothing depends on the machine: all
 * numbers have their lowest byte first.
 */
import { Writer } from "./bytes.ts"
import { crc32 } from "./checksum.ts"
import { UnpicklingError } from "./errors.ts"
import { sameSignature, sign, SIGNATURE_LENGTH } from "./signature.ts"

/** The format's version: another major one cannot be read. */
export const MAJOR = 1
export const MINOR = 0

const MAGIC = [0x9E, 0x45, 0x53, 0x50] as const
const SIGNED = 1

// ---- values ---------------------------------------------------------------------------------------------------------

export const UNDEFINED = 0
export const NULL = 1
export const FALSE = 2
export const TRUE = 3
/** In an array, that there is nothing. */
export const HOLE = 4
export const NAN = 5
export const MINUS_ZERO = 6
export const DOUBLE = 7
/** An integer, and one below zero: -1 is 0. */
export const INTEGER = 8
export const NEGATIVE = 9
/** A string, by its number. */
export const STRING = 10
export const BIGINT = 11
export const NEGATIVE_BIGINT = 12
export const SYMBOL = 13
/** The next record. */
export const NEW = 14
/** A record, by its number. */
export const REFERENCE = 15
/** Something by its name. */
export const NAMED = 16
/** From here on small integers, and from there strings of small numbers. */
export const SMALL_INTEGER = 64
export const SMALL_STRING = 128

// ---- types ----------------------------------------------------------------------------------------------------------

/** Where the prototype of a record comes from: it is its kind's, none, a named class's; or what stands first in it. */
export const OWN_PROTOTYPE = 0
export const NO_PROTOTYPE = 1
export const NAMED_CLASS = 2
export const HELD_PROTOTYPE = 3
export const HELD_CLASS = 4

/** No object has more prototypes, one above the other. */
export const MAX_PROTOTYPES = 256

/** An object with more keys than this has them in its record. */
export const MAX_KEYS = 32

// what a key is, in the lowest two bits of its number
export const STRING_KEY = 0
export const SYMBOL_KEY = 1
export const INDEX_KEY = 2

/** What a property is as a rule. */
export const WRITABLE = 1
export const ENUMERABLE = 2
export const CONFIGURABLE = 4
export const ORDINARY = WRITABLE | ENUMERABLE | CONFIGURABLE

// ---- the kinds of names ------------------------------------------------------------------------------------

/** Of the language, or of this library. */
export const WELL_KNOWN = 0
/** Given by `persistent`. */
export const PERSISTENT = 1
/** A function or class of a compiled module. */
export const COMPILED = 2
/** Of the thread that loads. */
export const OF_THREAD = 3
/** The code of a function of a compiled module, with its hash: what frames and closures are of. */
export const COMPILED_CODE = 4
/** What keeps the variables of a function that closures share. */
export const COMPILED_SCOPE = 5
/** A method of a class that has a name, and a static one: by the class and the key. */
export const METHOD = 6
export const STATIC_METHOD = 7

export const REGISTERED_SYMBOL = 0
export const WELL_KNOWN_SYMBOL = 1

// ---- the envelope ---------------------------------------------------------------------------------------------------

/** Puts a body in its envelope. */
export const seal = (parts: ReadonlyArray<Uint8Array>, key: Uint8Array | undefined): Uint8Array => {
  const head = new Writer()
  for (const b of MAGIC) head.byte(b)
  head.integer(MAJOR)
  head.integer(MINOR)
  head.integer(key === undefined ? 0 : SIGNED)
  head.integer(parts.reduce((sum, { length }) => sum + length, 0))
  const all = [head.done(), ...parts]
  const length = all.reduce((sum, { length }) => sum + length, 0)
  const sealed = new Uint8Array(length + 4 + (key === undefined ? 0 : SIGNATURE_LENGTH))
  let at = 0
  for (const part of all) {
    sealed.set(part, at)
    at += part.length
  }
  new DataView(sealed.buffer).setUint32(at, crc32(sealed.subarray(0, at)), true)
  if (key !== undefined) sealed.set(sign(key, sealed.subarray(0, at + 4)), at + 4)
  return sealed
}

/** What a pickle's head says, and where its body begins. */
interface Head {
  readonly major: number
  readonly minor: number
  readonly signed: boolean
  readonly length: number
  readonly at: number
}

/** Reads the head. Of another major version, what stands behind that may mean anything. */
export const readHead = (bytes: Uint8Array): Head => {
  for (let i = 0; i < MAGIC.length; i++) {
    if (bytes[i] !== MAGIC[i]) throw new UnpicklingError("these bytes are no pickle")
  }
  let at: number = MAGIC.length
  const integer = (): number => {
    let n = 0
    for (let factor = 1; factor < 2 ** 49; factor *= 128) {
      const b = bytes[at++]
      if (b === undefined) break
      n += (b & 127) * factor
      if (b < 128) return n
    }
    throw new UnpicklingError("the pickle is damaged in its head")
  }
  const major = integer()
  const minor = integer()
  if (major !== MAJOR) {
    throw new UnpicklingError(`the pickle has format ${major}.${minor}, and this program reads ${MAJOR}.x`)
  }
  const flags = integer()
  const length = integer()
  if ((flags & ~SIGNED) !== 0) throw new UnpicklingError("the pickle has a flag that this program does not know")
  return { major, minor, signed: (flags & SIGNED) !== 0, length, at }
}

/** Takes a body out of its envelope. */
export const open = (bytes: Uint8Array, key: Uint8Array | undefined): Uint8Array => {
  const { at, length, signed } = readHead(bytes)
  const end = at + length
  if (bytes.length !== end + 4 + (signed ? SIGNATURE_LENGTH : 0)) {
    throw new UnpicklingError("the pickle is cut off, or has something behind its end")
  }
  if (key !== undefined) {
    if (!signed) throw new UnpicklingError("the pickle is not signed, and loads was given a key")
    if (!sameSignature(sign(key, bytes.subarray(0, end + 4)), bytes.subarray(end + 4))) {
      throw new UnpicklingError("the pickle is signed with another key, or was changed after it was signed")
    }
  } else if (signed) throw new UnpicklingError("the pickle is signed: give loads the key")
  const checksum = new DataView(bytes.buffer, bytes.byteOffset + end, 4).getUint32(0, true)
  if (crc32(bytes.subarray(0, end)) !== checksum) {
    throw new UnpicklingError("the pickle is damaged: its checksum is wrong")
  }
  return bytes.subarray(at, end)
}
