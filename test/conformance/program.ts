/**
 * A conformance program: small, in a language of its own, with the trace that the original printed when it ran it.
 *
 * A file holds one program a line, as JSON. A program is bodies (a list of ops for each named microthread) and `main`
 * (the ops of the main one). machine.ts says what the ops mean that every layer has, and the file of a layer the rest.
 */
import { readFileSync } from "node:fs"

export interface Program<Primitive = unknown> {
  readonly name: string
  readonly bodies: Readonly<Record<string, ReadonlyArray<Op<Primitive>>>>
  readonly main: ReadonlyArray<Op<Primitive>>
  /** Stackless: the channels that are made before the start. */
  readonly channels?: ReadonlyArray<string>
  /** gevent: the same of events, queues and the like. */
  readonly things?: Readonly<Record<string, readonly [kind: string, ...args: ReadonlyArray<number>]>>
  /** Absent where the original crashed: then it is enough to end with ordinary errors. */
  readonly trace?: ReadonlyArray<string>
}

/** One op: control, which is the same in every layer, or a primitive of the layer. */
export type Op<Primitive> = Control<Primitive> | Primitive

export type Control<Primitive> =
  | readonly ["try", Ops<Primitive>, handlers: ReadonlyArray<Handler<Primitive>>, final: Ops<Primitive>]
  | readonly ["repeat", times: number, Ops<Primitive>]
  | readonly ["raise", error: string, message?: string]
  | readonly ["log", Value]
  | readonly ["return", Value]
  | readonly ["state"]

export type Ops<Primitive> = ReadonlyArray<Op<Primitive>>

/** What to do on an error of that name; `*` is any. */
export type Handler<Primitive> = readonly [error: string, Ops<Primitive>]

/** What programs pass around: strings and whole numbers. */
export type Value = string | number

/** A file that cannot be read as programs. The message says which line, and what is wrong there. */
export class Malformed extends Error {
  override readonly name = "Malformed"
}

/** Reads a file of programs. Throws `Malformed`. */
export const readPrograms = (path: string): ReadonlyArray<Program> => {
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (error) {
    throw new Malformed(`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  const programs = text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return []
    try {
      return [parse(line)]
    } catch (error) {
      throw new Malformed(`${path}:${index + 1}: ${(error as Error).message}`)
    }
  })
  if (programs.length === 0) throw new Malformed(`${path}: holds no program`)
  return programs
}

const parse = (line: string): Program => {
  let program: Partial<Record<keyof Program, unknown>>
  try {
    program = JSON.parse(line)
  } catch {
    throw new Malformed("is no JSON")
  }
  if (!isRecord(program)) throw new Malformed("a program is an object")
  const { bodies, channels, main, name, trace } = program
  if (typeof name !== "string") throw new Malformed("`name` is no string")
  if (!isRecord(bodies)) throw new Malformed("`bodies` is no object")
  for (const [body, ops] of Object.entries(bodies)) requireOps(ops, `the body ${body}`)
  requireOps(main, "`main`")
  if (channels !== undefined && !isStrings(channels)) throw new Malformed("`channels` is no list of names")
  if (trace !== undefined && !isStrings(trace)) throw new Malformed("`trace` is no list of lines")
  return program as unknown as Program
}

const requireOps = (ops: unknown, where: string): void => {
  if (!Array.isArray(ops)) throw new Malformed(`${where} is no list of ops`)
  for (const op of ops) {
    if (!Array.isArray(op) || typeof op[0] !== "string") {
      throw new Malformed(`${where} holds ${JSON.stringify(op)}, which is no op`)
    }
    if (op[0] === "repeat") requireOps(op[2], `a repeat in ${where}`)
    if (op[0] === "try") requireTry(op, where)
  }
}

const requireTry = ([, ops, handlers, final]: ReadonlyArray<unknown>, where: string): void => {
  requireOps(ops, `a try in ${where}`)
  requireOps(final, `a finally in ${where}`)
  if (!Array.isArray(handlers)) throw new Malformed(`a try in ${where} has no list of handlers`)
  for (const handler of handlers) {
    if (!Array.isArray(handler) || typeof handler[0] !== "string") {
      throw new Malformed(`a try in ${where} holds ${JSON.stringify(handler)}, which is no handler`)
    }
    requireOps(handler[1], `a handler in ${where}`)
  }
}

const isRecord = (u: unknown): u is Record<string, unknown> => typeof u === "object" && u !== null && !Array.isArray(u)

const isStrings = (u: unknown): u is ReadonlyArray<string> =>
  Array.isArray(u) && u.every((item) => typeof item === "string")
