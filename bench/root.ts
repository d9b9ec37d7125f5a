import { createRequire } from "node:module"
import { dirname } from "node:path"

/** The folder of the project: what runs is compiled elsewhere. */
export const root = dirname(createRequire(import.meta.url).resolve("effect-stackless/package.json"))
