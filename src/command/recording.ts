/**
 * What `run --trace` loads into the program before it: its own copy of the package records, and saves the recording when the
 * process ends, by whatever.
 */
import { isMainThread } from "node:worker_threads"
import type * as recording from "../timeline/index.ts"

const options = new URL(import.meta.url).searchParams

// worker threads start with the same options, and there is one file
if (isMainThread) {
  const { record }: typeof recording = await import(options.get("timeline")!)
  const timeline = record()
  process.on("exit", () => {
    timeline.stop()
    timeline.save(options.get("file")!)
  })
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // the program may have something else to do then, and it ends itself
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(signal === "SIGINT" ? 130 : 143)
    })
  }
}
