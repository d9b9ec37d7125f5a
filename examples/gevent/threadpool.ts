/**
 * Computes on worker threads while a greenlet goes on: upstream's `examples/threadpool.py`.
 *
 *     node .build/examples/gevent/threadpool.js
 */
import { Effect } from "effect"
import { call, sleep, spawn, ThreadPool } from "effect-stackless/compat/gevent"
import { fileURLToPath } from "node:url"

/** The slow way, on purpose. It is sent to its thread as it stands here. */
const fibonacci = (n: number): number => {
  const slow = (n: number): number => n < 2 ? n : slow(n - 1) + slow(n - 2)
  return slow(n)
}

/** Three numbers, and how often another greenlet had its turn meanwhile. */
export function* compute() {
  const pool = new ThreadPool(3)
  let turns = 0
  const ticking = spawn(function*() {
    for (;;) {
      yield* sleep(0.001)
      turns++
    }
  })
  const numbers = yield* pool.map(fibonacci, [27, 28, 29])
  yield* ticking.kill()
  pool.kill()
  return { numbers, turns }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { numbers, turns } = await Effect.runPromise(call(compute))
  console.log(`${numbers.join(", ")}, and ${turns} turns of another greenlet meanwhile`)
}
