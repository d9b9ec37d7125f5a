/** The command `bench`: which figures to take, and how to print them. */
import { parseArgs } from "node:util"
import { median } from "./clock.ts"
import { ratio, takeAll } from "./fresh.ts"
import type { Figure, Measurement, Unit } from "./measurement.ts"
import { measurements } from "./measurements/index.ts"

const usage = "usage: npm run bench -- [--json] [NAME…]"

/** What rates are compared with. */
const YARDSTICK = "raw.generator"

const figures: ReadonlyArray<Figure> = Object.values(measurements).flatMap(({ figures }) => figures)

/**
 * Takes the named figures, by default all, and prints a table, or with `--json` one object of name → number. A name that
 * is no figure's stands for all whose names start with it. Rates come with their ratio to `raw.generator`, which is
 * taken with them.
 *
 * Returns the exit code: 0, or 2 if the arguments cannot be understood.
 */
export const bench = async (args: ReadonlyArray<string>): Promise<number> => {
  let json: boolean
  let chosen: ReadonlyArray<Figure>
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { json: { type: "boolean", default: false } }
    })
    json = values.json
    chosen = choose(positionals)
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    return 2
  }

  const taken = await takeAll(covering(chosen), progress)
  const rows = chosen.map((figure): Row => {
    const numbers = taken.get(figure.name)!
    return {
      figure,
      number: median(numbers),
      ratio: figure.unit === "/s" && figure.name !== YARDSTICK ? ratio(numbers, taken.get(YARDSTICK)!) : undefined
    }
  })
  console.log(json ? asJson(rows) : asTable(rows))
  return 0
}

// ---- choosing -------------------------------------------------------------------------------------------------------

const choose = (names: ReadonlyArray<string>): ReadonlyArray<Figure> => {
  const chosen = new Set(names.length === 0 ? figures : names.flatMap(named))
  const withYardstick = [...chosen].some(({ unit }) => unit === "/s")
  return figures.filter((figure) => chosen.has(figure) || (withYardstick && figure.name === YARDSTICK))
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

/** Four digits, which is more than the noise allows. */
const rounded = (number: number): number => Number(number.toPrecision(4))

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

const asTable = (rows: ReadonlyArray<Row>): string => {
  const width = Math.max(...rows.map(({ figure }) => figure.name.length))
  return [
    `${"".padEnd(width)}  ${"".padStart(12)}  ratio to raw`,
    ...rows.map(({ figure, number, ratio }) =>
      [
        figure.name.padEnd(width),
        said(number, figure.unit).padStart(12),
        (ratio === undefined ? "" : ratio.toFixed(3)).padStart(12),
        figure.about
      ].join("  ")
    )
  ].join("\n")
}

const said = (number: number, unit: Unit): string => {
  switch (unit) {
    case "/s":
      return `${(number / 1_000_000).toFixed(2)} M/s`
    case "µs":
      return `${number.toFixed(3)} µs`
    case "bytes":
      return `${number.toFixed(0)} bytes`
    case "MB":
      return `${number.toFixed(0)} MB`
  }
}

/** On a terminal only: a bench takes minutes. */
const progress = (done: number, of: number): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r${done + 1} of ${of} measurements${done + 1 === of ? "\n" : ""}`)
}
