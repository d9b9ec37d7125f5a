/** Compiles the bodies of the bench into files beside them, as they are and so that they cannot be preempted, so that what is measured has no compiler in its process. */
import { compile } from "effect-stackless/compiler"
import { readFile, writeFile } from "node:fs/promises"

const source = new URL("../.build/bench/bodies.js", import.meta.url)
const text = await readFile(source, "utf8")
for (const preempt of [true, false]) {
  const { code } = compile(text, { filename: source.pathname, preempt })
  await writeFile(new URL(preempt ? "bodies.compiled.js" : "bodies.unchecked.js", source), code)
}
