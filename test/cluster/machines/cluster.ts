/** A cluster of machines, each a process, with a PostgreSQL where they are written down. */
import { bundle, makeDirectory } from "../../bundle.ts"
import { startPostgres } from "../postgres.ts"
import { Process } from "./process.ts"

export interface Cluster {
  /** Starts one more, perhaps of another program, or by another command. */
  readonly start: (options?: object, program?: string, within?: ReadonlyArray<string>) => Promise<Process>
  /** The socket of the database. */
  readonly socket: string
  /** The program with other text in it. */
  readonly program: (edit: (code: string) => string) => Promise<string>
  readonly remove: () => Promise<void>
}

export const SECRET = "a secret that all of them know"

export const startCluster = async (): Promise<Cluster> => {
  const postgres = startPostgres()
  const directory = makeDirectory()
  const database = postgres.newDatabase()
  const started: Array<Process> = []
  let programs = 0
  const program = async (edit: (code: string) => string): Promise<string> => {
    const file = `${directory.path}/program${++programs}.mjs`
    await bundle("cluster/machines/program.ts", file, edit)
    return file
  }
  const usual = await program((code) => code)
  return {
    program,
    socket: `${postgres.host}/.s.PGSQL.5432`,
    start: (options = { secret: SECRET }, file = usual, within = []) => {
      const made = new Process(file, { host: postgres.host, database, ...options }, within)
      started.push(made)
      return made.ready()
    },
    remove: async () => {
      await Promise.all(started.map((machine) => machine.kill()))
      postgres.remove()
      directory.remove()
    }
  }
}

export const until = async <A>(what: () => Promise<A> | A, is: (a: A) => boolean): Promise<A> => {
  for (;;) {
    const a = await what()
    if (is(a)) return a
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Waits until these machines, and no others, have the shards, and all of them say so. */
export const spread = async (...machines: ReadonlyArray<Process>): Promise<void> => {
  await until(
    () =>
      Promise.all(machines.map(async (machine) => {
        const found = new Set<string>()
        for (let i = 0; i < 40; i++) found.add(await machine.do("locate", `key ${i}`))
        return found
      })),
    (all) => all.every((found) => found.size === machines.length && machines.every(({ address }) => found.has(address)))
  )
}

/** A key that a machine has. */
export const keyOf = async (machine: Process, name: string): Promise<string> => {
  for (let i = 0;; i++) {
    const key = `${name} ${i}`
    if (await machine.do("locate", key) === machine.address) return key
  }
}

/** What has come to one who gathers: each value, and when. */
export type Got = ReadonlyArray<readonly [value: any, time: number]>

/** What has come of a counter: the numbers, the processes, and the longest pause. */
export const countedBy = (got: Got, key: string) => {
  const entries = got.filter(([{ name }]) => name === key)
  let pause = 0
  for (let i = 1; i < entries.length; i++) pause = Math.max(pause, entries[i]![1] - entries[i - 1]![1])
  return {
    numbers: entries.map(([{ n }]) => n as number),
    processes: [...new Set(entries.map(([{ at }]) => at as number))],
    pause
  }
}
