/**
 * Where a greenlet is suspended, for people to read. Mirrors the frame objects of `greenlet.gr_frame`.
 *
 * JavaScript does not tell what a generator is suspended in, and writing it down at each switch would slow every switch
 * down. So a frame knows what is to be had for nothing; where in the source it stands it knows only in development mode
 * (development.ts), which does write it down. A compiled frame is data, and so it always knows, with its variables.
 */
import { type DataFrame, DESCRIBE, type Description, isDataFrame, lineOf } from "./data-frame.ts"
import { type Frame, isEffectFrame } from "./frame.ts"
import type { Operation } from "./operation.ts"
import type { Microthread } from "./ports.ts"
import { OUTSIDE, OUTSIDE_RAISING, WAITING } from "./state.ts"
import { bare } from "./wrapper.ts"

/** What a frame does: what it performed last, and where in the source. */
export interface Site {
  readonly operation: Operation<any, any, any>
  /** The function that it called, if it did. */
  readonly callee: string | undefined
  /** Source positions, the innermost first. */
  readonly lines: ReadonlyArray<string>
}

/** Written by development mode. */
export const sites = new WeakMap<Frame | DataFrame, Site>()

/**
 * A frame of a suspended greenlet.
 *
 * @category models
 * @since 0.1.0
 */
export class GreenletFrame {
  /** The name of its function; `Effect` for a foreign Effect, `outside` for the program outside of a main greenlet. */
  readonly name: string
  /** Is its greenlet waiting for a foreign Effect? Otherwise it has switched away. */
  readonly waiting: boolean
  /** The frame that called it. Mirrors `f_back`. */
  readonly back: GreenletFrame | undefined
  /** The operation that it is suspended in; known in development mode. */
  readonly operation: Operation<any, any, any> | undefined
  /** Where in the source it is suspended, the innermost function first; known of a compiled frame, and in development mode. */
  readonly lines: ReadonlyArray<string>
  /** The file, within its package, of a compiled frame. */
  readonly file: string | undefined
  /** The line in it, from 1 on, of a compiled frame. Mirrors `f_lineno`. */
  readonly line: number | undefined
  /** The column in it, from 1 on, of a compiled frame. */
  readonly column: number | undefined
  /** The variables that a compiled frame has in scope, by name. Mirrors `f_locals`. */
  readonly locals: Readonly<Record<string, unknown>> | undefined

  private constructor(
    name: string,
    waiting: boolean,
    back: GreenletFrame | undefined,
    site: Site | undefined,
    described: Description | undefined
  ) {
    this.name = name
    this.waiting = waiting
    this.back = back
    this.operation = site?.operation
    this.file = described?.file
    this.line = described?.line || undefined
    this.column = described?.column || undefined
    this.locals = described?.locals
    this.lines = linesOf(site, described)
  }

  /** @internal */
  static of(greenlet: Microthread, body: string): GreenletFrame | undefined {
    const waiting = greenlet._state === WAITING
    const frames = framesOf(greenlet)
    let back: GreenletFrame | undefined
    let caller: Site | undefined
    const { _state: state } = greenlet
    if (state === OUTSIDE || state === OUTSIDE_RAISING) {
      back = new GreenletFrame("outside", waiting, undefined, undefined, undefined)
    }
    for (const frame of frames) {
      const site = sites.get(frame)
      const described = descriptionOf(frame)
      const name = isEffectFrame(frame)
        ? "Effect"
        : caller?.callee ?? (back === undefined ? body : described?.name ?? "call")
      back = new GreenletFrame(name, waiting && frame === frames.at(-1), back, site, described)
      caller = site
    }
    return back
  }

  /** The frames, one a line, the innermost first. */
  toString(): string {
    const printed: Array<string> = []
    for (let frame: GreenletFrame | undefined = this; frame !== undefined; frame = frame.back) {
      printed.push(`${frame.name}${frame.waiting ? ", waiting for an Effect" : ""}`)
      for (const line of frame.lines) printed.push(`    ${line}`)
    }
    return printed.join("\n")
  }

  /** What Node prints. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString()
  }
}

const descriptionOf = (frame: Frame | DataFrame): Description | undefined =>
  isDataFrame(frame) ? frame[DESCRIBE]?.() : undefined

const linesOf = (site: Site | undefined, described: Description | undefined): ReadonlyArray<string> => {
  if (site !== undefined) return site.lines
  const line = described === undefined ? undefined : lineOf(described)
  return line === undefined ? [] : [line]
}

/** The frames of a microthread, the outermost first. */
const framesOf = (microthread: Microthread): Array<Frame | DataFrame> => {
  const frames: Array<Frame | DataFrame> = [...microthread._stack ?? []]
  if (microthread._code !== undefined) frames.push(microthread._code as Frame | DataFrame)
  return frames.map(bare)
}

/** Where a microthread that is suspended stands, as a line of a stack: its innermost frame alone is asked */
export const standsAt = ({ _code: code }: Microthread): string | undefined => {
  if (code === undefined) return undefined
  const frame = bare(code as Frame | DataFrame)
  return linesOf(sites.get(frame), descriptionOf(frame))[0]
}

/** For schedulers: the innermost frame of a microthread that is suspended. */
export const frameOf = (microthread: Microthread, body: string): GreenletFrame | undefined =>
  GreenletFrame.of(microthread, body)

/** For schedulers: how many frames it has, and how many of them are Effects, the outermost not counted */
export const depthOf = (microthread: Microthread): { readonly frames: number; readonly effects: number } => {
  const frames = framesOf(microthread)
  return {
    frames: frames.length,
    effects: frames.filter((frame, i) => i > 0 && isEffectFrame(frame)).length
  }
}
