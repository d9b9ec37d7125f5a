/** `effect-stackless/rolldown`: the compiler as a plugin of Rolldown. */
import { createRolldownPlugin } from "unplugin"
import { plugin } from "./plugin.ts"

export type { Options } from "./plugin.ts"

/** Compiles the modules that say `"use stackless"`. */
export default createRolldownPlugin(plugin)
