/** `npm run bench`: its first argument may name another of the benches. */
import { bench } from "./command.ts"
import { peers } from "./peers/command.ts"
import { scale } from "./scale/command.ts"

const [first, ...rest] = process.argv.slice(2)
process.exitCode = await (first === "peers"
  ? peers(rest)
  : first === "scale"
  ? scale(rest)
  : bench(process.argv.slice(2)))
