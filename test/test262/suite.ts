/** Which files of a checkout of tc39/test262 are run. */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { frontmatterOf } from "./frontmatter.ts"

/** The folder that is given is no checkout of test262. */
export class NoSuite extends Error {}

/** The folders that are about generators. */
const about = [
  "language/statements/generators/",
  "language/expressions/generators/",
  "language/expressions/yield/",
  "built-ins/GeneratorPrototype/",
  "built-ins/GeneratorFunction/"
]

/** A generator, of either kind: a declaration or expression, or a method. Files that cannot be parsed count too. */
const generator =
  /\bfunction\s*\*|(?:^|[{,;}\n]|\bstatic|\basync)\s*\*\s*(?:#?[\w$\\{}]+|"[^"]*"|'[^']*'|\[[^\]]*\])\s*\(/
const comments = /\/\*[\s\S]*?\*\/|\/\/.*$/gm

export const holdsGenerator = (text: string): boolean => generator.test(text.replace(comments, ""))

export interface Selection {
  /** Every file, also asynchronous ones and those without a generator. */
  readonly all: boolean
  /** Parts of paths; of the selection, the files that have any of them. Empty: all. */
  readonly filters: ReadonlyArray<string>
}

/**
 * The files' paths below the suite's folder `test`, sorted: all of the folders that are about generators, and elsewhere
 * those that hold one and are not asynchronous.
 */
export const filesOf = (suite: string, { all, filters }: Selection): Array<string> => {
  const root = join(suite, "test")
  for (const needed of [root, join(suite, "harness/assert.js"), join(suite, "harness/sta.js")]) {
    if (statSync(needed, { throwIfNoEntry: false }) === undefined) {
      throw new NoSuite(`${suite} is no checkout of tc39/test262: there is no ${needed}`)
    }
  }
  const paths = readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".js") && !path.includes("_FIXTURE"))
    .filter((path) => filters.length === 0 || filters.some((filter) => `test/${path}`.includes(filter)))
    .filter((path) => all || about.some((folder) => path.startsWith(folder)) || isOther(join(root, path)))
  paths.sort()
  return paths
}

const isOther = (file: string): boolean => {
  const text = readFileSync(file, "utf8")
  return holdsGenerator(text) && !frontmatterOf(text).flags.has("async")
}
