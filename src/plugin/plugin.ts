/**
 * The compiler as a plugin of build tools: it compiles the modules that say `"use stackless"` as they are loaded, before
 * any other plugin has touched them. One plugin for all tools, by unplugin; the files beside this one hand it to each.
 */
import type { FilterPattern, UnpluginFactory } from "unplugin"
import { compile, CompileError } from "../compiler/index.ts"

/** What a plugin can be told. */
export interface Options {
  /** Compile every module, whether it says `"use stackless"` or not. Off by default. */
  readonly all?: boolean
  /** Let loops be preempted: by default, yes. `false` takes the checks out. */
  readonly preempt?: boolean
  /** The modules to look at: globs, or regular expressions. By default all files of JavaScript and TypeScript. */
  readonly include?: FilterPattern
  /** The modules to leave alone. By default none; with `all`, those of packages. */
  readonly exclude?: FilterPattern
}

const known: ReadonlyArray<string> = ["all", "preempt", "include", "exclude"] satisfies Array<keyof Options>

/** A file of JavaScript or TypeScript, with or without a query behind its name. */
const script = /^[^?]*\.[cm]?[jt]sx?(?:\?|$)/
const packages = /[\\/]node_modules[\\/]/

/** A build tool takes a file for a module, unless its name or what stands in it says that it is CommonJS. */
const commonJs = /\.c[jt]s$/
const required = /\b(?:require\s*\(|module\.exports\b|exports\.)/

/** What stands in every module that is to be compiled. The compiler finds out whether it is a directive. */
const directive = "use stackless"

export const plugin: UnpluginFactory<Options | undefined, false> = (options = {}) => {
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new TypeError(`effect-stackless: no such option of the plugin: ${unknown}; there are ${known.join(", ")}`)
  }
  const { all = false, exclude = all ? packages : [], include = script, preempt = true } = options
  return {
    name: "effect-stackless",
    // The compiler reads what is written, types and all: ids, hashes and positions are those of the source.
    enforce: "pre",
    transform: {
      filter: { id: { include, exclude }, ...all ? {} : { code: directive } },
      handler(code, id) {
        const [filename = id] = id.split("?")
        const format = commonJs.test(filename) || required.test(code) ? {} : { format: "module" as const }
        try {
          return compile(code, { filename, all, preempt, ...format })
        } catch (error) {
          throw error instanceof CompileError ? located(error, id) : error
        }
      }
    },
    esbuild: { onLoadFilter: /\.[cm]?[jt]sx?$/ }
  }
}

/** With the fields from which Rollup, Rolldown and Vite tell where in which module an error is. */
const located = (error: CompileError, id: string): CompileError =>
  Object.assign(error, { id, loc: { file: error.file, line: error.line, column: error.column - 1 } })
