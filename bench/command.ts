/** The command `bench`: which figures to take, and how to print them. */
import { parseArgs } from "node:util"
import { median } from "./clock.ts"
import { fresh, parseRounds, ratio, rounds, roundsOption } from "./fresh.ts"
import type { Figure, Measurement } from "./measurement.ts"
import { measurements } from "./measurements/index.ts"
import { inUnit, rounded, table } from "./print.ts"

const usage =
  "usage: npm run bench -- [--json] [--rounds N] [NAME…], or one of the other benches: -- peers [--json] [--rounds N], -- scale [--json] [--plot FILE] [SERIES…]"

const figures: ReadonlyArray<Figure> = Object.values(measurements).flatMap(({ figures }) => figures)

/** What rates are compared with. */
const yardstick = figures.find(({ name }) => name === "raw.generator")!

/**
 * Takes the named figures, by default all, and prints a table, or with `--json` one object of name → number. A name that
 * is no figure's stands for all whose names start with it. Rates come with their ratio to `raw.generator`, which is
 * taken with them. `--rounds` says how often each is taken.
 *
 * Returns the exit code: 0, or 2 if the arguments cannot be understood.
 */
export const bench = async (args: ReadonlyArray<string>): Promise<number> => {
  let json: boolean
  let times: number
  let chosen: ReadonlyArray<Figure>
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { json: { type: "boolean", default: false }, rounds: roundsOption }
    })
    json = values.json
    times = parseRounds(values.rounds)
    chosen = choose(positionals)
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    return 2
  }

  const taken = await take(covering(chosen), times)
  const rows = chosen.flatMap((figure): ReadonlyArray<Row> => {
    const numbers = taken.get(figure)!
    // what cannot be taken here has said so
    if (numbers.includes(undefined as never)) return []
    const row: Row = {
      figure,
      number: median(numbers),
      ratio: figure.unit === "/s" && figure !== yardstick ? ratio(numbers, taken.get(yardstick)!) : undefined
    }
    return [row]
  })
  console.log(json ? asJson(rows) : asTable(rows))
  return 0
}

/** The numbers of each figure, one a round. */
const take = async (
  measurements: Readonly<Record<string, Measurement>>,
  times: number
): Promise<Map<Figure, Array<number>>> => {
  const taken = await rounds(Object.keys(measurements), (name) => fresh("child.js", [name]), times)
  return new Map(
    [...taken].flatMap(([name, numbers]) =>
      measurements[name]!.figures.map((figure, i) => [figure, numbers.map((round) => round[i]!)])
    )
  )
}

// ---- choosing -------------------------------------------------------------------------------------------------------

const choose = (names: ReadonlyArray<string>): ReadonlyArray<Figure> => {
  const chosen = new Set(names.length === 0 ? figures : names.flatMap(named))
  const withYardstick = [...chosen].some(({ unit }) => unit === "/s")
  return figures.filter((figure) => chosen.has(figure) || (withYardstick && figure === yardstick))
}

const named = (name: string): ReadonlyArray<Figure> => {
  const exact = figures.filter((figure) => figure.name === name)
  const found = exact.length > 0 ? exact : figures.filter((figure) => figure.name.startsWith(name))
  if (found.length > 0) return found
  throw new Error(`there is no figure ${name}; there are ${figures.map(({ name }) => name).join(", ")}`)
}

/** The measurements that the figures come of. */
const covering = (chosen: ReadonlyArray<Figure>): Record<string, Measurement> =>
  Object.fromEntries(
    Object.entries(measurements).filter(([, { figures }]) => figures.some((figure) => chosen.includes(figure)))
  )

// ---- printing -------------------------------------------------------------------------------------------------------

interface Row {
  readonly figure: Figure
  readonly number: number
  /** To the yardstick. */
  readonly ratio: number | undefined
}

const asJson = (rows: ReadonlyArray<Row>): string =>
  JSON.stringify(
    Object.fromEntries(
      rows.flatMap(({ figure, number, ratio }) => [
        [figure.name, rounded(number)],
        ...(ratio === undefined ? [] : [[`${figure.name}.ratio`, rounded(ratio)]])
      ])
    ),
    undefined,
    2
  )

const asTable = (rows: ReadonlyArray<Row>): string =>
  table([
    ["figure", "median", "to raw", ""],
    ...rows.map(({ figure, number, ratio }) => [
      figure.name,
      inUnit(number, figure.unit),
      ratio === undefined ? "" : ratio.toFixed(3),
      figure.about
    ])
  ])
