/** The bodies of the bench as the compiler has made them (scripts/compile-bodies.mjs), in a file beside theirs. */
import type * as bodies from "./bodies.ts"

export type Bodies = typeof bodies

export const compiledBodies = (): Promise<Bodies> => import(new URL("./bodies.compiled.js", import.meta.url).href)

/** The same, compiled so that their loops cannot be preempted. */
export const uncheckedBodies = (): Promise<Bodies> => import(new URL("./bodies.unchecked.js", import.meta.url).href)
