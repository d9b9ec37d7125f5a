/** Plain values, and objects of the language. */
import { persistent, reduce, restore } from "effect-stackless/pickle"
import assert from "node:assert/strict"
import type { Samples } from "./sample.ts"

/** A sample that is the same again by `deepStrictEqual`, which looks at prototypes, keys and values. */
const same = (make: () => unknown) => ({ make, check: (loaded: any) => assert.deepStrictEqual(loaded, make()) })

const descriptors = (object: object): unknown => Object.getOwnPropertyDescriptors(object)

class Point {
  readonly x: number
  readonly y: number
  constructor(x: number, y: number) {
    this.x = x
    this.y = y
  }
  get length(): number {
    return Math.hypot(this.x, this.y)
  }
}
class Point3 extends Point {
  readonly z: number = 3
}
class Registry extends Map<string, number> {
  label = "r"
}
class Stack extends Array<number> {
  peek(): number | undefined {
    return this.at(-1)
  }
}
class HttpError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}
class Counter {
  #count: number
  readonly others: ReadonlyArray<unknown>
  constructor(count: number, others: ReadonlyArray<unknown> = []) {
    this.#count = count
    this.others = others
  }
  next(): number {
    return ++this.#count
  }
  static [reduce](counter: Counter): unknown {
    return { count: counter.#count, others: counter.others }
  }
  static [restore]({ count, others }: { count: number; others: ReadonlyArray<unknown> }): Counter {
    // complete, whatever it refers to
    for (const other of others) if (other instanceof Counter) assert.ok(other.#count > 0 && Array.isArray(other.others))
    return new Counter(count, others)
  }
}
persistent("Point", Point)
persistent("Point3", Point3)
persistent("Registry", Registry)
persistent("Stack", Stack)
persistent("HttpError", HttpError)
persistent("Counter", Counter)
const file = persistent("a file", { descriptor: process.pid })
const local = persistent("a symbol", Symbol("local"))

export const samples: Samples = {
  "undefined, null, booleans": same(() => [undefined, null, true, false]),
  "numbers, -0 and NaN among them": {
    make: () => [
      0,
      -0,
      1,
      63,
      64,
      -1,
      2 ** 31,
      2 ** 53 - 1,
      -(2 ** 53 - 1),
      2 ** 53,
      0.1,
      5e-324,
      NaN,
      Infinity,
      -Infinity,
      Number.MAX_VALUE
    ],
    check: (loaded) => {
      assert.ok(Object.is(loaded[1], -0))
      assert.deepStrictEqual(loaded, samples["numbers, -0 and NaN among them"]!.make())
    }
  },
  "bigints": same(() => [0n, 1n, -1n, 255n, 256n, -256n, -257n, 2n ** 200n, -(2n ** 200n) + 1n]),
  "strings, with lone surrogates": same(
    () => ["", "plain", "Grüße", "日本語", "\ud83d\ude00", "\ud800", "\udc00x", "\0"]
  ),
  "more strings than fit in a byte": same(() => Array.from({ length: 1000 }, (_, i) => `string ${i}`)),
  "symbols of the registry, well-known ones, and one with a name": {
    make: () => [Symbol.for("ours"), Symbol.iterator, Symbol.asyncIterator, local, new Object(Symbol.for("boxed"))],
    check: ([ours, iterator, asyncIterator, named, boxed]) => {
      assert.equal(ours, Symbol.for("ours"))
      assert.equal(iterator, Symbol.iterator)
      assert.equal(asyncIterator, Symbol.asyncIterator)
      assert.equal(named, local)
      assert.equal(boxed.valueOf(), Symbol.for("boxed"))
    }
  },
  "keys in their order, symbols and indices among them": {
    make: () => ({ b: 1, a: 2, 10: 3, 2: 4, [Symbol.for("k")]: 5, "01": 6, "4294967295": 7, "-1": 8 }),
    check: (loaded) => {
      const made = samples["keys in their order, symbols and indices among them"]!.make() as object
      assert.deepEqual(Reflect.ownKeys(loaded), Reflect.ownKeys(made))
      assert.deepStrictEqual(loaded, made)
    }
  },
  "objects with many keys": same(() =>
    Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i * 7 % 200}`, i]))
  ),
  "keys that name prototypes": {
    make: () => JSON.parse(`{"__proto__": {"polluted": 1}, "constructor": 2, "toString": 3, "hasOwnProperty": 4}`),
    check: (loaded) => {
      assert.deepEqual(Object.keys(loaded), ["__proto__", "constructor", "toString", "hasOwnProperty"])
      assert.equal(Object.getPrototypeOf(loaded), Object.prototype)
      assert.deepEqual(Object.getOwnPropertyDescriptor(loaded, "__proto__")!.value, { polluted: 1 })
      assert.equal(({} as any).polluted, undefined)
    }
  },
  "objects without a prototype": same(() => Object.assign(Object.create(null), { a: 1 })),
  "an object whose prototype is another one": {
    make: () => {
      const base = { greet: "hello" }
      return { base, derived: Object.assign(Object.create(base), { own: 1 }) }
    },
    check: ({ base, derived }) => {
      assert.equal(Object.getPrototypeOf(derived), base)
      assert.deepEqual(Object.keys(derived), ["own"])
      base.greet = "bye"
      assert.equal(derived.greet, "bye")
    }
  },
  "frozen, sealed and inextensible objects": {
    make: () => [
      Object.freeze({ a: 1 }),
      Object.seal({ a: 1 }),
      Object.preventExtensions({ a: 1 }),
      Object.freeze([1, [2]]),
      Object.freeze([]),
      Object.seal([1])
    ],
    check: ([frozen, sealed, inextensible, array, empty, sealedArray]) => {
      assert.ok(Object.isFrozen(frozen))
      assert.ok(Object.isSealed(sealed) && !Object.isFrozen(sealed))
      assert.ok(!Object.isExtensible(inextensible) && !Object.isSealed(inextensible))
      assert.ok(Object.isFrozen(array) && !Object.isFrozen(array[1]))
      assert.ok(Object.isFrozen(empty))
      assert.ok(Object.isSealed(sealedArray) && !Object.isFrozen(sealedArray))
      assert.deepEqual([frozen, array, sealedArray], [{ a: 1 }, [1, [2]], [1]])
    }
  },
  "properties that are not enumerable, writable or configurable": {
    make: () =>
      Object.defineProperties({}, {
        hidden: { value: 1, writable: true, configurable: true },
        constant: { value: 2, enumerable: true },
        [Symbol.for("both")]: { value: [3] }
      }),
    check: (loaded) =>
      assert.deepEqual(
        descriptors(loaded),
        descriptors(
          samples["properties that are not enumerable, writable or configurable"]!.make() as object
        )
      )
  },
  "arrays with holes, properties and a fixed length": {
    make: () => {
      const fixed = Object.defineProperty([1, 2], "length", { writable: false })
      // oxlint-disable-next-line no-sparse-arrays
      return [[, 1, , undefined, ,], Object.assign([1, 2], { extra: true, "-1": 0 }), new Array(5), fixed]
    },
    check: ([holes, extra, empty, fixed]) => {
      assert.deepEqual(Object.keys(holes), ["1", "3"])
      assert.equal(holes.length, 5)
      assert.deepEqual(Object.keys(extra), ["0", "1", "extra", "-1"])
      assert.equal(empty.length, 5)
      assert.deepEqual(Object.keys(empty), [])
      assert.throws(() => fixed.push(3), TypeError)
    }
  },
  "an array with few elements and a great length": {
    make: () => {
      const array: Array<unknown> = []
      array[4_000_000_000] = "far"
      array[7] = { near: true }
      return array
    },
    check: (loaded) => {
      assert.equal(loaded.length, 4_000_000_001)
      assert.deepEqual(Object.keys(loaded), ["7", "4000000000"])
      assert.deepEqual(loaded[7], { near: true })
    }
  },
  "an array whose elements are not all alike": {
    make: () => Object.defineProperty([1, 2, 3], 1, { writable: false }),
    check: (loaded) =>
      assert.deepEqual(
        descriptors(loaded),
        descriptors(samples["an array whose elements are not all alike"]!.make() as object)
      )
  },
  "maps and sets, in their order and of themselves": {
    make: () => {
      const map = new Map<unknown, unknown>([["b", 1], ["a", 2], [NaN, 3], [{ key: 1 }, "value"]])
      map.set(map, new Set([3, 1, map]))
      return map
    },
    check: (loaded) => {
      const keys = [...loaded.keys()]
      assert.deepEqual(keys.slice(0, 4), ["b", "a", NaN, { key: 1 }])
      assert.equal(keys[4], loaded)
      assert.deepEqual([...loaded.get(loaded)], [3, 1, loaded])
      assert.equal(loaded.get(NaN), 3)
    }
  },
  "dates and regular expressions": {
    make: () => {
      const regExp = /a(?<n>\d)+/giu
      regExp.lastIndex = 5
      return [new Date(0), new Date(NaN), new Date(1e12 + 0.5), regExp, /[/]\n/dsy, Object.freeze(/x/)]
    },
    check: ([epoch, invalid, later, regExp, other, frozen]) => {
      assert.equal(epoch.getTime(), 0)
      assert.ok(Number.isNaN(invalid.getTime()))
      assert.equal(later.getTime(), 1e12)
      assert.deepEqual([regExp.source, regExp.flags, regExp.lastIndex], ["a(?<n>\\d)+", "giu", 5])
      assert.deepEqual([other.source, other.flags], ["[/]\\n", "dsy"])
      assert.ok(Object.isFrozen(frozen))
    }
  },
  "primitives in objects": {
    make: () => [
      new Number(-0),
      new String("text"),
      new Boolean(false),
      new Object(5n),
      Object.assign(new String("x"), { p: 1 })
    ],
    check: ([number, string, boolean, bigint, extra]) => {
      assert.ok(Object.is(number.valueOf(), -0) && typeof number === "object")
      assert.ok(string instanceof String && string.length === 4 && `${string}` === "text")
      assert.ok(boolean instanceof Boolean && boolean.valueOf() === false)
      assert.ok(typeof bigint === "object" && bigint.valueOf() === 5n)
      assert.ok(extra.p === 1 && extra[0] === "x")
    }
  },
  "buffers and views that share one": {
    make: () => {
      const buffer = new ArrayBuffer(16)
      const bytes = new Uint8Array(buffer, 4, 8)
      bytes.set([1, 2, 3])
      return {
        buffer,
        bytes,
        words: new Uint16Array(buffer, 4),
        view: new DataView(buffer, 1, 9),
        doubles: new Float64Array([0.5, NaN]),
        big: new BigInt64Array([-1n]),
        extra: Object.assign(new Int8Array(2), { p: 1 })
      }
    },
    check: ({ big, buffer, bytes, doubles, extra, view, words }) => {
      assert.equal(bytes.buffer, buffer)
      assert.equal(view.buffer, buffer)
      assert.deepEqual([...bytes], [1, 2, 3, 0, 0, 0, 0, 0])
      assert.deepEqual([words.byteOffset, words.length, words[0]], [4, 6, 0x0201])
      assert.deepEqual([view.byteOffset, view.byteLength, view.getUint8(3)], [1, 9, 1])
      bytes[0] = 9
      assert.equal(words[0], 0x0209)
      assert.deepEqual([...doubles], [0.5, NaN])
      assert.deepEqual([...big], [-1n])
      assert.ok(extra.p === 1 && extra.length === 2)
    }
  },
  "Node's buffers, without the memory that they are a part of": {
    make: () => {
      const secret = Buffer.from("nobody else's business")
      const buffer = Buffer.from("ab\0c")
      return {
        buffer,
        again: buffer,
        part: secret.subarray(0, 6),
        empty: Buffer.alloc(0),
        extra: Object.assign(Buffer.alloc(1), { p: 1 })
      }
    },
    check: ({ again, buffer, empty, extra, part }) => {
      assert.ok(Buffer.isBuffer(buffer) && Buffer.isBuffer(empty))
      assert.equal(buffer.toString("latin1"), "ab\0c")
      assert.equal(again, buffer)
      assert.equal(String(part), "nobody")
      assert.equal(empty.length, 0)
      assert.ok(extra.p === 1 && extra.length === 1)
    }
  },
  "a buffer that can be resized": {
    make: () => {
      const buffer = new (ArrayBuffer as any)(8, { maxByteLength: 32 })
      return [buffer, new Uint8Array(buffer), new Uint8Array(buffer, 0, 8), new DataView(buffer, 2)]
    },
    check: ([buffer, tracking, fixed, view]) => {
      assert.deepEqual([buffer.resizable, buffer.maxByteLength], [true, 32])
      buffer.resize(12)
      assert.deepEqual([tracking.length, fixed.length, view.byteLength], [12, 8, 10])
    }
  },
  "errors with their cause and stack": {
    make: () => {
      const cause = new TypeError("why")
      const error = new Error("what", { cause })
      return { cause, error, all: new AggregateError([cause, error], "all"), http: new HttpError(404, "gone") }
    },
    check: ({ all, cause, error, http }) => {
      assert.ok(cause instanceof TypeError && error instanceof Error && all instanceof AggregateError)
      assert.equal(error.cause, cause)
      assert.equal(error.message, "what")
      assert.match(String(error.stack), /^Error: what\n.*make/s)
      assert.deepEqual(Object.keys(error), [])
      assert.equal(all.errors[0], cause)
      assert.ok(http instanceof HttpError && http.status === 404 && http.message === "gone")
      assert.equal(Object.prototype.toString.call(http), "[object Error]")
    }
  },
  "instances of classes with a name": {
    make: () => [new Point(3, 4), new Point3(0, 0), new Registry([["a", 1]]), Stack.from([1, 2])],
    check: ([point, point3, registry, stack]) => {
      assert.ok(point instanceof Point && point.length === 5)
      assert.ok(point3 instanceof Point3 && point3.z === 3)
      assert.ok(registry instanceof Registry && registry.get("a") === 1 && registry.label === "r")
      assert.ok(stack instanceof Stack && stack.peek() === 2 && Array.isArray(stack))
    }
  },
  "instances that say themselves what they are made of": {
    make: () => {
      const inner = new Counter(10)
      const middle = new Counter(20, [inner])
      return { outer: new Counter(30, [middle, { deep: [inner] }]), inner, middle }
    },
    check: ({ inner, middle, outer }) => {
      assert.equal(outer.others[0], middle)
      assert.equal(middle.others[0], inner)
      assert.equal(outer.others[1].deep[0], inner)
      assert.deepEqual([inner.next(), middle.next(), outer.next()], [11, 21, 31])
    }
  },
  "what the language has, by name": {
    make: () => [Math, Math.max, Array.prototype.map, Array, JSON.stringify, Map, Symbol, parseInt, Reflect, console],
    check: (loaded) =>
      assert.deepEqual(
        loaded,
        [Math, Math.max, Array.prototype.map, Array, JSON.stringify, Map, Symbol, parseInt, Reflect, console]
      )
  },
  "what was named": {
    make: () => ({ file, again: [file], Point }),
    check: (loaded) => {
      assert.equal(loaded.file, file)
      assert.equal(loaded.again[0], file)
      assert.equal(loaded.Point, Point)
    }
  },
  "sharing, and circles": {
    make: () => {
      const shared = { list: [] as Array<unknown> }
      shared.list.push(shared, shared.list)
      return [shared, shared.list, shared]
    },
    check: ([shared, list, again]) => {
      assert.equal(shared, again)
      assert.equal(shared.list, list)
      assert.equal(list[0], shared)
      assert.equal(list[1], list)
    }
  },
  "what a function got as arguments": {
    make: () =>
      (function(..._: ReadonlyArray<unknown>) {
        // oxlint-disable-next-line prefer-rest-params
        return arguments
      })(1, { two: 2 }),
    check: (loaded) => {
      assert.equal(Object.prototype.toString.call(loaded), "[object Arguments]")
      assert.deepEqual([...loaded], [1, { two: 2 }])
      assert.equal(loaded.length, 2)
    }
  },
  "a list a million long": {
    make: () => {
      let list: unknown = null
      for (let i = 0; i < 1_000_000; i++) list = { i, next: list }
      return list
    },
    check: (loaded) => {
      let length = 0
      for (let node = loaded; node !== null; node = node.next) length++
      assert.equal(length, 1_000_000)
    }
  }
}
