// Shows that the package runs on Bun and on Deno. Each loads every entry point as built, runs the talk's program and the conformance
// programs, and goes on with a tasklet that the other one, or Node, has pickled.
//
//   npm run build:programs && node scripts/runtimes.mjs
import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const directory = join(root, ".build/runtimes")

/** @type {(program: string, ...args: Array<string>) => void} */
const run = (program, ...args) => {
  execFileSync(program, args, { cwd: root, stdio: "inherit" })
}

// The packages that hold the binaries, as in node-versions.mjs.
const arch = process.arch === "arm64" ? "aarch64" : process.arch
const bun = `@oven/bun-${process.platform}-${arch}`
const deno = `@deno/${process.platform}-${process.arch}${process.platform === "linux" ? "-glibc" : ""}`
run("npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--prefix", directory, bun, deno)
// Deno keeps what it has looked at beside its binary.
process.env["DENO_DIR"] = join(directory, "deno")
process.env["DENO_NO_UPDATE_CHECK"] = "1"

/** How a file is run on each, with arguments: the command in front of it. */
const runtimes = {
  Bun: [join(directory, "node_modules", bun, "bin/bun")],
  Deno: [join(directory, "node_modules", deno, "deno"), "run", "--allow-all"],
  Node: [process.execPath]
}

const { exports, name } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const entries = Object.keys(exports).filter((path) => !path.endsWith(".json")).map((path) => join(name, path))

for (const runtime of /** @type {const} */ (["Bun", "Deno"])) {
  const [program = "", ...args] = runtimes[runtime]
  console.log(`\n${runtime} ${execFileSync(program, ["--version"], { encoding: "utf8" }).split("\n")[0]}`)
  const loading = entries.map((entry) => `import ${JSON.stringify(entry)}\n`).join("")
  execFileSync(program, runtime === "Bun" ? ["run", "-"] : [...args, "-"], {
    cwd: root,
    input: loading,
    stdio: ["pipe", "inherit", "inherit"]
  })
  run(program, ...args, ".build/examples/talk.js")
  run(program, ...args, ".build/test/conformance/main.js")
}

// One bundle, compiled by the plugin of Bun, is the same program everywhere.
const pickling = join(directory, "pickling")
mkdirSync(pickling, { recursive: true })
const [bunProgram = ""] = runtimes.Bun
execFileSync(bunProgram, ["run", "-"], {
  cwd: root,
  input: `import stackless from "effect-stackless/bun"
    const entrypoints = ["examples/pickling.ts"]
    await Bun.build({ entrypoints, outdir: ${JSON.stringify(pickling)}, target: "node", plugins: [stackless()] })`,
  stdio: ["pipe", "inherit", "inherit"]
})
const leaves = Array.from({ length: 9 }, (_, i) => `leave level ${" ".repeat(9 - i)}${9 - i}`)
for (const [from, [program = "", ...args]] of Object.entries(runtimes)) {
  execFileSync(program, [...args, join(pickling, "pickling.js")], { cwd: pickling })
  for (const [to, [program = "", ...args]] of Object.entries(runtimes)) {
    const printed = execFileSync(program, [...args, join(pickling, "pickling.js"), "tasklet.pickle"], {
      cwd: pickling,
      encoding: "utf8"
    })
    if (printed !== leaves.map((line) => `${line}\n`).join("")) throw new Error(`${to} went on with: ${printed}`)
    console.log(`${to} goes on with a tasklet that ${from} has pickled`)
  }
}
