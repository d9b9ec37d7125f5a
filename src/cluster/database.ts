/** A database of SQLite: `node:sqlite` where Node has it, and else the package `libsql`. */

/** What can be stored. */
export type Value = string | number | null | Uint8Array

/** What both libraries have in common. */
export interface Statement {
  all(...values: ReadonlyArray<Value>): Array<any>
  run(...values: ReadonlyArray<Value>): unknown
}

export interface Database {
  exec(sql: string): unknown
  prepare(sql: string): Statement
  close(): unknown
}

/** Opens a file, which is made if it is not there; `":memory:"` for none. Fails as the library does. */
export const openDatabase = async (filename: string): Promise<Database> => {
  try {
    // where there is one; a bundler must not look for it
    const { DatabaseSync } = await import(/* @vite-ignore */ ["node", "sqlite"].join(":"))
    return new DatabaseSync(filename)
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_UNKNOWN_BUILTIN_MODULE") throw error
  }
  const { default: Database } = await import("libsql")
  return new Database(filename) as unknown as Database
}

/** Was it not opened because there is no library? */
export const isMissing = (cause: unknown): boolean => (cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND"
