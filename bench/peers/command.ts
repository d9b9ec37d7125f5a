/** The command `bench peers`: the same work by others, beside ours. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { median } from "../clock.ts"
import { fresh, type Numbers, parseRounds, ratio, rounds, roundsOption } from "../fresh.ts"
import type { Unit } from "../measurement.ts"
import { inUnit, rounded, table } from "../print.ts"
import { root } from "../root.ts"
import { peers as scripts } from "./index.ts"
import { type WorkName, workNames } from "./peer.ts"
import { programPeers, takeProgram } from "./programs.ts"

const usage = "usage: npm run bench -- peers [--json] [--rounds N]"

/** One peer's part in one piece of work. */
interface Entry {
  readonly work: WorkName
  readonly peer: string
  readonly take: () => Promise<Numbers>
}

const about: Readonly<Record<WorkName, string>> = {
  switch: "two that hand control to each other by name, switches",
  schedule: "two that let the other one run, calls",
  channel: "one sends, one receives, messages",
  block: "one of 50,000 is made and run until it waits"
}

/**
 * Takes and prints a table for each piece of work, or with `--json` one object of `work.peer` → number. The ratio says
 * how many times as fast, or as small, ours is. Peers that are not installed are named and left out.
 *
 * Returns the exit code: 0, or 2 if the arguments cannot be understood.
 */
export const peers = async (args: ReadonlyArray<string>): Promise<number> => {
  let json: boolean
  let times: number
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { json: { type: "boolean", default: false }, rounds: roundsOption }
    })
    json = values.json
    times = parseRounds(values.rounds)
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    return 2
  }
  const { entries, skipped, versions } = available()
  const taken = await rounds(entries, (entry) => entry.take(), times)
  const rows = workNames.flatMap((work) => compare(work, entries.filter((entry) => entry.work === work), taken))
  for (const line of skipped) console.error(line)
  console.log(json ? asJson(rows) : [...workNames.map((work) => asTable(work, rows)), versions.join(", ")].join("\n\n"))
  return 0
}

// ---- who takes part -------------------------------------------------------------------------------------------------

interface Available {
  readonly entries: ReadonlyArray<Entry>
  /** A line for each peer that is not installed. */
  readonly skipped: ReadonlyArray<string>
  readonly versions: ReadonlyArray<string>
}

const available = (): Available => {
  const entries: Array<Entry> = []
  const skipped: Array<string> = []
  const versions = [`Node ${process.versions.node}`, ...["effect", "effection"].map(versionOf)]
  for (const [peer, works] of Object.entries(scripts)) {
    for (const work of workNames) {
      if (works[work] !== undefined) entries.push({ work, peer, take: () => fresh("peers/child.js", [peer, work]) })
    }
  }
  for (const peer of programPeers) {
    try {
      versions.push(peer.version())
    } catch {
      skipped.push(`${peer.name} is skipped: ${peer.get}`)
      continue
    }
    for (const work of peer.works) entries.push({ work, peer: peer.name, take: async () => takeProgram(peer, work) })
  }
  return { entries, skipped, versions }
}

/** Read as a file: a package need not export its manifest. */
const versionOf = (name: string): string => {
  const { version } = JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8"))
  return `${name} ${version}`
}

// ---- comparing ------------------------------------------------------------------------------------------------------

interface Row {
  readonly work: WorkName
  readonly peer: string
  readonly unit: Unit
  readonly number: number
  /** How many times as good ours is. */
  readonly ratio: number
}

const units: Readonly<Record<WorkName, ReadonlyArray<Unit>>> = {
  switch: ["/s"],
  schedule: ["/s"],
  channel: ["/s"],
  block: ["µs", "bytes"]
}

const compare = (
  work: WorkName,
  entries: ReadonlyArray<Entry>,
  taken: ReadonlyMap<Entry, ReadonlyArray<Numbers>>
): ReadonlyArray<Row> =>
  units[work].flatMap((unit, i) => {
    const numbers = (entry: Entry): Numbers => taken.get(entry)!.map((round) => round[i]!)
    const ours = numbers(entries.find(({ peer }) => peer === "ours")!)
    return entries.map((entry) => {
      const theirs = numbers(entry)
      return {
        work,
        peer: entry.peer,
        unit,
        number: median(theirs),
        ratio: unit === "/s" ? ratio(ours, theirs) : ratio(theirs, ours)
      }
    })
  })

// ---- printing -------------------------------------------------------------------------------------------------------

const asJson = (rows: ReadonlyArray<Row>): string =>
  JSON.stringify(
    Object.fromEntries(
      rows.flatMap(({ number, peer, ratio, unit, work }) => {
        const name = `${work}${unit === "/s" ? "" : unit === "µs" ? ".us" : ".bytes"}.${peer.replaceAll(/,? /g, "-")}`
        return [[name, rounded(number)], [`${name}.ratio`, rounded(ratio)]]
      })
    ),
    undefined,
    2
  )

const asTable = (work: WorkName, rows: ReadonlyArray<Row>): string =>
  table([
    [`${work}: ${about[work]}`, "median", "ours is", ""],
    ...rows
      .filter((row) => row.work === work)
      .map(({ number, peer, ratio, unit }) => [
        peer,
        inUnit(number, unit),
        peer === "ours" ? "" : `${ratio.toPrecision(3)} ×`,
        peer === "ours" ? "" : unit === "/s" || unit === "µs" ? "as fast" : "as small"
      ])
  ])
