/** What the test calls in the page. */
import { Cause, Effect, Exit } from "effect"
import { call, withThread } from "effect-stackless/greenlet"
import { describe, difference } from "../../conformance/difference.ts"
import { type Gear, inGear } from "../../conformance/gear.ts"
import { GreenletMachine, greenletProbe } from "../../conformance/greenlet.ts"
import type { Program } from "../../conformance/program.ts"
import { StacklessMachine, stacklessProbe } from "../../conformance/stackless.ts"
import { pickled, resumed } from "./pickling.ts"

const layers = {
  greenlet: { Machine: GreenletMachine, probe: greenletProbe },
  stackless: { Machine: StacklessMachine, probe: stacklessProbe }
}

/** Runs recorded programs, a line each. What differs: nothing. */
const conformance = async (
  layer: keyof typeof layers,
  gear: Gear,
  programs: string
): Promise<Array<string>> => {
  const { Machine, probe } = layers[layer]
  const different: Array<string> = []
  for (const line of programs.trim().split("\n")) {
    const program: Program<never> = JSON.parse(line)
    const trace: Array<string> = []
    const probed: Array<string> = []
    let upToEnd: Array<string> | undefined
    const main = inGear(gear, function*() {
      const machine = new Machine(program, gear, trace)
      yield* machine.run()
      upToEnd = [...trace]
      if (program.trace !== undefined) return
      yield* machine.settle()
      yield* new Machine(probe as Program<never>, gear, probed).run()
    })
    const exit = await Effect.runPromiseExit(withThread(call(main)))
    const failure = upToEnd === undefined && Exit.isFailure(exit) ? Cause.pretty(exit.cause) : undefined
    const run = { trace: upToEnd ?? trace, probe: probed, ...failure === undefined ? {} : { failure } }
    const found = difference(program, probe, run)
    if (found !== undefined) different.push(`${program.name} differs at line ${found.line}\n${describe(found)}`)
  }
  return different
}

export const inPage = { conformance, pickled, resumed }
Object.assign(globalThis, { inPage })
