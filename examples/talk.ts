/**
 * The program of the talk "The Story of Stackless Python" (EuroPython 2012), as it stands there; then a small world of
 * tasklets, and what it cost.
 */
import { Effect } from "effect"
import * as stackless from "effect-stackless/stackless"
import { sectors } from "./sectors.ts"

const channel = stackless.channel<string>()

function* receivingTasklet() {
  console.log("Receiving tasklet started")
  console.log(yield* channel.receive())
  console.log("Receiving tasklet finished")
}

function* sendingTasklet() {
  console.log("Sending tasklet started")
  yield* channel.send("send from sending_tasklet")
  console.log("sending tasklet finished")
}

function* anotherTasklet() {
  console.log("Just another tasklet in the scheduler")
}

stackless.tasklet(receivingTasklet)()
stackless.tasklet(sendingTasklet)()
stackless.tasklet(anotherTasklet)()

await Effect.runPromise(stackless.run())

console.log()
await Effect.runPromise(sectors({ ships: 100_000, sectors: 1_000, rounds: 10 }))
