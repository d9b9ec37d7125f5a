/** Source maps: from the compiled code back to the place in the source. */
import { compile } from "effect-stackless/compiler"
import { SourceMap } from "node:module"
import { describe, expect, test } from "vitest"

/** Where in the source the nth place of the compiled code that reads so comes from. */
const origin = (source: string, filename: string, needle: string): string => {
  const { code, map } = compile(source, { filename })
  const lines = code.split("\n")
  const line = lines.findIndex((text) => text.includes(needle))
  expect(line, `${needle} in\n${code}`).toBeGreaterThanOrEqual(0)
  const entry = new SourceMap(map as never).findEntry(line, lines[line]!.indexOf(needle))
  if (!("originalLine" in entry)) throw new Error("no origin")
  return source.split("\n")[entry.originalLine]!.slice(entry.originalColumn)
}

const source = `"use stackless"
export function* talk(name: string): Generator<number, void, string> {
  const greeting = greet(name)
  for (let i = 0; i < 3; i++) {
    const answer = yield measure(greeting)
    if (answer === "no") throw new Refused(answer)
    inner(() => tell(i, answer))
  }
}
`

describe("code comes from where it was written", () => {
  test.each([
    ["greet(", "greet(name)"],
    ["measure(", "measure(greeting)"],
    ["new Refused(", "new Refused(answer)"],
    ["Refused(", "Refused(answer)"],
    ["inner(", "inner(() =>"],
    ["tell(", "tell(i"]
  ])("%s", (needle, text) => {
    expect(origin(source, "talk.ts", needle).startsWith(text)).toBe(true)
    expect(origin(source.replace(/: string|: Generator<[^>]*>/g, ""), "talk.js", needle).startsWith(text)).toBe(true)
  })
})

test("the map has the source, and can be left out", () => {
  const { map } = compile(source, { filename: "talk.ts" })
  expect(map).toMatchObject({ version: 3, sources: ["talk.ts"], sourcesContent: [source] })
  expect(compile(source, { filename: "talk.ts", sourceMap: false }).map.mappings).toBe("")
})
