/** The command, as npm starts it. */
import { spawn } from "node:child_process"
import { resolve } from "node:path"

const file = resolve("dist/command/main.js")

export interface Ended {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs the command in a folder.
 *
 * @param heard is told of all that has been written so far, and may end the command by a signal
 */
export const command = (
  folder: string,
  args: ReadonlyArray<string>,
  heard: (written: string, kill: (signal: NodeJS.Signals) => void) => void = () => {}
): Promise<Ended> =>
  new Promise((done, failed) => {
    const { FORCE_COLOR: _, NODE_OPTIONS: __, ...env } = process.env
    const child = spawn(process.execPath, [file, ...args], {
      cwd: folder,
      env: { ...env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      heard(stdout, (signal) => void child.kill(signal))
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    child.on("error", failed)
    child.on("close", (status, signal) => done({ status, signal, stdout, stderr }))
  })
