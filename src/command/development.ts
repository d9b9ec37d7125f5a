/**
 * What `run --development` and `run --watchdog` load into the program before it: its own copy of the package, in development mode.
 * What is asked for stands in this module's address, so that worker threads, which start with the same options, do the same.
 */
import type { DevelopmentOptions } from "../stackless/index.ts"

const options = new URL(import.meta.url).searchParams

const { developmentMode }: { readonly developmentMode: (options: DevelopmentOptions) => unknown } = await import(
  options.get("stackless")!
)
const slow = options.get("slow")
developmentMode({
  ...(options.has("raise") ? {} : { report: () => {} }),
  ...(slow === null ? {} : { slow: slow as NonNullable<DevelopmentOptions["slow"]> })
})

// Who looks on needs a sign of life before the program holds the thread for the first time.
if (slow !== null) await new Promise((resume) => setTimeout(resume, 100))
