/** The command `bench scale`: how figures change with how many there are. */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { median } from "../clock.ts"
import { fresh, rounds } from "../fresh.ts"
import { inUnit, rounded, table } from "../print.ts"
import { allSeries } from "./index.ts"
import { plot } from "./plot.ts"

const usage = "usage: npm run bench -- scale [--json] [--plot FILE] [SERIES…]"

/** What is plotted, and how the plot calls it. */
const plotted: Readonly<Record<string, string>> = {
  "switch.shuffled": "tasklets, random order",
  "raw.shuffled": "bare generators, random order",
  "switch": "tasklets, order of creation"
}

interface Point {
  readonly name: string
  readonly size: number
}

/** The most that a process may have in its heap, which 3,000,000 tasklets and 5,000,000 frames come near. */
const MEGABYTES = 8000

/** How often each point is taken. */
const ROUNDS = 3

/**
 * Takes the named series, by default all, and prints a table of them by size, or with `--json` one object of
 * `series.size` → number. `--plot` also draws the time for a switch against the number of live tasklets, as SVG.
 *
 * Returns the exit code: 0, or 2 if the arguments cannot be understood.
 */
export const scale = async (args: ReadonlyArray<string>): Promise<number> => {
  let json: boolean
  let file: string | undefined
  let names: ReadonlyArray<string>
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { json: { type: "boolean", default: false }, plot: { type: "string" } }
    })
    json = values.json
    file = values.plot
    names = chosen(positionals, file !== undefined)
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    return 2
  }

  const points = names.flatMap((name) => allSeries[name]!.sizes.map((size): Point => ({ name, size })))
  const taken = await rounds(
    points,
    ({ name, size }) => fresh("scale/child.js", [name, String(size)], [`--max-old-space-size=${MEGABYTES}`]),
    ROUNDS
  )
  const numbers = new Map(
    [...taken].map(([{ name, size }, numbers]) => [`${name}.${size}`, median(numbers.map(([number]) => number!))])
  )
  console.log(json ? asJson(numbers) : asTable(names, numbers))
  if (file !== undefined) writeFileSync(file, asPlot(numbers))
  return 0
}

/** The series to take, those that are plotted among them. */
const chosen = (names: ReadonlyArray<string>, plotting: boolean): ReadonlyArray<string> => {
  const all = Object.keys(allSeries)
  for (const name of names) {
    if (!all.includes(name)) throw new Error(`there is no series ${name}; there are ${all.join(", ")}`)
  }
  return names.length === 0 ? all : all.filter((name) => names.includes(name) || (plotting && name in plotted))
}

// ---- printing -------------------------------------------------------------------------------------------------------

/** By `series.size`. */
type Numbers = ReadonlyMap<string, number>

const asJson = (numbers: Numbers): string =>
  JSON.stringify(Object.fromEntries([...numbers].map(([name, number]) => [name, rounded(number)])), undefined, 2)

const asTable = (names: ReadonlyArray<string>, numbers: Numbers): string => {
  const sizes = [...new Set(names.flatMap((name) => allSeries[name]!.sizes))]
  sizes.sort((a, b) => a - b)
  return table([
    ["series", ...sizes.map((size) => size.toLocaleString("en")), ""],
    ...names.map((name) => [
      name,
      ...sizes.map((size) => {
        const number = numbers.get(`${name}.${size}`)
        return number === undefined ? "" : inUnit(number, allSeries[name]!.unit)
      }),
      allSeries[name]!.about
    ])
  ])
}

const asPlot = (numbers: Numbers): string =>
  plot({
    title: "Time for a switch",
    x: "live tasklets",
    y: "ns",
    curves: Object.entries(plotted).map(([name, label]) => ({
      label,
      points: allSeries[name]!.sizes.map((size) => [size, numbers.get(`${name}.${size}`)!])
    }))
  })
