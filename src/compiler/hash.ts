/** A function's identity: its qualified name, and a hash of its code that white space and comments do not change. */
import type { Module } from "./module.ts"
import type { Unit } from "./unit.ts"

/** The hash of a function's own code and layout; functions in it have hashes of their own. */
export const hashOf = (module: Module, unit: Unit, layout: string): string => {
  const { comments, source } = module.parsed
  const { literals } = module.analysis
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  const add = (code: number): void => {
    a = Math.imul(a ^ code, 2654435761)
    b = Math.imul(b ^ code, 1597334677)
  }
  const { end, start } = unit.node
  let comment = firstFrom(comments, start)
  let literal = firstFrom(literals, start)
  let inner = 0
  for (let i = start; i < end; i++) {
    const skipped = unit.inner[inner]?.node
    if (skipped !== undefined && i >= skipped.start) {
      add(0)
      i = Math.max(i, skipped.end - 1)
      inner++
      continue
    }
    while (comment < comments.length && comments[comment]!.end <= i) comment++
    const note = comments[comment]
    if (note !== undefined && i >= note.start) {
      i = note.end - 1
      continue
    }
    while (literal < literals.length && literals[literal]!.end <= i) literal++
    const code = source.charCodeAt(i)
    if (code <= 32 && !(literal < literals.length && i >= literals[literal]!.start)) continue
    add(code)
  }
  for (let i = 0; i < layout.length; i++) add(layout.charCodeAt(i))
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36)
}

const firstFrom = (ranges: ReadonlyArray<{ readonly start: number; readonly end: number }>, offset: number): number => {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (ranges[middle]!.end <= offset) low = middle + 1
    else high = middle
  }
  return low
}
