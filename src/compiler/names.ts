/** What a module is called wherever it is loaded: its package, and its path within it. */
import { existsSync, readFileSync } from "node:fs"
import { basename, dirname, join, relative, sep } from "node:path"

interface Names {
  readonly package: string
  readonly module: string
}

const packages = new Map<string, { readonly directory: string; readonly name: string } | undefined>()

const packageOf = (directory: string): { readonly directory: string; readonly name: string } | undefined => {
  const known = packages.get(directory)
  if (known !== undefined || packages.has(directory)) return known
  const manifest = join(directory, "package.json")
  let found: { readonly directory: string; readonly name: string } | undefined
  if (existsSync(manifest)) {
    const { name } = JSON.parse(readFileSync(manifest, "utf8")) as { name?: unknown }
    if (typeof name === "string") found = { directory, name }
  }
  if (found === undefined) {
    const parent = dirname(directory)
    if (parent !== directory) found = packageOf(parent)
  }
  packages.set(directory, found)
  return found
}

export const moduleName = (filename: string): Names => {
  const path = filename.replace(/^file:\/\//, "").replace(/\?.*$/, "")
  const found = packageOf(dirname(path))
  return found === undefined
    ? { package: "", module: basename(path) }
    : { package: found.name, module: relative(found.directory, path).split(sep).join("/") }
}
