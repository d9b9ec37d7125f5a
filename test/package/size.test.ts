/** How much a program carries that uses tasklets and channels, as the README says. */
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { gzipSync } from "node:zlib"
import { rolldown } from "rolldown"
import { beforeAll, expect, test } from "vitest"
import { buildPackage } from "../project.ts"

const program = `
import { Effect } from "effect"
import { channel, run, tasklet } from "effect-stackless/stackless"
console.log(channel, tasklet, Effect.runPromise(run()))
`

/** What the README says, in kilobytes of 1000 bytes, which is the limit, too. */
const [, alone, withEffect] = /([\d.]+) KB, and ([\d.]+) KB with what it uses of Effect/.exec(
  readFileSync("README.md", "utf8").replace(/\s+/g, " ")
)!

beforeAll(buildPackage, 120_000)

test.each([["alone", alone, /^effect(?:\/|$)/], ["with Effect", withEffect, /^node:/]])(
  "a bundle of tasklets and channels is as small as the README says, %s",
  async (_, says, external) => {
    const bundle = await rolldown({
      input: "program",
      external,
      plugins: [{
        name: "program",
        resolveId: (id) =>
          id === "program" ? id : id === "effect-stackless/stackless" ? resolve("dist/stackless/index.js") : undefined,
        load: (id) => id === "program" ? program : undefined
      }]
    })
    const { output } = await bundle.generate({ minify: true })
    const size = gzipSync(output[0].code).length / 1000
    // no larger, and not so much smaller that the README is out of date
    expect(size).toBeLessThanOrEqual(Number(says))
    expect(size).toBeGreaterThan(Number(says) * 0.8)
  }
)
