/** `npm run conformance`. */
import { conformance } from "./command.ts"
import { Workers } from "./worker.ts"

const workers = new Workers()
process.exitCode = await conformance(process.argv.slice(2), {
  // npm runs scripts in the project's folder, and tells where it was called.
  directory: process.env["INIT_CWD"] ?? process.cwd(),
  run: (job) => workers.run(job),
  print: (text) => console.log(text),
  complain: (text) => console.error(text)
})
await workers.end()
