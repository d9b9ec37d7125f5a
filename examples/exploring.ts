/**
 * Three programs that pass as they are run, and fail in another order: philosophers who all take their left fork, a wake-up
 * that comes before the sleep, and a check whose answer is old when it is acted on. The search finds the order.
 */
import { Effect } from "effect"
import { explore, replay } from "effect-stackless/explore"
import { channel, run, tasklet } from "effect-stackless/stackless"
import { fileURLToPath } from "node:url"

/** Three philosophers, each of whom takes the fork on the left, and then the one on the right. */
export function* philosophers() {
  const forks = [0, 1, 2].map((n) => channel<null>({ name: `fork ${n}`, capacity: 1 }))
  for (const fork of forks) yield* fork.send(null)
  forks.forEach((left, n) => {
    const right = forks[(n + 1) % forks.length]!
    tasklet(function*() {
      yield* left.receive()
      yield* right.receive()
      yield* right.send(null)
      yield* left.send(null)
    })().name = `philosopher ${n}`
  })
  yield* run()
}

/** One waits if the work is not ready; the other rings only if somebody waits. */
export function* lostWakeUp() {
  const bell = channel<null>({ name: "bell" })
  const log = channel<string>({ capacity: 10 })
  let ready = false
  tasklet(function*() {
    if (!ready) {
      yield* log.send("it is not ready: I wait")
      yield* bell.receive()
    }
  })().name = "waiter"
  tasklet(function*() {
    ready = true
    if (bell.balance < 0) yield* bell.send(null)
  })().name = "worker"
  yield* run()
}

/** Two withdraw from one account, and each looks first whether there is enough. */
export function* overdraft() {
  const log = channel<string>({ capacity: 10 })
  let balance = 100
  const withdraw = function*(name: string, amount: number) {
    if (balance < amount) return
    yield* log.send(`${name} takes ${amount}`)
    balance -= amount
  }
  for (const name of ["Ann", "Bob"]) tasklet(withdraw)(name, 60).name = name
  yield* run()
  if (balance < 0) throw new Error(`the balance is ${balance}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const program of [philosophers, lostWakeUp, overdraft]) {
    await Effect.runPromise(replay(program, "")) // as it is run, it passes
    const found = await Effect.runPromise(Effect.flip(explore(program, { bound: 1 })))
    console.log(`${program.name}: ${found.message}\n`)
  }
}
