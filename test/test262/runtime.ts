/** The runtime of compiled code as one script, so that each realm can have an instance of its own. */
import { rolldown } from "rolldown"

/** The script's value is what `effect-stackless/frames` exports. */
export const runtimeScript = async (): Promise<string> => {
  const bundle = await rolldown({ input: "effect-stackless/frames", logLevel: "silent" })
  const { output } = await bundle.generate({ format: "cjs", minify: false })
  return `(() => { const exports = {}; const module = { exports }; ${output[0].code}\nreturn module.exports })()`
}
