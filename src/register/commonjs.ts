/** What is required, on a Node before 24: its hooks see only modules. */
import { readFileSync } from "node:fs"
import Module from "node:module"
import { compiled, type Format, formatOf, isOurs } from "./source.ts"

/** The parts of Node's loader that are documented for this, or have long been used so. */
interface Loader {
  readonly _extensions: Record<string, (module: Compiling, filename: string) => void>
  readonly prototype: Compiling
}

interface Compiling {
  _compile(code: string, filename: string, format?: Format): unknown
}

export const customizeCommonJs = (): void => {
  const { _extensions, prototype } = Module as unknown as Loader
  const { _compile } = prototype
  prototype._compile = function(code, filename, format) {
    if (!isOurs(code, filename)) return _compile.call(this, code, filename, format)
    const result = compiled(code, filename, format)
    return _compile.call(this, result.source, filename, result.format)
  }
  for (const extension of [".ts", ".mts", ".cts"]) {
    _extensions[extension] = (module, filename) => {
      module._compile(readFileSync(filename, "utf8"), filename, formatOf(filename))
    }
  }
}
