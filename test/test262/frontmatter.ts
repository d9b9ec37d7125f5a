/**
 * What a file of test262 says of itself in the comment at its top: the part of YAML that the suite uses for what a runner
 * has to know. The suite's INTERPRETING.md tells what each entry means.
 */

/** How an error is expected to come. */
export interface Negative {
  readonly phase: "parse" | "resolution" | "runtime"
  /** The name of the error's constructor. */
  readonly type: string
}

export interface Frontmatter {
  readonly flags: ReadonlySet<string>
  /** Files of the suite's `harness` that are evaluated first. */
  readonly includes: ReadonlyArray<string>
  readonly features: ReadonlyArray<string>
  readonly negative: Negative | undefined
}

const marked = /\/\*---\r?\n?([\s\S]*?)---\*\//

/** Takes the frontmatter out of a file's text. A file without one has no flags, and includes nothing. */
export const frontmatterOf = (text: string): Frontmatter => {
  const entries = entriesOf(marked.exec(text)?.[1] ?? "")
  const negative = entries.get("negative")
  return {
    flags: new Set(listOf(entries.get("flags"))),
    includes: listOf(entries.get("includes")),
    features: listOf(entries.get("features")),
    negative: negative === undefined ? undefined : negativeOf(negative)
  }
}

/** Key → the text behind it, with the indented lines that follow. */
const entriesOf = (yaml: string): Map<string, string> => {
  const entries = new Map<string, string>()
  let key: string | undefined
  for (const line of yaml.split(/\r\n|\r|\n/)) {
    const start = /^([\w-]+):(.*)$/.exec(line)
    if (start !== null) {
      key = start[1]!
      entries.set(key, start[2]!)
    } else if (key !== undefined) {
      entries.set(key, `${entries.get(key)}\n${line}`)
    }
  }
  return entries
}

/** `[a, b]`, on one line or several, or a line `- a` each. */
const listOf = (text = ""): Array<string> =>
  text.replace(/#.*$/gm, "").split(/[[\],\n]|^\s*- /m).map((item) => item.replace(/^\s*-\s+/, "").trim())
    .filter((item) => item !== "")

const negativeOf = (text: string): Negative => {
  const field = (name: string) => new RegExp(`\\b${name}:\\s*(\\w+)`).exec(text)?.[1] ?? ""
  return { phase: field("phase") as Negative["phase"], type: field("type") }
}
