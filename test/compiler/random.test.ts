/**
 * Random programs do compiled what they do natively, also where their frames are preempted at each turn of a loop. `RANDOM_PROGRAMS=100000 npx vitest run test/compiler/random.test.ts`
 * runs as many of them, from the seed `RANDOM_SEED` on.
 */
import { expect, test } from "vitest"
import { compare, preemptions } from "./random.ts"

const count = Number(process.env["RANDOM_PROGRAMS"] ?? 300)
const first = Number(process.env["RANDOM_SEED"] ?? 1_000_000)

test(`${count} random programs`, { timeout: Math.max(300_000, count * 1000) }, () => {
  let ran = 0
  const differing: Array<string> = []
  for (let seed = first; seed < first + count && differing.length < 3; seed++) {
    const result = compare(seed)
    if (result.same) ran += Number(result.ran)
    else {differing.push(
        `seed ${seed}\nnative   ${result.native}\ncompiled ${result.compiled}\n${result.source}\n\n${result.code}`
      )}
  }
  expect(differing).toEqual([])
  expect(ran).toBeGreaterThan(count * 0.9)
  // some of them have loops that do not suspend in each turn
  expect(preemptions.count).toBeGreaterThan(count / 10)
})
