/** Compiles the bodies of the bench into a file beside them, so that what is measured has no compiler in its process. */
import { compile } from "effect-stackless/compiler"
import { readFile, writeFile } from "node:fs/promises"

const source = new URL("../.build/bench/bodies.js", import.meta.url)
const { code } = compile(await readFile(source, "utf8"), { filename: source.pathname })
await writeFile(new URL("bodies.compiled.js", source), code)
