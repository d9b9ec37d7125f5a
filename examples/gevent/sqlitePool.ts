/**
 * A pool of connections to a SQLite file, in the place of upstream's `examples/psycopg2_pool.py`: a greenlet that waits
 * for a query lets the others run, and one that finds no connection free waits for one.
 *
 * SQLite answers when it is done and not before, so each connection lives on a thread of its own: a `ThreadPool` of one.
 *
 *     node .build/examples/gevent/sqlitePool.js [FILE]
 */
import { Effect } from "effect"
import {
  BoundedSemaphore,
  call,
  gethub,
  joinall,
  LifoQueue,
  sleep,
  spawn,
  ThreadPool
} from "effect-stackless/compat/gevent"
import type Libsql from "libsql"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** What the steps of a generator function may wait for. */
type Steps<A> = Generator<Effect.Effect<any, any>, A, any>

export type Row = Readonly<Record<string, unknown>>
export type Parameters = ReadonlyArray<string | number | bigint | boolean | Uint8Array | null>

/** How a transaction begins, with its first statement that changes something. */
export type IsolationLevel = "deferred" | "immediate" | "exclusive"

/** What SQLite says is wrong; `code` is its own, such as `SQLITE_CONSTRAINT_UNIQUE`. */
export class DatabaseError extends Error {
  override readonly name = "DatabaseError"
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

// ---- on the thread of a connection: these are sent there as they stand ------------------------------------------------

type Answer =
  | { readonly rows: Array<Row>; readonly rowcount: number; readonly inTransaction: boolean }
  | { readonly code: string; readonly message: string; readonly inTransaction: boolean }

interface There {
  database?: Libsql.Database
}

const open = (from: string, file: string, seconds: number): Answer => {
  const Database: typeof Libsql = process.getBuiltinModule("node:module").createRequire(from)("libsql")
  try {
    const database = new Database(file, { timeout: seconds * 1000 })
    database.exec("pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on")
    Object.assign(globalThis, { database } satisfies There)
    return { rows: [], rowcount: 0, inTransaction: false }
  } catch (error) {
    return { code: "SQLITE_CANTOPEN", message: (error as Error).message, inTransaction: false }
  }
}

const perform = (sql: string, many: ReadonlyArray<Parameters>, isolationLevel: IsolationLevel): Answer => {
  const database = (globalThis as There).database!
  try {
    const statement = database.prepare(sql)
    if (!database.inTransaction && /^\s*(insert|update|delete|replace)\b/i.test(sql)) {
      database.exec(`begin ${isolationLevel}`)
    }
    const rows: Array<Row> = []
    let rowcount = 0
    for (const parameters of many) {
      if (statement.reader) {
        for (const row of statement.all(parameters) as Array<Record<string, unknown>>) {
          for (const [name, value] of Object.entries(row)) {
            if (value instanceof ArrayBuffer) row[name] = new Uint8Array(value)
          }
          rows.push(row)
        }
        rowcount = rows.length
      } else rowcount += statement.run(parameters).changes
    }
    return { rows, rowcount, inTransaction: database.inTransaction }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return { code: code ?? "SQLITE_ERROR", message, inTransaction: database.inTransaction }
  }
}

const close = (): void => (globalThis as There).database?.close() as undefined

// ---- in greenlets -----------------------------------------------------------------------------------------------------

/** A connection, which serves one greenlet at a time. A transaction begins with the first statement that changes something. */
export class Connection {
  isolationLevel: IsolationLevel = "deferred"
  closed = false
  /** Does a statement run that nobody waits for any more? */
  busy = false
  private readonly thread = new ThreadPool(1)
  private inTransaction = false

  /** Opens a file. A statement that finds it locked waits for so many seconds. */
  static *open(file: string, seconds = 5): Steps<Connection> {
    const connection = new Connection()
    try {
      yield* connection.ask(() => connection.thread.apply(open, [import.meta.url, file, seconds]))
    } catch (error) {
      connection.close()
      throw error
    }
    return connection
  }

  cursor(): Cursor {
    return new Cursor(this)
  }

  *commit(): Steps<void> {
    if (this.inTransaction) yield* this.perform("commit", [[]])
  }

  *rollback(): Steps<void> {
    if (this.inTransaction) yield* this.perform("rollback", [[]])
  }

  /** Closes it, once SQLite has answered what it was asked last: what was not committed is rolled back. */
  close(): void {
    if (this.closed) return
    this.closed = true
    const { thread } = this
    spawn(function*() {
      yield* thread.apply(close, [])
      thread.kill()
    })
  }

  *perform(sql: string, many: ReadonlyArray<Parameters>) {
    const bound = many.map((parameters) => parameters.map(bindable))
    return yield* this.ask(() => this.thread.apply(perform, [sql, bound, this.isolationLevel]))
  }

