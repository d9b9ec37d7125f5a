/**
 * Runs files in processes of their own, several at a time. One that does not come back is ended with the process that it
 * runs in, and so is a file that breaks the process.
 */
import { type ChildProcess, fork } from "node:child_process"
import { runnerOf, type Suite, type Verdict } from "./run.ts"

/** How long a file may take, in milliseconds. They take a few. */
const patience = 60_000

/** After how many files a process is replaced: realms are not collected, and fill its heap. */
const lifetime = 100

/** Marks the processes that are started here. */
const mark = "test262-worker"

/** Hands the verdict of each file to `tell`, in the order in which they come. */
export const inProcesses = async (
  suite: Suite,
  files: ReadonlyArray<string>,
  jobs: number,
  tell: (file: string, verdict: Verdict) => void,
  limit = patience
): Promise<void> => {
  const left = files.values()
  const work = async (): Promise<void> => {
    let child: Child | undefined
    for (const file of left) {
      child ??= new Child(suite, limit)
      const verdict = await child.run(file)
      if (child.isWornOut) {
        child.end()
        child = undefined
      }
      tell(file, verdict)
    }
    child?.end()
  }
  await Promise.all(Array.from({ length: jobs }, work))
}

class Child {
  private readonly process: ChildProcess
  private readonly limit: number
  private files = 0

  constructor(suite: Suite, limit: number) {
    this.limit = limit
    this.process = fork(new URL(import.meta.url), [mark], {
      execArgv: ["--experimental-vm-modules", "--expose-gc", "--no-warnings"],
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    this.process.send(suite)
  }

  get isWornOut(): boolean {
    return this.files === lifetime || this.process.killed || this.process.exitCode !== null
  }

  run(file: string): Promise<Verdict> {
    this.files += 1
    return new Promise((resolve) => {
      let compiled = false
      const settle = (verdict: Verdict) => {
        clearTimeout(timer)
        this.process.removeAllListeners()
        resolve(verdict)
      }
      const broken = (message: string) => {
        this.process.kill("SIGKILL")
        settle(compiled ? failed(message) : { leftOut: `Node itself: ${message}`, failures: [] })
      }
      const timer = setTimeout(() => broken(`does not end within ${this.limit / 1000} s`), this.limit)
      this.process.on("message", (message: Verdict | boolean) => {
        if (typeof message === "boolean") compiled = message
        else settle(message)
      })
      this.process.on("exit", (code, signal) => broken(`ends the process: ${signal ?? code}`))
      this.process.send(file)
    })
  }

  end(): void {
    this.process.kill()
  }
}

const failed = (message: string): Verdict => ({ failures: [{ mode: "sloppy", message }] })

if (process.argv[2] === mark) {
  let run = runnerOf({ path: "", runtime: "({})" })
  // What is left over of a file that has its verdict.
  process.on("unhandledRejection", () => {})
  process.on("uncaughtException", () => {})
  process.on("message", async (message: Suite | string) => {
    if (typeof message !== "string") {
      run = runnerOf(message)
      return
    }
    let verdict: Verdict
    try {
      verdict = await run(message, (compiled) => process.send!(compiled))
    } catch (error) {
      verdict = failed((error as Error).stack ?? String(error))
    }
    process.send!(verdict)
  })
}
