/** Source text to syntax tree. TypeScript's types and JSX go first; positions lead back to the text that was given. */
import { decode } from "@jridgewell/sourcemap-codec"
import { parseSync } from "oxc-parser"
import { transformSync } from "oxc-transform"
import type { Node } from "./ast.ts"
import { CompileError } from "./errors.ts"

export interface Parsed {
  readonly filename: string
  /** What was given. */
  readonly original: string
  /** The JavaScript that is rewritten; the same, where no types had to go. */
  readonly source: string
  readonly program: Node
  readonly comments: ReadonlyArray<{ readonly start: number; readonly end: number }>
  readonly module: boolean
  /** From `source` to `original`, as a source map has it. */
  readonly mappings: string
  /** From an offset of `source` to a place in `original`: line from 0, column from 0; undefined where there is none. */
  readonly originalPlace: (offset: number) => Place | undefined
  /** From an offset of `source` to one of `original`, the nearest. */
  readonly originalOffset: (offset: number) => number
}

export interface Place {
  readonly line: number
  readonly column: number
}

type Language = "js" | "jsx" | "ts" | "tsx"

const languageOf = (filename: string): Language => {
  const extension = /\.([cm]?[jt]sx?)(?:\?.*)?$/.exec(filename)?.[1] ?? "js"
  const typed = extension.includes("ts")
  return extension.endsWith("x") ? typed ? "tsx" : "jsx" : typed ? "ts" : "js"
}

/** How a file is loaded. */
export type Format = "module" | "commonjs"

/** A file is a module or not by its extension, or else by whether it has `import` or `export`. */
const formatOf = (filename: string): Format | "unambiguous" =>
  /\.m[jt]s(?:\?.*)?$/.test(filename) ? "module" : /\.c[jt]s(?:\?.*)?$/.test(filename) ? "commonjs" : "unambiguous"

export const parse = (original: string, filename: string, format?: Format): Parsed => {
  const language = languageOf(filename)
  const sourceType = format ?? formatOf(filename)
  const inCommonJs = (): boolean =>
    sourceType === "commonjs" &&
    !parseSync(filename, original, { lang: language, sourceType: "module" }).errors.some(isError)
  let source = original
  let places: Places = new Places(original)
  let mappings: string | undefined
  if (language !== "js") {
    const stripped = transformSync(filename, original, {
      lang: language,
      sourceType,
      target: "esnext",
      sourcemap: true
    })
    report(stripped.errors, filename, original, (offset) => offset, inCommonJs)
    source = stripped.code
    mappings = stripped.map?.mappings
    if (stripped.map !== undefined) places = new StrippedPlaces(original, source, decode(stripped.map.mappings))
  }
  const { comments, errors, program } = parseSync(filename, source, {
    lang: "js",
    sourceType,
    preserveParens: false,
    showSemanticErrors: true
  })
  report(errors, filename, original, (offset) => places.offset(offset), inCommonJs)
  return {
    filename,
    original,
    source,
    program: program as unknown as Node,
    comments,
    module: program.sourceType === "module",
    mappings: mappings ?? unchanged(original),
    originalPlace: (offset) => places.place(offset),
    originalOffset: (offset) => places.offset(offset)
  }
}

/** Each line comes from itself. */
const unchanged = (text: string): string => `AAAA${";AACA".repeat(linesOf(text).length - 1)}`

const isError = ({ severity }: { readonly severity: string }): boolean => severity === "Error"

const report = (
  errors: ReadonlyArray<{
    readonly message: string
    readonly severity: string
    readonly labels: ReadonlyArray<{ readonly start: number }>
  }>,
  filename: string,
  original: string,
  offsetOf: (offset: number) => number,
  inCommonJs: () => boolean
): void => {
  const error = errors.find(isError)
  if (error === undefined) return
  const reason = inCommonJs()
    ? `this is a module, but its package.json says that it is CommonJS: write "type": "module" there, or name it .mts or .mjs`
    : error.message
  throw new CompileError(reason, filename, original, offsetOf(error.labels[0]?.start ?? 0), true)
}

/** Where each line of a text begins. */
const linesOf = (text: string): Array<number> => {
  const starts = [0]
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1)
  return starts
}

/** The last of the ascending `starts` that is not after `offset`. */
const lastNotAfter = (starts: ArrayLike<number>, offset: number): number => {
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (starts[middle]! <= offset) low = middle
    else high = middle - 1
  }
  return low
}

/** Places in a text that is the original itself. */
class Places {
  protected readonly starts: Array<number>
  private last = 0

  constructor(text: string) {
    this.starts = linesOf(text)
  }

  place(offset: number): Place | undefined {
    return this.placeIn(offset)
  }

  offset(offset: number): number {
    return offset
  }

  protected placeIn(offset: number): Place {
    const { starts } = this
    // Most are asked for in the order of the text.
    let line = this.last
    if (starts[line]! > offset || (starts[line + 1] ?? Infinity) <= offset) {
      line = starts[line + 1] !== undefined && starts[line + 1]! <= offset && (starts[line + 2] ?? Infinity) > offset
        ? line + 1
        : lastNotAfter(starts, offset)
      this.last = line
    }
    return { line, column: offset - starts[line]! }
  }
}

/** Places in a text that was made of the original, with a map. */
class StrippedPlaces extends Places {
  private readonly mappings: ReturnType<typeof decode>
  private readonly originals: Array<number>

  constructor(original: string, source: string, mappings: ReturnType<typeof decode>) {
    super(source)
    this.mappings = mappings
    this.originals = linesOf(original)
  }

  override place(offset: number): Place | undefined {
    const { column, line } = this.placeIn(offset)
    const segments = this.mappings[line]
    if (segments === undefined || segments.length === 0 || segments[0]![0] > column) return undefined
    let low = 0
    let high = segments.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (segments[middle]![0] <= column) low = middle
      else high = middle - 1
    }
    const segment = segments[low]!
    return segment.length === 1 ? undefined : { line: segment[2], column: segment[3] }
  }

  override offset(offset: number): number {
    for (let at = offset; at >= 0; at--) {
      const place = this.place(at)
      if (place !== undefined) return (this.originals[place.line] ?? 0) + place.column
    }
    return 0
  }
}
