#!/usr/bin/env node
/**
 * The command `effect-stackless`. This file imports nothing, so that it can say what is missing: effect, which the command line
 * stands on.
 */
const missing = (error: unknown): string | undefined =>
  (error as { readonly code?: unknown }).code === "ERR_MODULE_NOT_FOUND"
    ? /Cannot find package '([^']+)'/.exec((error as Error).message)?.[1]
    : undefined

try {
  const { main } = await import("./command.ts")
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const name = missing(error)
  if (name === undefined) throw error
  process.stderr.write(`effect-stackless needs ${name}, which is not installed: npm install ${name}\n`)
  process.exitCode = 2
}
