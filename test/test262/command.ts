/** The command `test262`: which files to run, and what to say about them. */
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import type { Difference } from "./differences.ts"
import type { Failure, Suite, Verdict } from "./run.ts"
import { filesOf, NoSuite } from "./suite.ts"

/** What the command needs from outside. */
export interface Surroundings {
  /** Where a relative name of the suite's folder starts. */
  readonly directory: string
  /** The code of the runtime, as `Suite` says. */
  readonly runtime: () => Promise<string>
  readonly run: (
    suite: Suite,
    files: ReadonlyArray<string>,
    tell: (file: string, verdict: Verdict) => void
  ) => Promise<void>
  readonly differences: ReadonlyArray<Difference>
  readonly print: (text: string) => void
  /** Prints what does not belong to the result: complaints, and how far the run is. */
  readonly complain: (text: string) => void
}

const usage = "usage: npm run test262 -- --suite DIR [--all] [--json] [FILTER…]"

/** How many failures are shown; with `--json` all are. */
const shown = 50

/** After how many files the command says how far it is. */
const stride = 500

/** The arguments make no sense. */
class Misused extends Error {}

/**
 * Runs files of a checkout of tc39/test262 compiled, and prints what fails, and as the last line
 * `N passed, N failed, N left out`; with `--json`, one object. A file counts if Node itself passes it. By default the
 * files that are about generators, and the others that hold one and are not asynchronous; `--all` takes every file. Of
 * these, the ones whose path has a FILTER in it.
 *
 * Returns the exit code: 0, 1 if a file failed, 2 if the arguments cannot be understood.
 */
export const test262 = async (args: ReadonlyArray<string>, surroundings: Surroundings): Promise<number> => {
  const { complain, differences, directory, print } = surroundings
  let chosen: { readonly json: boolean; readonly path: string; readonly files: ReadonlyArray<string> }
  try {
    chosen = choose(args, directory)
  } catch (error) {
    if (!(error instanceof Misused) && !(error instanceof NoSuite)) throw error
    complain(error instanceof Misused ? `${error.message}\n${usage}` : error.message)
    return 2
  }
  const { files, json, path } = chosen

  const verdicts = new Map<string, Verdict>()
  await surroundings.run({ path, runtime: await surroundings.runtime() }, files, (file, verdict) => {
    verdicts.set(file, verdict)
    if (verdicts.size % stride === 0) complain(`${verdicts.size} of ${files.length}`)
  })

  const result = sum(files, verdicts, differences)
  print(json ? JSON.stringify(result, undefined, 2) : asText(result))
  return result.failed === 0 ? 0 : 1
}

const choose = (args: ReadonlyArray<string>, directory: string) => {
  const { positionals, values } = parse(args)
  if (values.suite === undefined) throw new Misused("--suite is missing")
  const path = resolve(directory, values.suite)
  const files = filesOf(path, { all: values.all, filters: positionals })
  if (files.length === 0) throw new Misused(`no file has ${positionals.join(" or ")} in its path`)
  return { path, files, json: values.json }
}

const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        suite: { type: "string" },
        all: { type: "boolean", default: false },
        json: { type: "boolean", default: false }
      }
    })
  } catch (error) {
    throw new Misused((error as Error).message)
  }
}

interface Result {
  readonly passed: number
  readonly failed: number
  readonly leftOut: number
  /** The files that failed. */
  readonly failures: Readonly<Record<string, ReadonlyArray<Failure>>>
  /** The files that differ as the list says they do: file → reason. */
  readonly expected: Readonly<Record<string, string>>
  /** The files that do not count: file → reason. */
  readonly notCounted: Readonly<Record<string, string>>
}

const sum = (
  files: ReadonlyArray<string>,
  verdicts: ReadonlyMap<string, Verdict>,
  differences: ReadonlyArray<Difference>
): Result => {
  const reasons = new Map(differences.flatMap(({ files, reason }) => files.map((file) => [file, reason])))
  const failures: Record<string, ReadonlyArray<Failure>> = {}
  const expected: Record<string, string> = {}
  const notCounted: Record<string, string> = {}
  let passed = 0
  for (const file of files) {
    const { failures: found, leftOut } = verdicts.get(file)!
    const reason = reasons.get(file)
    if (leftOut !== undefined) notCounted[file] = leftOut
    else if (found.length === 0 && reason === undefined) passed += 1
    else if (found.length === 0) {
      failures[file] = [{ mode: "sloppy", message: `passes, though the list says: ${reason}` }]
    } else if (reason === undefined) failures[file] = found
    else expected[file] = reason
  }
  const leftOut = Object.keys(notCounted).length
  return { passed, failed: Object.keys(failures).length, leftOut, failures, expected, notCounted }
}

const asText = ({ expected, failed, failures, leftOut, passed }: Result): string => {
  const lines = Object.entries(failures).slice(0, shown).flatMap(([file, failures]) =>
    failures.map(({ message, mode }) => `${file} (${mode}): ${message.split("\n", 1)[0]}`)
  )
  if (failed > shown) lines.push(`… and ${failed - shown} more files`)
  const differing = Object.keys(expected).length
  if (differing > 0) lines.push(`${differing} differ as test/test262/differences.ts says`)
  lines.push(`${passed} passed, ${failed} failed, ${leftOut} left out`)
  return lines.join("\n")
}
