/**
 * The fresh process: takes the one measurement that it is told, and sends the numbers to its parent. By hand it prints
 * them, which is how one is profiled: `node --expose-gc --cpu-prof .build/bench/child.js stackless.channel`.
 */
import { measurements } from "./measurements/index.ts"

const [name = ""] = process.argv.slice(2)
const numbers = await measurements[name]!.take()
if (process.send === undefined) console.log(numbers)
else process.send(numbers, () => process.exit())
