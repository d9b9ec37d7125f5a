/** The fresh process: takes the one measurement that it is told, and sends the numbers to its parent. */
import { measurements } from "./measurements/index.ts"

const [name = ""] = process.argv.slice(2)
const numbers = await measurements[name]!.take()
process.send!(numbers, () => process.exit())
