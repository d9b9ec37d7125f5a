/** Emitted code before it is text: pieces of the source, pieces of our own, and case labels whose numbers are not known yet. */
import { encode, type SourceMapMappings, type SourceMapSegment } from "@jridgewell/sourcemap-codec"
import type { Parsed } from "./parse.ts"

/** A place that a frame can be resumed or continued at. */
export class Label {
  /** What `pc` says there; given when all of them are known. */
  pc = -1
}

/** A piece of the source. */
export class Slice {
  readonly start: number
  readonly end: number
  constructor(start: number, end: number) {
    this.start = start
    this.end = end
  }
}

/** A piece of a loop that a frame may enter in the middle, and what it is where that begins from the start. */
export class Entered {
  readonly entered: Code
  readonly begun: Code
  constructor(entered: Code, begun: Code = "") {
    this.entered = entered
    this.begun = begun
  }
}

/** A number stands for the place in the source that the next text comes from. */
export type Code = string | number | Label | Slice | Entered | ReadonlyArray<Code>

/** The same code for loops that begin from the start. */
export const begun = (code: Code): Code => {
  if (Array.isArray(code)) return (code as ReadonlyArray<Code>).map(begun)
  return code instanceof Entered ? begun(code.begun) : code
}

/** The labels that code goes to. */
export const labelsIn = (code: Code): ReadonlySet<Label> => {
  const labels = new Set<Label>()
  const pending: Array<Code> = [code]
  while (pending.length > 0) {
    const piece = pending.pop()!
    if (piece instanceof Label) labels.add(piece)
    else if (piece instanceof Entered) pending.push(piece.entered, piece.begun)
    else if (Array.isArray(piece)) { for (const each of piece as ReadonlyArray<Code>) pending.push(each) }
  }
  return labels
}

export interface SourceMap {
  version: 3
  file: string
  sources: Array<string>
  sourcesContent: Array<string>
  names: Array<string>
  mappings: string
}

export const mapOf = (filename: string, original: string, mappings: string): SourceMap => ({
  version: 3,
  file: filename,
  sources: [filename],
  sourcesContent: [original],
  names: [],
  mappings
})

/** Puts the pieces together, and says where in the original each of them comes from. */
export const print = (code: Code, parsed: Parsed): { readonly code: string; readonly mappings: string } => {
  const { originalPlace, source } = parsed
  const lines: SourceMapMappings = [[]]
  let line: Array<SourceMapSegment> = lines[0]!
  let column = 0
  let text = ""

  const mark = (offset: number): void => {
    const place = originalPlace(offset)
    if (place === undefined) return
    const last = line.at(-1)
    if (last !== undefined && last[0] === column) line.pop()
    else if (last !== undefined && last.length === 4 && last[2] === place.line && last[3] === place.column) return
    line.push([column, 0, place.line, place.column])
  }
  const nextLine = (): void => {
    lines.push(line = [])
    column = 0
  }
  const add = (piece: string, from: number): void => {
    text += piece
    let start = 0
    for (let end = piece.indexOf("\n"); end !== -1; end = piece.indexOf("\n", start)) {
      nextLine()
      start = end + 1
      if (from !== -1 && start < piece.length) mark(from + start)
    }
    column += piece.length - start
  }

  // An explicit stack: code is nested as deep as the source is.
  const pending: Array<Code> = [code]
  while (pending.length > 0) {
    const piece = pending.pop()!
    if (typeof piece === "string") add(piece, -1)
    else if (typeof piece === "number") mark(piece)
    else if (piece instanceof Slice) {
      mark(piece.start)
      add(source.slice(piece.start, piece.end), piece.start)
    } else if (piece instanceof Label) add(String(piece.pc), -1)
    else if (piece instanceof Entered) pending.push(piece.entered)
    else for (let i = piece.length - 1; i >= 0; i--) pending.push((piece as ReadonlyArray<Code>)[i]!)
  }
  return { code: text, mappings: encode(lines) }
}
