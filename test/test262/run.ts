/** Runs one file of test262: natively first, and then, where Node itself does what the file expects, compiled. */
import { compile, CompileError } from "effect-stackless/compiler"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Script } from "node:vm"
import { type Frontmatter, frontmatterOf, type Negative } from "./frontmatter.ts"
import { hasModules, Realm, type Transform } from "./realm.ts"

/** How a file is evaluated. */
export type Mode = "sloppy" | "strict" | "raw" | "module"

export interface Failure {
  readonly mode: Mode
  readonly message: string
}

/** What came of a file. */
export interface Verdict {
  /** Why it does not count: nothing in it was run compiled. */
  readonly leftOut?: string
  /** In which of its modes it does something else compiled than natively. */
  readonly failures: ReadonlyArray<Failure>
}

/** What all files of a suite have in common. */
export interface Suite {
  /** The checkout. */
  readonly path: string
  /** The code of `src/frames`, as a script whose value is what it exports. */
  readonly runtime: string
}

/** How long a file that is asynchronous may take, in milliseconds. */
const patience = 2000

/**
 * @param path of the file, below the suite's folder `test`
 * @param begins told before each evaluation whether it is a compiled one
 */
export type RunFile = (path: string, begins?: (compiled: boolean) => void) => Promise<Verdict>

export const runnerOf = (suite: Suite): RunFile => {
  const runtime = new Script(suite.runtime, { filename: "frames" })
  const native: Transform = (code) => code
  const compiled: Transform = (code, filename, format) => {
    try {
      return compile(code, { filename, all: true, format }).code
    } catch (error) {
      // a syntax error that the compiler finds is one that the engine would find
      if (error instanceof CompileError && error.syntax) throw new SyntaxError(error.message, { cause: error })
      throw error
    }
  }

  const harness = new Map<string, Script>()
  const harnessScript = (name: string): Script => {
    let script = harness.get(name)
    if (script === undefined) {
      const file = join(suite.path, "harness", name)
      harness.set(name, script = new Script(readFileSync(file, "utf8"), { filename: file }))
    }
    return script
  }

  /** Evaluates the file in a realm of its own, and says in what way that is not what the file expects. */
  const differs = async (
    realm: Realm,
    mode: Mode,
    file: string,
    code: string,
    { flags, includes, negative }: Frontmatter
  ): Promise<string | undefined> => {
    let done: Promise<string> | undefined
    if (mode !== "raw") {
      const names = ["assert.js", "sta.js", ...flags.has("async") ? ["doneprintHandle.js"] : [], ...includes]
      for (const name of names) realm.evaluateHarness(harnessScript(name))
    }
    if (flags.has("async")) {
      done = new Promise((resolve) => {
        const timer = setTimeout(() => resolve("does not call $DONE"), patience)
        realm.onPrint = (text) => {
          if (!text.startsWith("Test262:AsyncTest")) return
          clearTimeout(timer)
          resolve(text)
        }
      })
    }
    let phase: Negative["phase"] = "parse"
    try {
      if (mode === "module") {
        const module = realm.module(code, file)
        phase = "resolution"
        await module.link()
        phase = "runtime"
        await module.evaluate()
      } else {
        const evaluate = realm.script(mode === "strict" ? `"use strict";\n${code}` : code, file)
        phase = "runtime"
        evaluate()
      }
    } catch (error) {
      return unlike(negative, phase, error)
    }
    if (negative !== undefined) return `expected a ${negative.type} (${negative.phase}), but nothing is thrown`
    const told = await done
    return told === undefined || told === "Test262:AsyncTestComplete" ? undefined : told
  }

  return async (path, begins = () => {}) => {
    const file = join(suite.path, "test", path)
    const code = readFileSync(file, "utf8")
    const frontmatter = frontmatterOf(code)
    const modes = modesOf(frontmatter)
    if (modes[0] === "module" && !hasModules()) return { leftOut: "this Node has no vm.SourceTextModule", failures: [] }

    const failures: Array<Failure> = []
    let ran = 0
    let leftOut = ""
    for (const mode of modes) {
      begins(false)
      const unlikeNode = await differs(new Realm(native), mode, file, code, frontmatter)
      if (unlikeNode !== undefined) {
        leftOut ||= `Node itself: ${unlikeNode}`
        continue
      }
      ran += 1
      begins(true)
      const message = await differs(new Realm(compiled, runtime), mode, file, code, frontmatter)
      if (message !== undefined) failures.push({ mode, message })
    }
    return ran === 0 ? { leftOut, failures } : { failures }
  }
}

const modesOf = ({ flags }: Frontmatter): ReadonlyArray<Mode> => {
  if (flags.has("raw")) return ["raw"]
  if (flags.has("module")) return ["module"]
  if (flags.has("onlyStrict")) return ["strict"]
  if (flags.has("noStrict")) return ["sloppy"]
  return ["sloppy", "strict"]
}

/** In what way an error is not the one that is expected. */
const unlike = (negative: Negative | undefined, phase: Negative["phase"], error: unknown): string | undefined => {
  const type = typeOf(error)
  if (negative?.type === type && negative.phase === phase) return undefined
  const got = `${described(error, type)} (${phase})`
  return negative === undefined ? got : `expected a ${negative.type} (${negative.phase}), but got ${got}`
}

/** The name of an error's constructor. */
const typeOf = (error: unknown): string => {
  const constructor: unknown = Object(error).constructor
  return typeof constructor === "function" ? constructor.name : typeof error
}

const described = (error: unknown, type: string): string => {
  let message: string
  try {
    message = String(Object(error).message ?? error)
  } catch {
    message = "something without a text"
  }
  return `${type}: ${message}`
}
