/** One hook for both of Node's ways to customize loading: on the thread itself, and on one beside it. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { compiled, type Format, formatOf, isOurs, isTypeScript } from "./source.ts"

/** What a hook `load` answers. */
export interface Loaded {
  readonly format?: string | null | undefined
  /** Nothing, for CommonJS that Node reads itself. */
  readonly source?: string | NodeJS.TypedArray | ArrayBuffer | null | undefined
  readonly shortCircuit?: boolean
}

/** The path of a file of TypeScript, which Node need not be able to load by itself. */
export const typeScriptPath = (url: string): string | undefined => {
  const path = pathOf(url)
  return path !== undefined && isTypeScript(path) ? path : undefined
}

const pathOf = (url: string): string | undefined => {
  if (!url.startsWith("file:")) return undefined
  // With a query, it is another module of the same file.
  const [address = url] = url.split(/[?#]/)
  return fileURLToPath(address)
}

export const loadTypeScript = (path: string): Loaded & { readonly format: Format; readonly source: string } => ({
  ...compiled(readFileSync(path, "utf8"), path, formatOf(path)),
  shortCircuit: true
})

/** The same, compiled if it is to be. Only a file of JavaScript is: neither a built-in module nor JSON has code. */
export const transformed = (url: string, loaded: Loaded): Loaded => {
  const path = pathOf(url)
  const format = loaded.format ?? undefined
  if (path === undefined || format !== undefined && format !== "module" && format !== "commonjs") return loaded
  const code = textOf(loaded.source ?? readFileSync(path))
  return isOurs(code, path) ? { ...loaded, ...compiled(code, path, format) } : loaded
}

const decoder = new TextDecoder()

const textOf = (source: string | NodeJS.TypedArray | ArrayBuffer): string =>
  typeof source === "string" ? source : decoder.decode(source)
