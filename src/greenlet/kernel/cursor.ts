/**
 * Where an iteration stands. A generator's `for…of` holds one across its suspensions, so it is an object with plain fields:
 * the collection and a position, wherever that is all there is to it; otherwise it holds the iterator.
 */

/** What a cursor's `next` says when there is nothing more. */
export const END: unique symbol = Symbol("effect-stackless.end")

export const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null || typeof value === "function"

/** Closes an iterator that is not at its end. */
export const closeOf = (iterator: Iterator<unknown>): void => {
  const method: unknown = iterator.return
  if (method === undefined || method === null) return
  const result: unknown = (method as () => unknown).call(iterator)
  if (!isObject(result)) throw new TypeError(`${String(result)} is not an object`)
}

export abstract class Cursor {
  /** The next value, or `END`. */
  abstract next(): unknown
  /** Closes what is iterated, where it has not come to its end. */
  abstract close(): void

  /** The next value; none is `undefined`. */
  take(): unknown {
    const value = this.next()
    return value === END ? undefined : value
  }

  /** All the values that are left. */
  rest(): Array<unknown> {
    const values: Array<unknown> = []
    for (let value = this.next(); value !== END; value = this.next()) values.push(value)
    return values
  }
}

type Indexed = ReadonlyArray<unknown> | Uint8Array

/** An iteration over an array or a typed array. */
export class ArrayCursor extends Cursor {
  array: Indexed | undefined
  index = 0

  constructor(array: Indexed) {
    super()
    this.array = array
  }

  next(): unknown {
    const { array } = this
    if (array === undefined) return END
    if (this.index < array.length) return array[this.index++]
    this.array = undefined
    // Of a typed array whose buffer is gone, this is an error.
    if (!Array.isArray(array)) typedValues.call(array)
    return END
  }

  close(): void {
    this.array = undefined
  }
}

/** The array or typed array whose values a cursor gives next, from its `index` on; none, if it gives others. */
export const valuesOf = (cursor: Cursor): Indexed | undefined =>
  cursor instanceof ArrayCursor ? cursor.array : undefined

/** What of a collection is iterated. */
export type Part = "entries" | "keys" | "values"

/** An iteration over the indices of an array or a typed array, or over its entries. */
export class IndexCursor extends Cursor {
  array: Indexed | undefined
  index = 0
  part: Part

  constructor(array: Indexed, part: Part) {
    super()
    this.array = array
    this.part = part
  }

  next(): unknown {
    const { array, index } = this
    if (array === undefined) return END
    if (index < array.length) {
      this.index++
      return this.part === "keys" ? index : [index, array[index]]
    }
    this.array = undefined
    // Of a typed array whose buffer is gone, this is an error.
    if (!Array.isArray(array)) typedValues.call(array)
    return END
  }

  close(): void {
    this.array = undefined
  }
}

/** An iteration over the code points of a string. */
export class StringCursor extends Cursor {
  string: string
  index = 0

  constructor(string: string) {
    super()
    this.string = string
  }

  next(): unknown {
    const code = this.string.codePointAt(this.index)
    if (code === undefined) return END
    const character = String.fromCodePoint(code)
    this.index += character.length
    return character
  }

  close(): void {
    this.index = this.string.length
  }
}

/** An iteration by an iterator. Of a Map or a Set it also knows of what of which one, so that the place can be found again. */
export class IteratorCursor extends Cursor {
  iterator: Iterator<unknown> | undefined
  step: Iterator<unknown>["next"]
  source: unknown
  part: Part

  constructor(iterator: Iterator<unknown>, source: unknown, part: Part) {
    super()
    this.iterator = iterator
    this.step = iterator.next
    this.source = source
    this.part = part
  }

  next(): unknown {
    const { iterator, step } = this
    if (iterator === undefined) return END
    // An iterator that fails is not closed.
    this.iterator = undefined
    const result: unknown = step.call(iterator)
    if (!isObject(result)) throw new TypeError(`Iterator result ${String(result)} is not an object`)
    if ((result as IteratorResult<unknown>).done) return END
    const { value } = result as IteratorResult<unknown>
    this.iterator = iterator
    return value
  }

  close(): void {
    const { iterator } = this
    if (iterator === undefined) return
    this.iterator = undefined
    closeOf(iterator)
  }
}

/** An iteration over the names of an object's properties, its prototypes' too: `for…in`. */
export class KeyCursor extends Cursor {
  object: object
  keys: Array<string>
  index = 0

