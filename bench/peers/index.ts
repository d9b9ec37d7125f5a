/** The peers that are JavaScript, by the name that the table has for them. */
import { asyncFunctions } from "./async.ts"
import { effectFibers, effectFibersBuffered } from "./effect.ts"
import { effection } from "./effection.ts"
import { generators } from "./generators.ts"
import { ours, oursCompiled, oursGevent } from "./ours.ts"
import type { Peer } from "./peer.ts"

export const peers: Readonly<Record<string, Peer>> = {
  ours,
  "ours, compiled": oursCompiled,
  "ours, gevent": oursGevent,
  "generators by hand": generators,
  "async functions": asyncFunctions,
  "Effect fibers": effectFibers,
  "Effect fibers, unbounded queue": effectFibersBuffered,
  effection
}
