/**
 * Runs programs on a JavaScript thread of their own, so that one that never comes back can be ended: its thread is, and
 * the next program gets a new one.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { didNotEnd, type Job, limit, type Run, run } from "./run.ts"

/** Marks the threads that are started here. */
const mark = "conformance"

/** What such a thread tells of a run that goes on. */
const onward = "onward"

export class Workers {
  private worker: Worker | undefined
  /** Ends the run in progress. */
  private settle: (run: Run) => void = () => {}
  /** The run in progress goes on. */
  private goesOn: () => void = () => {}

  /** As `run`, for any program. One at a time. */
  run(job: Job): Promise<Run> {
    const worker = this.worker ??= this.start()
    return new Promise((resolve) => {
      // It gives up a program that waits for ever itself: this is for one that does not let it.
      const timer = setTimeout(() => this.fail(`${didNotEnd}, nor gave anything else a turn`), limit + 1000)
      this.goesOn = () => timer.refresh()
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
    const worker = new Worker(new URL(import.meta.url), { workerData: mark })
    worker.on("message", (message: Run | typeof onward) => message === onward ? this.goesOn() : this.settle(message))
    worker.on("error", (error) => this.fail(error instanceof Error ? error.stack ?? error.message : String(error)))
    return worker
  }

  private fail(failure: string): void {
    void this.end()
    this.settle({ trace: [], failure })
  }
}

if (!isMainThread && workerData === mark) {
  parentPort!.on("message", async (job: Job) => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
    const tell = (message: Run | typeof onward) => parentPort!.postMessage(message)
    tell(await run(job, () => tell(onward)))
  })
}
