/**
 * Runs programs on a JavaScript thread of their own, so that one that never comes back can be ended: its thread is, and
 * the next program gets a new one.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { isCompiled } from "./gear.ts"
import { didNotEnd, type Job, limit, type Run, run } from "./run.ts"

/** Marks the threads that are started here. */
const mark = "conformance"

/** What such a thread tells when it has loaded everything, and of a run that goes on. */
const onward = "onward"

export class Workers {
  private worker: Worker | undefined
  /** Does it compile what it loads? */
  private compiles = false
  /** Has it loaded what it runs? */
  private loaded = false
  /** Ends the run in progress. */
  private settle: (run: Run) => void = () => {}
  /** The run in progress goes on. */
  private goesOn: () => void = () => {}

  /** As `run`, for any program. One at a time. */
  run(job: Job): Promise<Run> {
    const compiles = isCompiled(job.gear)
    if (compiles !== this.compiles) void this.end()
    this.compiles = compiles
    const worker = this.worker ??= this.start()
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined
      // It gives up a program that waits for ever itself: this is for one that does not let it. It takes its time to load.
      this.goesOn = () => {
        clearTimeout(timer)
        timer = setTimeout(() => this.fail(`${didNotEnd}, nor gave anything else a turn`), limit + 1000)
      }
      if (this.loaded) this.goesOn()
      this.settle = (run) => {
        clearTimeout(timer)
        resolve(run)
      }
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
      worker.postMessage(job)
    })
  }

  async end(): Promise<void> {
    const worker = this.worker
    this.worker = undefined
    await worker?.terminate()
  }

  private start(): Worker {
    this.loaded = false
    const worker = new Worker(new URL(import.meta.url), {
      workerData: mark,
      // In the compiled gears the interpreter is compiled, too.
      execArgv: this.compiles ? ["--import", import.meta.resolve("effect-stackless/register")] : []
    })
    worker.on("message", (message: Run | typeof onward) => {
      this.loaded = true
      if (message === onward) this.goesOn()
      else this.settle(message)
    })
    worker.on("error", (error) => this.fail(error instanceof Error ? error.stack ?? error.message : String(error)))
    return worker
  }

  private fail(failure: string): void {
    void this.end()
    this.settle({ trace: [], failure })
  }
}

if (!isMainThread && workerData === mark) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
  const tell = (message: Run | typeof onward) => parentPort!.postMessage(message)
  parentPort!.on("message", async (job: Job) => tell(await run(job, () => tell(onward))))
  tell(onward)
}
