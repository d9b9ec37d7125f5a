/** The example with a SQLite file: greenlets that wait for connections and for queries, while others go on. */
import * as gevent from "effect-stackless/compat/gevent"
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, test } from "vitest"
import { ConnectionPool, DatabaseError, overlap, transfers } from "../../examples/gevent/sqlitePool.ts"
import { caught, realProgram, type Steps } from "./program.ts"

const folder = mkdtempSync(join(tmpdir(), "sqlite-pool-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
const newFile = () => join(folder, `${++files}.db`)

/** A program with a pool of its own on a file that is new. */
const withPool = (maxsize: number, main: (pool: ConnectionPool, file: string) => Steps) =>
  function*(): Steps {
    const file = newFile()
    const pool = new ConnectionPool(file, maxsize)
    yield* main(pool, file)
    pool.closeall()
  }

const slow =
  "with recursive n(i) as (select 1 union all select i + 1 from n where i < 800000) select count(*) as count from n"

realProgram(
  "queries run at once on as many connections as there may be, while another greenlet goes on",
  withPool(3, function*(pool) {
    const { counted, most, turns } = yield* overlap(pool, 100_000)
    expect({ counted, most, size: pool.size }).toEqual({ counted: 100_000, most: 3, size: 3 })
    expect(turns).toBeGreaterThan(5)
  })
)

realProgram(
  "many greenlets move money; what fails is rolled back, and none is lost",
  withPool(3, function*(pool, file) {
    expect(yield* transfers(pool, 20, 10)).toMatchObject({ committed: 180, failed: 20, total: 10_000, connections: 3 })
    // another pool finds it in the file
    const again = new ConnectionPool(file, 1)
    expect(yield* again.fetchone("select count(*) as count from transfer")).toEqual({ count: 180 })
    again.closeall()
  })
)

realProgram(
  "a query that waits for a lock stops only its own greenlet",
  withPool(2, function*(pool) {
    yield* pool.execute("create table item (id integer primary key, name text unique)")
    const log: Array<string> = []
    const holding = gevent.spawn(() =>
      pool.cursor(function*(cursor) {
        yield* cursor.execute("insert into item (name) values (?)", ["a"])
        log.push("holds")
        yield* gevent.sleep(0.1)
        yield* cursor.execute("insert into item (name) values (?)", ["b"])
        log.push("commits")
      }, "immediate")
    )
    while (log.length === 0) yield* gevent.sleep(0.005)
    // SQLite blocks its thread here, until the other one commits
    yield* pool.execute("insert into item (name) values (?)", ["c"])
    log.push("got it")
    yield* holding.get()
    expect(log).toEqual(["holds", "commits", "got it"])
    expect(yield* pool.fetchall("select name from item order by id")).toEqual(["a", "b", "c"].map((name) => ({ name })))
  })
)

realProgram(
  "those that mean to write have their turns in order, while readers go on",
  withPool(3, function*(pool) {
    yield* pool.execute("create table item (id integer primary key, name integer)")
    const read: Array<number> = []
    const writers = Array.from({ length: 12 }, (_, name) =>
      gevent.spawn(() =>
        pool.cursor(function*(cursor) {
          yield* cursor.execute("insert into item (name) values (?)", [name])
          yield* gevent.sleep(0.005)
          // another connection sees what was committed before, and does not wait
          const { count } = (yield* pool.fetchone("select count(*) as count from item"))!
          read.push(count as number)
        }, "immediate")
      ))
    yield* gevent.joinall(writers, { raiseError: true })
    const names = Array.from({ length: 12 }, (_, name) => name)
    expect((yield* pool.fetchall("select name from item order by id")).map(({ name }) => name)).toEqual(names)
    expect(read).toEqual(names)
    expect(pool.size).toBe(2)
  })
)

realProgram(
  "cursors give rows one by one and all at once, and say how many",
  withPool(1, function*(pool) {
    yield* pool.execute("create table item (id integer primary key, name text, data blob)")
    expect(
      yield* pool.executemany("insert into item (name, data) values (?, ?)", [["a", null], ["b", null], ["c", null]])
    )
      .toBe(3)
    expect(yield* pool.execute("update item set data = ? where id > ?", [new Uint8Array([7]), 1])).toBe(2)
    yield* pool.cursor(function*(cursor) {
      yield* cursor.execute("select id, name from item order by id")
      expect(cursor.rowcount).toBe(3)
      expect(cursor.fetchone()).toEqual({ id: 1, name: "a" })
      expect(cursor.fetchall()).toEqual([{ id: 2, name: "b" }, { id: 3, name: "c" }])
      expect(cursor.fetchone()).toBe(undefined)
    })
    expect(yield* pool.fetchone("select data, ? as yes from item where id = ?", [true, 3])).toEqual({
      data: new Uint8Array([7]),
      yes: 1
    })
    expect(yield* caught(gevent.call(() => pool.execute("select ?", [new Date() as never])))).toMatchObject({
      name: "TypeError",
      message: expect.stringContaining("SQLite has no type for")
    })
    expect(yield* pool.fetchone("select * from item where id = ?", [99])).toBe(undefined)
  })
)

realProgram(
  "an error of SQLite's has its code, rolls back, and leaves the connection to the next",
  withPool(1, function*(pool) {
    yield* pool.execute("create table item (name text unique)")
    const doubling = pool.cursor(function*(cursor) {
      yield* cursor.execute("insert into item values ('a')")
      yield* cursor.execute("insert into item values ('a')")
    })
    const error = yield* caught(gevent.call(() => doubling))
    expect(error).toBeInstanceOf(DatabaseError)
    expect(error).toMatchObject({
      code: "SQLITE_CONSTRAINT_UNIQUE",
      message: expect.stringContaining("item.name")
    })
    expect(yield* pool.fetchall("select * from item")).toEqual([])
    expect(yield* caught(gevent.call(() => pool.execute("selec 1")))).toMatchObject({ code: "SQLITE_ERROR" })
    expect(pool.size).toBe(1)
  })
)

realProgram(
  "a pool that is full makes a greenlet wait, until a connection is given back or closed",
  withPool(1, function*(pool) {
    const first = yield* pool.get()
    const waiting = gevent.spawn(() => pool.fetchone("select 1 as one"))
    yield* waiting.join(0.02)
    expect(waiting.ready()).toBe(false)
    pool.put(first)
    expect(yield* waiting.get()).toEqual({ one: 1 })
    const second = yield* pool.get()
    expect(second).toBe(first)
    const another = gevent.spawn(() => pool.fetchone("select 2 as two"))
    yield* gevent.sleep(0)
    second.close()
    pool.put(second)
    expect(yield* another.get()).toEqual({ two: 2 })
    expect(pool.size).toBe(1)
  })
)

realProgram(
  "a greenlet that is killed in a query leaves its connection behind, and room for another",
  withPool(1, function*(pool) {
    yield* pool.execute("create table item (name text)")
    const inserted = new gevent.Event()
    const asking = gevent.spawn(() =>
      pool.cursor(function*(cursor) {
        yield* cursor.execute("insert into item values ('lost')")
        inserted.set()
        yield* cursor.execute(slow)
      })
    )
    yield* inserted.wait()
    yield* gevent.sleep(0.001)
    yield* asking.kill()
    expect(asking.value).toBeInstanceOf(gevent.GreenletExit)
    expect(pool.size).toBe(0)
    expect(yield* pool.fetchall("select * from item")).toEqual([])
    // its thread lets go of the file when SQLite answers
    expect(yield* pool.execute("insert into item values ('kept')")).toBe(1)
    const timeout = new gevent.Timeout(0.02)
    expect(yield* caught(timeout.within(() => pool.execute(slow)))).toBe(timeout)
    expect(yield* pool.fetchall("select * from item")).toEqual([{ name: "kept" }])
  })
)

realProgram("a file that cannot be opened is an error each time, and takes no room", function*() {
  const pool = new ConnectionPool(join(folder, "no", "such", "folder.db"), 1)
  for (let n = 0; n < 2; n++) {
    expect(yield* caught(gevent.call(() => pool.execute("select 1")))).toMatchObject({ code: "SQLITE_CANTOPEN" })
  }
  expect(pool.size).toBe(0)
})

test("a pool has room for a connection", () => {
  for (const maxsize of [0, 1.5]) {
    expect(() => new ConnectionPool(newFile(), maxsize)).toThrow("Expected a positive integer")
  }
})

test("the example runs, and tells its figures", () => {
  const built = spawnSync("npm", ["run", "-s", "build:programs"], { encoding: "utf8" })
  expect(`${built.status} ${built.stdout}`).toBe("0 ")
  const file = newFile()
  const { status, stderr, stdout } = spawnSync(process.execPath, [".build/examples/gevent/sqlitePool.js", file], {
    encoding: "utf8",
    timeout: 60_000
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
  console.info(stdout)
  expect(stdout).toMatch(/^Counting to 1000000: once in \d+ ms, 4 times with 3 connections in \d+ ms\.$/m)
  expect(stdout).toContain("900 transfers committed, 100 rolled back")
  expect(stdout).toContain("the accounts hold 10000.")
  expect(existsSync(file)).toBe(true)
}, 90_000)
