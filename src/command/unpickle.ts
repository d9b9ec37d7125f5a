/** `effect-stackless unpickle --inspect`: what is in a pickle, without loading it. */
import { Argument, Command } from "effect/cli"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { inspectPickle, type PickleContents, type PickledRecord, UnpicklingError } from "../pickle/index.ts"
import { ends } from "./ending.ts"
import { CommandFailure, FOUND } from "./failure.ts"
import { flag } from "./flag.ts"
import { print, printJson } from "./output.ts"
import { requireFile } from "./program.ts"

export const unpickle = Command.make(
  "unpickle",
  {
    inspect: flag("inspect", "Say what is in the pickle. Nothing is loaded, and no code runs"),
    json: flag("json", "Print JSON: all records"),
    all: flag("all", "Print all records, not only the first tasklets with their frames"),
    file: Argument.String("file").pipe(Argument.withDescription("A pickle, as dumps gives it"))
  },
  Effect.fnUntraced(function*({ all, file, inspect, json }) {
    if (!inspect) {
      return yield* new CommandFailure({
        message: "unpickle takes --inspect: only the program that a pickle is of can load it, with loads"
      })
    }
    const bytes = readFileSync(yield* requireFile(file))
    const contents = yield* Effect.try({
      try: () => inspectPickle(bytes),
      catch: (error) => {
        if (!(error instanceof UnpicklingError)) throw error
        return new CommandFailure({ message: `${file}: ${error.message}` })
      }
    })
    yield* json ? printJson(contents) : print(written(contents, all))
    if (contents.problems.length > 0) yield* ends(FOUND)
  })
).pipe(
  Command.withDescription(
    "Look into a pickle without loading it: its tasklets and their frames with functions, files, hashes and variables, its channels, and how many bytes each kind takes. Of a damaged file, what stands before the damage. Ends with 1 if the file is damaged."
  ),
  Command.withShortDescription("Look into a pickle without loading it"),
  Command.withExamples([
    { command: "effect-stackless unpickle --inspect game.pickle", description: "Who stands where in a saved game" },
    { command: "effect-stackless unpickle --inspect --json game.pickle", description: "The same for another program" }
  ])
)

/** How many tasklets are printed, if not all are asked for. */
const SHOWN = 20
/** How many of the contents of one object are printed, and how many characters of a value. */
const PARTS = 12
const LENGTH = 60

const written = (contents: PickleContents, all: boolean): string => {
  const { format, names, problems, records, signed, size, value } = contents
  const lines = [
    `a pickle of format ${format}: ${size} bytes, ${counted(records.length, "object")}, ${
      signed ? "signed (the signature was not checked)" : "not signed"
    }`,
    ...problems.map((problem) => `PROBLEM: ${problem}`)
  ]
  if (value !== undefined) lines.push("", `value: ${headOf(value, records)}`)
  const kinds = grouped(records)
  if (kinds.length > 0) {
    lines.push("", "kinds:")
    for (const { bytes, count, kind } of kinds) lines.push(`  ${kind}: ${count}, ${counted(bytes, "byte")}`)
  }
  const needed = names.filter(({ kind }) => kind !== "well-known" && kind !== "thread")
  if (needed.length > 0) {
    lines.push("", "what the program that loads it has to have:")
    for (const { hash, kind, name } of needed) {
      lines.push(`  ${kind} ${name}${hash === undefined ? "" : `, hash ${hash}`}`)
    }
  }
  const microthreads = records.filter(({ kind }) => kind === "tasklet" || kind === "greenlet")
  const shown = all ? microthreads : microthreads.slice(0, SHOWN)
  if (shown.length > 0) lines.push("", "tasklets and greenlets:")
  for (const microthread of shown) {
    lines.push(...linesOf(microthread))
    const { frames } = microthread.about
    if (!Array.isArray(frames)) continue
    for (const frame of frames) {
      const record = records[Number(String(frame).slice(1))]
      lines.push(...record === undefined ? [`    ${frame} (not read)`] : linesOf(record).map((line) => `  ${line}`))
    }
  }
  if (shown.length < microthreads.length) {
    lines.push(`  … and ${microthreads.length - shown.length} more: --all prints them`)
  }
  if (all) {
    const told = new Set(["tasklet", "greenlet", "frame"])
    const others = records.filter(({ kind }) => !told.has(kind))
    if (others.length > 0) lines.push("", "other objects:", ...others.flatMap(linesOf))
  }
  return lines.join("\n")
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`

const grouped = (
  records: ReadonlyArray<PickledRecord>
): ReadonlyArray<{ readonly kind: string; readonly count: number; readonly bytes: number }> => {
  const kinds = new Map<string, { readonly kind: string; count: number; bytes: number }>()
  for (const { bytes, kind } of records) {
    const group = kinds.get(kind) ?? { kind, count: 0, bytes: 0 }
    group.count++
    group.bytes += bytes
    kinds.set(kind, group)
  }
  const groups = [...kinds.values()]
  groups.sort((a, b) => b.bytes - a.bytes)
  return groups
}

const headOf = (value: string, records: ReadonlyArray<PickledRecord>): string => {
  const record = value.startsWith("#") ? records[Number(value.slice(1))] : undefined
  return record === undefined ? short(value) : `${value} ${titleOf(record)}`
}

const titleOf = ({ about, class: Class, kind }: PickledRecord): string => {
  const name = about["name"] ?? about["function"]
  return `${kind}${name === undefined ? "" : ` ${name}`}${Class === undefined ? "" : ` of class ${Class}`}`
}

/** What the title says. */
const TOLD = new Set(["name", "function", "file"])

const linesOf = (record: PickledRecord): Array<string> => {
  const { about, bytes, elements, id, properties } = record
  const told = Object.entries(about).filter(([key]) => !TOLD.has(key)).map(([key, value]) =>
    `${key} ${Array.isArray(value) ? listed(value) : short(String(value))}`
  )
  const lines = [`  #${id} ${titleOf(record)}, ${[...told, counted(bytes, "byte")].join(", ")}`]
  if (elements.length > 0) lines.push(`      ${listed(elements)}`)
  const entries = Object.entries(properties)
  for (const [key, value] of entries.slice(0, PARTS)) lines.push(`      ${short(key)} = ${short(value)}`)
  if (entries.length > PARTS) lines.push(`      … and ${entries.length - PARTS} more`)
  return lines
}

const listed = (values: ReadonlyArray<string>): string =>
  values.slice(0, PARTS).map(short).join(" ") + (values.length > PARTS ? ` … and ${values.length - PARTS} more` : "")

const short = (text: string): string => text.length > LENGTH ? `${text.slice(0, LENGTH - 1)}…` : text
