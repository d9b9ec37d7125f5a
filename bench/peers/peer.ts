/**
 * What is compared with others: four pieces of work, each written for a peer as its own users would write it.
 *
 * - `switch`: two parties that hand control to each other by name; counted in switches;
 * - `schedule`: two parties that let the other one run, whoever that is; counted in calls;
 * - `channel`: one party sends numbers, another receives them; counted in messages;
 * - `block`: so many parties are made and run until each waits for something; counted in microseconds and bytes each.
 */
import { median, seconds, type Work } from "../clock.ts"
import type { Numbers } from "../fresh.ts"
import { memory } from "../memory.ts"

export const workNames = ["switch", "schedule", "channel", "block"] as const
export type WorkName = typeof workNames[number]

export interface Peer {
  readonly switch?: Work
  readonly schedule?: Work
  readonly channel?: Work
  /** Makes `n` that block; gives what keeps them. */
  readonly block?: (n: number) => Promise<unknown>
}

/** How many block. */
const BLOCKED = 50_000

/** How long a timed run takes, in seconds. Peers differ a thousandfold, so that no number would do for all. */
const LONG_ENOUGH = 0.2

/** Takes a rate, or of `block` the microseconds and bytes. */
export const take = (peer: Peer, work: WorkName): Promise<Numbers> =>
  work === "block" ? takeBlock(peer.block!) : takeRate(peer[work]!)

const takeRate = async (work: Work): Promise<Numbers> => {
  let n = 1000
  for (let taken = 0; taken < LONG_ENOUGH;) {
    n *= 2
    taken = await seconds(work, n)
  }
  const taken: Array<number> = []
  for (let i = 0; i < 3; i++) taken.push(await seconds(work, n))
  return [n / median(taken)]
}

const takeBlock = async (block: (n: number) => Promise<unknown>): Promise<Numbers> => {
  await warmUp(block)
  const before = memory().heap
  const start = performance.now()
  const kept = await block(BLOCKED)
  const taken = performance.now() - start
  const after = memory().heap
  // Only what is used afterwards is sure to be there.
  if (kept === undefined) throw new Error("nothing keeps what blocks")
  return [taken * 1000 / BLOCKED, (after - before) / BLOCKED]
}

/** A function of its own, so that nothing of it is left on the stack. */
const warmUp = async (block: (n: number) => Promise<unknown>): Promise<void> => {
  for (let i = 0; i < 5; i++) await block(BLOCKED / 5)
}
