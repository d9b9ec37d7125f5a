/** What the hooks do with a file that Node loads: its types go, and where it says `"use stackless"` it is compiled. */
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { compile } from "../compiler/index.ts"

/** How Node treats a file that it loads as code. */
export type Format = "module" | "commonjs"

/** What stands in every file that is to be compiled. The compiler finds out whether it is a directive. */
const directive = "use stackless"

const typeScript = /\.[cm]?ts$/

export const isTypeScript = (path: string): boolean => typeScript.test(path)

/** Has the compiler anything to do with this file? */
export const isOurs = (code: string, path: string): boolean => isTypeScript(path) || code.includes(directive)

/**
 * The code that Node is to run, with a source map in it, and what it is.
 *
 * @param format left out: the compiler finds out by what stands in the file
 */
export const compiled = (
  code: string,
  path: string,
  format: Format | undefined
): { readonly source: string; readonly format: Format } => {
  const result = compile(code, format === undefined ? { filename: path } : { filename: path, format })
  const map = Buffer.from(JSON.stringify(result.map)).toString("base64")
  return {
    source: `${result.code}\n//# sourceMappingURL=data:application/json;base64,${map}`,
    format: result.module ? "module" : "commonjs"
  }
}

/**
 * What a file of TypeScript is, by Node's own rules: its extension says so, or else the nearest package.json. `undefined`:
 * neither does, and what stands in the file decides.
 */
export const formatOf = (path: string): Format | undefined => {
  if (path.endsWith(".mts")) return "module"
  if (path.endsWith(".cts")) return "commonjs"
  return packageType(dirname(path))
}

const types = new Map<string, Format | undefined>()

const packageType = (folder: string): Format | undefined => {
  if (types.has(folder)) return types.get(folder)
  const type = readType(folder)
  types.set(folder, type)
  return type
}

const readType = (folder: string): Format | undefined => {
  let manifest: string
  try {
    manifest = readFileSync(join(folder, "package.json"), "utf8")
  } catch {
    const parent = dirname(folder)
    return parent === folder || folder.endsWith("node_modules") ? undefined : packageType(parent)
  }
  const { type } = JSON.parse(manifest)
  return type === "module" || type === "commonjs" ? type : undefined
}
