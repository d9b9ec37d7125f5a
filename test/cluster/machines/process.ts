/** Machines of a cluster, each a process of its own. */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"

/** What a machine has failed with. */
export class RemoteError extends Error {
  readonly tag: string
  constructor(tag: string, message: string) {
    super(`${tag}: ${message}`)
    this.tag = tag
  }
}

export class Process {
  address = ""
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  private id = 0
  private readonly waiting = new Map<number, (answer: any) => void>()
  stderr = ""

  /** @param within the command that runs it, if it is not to run right here */
  constructor(program: string, options: object, within: ReadonlyArray<string> = []) {
    const [command, ...args] = [...within, process.execPath, program, JSON.stringify(options)]
    this.child = spawn(command!, args, { stdio: ["pipe", "pipe", "pipe"] })
    createInterface({ input: this.child.stdout! }).on("line", (line) => {
      if (!line.startsWith("{\"id\"")) return void (this.stderr += `${line}\n`)
      const answer = JSON.parse(line)
      this.waiting.get(answer.id)?.(answer)
      this.waiting.delete(answer.id)
    })
    this.child.stderr!.on("data", (data) => {
      this.stderr += data
    })
    this.child.stdin!.on("error", () => {})
    this.exited = new Promise((resolve) => this.child.on("exit", resolve))
  }

  /** Has it do something, and gives what came of it. */
  do(does: string, ...args: Array<unknown>): Promise<any> {
    const id = ++this.id
    return new Promise((resolve, reject) => {
      this.waiting.set(id, ({ failed, value }) => {
        if (failed === undefined) resolve(value)
        else reject(new RemoteError(failed.tag, failed.message))
      })
      this.child.stdin!.write(`${JSON.stringify({ id, does, args })}\n`)
    })
  }

  async ready(): Promise<this> {
    this.address = await this.do("address")
    return this
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL")
    await this.exited
  }
}
