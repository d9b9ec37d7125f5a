/** A program in which a tasklet holds the thread, run by slow.test.ts. */
import { Effect, Metric } from "effect"
import { developmentMode } from "effect-stackless/greenlet"
import * as stackless from "effect-stackless/stackless"

const off = developmentMode({ slow: "50 millis" })

const holding = (until: number): void => {
  while (performance.now() < until);
}

const tasklet = stackless.tasklet(function*() {
  yield* stackless.sleep("300 millis")
  holding(performance.now() + 400)
  yield* stackless.sleep("300 millis")
})()
tasklet.name = "hog"

await Effect.runPromise(stackless.run())
const counted = await Effect.runPromise(Metric.snapshot)
console.log(counted.filter(({ id }) => id.startsWith("stackless_held")).map(({ id }) => id).join(" "))
off()

// nobody waits for who looks on when the process ends
developmentMode({ slow: "50 millis" })
await Effect.runPromise(Effect.sleep("300 millis"))
process.exit()
