/** Takes measurements in fresh processes, so that none sees another's heap or what the compiler learned from it. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { median } from "./clock.ts"

export type Numbers = ReadonlyArray<number>

/** No measurement takes that long, in milliseconds. */
const TIMEOUT = 60_000

/**
 * Runs a compiled module of this folder in a process of its own, with further options of Node if need be; gives the
 * numbers that it sends.
 */
export const fresh = (
  module: string,
  args: ReadonlyArray<string>,
  options: ReadonlyArray<string> = []
): Promise<Numbers> =>
  new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL(module, import.meta.url)), args, {
      execArgv: ["--expose-gc", ...options],
      timeout: TIMEOUT
    })
    let numbers: Numbers | undefined
    child.on("message", (message) => {
      numbers = message as Numbers
    })
    child.on("exit", (code, signal) => {
      if (numbers !== undefined) resolve(numbers)
      else reject(new Error(`${args.join(" ")} ended with ${signal ?? `code ${code}`} and without a number`))
    })
  })

/** What such a module does with its numbers. By hand it prints them, which is how one is profiled. */
export const send = (numbers: Numbers): void => {
  if (process.send === undefined) console.log(numbers)
  else process.send(numbers, () => process.exit())
}

/** How often each measurement is taken by default. */
const ROUNDS = 5

/** The option of a command that says how often instead: an odd number has a middle one. */
export const roundsOption = { type: "string", default: String(ROUNDS) } as const

/** What was given for it. Throws if that is no such number. */
export const parseRounds = (text: string): number => {
  const times = Number(text)
  if (Number.isInteger(times) && times > 0) return times
  throw new Error(`--rounds takes how often each measurement is taken, at least 1; got ${text}`)
}

/**
 * Takes each of the measurements once a round, `times` rounds. So what is compared within a round was measured on the same machine in
 * the same mood. Gives the numbers of each by rounds.
 */
export const rounds = async <M>(
  measurements: ReadonlyArray<M>,
  take: (measurement: M) => Promise<Numbers>,
  times = ROUNDS
): Promise<Map<M, Array<Numbers>>> => {
  const taken = new Map<M, Array<Numbers>>()
  const all = times * measurements.length
  for (let i = 0; i < all; i++) {
    // on a terminal only: a bench takes minutes
    if (process.stderr.isTTY) process.stderr.write(`\r${i + 1} of ${all}${i + 1 === all ? "\n" : ""}`)
    const measurement = measurements[i % measurements.length]!
    taken.set(measurement, [...(taken.get(measurement) ?? []), await take(measurement)])
  }
  return taken
}

/** The median of the rounds' ratios. */
export const ratio = (numbers: Numbers, to: Numbers): number =>
  median(numbers.map((number, round) => number / to[round]!))
