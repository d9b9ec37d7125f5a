/** `effect-stackless/rspack`: the compiler as a plugin of Rspack. */
import { createRspackPlugin } from "unplugin"
import { plugin } from "./plugin.ts"

export type { Options } from "./plugin.ts"

/** Compiles the modules that say `"use stackless"`. */
export default createRspackPlugin(plugin)