  private *ask(question: () => Effect.Effect<Answer>): Steps<{ rows: Array<Row>; rowcount: number }> {
    if (this.closed) throw new DatabaseError("SQLITE_MISUSE", "the connection is closed")
    if (this.busy) throw new DatabaseError("SQLITE_MISUSE", "the connection is busy with another statement")
    this.busy = true
    // whoever is killed here leaves it busy
    const answer: Answer = yield* question()
    this.busy = false
    this.inTransaction = answer.inTransaction
    if ("code" in answer) throw new DatabaseError(answer.code, answer.message)
    return answer
  }

  toString(): string {
    return `<Connection ${this.closed ? "closed" : this.busy ? "busy" : "open"}>`
  }
}

/** A parameter as SQLite knows it. */
const bindable = (value: unknown): Parameters[number] => {
  if (typeof value === "boolean") return Number(value)
  if (value === null || ["string", "number", "bigint"].includes(typeof value) || value instanceof Uint8Array) {
    return value as Parameters[number]
  }
  throw new TypeError(`SQLite has no type for ${String(value)}: bind a number, a string, a Uint8Array or null`)
}

/** Statements, and the rows that they bring, all at once. */
export class Cursor {
  /** How many rows the last statement has brought or changed. */
  rowcount = -1
  private rows: Array<Row> = []
  private readonly connection: Connection

  constructor(connection: Connection) {
    this.connection = connection
  }

  *execute(sql: string, parameters: Parameters = []): Steps<this> {
    return yield* this.executemany(sql, [parameters])
  }

  /** The same statement with several sets of parameters. */
  *executemany(sql: string, many: ReadonlyArray<Parameters>): Steps<this> {
    const { rowcount, rows } = yield* this.connection.perform(sql, many)
    this.rows = rows.reverse()
    this.rowcount = rowcount
    return this
  }

  fetchone(): Row | undefined {
    return this.rows.pop()
  }

  fetchall(): Array<Row> {
    return this.rows.splice(0).reverse()
  }
}

/**
 * So many connections at the most, made as they are needed.
 *
 * Upstream's counts the connections beside a queue of those that are free; here the queue has a place for each that can
 * still be made, too, so that who waits also hears of one that was closed.
 */
export class ConnectionPool {
  readonly maxsize: number
  private readonly file: string
  private readonly free = new LifoQueue<Connection | undefined>()
  private readonly connections = new Set<Connection>()
  /** SQLite has one writer at a time, and who waits for its lock only looks again and again: some would wait for ever. */
  private readonly writing = new BoundedSemaphore(1)

  constructor(file: string, maxsize = 100) {
    if (!Number.isInteger(maxsize) || maxsize < 1) {
      throw new TypeError(`Expected a positive integer, got ${String(maxsize)}`)
    }
    this.file = file
    this.maxsize = maxsize
    for (let n = 0; n < maxsize; n++) this.free.putNowait(undefined)
  }

  /** How many connections there are. */
  get size(): number {
    return this.connections.size
  }

  /** Takes a connection out, waiting for one that is free. */
  *get(): Steps<Connection> {
    const free: Connection | undefined = yield* this.free.get()
    if (free !== undefined) return free
    try {
      const made = yield* Connection.open(this.file)
      this.connections.add(made)
      return made
    } catch (error) {
      this.free.putNowait(undefined)
      throw error
    }
  }

  /** Gives one back. */
  put(connection: Connection): void {
    if (connection.closed) this.connections.delete(connection)
    this.free.putNowait(connection.closed ? undefined : connection)
  }

  /** Closes the connections that are free. */
  closeall(): void {
    const free: Array<Connection | undefined> = []
    while (!this.free.empty()) free.push(this.free.getNowait())
    for (const connection of free.reverse()) {
      connection?.close()
      if (connection === undefined) this.free.putNowait(undefined)
      else this.put(connection)
    }
  }

  /**
   * Runs a block with a connection: commits at its end, or rolls back if it throws. `with pool.connection() as c:`
   *
   * One that is not deferred means to write, and comes when the ones before it are done.
   */
  *connection<A>(
    block: (connection: Connection) => Steps<A>,
    isolationLevel: IsolationLevel = "deferred"
  ): Steps<A> {
    if (isolationLevel === "deferred") return yield* this.transaction(block, isolationLevel)
    return yield* this.writing.within(() => this.transaction(block, isolationLevel))
  }

  private *transaction<A>(block: (connection: Connection) => Steps<A>, isolationLevel: IsolationLevel): Steps<A> {
    const connection = yield* this.get()
    connection.isolationLevel = isolationLevel
    try {
      const result = yield* block(connection)
      if (connection.closed) throw new DatabaseError("SQLITE_MISUSE", "Cannot commit because connection was closed")
      yield* connection.commit()
      return result
    } catch (error) {
      yield* this.rollback(connection)
      throw error
    } finally {
      this.put(connection)
    }
  }

  private *rollback(connection: Connection): Steps<void> {
    try {
      if (!connection.closed && !connection.busy) return yield* connection.rollback()
    } catch (error) {
      gethub().handleError(connection, error)
    }
    connection.close()
  }

  /** The same with a cursor. `with pool.cursor() as c:` */
  *cursor<A>(block: (cursor: Cursor) => Steps<A>, isolationLevel?: IsolationLevel): Steps<A> {
    return yield* this.connection((connection) => block(connection.cursor()), isolationLevel)
  }

