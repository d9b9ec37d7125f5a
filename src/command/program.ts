/** Programs that the command starts: a process of Node for each, with the compiler in front of what it loads. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { existsSync, realpathSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { CommandFailure } from "./failure.ts"

/** What the compiler needs, which is not needed by a program that runs as it is. */
const COMPILER = ["oxc-parser", "oxc-transform", "@jridgewell/sourcemap-codec"]

const here = createRequire(import.meta.url)

const isInstalled = (name: string): boolean => {
  try {
    here.resolve(name)
    return true
  } catch (error) {
    return (error as { readonly code?: unknown }).code !== "MODULE_NOT_FOUND"
  }
}

/** Fails if the compiler cannot be loaded, and says what to install. */
export const requireCompiler: Effect.Effect<void, CommandFailure> = Effect.suspend(() => {
  const missing = COMPILER.filter((name) => !isInstalled(name))
  return missing.length === 0 ? Effect.void : Effect.fail(
    new CommandFailure({
      message: `the compiler needs ${missing.join(", ")}: npm install --save-dev ${missing.join(" ")}`
    })
  )
})

/** The path of a file that is there. */
export const requireFile = (file: string): Effect.Effect<string, CommandFailure> =>
  Effect.suspend(() => {
    const path = resolve(file)
    if (!existsSync(path)) return Effect.fail(new CommandFailure({ message: `there is no file ${file}` }))
    if (statSync(path).isDirectory()) {
      return Effect.fail(new CommandFailure({ message: `${file} is a folder: say which file in it` }))
    }
    return Effect.succeed(path)
  })

/**
 * The file of one of the package's modules that a program gets when it imports it. That may be another copy of the package than
 * the command's, if that was installed elsewhere.
 */
export const moduleFor = (program: string, entry: string): string => {
  try {
    return pathToFileURL(realpathSync(createRequire(program).resolve(`effect-stackless/${entry}`))).href
  } catch {
    return new URL(`../${entry}/index.js`, import.meta.url).href
  }
}

/** The file of one of the modules beside this one. */
export const beside = (name: string): string => new URL(name, import.meta.url).href

/**
 * Runs Node on a file, compiled as it is loaded, with the terminal of this process. Gives the code that it ends with. A signal
 * that it ends by ends this process, too.
 */
export const runNode = (
  preloads: ReadonlyArray<string>,
  file: string,
  args: ReadonlyArray<string>
): Effect.Effect<number, CommandFailure> =>
  Effect.callback<number, CommandFailure>((resume) => {
    const imports = [new URL("../register/index.js", import.meta.url).href, ...preloads].flatMap((
      url
    ) => ["--import", url])
    const path = file.startsWith("file:") ? fileURLToPath(file) : file
    const child = spawn(process.execPath, [...process.execArgv, ...imports, path, ...args], { stdio: "inherit" })
    // a terminal sends these to both; whoever else sends one sends it to this process alone
    const forward = (signal: NodeJS.Signals): void => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal)
    }
    const stop = (): void => {
      for (const signal of SIGNALS) process.off(signal, forward)
    }
    for (const signal of SIGNALS) process.on(signal, forward)
    child.on("error", (error) => {
      stop()
      resume(Effect.fail(new CommandFailure({ message: `Node cannot be started: ${error.message}` })))
    })
    child.on("exit", (code, signal) => {
      stop()
      if (signal !== null) process.kill(process.pid, signal)
      resume(Effect.succeed(code ?? 1))
    })
  })

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const
