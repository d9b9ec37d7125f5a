/** `effect-stackless/vite`: the compiler as a plugin of Vite. */
import { createVitePlugin } from "unplugin"
import { plugin } from "./plugin.ts"

export type { Options } from "./plugin.ts"

/** Compiles the modules that say `"use stackless"`. */
export default createVitePlugin(plugin)
