// The type check, with Effect's own diagnostics: @effect/tsgo brings the TypeScript compiler with these built in.
// It has one for the very commit of the installed `typescript`, so package.json pins both to a version.
//
// Arguments are handed to the compiler; without any it checks the whole project.
import { execFileSync, spawnSync } from "node:child_process"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

// The command, as the package's own `getExePath` module (0.45.0) does not know the layout of its platform packages.
const manifest = createRequire(import.meta.url).resolve("@effect/tsgo/package.json")
const command = join(dirname(manifest), "dist/effect-tsgo.cjs")
const compiler = execFileSync(process.execPath, [command, "get-exe-path"], { encoding: "utf8" }).trim()

const args = process.argv.length > 2 ? process.argv.slice(2) : ["-p", "tsconfig.json"]
const { error, status } = spawnSync(compiler, args, { stdio: "inherit" })
if (error) throw error
process.exitCode = status ?? 1
