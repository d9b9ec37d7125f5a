/** A PostgreSQL of one's own, for the tests of a file: in a temporary directory, on a unix socket. */
import { execFileSync, spawnSync } from "node:child_process"
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Server {
  /** The directory of its socket. */
  readonly host: string
  /** An empty database, to be had once. */
  readonly newDatabase: () => string
  readonly start: () => void
  readonly stop: () => void
  readonly remove: () => void
}

/** Where its programs are. */
const binaries = (): string => {
  const debian = "/usr/lib/postgresql"
  const versions = existsSync(debian) ? readdirSync(debian) : []
  const directory = versions.map((version) => join(debian, version, "bin")).find((bin) =>
    existsSync(join(bin, "initdb"))
  )
  if (directory !== undefined) return directory
  const found = spawnSync("which", ["initdb"], { encoding: "utf8" }).stdout.trim()
  if (found !== "") return join(found, "..")
  throw new Error("these tests start a PostgreSQL, which is not installed: apt-get install postgresql")
}

/** It does not run as root. */
const unprivileged = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string): number => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }))
  return { uid: id("-u"), gid: id("-g") }
}

export const startPostgres = (): Server => {
  const bin = binaries()
  const user = unprivileged()
  const directory = mkdtempSync(join(tmpdir(), "postgres-"))
  const data = join(directory, "data")
  mkdirSync(data)
  if (user !== undefined) { for (const path of [directory, data]) chownSync(path, user.uid, user.gid) }
  const run = (program: string, ...args: ReadonlyArray<string>): void => {
    const { status, stderr, stdout } = spawnSync(join(bin, program), args, {
      ...user,
      cwd: directory,
      encoding: "utf8",
      // pg_ctl leaves its output to the server
      stdio: program === "pg_ctl" ? "ignore" : "pipe"
    })
    if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed: ${stderr ?? ""}${stdout ?? ""}`)
  }
  const options = `-k ${directory} -c listen_addresses='' -c shared_buffers=16MB -c max_connections=40`
  const start = () => run("pg_ctl", "-D", data, "-o", options, "-l", join(directory, "log"), "-w", "start")
  const stop = () => run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
  run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
  start()
  let databases = 0
  return {
    host: directory,
    newDatabase: () => {
      const name = `test${databases++}`
      run("createdb", "-h", directory, "-U", "postgres", name)
      return name
    },
    start,
    stop,
    remove: () => {
      try {
        stop()
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    }
  }
}
