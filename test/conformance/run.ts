/** Runs one program on a thread of its own. */
import { Cause, Effect, Exit } from "effect"
import { call, withThread } from "effect-stackless/greenlet"
import { type Gear, inGear } from "./gear.ts"
import { type LayerName, layers } from "./layer.ts"
import type { Program } from "./program.ts"

/** What is run. */
export interface Job {
  readonly layer: LayerName
  readonly program: Program
  readonly gear: Gear
}

/** What came of it. */
export interface Run {
  readonly trace: ReadonlyArray<string>
  /** Of a program that has no trace to compare with: what the probe printed that ran after it on the same thread. */
  readonly probe?: ReadonlyArray<string>
  /** Why the program has not come to its end. */
  readonly failure?: string
}

/** How long a program may take, in milliseconds. They take about one. */
export const limit = 5000

export const didNotEnd = `did not end within ${limit / 1000} s`

/** A program that waits for ever is given up; one that never comes back takes its whole JavaScript thread with it. */
export const run = async ({ gear, layer: name, program }: Job): Promise<Run> => {
  const layer = layers[name]
  if (layer === undefined) throw new Error(`there is no ${name} layer yet`)
  const trace: Array<string> = []
  const probe: Array<string> = []
  // Taken at the end of the main program: when the thread ends, its suspended bodies go on, and log.
  let result: Run | undefined

  const main = inGear(gear, function*() {
    const machine = layer.machine(program, gear, trace)
    yield* machine.run()
    if (program.trace !== undefined) {
      result = { trace: [...trace] }
      return
    }
    const upToEnd = [...trace]
    yield* machine.settle()
    yield* layer.machine(layer.probe, gear, probe).run()
    result = { trace: upToEnd, probe: [...probe] }
  })

  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), limit)
  })
  const exit = await Promise.race([Effect.runPromiseExit(withThread(call(main))), timeout])
  clearTimeout(timer)
  const sofar = result ?? { trace: [...trace], probe: [...probe] }
  if (exit === undefined) return { ...sofar, failure: didNotEnd }
  // What bodies make of the end of the thread is no part of the program.
  if (result !== undefined) return result
  return { ...sofar, failure: Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "main was left before its end" }
}
