/** What package.json and the lock file promise to whoever installs the package. */

import { readFileSync } from "node:fs"
import { expect, test } from "vitest"

const manifest = JSON.parse(readFileSync("package.json", "utf8"))
const lock = JSON.parse(readFileSync("package-lock.json", "utf8"))

test("effect is all that the package needs at run time", () => {
  expect(manifest.dependencies).toBeUndefined()
  expect(manifest.peerDependencies).toEqual({ effect: "^4.1.0" })
})

test("the lock file names no registry, so that any can be installed from", () => {
  const packages: Array<{ resolved?: string }> = Object.values(lock.packages)
  expect(packages.length).toBeGreaterThan(1)
  expect(packages.filter((entry) => entry.resolved !== undefined)).toEqual([])
})