  constructor(object: object) {
    super()
    this.object = object
    const keys: Array<string> = []
    // oxlint-disable-next-line guard-for-in
    for (const key in object) keys.push(key)
    this.keys = keys
  }

  next(): unknown {
    while (this.index < this.keys.length) {
      const key = this.keys[this.index++]!
      // One that has been deleted meanwhile is left out.
      if (key in this.object) return key
    }
    return END
  }

  close(): void {}
}

const TypedArray = Object.getPrototypeOf(Uint8Array) as { prototype: Uint8Array }
const typedValues = TypedArray.prototype[Symbol.iterator]
const stringValues = String.prototype[Symbol.iterator]
const ArrayIterator = Object.getPrototypeOf([][Symbol.iterator]()) as IterableIterator<unknown>
const StringIterator = Object.getPrototypeOf(""[Symbol.iterator]()) as IterableIterator<unknown>
const arrayNext = ArrayIterator.next
const stringNext = StringIterator.next
const iteratorOfIterator = ArrayIterator[Symbol.iterator]

type Methods = Readonly<Record<Part, unknown>>
const methodsOf = ({ entries, keys, values }: Methods): Methods => ({ entries, keys, values })

// as they were before the program could change them
const ofArray = methodsOf(Array.prototype)
const ofTypedArray = methodsOf(TypedArray.prototype)
const ofMap = methodsOf(Map.prototype)
const ofSet = methodsOf(Set.prototype)

/** Does nobody see whether an array's iterator is made? */
const arraysAreIntact = (): boolean => ArrayIterator.next === arrayNext && !("return" in ArrayIterator)

/** An iteration over what is iterable. */
export const cursor = (iterable: unknown): Cursor => {
  const method: unknown = (iterable as { [Symbol.iterator]?: unknown } | null | undefined)?.[Symbol.iterator]
  if (typeof method !== "function") throw new TypeError(`${nameOf(iterable)} is not iterable`)
  if (method === ofArray.values && Array.isArray(iterable) || method === typedValues && ArrayBuffer.isView(iterable)) {
    if (arraysAreIntact()) {
      if (method === typedValues) typedValues.call(iterable as Uint8Array)
      return new ArrayCursor(iterable as unknown as Indexed)
    }
  } else if (method === stringValues && typeof iterable === "string") {
    if (StringIterator.next === stringNext && !("return" in StringIterator)) return new StringCursor(iterable)
  }
  const iterator = iteratorBy(method, iterable)
  if (method === ofMap.entries) return new IteratorCursor(iterator, iterable, "entries")
  return new IteratorCursor(iterator, method === ofSet.values ? iterable : undefined, "values")
}

/** An iteration over `collection.entries()`, `.keys()` or `.values()`: those of the language know their collection. */
export const parts = (collection: unknown, part: Part): Cursor => {
  const method: unknown = (collection as Record<Part, unknown>)[part]
  if (typeof method !== "function") throw new TypeError(`${part} is not a function`)
  if (ArrayIterator[Symbol.iterator] === iteratorOfIterator) {
    const typed = method === ofTypedArray[part] && ArrayBuffer.isView(collection)
    if ((typed || method === ofArray[part] && Array.isArray(collection)) && arraysAreIntact()) {
      if (typed) typedValues.call(collection as Uint8Array)
      return part === "values" ? new ArrayCursor(collection as Indexed) : new IndexCursor(collection as Indexed, part)
    }
    if (method === ofMap[part] || method === ofSet[part]) {
      return new IteratorCursor(iteratorBy(method, collection), collection, part)
    }
  }
  return cursor(method.call(collection))
}

const iteratorBy = (method: Function, iterable: unknown): Iterator<unknown> => {
  const iterator: unknown = method.call(iterable)
  if (!isObject(iterator)) throw new TypeError("Result of the Symbol.iterator method is not an object")
  return iterator as unknown as Iterator<unknown>
}

const nameOf = (value: unknown): string =>
  value === null || value === undefined ? String(value) : isObject(value) ? "object" : typeof value

/** An iteration over the names of an object's properties. */
export const enumerate = (value: unknown): Cursor =>
  new KeyCursor(value === null || value === undefined ? {} : Object(value))

/** Closes an iteration that an error leaves: that error is what counts. */
export const closeQuietly = (cursor: Cursor): void => {
  try {
    cursor.close()
  } catch {
    // The error that leaves the iteration is the one that goes on.
  }
}
