/**
 * A server that answers while tasklets compute for ever beside it: a hundred of them, in loops that perform nothing, share the
 * thread in slices of time. It asks itself for some seconds, and prints how long the answers took.
 *
 *     node --import effect-stackless/register fair.js
 */
"use stackless"

import { Effect, Fiber } from "effect"
import * as stackless from "effect-stackless/stackless"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** How many numbers of Collatz's each has gone through. */
const done: Array<number> = []

function* computing(i: number): Generator<never, void, void> {
  for (let first = 1;; first++) {
    for (let n = first; n > 1;) n = n % 2 === 0 ? n / 2 : 3 * n + 1
    done[i] = first
  }
}

const tasklets = Number(process.argv[2] ?? 100)
const seconds = Number(process.argv[3] ?? 3)

for (let i = 0; i < tasklets; i++) {
  done.push(0)
  stackless.tasklet(computing)(i)
}

const server = createServer((_, response) => response.end(`${done.reduce((sum, n) => sum + n, 0)}\n`))
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
const { port } = server.address() as AddressInfo

const running = Effect.runFork(stackless.run({ slice: "5 millis" }))
const latencies: Array<number> = []
for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
  const asked = performance.now()
  await (await fetch(`http://127.0.0.1:${port}/`)).text()
  latencies.push(performance.now() - asked)
}
await Effect.runPromise(Fiber.interrupt(running))
server.close()

latencies.sort((a, b) => a - b)
const at = (percent: number): string => latencies[Math.floor(latencies.length * percent / 100)]!.toFixed(1)
console.log(`${latencies.length} answers; median ${at(50)} ms, 99th percentile ${at(99)} ms`)
const some = done.filter((n) => n > 0).length
console.log(`${tasklets} tasklets compute, ${some} of them have come to something`)
process.exit(0)
