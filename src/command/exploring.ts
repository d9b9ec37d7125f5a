/** What `explore` starts: it loads the file, and searches with the copy of the package that the file itself gets. */
import * as Effect from "effect/Effect"
import { pathToFileURL } from "node:url"
import type * as exploring from "../explore/index.ts"
import { FAILED, FOUND } from "./failure.ts"
import { progress, progressEnds } from "./output.ts"

interface Asked {
  readonly path: string
  readonly explore: string
  readonly program: string | undefined
  readonly options: exploring.ExploreOptions
  readonly json: boolean
}

type Program = () => Generator<Effect.Effect<any>, unknown, any>

const { explore, json, options, path, program }: Asked = JSON.parse(process.argv[2]!)

const exported: Readonly<Record<string, unknown>> = await import(pathToFileURL(path).href)
const programs = Object.entries(exported).filter(([, value]) => typeof value === "function") as Array<[string, Program]>
const chosen = program === undefined && programs.length === 1
  ? programs[0]
  : programs.find(([name]) => name === (program ?? "default"))

/** How long progress stands there before it is told anew, in milliseconds. */
const PAUSE = 100

/** The program; it also tells how often it has run. */
const counting = (name: string, f: Program): Program => {
  let schedules = 0
  let told = -Infinity
  return () => {
    schedules++
    const now = performance.now()
    if (now - told >= PAUSE) {
      progress(`running ${name}: schedule ${schedules}`)
      told = now
    }
    return f()
  }
}

const search = async (name: string, f: Program): Promise<void> => {
  const { explore: run }: typeof exploring = await import(explore)
  const found: exploring.Explored | exploring.ScheduleError = await Effect.runPromise(
    Effect.catch(run(counting(name, f), options), (error: exploring.ScheduleError) => Effect.succeed(error))
  )
  progressEnds()
  if (!("schedule" in found)) {
    const { exhausted, schedules, unfinished } = found
    const all = exhausted ? ", which are all" : ""
    const given = unfinished > 0 ? `; ${unfinished} were given up, as they make too many steps` : ""
    process.stdout.write(
      `${json ? JSON.stringify(found) : `${name} does not fail under ${schedules} schedules${all}${given}`}\n`
    )
    return
  }
  const { cause, message, schedule, schedules, switches } = found
  const told = json
    ? JSON.stringify({ message, schedule, switches, schedules, cause: String(cause) }, undefined, 2)
    : `${name} fails: ${message}`
  process.stdout.write(`${told}\n`)
  process.exitCode = FOUND
}

if (chosen === undefined) {
  const names = programs.map(([name]) => name).join(", ")
  process.stderr.write(
    names === ""
      ? `${path} exports no function: explore needs one that is the program\n`
      : `explore needs to know which function of ${path} is the program: --program, one of: ${names}\n`
  )
  process.exitCode = FAILED
} else await search(...chosen)
