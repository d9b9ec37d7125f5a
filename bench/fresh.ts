/** Takes measurements in fresh processes, so that none sees another's heap or what the compiler learned from it. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { median } from "./clock.ts"
import type { Measurement } from "./measurement.ts"

const child = fileURLToPath(new URL("child.js", import.meta.url))

const take = (name: string): Promise<ReadonlyArray<number>> =>
  new Promise((resolve, reject) => {
    const process = fork(child, [name], { execArgv: ["--expose-gc"] })
    let numbers: ReadonlyArray<number> | undefined
    process.on("message", (message) => {
      numbers = message as ReadonlyArray<number>
    })
    process.on("exit", (code, signal) => {
      if (numbers !== undefined) resolve(numbers)
      else reject(new Error(`${name} ended with ${signal ?? `code ${code}`} and without a number`))
    })
  })

/** How often each measurement is taken. */
const ROUNDS = 5

/**
 * The numbers of each figure, one a round. Each round takes every measurement once, so that what is compared within a
 * round was measured on the same machine in the same mood.
 */
export const takeAll = async (
  measurements: Readonly<Record<string, Measurement>>,
  progress: (done: number, of: number) => void
): Promise<Map<string, Array<number>>> => {
  const names = Object.keys(measurements)
  const taken = new Map<string, Array<number>>()
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, name] of names.entries()) {
      progress(round * names.length + i, ROUNDS * names.length)
      const numbers = await take(name)
      for (const [j, figure] of measurements[name]!.figures.entries()) {
        taken.set(figure.name, [...(taken.get(figure.name) ?? []), numbers[j]!])
      }
    }
  }
  return taken
}

/** The median of the rounds' ratios. */
export const ratio = (numbers: ReadonlyArray<number>, to: ReadonlyArray<number>): number =>
  median(numbers.map((number, round) => number / to[round]!))
