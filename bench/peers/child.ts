/** The fresh process of one piece of a peer's work: `node --expose-gc .build/bench/peers/child.js ours channel`. */
import { send } from "../fresh.ts"
import { peers } from "./index.ts"
import { take, type WorkName } from "./peer.ts"

const [name, work] = process.argv.slice(2) as [string, WorkName]
send(await take(peers[name]!, work))
