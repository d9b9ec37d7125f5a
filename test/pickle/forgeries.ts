/**
 * Forged pickles, of values and of programs in the middle of what they do: each ends in a value or in `UnpicklingError`, and
 * changes nothing. Prints the first that does not.
 *
 *     node forgeries.mjs COUNT SEED
 */
import { dumps, loads, UnpicklingError } from "effect-stackless/pickle"
import * as stackless from "effect-stackless/stackless"
import * as fc from "fast-check"
import { Console } from "node:console"
import { bodyOf, envelope, mutate, mutation } from "./mutation.ts"
import { samples as programs } from "./samples/programs.ts"
import type { Samples } from "./samples/sample.ts"
import { samples as values } from "./samples/values.ts"

/** Those that take a while each. */
const large = new Set(["a list a million long", "more strings than fit in a byte", "recursion 1,000 deep"])

const all: Samples = { ...values, ...programs }
const bodies: Array<Uint8Array> = []
for (const [name, { make }] of Object.entries(all)) if (!large.has(name)) bodies.push(bodyOf(dumps(await make())))

const guarded = [
  Object.prototype,
  Array.prototype,
  Function.prototype,
  Map.prototype,
  Error.prototype,
  stackless.Tasklet.prototype,
  globalThis
]

/** What a forged pickle must not change: the prototypes, the ring, what is printed. */
const picture = (): string =>
  JSON.stringify(guarded.map((object) => Reflect.ownKeys(object).map(String))) +
  guarded.map((object) => Object.prototype.toString.call(Object.getPrototypeOf(object))).join() +
  stackless.getruncount()

const output = new Console(process.stdout)
let printed = 0
console.log = () => {
  printed++
}

const [count = 1000, seed = 1] = process.argv.slice(2).map(Number)
const before = picture()
const ended = { values: 0, errors: 0 }
let slowest = 0

fc.assert(
  fc.property(
    fc.nat(),
    fc.nat(),
    fc.array(mutation, { minLength: 1, maxLength: 4 }),
    (which, other, mutations) => {
      let body = bodies[which % bodies.length]!
      for (const one of mutations) body = mutate(body, bodies[other % bodies.length]!, one)
      const forged = envelope(body)
      const used = process.memoryUsage().heapUsed
      const start = performance.now()
      try {
        loads(forged)
        ended.values++
      } catch (error) {
        if (!(error instanceof UnpicklingError)) throw error
        ended.errors++
      }
      slowest = Math.max(slowest, performance.now() - start)
      const taken = process.memoryUsage().heapUsed - used
      if (taken > 2 ** 22 + 1000 * forged.length) throw new Error(`${forged.length} bytes took ${taken}`)
    }
  ),
  { numRuns: count, seed }
)
const after = picture()
if (after !== before) throw new Error(`something has changed:\n${before}\n${after}`)
if (printed > 0) throw new Error("code of the program ran")
output.log(`${count} forged: ${ended.values} values, ${ended.errors} errors, the slowest took ${slowest.toFixed(0)} ms`)
process.exit(0)
