/**
 * The fresh process of the bench: takes the one measurement that it is told. For the profiler:
 * `node --expose-gc --cpu-prof .build/bench/child.js stackless.channel`.
 */
import { send } from "./fresh.ts"
import { measurementOf } from "./measurements/groups.ts"

const [name = ""] = process.argv.slice(2)
send(await (await measurementOf(name)).take())
