/** `effect-stackless/esbuild`: the compiler as a plugin of esbuild. */
import { createEsbuildPlugin } from "unplugin"
import { plugin } from "./plugin.ts"

export type { Options } from "./plugin.ts"

/** Compiles the modules that say `"use stackless"`. */
export default createEsbuildPlugin(plugin)
