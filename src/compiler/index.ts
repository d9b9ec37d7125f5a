/**
 * The compiler of `"use stackless"`: generator functions become functions that make frames, which are plain data.
 *
 * It knows nothing of the runtime but the names of what compiled code calls (`effect-stackless/frames`).
 */
export type { SourceMap } from "./code.ts"
export { compile, type Compiled, type CompileOptions } from "./compile.ts"
export { CompileError } from "./errors.ts"
