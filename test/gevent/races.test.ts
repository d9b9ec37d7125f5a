/** What a greenlet waits for in a race or under a timeout either happens, or has not: nothing is lost in between. */
import { Effect, Option } from "effect"
import * as gevent from "effect-stackless/compat/gevent"
import type { Operation } from "effect-stackless/greenlet"
import { describe, expect } from "vitest"
import { realProgram } from "./program.ts"

/** Waits that are over after some milliseconds, unless what is waited for comes first. */
const waits: ReadonlyArray<
  <A>(wait: Operation<A, any>, milliseconds: number) => Effect.Effect<Option.Option<A>, any>
> = [
  (wait, milliseconds) => Effect.timeoutOption(wait, milliseconds),
  (wait, milliseconds) =>
    Effect.race(Effect.map(wait, Option.some), Effect.as(Effect.sleep(milliseconds), Option.none())),
  (wait, milliseconds) =>
    Effect.timeoutOption(
      gevent.call(function*() {
        return yield* wait
      }),
      milliseconds
    )
]

describe("in a race", () => {
  for (const [i, waiting] of waits.entries()) {
    realProgram(`an item is got or stays in the queue (${i})`, function*({ body }) {
      const queue = new gevent.Queue<number>()
      const got: Array<number> = []
      const putters: Array<gevent.Greenlet> = []
      const getters: Array<gevent.Greenlet> = []
      for (let i = 0; i < 100; i++) {
        getters.push(gevent.spawn(body(function*() {
          const item = yield* waiting(queue.get(), i % 5)
          if (Option.isSome(item)) got.push(item.value)
        })))
        putters.push(gevent.spawn(body(function*() {
          yield* gevent.sleep((i % 5) / 1000)
          yield* queue.put(i)
        })))
      }
      yield* gevent.joinall([...putters, ...getters])
      while (!queue.empty()) got.push(queue.getNowait())
      expect([got.length, new Set(got)]).toEqual([100, new Set(Array.from({ length: 100 }, (_, i) => i))])
    })

    realProgram(`an item is put if and only if the putter says so (${i})`, function*({ body }) {
      for (const queue of [new gevent.Queue<number>(1), new gevent.Channel<number>()]) {
        const put: Array<number> = []
        const got: Array<number> = []
        const putters: Array<gevent.Greenlet> = []
        const getters: Array<gevent.Greenlet> = []
        for (let i = 0; i < 100; i++) {
          putters.push(gevent.spawn(body(function*() {
            yield* gevent.sleep((i % 5) / 1000)
            if (Option.isSome(yield* waiting(queue.put(i), i % 5))) put.push(i)
          })))
          if (i % 2 === 0) continue
          getters.push(gevent.spawn(body(function*() {
            yield* gevent.sleep((i % 7) / 1000)
            got.push(yield* queue.get())
          })))
        }
        yield* gevent.joinall(putters)
        yield* gevent.sleep(0.002)
        yield* gevent.killall(getters)
        if (queue instanceof gevent.Queue) { while (!queue.empty()) got.push(queue.getNowait()) }
        expect([got.length, new Set(got)]).toEqual([put.length, new Set(put)])
      }
    })

    realProgram(`a semaphore is acquired or not (${i})`, function*({ body }) {
      const semaphore = new gevent.Semaphore(1)
      const greenlets = Array.from({ length: 100 }, (_, i) =>
        gevent.spawn(body(function*() {
          yield* gevent.sleep((i % 5) / 1000)
          if (Option.isNone(yield* waiting(semaphore.acquire(), i % 3))) return
          yield* gevent.sleep(0)
          semaphore.release()
        })))
      yield* gevent.joinall(greenlets)
      expect([semaphore.counter, semaphore.linkcount()]).toEqual([1, 0])
    })
  }
})
