/** The peers that are Python: Debian's packages, where they are installed. */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import type { Numbers } from "../fresh.ts"
import { root } from "../root.ts"
import type { WorkName } from "./peer.ts"

export interface PythonPeer {
  /** What Debian calls it. */
  readonly name: string
  readonly module: string
  /** Where to look for an interpreter, in this order: the package is the system's interpreter's. */
  readonly interpreters: ReadonlyArray<string>
  readonly works: ReadonlyArray<WorkName>
}

const python3 = ["/usr/bin/python3", "python3"]

export const pythonPeers: ReadonlyArray<PythonPeer> = [
  { name: "python3-greenlet", module: "greenlet", interpreters: python3, works: ["switch", "block"] },
  { name: "python3-gevent", module: "gevent", interpreters: python3, works: ["schedule", "channel", "block"] },
  {
    name: "pypy3-stackless",
    module: "stackless",
    interpreters: ["/usr/bin/pypy3", "pypy3"],
    works: ["schedule", "channel", "block"]
  }
]

/** An interpreter that has the module, and what version all is. */
export interface Interpreter {
  readonly path: string
  readonly version: string
}

/** Says, for the table's foot: `greenlet 2.0.2 on CPython 3.11.2`. */
const version = (module: string): string => `
import platform, sys, ${module}
pypy = getattr(sys, "pypy_version_info", None)
on = "PyPy %d.%d.%d" % pypy[:3] if pypy else "CPython " + platform.python_version()
print("${module}", getattr(${module}, "__version__", ""), "on", on)
`

export const find = ({ interpreters, module }: PythonPeer): Interpreter | undefined => {
  for (const path of interpreters) {
    try {
      const said = execFileSync(path, ["-c", version(module)], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"]
      })
      return { path, version: said.trim().replaceAll(/ +/g, " ") }
    } catch {
      // not installed, or without that module
    }
  }
  return undefined
}

export const takePython = async (peer: PythonPeer, { path }: Interpreter, work: WorkName): Promise<Numbers> => {
  const script = join(root, "bench/peers", `${peer.name.replaceAll("-", "_")}.py`)
  return JSON.parse(execFileSync(path, ["-B", script, work], { encoding: "utf8" })) as Numbers
}
