/** The peers that are no JavaScript: Debian's packages, where they are installed, and native Stackless, where it was built. */
import { execFileSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type { Numbers } from "../fresh.ts"
import { root } from "../root.ts"
import type { WorkName } from "./peer.ts"

export interface ProgramPeer {
  /** The name that the table has for it. */
  readonly name: string
  /** How one gets it. */
  readonly get: string
  readonly works: ReadonlyArray<WorkName>
  /** What it is, with its version, for the table's foot. Throws if it is not installed. */
  readonly version: () => string
  /** The command that does a piece of work, and prints numbers as JSON. */
  readonly command: (work: WorkName) => ReadonlyArray<string>
}

const file = (name: string): string => join(root, "bench/peers", name)

const output = ([program, ...args]: ReadonlyArray<string>): string =>
  execFileSync(program!, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()

/** Says, for the table's foot: `greenlet 2.0.2 on CPython 3.11.2`. */
const pythonVersion = (module: string): string => `
import platform, sys, ${module}
pypy = getattr(sys, "pypy_version_info", None)
on = "PyPy %d.%d.%d" % pypy[:3] if pypy else "CPython " + platform.python_version()
print("${module}", getattr(${module}, "__version__", ""), "on", on)
`

const debian = (name: string): string => `install the package ${name}`

/** A module of Python. Debian's package is the system's interpreter's, which is therefore looked for first. */
const python = (
  name: string,
  module: string,
  interpreters: ReadonlyArray<string>,
  works: ReadonlyArray<WorkName>,
  script = `${name.replaceAll("-", "_")}.py`,
  get = debian(name)
): ProgramPeer => {
  let found = interpreters[0]!
  return {
    name,
    get,
    works,
    version: () => {
      for (const interpreter of interpreters) {
        try {
          const said = output([interpreter, "-c", pythonVersion(module)])
          found = interpreter
          return said.replaceAll(/ +/g, " ")
        } catch {
          // not installed, or without that module
        }
      }
      throw new Error(`${interpreters.join(" and ")} have no module ${module}`)
    },
    command: (work) => [found, "-B", file(script), work]
  }
}

const lua = (name: string, program: string): ProgramPeer => ({
  name,
  get: debian(program),
  works: ["switch", "schedule", "channel", "block"],
  version: () => output([program, "-e", "print(jit and jit.version or _VERSION)"]),
  command: (work) => [program, file("coroutines.lua"), work]
})

const goProgram = join(root, ".build/bench/peers/go")
const python3 = ["/usr/bin/python3", "python3"]

/** The interpreter of native Stackless Python. No distribution has it, so whoever wants the comparison builds it. */
const nativeStackless = process.env["STACKLESS_PYTHON"]

export const programPeers: ReadonlyArray<ProgramPeer> = [
  python("python3-greenlet", "greenlet", python3, ["switch", "block"]),
  python("python3-gevent", "gevent", python3, ["schedule", "channel", "block"]),
  python(
    "native Stackless",
    "stackless",
    [nativeStackless ?? "stackless-python"],
    ["schedule", "channel", "block"],
    "stackless_peer.py",
    "build Stackless Python 3.7.5, and name its interpreter in STACKLESS_PYTHON"
  ),
  python(
    "pypy3-stackless",
    "stackless",
    ["/usr/bin/pypy3", "pypy3"],
    ["schedule", "channel", "block"],
    "stackless_peer.py",
    debian("pypy3")
  ),
  {
    name: "Go, on one core",
    get: debian("golang-go"),
    works: ["schedule", "channel", "block"],
    version: () => {
      mkdirSync(join(goProgram, ".."), { recursive: true })
      output(["go", "build", "-o", goProgram, file("go.go")])
      return output(["go", "version"]).replace(/^go version go(\S+).*$/, "Go $1")
    },
    command: (work) => [goProgram, work]
  },
  {
    name: "Erlang, on one scheduler",
    get: debian("erlang-base"),
    works: ["schedule", "channel", "block"],
    version: () =>
      `Erlang ${output(["erl", "-noshell", "-eval", `io:put_chars(erlang:system_info(otp_release)), halt().`])}`,
    command: (work) => ["escript", file("erlang.escript"), work]
  },
  lua("Lua coroutines", "lua5.4"),
  lua("LuaJIT coroutines", "luajit")
]

export const takeProgram = (peer: ProgramPeer, work: WorkName): Numbers =>
  JSON.parse(output(peer.command(work))) as Numbers

/** What a program of bench/peers measures on native Stackless. Nothing where that was not built. */
export const onNativeStackless: ((program: string) => Numbers) | undefined = nativeStackless === undefined
  ? undefined
  : (program) => JSON.parse(output([nativeStackless, "-B", file(program)])) as Numbers
