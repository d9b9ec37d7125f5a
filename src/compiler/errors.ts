/** What the compiler says about source that it cannot compile: where it stands, and a piece of it. */

/**
 * Source that cannot be compiled, or an option that there is not. Its message holds everything a reader needs: file, line,
 * column, what is wrong, and the line of the source.
 *
 * @category errors
 * @since 0.1.0
 */
export class CompileError extends Error {
  override readonly name: string = "CompileError"
  /** The file, as it was given to `compile`. */
  readonly file: string
  /** The line, from 1 on. */
  readonly line: number
  /** The column, from 1 on, in UTF-16 units. */
  readonly column: number
  /** The line of the source, with a mark under the place. */
  readonly excerpt: string
  /** Is the source no JavaScript and no TypeScript? The engine would refuse it, too. */
  readonly syntax: boolean

  constructor(reason: string, file: string, source: string, offset: number, syntax = false) {
    const { column, line } = placeOf(source, offset)
    const excerpt = excerptOf(source, offset)
    super(`${file}:${line}:${column}: ${reason}${excerpt === "" ? "" : `\n${excerpt}`}`)
    this.file = file
    this.line = line
    this.column = column
    this.excerpt = excerpt
    this.syntax = syntax
  }
}

const placeOf = (source: string, offset: number): { readonly line: number; readonly column: number } => {
  let line = 1
  let start = 0
  for (let end = source.indexOf("\n"); end !== -1 && end < offset; end = source.indexOf("\n", start)) {
    line++
    start = end + 1
  }
  return { line, column: offset - start + 1 }
}

/** How much of a long line is shown on each side of the place. */
const AROUND = 60

const excerptOf = (source: string, offset: number): string => {
  const start = source.lastIndexOf("\n", offset - 1) + 1
  const next = source.indexOf("\n", offset)
  const from = Math.max(start, offset - AROUND)
  const to = Math.min(next === -1 ? source.length : next, offset + AROUND)
  const text = source.slice(from, to).trimEnd()
  if (text === "") return ""
  return `  ${text}\n  ${text.slice(0, offset - from).replace(/[^\t]/g, " ")}^`
}
