/** `effect-stackless/bun`: the compiler as a plugin of Bun. */
import { createBunPlugin } from "unplugin"
import { type Options, plugin } from "./plugin.ts"

export type { Options } from "./plugin.ts"

/** What Bun takes for a plugin. Its own types are there only where Bun is. */
export interface BunPlugin {
  readonly name: string
  setup(build: unknown): void | Promise<void>
}

/** Compiles the modules that say `"use stackless"`. */
const bun: (options?: Options) => BunPlugin = createBunPlugin(plugin)

export default bun
