/** `dump FILE` dumps all samples, `load FILE` loads them and prints for each what was wrong with it, as JSON. */
import { dumps, loads } from "effect-stackless/pickle"
import { readFileSync, writeFileSync } from "node:fs"
import { samples as programs } from "./programs.ts"
import type { Samples } from "./sample.ts"
import { samples as values } from "./values.ts"

const all: Samples = { ...values, ...programs }

const [what, file] = process.argv.slice(2) as [string, string]
if (what === "dump") {
  const dumped: Record<string, string> = {}
  for (const [name, { make }] of Object.entries(all)) {
    try {
      dumped[name] = Buffer.from(dumps(await make())).toString("base64")
    } catch (error) {
      dumped[name] = `failed: ${String((error as Error).stack)}`
    }
  }
  writeFileSync(file, JSON.stringify(dumped))
} else {
  const dumped: Record<string, string> = JSON.parse(readFileSync(file, "utf8"))
  const wrong: Record<string, string> = {}
  for (const [name, base64] of Object.entries(dumped)) {
    try {
      if (base64.startsWith("failed: ")) throw new Error(base64)
      const loaded = loads(Buffer.from(base64, "base64"))
      const again = Buffer.from(dumps(loaded)).toString("base64")
      if (again !== base64) throw new Error("what was loaded gives other bytes")
      await all[name]!.check(loaded)
      wrong[name] = ""
    } catch (error) {
      wrong[name] = String((error as Error).stack)
    }
  }
  process.stdout.write(JSON.stringify(wrong))
}
