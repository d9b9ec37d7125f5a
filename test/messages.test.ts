/** docs/errors.md lists every message that the package can give, and no other. */
import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { messages } from "./messages.ts"

const page = readFileSync("docs/errors.md", "utf8")

/** What the page lists under the heading of a class. */
const listed = new Map<string, Array<string>>()
let heading = ""
for (const line of page.split("\n")) {
  heading = /^## (.*)$/.exec(line)?.[1] ?? heading
  const message = /^- (`+) ?(.*?) ?\1$/.exec(line)?.[2]
  if (message !== undefined) listed.set(heading, [...listed.get(heading) ?? [], message])
}

const collected = messages()

test("hundreds of messages are found in the sources", () => {
  expect([...collected.values()].reduce((sum, { size }) => sum + size, 0)).toBeGreaterThan(300)
})

test.each([...new Set([...collected.keys(), ...listed.keys()])])(
  "docs/errors.md lists each message of %s once, and none that there is not",
  (name) => {
    const all = listed.get(name) ?? []
    expect(new Set(all)).toEqual(collected.get(name) ?? new Set())
    expect(all).toHaveLength(new Set(all).size)
  }
)
