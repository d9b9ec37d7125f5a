/** What package.json and the lock file promise to whoever installs the package. */

import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { rolldown } from "rolldown"
import { beforeAll, expect, test } from "vitest"
import { buildPackage } from "../project.ts"

const manifest = JSON.parse(readFileSync("package.json", "utf8"))
const jsr = JSON.parse(readFileSync("jsr.json", "utf8"))

beforeAll(buildPackage, 120_000)

test("effect is all that the package needs at run time", () => {
  expect(manifest.dependencies).toBeUndefined()
  const optional = Object.keys(manifest.peerDependenciesMeta).filter((name) =>
    manifest.peerDependenciesMeta[name].optional
  )
  expect(Object.keys(manifest.peerDependencies).filter((name) => !optional.includes(name))).toEqual(["effect"])
})

test("what compiles, and only that, needs the optional ones; what runs loads effect and nothing else", async () => {
  const needed = async (entry: string) => {
    const bundle = await rolldown({ input: manifest.exports[entry], external: /^[^./]/, logLevel: "silent" })
    const { output } = await bundle.generate()
    const packages = output.flatMap((file) => file.type === "chunk" ? file.imports.concat(file.dynamicImports) : [])
      .filter((specifier) => !specifier.startsWith("node:"))
      .map((specifier) => /^(?:@[^/]+\/)?[^/]+/.exec(specifier)![0])
    return [...new Set(packages)]
  }
  const compiler = await needed("./compiler")
  expect(compiler.length).toBeGreaterThan(0)
  for (const entry of Object.keys(manifest.exports)) {
    if (entry === "./package.json") continue
    const tool = /^\.\/(?:vite|rollup|rolldown|esbuild|webpack|rspack|bun)$/.test(entry)
    const allowed = tool
      ? [...compiler, "unplugin"]
      : entry === "./compiler" || entry === "./register"
      ? compiler
      : entry === "./vitest"
      ? ["effect", "vitest"]
      : entry === "./cluster"
      ? ["effect", "@effect/platform-node", "@effect/sql-pg", "libsql"]
      : ["effect"]
    const packages = await needed(entry)
    expect([entry, packages.filter((name) => !allowed.includes(name))]).toEqual([entry, []])
    for (const name of packages) expect(manifest.peerDependencies).toHaveProperty([name])
  }
})

test("only what hooks into Node has effects when it is imported", () => {
  const command = Object.values<string>(manifest.bin)
  const started = ["development", "exploring", "recording"].map((name) => `./dist/command/${name}.js`)
  expect(manifest.sideEffects).toEqual([...command, ...started, manifest.exports["./register"]])
})

test.each(["package-lock.json", "site/package-lock.json"])(
  "%s names no registry, so that any can be installed from",
  (file) => {
    const packages: Array<{ resolved?: string }> = Object.values(JSON.parse(readFileSync(file, "utf8")).packages)
    expect(packages.length).toBeGreaterThan(1)
    expect(packages.filter((entry) => entry.resolved !== undefined)).toEqual([])
  }
)

test("JSR is told of the same version, and of the entries that run in a program", () => {
  expect([jsr.version, jsr.license]).toEqual([manifest.version, manifest.license])
  const built = Object.entries<string>(jsr.exports).map(([entry, file]) => [
    entry,
    file.replace("./src/", "./dist/").replace(/\.ts$/, ".js")
  ])
  expect(manifest.exports).toMatchObject(Object.fromEntries(built))
})

test("nothing is published before the owner of the repository is filled in", () => {
  expect(manifest.scripts.prepublishOnly).toBe("node scripts/owner.mjs --check")
  const { status, stderr } = spawnSync(process.execPath, ["scripts/owner.mjs", "--check"], { encoding: "utf8" })
  const addresses = [manifest.homepage, manifest.repository.url, manifest.bugs]
  const filledIn = !addresses.some((address) => address.includes("/OWNER/"))
  expect([filledIn, status]).toEqual([filledIn, filledIn ? 0 : 1])
  expect(stderr.includes("node scripts/owner.mjs NAME")).toBe(!filledIn)
})
