/** The fresh process of one point: `node --expose-gc .build/bench/scale/child.js switch 1000`. */
import { send } from "../fresh.ts"
import { allSeries } from "./index.ts"

const [name = "", size] = process.argv.slice(2)
const { sizes, take } = allSeries[name]!
// the compiler has to have seen the work at a small size
for (let i = 0; i < 3; i++) await take(Math.max(1000, sizes[0]!))
send([await take(Number(size))])
