/** The command `conformance`: which programs to run, and what to say about them. */
import { createRequire } from "node:module"
import { basename, dirname, join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { describe, difference } from "./difference.ts"
import { gears, programGears } from "./gear.ts"
import { isLayerName, type LayerName, layerNames, layerOf, layers } from "./layer.ts"
import { Malformed, type Program, readPrograms } from "./program.ts"
import type { Job, Run } from "./run.ts"

/** What the command needs from outside. */
export interface Surroundings {
  /** Where relative names of files start. */
  readonly directory: string
  readonly run: (job: Job) => Promise<Run>
  readonly print: (text: string) => void
  readonly complain: (text: string) => void
}

const usage =
  "usage: npm run conformance -- [--gear soft|hard|compiled|pickled|preempted|both] [--every N] [--fuel N] [--layer greenlet|stackless|gevent] [FILE…]"

/** How many of the programs that fail are shown. */
const shown = 3

/** The recorded programs. They lie with the sources: this file may run as compiled elsewhere. */
const programs = join(
  dirname(createRequire(import.meta.url).resolve("effect-stackless/package.json")),
  "test/conformance/programs"
)

/** The files of a layer that come with the project. */
export const recorded: Readonly<Record<LayerName, ReadonlyArray<string>>> = {
  greenlet: [join(programs, "greenlet.jsonl")],
  stackless: [join(programs, "stackless.jsonl"), join(programs, "stackless-crashers.jsonl")],
  gevent: [join(programs, "gevent.jsonl")]
}

interface File {
  readonly path: string
  readonly layer: LayerName
  readonly programs: ReadonlyArray<Program>
}

/**
 * Runs the programs of files, by default all recorded ones of the layers that there are, and prints the first
 * differences, a count for each file and gear, and as the last line `N passed, N failed`.
 *
 * Returns the exit code: 0, 1 if a program failed, 2 if the arguments or a file cannot be understood.
 */
export const conformance = async (args: ReadonlyArray<string>, surroundings: Surroundings): Promise<number> => {
  const { complain, print, run } = surroundings
  let chosen: ReturnType<typeof choose>
  try {
    chosen = choose(args, surroundings.directory)
  } catch (error) {
    if (!(error instanceof Malformed) && !(error instanceof Misused)) throw error
    complain(error instanceof Misused ? `${error.message}\n${usage}` : error.message)
    return 2
  }

  let passed = 0
  let failed = 0
  for (const { layer, path, programs } of chosen.files) {
    const implementation = layers[layer]
    for (const gear of chosen.gears) {
      if (implementation === undefined) {
        print(`${basename(path)} (${gear}): not run, as there is no ${layer} layer yet`)
        failed += programs.length
        continue
      }
      let good = 0
      for (const program of programs) {
        const found = difference(program, implementation.probe, await run({ layer, program, gear, ...chosen.options }))
        if (found === undefined) {
          good += 1
          continue
        }
        failed += 1
        if (failed <= shown) print(`${program.name} (${gear}) differs at line ${found.line}\n${describe(found)}\n`)
      }
      passed += good
      print(`${basename(path)} (${gear}): ${good} of ${programs.length} passed`)
    }
  }
  print(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

/** The arguments make no sense. */
class Misused extends Error {}

const choose = (args: ReadonlyArray<string>, directory: string) => {
  const { positionals, values } = parse(args)
  const gear = programGears.find((known) => known === values.gear)
  if (gear === undefined && values.gear !== "both") {
    throw new Misused(`--gear is soft, hard, compiled, pickled, preempted or both (soft and hard), not ${values.gear}`)
  }
  if (values.every !== undefined && (gear !== "pickled" || !/^[1-9]\d*$/.test(values.every))) {
    throw new Misused("--every is for the gear pickled: after how many ops of main everything is dumped and loaded")
  }
  if (values.fuel !== undefined && (gear !== "preempted" || !/^[1-9]\d*$/.test(values.fuel))) {
    throw new Misused("--fuel is for the gear preempted: after how many steps a tasklet is interrupted")
  }
  const { layer } = values
  if (layer !== undefined && !isLayerName(layer)) {
    throw new Misused(`--layer is one of ${layerNames.join(", ")}, not ${layer}`)
  }

  if (gear === "pickled" && layer === "gevent") throw new Misused("--gear pickled is for greenlet and stackless")
  if (gear === "preempted" && layer !== undefined && layer !== "stackless") {
    throw new Misused("--gear preempted is for stackless: the others have no watchdog")
  }
  const possible = layerNames.filter((name) =>
    layers[name] !== undefined && !(gear === "pickled" && name === "gevent") &&
    !(gear === "preempted" && name !== "stackless")
  )
  const asked = layer === undefined ? possible : [layer]
  const paths = positionals.length > 0
    ? positionals.map((path) => resolve(directory, path))
    : asked.flatMap((name) => recorded[name])
  const files = paths.map((path): File => {
    const programs = readPrograms(path)
    return { path, programs, layer: layer ?? layerOf(path, programs) }
  })
  return {
    files,
    gears: gear === undefined ? gears : [gear],
    options: {
      ...values.every === undefined ? {} : { every: Number(values.every) },
      ...values.fuel === undefined ? {} : { fuel: Number(values.fuel) }
    }
  }
}

const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        gear: { type: "string", default: "both" },
        every: { type: "string" },
        fuel: { type: "string" },
        layer: { type: "string" }
      }
    })
  } catch (error) {
    throw new Misused((error as Error).message)
  }
}
