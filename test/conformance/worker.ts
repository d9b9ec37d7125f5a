/**
 * Runs programs on a JavaScript thread of their own, so that one that never comes back can be ended: its thread is, and
 * the next program gets a new one.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { didNotEnd, type Job, limit, type Run, run } from "./run.ts"

/** Marks the threads that are started here. */
const mark = "conformance"

export class Workers {
  private worker: Worker | undefined

  /** As `run`, for any program. One at a time. */
  run(job: Job): Promise<Run> {
    const worker = this.worker ??= new Worker(new URL(import.meta.url), { workerData: mark })
    return new Promise((resolve) => {
      const settle = (run: Run, ends: boolean) => {
        clearTimeout(timer)
        worker.removeAllListeners("message").removeAllListeners("error")
        if (ends) void this.end()
        resolve(run)
      }
      const failed = (failure: string) => settle({ trace: [], failure }, true)
      // It gives up a program that waits for ever itself: this is for one that does not let it.
      const timer = setTimeout(() => failed(`${didNotEnd}, nor gave anything else a turn`), limit + 1000)
      worker.on("message", (run: Run) => settle(run, run.failure !== undefined))
      worker.on("error", (error: unknown) => failed(error instanceof Error ? error.stack ?? error.message : String(error)))
      worker.postMessage(job)
    })
  }

  async end(): Promise<void> {
    const worker = this.worker
    this.worker = undefined
    await worker?.terminate()
  }
}

if (!isMainThread && workerData === mark) {
  parentPort!.on("message", async (job: Job) => {
    parentPort!.postMessage(await run(job))
  })
}
