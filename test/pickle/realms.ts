/**
 * Random programs, run as they are, and dumped and loaded after every k-th round, each time into another realm: a worker thread, of
 * which there are new ones after some hundred programs. Prints the first program whose two traces differ.
 *
 *     node realms.mjs COUNT SEED
 */
import { isMainThread, parentPort, Worker } from "node:worker_threads"
import { advance, type From, ROUNDS } from "./random-programs.ts"

interface Run {
  readonly seed: number
  readonly every: number
  from: From
  round: number
  trace: ReadonlyArray<string>
}

interface Answer {
  readonly trace: ReadonlyArray<string>
  readonly bytes: Uint8Array | undefined
  readonly error?: string
}

/** How many programs are under way at once, and how many a worker sees. */
const BATCH = 50
const GENERATION = 1000

/** Runs all that is asked for on a worker. */
class Realm {
  private worker = this.start()
  private seen = 0

  private start(): Worker {
    return new Worker(new URL(import.meta.url))
  }

  async advance(
    runs: ReadonlyArray<readonly [from: From, rounds: number]>,
    programs: number
  ): Promise<ReadonlyArray<Answer>> {
    if ((this.seen += programs) > GENERATION * 12) {
      this.seen = 0
      await this.worker.terminate()
      this.worker = this.start()
    }
    const { worker } = this
    return await new Promise((resolve, reject) => {
      const answered = (answers: ReadonlyArray<Answer>): void => {
        worker.off("error", reject)
        resolve(answers)
      }
      worker.once("message", answered)
      worker.once("error", reject)
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
      worker.postMessage(runs)
    })
  }

  async end(): Promise<void> {
    await this.worker.terminate()
  }
}

class Difference extends Error {}

/** Runs some programs in every way, on two realms in turn. */
const tried = async (realms: ReadonlyArray<Realm>, seeds: ReadonlyArray<number>): Promise<number> => {
  const undisturbed = new Map<number, ReadonlyArray<string>>()
  let lines = 0
  for (const seed of seeds) {
    const { trace } = await advance(seed, ROUNDS)
    undisturbed.set(seed, trace)
    lines += trace.length
  }
  const runs = seeds.flatMap((seed) =>
    [1, 2, 3, 7].map((every): Run => ({ seed, every, from: seed, round: 0, trace: [] }))
  )
  for (let hop = 0;; hop++) {
    const open = runs.filter(({ round }) => round < ROUNDS)
    if (open.length === 0) break
    const asked = open.map(({ every, from, round }) => [from, Math.min(every, ROUNDS - round)] as const)
    const answers = await realms[hop % realms.length]!.advance(asked, seeds.length)
    answers.forEach(({ bytes, error, trace }, i) => {
      const run = open[i]!
      if (error !== undefined) throw new Difference(`program ${run.seed}, every ${run.every}: ${error}`)
      run.round += asked[i]![1]
      run.trace = trace
      run.from = bytes ?? run.from
    })
  }
  for (const { every, seed, trace } of runs) {
    const expected = undisturbed.get(seed)!
    const at = expected.findIndex((line, i) => line !== trace[i])
    if (at === -1 && expected.length === trace.length) continue
    throw new Difference(
      `program ${seed}, every ${every}, line ${at}:\n${expected.slice(Math.max(0, at - 6), at + 2).join("\n")}\nbut\n${
        trace.slice(Math.max(0, at - 6), at + 2).join("\n")
      }`
    )
  }
  return lines
}

if (isMainThread) {
  const [count = 300, first = 1] = process.argv.slice(2).map(Number)
  let next = first
  let said = 0
  const lane = async (): Promise<void> => {
    const realms = [new Realm(), new Realm()]
    while (next < first + count) {
      const seeds = Array.from({ length: Math.min(BATCH, first + count - next) }, (_, i) => next + i)
      next += seeds.length
      said += await tried(realms, seeds)
    }
    for (const realm of realms) await realm.end()
  }
  try {
    await Promise.all(Array.from({ length: count > 4 * BATCH ? 2 : 1 }, lane))
    console.log(`the same: ${count} programs, ${said} lines`)
  } catch (error) {
    if (!(error instanceof Difference)) throw error
    console.log(error.message)
    process.exit(1)
  }
} else {
  parentPort!.on("message", async (runs: ReadonlyArray<readonly [from: From, rounds: number]>) => {
    const answers: Array<Answer> = []
    for (const [from, rounds] of runs) {
      try {
        answers.push(await advance(from, rounds))
      } catch (error) {
        answers.push({ trace: [], bytes: undefined, error: String((error as Error).stack) })
      }
    }
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
    parentPort!.postMessage(answers)
  })
}
