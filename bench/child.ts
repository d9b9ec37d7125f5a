/**
 * The fresh process of the bench: takes the one measurement that it is told. For the profiler:
 * `node --expose-gc --cpu-prof .build/bench/child.js stackless.channel`.
 */
import { send } from "./fresh.ts"
import { measurements } from "./measurements/index.ts"

const [name = ""] = process.argv.slice(2)
send(await measurements[name]!.take())
