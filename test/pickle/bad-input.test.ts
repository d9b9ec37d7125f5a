/** What cannot be pickled is said, with the way to it, and nothing has happened. */
import { dumps, loads, persistent, PicklingError, reduce, restore } from "effect-stackless/pickle"
import { describe, expect, test, vi } from "vitest"

const failure = (value: unknown): PicklingError => {
  try {
    dumps(value)
  } catch (error) {
    if (error instanceof PicklingError) return error
    throw error
  }
  throw new Error("it was pickled")
}

class Unregistered {}

function* body() {
  yield 1
}

const cases: ReadonlyArray<readonly [name: string, value: () => unknown, message: string]> = [
  ["a native generator", () => body(), "a generator that the compiler has not made cannot be pickled"],
  ["a promise", () => Promise.resolve(1), "a promise cannot be pickled"],
  ["a function of no compiled module", () => body, "the function body is of no compiled module"],
  ["an arrow function", () => () => 1, "is of no compiled module"],
  [
    "an object of an unregistered class",
    () => new Unregistered(),
    "the class Unregistered cannot be found by its name"
  ],
  ["a proxy", () => new Proxy({}, {}), "a proxy cannot be pickled"],
  ["a proxy of a function", () => new Proxy(() => {}, {}), "a proxy cannot be pickled"],
  ["a getter", () => ({
    get a(): never {
      throw new Error("it ran")
    }
  }), "the property a has a getter or setter"],
  ["a setter", () => ({ set a(_: number) {} }), "the property a has a getter or setter"],
  ["a getter in an array", () => Object.defineProperty([1, 2], 1, { get: () => 1 }), "has a getter or setter"],
  [
    "a getter without its object",
    () =>
      Object.getOwnPropertyDescriptor({
        get a() {
          return 1
        }
      }, "a")!.get,
    "the accessor get a cannot be pickled"
  ],
  ["a symbol of no registry", () => Symbol("mine"), "Symbol(mine) cannot be pickled"],
  ["a key that is such a symbol", () => ({ [Symbol("mine")]: 1 }), "Symbol(mine) cannot be pickled"],
  ["a WeakMap", () => new WeakMap(), "a WeakMap cannot be pickled"],
  ["a WeakRef", () => new WeakRef({}), "a WeakRef cannot be pickled"],
  ["an iterator of an array", () => [1].values(), "an iterator of an array"],
  ["an iterator of a Map", () => new Map().keys(), "an iterator of a Map"],
  ["memory that threads share", () => new SharedArrayBuffer(8), "memory that threads share cannot be pickled"],
  ["a view of it", () => new Uint8Array(new SharedArrayBuffer(8)), "memory that threads share cannot be pickled"],
  ["a Buffer of it", () => Buffer.from(new SharedArrayBuffer(8)), "memory that threads share cannot be pickled"],
  ["an object of the language that is none of the above", () => new Intl.NumberFormat(), "cannot be pickled"],
  ["what inherits from Map and is none", () => Object.create(Map.prototype), "inherits from Map, and is none"],
  [
    "what inherits from Error and is none",
    () => Object.create(TypeError.prototype),
    "inherits from TypeError, and is none"
  ]
]

describe("says what and where", () => {
  for (const [name, make, message] of cases) {
    test(name, () => {
      const value = make()
      expect(failure(value).message).toContain(message)
      const deep = failure({ list: [0, new Map([["key", value]])] })
      expect(deep.message).toContain(message)
      expect(deep.message).toMatch(/: object → \.list → \[1\]/)
      expect(deep.path.slice(0, 3)).toEqual(["object", ".list", "[1]"])
    })
  }
})

test("no trap of a proxy runs", () => {
  const trap = (): never => {
    throw new Error("it ran")
  }
  const handler: ProxyHandler<object> = {
    get: trap,
    getOwnPropertyDescriptor: trap,
    getPrototypeOf: trap,
    has: trap,
    ownKeys: trap
  }
  expect(failure([new Proxy({}, handler)]).message).toContain("a proxy cannot be pickled")
})

test("a class with private state has to say what its instances are made of", () => {
  class Secret {
    #value = 1
    value(): number {
      return this.#value
    }
  }
  persistent("Secret", Secret)
  expect(failure({ secret: new Secret() }).message).toContain("the class Secret has private state")
})

test("a # in a text is no private state", () => {
  class Colour {
    // #no
    readonly text = "#fff"
  }
  persistent("Colour", Colour)
  expect(() => dumps(new Colour())).not.toThrow()
})

test("an error in reduce is the cause", () => {
  const error = new Error("not now")
  class Busy {
    static [reduce](): never {
      throw error
    }
    static [restore](): Busy {
      return new Busy()
    }
  }
  persistent("Busy", Busy)
  const failed = failure([new Busy()])
  expect(failed.cause).toBe(error)
  expect(failed.message).toBe("an error came up: not now: Array → [0] → Busy")
})

test("a class with only one of reduce and restore is told so", () => {
  class Half {
    static [reduce](): number {
      return 1
    }
  }
  persistent("Half", Half)
  expect(failure(new Half()).message).toContain("needs both static [pickle.reduce] and [pickle.restore]")
})

test("what is made of itself is refused when it is loaded, by name", async () => {
  const { loads } = await import("effect-stackless/pickle")
  class Ring {
    next: Ring | undefined
    static [reduce](ring: Ring): unknown {
      return { next: ring.next }
    }
    static [restore]({ next }: { next: Ring }): Ring {
      return Object.assign(new Ring(), { next })
    }
  }
  persistent("Ring", Ring)
  const ring = new Ring()
  ring.next = ring
  expect(() => loads(dumps(ring))).toThrow("what [pickle.reduce] of Ring gave refers to the object that it was made of")
})

test("a name is a text, and what has it is no plain value", () => {
  expect(() => persistent(1 as never, {})).toThrow(TypeError)
  expect(() => persistent("n", 1 as never)).toThrow("persistent names objects, functions and symbols")
})

test("a Buffer is refused where there is none", async () => {
  const pickle = dumps({ buffer: Buffer.from("bytes") })
  vi.resetModules()
  vi.stubGlobal("Buffer", undefined)
  const elsewhere = await import("effect-stackless/pickle").finally(() => vi.unstubAllGlobals())
  expect(() => elsewhere.loads(pickle)).toThrow("the pickle has a Buffer, which is Node's")
  expect(loads<{ buffer: Buffer }>(pickle).buffer.toString()).toBe("bytes")
})
