// Shows that the package runs on other versions of Node than the one at hand: by default the oldest that is supported
// and the newer lines. Each loads every entry point as built, runs the talk's program, and then the tests, unless it is
// of the major version at hand, on which they are run anyway.
//
//   npm run build:programs && node scripts/node-versions.mjs [VERSION…]
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const directory = join(root, ".build/node")
const versions = process.argv.length > 2 ? process.argv.slice(2) : ["20.19.0", "22", "24", "26"]

/** @type {(program: string, ...args: Array<string>) => void} */
const run = (program, ...args) => {
  execFileSync(program, args, { cwd: root, stdio: "inherit" })
}

// What starts other programs, a browser or a database runs once, on the version at hand.
const left = ["--exclude", "test/cluster/**", "--exclude", "test/command/**", "--exclude", "test/pages/**"]

// The packages that hold the binaries. The package `node` would choose among them in an install script, and those may
// be blocked.
const binaries = `node-${process.platform}-${process.arch}`
const aliases = versions.map((version) => `node-${version}@npm:${binaries}@${version}`)
run("npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--prefix", directory, ...aliases)

const { exports, name } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const entries = Object.keys(exports).filter((path) => !path.endsWith(".json")).map((path) => join(name, path))
const [atHand] = process.versions.node.split(".")

for (const version of versions) {
  const node = join(directory, "node_modules", `node-${version}`, "bin/node")
  console.log(`\nNode ${execFileSync(node, ["--version"], { encoding: "utf8" }).trim()}`)
  run(node, "--input-type=module", "--eval", entries.map((entry) => `import ${JSON.stringify(entry)}\n`).join(""))
  run(node, "--expose-gc", ".build/examples/talk.js")
  run(node, "dist/command/main.js", "run", "examples/exploring.ts")
  if (version.split(".")[0] !== atHand) run(node, "node_modules/vitest/vitest.mjs", "run", ...left)
}
