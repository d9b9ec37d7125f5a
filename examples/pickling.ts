/**
 * "Pickling Program State", of the talk "The Story of Stackless Python" (EuroPython 2012), as it stands there: a tasklet is
 * written to a file in the middle of nine nested calls, and another process goes on with it.
 *
 *     node --import effect-stackless/register pickling.js
 *     node --import effect-stackless/register pickling.js tasklet.pickle
 */
"use stackless"

import { Effect } from "effect"
import * as pickle from "effect-stackless/pickle"
import * as stackless from "effect-stackless/stackless"
import { readFileSync, writeFileSync } from "node:fs"

const ch = stackless.channel<string>()

function* recurs(depth: number, level = 1): Generator<Effect.Effect<unknown>, void, any> {
  console.log(`enter level ${" ".repeat(level)}${level}`)
  if (level >= depth) {
    yield* ch.send("hi")
  }
  if (level < depth) {
    yield* recurs(depth, level + 1)
  }
  console.log(`leave level ${" ".repeat(level)}${level}`)
}

function* demo(depth: number) {
  const t = stackless.tasklet(recurs)(depth)
  console.log(yield* ch.receive())
  writeFileSync("tasklet.pickle", pickle.dumps(t))
}

if (process.argv.length > 2) {
  const t = pickle.loads<stackless.Tasklet>(readFileSync(process.argv[2]!))
  t.insert()
} else {
  stackless.tasklet(demo)(9)
}
await Effect.runPromise(stackless.run())
