/** Programs of the tests, compiled and bundled with the sources of the package, to be run in processes of their own. */
import { compile } from "effect-stackless/compiler"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"

const src = fileURLToPath(new URL("../src", import.meta.url))

/** A place under the project, so that `effect` is found from there. */
export const makeDirectory = (): { readonly path: string; readonly remove: () => void } => {
  const parent = fileURLToPath(new URL("../.build/bundles", import.meta.url))
  mkdirSync(parent, { recursive: true })
  const path = mkdtempSync(join(parent, "test-"))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** Bundles a program, by its path from this folder; `edit` changes its text. */
export const bundle = async (
  program: string,
  file: string,
  edit: (code: string) => string = (code) => code
): Promise<void> => {
  const build = await rolldown({
    input: fileURLToPath(new URL(program, import.meta.url)),
    platform: "node",
    external: [/^effect($|\/)/, /^@effect\//, "libsql"],
    plugins: [{
      name: "sources",
      resolveId: (id) =>
        id.startsWith("effect-stackless/") ? `${src}/${id.slice("effect-stackless/".length)}/index.ts` : undefined,
      transform: (code, id) =>
        !id.startsWith(src) && code.includes("use stackless")
          ? { code: compile(edit(code), { filename: id }).code, moduleType: "js" }
          : undefined
    }]
  })
  await build.write({ file, format: "esm" })
  await build.close()
}
