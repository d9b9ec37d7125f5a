/**
 * The sessions of the README, of AGENTS.md and of docs/*.md run, as they are written and compiled, and so do the examples of the
 * docstrings, and give what they say.
 *
 * The rule: the `ts` blocks under one heading are one module, in their order, with top-level await; each heading begins
 * anew. A comment `// => text` at the end of a line tells what the line's expression is; `// => text` on lines of its own
 * after a call tells what was printed by `console.log` up to there, a line each, as does a block of no language. What is told is compared as text:
 * strings as they are, the rest as `util.inspect` prints it, or as JavaScript writes it. An expression of several lines is told
 * of behind its last one. `// throws text` tells what an expression throws. A block marked `ts no-run` is only to be read; one
 * marked `ts no-compile` runs only as it is written, a session that begins with "use stackless" only compiled.
 */
import { compile } from "effect-stackless/compiler"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { transformWithOxc } from "vite"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { examplesOf, pages, sessionsOf, sources } from "./sessions.ts"

/** An expression of several lines that is told of behind its last one gets a name. */
const named = (code: string): string => {
  const lines = code.split("\n")
  for (const [end, line] of lines.entries()) {
    const told = /^(\}\S*)\s+\/\/ => (.*)$/.exec(line)
    if (!told) continue
    let start = end - 1
    while (!/^[^\s}]/.test(lines[start]!)) start--
    lines[start] = `const __result${end} = ${lines[start]}`
    lines[end] = `${told[1]}\n__told(__result${end}, ${JSON.stringify(told[2])})`
  }
  return lines.join("\n")
}

/** The module with its comments turned into checks. */
const checked = (code: string): string =>
  named(code).split("\n").map((line) => {
    const printed = /^\s*\/\/ => (.*)$/.exec(line)
    if (printed) return `__printed(${JSON.stringify(printed[1])})`
    const told = /^(\s*)(.*?);?\s+\/\/ (=>|throws) (.*)$/.exec(line)
    if (!told) return line
    const [, indent, expression, how, text] = told
    const declared = /^(?:const|let) (\w+)(?:: [^=]+)? = /.exec(expression!)
    if (how === "throws") return `${indent}await __throws(async () => { ${expression} }, ${JSON.stringify(text)})`
    if (declared) return `${line}\n${indent}__told(${declared[1]}, ${JSON.stringify(text)})`
    return expression!.startsWith("console.log(")
      ? `${indent}${expression}\n${indent}__printed(${JSON.stringify(text)})`
      : `${indent}__told(${expression}, ${JSON.stringify(text)})`
  }).join("\n")

const prelude = `
import { inspect as __inspect } from "node:util"
const __out = []
console.log = (...args) => __out.push(args.map((a) => typeof a === "string" ? a : __inspect(a)).join(" "))
const __same = (got, text) => { if (got !== text) throw new Error("the page says: " + text + "\\nbut it is:     " + got) }
const __literally = (value, text) => {
  try { return __inspect((0, eval)("(" + text + ")")) === __inspect(value) } catch { return false }
}
const __told = (value, text) => __literally(value, text) || __same(typeof value === "string" && !text.startsWith("\\"") ? value : typeof value === "string" ? JSON.stringify(value) : __inspect(value), text)
const __printed = (text) => __same(String(__out.shift()), text)
const __throws = async (f, text) => {
  let message = "nothing is thrown"
  try { await f() } catch (error) { message = String(error) }
  if (!message.includes(text)) __same(message, text)
}
`

const postlude = `if (__out.length > 0) throw new Error("the page does not tell that it prints: " + __out.join(" | "))`

/** A session that begins so is one of compiled code. */
const DIRECTIVE = `"use stackless"`

let folder: string

beforeAll(() => {
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-b", "tsconfig.build.json"], { stdio: "ignore" })
  mkdirSync(".build", { recursive: true })
  folder = mkdtempSync(join(".build", "docs-"))
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const all = [
  ...pages.map((page) => ({ page, sessions: sessionsOf(readFileSync(page, "utf8")) })),
  ...sources.map((page) => ({ page, sessions: examplesOf(readFileSync(page, "utf8")) }))
]

test("every example of a docstring is found", () => {
  const examples = all.filter(({ page }) => page.startsWith("src")).flatMap(({ sessions }) => sessions)
  const written = sources.flatMap((file) => readFileSync(file, "utf8").match(/^ *\* @example$/gm) ?? [])
  expect(examples).toHaveLength(written.length)
})

describe.each(all.filter(({ sessions }) => sessions.length > 0))("$page", ({ page, sessions }) => {
  /** Writes a session and runs it. What went wrong: nothing. */
  const run = (heading: string, javascript: string): string => {
    const name = heading.replace(/\W+/g, "-").toLowerCase()
    const file = join(folder, `${page.replace(/\W+/g, "-")}-${name}.mjs`)
    writeFileSync(file, `${prelude}${javascript}\n${postlude}\n`)
    // Node calls its SQLite experimental up to version 24
    const flags = ["--expose-gc", "--disable-warning=ExperimentalWarning"]
    const { status, stderr } = spawnSync(process.execPath, [...flags, file], { encoding: "utf8", timeout: 60_000 })
    return status === 0 ? stderr : `${status} ${stderr}`
  }

  test.each(sessions.filter(({ code }) => !code.startsWith(DIRECTIVE)))("$heading", async ({ code, heading }) => {
    const { code: javascript } = await transformWithOxc(checked(code), "session.ts", { lang: "ts" })
    expect(run(heading, javascript)).toBe("")
  })

  test.each(sessions.filter(({ compiles }) => compiles))("$heading, compiled", ({ code, heading }) => {
    const filename = join(folder, "session.mts")
    expect(run(`${heading} compiled`, compile(checked(code), { filename, all: true }).code)).toBe("")
  })
})
