/**
 * All measurements of this package's own, by groups in the order of the table. A group is loaded when it is asked for: a process that
 * says how much memory it takes has to have in it what it measures, and nothing of the others.
 */
import type { Measurement } from "../measurement.ts"

type Group = Readonly<Record<string, Measurement>>

export const groups: ReadonlyArray<() => Promise<Group>> = [
  async () => (await import("./raw.ts")).raw,
  async () => (await import("./greenlet.ts")).greenlets,
  async () => (await import("./stackless.ts")).stackless,
  async () => (await import("./million.ts")).million,
  async () => (await import("./depth.ts")).depths,
  async () => (await import("./compiled.ts")).compiled,
  async () => (await import("./pickle.ts")).pickling,
  async () => (await import("./explore.ts")).exploring,
  async () => (await import("./timeline.ts")).timelines,
  async () => (await import("./durable.ts")).durables,
  async () => (await import("./workers.ts")).working,
  async () => (await import("./machines.ts")).machines,
  async () => (await import("./attached.ts")).attachments
]

/** The one of that name, without the groups that come after its own. */
export const measurementOf = async (name: string): Promise<Measurement> => {
  for (const load of groups) {
    const found = (await load())[name]
    if (found !== undefined) return found
  }
  throw new Error(`there is no measurement ${name}`)
}