  /** One statement in a transaction of its own; how many rows it has brought or changed. */
  *execute(sql: string, parameters?: Parameters): Steps<number> {
    return yield* this.cursor(function*(cursor) {
      return (yield* cursor.execute(sql, parameters)).rowcount
    })
  }

  /** The same with several sets of parameters. */
  *executemany(sql: string, many: ReadonlyArray<Parameters>): Steps<number> {
    return yield* this.cursor(function*(cursor) {
      return (yield* cursor.executemany(sql, many)).rowcount
    })
  }

  /** Its first row. */
  *fetchone(sql: string, parameters?: Parameters): Steps<Row | undefined> {
    return yield* this.cursor(function*(cursor) {
      return (yield* cursor.execute(sql, parameters)).fetchone()
    })
  }

  /** All its rows. */
  *fetchall(sql: string, parameters?: Parameters): Steps<Array<Row>> {
    return yield* this.cursor(function*(cursor) {
      return (yield* cursor.execute(sql, parameters)).fetchall()
    })
  }
}

// ---- what it is shown with --------------------------------------------------------------------------------------------

const counting = `
  with recursive number(n) as (select 1 union all select n + 1 from number where n < ?)
  select count(*) as count from number`

/** A long query four times with three connections, and how often another greenlet had its turn meanwhile. */
export function* overlap(pool: ConnectionPool, size = 1_000_000) {
  let turns = 0
  let running = 0
  let most = 0
  const count = function*() {
    return yield* pool.cursor(function*(cursor) {
      most = Math.max(most, ++running)
      const row = (yield* cursor.execute(counting, [size])).fetchone()!
      running--
      return row.count as number
    })
  }
  const ticking = spawn(function*() {
    for (;;) {
      yield* sleep(0.001)
      turns++
    }
  })
  // so that what is measured is queries, and not the opening of connections
  const connections: Array<Connection> = []
  while (connections.length < pool.maxsize) connections.push(yield* pool.get())
  for (const connection of connections) pool.put(connection)
  const began = Date.now()
  const counted = yield* spawn(count).get()
  const alone = Date.now() - began
  const jobs = Array.from({ length: 4 }, () => spawn(count))
  yield* joinall(jobs, { raiseError: true })
  yield* ticking.kill()
  return { counted, most, turns, alone, together: Date.now() - began - alone }
}

/**
 * Greenlets that move money between accounts, once they have seen that it is there, which waits for no writer. Every
 * tenth transfer fails in the middle, and is rolled back.
 */
export function* transfers(pool: ConnectionPool, greenlets: number, each: number) {
  const accounts = 10
  yield* pool.execute("create table account (id integer primary key, balance integer not null)")
  yield* pool.execute("create table transfer (id integer primary key, payer integer, payee integer)")
  yield* pool.executemany(
    "insert into account values (?, 1000)",
    Array.from({ length: accounts }, (_, id) => [id])
  )
  let failed = 0
  const transfer = (payer: number, payee: number, fails: boolean) =>
    pool.cursor(function*(cursor) {
      yield* cursor.execute("update account set balance = balance - 1 where id = ?", [payer])
      if (fails) throw new RangeError("the line went dead")
      yield* cursor.execute("update account set balance = balance + 1 where id = ?", [payee])
      yield* cursor.execute("insert into transfer (payer, payee) values (?, ?)", [payer, payee])
    }, "immediate")
  const customer = function*(first: number) {
    for (let n = first; n < first + each; n++) {
      try {
        const { balance } = (yield* pool.fetchone("select balance from account where id = ?", [n % accounts]))!
        if (balance === 0) continue
        yield* transfer(n % accounts, (n + 1) % accounts, n % 10 === 0)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        failed++
      }
    }
  }
  const began = Date.now()
  const jobs = Array.from({ length: greenlets }, (_, index) => spawn(customer, index * each))
  yield* joinall(jobs, { raiseError: true })
  const milliseconds = Date.now() - began
  const { total } = (yield* pool.fetchone("select sum(balance) as total from account"))!
  const { count } = (yield* pool.fetchone("select count(*) as count from transfer"))!
  return { committed: count as number, failed, total: total as number, connections: pool.size, milliseconds }
}

function* main(file: string) {
  const pool = new ConnectionPool(file, 3)
  const { alone, counted, together, turns } = yield* overlap(pool)
  console.log(`Counting to ${counted}: once in ${alone} ms, 4 times with ${pool.size} connections in ${together} ms.`)
  console.log(`Another greenlet had ${turns} turns meanwhile.`)
  const { committed, connections, failed, milliseconds, total } = yield* transfers(pool, 100, 10)
  console.log(
    `100 greenlets with ${connections} connections: ${committed} transfers committed, ${failed} rolled back in ` +
      `${milliseconds} ms; the accounts hold ${total}.`
  )
  pool.closeall()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), "sqlite-pool-"))
  await Effect.runPromise(call(main, process.argv[2] ?? join(folder, "bank.db")))
  rmSync(folder, { recursive: true })
}
