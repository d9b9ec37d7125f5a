/** Python's generators, built on greenlets; nested ones, which a plain generator cannot express; a producer and consumer. */
import type { Effect } from "effect"
import { call, getcurrent, Greenlet, greenlet } from "effect-stackless/greenlet"
import { describe, expect, test } from "vitest"
import { as, kinds, main } from "./bodies.ts"

type Steps<A> = Generator<Effect.Effect<any, any>, A, any>

const end = Symbol("end")

/** A greenlet that is iterated: `next` switches to it, and `give` in any function that it calls answers. */
class Genlet extends Greenlet {
  /** The genlet that gives on behalf of this one, see `give`. */
  child: Genlet | undefined;

  *next(): Steps<any> {
    if (this.child !== undefined) {
      let { child } = this
      while (child.child !== undefined) {
        const above: Genlet = child
        child = child.child
        above.child = undefined
      }
      const result = yield* child.switch()
      return this.active ? result : end
    }
    this.parent = getcurrent()
    const result = yield* this.switch()
    return this.active ? result : end
  }

  *each(f: (value: any) => Steps<void>): Steps<void> {
    for (;;) {
      const value = yield* this.next()
      if (value === end) return
      yield* f(value)
    }
  }
}

/** Gives a value to whoever iterates the current genlet, or the one `level - 1` genlets further out. */
function* give(value: unknown, level = 1): Steps<void> {
  let g: Greenlet = getcurrent()
  for (; level !== 0; level--) {
    if (!(g instanceof Genlet)) throw new Error("give outside of a genlet")
    if (level > 1) (g.parent as Genlet).child = g
    g = g.parent!
  }
  yield* g.switch(value)
}

describe.each(kinds)("with %s bodies", (kind) => {
  const genlet = (body: () => Steps<unknown>): Genlet => new Genlet(as(kind, body))

  test("a genlet and its iterator take turns", () =>
    main(function*() {
      const seen: Array<number> = []
      for (let round = 0; round < 3; round++) {
        const g = genlet(function*() {
          for (let i = 0; i < 5; i++) {
            seen.push(i)
            yield* give(i)
          }
        })
        yield* g.each(function*(value) {
          seen.push(value)
        })
      }
      const once = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
      expect(seen).toEqual([...once, ...once, ...once])
    }))

  test("a genlet is a value, though it has a method next: a body, or a called function, may return it", () =>
    main(function*() {
      const made = genlet(function*() {})
      for (
        const body of [
          as(kind, function*() {
            return made
          }),
          () => made
        ]
      ) {
        expect(yield* greenlet<[], Genlet>(body).switch()).toBe(made)
        expect(yield* call<[], Genlet>(body)).toBe(made)
      }
      expect([made.active, made.dead]).toEqual([false, false])
    }))

  test("a function that a genlet calls may give, too", () =>
    main(function*() {
      function* nested(i: number): Steps<void> {
        yield* give(i)
      }
      const seen: Array<number> = []
      yield* genlet(function*() {
        for (let i = 0; i < 5; i++) yield* nested(i)
      }).each(function*(value) {
        seen.push(value)
      })
      expect(seen).toEqual([0, 1, 2, 3, 4])
    }))

  test("genlets iterate genlets, recursively", () =>
    main(function*() {
      const countdown = (n: number): Genlet =>
        genlet(function*() {
          if (n === 0) return
          yield* countdown(n - 1).each((value) => give(value))
          yield* give(n)
        })
      const seen: Array<number> = []
      yield* countdown(5).each(function*(value) {
        seen.push(value)
      })
      expect(seen).toEqual([1, 2, 3, 4, 5])
    }))

  test("a genlet gives through the one that iterates it to the next", () =>
    main(function*() {
      const seen: Array<number> = []
      const inner = (n: number) =>
        genlet(function*() {
          for (let i = 1; i < n; i++) {
            yield* give(i)
            yield* give(i * i, 2)
          }
        })
      const outer = genlet(function*() {
        yield* inner(5).each(function*(value) {
          seen.push(value)
        })
      })
      yield* outer.each(function*(value) {
        seen.push(value)
      })
      expect(seen).toEqual([1, 1, 2, 4, 3, 9, 4, 16])
    }))

  test("genlets that call themselves make all permutations", () =>
    main(function*() {
      const perms = (list: ReadonlyArray<number>): Genlet =>
        genlet(function*() {
          if (list.length <= 1) return yield* give(list)
          for (const e of list) {
            yield* perms(list.filter((x) => x !== e)).each((p) => give([e, ...p]))
          }
        })
      const all: Array<string> = []
      yield* perms([0, 1, 2, 3]).each(function*(p) {
        all.push(p.join(""))
      })
      expect(all).toHaveLength(24)
      expect(new Set(all).size).toBe(24)
    }))

  test("to give outside of a genlet is an error", () =>
    main(function*() {
      let caught: unknown
      try {
        yield* give(10)
      } catch (error) {
        caught = error
      }
      expect(String(caught)).toContain("outside of a genlet")
    }))

  test("a producer and a consumer take turns until the producer has no more", () =>
    main(function*() {
      const log: Array<string> = []
      const consumer = greenlet(as(kind, function*(item: string | undefined) {
        while (item !== undefined) {
          log.push(`consumes ${item}`)
          item = yield* producer.switch<string>()
        }
        return "consumer is done"
      }))
      const producer: Greenlet = greenlet(as(kind, function*() {
        for (const item of ["a", "b", "c"]) {
          log.push(`makes ${item}`)
          yield* consumer.switch(item)
        }
        return yield* consumer.switch(undefined)
      }))
      expect(yield* producer.switch()).toBe("consumer is done")
      expect(log).toEqual(["makes a", "consumes a", "makes b", "consumes b", "makes c", "consumes c"])
    }))
})
