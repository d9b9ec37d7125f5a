/** Runs source natively and compiled, each in a realm of its own. */
import { compile } from "effect-stackless/compiler"
import { fileURLToPath } from "node:url"
import { createContext, runInContext } from "node:vm"
import { rolldown } from "rolldown"

const bundle = await (async () => {
  const input = fileURLToPath(new URL("../../src/frames/index.ts", import.meta.url))
  const build = await rolldown({ input })
  const { output } = await build.generate({ format: "iife", name: "frames" })
  return output[0].code
})()

/** A realm in which compiled scripts find their runtime. */
export const realm = (): object => {
  const context = createContext({})
  runInContext(`${bundle}; this.require = () => frames`, context)
  return context
}

/** What a script gives when it is run as it is. */
export const runNative = (source: string): any => runInContext(source, realm())

/** What it gives when all of its generator functions are compiled. */
export const runCompiled = (source: string): any =>
  runInContext(compile(source, { filename: "program.cjs", all: true }).code, realm())

/** What both give, as text. */
export const both = (source: string): { readonly native: string; readonly compiled: string } => {
  const text = (run: (source: string) => unknown): string => {
    try {
      return JSON.stringify(
        run(source),
        (_, value) => typeof value === "bigint" ? `${value}n` : value === undefined ? "undefined" : value
      )
    } catch (error) {
      return `threw ${String(error)}`
    }
  }
  return { native: text(runNative), compiled: text(runCompiled) }
}
