/** The tasklet of the talk that is pickled in the middle of nine nested calls. */
"use stackless"
import { Effect } from "effect"
import { dumps, loads } from "effect-stackless/pickle"
import { channel, run, type Tasklet, tasklet } from "effect-stackless/stackless"

const log: Array<string> = []
const ch = channel<string>()

function* recurs(depth: number, level = 1): Generator<Effect.Effect<unknown>, void, any> {
  log.push(`enter ${level}`)
  if (level >= depth) yield* ch.send("hi")
  if (level < depth) yield* recurs(depth, level + 1)
  log.push(`leave ${level}`)
}

/** Runs it until it waits in its innermost call, and what it has logged by then. */
export const pickled = async (): Promise<{ readonly log: Array<string>; readonly bytes: Array<number> }> => {
  let taken = { log, bytes: new Array<number>() }
  tasklet(function*() {
    const t = tasklet(recurs)(9)
    yield* ch.receive()
    taken = { log: [...log], bytes: [...dumps(t)] }
  })()
  await Effect.runPromise(run())
  return taken
}

/** Goes on with it. */
export const resumed = async (bytes: ReadonlyArray<number>): Promise<Array<string>> => {
  loads<Tasklet>(Uint8Array.from(bytes)).insert()
  await Effect.runPromise(run())
  return log.splice(0)
}
