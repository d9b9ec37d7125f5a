/** `npm run test262`. */
import { availableParallelism } from "node:os"
import { test262 } from "./command.ts"
import { differences } from "./differences.ts"
import { runtimeScript } from "./runtime.ts"
import { inProcesses } from "./workers.ts"

process.exitCode = await test262(process.argv.slice(2), {
  // npm runs scripts in the project's folder, and tells where it was called.
  directory: process.env["INIT_CWD"] ?? process.cwd(),
  runtime: runtimeScript,
  run: (suite, files, tell) => inProcesses(suite, files, availableParallelism(), tell),
  differences,
  print: (text) => console.log(text),
  complain: (text) => console.error(text)
})
