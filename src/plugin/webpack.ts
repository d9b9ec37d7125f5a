/** `effect-stackless/webpack`: the compiler as a plugin of webpack. */
import { createWebpackPlugin } from "unplugin"
import { plugin } from "./plugin.ts"

export type { Options } from "./plugin.ts"

/** Compiles the modules that say `"use stackless"`. */
export default createWebpackPlugin(plugin)
