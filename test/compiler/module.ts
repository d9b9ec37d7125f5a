/** Compiles a module and loads it, as a tool would. */
import { compile } from "effect-stackless/compiler"
import * as frames from "effect-stackless/frames"

/** What a CommonJS module exports when it is compiled. */
export const load = (source: string, filename = "talk.cjs"): any => {
  const { code } = compile(source, { filename, format: "commonjs" })
  const exports = {}
  new Function("require", "exports", code)(() => frames, exports)
  return exports
}
