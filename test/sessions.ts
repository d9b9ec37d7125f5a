/** The sessions of the pages and the examples of the docstrings. `docs.test.ts` says how they are written. */
import { readdirSync } from "node:fs"
import { join } from "node:path"

export const pages = [
  "README.md",
  "AGENTS.md",
  ...readdirSync("docs", { recursive: true, encoding: "utf8" }).map((file) => join("docs", file))
].filter((file) => file.endsWith(".md"))

export const sources = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => join("src", file))

export interface Session {
  readonly heading: string
  readonly code: string
  /** May it be compiled? */
  readonly compiles: boolean
}

/** The modules of a page. */
export const sessionsOf = (page: string): Array<Session> => {
  const sessions = new Map<string, string>()
  const written = new Set<string>()
  let heading = ""
  /** What the fence that is open began with; none is open where it is `undefined`. */
  let fence: string | undefined
  const add = (line: string) => sessions.set(heading, `${sessions.get(heading) ?? ""}${line}\n`)
  for (const line of page.split("\n")) {
    if (fence === undefined) {
      if (line.startsWith("#")) heading = line.replace(/^#+ /, "")
      else if (line.startsWith("```")) fence = line
    } else if (line === "```") fence = undefined
    else if (fence === "```ts") add(line)
    else if (fence === "```ts no-compile") {
      written.add(heading)
      add(line)
    } else if (fence === "```") add(`// => ${line}`)
  }
  return [...sessions].map(([heading, code]) => ({ heading, code, compiles: !written.has(heading) }))
}

/** The examples of the docstrings of a source file, each a module. */
export const examplesOf = (source: string): Array<Session> =>
  [...source.matchAll(/^( *)\* @example\n \*? ?[^]*?\*\//gm)].flatMap(([comment], i) => {
    const code = /```ts\n([^]*?)```/.exec(comment.replace(/^ *\* ?/gm, ""))
    return code === null ? [] : [{ heading: `example ${i + 1}`, code: code[1]!, compiles: true }]
  })
