/** The porting guide names what there is, and nothing else. */
import * as gevent from "effect-stackless/compat/gevent"
import { readFileSync } from "node:fs"
import { expect, test } from "vitest"

const guide = readFileSync("docs/gevent.md", "utf8") + readFileSync("docs/gevent-modules.md", "utf8")
const names = readFileSync("docs/gevent-names.md", "utf8")

test("the table of names has every export, and no other", () => {
  const rows = names.split("\n").filter((line) => line.startsWith("| ")).slice(2).map((line) => line.split(" | "))
  const named = new Set(
    rows.flatMap(([, here]) => [...here!.matchAll(/`([\w.]+)`/g)].map(([, name]) => name!.split(".")[0]!))
  )
  const exported = Object.keys(gevent)
  expect(exported.filter((name) => !named.has(name))).toEqual([])
  const members = new Set(Object.keys(new gevent.Greenlet()))
  for (const thing of Object.values(gevent)) {
    if (typeof thing !== "function") continue
    for (const name of Object.getOwnPropertyNames(thing)) members.add(name)
    for (let of = thing.prototype; of !== undefined && of !== Object.prototype; of = Object.getPrototypeOf(of)) {
      for (const name of Object.getOwnPropertyNames(of)) members.add(name)
    }
  }
  const unknown = [...named].filter((name) => !(name in gevent) && !members.has(name))
  expect(unknown).toEqual(["tls"])
})

test("every `gevent.name` that the guide writes in TypeScript is exported", () => {
  const cells = guide.split("\n").flatMap((line) => line.startsWith("| ") ? [line.split(" | ")[1]!] : [])
  const written = [...cells.join("\n").matchAll(/gevent\.(\w+)/g)].map(([, name]) => name!)
  expect(written.length).toBeGreaterThan(20)
  expect(written.filter((name) => !(name in gevent))).toEqual([])
})
