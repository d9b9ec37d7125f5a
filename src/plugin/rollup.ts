/** `effect-stackless/rollup`: the compiler as a plugin of Rollup. */
import { createRollupPlugin } from "unplugin"
import { plugin } from "./plugin.ts"

export type { Options } from "./plugin.ts"

/** Compiles the modules that say `"use stackless"`. */
export default createRollupPlugin(plugin)
