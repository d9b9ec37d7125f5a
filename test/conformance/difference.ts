/** Says whether a program did what the original did, and if not, where the two part. */
import type { Program } from "./program.ts"
import type { Run } from "./run.ts"

export interface Difference {
  /** Counted from 1. */
  readonly line: number
  /** `undefined`: the trace should have ended before. */
  readonly expected: string | undefined
  /** `undefined`: the trace ended before. */
  readonly got: string | undefined
  /** The lines just before, which are as they should be. */
  readonly before: ReadonlyArray<string>
  /** What else is to be said. */
  readonly note: string | undefined
}

/** How many lines before a difference are shown. */
const shown = 5

/**
 * The first difference of a run from what it should be; `undefined` if there is none. A program without a trace has to
 * reach the end of its main program, and `probe` has to work after it.
 */
export const difference = (program: Program, probe: Program, run: Run): Difference | undefined => {
  const { failure, trace } = run
  if (program.trace !== undefined) {
    const line = firstDifference(program.trace, trace)
    return line === undefined && failure === undefined
      ? undefined
      : at(line ?? trace.length, program.trace, trace, failure)
  }
  if (!trace.at(-1)?.startsWith("main end ")) {
    return at(trace.length, [...trace, "main end …"], trace, failure)
  }
  const printed = run.probe ?? []
  const line = firstDifference(probe.trace!, printed)
  if (line === undefined && failure === undefined) return undefined
  const note = "in a probe that ran on the same thread afterwards"
  return at(line ?? printed.length, probe.trace!, printed, failure === undefined ? note : `${note}: ${failure}`)
}

/** A difference as text, one or more lines. */
export const describe = ({ before, expected, got, line, note }: Difference): string => {
  const lines = before.map((text, index) => `  ${String(line - before.length + index).padStart(8)}  ${text}`)
  if (expected !== got) lines.push(`  expected  ${expected ?? "(no more)"}`, `       got  ${got ?? "(no more)"}`)
  if (note !== undefined) lines.push(`            ${note.replaceAll("\n", "\n            ")}`)
  return lines.join("\n")
}

const firstDifference = (expected: ReadonlyArray<string>, got: ReadonlyArray<string>): number | undefined => {
  for (let index = 0; index < Math.max(expected.length, got.length); index++) {
    if (expected[index] !== got[index]) return index
  }
  return undefined
}

const at = (
  index: number,
  expected: ReadonlyArray<string>,
  got: ReadonlyArray<string>,
  note: string | undefined
): Difference => ({
  line: index + 1,
  expected: expected[index],
  got: got[index],
  before: got.slice(Math.max(0, index - shown), index),
  note
})
