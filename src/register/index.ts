/**
 * `node --import effect-stackless/register program.ts`: compiles what the program loads, modules and CommonJS, as it is
 * loaded. Files of TypeScript lose their types, on a Node that cannot do that itself as well. Stack traces lead to the
 * source.
 *
 * Worker threads start with the same options, and so with this module.
 */
import * as module from "node:module"
import { customizeCommonJs } from "./commonjs.ts"
import { type Loaded, loadTypeScript, transformed, typeScriptPath } from "./load.ts"

/**
 * What Node has from 22.15 on: hooks on the same thread, for CommonJS too. On Node 22 they break CommonJS that is imported, as
 * the program itself is: it cannot require a module that imports another one. So they are used from Node 24 on.
 */
interface WithHooks {
  readonly registerHooks?: (hooks: {
    readonly load: (url: string, context: object, nextLoad: (url: string, context: object) => Loaded) => Loaded
  }) => void
}

const { registerHooks } = module as WithHooks

const [major] = process.versions.node.split(".")

if (registerHooks === undefined || Number(major) < 24) {
  module.register("./hooks.js", import.meta.url)
  customizeCommonJs()
} else {
  registerHooks({
    load(url, context, nextLoad) {
      const path = typeScriptPath(url)
      return path === undefined ? transformed(url, nextLoad(url, context)) : loadTypeScript(path)
    }
  })
}
process.setSourceMapsEnabled(true)
